// Every event on one line. A line grows: a frame arrives, a function is called, writes, posts, returns.

import { details } from "./details.js";
import { find, h, hue, plural, soon, time, took } from "./dom.js";
import { feed } from "./feed.js";
import { brief, parsed } from "./json.js";

/** Older lines go. */
const MOST = 500;
/** How near the end a list counts as being at its end, in pixels. */
const NEAR = 24;

const rows = [];
const byCall = new Map();
const byGateway = new Map();
const byConnection = new Map();
const names = new Map();
const changed = new Set();
let list, unseen = 0;

/** Hears of every row that was begun or has ended. */
export const watchers = new EventTarget();

/** Who a connection is: the first value of its query, as in `userId=alice`. */
export function name(connection) {
  return names.get(connection) ?? connection.slice(0, 6);
}

export function chip(connection) {
  return h("span", { class: "chip", "data-hue": hue(name(connection)), title: connection }, name(connection));
}

function introduce(connection, query) {
  const [first] = new URLSearchParams(query).values();
  if (first) names.set(connection, brief(first, 16));
}

function row(kind, line, rest = {}) {
  const made = {
    kind, at: line.at, connection: line.connection_id, request: line.request_id,
    logs: [], out: [], calls: [], denials: [], ...rest,
  };
  rows.push(made);
  changed.add(made);
  if (rows.length > MOST) drop(rows.shift());
  return made;
}

function drop(old) {
  byCall.delete(old.request);
  byGateway.delete(old.gateway);
  if (byConnection.get(old.connection) === old) byConnection.delete(old.connection);
  changed.delete(old);
  old.item?.remove();
}

function touch(found) {
  if (found) changed.add(found);
  return found !== undefined;
}

const KINDS = { $connect: "connect", $disconnect: "disconnect" };

const takes = {
  begun(line) {
    const kind = KINDS[line.route_key] ?? "message";
    const known = kind === "disconnect" ? byConnection.get(line.connection_id) : byGateway.get(line.gateway_id);
    const made = known ?? row(kind, line);
    Object.assign(made, {
      route: line.route_key, function: line.function, request: line.request_id, gateway: line.gateway_id,
      event: line.event, running: true,
    });
    byCall.set(line.request_id, made);
    byGateway.set(line.gateway_id, made);
    if (kind === "connect") {
      byConnection.set(line.connection_id, made);
      const query = parsed(line.event.text)?.queryStringParameters;
      if (query) introduce(line.connection_id, new URLSearchParams(query));
    }
    touch(made);
    watchers.dispatchEvent(new CustomEvent("begun", { detail: made }));
  },
  event(line) {
    const made = byCall.get(line.request_id) ?? row(KINDS[line.route_key] ?? "message", line);
    byCall.set(line.request_id, made);
    const { route_key: route, function: called, status, took: millis, init } = line;
    Object.assign(made, { route, function: called, status, took: millis, init, running: false, called: true });
    made.failed ||= status === null || status >= 400;
    touch(made);
    watchers.dispatchEvent(new CustomEvent("ended", { detail: made }));
  },
  ended(line) {
    const made = byCall.get(line.request_id);
    if (made) Object.assign(made, { answer: line.answer, error: line.error });
    touch(made);
  },
  frame(line) {
    if (line.from === "client") {
      byGateway.set(line.request_id, row("message", line, { request: undefined, gateway: line.request_id, body: line.body }));
      return;
    }
    const made = byCall.get(line.request_id) ?? byGateway.get(line.request_id) ?? row("post", line, { body: line.body });
    made.out.push(line);
    touch(made);
  },
  missed(line) {
    const made = byCall.get(line.request_id) ?? row("post", line, { failed: true, status: line.status });
    made.out.push({ ...line, from: "post" });
    touch(made);
  },
  connected(line) {
    introduce(line.connection_id, line.query);
    const known = byConnection.get(line.connection_id);
    const made = known ?? row("connect", line);
    made.query = line.query;
    touch(made);
    // What ends the connection is another line.
    byConnection.delete(line.connection_id);
  },
  disconnected(line) {
    const made = row("disconnect", line, { close: `${line.code} ${line.reason}`.trim() });
    byConnection.set(line.connection_id, made);
  },
  refused(line) {
    const [, status, text] = /^handshake (\d+) (.*)$/s.exec(line.message) ?? [];
    const notice = parsed(text ?? line.message);
    const known = byGateway.get(notice?.requestId) ?? (status && byConnection.get(line.connection_id));
    const made = known || row(status ? "connect" : "message", line);
    Object.assign(made, { failed: true, refusal: text ?? line.message, word: notice?.message, refused: status });
    touch(made);
  },
  log(line) {
    const made = byCall.get(line.request_id);
    if (made) made.logs.push(line);
    touch(made);
    row("log", line, { function: line.function, text: line.line });
  },
  call(line) {
    const made = byCall.get(line.request_id);
    if (made) made.calls.push(line);
    touch(made);
    const word = `${line.service}.${line.operation}`;
    row("call", line, { text: word, status: line.status, took: line.took, failed: line.status >= 400 });
  },
  note(line) {
    row("note", line, { text: line.text });
  },
  denied(line) {
    const called = String(line.principal).split("/").at(-1);
    // The denial names the function, and not the call: it is one that runs.
    const made = rows.findLast((found) => found.running && found.function === called);
    if (made) Object.assign(made, { denied: true }).denials.push(line);
    touch(made);
    row("denied", line, { function: called, text: `${line.action} on ${line.resource}`, failed: true });
  },
};

function statusOf(found) {
  if (found.refused) return found.refused;
  if (found.word) return found.word;
  if (found.running) return "…";
  if (found.called && found.status === null) return "failed";
  return found.status ?? "";
}

/** What the client said, or what happened, in a few words. */
function gist(found) {
  if (found.kind === "connect") return found.query ?? "";
  if (found.kind === "disconnect") return found.close ?? "";
  return found.text ?? (found.body ? said(found.body.text, found.route) : "");
}

/** A message in few words: its members, but for the one that chose the route. */
function said(text, route) {
  const message = parsed(text);
  if (message === null || typeof message !== "object" || Array.isArray(message)) return text;
  const members = Object.entries(message).filter(([, value]) => value !== route);
  return members.map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
}

const word = (found) => (found.kind === "message" ? found.route ?? "message" : found.route ?? found.kind);

function cells(found) {
  const sent = found.out.length;
  const marks = [
    found.init != null && h("em", { class: "cold", title: `${took(found.init)} to start` }, "cold"),
    sent > 0 && h("em", { title: plural(sent, "message") + " sent" }, `→ ${sent}`),
    found.denied && h("em", { class: "bad" }, "denied"),
  ];
  return [
    h("time", {}, time(found.at)),
    h("span", { class: "what" }, h("b", { "data-kind": found.kind }, word(found)), " ", h("small", {}, brief(gist(found)))),
    h("span", {}, found.connection ? chip(found.connection) : ""),
    h("span", { class: "function" }, found.function ?? ""),
    h("span", { class: "status", title: String(statusOf(found)) }, String(statusOf(found))),
    h("span", { class: "took" }, found.took == null ? "" : took(found.took), ...marks),
  ];
}

function render(found) {
  if (!found.item) {
    found.button = h("button", { type: "button", "aria-expanded": "false", class: "line" });
    found.button.addEventListener("click", () => toggle(found));
    found.item = h("li", { "data-kind": found.kind }, found.button);
    list.append(found.item);
    if (!atEnd) unseen += hidden(found) ? 0 : 1;
  }
  found.button.replaceChildren(...cells(found));
  found.item.classList.toggle("failed", found.failed === true);
  found.item.classList.toggle("running", found.running === true);
  found.item.hidden = hidden(found);
  if (found.open) {
    const next = details(found);
    found.detail?.replaceWith(next);
    if (!found.detail) found.item.append(next);
    found.detail = next;
  }
}

function toggle(found) {
  found.open = !found.open;
  found.button.setAttribute("aria-expanded", String(found.open));
  if (found.open) {
    // What is being read stays where it is.
    atEnd = false;
    render(found);
    found.detail.scrollIntoView({ block: "nearest" });
    found.button.scrollIntoView({ block: "nearest" });
    return;
  }
  found.detail.remove();
  found.detail = undefined;
}

function hidden(found) {
  if (found.kind === "call" && !find("#show-calls").checked) return true;
  if (found.kind === "log" && !find("#show-logs").checked) return true;
  const wanted = find("#filter").value.trim().toLowerCase();
  if (!wanted) return false;
  const texts = [word(found), found.function, found.connection, found.connection && name(found.connection), gist(found)];
  return !texts.concat(String(statusOf(found))).some((text) => text?.toLowerCase().includes(wanted));
}

let atEnd = true;

function flush() {
  for (const found of changed) render(found);
  changed.clear();
  if (atEnd) list.scrollTop = list.scrollHeight;
  showUnseen();
  showEmpty();
}

function showUnseen() {
  const button = find("#to-newest");
  button.hidden = unseen === 0;
  button.textContent = `${unseen} new ↓`;
}

function showEmpty() {
  find("#events-empty").hidden = rows.some((found) => found.item && !found.item.hidden);
}

function filterAgain() {
  for (const found of rows) if (found.item) found.item.hidden = hidden(found);
  if (atEnd) list.scrollTop = list.scrollHeight;
  showEmpty();
}

/** Shows only the lines that have this text. */
export function filter(text) {
  const field = find("#filter");
  field.value = field.value === text ? "" : text;
  filterAgain();
}

function clear() {
  for (const old of rows.splice(0)) drop(old);
  unseen = 0;
  showUnseen();
  showEmpty();
}

/** Arrow keys go from line to line. */
function move(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
  const here = event.target.closest("li");
  if (!step || !here || !event.target.matches(".line")) return;
  const shown = rows.filter((found) => found.item && !found.item.hidden).map((found) => found.item);
  const next = shown[shown.indexOf(here) + step];
  find(".line", next)?.focus();
  event.preventDefault();
}

/** Goes to the newest line. */
export function focusNewest() {
  atEnd = true;
  unseen = 0;
  flush();
  const last = rows.findLast((found) => found.item && !found.item.hidden);
  (last?.button ?? list).focus();
}

export function begin() {
  list = find("#events .lines");
  const later = soon(() => requestAnimationFrame(flush), 30);
  feed.addEventListener("line", ({ detail: line }) => {
    takes[line.type]?.(line);
    later();
  });
  feed.addEventListener("lost", ({ detail: count }) => {
    row("lost", { at: Date.now() }, { text: `${plural(count, "line")} lost: this page was too slow`, failed: true });
    later();
  });
  feed.addEventListener("connections", () => {
    for (const { id, query } of feed.connections.connections) if (!names.has(id)) introduce(id, query);
  });
  list.addEventListener("scroll", () => {
    atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
    if (atEnd) unseen = 0;
    showUnseen();
  });
  list.addEventListener("keydown", move);
  for (const control of ["#filter", "#show-calls", "#show-logs"]) find(control).addEventListener("input", filterAgain);
  find("#clear").addEventListener("click", clear);
  find("#to-newest").addEventListener("click", focusNewest);
}

