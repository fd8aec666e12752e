// The stack as a picture: API, routes, functions, tables, and what leads from one to the next.

import { find, h, svg } from "./dom.js";
import { filter, watchers } from "./events.js";
import { feed } from "./feed.js";

const HEIGHT = 30;
const GAP = 10;
const PAD = 8;
const TITLES = ["API", "Routes", "Functions", "Tables"];
/** Between two columns. */
const NARROW = 28;
const WIDE = 130;
/** A letter's width in each column, near enough to know where to cut. */
const LETTERS = [6.7, 7, 7, 6.7];
const PULSE = 900;

let stage, canvas, nodes, edges, openTable;

/** Nodes by column, and edges between them, of one stage. */
function graph() {
  const api = { id: "api", column: 0, text: stage.name, sub: stage.stage };
  const found = new Map([[api.id, api]]);
  const links = [];
  const put = (node) => found.get(node.id) ?? (found.set(node.id, node), node);
  const link = (from, to, kind) => {
    if (!links.some((edge) => edge.from === from && edge.to === to)) links.push({ from, to, kind });
  };
  for (const route of stage.routes) {
    const id = `route ${route.key}`;
    put({ id, column: 1, text: route.key, sub: route.replies ? "replies" : "", act: () => filter(route.key) });
    link("api", id);
    for (const [called, kind] of [[route.function, "calls"], [route.authorizer, "asks"]]) {
      if (called) link(id, put(functionNode(called)).id, kind);
    }
  }
  for (const { name, tables } of feed.state.functions) {
    if (!found.has(`function ${name}`)) continue;
    for (const table of tables) {
      const node = put({ id: `table ${table.name}`, column: 3, text: table.name, act: () => openTable(table.name) });
      link(`function ${name}`, node.id, table.actions.some((action) => /Put|Update|Delete|Write|\*/.test(action)) ? "writes" : "reads");
    }
  }
  return { all: [...found.values()], links };
}

function functionNode(name) {
  const known = feed.state.functions.find((each) => each.name === name);
  return { id: `function ${name}`, column: 2, text: name, sub: known?.runtime ?? "not there", act: () => filter(name) };
}

function place(all, width) {
  const columns = TITLES.map((_, n) => all.filter((node) => node.column === n));
  const wished = columns.map((each) => Math.max(70, ...each.map(({ text, column }) => text.length * LETTERS[column] + 22)));
  const sum = wished.reduce((a, b) => a + b);
  const room = width - PAD * 2;
  const share = Math.min(1, (room - NARROW * 3) / sum);
  const wide = wished.map((each) => each * share);
  const between = Math.min(WIDE, (room - sum * share) / 3);
  const rows = Math.max(...columns.map((each) => each.length), 2);
  const height = PAD * 2 + 20 + rows * (HEIGHT + GAP) - GAP;
  columns.forEach((each, n) => {
    const free = height - 20 - PAD * 2 - (each.length * (HEIGHT + GAP) - GAP);
    each.forEach((node, index) => {
      node.x = PAD + n * between + wide.slice(0, n).reduce((a, b) => a + b, 0);
      node.y = PAD + 20 + free / 2 + index * (HEIGHT + GAP);
      node.wide = wide[n];
    });
  });
  return height;
}

const cut = ({ text, wide, column }) => {
  const most = Math.floor((wide - 18) / LETTERS[column]);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

function box(node, related) {
  const what = `${TITLES[node.column].replace(/s$/, "")} ${node.text}`;
  const element = svg("g", { class: "node", "data-column": node.column, transform: `translate(${node.x} ${node.y})` },
    svg("title", {}, node.sub ? `${node.text} (${node.sub})` : node.text),
    svg("rect", { width: node.wide, height: HEIGHT, rx: 6 }),
    svg("text", { x: 10, y: HEIGHT / 2 }, cut(node)));
  if (node.act) {
    element.setAttribute("tabindex", "0");
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", related.length > 0 ? `${what}, leads to ${related.join(", ")}` : what);
    element.addEventListener("click", node.act);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      node.act();
    });
  }
  for (const type of ["mouseenter", "focus"]) element.addEventListener(type, () => highlight(node.id));
  for (const type of ["mouseleave", "blur"]) element.addEventListener(type, () => highlight(undefined));
  return element;
}

function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x + from.wide, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(20, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** Everything before and after a node. */
function path(id) {
  const reached = new Set([id]);
  const walk = (from, to) => {
    const seen = new Set([id]);
    for (const at of seen) for (const edge of edges) if (edge[from] === at) seen.add(edge[to]);
    for (const each of seen) reached.add(each);
    return seen;
  };
  const after = walk("from", "to");
  const before = walk("to", "from");
  const on = (edge) => (after.has(edge.from) && after.has(edge.to)) || (before.has(edge.from) && before.has(edge.to));
  return { reached, on };
}

function highlight(id) {
  canvas.classList.toggle("dimmed", id !== undefined);
  const { reached, on } = id === undefined ? { reached: new Set(), on: () => false } : path(id);
  for (const [each, { element }] of nodes) element.classList.toggle("lit", reached.has(each));
  for (const edge of edges) edge.element.classList.toggle("lit", on(edge));
}

function draw() {
  if (!canvas) return;
  const focused = canvas.contains(document.activeElement) && document.activeElement.dataset.id;
  if (!stage || stage.routes.length === 0) {
    canvas.replaceChildren(h("p", { class: "empty" }, "No stage serves any route yet."));
    nodes = new Map();
    edges = [];
    return;
  }
  const { all, links } = graph();
  const width = Math.max(canvas.clientWidth, 480);
  const height = place(all, width);
  const at = new Map(all.map((node) => [node.id, node]));
  edges = links.map((link) => ({ ...link, element: svg("path", { class: `edge ${link.kind ?? ""}`, d: curve(at.get(link.from), at.get(link.to)) }) }));
  nodes = new Map(all.map((node) => {
    const next = links.filter((link) => link.from === node.id).map((link) => at.get(link.to).text);
    const element = box(node, next);
    element.dataset.id = node.id;
    return [node.id, { ...node, element }];
  }));
  const titles = TITLES.map((title, column) => {
    const first = all.find((node) => node.column === column);
    return first && svg("text", { class: "title", x: first.x + 2, y: PAD + 8 }, title);
  });
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "The stack: API, routes, functions and tables" },
    titles, edges.map((edge) => edge.element), [...nodes.values()].map((node) => node.element));
  canvas.replaceChildren(drawing);
  if (focused) nodes.get(focused)?.element.focus();
}

/** Lets a path flash: the route that an event took, its function, and that function's tables. */
function pulse({ route, function: called }) {
  const route_id = `route ${route}`, function_id = `function ${called}`;
  const flash = (element) => {
    element.classList.remove("pulse");
    // Read, so that the animation begins again.
    element.getBoundingClientRect();
    element.classList.add("pulse");
    setTimeout(() => element.classList.remove("pulse"), PULSE);
  };
  for (const edge of edges ?? []) {
    const first = edge.from === "api" && edge.to === route_id;
    const second = edge.from === route_id && edge.to === function_id;
    if (first || second || edge.from === function_id) flash(edge.element);
  }
  for (const id of [route_id, function_id]) if (nodes?.has(id)) flash(nodes.get(id).element);
}

/** The stage that is drawn from now on. */
export function use(chosen) {
  stage = chosen;
  draw();
}

export function begin(open) {
  openTable = open;
  canvas = find("#picture .canvas");
  let width = 0;
  new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    draw();
  }).observe(canvas);
  watchers.addEventListener("begun", ({ detail }) => pulse(detail));
  draw();
}

export function focus() {
  find("#picture .node[tabindex]")?.focus();
}
