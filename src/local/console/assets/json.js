// Texts that may be JSON: pretty, and each object to be folded.

import { h } from "./dom.js";

/** How many lines a text may have before it begins folded. */
const TALL = 24;

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A body as it came: pretty if it is JSON, else as text. `bytes` tells what the whole is, if this is its beginning. */
export function body(text, bytes) {
  const value = parsed(text);
  const shown = value !== null && typeof value === "object" ? tree(value, 0) : h("span", {}, text);
  const size = new TextEncoder().encode(text).length;
  const rest = bytes > size && h("small", {}, `… the first ${size} of ${bytes} bytes`);
  return h("div", { class: "json" }, shown, rest);
}

/** The first words of a text, for one line. */
export function brief(text, most = 90) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

function tree(value, depth) {
  if (value === null || typeof value !== "object") return leaf(value);
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (entries.length === 0) return h("span", {}, open + close);
  const rows = entries.map(([name, inner]) =>
    h("li", {}, Array.isArray(value) ? null : [h("span", { class: "name" }, name), ": "], tree(inner, depth + 1)),
  );
  const many = Array.isArray(value) ? `${entries.length} items` : `${entries.length} members`;
  const summary = h("summary", {}, open, h("span", { class: "folded" }, ` ${many} ${close}`));
  return h("details", { open: depth === 0 || entries.length <= TALL }, summary, h("ul", {}, rows), h("span", {}, close));
}

function leaf(value) {
  const kind = value === null ? "null" : typeof value;
  return h("span", { class: kind }, typeof value === "string" ? JSON.stringify(value) : String(value));
}

/** A value of DynamoDB's, without its types. */
export function plain(value) {
  const [[type, inner]] = Object.entries(value);
  if (type === "M") return Object.fromEntries(Object.entries(inner).map(([k, v]) => [k, plain(v)]));
  if (type === "L") return inner.map(plain);
  if (type === "N") return Number(inner);
  if (type === "NS") return inner.map(Number);
  return type === "NULL" ? null : inner;
}
