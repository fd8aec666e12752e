// The tables and their items, read only; what a refresh finds new or changed is marked.

import { find, h, plural, soon } from "./dom.js";
import { feed, items } from "./feed.js";
import { body, brief, plain } from "./json.js";

/** Calls that may have changed items. */
const WRITES = /^(PutItem|UpdateItem|DeleteItem|BatchWriteItem|TransactWriteItems|Execute|BatchExecute)/;
/** How long a change stays marked. */
const MARKED = 6000;

let chosen, shown = [], next, after = [], seen = new Map(), failure;
const marked = new Map();

const panel = () => find("#tables");
const keyOf = (item) => JSON.stringify(chosen.keys.map((key) => item[key]));

/** Keys first, then every other attribute by its name. */
function columns() {
  return [...new Set([...chosen.keys, ...shown.flatMap((item) => Object.keys(item)).sort()])];
}

function cell(value) {
  if (value === undefined) return h("td", { class: "none" }, "–");
  const text = typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  return h("td", { title: text.length > 40 ? text : null }, brief(text, 40));
}

function lines(item, names) {
  const id = keyOf(item);
  const line = h("tr", { class: marked.has(id) ? "changed" : null }, names.map((name) => cell(item[name])));
  const open = h("button", { type: "button", class: "small", "aria-expanded": "false", "aria-label": "Show the whole item" }, "…");
  open.addEventListener("click", () => {
    const below = line.nextElementSibling;
    const isOpen = below?.classList.contains("whole");
    if (isOpen) below.remove();
    else line.after(h("tr", { class: "whole" }, h("td", { colspan: names.length + 1 }, body(JSON.stringify(item), 0))));
    open.setAttribute("aria-expanded", String(!isOpen));
  });
  line.append(h("td", {}, open));
  return line;
}

function picker() {
  const options = feed.state.tables.map(({ name, items: count }) => h("option", { value: name, selected: name === chosen?.name }, `${name} (${count})`));
  const select = h("select", { "aria-label": "Table" }, options);
  select.addEventListener("change", () => open(select.value));
  return select;
}

function pages() {
  const page = after.length + 1;
  return [
    after.length > 0 && h("button", { type: "button", class: "small", onclick: () => turn(-1) }, "← before"),
    (after.length > 0 || next) && h("span", {}, `page ${page}`),
    next && h("button", { type: "button", class: "small", onclick: () => turn(1) }, "more →"),
  ];
}

function draw() {
  find("#tab-tables b").textContent = String(feed.state.tables.length);
  if (!chosen) {
    panel().replaceChildren(h("p", { class: "empty" }, "There are no tables."));
    return;
  }
  const focused = panel().contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const names = columns();
  const keys = `key ${chosen.keys.join(", ")}${chosen.indexes.length > 0 ? ` · ${plural(chosen.indexes.length, "index", "indexes")}: ${chosen.indexes.map((index) => `${index.name} (${index.keys.join(", ")})`).join(", ")}` : ""}`;
  const bar = h("div", { class: "bar" }, picker(), h("span", { class: "hint" }, keys), h("span", { class: "space" }), pages());
  const head = h("tr", {}, names.map((name) => h("th", { scope: "col", class: chosen.keys.includes(name) ? "key" : null }, name)), h("th", {}, h("span", { class: "hidden-title" }, "Whole item")));
  const table = shown.length > 0
    ? h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Items of ${chosen.name}` }, h("table", {}, h("thead", {}, head), h("tbody", {}, shown.map((item) => lines(item, names)))))
    : h("p", { class: "empty" }, failure ?? "No items.");
  panel().replaceChildren(bar, table);
  if (focused) find(`[aria-label="${CSS.escape(focused)}"]`, panel())?.focus();
}

async function load(mark) {
  const asked = chosen;
  if (!asked) return draw();
  let page;
  try {
    page = await items(asked.name, after.at(-1));
    failure = undefined;
  } catch (error) {
    page = { items: [], next: null };
    failure = error.message;
  }
  // Another table was chosen meanwhile.
  if (asked.name !== chosen?.name) return;
  // The engine gives attributes in any order; an item is the same in each.
  const sorted = (item) => Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
  shown = page.items.map((item) => Object.fromEntries(sorted(item).map(([name, value]) => [name, plain(value)])));
  next = page.next;
  const now = new Map(shown.map((item) => [keyOf(item), JSON.stringify(item)]));
  if (mark) {
    for (const [id, text] of now) {
      if (seen.get(id) === text) continue;
      clearTimeout(marked.get(id));
      marked.set(id, setTimeout(() => { marked.delete(id); draw(); }, MARKED));
    }
    // What changed last stands first.
    shown.sort((a, b) => marked.has(keyOf(b)) - marked.has(keyOf(a)));
  }
  seen = now;
  draw();
}

function turn(step) {
  if (step > 0) after.push(next);
  else after.pop();
  return load(false);
}

/** Shows a table. */
export function open(name) {
  chosen = feed.state.tables.find((table) => table.name === name);
  after = [];
  marked.clear();
  return load(false);
}

export function begin() {
  const again = soon(() => {
    feed.refresh();
    load(true);
  }, 250);
  feed.addEventListener("line", ({ detail: { type, service, operation, status } }) => {
    if (type === "call" && service === "dynamodb" && status < 400 && WRITES.test(operation)) again();
  });
  feed.addEventListener("state", () => {
    const known = feed.state.tables.find((table) => table.name === chosen?.name);
    if (known) {
      chosen = known;
      draw();
    } else {
      open(feed.state.tables[0]?.name);
    }
  });
  draw();
}
