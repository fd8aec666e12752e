// What is behind one line: the event, the function's log lines, what it sent, called and returned.

import { h, took } from "./dom.js";
import { chip } from "./events.js";
import { body, parsed } from "./json.js";

function section(title, ...content) {
  const shown = content.flat().filter(Boolean);
  return shown.length > 0 && h("section", {}, h("h4", {}, title), shown);
}

function facts(found) {
  const of = [
    ["connection", found.connection],
    ["request", found.request],
    ["gateway's request", found.gateway],
    ["cold start", found.init != null && took(found.init)],
    ["error", found.error],
  ].filter(([, value]) => value);
  return of.length > 0 && h("dl", { class: "facts" }, of.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat());
}

const WAYS = { post: "@connections", reply: "route response", gateway: "the gateway" };

function sent(frame) {
  const gone = frame.status != null && h("strong", { class: "bad" }, ` ${frame.status} ${frame.status === 410 ? "gone" : "refused"}`);
  const head = h("p", {}, "to ", chip(frame.connection_id), ` by ${WAYS[frame.from]}`, gone);
  return h("div", { class: "sent" }, head, frame.body && body(frame.body.text, frame.body.bytes));
}

export function denial(line) {
  const { principal, action, resource, why, statement } = line;
  const fix = parsed(statement);
  const text = JSON.stringify(fix, null, 2);
  const copy = fix.Effect !== "Deny" && h("button", { type: "button", onclick: () => navigator.clipboard?.writeText(text) }, "Copy");
  return h(
    "div",
    { class: "denial" },
    h("p", {}, h("code", {}, action), " on ", h("code", {}, resource)),
    h("p", { class: "hint" }, `${principal}${why ? `: ${why}` : ""}`),
    fix && h("p", {}, fix.Effect === "Deny" ? "This statement denies it: " : "This statement in its role's policy allows it: ", copy),
    fix && h("pre", {}, text),
  );
}

/** The client's message, or for a handshake what came with it; the whole event is folded below. */
function came(found) {
  const event = found.event && parsed(found.event.text);
  const message = found.body ?? (typeof event?.body === "string" && { text: event.body, bytes: 0 });
  const query = event?.queryStringParameters;
  const whole = found.event && h("details", {}, h("summary", {}, "the whole event"), body(found.event.text, found.event.bytes));
  if (message) return section("Message", body(message.text, message.bytes), whole);
  return section(query ? "Query" : "Event", query && body(JSON.stringify(query), 0), whole);
}

export function details(found) {
  const logs = found.logs.map(({ line }) => line).join("\n");
  const calls = found.calls.map((call) =>
    h("li", { class: call.status >= 400 ? "bad" : null }, `${call.service}.${call.operation} `, h("b", {}, String(call.status)), ` ${took(call.took)}`),
  );
  return h(
    "div",
    { class: "detail" },
    facts(found),
    section("Denied", found.denials.map(denial)),
    found.kind === "log" ? section("Line", h("pre", {}, found.text)) : came(found),
    found.refusal && section("Refused", body(found.refusal, 0)),
    section("Sent", found.out.map(sent)),
    section("Calls it made", calls.length > 0 && h("ul", { class: "calls" }, calls)),
    section("Log", logs && h("pre", { tabindex: "0" }, logs)),
    found.answer && section("Returned", body(found.answer.text, found.answer.bytes)),
  );
}
