"""One change of each kind: an edit of an example's stack.yaml, what a diff must name, and what boto3 must see then."""

from dataclasses import dataclass
from typing import Callable


@dataclass
class Change:
    what: str
    old: str
    new: str
    # Resources that the diff names.
    named: set
    # Whether the cloud shows it: takes what it holds (holds.everything) and the stack's names.
    shown: Callable


def function(held, name):
    return held[f"function {name}"]


def table(held, n):
    return held[f"table {n['connections']}"]


def api(held, n):
    return next(v for k, v in held.items() if k.startswith(f"api {n['api']} "))


def stage(held, n):
    return api(held, n)["stages"][0]


def routes(held, n):
    return {route["RouteKey"]: route for route in api(held, n)["routes"]}


def indexes(held, n):
    return {index["IndexName"] for index in table(held, n)["table"].get("GlobalSecondaryIndexes", [])}


def limits(held, n):
    settings = stage(held, n)["DefaultRouteSettings"]
    return settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]


ROUTE = "    sendMessage: sendMessage\n"
STAGE = "  stage: production\n"
REGION = "region: us-east-1\n"

ALL = [
    Change("tags", REGION, f"{REGION}tags: {{ team: chat }}\n", {"function/{send}", "stage/production"},
           lambda held, n: function(held, n["send"])["tags"].get("team") == "chat"),
    Change("memory", "memory: 256", "memory: 512", {"function/{send}"},
           lambda held, n: function(held, n["send"])["configuration"]["MemorySize"] == 512),
    Change("environment", "handler: disconnect }", "handler: disconnect, environment: { COLOUR: blue } }",
           {"function/{disconnect}"},
           lambda held, n: function(held, n["disconnect"])["configuration"]["Environment"]["Variables"].get("COLOUR")
           == "blue"),
    Change("route added", ROUTE, f"{ROUTE}    ping: sendMessage\n",
           {"route/ping", "permission/{send}:ping", "deployment/production"},
           lambda held, n: "ping" in routes(held, n)),
    Change("route removed", "    ping: sendMessage\n", "",
           {"route/ping", "permission/{send}:ping", "deployment/production"},
           lambda held, n: "ping" not in routes(held, n)),
    Change("reply", ROUTE, "    sendMessage: { function: sendMessage, reply: true }\n",
           {"route-response/sendMessage", "deployment/production"},
           lambda held, n: routes(held, n)["sendMessage"]["responses"] == ["$default"]),
    Change("throttle", STAGE, f"{STAGE}  throttle: {{ rate: 50, burst: 20 }}\n", {"stage/production"},
           lambda held, n: limits(held, n) == (50, 20)),
    Change("log retention", REGION, f"{REGION}logs: {{ retention: 3d }}\n", {"log-group/aws/lambda/{send}"},
           lambda held, n: held[f"log group /aws/lambda/{n['send']}"]["retentionInDays"] == 3),
    Change("ttl", "    ttl: ttl\n", "    ttl: expiresAt\n", {"table/{connections}"},
           lambda held, n: table(held, n)["ttl"]
           == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}),
    Change("index added", "    indexes: { ", "    indexes: { by-room: roomId, ", {"table/{connections}"},
           lambda held, n: "by-room" in indexes(held, n)),
    Change("index removed", "by-room: roomId, ", "", {"table/{connections}"},
           lambda held, n: len(indexes(held, n)) == 1 and "by-room" not in indexes(held, n)),
]
