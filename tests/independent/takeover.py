#!/usr/bin/env python3
"""takeover.py ZIP: chats deployed the old way become stacks, and lose nothing.

The script of old (seed_deploy.sh of the lab) deploys one to MiniStack and one to the local cloud, there with sockets open while it
is taken over; CloudFormation on MiniStack deploys another. msgai writes each one's file and takes it over with that.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import foreign
import holds
import lab
from lab import check, say

HERE = Path(__file__).resolve().parent / "takeover"

# What taking over adds to each kind; all else has to be among the notes.
ADDED = {
    "api": {"tags.msgai:stack"},
    "role": {"tags.msgai:stack", "description"},
    "table": {"tags.msgai:stack"},
    "log-group": {"tags.msgai:stack"},
    "function": {"tags.msgai:stack"},
    "stage": {"tags.msgai:stack", "throttle.rate", "throttle.burst"},
    "integration": {"uri"},
    "deployment": {"snapshot"},
}
MADE = {"role-policy", "version", "alias", "permission", "deployment", "log-group"}


def scripted(cloud_url, here):
    """Runs the script of old; gives the API's id."""
    (here / "mkzip.py").write_text(
        "import sys, zipfile\nfrom pathlib import Path\n"
        "with zipfile.ZipFile(sys.argv[2], 'w') as z:\n"
        "    for f in sorted(Path(sys.argv[1]).iterdir()): z.write(f, f.name)\n")
    script = here / "seed_deploy.sh"
    script.write_text((lab.SCRIPTS / "seed_deploy.sh").read_text())
    source = (HERE / "app.py").read_text()
    for route in ("connect", "disconnect", "sendmessage"):
        (here / "app" / route).mkdir(parents=True)
        (here / "app" / route / "app.py").write_text(source.replace("{route}", route))
    env = lab.environment(AWS_ENDPOINT_URL=cloud_url, RETRY_S="1")
    env["PATH"] = f"{lab.LAB / 'venv/bin'}:{env['PATH']}"
    done = subprocess.run(["bash", str(script), "deploy"], env=env, capture_output=True, text=True, timeout=300)
    check(done.returncode == 0, f"the script of old failed:\n{done.stdout}{done.stderr}")
    return (here / ".seed/api").read_text().strip()


def items(cloud, *tables):
    return {t: cloud.client("dynamodb").scan(TableName=t)["Count"] for t in tables}


def differences(folder):
    """{resource: fields that differ} and {resource: action} of a diff."""
    plan = folder.run("diff", "--json").expect(0).json()
    check(not plan["dangers"], f"the first diff is refused: {plan['dangers']}")
    return {c["id"]: (c["action"], [d["field"] for d in c.get("because") or []]) for c in plan["changes"]}


def explained(folder, notes):
    """Every difference is what taking over adds, or is noted."""
    noted = {note["of"] for note in notes if note["fate"] == "changes"}
    for resource, (action, fields) in differences(folder).items():
        kind, name = resource.split("/", 1)
        if action == "create":
            check(kind in MADE or kind == "integration", f"{resource} would be made, and nothing says why")
        elif action == "delete":
            # The integration of a route that is noted goes with it.
            check(resource in noted or kind == "integration", f"{resource} would go, and no note says so")
        else:
            left = [f for f in fields if f not in ADDED.get(kind, set())]
            # A note on a function is about the variables that come with what it uses.
            fits = kind != "function" or all(f.startswith("environment.") for f in left)
            check(not left or (resource in noted and fits), f"{resource} would change {left}, and no note says so")


def taken_over(cloud, folder, written):
    """Deploys the file; nothing is gone, and there is nothing left to do."""
    before = holds.everything(cloud)
    explained(folder, written["notes"])
    folder.run("deploy", "--yes", "--no-preflight").expect(0)
    gone = [line for line in holds.differences(before, holds.everything(cloud)) if line.startswith("gone")]
    check(not gone, f"taking over lost {gone}")
    # MiniStack shows an API's and a stage's tags as they were at its making, though GetTags has the new ones.
    left = {r: fields for r, (_, fields) in differences(folder).items()
            if not (r.split("/")[0] in ("api", "stage") and fields == ["tags.msgai:stack"])}
    check(not left, f"the diff after taking over shows {left}")


def init(cloud_url, scratch, *words, zip_file=None):
    folder = lab.Folder(scratch, cloud_url, zip_file)
    written = folder.run("init", "stack", "--json", *words).expect(0).json()
    folder = lab.Folder(Path(scratch) / "stack", cloud_url, zip_file)
    for secret in written["environment"]:
        folder.env[secret["variable"]] = "kept-out-of-the-file"
    return folder, written


def from_the_script():
    with lab.cloud("ministack") as cloud, tempfile.TemporaryDirectory() as scratch:
        seed = Path(scratch) / "seed"
        seed.mkdir()
        api = scripted(cloud.url, seed)
        for table, key in (("chat-Connections", {"connectionId": {"S": "c"}, "userId": {"S": "u"}}),
                           ("chat-Messages", {"channelId": {"S": "c"}, "messageId": {"S": "m"}})):
            cloud.client("dynamodb").put_item(TableName=table, Item=key)
        policies = cloud.client("iam").get_role_policy(RoleName="chat-role", PolicyName="chat-inline")["PolicyDocument"]
        cloud.mark("init")
        folder, written = init(cloud.url, scratch, "--from-api", api)
        cloud.mark("")
        wrote = lab.writes(cloud.calls("init"))
        check(not wrote, f"init wrote: {wrote}")
        text = folder.stack.read_text()
        for word in ("name: chat-Connections", "existing: true", "runtime: python3.12", "name: chat-role", "stage: dev"):
            check(word in text, f"the file does not have `{word}`:\n{text}")
        for name in ("connect", "disconnect", "sendmessage"):
            with zipfile.ZipFile(folder.path / f"functions/chat-{name}.zip") as archive:
                check(archive.namelist() == ["app.py"], f"the code of {name} is not what was deployed")
        taken_over(cloud, folder, written)
        check(items(cloud, "chat-Connections", "chat-Messages") == {"chat-Connections": 1, "chat-Messages": 1}, "items were lost")
        after = cloud.client("iam").get_role_policy(RoleName="chat-role", PolicyName="chat-inline")["PolicyDocument"]
        check(after == policies, "the role's own policy was changed")
        apis = cloud.client("apigatewayv2").get_apis()["Items"]
        check([a["ApiId"] for a in apis] == [api], f"there are other APIs now: {apis}")
        say("  from the script, on MiniStack: taken over, nothing lost")


def from_cloudformation():
    with lab.cloud("ministack") as cloud, tempfile.TemporaryDirectory() as scratch:
        foreign.table(cloud, "ChatMessages")
        formation = cloud.client("cloudformation")
        formation.create_stack(StackName="nursify-websocket-api", TemplateBody=(HERE / "nursify.json").read_text(),
                               Capabilities=["CAPABILITY_NAMED_IAM"])
        formation.get_waiter("stack_create_complete").wait(
            StackName="nursify-websocket-api", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        cloud.client("dynamodb").put_item(TableName="WebSocketConnections", Item={"connectionId": {"S": "c"}})
        missing = lab.Folder(scratch, cloud.url).run("init", "nothing", "--from-stack", "nowhere").expect(1)
        check("there is no CloudFormation stack `nowhere`" in missing.err, missing.err)
        folder, written = init(cloud.url, scratch, "--from-stack", "nursify-websocket-api")
        text = folder.stack.read_text()
        check("kept-out-of-the-file" not in text and "${env:API_SECRET}" in text, f"a secret is in the file:\n{text}")
        check(written["stack"] == "nursify-websocket-api" and "DeletionPolicy" in text, f"no word of CloudFormation:\n{text}")
        check("route/ping" in [n["of"] for n in written["notes"]], f"the mock route is not noted: {written}")
        taken_over(cloud, folder, written)
        kept = {"WebSocketConnections": 1, "ChatMessages": 1}
        check(items(cloud, *kept) == kept, "items were lost")
        say("  from CloudFormation, on MiniStack: taken over, nothing lost, the mock route as noted")


async def talk(url, change):
    """Two people talk, the chat is taken over, and they go on over the same sockets."""
    import websockets

    async with websockets.connect(f"{url}?userId=alice") as alice, websockets.connect(f"{url}?userId=bob") as bob:
        async def say_hello(word):
            await alice.send(json.dumps({"action": "sendMessage", "to": "bob", "content": word}))
            check(await asyncio.wait_for(bob.recv(), 30) == word, f"bob did not hear {word}")

        await say_hello("before")
        await asyncio.to_thread(change)
        await say_hello("after")
    async with websockets.connect(f"{url}?userId=bob"):
        pass


def with_sockets_open(zip_file):
    os.environ["PATH"] = f"{lab.LAB / 'venv/bin'}:{os.environ['PATH']}"
    with lab.dev(zip_file) as (endpoint, _), tempfile.TemporaryDirectory() as scratch:
        seed = Path(scratch) / "seed"
        seed.mkdir()
        api = scripted(endpoint, seed)
        cloud = lab.Cloud("local", endpoint, endpoint)

        def change():
            folder, written = init(endpoint, scratch, "--from-api", api)
            before = {n: h for n, h in holds.everything(cloud).items() if "chat" in n}
            explained(folder, written["notes"])
            folder.run("deploy", "--yes").expect(0)
            now = holds.everything(cloud)
            check(not [n for n in before if n not in now], "taking over lost something")
            check(not differences(folder), f"the diff after taking over shows {differences(folder)}")

        asyncio.run(talk(f"ws{endpoint.removeprefix('http')}/_aws/execute-api/{api}/dev", change))
        count = items(cloud, "chat-Messages")["chat-Messages"]
        check(count == 2, f"{count} messages were stored, not 2")
        say("  from the script, on the local cloud: taken over under open sockets, which go on")


def main():
    say("takeover")
    from_the_script()
    from_cloudformation()
    with_sockets_open(sys.argv[1])


lab.script(main)
