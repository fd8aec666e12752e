#!/usr/bin/env python3
"""chat.py ZIP: two people talk through MiniStack's own gateway, with the shipped handlers behind it.

Nothing here is msgai's but the deploy and the handlers: MiniStack takes the sockets, chooses the route, starts
`bootstrap` through its own Runtime API, keeps the tables and answers `@connections`.
"""

import asyncio
import contextlib
import json
import sys

import foreign
import lab
from lab import check, say


class Person:
    """A client that knows JSON frames and gives up after a while."""

    def __init__(self, name, socket):
        self.name, self.socket = name, socket

    async def sends(self, action="sendMessage", **message):
        await self.socket.send(json.dumps({"action": action, **message}))

    async def hears(self, kind, **fields):
        try:
            frame = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
        except TimeoutError:
            raise lab.Failed(f"{self.name} heard nothing, and waited for {kind} {fields}") from None
        data = frame.get("data", {})
        wrong = {k: data.get(k) for k, v in fields.items() if data.get(k) != v}
        check(frame.get("type") == kind and not wrong, f"{self.name} heard {frame}, not {kind} {fields}")
        return data


@contextlib.asynccontextmanager
async def person(url, name, **query):
    import websockets

    words = "&".join(f"{k}={v}" for k, v in {"userId": name, **query}.items())
    async with websockets.connect(f"{url}?{words}", open_timeout=60) as socket:
        yield Person(name, socket)


def rows(cloud, table):
    return cloud.client("dynamodb").scan(TableName=table)["Items"]


async def until(holds, what):
    """$disconnect runs after the socket is gone, whenever the gateway comes to it."""
    for _ in range(150):
        if holds():
            return
        await asyncio.sleep(0.2)
    raise lab.Failed(f"never: {what}")


async def refused(url):
    import websockets

    try:
        async with websockets.connect(url, open_timeout=60):
            pass
    except websockets.exceptions.InvalidStatus as answer:
        return answer.response.status_code
    return None


async def direct(cloud, url, names):
    async with person(url, "alice") as alice, person(url, "bob") as bob:
        say("  two people are connected")
        check({r["userId"]["S"] for r in rows(cloud, names["connections"])} == {"alice", "bob"}, "two rows")
        await alice.sends(messageId="m-1", recipientId="bob", content="hi")
        await bob.hears("message", messageId="m-1", senderId="alice", content="hi", status="delivered")
        await alice.hears("messageStatus", messageId="m-1", status="delivered", recipients=1)
        await bob.sends(messageId="m-2", recipientIds=["alice", "bob"], isGroupChat=True, content="hello")
        await alice.hears("message", messageId="m-2", senderId="bob", content="hello")
        await bob.hears("messageStatus", messageId="m-2", status="delivered", recipients=1)
        await alice.sends(messageId="m-3", recipientId="carol", content="are you there?")
        await alice.hears("messageStatus", messageId="m-3", status="sent", recipients=0)
        await alice.sends(messageId="m-4", recipientId="bob", senderId="bob", content="it is me")
        await alice.hears("error", code="forbidden", messageId="m-4")
        say("  direct, several recipients, nobody there, another's name")
        # A row that no socket stands behind: 410 prunes it, and the message counts who is left.
        stale = {"connectionId": {"S": "c3RhbGU="}, "userId": {"S": "bob"}}
        cloud.client("dynamodb").put_item(TableName=names["connections"], Item=stale)
        await alice.sends(messageId="m-5", recipientId="bob", content="once more")
        await bob.hears("message", messageId="m-5")
        await alice.hears("messageStatus", messageId="m-5", status="delivered", recipients=1)
        check(len(rows(cloud, names["connections"])) == 2, "the stale row is still there")
        say("  a stale connection is pruned")
    await until(lambda: not rows(cloud, names["connections"]), "the rows of closed sockets go")
    stored = {r["messageId"]["S"] for r in rows(cloud, names["messages"])} - {"kept"}
    check(stored == {"m-1", "m-2", "m-3", "m-5"}, f"stored are {stored}")
    say("  rows of closed sockets are gone, messages are stored")


async def group(cloud, url, names):
    ward = {"groupId": "ward-3"}
    async with (person(url, "nina", **ward) as nina, person(url, "omar", **ward) as omar, person(url, "otto") as otto):
        await nina.sends(messageId="g-1", groupId="ward-3", senderName="Nina", message="Hello")
        for member in (nina, omar):
            await member.hears("message", messageId="g-1", message="Hello", content="Hello", groupId="ward-3")
        await nina.hears("messageStatus", messageId="g-1", status="delivered", recipients=2)
        await otto.sends(messageId="g-2", groupId="ward-3", message="let me in")
        await otto.hears("error", code="forbidden", messageId="g-2")
    say("  a group of two, and one who is not in it")


async def missed(url):
    """Who was away gets everything, once and in order, and the sender hears of it."""
    async with person(url, "alice") as alice:
        for n in (1, 2, 3):
            await alice.sends(messageId=f"r-{n}", recipientId="dave", content=f"number {n}")
            await alice.hears("messageStatus", messageId=f"r-{n}", status="sent", recipients=0)
        # Sent again by one that heard nothing: one message all the same.
        await alice.sends(messageId="r-2", recipientId="dave", content="number 2")
        await alice.hears("messageStatus", messageId="r-2")
        async with person(url, "dave") as dave:
            await dave.sends("catchUp", limit=2)
            page = await dave.hears("replay", more=True, cursor=2)
            got = [(m["position"], m["messageId"], m["content"]) for m in page["messages"]]
            check(got == [(1, "r-1", "number 1"), (2, "r-2", "number 2")], f"replayed: {got}")
            await dave.sends("catchUp", since=2)
            page = await dave.hears("replay", more=False, cursor=3)
            check([m["messageId"] for m in page["messages"]] == ["r-3"], f"replayed: {page}")
            for n in (1, 2, 3):
                await alice.hears("messageStatus", messageId=f"r-{n}", status="delivered")
            say("  what was missed is replayed page by page, and its sender is told")
            await alice.sends(messageId="r-4", recipientId="dave", content="number 4")
            await dave.hears("message", messageId="r-4", position=4)
            await alice.hears("messageStatus", messageId="r-4", status="delivered", recipients=1)
            await dave.sends("markRead", messageIds=["r-4"])
            await alice.hears("messageStatus", messageId="r-4", status="read", readBy="dave")
            await dave.sends("typing", recipientId="alice", isTyping=True)
            await alice.hears("typing", senderId="dave", isTyping=True)
            await dave.sends("presence", userIds=["alice", "nobody"])
            users = (await dave.hears("presence"))["users"]
            online = {user["userId"]: user["online"] for user in users}
            check(online == {"alice": True, "nobody": False}, f"online: {online}")
            await dave.sends("shout", content="hi")
            await dave.hears("error", code="unknownAction")
            say("  read receipts, typing, presence, and an action that nobody knows")


TALKS = {
    "messageai": (direct, {"connections": "Connections_AlexHo", "messages": "Messages"}),
    "nursify": (group, {"connections": "WebSocketConnections", "messages": "ChatMessages"}),
}


def main():
    with lab.cloud("ministack") as cloud:
        for name, (talk, names) in TALKS.items():
            say(f"{name}: a chat through MiniStack's gateway")
            with lab.example(name, cloud.url, sys.argv[1]) as folder:
                foreign.table(cloud, names["messages"])
                folder.run("deploy", "--yes").expect(0)
                url = folder.run("outputs", "--json").expect(0).json()["url"]
                # The proxy passes no sockets.
                url = url.replace(cloud.url.removeprefix("http"), cloud.direct.removeprefix("http"))
                say(f"  a connection without a user is refused: {asyncio.run(refused(url))}")
                asyncio.run(talk(cloud, url, names))
                folder.run("destroy", "--yes", "--delete-data").expect(0)
        say("the reference stack: who was away")
        with lab.reference(cloud.url, sys.argv[1]) as folder:
            folder.run("deploy", "--yes").expect(0)
            url = folder.run("outputs", "--json").expect(0).json()["url"]
            asyncio.run(missed(url.replace(cloud.url.removeprefix("http"), cloud.direct.removeprefix("http"))))
            folder.run("destroy", "--yes", "--delete-data").expect(0)


lab.script(main)
