#!/usr/bin/env python3
"""lifecycle.py moto|ministack EXAMPLE ZIP: a stack's whole life on somebody else's cloud.

Deploy, deploy again, change one of each kind, destroy with and without the data. What happened is read with boto3 and
from the proxy's log, never from msgai's own words alone.
"""

import sys

import changes
import foreign
import holds
import lab
from lab import check, say

NAMES = {
    "messageai": {
        "send": "websocket-sendMessage_AlexHo", "disconnect": "websocket-disconnect_AlexHo",
        "connections": "Connections_AlexHo", "messages": "Messages", "role": "MessageAI-WebSocket-Role_AlexHo",
        "api": "MessageAI-WebSocket_AlexHo",
    },
    "nursify": {
        "send": "WebSocketSendMessage", "disconnect": "WebSocketDisconnect",
        "connections": "WebSocketConnections", "messages": "ChatMessages", "role": "WebSocketLambdaRole",
        "api": "nursify-websocket-api",
    },
}
# What a stand-in goes on showing as it was, though it was told: {cloud: {resource's kind: (the field, why)}}.
# docs/clouds.md has the whole list.
OLD_TAGS = "shows the tags of its making, though GetTags has the new ones"
KNOWN = {
    "moto": {"stage": ("tags.team", OLD_TAGS)},
    "ministack": {"stage": ("tags.team", OLD_TAGS), "api": ("tags.team", OLD_TAGS)},
}


class Life:
    def __init__(self, cloud, folder, names):
        self.cloud, self.folder, self.names, self.marks = cloud, folder, names, 0

    def marked(self, *words):
        """Runs msgai; gives what it did and the calls that reached the cloud meanwhile."""
        self.marks += 1
        mark = f"{self.marks}"
        self.cloud.mark(mark)
        ran = self.folder.run(*words)
        self.cloud.mark("")
        return ran, self.cloud.calls(mark)

    def held(self):
        return holds.everything(self.cloud)

    def diff(self):
        """What a diff would change: {resource: the fields that differ}."""
        ran = self.folder.run("diff", "--json", "--detailed-exitcode").expect(0, 2)
        changes = ran.json()["changes"]
        check(bool(changes) == (ran.code == 2), f"diff ended with {ran.code} for {len(changes)} changes")
        return {c["id"]: sorted(d["field"] for d in c.get("because") or []) for c in changes}

    def unwritten(self, *words, code=0):
        ran, calls = self.marked(*words)
        ran.expect(code)
        writes = lab.writes(calls)
        check(not writes, f"`{' '.join(ran.words)}` wrote: {writes}")
        return ran, calls


def live(life):
    say("  first deploy")
    _, calls = life.unwritten("diff", "--detailed-exitcode", code=2)
    ran, calls = life.marked("deploy", "--yes")
    ran.expect(0)
    polls = sum(c["operation"] in ("GetFunctionConfiguration", "DescribeTable", "GetFunction") for c in calls)
    say(f"    {len(calls)} calls, {polls} of them reads of functions and tables, {ran.seconds:.1f} s")
    check(not life.diff(), f"the diff after a deploy: {life.diff()}")


def again(life):
    say("  deploy again")
    before = life.held()
    ran, calls = life.unwritten("deploy", "--yes")
    # What is asked beforehand is asked beside them, and costs no time.
    calls = [c for c in lab.of_stacks(calls) if not c["operation"].startswith("Simulate")]
    check(len(calls) <= 30, f"a deploy without changes took {len(calls)} calls")
    check("No changes" in ran.out, f"a deploy without changes said: {ran.out}")
    same(before, life.held(), "a deploy without changes")
    say(f"    {len(calls)} calls, no write, {ran.seconds:.1f} s")


def same(before, after, after_what):
    found = holds.differences(before, after)
    check(not found, f"{after_what} left the cloud changed:\n" + "\n".join(found))


def changed(life):
    for change in changes.ALL:
        life.folder.edit(change.old, change.new)
        expected = {name.format(**life.names) for name in change.named}
        seen = life.diff()
        check(expected <= seen.keys(), f"{change.what}: the diff names {sorted(seen)}, not all of {sorted(expected)}")
        life.folder.run("deploy", "--yes").expect(0)
        check(change.shown(life.held(), life.names), f"{change.what}: the cloud does not show it")
        left = [f"{r}: {f}" for r, fields in life.diff().items() for f in fields or ["itself"] if not known(life, r, f)]
        check(not left, f"{change.what}: the diff after the deploy still shows {left}")
        say(f"  changed: {change.what}")
    for kind, (field, why) in KNOWN[life.cloud.kind].items():
        say(f"  known: {life.cloud.kind} {why}: {kind}, {field}")


def known(life, resource, field):
    """Whether this difference is the stand-in's own: it has the new value, and shows the old one."""
    kind = resource.split("/")[0]
    if KNOWN[life.cloud.kind].get(kind, ("", ""))[0] != field:
        return False
    apis = life.cloud.client("apigatewayv2")
    ours = next(a for a in apis.get_apis()["Items"] if "msgai:stack" in (a.get("Tags") or {}))
    arn = f"arn:aws:apigateway:{lab.REGION}::/apis/{ours['ApiId']}" + ("/stages/production" if kind == "stage" else "")
    return apis.get_tags(ResourceArn=arn)["Tags"].get("team") == "chat"


def ends(life, before):
    say("  destroy, keeping the data")
    life.folder.run("destroy", "--yes").expect(0)
    held = life.held()
    table = f"table {life.names['connections']}"
    check(table in held, f"{table} went without --delete-data")
    same(before, {k: v for k, v in held.items() if k != table}, "destroy")
    say("  destroy with the data")
    life.folder.run("destroy", "--yes", "--delete-data").expect(0)
    same(before, life.held(), "destroy --delete-data")
    life.unwritten("destroy", "--yes", "--delete-data")


def refused(life):
    names = life.names
    wanted = [("function", names["send"]), ("role", names["role"]), ("table", names["connections"]),
              ("log_group", f"/aws/lambda/{names['send']}")]
    for kind, name in wanted:
        make = getattr(foreign, kind)
        make(life.cloud, name, "connectionId") if kind == "table" else make(life.cloud, name)
        before = life.held()
        ran, _ = life.unwritten("deploy", "--yes", code=4)
        check(name.strip("/") in ran.err, f"the refusal does not name {name}: {ran.err}")
        same(before, life.held(), f"a refused deploy over a foreign {kind}")
        foreign.remove(life.cloud, kind, name)
        say(f"  refused: a foreign {kind.replace('_', ' ')} of a wanted name")


def main():
    kind, name, zip_file = sys.argv[1:]
    names = NAMES[name]
    with lab.cloud(kind) as cloud, lab.example(name, cloud.url, zip_file) as folder:
        say(f"{name} on {kind}")
        foreign.table(cloud, names["messages"])
        foreign.one_of_each(cloud, "neighbour")
        life = Life(cloud, folder, names)
        refused(life)
        before = life.held()
        live(life)
        same(before, {k: v for k, v in life.held().items() if k in before}, "a first deploy")
        again(life)
        changed(life)
        ends(life, before)


lab.script(main)
