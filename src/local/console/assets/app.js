// Puts the parts together.

import * as clients from "./clients.js";
import * as connections from "./connections.js";
import * as denials from "./denials.js";
import { find, h } from "./dom.js";
import * as events from "./events.js";
import { feed } from "./feed.js";
import { key, listen } from "./keys.js";
import * as picture from "./picture.js";
import * as tables from "./tables.js";

const idOf = ({ api, stage }) => `${api}/${stage}`;

function tab(name) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each.id === `tab-${name}`;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    find(`#${each.getAttribute("aria-controls")}`).hidden = !chosen;
  }
}

function tabs() {
  const all = [...document.querySelectorAll("[role=tab]")];
  const nameOf = (each) => each.getAttribute("aria-controls");
  for (const each of all) {
    each.addEventListener("click", () => tab(nameOf(each)));
    each.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = all[(all.indexOf(each) + step + all.length) % all.length];
      tab(nameOf(next));
      next.focus();
    });
  }
}

function goTo(name) {
  tab(name);
  find(`#tab-${name}`).focus();
}

/** The stages to choose from, and the chosen one to whoever shows it. */
function stages() {
  const select = find("#stage");
  const { stages: all, account, region } = feed.state;
  const before = select.value;
  select.replaceChildren(...all.map((stage) => h("option", { value: idOf(stage) }, `${stage.name} / ${stage.stage}`)));
  if (all.some((stage) => idOf(stage) === before)) select.value = before;
  select.disabled = all.length < 2;
  choose();
  find("#where").textContent = account ? `${account} · ${region}` : "";
}

function choose() {
  const stage = feed.state.stages.find((each) => idOf(each) === find("#stage").value);
  clients.use(stage);
  picture.use(stage);
}

function live({ detail: state }) {
  const output = find("#live");
  output.dataset.state = state === "live" ? "on" : "bad";
  output.textContent = state === "live" ? "live" : "no answer: is `msgai dev` running?";
}

clients.begin();
events.begin();
connections.begin();
tables.begin();
denials.begin();
picture.begin((table) => {
  tab("tables");
  tables.open(table);
});
tabs();
find("#stage").addEventListener("change", choose);
feed.addEventListener("state", stages);
feed.addEventListener("live", live);
feed.begin();

key("e", "to the newest event; arrows go on, Enter opens", () => events.focusNewest());
key("/", "filter the events", () => find("#filter").focus());
key("p", "to the picture of the stack", () => picture.focus());
key("g", "connections", () => goTo("connections"));
key("t", "tables", () => goTo("tables"));
key("d", "denials", () => goTo("denials"));
key("?", "this list", () => find("#keys").showModal());
key("Esc", "out of a field");
key("Ctrl Enter", "in a message: send it");
listen();
