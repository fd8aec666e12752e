// Calls that IAM refused, each once, with the statement that would allow it.

import { denial } from "./details.js";
import { find, h, plural, time } from "./dom.js";
import { feed } from "./feed.js";

const MOST = 100;
const known = new Map();

function draw() {
  find("#tab-denials b").textContent = known.size > 0 ? String(known.size) : "";
  find("#tab-denials").classList.toggle("bad", known.size > 0);
  const all = [...known.values()].reverse();
  const shown = all.map(({ line, count }) =>
    h("article", {}, h("p", { class: "hint" }, `${time(line.at)}${count > 1 ? `, ${plural(count, "time")}` : ""}`), denial(line)));
  const none = h("p", { class: "empty" }, "No call was denied since this page was opened.");
  find("#denials").replaceChildren(...(shown.length > 0 ? shown : [none]));
}

export function begin() {
  feed.addEventListener("line", ({ detail: line }) => {
    if (line.type !== "denied") return;
    const id = [line.principal, line.action, line.resource].join(" ");
    const count = (known.get(id)?.count ?? 0) + 1;
    known.delete(id);
    known.set(id, { line, count });
    if (known.size > MOST) known.delete(known.keys().next().value);
    draw();
  });
  draw();
}
