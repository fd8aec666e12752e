// Single keys, wherever nothing is being typed, and the list of them.

import { find, h } from "./dom.js";

const keys = [];

export function key(name, what, run) {
  keys.push({ name, what, run });
}

const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const found = keys.find(({ name }) => name === event.key || (name === "1–9" && /^[1-9]$/.test(event.key)));
    if (found?.run && found.run(event) !== false) event.preventDefault();
  });
  const dialog = find("#keys");
  const rows = keys.map(({ name, what }) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, what)]);
  find("dl", dialog).append(...rows.flat());
  find("#help").addEventListener("click", () => dialog.showModal());
}
