#!/usr/bin/env python3
"""node.py: the handlers of examples/node-handlers, as they are, in the local cloud: their conversation is played.

The SDK for JavaScript stands in for the one that AWS's runtime has.
"""

import shutil

import lab
from lab import check, say

MODULES = lab.LAB / "js/node_modules"


def main():
    if not shutil.which("node") or not (MODULES / "@aws-sdk/lib-dynamodb").is_dir():
        say(f"skipped: it needs node, and @aws-sdk/lib-dynamodb in {MODULES}")
        return
    with lab.example("node-handlers") as folder:
        folder.env["NODE_PATH"] = str(MODULES)
        played = folder.run("dev", "-e", "dev", "--port", "0", "--play", "conversation.txt", timeout=120).expect(0)
        check("messageStatus" in played.out, played.out)
        denied = [line for line in played.err.splitlines() if "denied" in line]
        check(not denied, "\n".join(denied))
        say("  a conversation with handlers in JavaScript, and nothing was denied")


lab.script(main)
