#!/usr/bin/env python3
"""release.py ZIP: what the release workflow does on this machine, with a debug build of msgai and these handlers inside.

Packs it twice into the same bytes, unpacks it away from any checkout, and plays the reference conversation with no cargo on the
PATH: the handlers can only come from inside. Checks what can be checked of the workflows without running them.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

import lab
from lab import ROOT, check, say

COMMIT, DATE = "0123456789abcdef0123456789abcdef01234567", "2026-01-02"


def build(zip_file, scratch):
    """The program with handlers inside; then the ordinary one again, in its place."""
    nothing = scratch / "nothing.zip"
    nothing.write_bytes(b"")
    env = {**os.environ, "MSGAI_COMMIT": COMMIT, "MSGAI_DATE": DATE, "MSGAI_HANDLERS_X86_64": str(zip_file),
           "MSGAI_HANDLERS_ARM64": str(nothing)}
    words = ["cargo", "build", "--quiet", "--locked", "--workspace"]
    try:
        subprocess.run([*words, "--features", "msgai/embedded-handlers"], cwd=ROOT, env=env, check=True)
        program = scratch / "msgai"
        subprocess.run(["strip", "-o", program, ROOT / "target/debug/msgai"], check=True)
    finally:
        subprocess.run(words, cwd=ROOT, check=True)
    return program


def archive(*words):
    return subprocess.run(
        [sys.executable, ROOT / ".ci/archive.py", *words], capture_output=True, text=True, check=False)


def packed(program, scratch):
    refused = archive("release", program, scratch / "none")
    check(refused.returncode != 0 and "lambda/arm64" in refused.stderr, f"packed without handlers: {refused}")
    for folder in ("one", "two"):
        done = archive("release", program, scratch / folder, "--handlers", "lambda/x86_64")
        check(done.returncode == 0, done.stderr)
        check(archive("sums", scratch / folder).returncode == 0, "no sums")
    first, second = (next((scratch / folder).glob("*.tar.gz")) for folder in ("one", "two"))
    check(first.read_bytes() == second.read_bytes(), "the same program makes two archives")
    digest, name = (scratch / "one/SHA256SUMS").read_text().split()
    check((digest, name) == (hashlib.sha256(first.read_bytes()).hexdigest(), first.name), "SHA256SUMS lists something else")
    say(f"  {first.name}: {first.stat().st_size / 1e6:.1f} MB, twice the same bytes")
    return first


def tried(file, scratch, zip_file):
    with tarfile.open(file) as tar:
        tar.extractall(scratch / "there", filter="data")
    folder = next((scratch / "there").iterdir())
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    wanted = {"msgai", "man1/msgai-deploy.1", "completions/msgai.bash", "completions/msgai.ps1", "LICENSE-MIT", "stack.schema.json"}
    check(wanted <= names, f"not in the archive: {wanted - names}")
    for name in ("stack.yaml", "examples/reference.txt"):
        shutil.copy(ROOT / name, folder)
    env = {**lab.environment(), "PATH": "/usr/bin:/bin", "HOME": str(scratch)}
    run = lambda *words: subprocess.run(
        [folder / "msgai", *words], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    version = json.loads(run("version", "--json").stdout)
    check((version["commit"], version["date"]) == (COMMIT, DATE), str(version))
    inside = {"for": "lambda", "architecture": "x86_64", "bytes": zip_file.stat().st_size,
              "sha256": hashlib.sha256(zip_file.read_bytes()).hexdigest()}
    check(version["handlers"] == [inside], f"{version['handlers']}, not {inside}")
    done = run("dev", "--port", "0", "--play", "reference.txt")
    check(done.returncode == 0 and "as written" in done.stdout + done.stderr, done.stdout + done.stderr)
    say("  unpacked elsewhere: the handlers inside hold the conversation")


def workflows():
    """Every action by a full commit id, no right that is not asked for, no expression of others' making in a script."""
    files = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "examples/pipeline/github.yml"]
    for file in files:
        text, whole = file.read_text(), yaml.safe_load(file.read_text())
        check(whole["permissions"] == {"contents": "read"}, f"{file.name}: more rights than reading, for all jobs")
        for used in re.findall(r"uses: (\S+)", text):
            ours = used.startswith("msgai/msgai@v")
            check(ours or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), f"{file.name}: {used} is not pinned by commit")
        for name, job in whole["jobs"].items():
            for need in [job.get("needs", [])]:
                needs = [need] if isinstance(need, str) else need
                check(set(needs) <= set(whole["jobs"]), f"{file.name}: {name} needs a job that is not there")
            for step in job["steps"]:
                check(("run" in step) != ("uses" in step), f"{file.name}: {step}")
                check("${{" not in step.get("run", ""), f"{file.name}: an expression in a script: {step}")
                if "run" in step and step.get("shell") != "cmd":
                    parsed = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False)
                    check(parsed.returncode == 0, f"{file.name}: {parsed.stderr}")
    say(f"  {len(files)} workflows: actions pinned, rights least, scripts parsed")


def main():
    zip_file = Path(sys.argv[1]).resolve()
    workflows()
    with tempfile.TemporaryDirectory(prefix="msgai-release-") as scratch:
        scratch = Path(scratch)
        program = build(zip_file, scratch)
        tried(packed(program, scratch), scratch, zip_file)


lab.script(main)
