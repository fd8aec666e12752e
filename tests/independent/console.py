#!/usr/bin/env python3
"""console.py ZIP: the console as a person meets it: `msgai dev` serves an example, and Chromium opens the page.

Two clients talk; the events, the tables, the connections and the picture must show it, by mouse and by keyboard, in light
and dark, at 800 and 1600 pixels. axe-core looks for what a screen reader would stumble over. Other pages of the same
browser must get nothing. Screenshots are left in .lab/console; MSGAI_CHROMIUM names a browser that is not on the PATH.
"""

import contextlib
import http.server
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

import lab
from lab import check, say

PICTURES = lab.LAB / "console"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MESSAGES = 40


@contextlib.contextmanager
def dev(folder, port):
    """`msgai dev` on this port; ends with the block."""
    log = lab.LAB / "logs/console-dev.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    with lab.process([lab.MSGAI, "dev", "-e", "dev", "--port", port], log, cwd=folder.path, env=folder.env) as running:
        end = time.monotonic() + 60
        while "a saved change" not in log.read_text():
            check(running.poll() is None and time.monotonic() < end, f"dev does not serve:\n{log.read_text()}")
            time.sleep(0.1)
        yield log.read_text()


def browser(playwright):
    named = os.environ.get("MSGAI_CHROMIUM")
    program = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    check(program is not None, f"no browser: none of {', '.join(BROWSERS)} is on the PATH; install one, or name it in MSGAI_CHROMIUM")
    # As root, which CI is, Chromium starts only without its sandbox; it opens nothing but this machine's own pages.
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


class Page:
    """The console in a window, and what its program complains about."""

    def __init__(self, window, url):
        self.complaints = []
        self.page = window.new_page()
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._local(request.url, url))
        self.page.goto(url)

    def _local(self, asked, url):
        host = url.split("/")[2]
        if asked.split("/")[2] != host:
            self.complaints.append(f"asked for {asked}")

    def client(self, number):
        return self.page.get_by_role("article", name=f"Client {number}", exact=True)

    def send(self, number):
        self.client(number).get_by_role("button", name=re.compile("^Send ")).click()

    def lines(self, kind=None):
        return self.page.locator("#events .lines > li" + (f'[data-kind="{kind}"]' if kind else "") + ":visible .line")

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()

    def shoot(self, name):
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def quiet(self, *known):
        left = [text for text in self.complaints if not any(part in text for part in known)]
        check(not left, f"the page complains: {left}")
        self.complaints.clear()

    def accessible(self, when):
        """What axe-core finds; it comes from the lab, through the debugger, as the page lets nothing in."""
        self.page.evaluate((lab.LAB / "js/node_modules/axe-core/axe.min.js").read_text())
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        told = [f"{one['id']}: {one['help']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]]
        check(not told, f"not accessible, {when}:\n" + "\n".join(told))


def talk(console):
    """Two clients connect; what one sends the other receives."""
    for number, who in ((1, "alice"), (2, "bob")):
        pane = console.client(number)
        expect(pane.get_by_label("Query string")).to_have_value(f"userId={who}")
        pane.get_by_role("button", name="Connect", exact=True).click()
        expect(pane.locator(".state")).to_have_text("connected")
    alice, bob = console.client(1), console.client(2)
    expect(alice.get_by_label("Message to send")).to_have_value(re.compile('"recipientId": "bob"'))
    console.send(1)
    expect(bob.locator(".frames > .in")).to_contain_text('"type":"message"')
    expect(alice.locator(".frames > .in")).to_contain_text('"type":"messageStatus"')
    # Folded out, a frame is pretty.
    bob.locator(".frames > .in summary").first.click()
    expect(bob.locator(".frames .json").first).to_contain_text('senderId: "alice"')


def events(console):
    """Each event is a line, and behind it is everything that belongs to it."""
    expect(console.lines("connect")).to_have_count(2)
    expect(console.lines("connect").first).to_contain_text(re.compile(r"\$connect.*alice.*websocket-connect-dev.*200.*ms.*cold", re.S))
    line = console.lines("message").first
    expect(line).to_contain_text(re.compile(r"sendMessage.*alice.*websocket-sendMessage-dev.*200.*ms.*→ 2", re.S))
    line.click()
    behind = console.page.locator("#events .detail")
    expect(behind).to_contain_text('recipientId: "bob"')
    expect(behind.locator(".sent")).to_have_count(2)
    expect(behind.locator(".sent").first).to_contain_text("by @connections")
    expect(behind.locator(".calls")).to_contain_text("dynamodb.Query 200")
    expect(behind.get_by_role("heading", name="Log")).to_be_visible()
    expect(behind.locator("pre").last).to_contain_text('"route":"sendMessage"')
    console.shoot("details")
    line.click()
    expect(behind).to_have_count(0)


def account(console):
    """The tables hold the message, the connections are there, the picture leads from the API to the tables."""
    console.tab("Tables")
    panel = console.page.locator("#tables")
    panel.get_by_label("Table", exact=True).select_option("Messages-dev")
    expect(panel.locator("tbody tr")).to_have_count(1)
    expect(panel.locator("tbody tr")).to_contain_text("alice")
    console.send(2)
    expect(panel.locator("tbody tr")).to_have_count(2)
    expect(panel.locator("tbody tr.changed")).to_have_count(1)

    console.tab("Connections")
    rows = console.page.locator("#connections tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="userId=alice")).to_contain_text("production")

    picture = console.page.locator("#picture svg")
    for text in ("$connect", "$disconnect", "sendMessage", "Connections-dev", "Messages-dev"):
        expect(picture.locator("text", has_text=text).first).to_be_visible()
    route = picture.get_by_role("button", name="Route sendMessage")
    route.hover()
    expect(picture.locator(".node.lit")).to_have_count(5)
    expect(picture.locator(".edge.lit")).to_have_count(4)
    route.click()
    expect(console.page.get_by_label("Filter events")).to_have_value("sendMessage")
    expect(console.lines("connect")).to_have_count(0)
    route.click()
    expect(console.lines("connect")).to_have_count(2)
    console.page.mouse.move(0, 0)


def refusals(console):
    """What AWS refuses is seen: a route that is not there, and a handshake that `$connect` turned down."""
    alice = console.client(1)
    alice.get_by_label("Message to send").fill('{"action":"nothing"}')
    console.send(1)
    expect(alice.locator(".frames")).to_contain_text("Forbidden")
    expect(console.lines().last).to_contain_text("Forbidden")
    console.page.get_by_role("button", name="Add a client").click()
    third = console.client(3)
    third.get_by_label("Query string").fill("groupId=nobody")
    third.get_by_role("button", name="Connect", exact=True).click()
    expect(third.locator(".frames")).to_contain_text("the handshake was refused")
    expect(console.lines("connect").last).to_contain_text("400")
    third.get_by_role("button", name="Remove client 3").click()
    expect(third).to_have_count(0)
    # The browser's own word about the handshake.
    console.quiet("WebSocket connection to")


def denials(console, iam):
    """A call that the role does not allow is shown with the statement that would allow it."""
    (role,) = [one["RoleName"] for one in iam.list_roles()["Roles"] if "MessageAI" in one["RoleName"]]
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    before = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    less = json.loads(json.dumps(before).replace("dynamodb:Query", "dynamodb:Scan"))
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(less))
    console.send(2)
    line = console.lines("message").last
    expect(line).to_contain_text("denied")
    line.click()
    expect(console.page.locator("#events .denial").first).to_contain_text("dynamodb:Query")
    line.click()
    console.tab("Denials")
    denial = console.page.locator("#denials article")
    expect(denial).to_have_count(1)
    expect(denial.locator("pre")).to_contain_text(re.compile(r'"Effect": "Allow".*"Action": "dynamodb:Query".*userId-index', re.S))
    console.shoot("denials")
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(before))


def crowd(console):
    """Many events: the list stays at its end, and lines that are read stay where they are."""
    console.client(1).get_by_label("Message to send").fill('{"action":"sendMessage","recipientId":"bob","content":"hello"}')
    for n in range(MESSAGES):
        console.send(1 + n % 2)
    expect(console.lines("message")).to_have_count(MESSAGES + 4)
    expect(console.page.locator("#events .running")).to_have_count(0)
    expect(console.lines().last).to_be_in_viewport()
    for dark in (False, True):
        console.page.emulate_media(color_scheme="dark" if dark else "light")
        for width, height in ((1600, 900), (800, 1000)):
            console.page.set_viewport_size({"width": width, "height": height})
            wide, high = console.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            check(wide <= width, f"at {width} pixels the page is {wide} wide")
            check(width < 1200 or high <= height, f"at {width}×{height} pixels the page is {high} high")
            name = f"{width}-{'dark' if dark else 'light'}"
            for tab in ("Connections", "Tables", "Denials"):
                console.tab(tab)
                console.accessible(f"{name}, {tab}")
            console.tab("Tables")
            console.shoot(name)
    console.page.set_viewport_size({"width": 1600, "height": 900})
    console.page.emulate_media(color_scheme="light")


def by_keyboard(window, url):
    """No mouse: a client connects, sends, the events are read and a connection is closed."""
    console = Page(window, url)
    page, press = console.page, console.page.keyboard.press
    expect(console.client(1).get_by_label("Query string")).to_have_value("userId=alice")
    press("?")
    expect(page.get_by_role("dialog")).to_contain_text("a new client")
    console.shoot("keys")
    press("Escape")
    press("n")
    expect(console.client(3).get_by_label("Query string")).to_be_focused()
    press("Enter")
    expect(console.client(3).locator(".state")).to_have_text("connected")
    press("Escape")
    press("3")
    expect(console.client(3).get_by_label("Message to send")).to_be_focused()
    press("Control+a")
    page.keyboard.type('{"action":"sendMessage","recipientId":"carol","content":"typed"}')
    press("Control+Enter")
    expect(console.client(3).locator(".frames")).to_contain_text('"content":"typed"')
    last = console.lines().last
    expect(last).to_contain_text(re.compile("typed.*200", re.S))
    press("Escape")
    press("e")
    expect(last).to_be_focused()
    press("Enter")
    expect(last).to_have_attribute("aria-expanded", "true")
    press("ArrowUp")
    expect(console.lines().nth(-2)).to_be_focused()
    press("/")
    page.keyboard.type("typed")
    expect(console.lines("message")).to_have_count(1)
    press("Escape")
    press("p")
    expect(page.locator("#picture .node:focus")).to_have_count(1)
    press("g")
    expect(page.get_by_role("tab", name="Connections")).to_be_focused()
    press("ArrowRight")
    expect(page.get_by_role("tab", name="Tables")).to_be_focused()
    expect(page.locator("#tables")).to_be_visible()
    press("ArrowLeft")
    carol = page.locator("#connections tbody tr", has_text="userId=carol").get_by_role("button")
    for _ in range(12):
        press("Tab")
        if carol.evaluate("button => button === document.activeElement"):
            break
    expect(carol).to_be_focused()
    press("Enter")
    expect(console.client(3).locator(".frames")).to_contain_text("closed 1000")
    console.quiet()
    page.close()


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another program's page on this machine."""

    def do_GET(self):  # noqa: N802
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_):
        pass


STEAL = """async (at) => {
  const tried = {};
  const fetched = (name, path, how) => fetch(at + path, how).then((a) => a.text()).then((t) => { tried[name] = t; }, () => { tried[name] = null; });
  await fetched("state", "/state");
  await fetched("blind", "/state", { mode: "no-cors" });
  await fetched("delete", "/connections/x", { method: "DELETE" });
  tried.events = await new Promise((done) => {
    const source = new EventSource(at + "/events");
    source.onopen = () => done("open");
    source.onerror = () => { source.close(); done(null); };
  });
  tried.script = await import(at + "/app.js").then(() => "loaded", () => null);
  return tried;
}"""


# A frame that is refused has loaded, too: an error page.
FRAME = """at => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.addEventListener("load", done);
  frame.src = at;
  document.body.append(frame);
})"""


def other_pages(window, url):
    """A page of another port reads nothing, hears nothing, and cannot put the console into a frame."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = window.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        tried = page.evaluate(STEAL, url)
        # A blind request gives the page an empty text, whatever was answered.
        check(tried == {"state": None, "blind": "", "delete": None, "events": None, "script": None} or
              tried == {"state": None, "blind": None, "delete": None, "events": None, "script": None},
              f"another page got {json.dumps(tried)}")
        page.evaluate(FRAME, url)
        check(page.frames[-1].locator("#clients").count() == 0, "the console lets itself be put into a frame")
        page.close()
    finally:
        server.shutdown()


def main():
    zip_file = Path(sys.argv[1]).resolve()
    PICTURES.mkdir(parents=True, exist_ok=True)
    port = lab.free_port()
    url = f"http://127.0.0.1:{port}/_msgai"
    with lab.example("messageai", zip_file=zip_file) as folder, sync_playwright() as playwright:
        chromium = browser(playwright)
        window = chromium.new_context(viewport={"width": 1600, "height": 900}, color_scheme="light")
        with dev(folder, port) as said:
            check(f"console: {url}\n" in said, f"dev does not say where the page is:\n{said}")
            console = Page(window, url)
            say(f"Chromium {chromium.version} at {url}")
            iam = lab.client("iam", f"http://127.0.0.1:{port}")
            for step, *more in ((talk,), (events,), (account,), (refusals,), (denials, iam), (crowd,)):
                step(console, *more)
                say(f"  {step.__doc__.splitlines()[0]}")
            console.quiet()
            for step in (by_keyboard, other_pages):
                step(window, url)
                say(f"  {step.__doc__.splitlines()[0]}")
        expect(console.page.locator("#live")).to_contain_text("no answer")
        console.shoot("gone")
        with dev(folder, port):
            expect(console.page.locator("#live")).to_have_text("live", timeout=30_000)
            say("  The page goes on by itself when the cloud is there again.")
        chromium.close()
    say(f"  screenshots: {PICTURES}")


lab.script(main)
