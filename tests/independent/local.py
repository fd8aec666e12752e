#!/usr/bin/env python3
"""local.py ZIP: the local cloud as other people's clients see it: boto3, the `aws` command, and the SDK for JavaScript.

`msgai dev` serves an example; each client reads and writes it beside msgai, and posts to a live connection.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lab
import unmodified
import with_boto3
from lab import check, say

HERE = Path(__file__).resolve().parent


def aws(endpoint, *words, text=False):
    """The `aws` command against the local cloud: its answer as JSON."""
    done = subprocess.run(
        [lab.LAB / "venv/bin/aws", "--endpoint-url", endpoint, "--output", "text" if text else "json", *words],
        env=lab.environment(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}")
    return done.stdout if text else json.loads(done.stdout or "null")


def with_aws(endpoint):
    """What a person types: no paging of our own, files as the command wants them."""
    check(aws(endpoint, "sts", "get-caller-identity")["Account"] == "000000000000", "the account")
    table = "by-hand"
    aws(endpoint, "dynamodb", "create-table", "--table-name", table, "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=id,AttributeType=S",
        "--key-schema", "AttributeName=id,KeyType=HASH")
    aws(endpoint, "dynamodb", "wait", "table-exists", "--table-name", table)
    for n in range(5):
        aws(endpoint, "dynamodb", "put-item", "--table-name", table, "--item", json.dumps({"id": {"S": str(n)}}))
    page = aws(endpoint, "dynamodb", "scan", "--table-name", table, "--page-size", "2")
    check(page["Count"] == 5, f"a scan in pages of two gave {page['Count']} of 5")
    aws(endpoint, "dynamodb", "delete-table", "--table-name", table)
    aws(endpoint, "dynamodb", "wait", "table-not-exists", "--table-name", table)

    functions = aws(endpoint, "lambda", "list-functions", "--page-size", "1")["Functions"]
    check(len(functions) == 3, f"{len(functions)} functions in pages of one")
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        aws(endpoint, "lambda", "invoke", "--function-name", "websocket-connect-dev:live", "--payload",
            json.dumps(with_boto3.connect_event(None)), str(answer))
        check(json.loads(answer.read_text())["statusCode"] == 400, f"invoke: {answer.read_text()}")
    apis = aws(endpoint, "apigatewayv2", "get-apis", "--query", "Items[].Name")
    check(apis == ["MessageAI-WebSocket-dev"], f"get-apis: {apis}")
    api = aws(endpoint, "apigatewayv2", "get-apis", "--query", "Items[0].ApiId")
    routes = aws(endpoint, "apigatewayv2", "get-routes", "--api-id", api, "--page-size", "1")["Items"]
    check({r["RouteKey"] for r in routes} == {"$connect", "$disconnect", "sendMessage"}, f"routes: {routes}")
    role = aws(endpoint, "iam", "get-role", "--role-name", "MessageAI-WebSocket-Role-dev")["Role"]
    check(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}, role)
    group = "/aws/lambda/websocket-connect-dev"
    lines = aws(endpoint, "logs", "filter-log-events", "--log-group-name", group)["events"]
    check(any("REPORT" in line["message"] for line in lines), f"{len(lines)} lines in {group}, no REPORT")


async def post_by_hand(endpoint):
    """A message to a live connection, posted from outside, and the connection closed from outside."""
    import websockets

    management = f"{endpoint}/production"
    async with websockets.connect(f"ws{management.removeprefix('http')}?userId=alice") as socket:
        row = lab.client("dynamodb", endpoint).scan(TableName="Connections-dev")["Items"][0]
        connection = row["connectionId"]["S"]
        words = ["apigatewaymanagementapi", "post-to-connection", "--connection-id", connection]
        await asyncio.to_thread(aws, management, *words, "--data", '{"from":"aws"}')
        check(json.loads(await socket.recv()) == {"from": "aws"}, "the command's message did not arrive")
        await asyncio.to_thread(with_boto3.connections, management, connection)
        check(json.loads(await socket.recv()) == {"from": "boto3"}, "boto3's message did not arrive")
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        check(socket.close_code is not None, "DeleteConnection left the socket open")
    await asyncio.to_thread(with_boto3.gone, management, connection)


def with_javascript(endpoint, zip_file):
    modules = lab.LAB / "js"
    check((modules / "node_modules").is_dir(), f"no packages in {modules}: run npm install there first")
    # Node looks for packages beside the script.
    script = modules / "client.mjs"
    script.write_text((HERE / "client.mjs").read_text())
    done = subprocess.run(["node", script, endpoint, zip_file], env=lab.environment(), text=True, timeout=120,
                          capture_output=True, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"the SDK for JavaScript:\n{done.stdout}{done.stderr}")


def main():
    zip_file = Path(sys.argv[1]).resolve()
    with lab.dev(zip_file) as (endpoint, folder):
        say(f"the local cloud at {endpoint}")
        with_boto3.everything(endpoint, zip_file)
        say("  boto3: six services read and written")
        with_aws(endpoint)
        say("  aws: read, written, waited for, paged")
        asyncio.run(post_by_hand(endpoint))
        say("  @connections: posted to by aws and boto3, closed by boto3, then gone")
        with_javascript(endpoint, zip_file)
        say("  SDK for JavaScript: seven services and a socket")
        unmodified.everything(endpoint, lab.LAB / "js")
        say("  handlers that post to https:// URLs of AWS: boto3 and the SDK for JavaScript")
        folder.run("diff", "--local", "-e", "dev", "--detailed-exitcode").expect(0)
        say("  msgai's own stack is as it was")


lab.script(main)
