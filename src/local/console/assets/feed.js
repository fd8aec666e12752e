// What the local cloud tells: its state when asked, and what happens as it happens.

import { soon } from "./dom.js";

/** The browser tries again by itself, unless it was refused. */
const RETRY = 1000;

/** Calls that change what the account holds, so that it is asked for anew. */
const CHANGES = /^(Create|Update|Delete|Put|Add|Remove|Publish|Tag|Untag)/;

async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).trim()}`);
  return answer.json();
}

export const items = (table, after) => {
  const query = new URLSearchParams({ table, ...(after && { after: JSON.stringify(after) }) });
  return json(`/_msgai/items?${query}`);
};

export const close = (connection) =>
  fetch(`/_msgai/connections/${encodeURIComponent(connection)}`, { method: "DELETE" });

/** Tells its listeners: `line` {line}, `lost` {count}, `state`, `connections`, `live` {state}. */
class Feed extends EventTarget {
  state = { stages: [], functions: [], tables: [], suggestions: { queries: [], messages: [] } };
  connections = { total: 0, connections: [] };

  begin() {
    this.refresh = soon(() => this.#ask("/_msgai/state", "state"), 150);
    this.recount = soon(() => this.#ask("/_msgai/connections", "connections"), 200);
    this.#listen();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #ask(path, what) {
    try {
      this[what] = await json(path);
    } catch {
      // The stream finds out too, and asks again once it is back.
      return;
    }
    this.#tell(what);
  }

  #listen() {
    const source = new EventSource("/_msgai/events");
    source.addEventListener("hello", () => {
      this.#tell("live", "live");
      this.refresh();
      this.recount();
    });
    source.addEventListener("message", (message) => this.#take(JSON.parse(message.data)));
    source.addEventListener("error", () => {
      this.#tell("live", "gone");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#listen(), RETRY);
    });
  }

  #take({ lost, lines }) {
    if (lost > 0) {
      this.#tell("lost", lost);
      this.refresh();
      this.recount();
    }
    for (const line of lines) {
      if (line.type === "call" && CHANGES.test(line.operation) && line.service !== "dynamodb") this.refresh();
      if (line.type === "call" && /Table$/.test(line.operation)) this.refresh();
      if (["connected", "disconnected", "frame"].includes(line.type)) this.recount();
      this.#tell("line", line);
    }
  }
}

export const feed = new Feed();
