// Who is connected now.

import { age, find, h, plural } from "./dom.js";
import { chip } from "./events.js";
import { close, feed } from "./feed.js";

const COLUMNS = ["Connection", "Query", "Stage", "Since", "In", "Out", ""];

function row(connection) {
  const cut = h("button", { type: "button", class: "small", title: "As DELETE of @connections", "aria-label": `Close the connection ${connection.id}`, onclick: () => close(connection.id) }, "Close");
  return h("tr", { "data-id": connection.id },
    h("td", {}, chip(connection.id), " ", h("code", {}, connection.id)),
    h("td", {}, h("code", {}, connection.query)),
    h("td", {}, connection.stage),
    h("td", { "data-since": connection.since }, age(connection.since)),
    h("td", { class: "number" }, String(connection.in)),
    h("td", { class: "number" }, String(connection.out)),
    h("td", {}, cut));
}

function draw() {
  const { total, connections } = feed.connections;
  const panel = find("#connections");
  find("#tab-connections b").textContent = String(total);
  if (total === 0) {
    panel.replaceChildren(h("p", { class: "empty" }, "Nobody is connected."));
    return;
  }
  const focused = panel.contains(document.activeElement) && document.activeElement.closest("tr")?.dataset.id;
  const head = h("tr", {}, COLUMNS.map((title) => h("th", { scope: "col" }, title || h("span", { class: "hidden-title" }, "Action"))));
  const rest = total > connections.length && h("p", { class: "hint" }, `and ${plural(total - connections.length, "older connection")}`);
  panel.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, connections.map(row))), rest || "");
  if (focused) (find(`tr[data-id="${CSS.escape(focused)}"] button`, panel) ?? panel).focus();
}

export function begin() {
  feed.addEventListener("connections", draw);
  setInterval(() => {
    for (const cell of document.querySelectorAll("#connections [data-since]")) cell.textContent = age(Number(cell.dataset.since));
  }, 1000);
  draw();
}
