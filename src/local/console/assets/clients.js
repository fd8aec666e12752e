// Chat clients side by side: ordinary WebSockets of the browser to the stage.

import { find, h, time } from "./dom.js";
import { feed } from "./feed.js";
import { body, brief, parsed } from "./json.js";
import { key } from "./keys.js";

/** Older frames of a client go. */
const MOST = 200;

const panes = [];
let count = 0;
let stage;

/** Where the stage listens, seen from this page. */
export function address({ api, stage: name }) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.host}/_aws/execute-api/${api}/${name}`;
}

/** Messages by route: what the cloud suggests, else only what selects the route. */
function templates() {
  const field = /^\$request\.body\.(\w+)$/.exec(stage?.select ?? "")?.[1];
  const routes = (stage?.routes ?? []).filter((route) => !route.key.startsWith("$"));
  return routes.flatMap(({ key: route }) => {
    const suggested = feed.state.suggestions.messages.filter(([of]) => of === route).map(([, message]) => message);
    const bare = field ? [{ [field]: route }] : [];
    const all = suggested.length > 0 ? suggested : bare;
    return all.map((message) => ({ route, text: JSON.stringify(message, null, 2) }));
  });
}

class Pane {
  constructor() {
    this.number = ++count;
    const queries = feed.state.suggestions.queries;
    const query = queries[this.number - 1] ?? `userId=client${this.number}`;
    this.query = h("input", { value: query, "aria-label": "Query string", spellcheck: "false", autocomplete: "off" });
    this.touched = false;
    this.said = "";
    this.query.addEventListener("input", () => (this.touched = true));
    this.button = h("button", { type: "submit", class: "primary" }, "Connect");
    this.state = h("output", { class: "state", "data-state": "off" }, "not connected");
    this.frames = h("div", { class: "frames", role: "log", "aria-label": `Frames of client ${this.number}`, tabindex: "0" });
    this.text = h("textarea", { rows: "5", spellcheck: "false", "aria-label": "Message to send", placeholder: '{"action": …}' });
    this.templates = h("div", { class: "templates", role: "group", "aria-label": "Messages to begin with" });
    this.element = this.#layout();
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.send();
    });
  }

  #layout() {
    const remove = h("button", { type: "button", class: "quiet", title: "Remove this client", "aria-label": `Remove client ${this.number}`, onclick: () => this.remove() }, "×");
    const connect = h("form", { class: "connect", onsubmit: (event) => { event.preventDefault(); this.toggle(); } },
      h("span", { class: "mark" }, "?"), this.query, this.button, remove);
    const send = h("form", { class: "send", onsubmit: (event) => { event.preventDefault(); this.send(); } },
      this.templates, this.text,
      h("div", { class: "bar" }, this.state, h("span", { class: "space" }), h("button", { type: "submit" }, "Send ", h("kbd", {}, "Ctrl ⏎"))));
    const title = h("h3", { class: "hidden-title" }, `Client ${this.number}`);
    return h("article", { class: "pane", "aria-label": `Client ${this.number}` }, title, connect, this.frames, send);
  }

  /** Who this client says it is. */
  get self() {
    const [first] = new URLSearchParams(this.query.value).values();
    return first ?? "";
  }

  get peer() {
    const others = panes.filter((pane) => pane !== this && pane.self);
    const after = others.find((pane) => pane.number > this.number) ?? others[0];
    return after?.self ?? "somebody";
  }

  /** Whom the cloud suggests to be, unless somebody has said so or is connected. */
  introduce() {
    const query = feed.state.suggestions.queries[this.number - 1];
    if (query && !this.touched && !this.socket) this.query.value = query;
  }

  offer() {
    const filled = templates().map(({ route, text }) => ({ route, text: text.replaceAll("${peer}", this.peer).replaceAll("${me}", this.self) }));
    if (this.said && !filled.some(({ text }) => text === this.said)) filled.push({ route: "the last again", text: this.said });
    const buttons = filled.map(({ route, text }) => h("button", { type: "button", title: text, onclick: () => { this.text.value = text; this.text.focus(); } }, label(route, text)));
    this.templates.replaceChildren(...buttons);
    // What somebody wrote or sent stays.
    const untouched = !this.text.value || (this.text.value === this.offered && !this.said);
    if (untouched && filled.length > 0) this.text.value = this.offered = filled[0].text;
  }

  toggle() {
    if (this.socket) this.socket.close(1000);
    else this.connect();
  }

  connect() {
    if (!stage) return this.note("there is no stage to connect to", true);
    const query = this.query.value.trim().replace(/^\?/, "");
    const socket = new WebSocket(address(stage) + (query && `?${query}`));
    this.socket = socket;
    this.show("wait", "connecting");
    socket.addEventListener("open", () => {
      this.opened = true;
      this.show("on", "connected");
      this.note("connected");
    });
    socket.addEventListener("message", ({ data }) => this.add("in", data));
    socket.addEventListener("close", ({ code, reason }) => {
      const never = !this.opened;
      this.socket = undefined;
      this.opened = false;
      this.show("off", "not connected");
      this.note(never ? "the handshake was refused: the events say why" : `closed ${code} ${reason}`.trim(), never);
    });
  }

  show(state, word) {
    this.state.dataset.state = state;
    this.state.textContent = word;
    this.button.textContent = state === "off" ? "Connect" : "Disconnect";
    this.button.classList.toggle("primary", state === "off");
  }

  send() {
    if (!this.opened) return this.note("not connected: nothing was sent", true);
    const text = this.text.value;
    const value = parsed(text);
    const frame = value === undefined ? text : JSON.stringify(value);
    this.socket.send(frame);
    this.said = text;
    this.add("out", frame);
    this.offer();
  }

  add(way, text) {
    const words = { in: "received", out: "sent" };
    const head = h("summary", {}, h("time", {}, time(Date.now())), h("span", { class: "way", "aria-hidden": "true" }, way === "in" ? "←" : "→"), h("span", { class: "hidden-title" }, `${words[way]} `), h("code", {}, brief(text, 240)));
    const frame = h("details", {}, head);
    // Most frames are never unfolded.
    frame.addEventListener("toggle", () => frame.open && frame.childElementCount === 1 && frame.append(body(text, 0)));
    this.#put(h("div", { class: way }, frame));
  }

  note(text, bad = false) {
    this.#put(h("div", { class: bad ? "note bad" : "note" }, h("time", {}, time(Date.now())), text));
  }

  #put(item) {
    const { frames } = this;
    const atEnd = frames.scrollHeight - frames.scrollTop - frames.clientHeight < 24;
    frames.append(item);
    if (frames.childElementCount > MOST) frames.firstElementChild.remove();
    if (atEnd) frames.scrollTop = frames.scrollHeight;
  }

  remove() {
    this.socket?.close(1000);
    panes.splice(panes.indexOf(this), 1);
    this.element.remove();
    offer();
    showCount();
    (panes.at(-1)?.query ?? find("#add-client")).focus();
  }
}

/** What tells two messages of one route apart: the field that names whom it is for. */
function label(route, text) {
  if (route.includes(" ")) return route;
  const to = Object.keys(parsed(text) ?? {}).find((field) => /^(recipient|group|to)/i.test(field));
  return to ? `${route} · ${to.replace(/Ids?$/, "")}` : route;
}

/** First who everybody is, then what each may say to the others. */
function offer() {
  for (const pane of panes) pane.introduce();
  for (const pane of panes) pane.offer();
}

function showCount() {
  find("#clients .panes").dataset.count = String(Math.min(panes.length, 4));
}

function add() {
  const pane = new Pane();
  panes.push(pane);
  find("#clients .panes").append(pane.element);
  offer();
  showCount();
  return pane;
}

/** The stage that clients connect to from now on. */
export function use(chosen) {
  stage = chosen;
  offer();
}

export function begin() {
  add();
  add();
  const another = () => add().query.focus();
  find("#add-client").addEventListener("click", another);
  key("n", "a new client", another);
  key("1–9", "to that client's message, or its query while it is not connected", ({ key: digit }) => {
    const pane = panes[Number(digit) - 1];
    if (!pane) return false;
    (pane.opened ? pane.text : pane.query).focus();
  });
  key("c", "connect every client that is not", () => {
    for (const pane of panes) if (!pane.socket) pane.connect();
  });
}
