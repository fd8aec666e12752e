#!/usr/bin/env python3
"""own.py ZIP: functions of one's own, as the examples have them, in the local cloud: their conversations are played.

examples/custom-route is built by `dev` from its own package and lock file. The handlers of examples/node-handlers run as
they are; the SDK for JavaScript stands in for the one that AWS's runtime has.
"""

import shutil
import sys

import lab
from lab import check, say

MODULES = lab.LAB / "js/node_modules"


def played(folder, patience):
    done = folder.run("dev", "-e", "dev", "--port", "0", "--play", "conversation.txt", timeout=patience).expect(0)
    check("messageStatus" in done.out, done.out)
    denied = [line for line in done.err.splitlines() if "denied" in line]
    check(not denied, "\n".join(denied))


def in_rust(zip_file):
    with lab.example("custom-route", zip_file=zip_file) as folder:
        manifest = folder.path / "functions/nudge/Cargo.toml"
        text = manifest.read_text()
        check("../../../../handlers" in text, f"{manifest} does not depend on handlers by their path")
        manifest.write_text(text.replace("../../../../handlers", str(lab.ROOT / "handlers")))
        # Its dependencies are built once, not for each run.
        folder.env["CARGO_TARGET_DIR"] = str(lab.LAB / "own-target")
        played(folder, 1800)
        say("  a route in Rust, built from its own package")


def in_javascript():
    if not shutil.which("node") or not (MODULES / "@aws-sdk/lib-dynamodb").is_dir():
        say(f"skipped: handlers in JavaScript need node, and @aws-sdk/lib-dynamodb in {MODULES}")
        return
    with lab.example("node-handlers") as folder:
        folder.env["NODE_PATH"] = str(MODULES)
        played(folder, 120)
        say("  handlers in JavaScript, as they are, and nothing was denied")


def main():
    in_javascript()
    in_rust(sys.argv[1])


lab.script(main)
