#!/usr/bin/env python3
"""tour.py [FILE...]: types what the documents show, and looks whether the answers are those shown.

Every ```console block of README.md and docs/*.md is run, all blocks of a file in one shell and one scratch folder with
copies of stack.yaml and examples/. `$ ` begins a command, `> ` goes on with it; each other line must be among what the
command prints (`[..]` and `…` stand for anything). A command must succeed, unless the block shows its `error:`.
Blocks that begin with ```console no-run are not run.
"""

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import lab
from lab import Failed, check, say

PATIENCE = 300
END = "::answered "


@dataclass
class Step:
    """A command and the lines that it is said to print."""

    place: str
    command: str
    shown: list = field(default_factory=list)


def steps(path):
    found, fence, skipped = [], None, 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        place = f"{path.name}:{number}"
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
            skipped += fence == "console no-run"
        elif fence == "console":
            if line.startswith("$ "):
                found.append(Step(place, line[2:]))
            elif line.startswith("> ") and found and not found[-1].shown:
                found[-1].command += f"\n{line[2:]}"
            elif line.strip():
                check(bool(found), f"{place}: output before any command")
                found[-1].shown.append(line.rstrip())
    if skipped:
        say(f"  {path.name}: {skipped} blocks are not run, being marked no-run")
    return found


def pattern(line):
    parts = re.split(r"\[\.\.\]|…", line)
    return re.compile(".*".join(re.escape(part) for part in parts))


class Shell:
    """One bash for all commands of a file, so that `cd` and variables last."""

    def __init__(self, folder):
        env = lab.environment(NO_COLOR="1", COLUMNS="80")
        # The handlers are built from the checkout, as they are for a reader.
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.bash.stdout, selectors.EVENT_READ)

    def run(self, step):
        """Gives what the command printed, and its exit code."""
        self.bash.stdin.write(f"{{ {step.command}\n}} </dev/null\nprintf '\\n{END}%s\\n' $?\n".encode())
        self.bash.stdin.flush()
        text, end = "", time.monotonic() + PATIENCE
        while not (answered := re.search(rf"^{END}(\d+)\n", text, re.M)):
            if not self.ready.select(end - time.monotonic()):
                raise Failed(f"{step.place}: `{step.command}` did not end within {PATIENCE} s:\n{text}")
            piece = os.read(self.bash.stdout.fileno(), 65536).decode(errors="replace")
            check(bool(piece), f"{step.place}: `{step.command}` ended the shell:\n{text}")
            text += piece
        return text[:answered.start()], int(answered.group(1))

    def end(self):
        self.bash.stdin.close()
        os.killpg(self.bash.pid, signal.SIGTERM)
        self.bash.wait()


def compare(step, printed, code):
    lines = [line.rstrip() for line in printed.splitlines()]
    missing = [want for want in step.shown if not any(pattern(want).fullmatch(line) for line in lines)]
    shows_error = any(line.startswith("error") for line in step.shown)
    if missing or (code != 0 and not shows_error):
        wanted = "".join(f"\n  not printed: {line}" for line in missing)
        raise Failed(f"{step.place}: `{step.command}` ended with {code}{wanted}\nwhat it printed:\n{printed}")


def tour(path):
    todo = steps(path)
    if not todo:
        return
    with tempfile.TemporaryDirectory(prefix="msgai-tour-") as scratch:
        shutil.copytree(lab.ROOT / "examples", Path(scratch) / "examples", ignore=shutil.ignore_patterns(".msgai"))
        shutil.copy(lab.ROOT / "stack.yaml", scratch)
        shell = Shell(scratch)
        try:
            for step in todo:
                say(f"  $ {step.command}")
                compare(step, *shell.run(step))
        finally:
            shell.end()
    say(f"  {path.name}: {len(todo)} commands, as shown")


def main():
    named = [Path(word) for word in sys.argv[1:]]
    files = named or [lab.ROOT / "README.md", *sorted((lab.ROOT / "docs").glob("*.md"))]
    for path in files:
        tour(path)


lab.script(main)
