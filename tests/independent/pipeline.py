#!/usr/bin/env python3
"""pipeline.py ZIP: the action and the example pipelines, step by step, against the local cloud.

The steps are taken out of action.yml, examples/pipeline/github.yml and gitlab.yml as they stand, their expressions are
filled in, and each is run by bash as a runner would: with files for outputs, path and summary, an event, and a server that
answers for comments, notes and releases. The releases hold a stand-in that calls the msgai of this checkout.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

import lab
from lab import ROOT, check, say

VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
NAME = f"msgai-{VERSION}-x86_64-unknown-linux-gnu"
REPOSITORY = "team/chat"
BOT = "github-actions[bot]"


# The world around -------------------------------------------------------------------------------------------------


def release():
    """An archive with a msgai that is the one under test."""
    text = f'#!/bin/sh\nexec "{lab.MSGAI}" "$@"\n'.encode()
    entry = tarfile.TarInfo(f"{NAME}/msgai")
    entry.size, entry.mode = len(text), 0o755
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


class Forge:
    """GitHub's comments, GitLab's notes, and releases; remembers who wrote what."""

    def __init__(self):
        self.comments, self.calls, self.archive, self.refuses, self.hangs_up = [], [], release(), False, False
        digest = hashlib.sha256(self.archive).hexdigest()
        self.sums = f"{'0' * 64}  another.tar.gz\n{digest}  {NAME}.tar.gz\n"

    def add(self, author, body):
        self.comments.append({
            "id": 100 + len(self.comments), "body": body, "html_url": f"http://forge/{len(self.comments)}",
            "user": {"login": author}, "author": {"id": 7 if author == BOT else 8}})
        return self.comments[-1]

    def answer(self, method, path, body):
        path, _, query = path.partition("?")
        if path.startswith("/releases/"):
            files = {f"/releases/v{VERSION}/{NAME}.tar.gz": self.archive, f"/releases/v{VERSION}/SHA256SUMS": self.sums.encode()}
            return (200, files[path]) if path in files else (404, b"")
        self.calls.append((method, path))
        if self.refuses:
            return 403, {"message": "Resource not accessible by integration"}
        if path == "/api/user":
            return 200, {"id": 7}
        if method == "GET":
            page = int(re.search(r"\bpage=(\d+)", query)[1]) if "&page=" in query else 1
            return 200, self.comments[(page - 1) * 100:page * 100]
        if method == "POST":
            return 201, self.add(BOT, body["body"])
        one = next(c for c in self.comments if path.endswith(f"/{c['id']}"))
        one["body"] = body["body"]
        return 200, one

    def marked(self):
        return [c for c in self.comments if c["body"].startswith("<!-- msgai:") and c["user"]["login"] == BOT]


@contextlib.contextmanager
def serving(forge):
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            text = self.rfile.read(int(self.headers.get("content-length", 0)))
            if forge.hangs_up and self.command != "GET":
                return
            private = self.headers.get("authorization") == "Bearer s3cret" or self.headers.get("private-token") == "s3cret"
            if not (private or self.path.startswith("/releases/")):
                status, answer = 401, {}
            else:
                status, answer = forge.answer(self.command, self.path, json.loads(text) if text else None)
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_PUT = handle_any

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# A runner ---------------------------------------------------------------------------------------------------------


def looked_up(path, context):
    value = context
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return value


def holds(condition, context):
    """Whether an `if:` holds; it compares one value with another."""
    left, right = (side.strip() for side in condition.split("=="))
    of = lambda side: side.strip("'") if side.startswith("'") else looked_up(side, context)
    return of(left) == of(right)


def filled(text, context):
    return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", lambda m: str(looked_up(m[1], context)), str(text))


class Runner:
    """Runs the steps of a job as GitHub's does, each by a bash of its own."""

    def __init__(self, forge_url, folder, event, cloud, zip_file):
        self.dir = Path(tempfile.mkdtemp(prefix="msgai-runner-"))
        self.folder, self.cloud, self.log, self.path = folder, cloud, "", []
        self.summary = self.dir / "summary"
        (self.dir / "event.json").write_text(json.dumps(event))
        self.context = {
            "github": {"token": "s3cret", "event_name": "pull_request" if "pull_request" in event else "push",
                       "event": event, "repository": REPOSITORY},
            "vars": {}, "steps": {}}
        self.env = lab.environment(
            AWS_ENDPOINT_URL=cloud, MSGAI_HANDLERS_ZIP=str(zip_file), CI="true", GITHUB_ACTIONS="true",
            GITHUB_ACTION_PATH=str(ROOT), GITHUB_API_URL=f"{forge_url}/api", GITHUB_SERVER_URL="https://github.example",
            GITHUB_REPOSITORY=REPOSITORY, GITHUB_RUN_ID="42", GITHUB_EVENT_PATH=str(self.dir / "event.json"),
            GITHUB_STEP_SUMMARY=str(self.summary), RUNNER_TEMP=str(self.dir))
        # Without the msgai of this checkout: what is installed is what runs.
        self.env["PATH"] = os.environ["PATH"]
        self.releases = f"{forge_url}/releases"

    def start(self, script, env):
        self.files = {name: self.dir / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in self.files.values():
            file.write_text("")
        env = {**self.env, **env, **{name: str(file) for name, file in self.files.items()}}
        env["PATH"] = ":".join([*reversed(self.path), env["PATH"]])
        file = self.dir / "step.sh"
        file.write_text(script)
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)], cwd=self.folder, env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self, step):
        printed, _ = step.communicate(timeout=120)
        self.log += printed
        self.path += self.files["GITHUB_PATH"].read_text().split()
        lines = self.files["GITHUB_OUTPUT"].read_text().splitlines()
        return step.returncode, dict(line.split("=", 1) for line in lines)

    def action_steps(self, inputs):
        """The action's own steps, filled in; an `if:` that does not hold leaves one out."""
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        unknown = set(inputs) - set(action["inputs"])
        check(not unknown, f"not inputs of the action: {unknown}")
        context = {**self.context, "steps": {}}
        context["inputs"] = {name: filled(given.get("default", ""), context) for name, given in action["inputs"].items()}
        context["inputs"].update({name: str(value) for name, value in inputs.items()})
        # A release is fetched from here, unless a test says from where.
        context["inputs"]["releases"] = context["inputs"]["releases"] or self.releases
        for step in action["runs"]["steps"]:
            check(step["shell"] == "bash" and "${{" not in step["run"], f"an input stands in a script: {step['run']}")
            if "if" not in step or holds(step["if"], context):
                env = {name: filled(value, context) for name, value in step["env"].items()}
                yield step, env, context

    def act(self, **inputs):
        """The whole action: its exit code and its outputs."""
        inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        code = 0
        for step, env, context in self.action_steps(inputs):
            code, outputs = self.finish(self.start(step["run"], env))
            context["steps"][step.get("id", "")] = {"outputs": outputs}
            if code:
                break
        told = yaml.safe_load((ROOT / "action.yml").read_text())["outputs"]
        return code, {name: filled(one["value"], context) for name, one in told.items()}

    def job(self, name):
        """One job of the example workflow."""
        job = yaml.safe_load((ROOT / "examples/pipeline/github.yml").read_text())["jobs"][name]
        check(holds(job["if"], self.context), f"{name} does not run for this event")
        for step in job["steps"]:
            if "if" in step and not holds(step["if"], self.context):
                continue
            if step.get("uses", "").startswith("msgai/msgai@"):
                code, outputs = self.act(**{k.replace("-", "_"): v for k, v in step["with"].items()})
                self.context["steps"][step.get("id", "")] = {"outputs": outputs}
            elif "run" in step:
                env = {key: filled(value, self.context) for key, value in step.get("env", {}).items()}
                code, _ = self.finish(self.start(step["run"], env))
            else:
                continue
            check(code == 0, f"{name}: {step} ended with {code}\n{self.log}")
        return {key: filled(value, self.context) for key, value in job.get("outputs", {}).items()}


def pull_request(of=REPOSITORY):
    repo = lambda name: {"repo": {"full_name": name}}
    return {"pull_request": {"number": 5, "head": {**repo(of), "sha": "0123456789abcdef"}, "base": repo(REPOSITORY)}}


# What must hold ---------------------------------------------------------------------------------------------------


def comments(forge, runner):
    """A pull request: one comment, edited by the second run; nobody else's is touched."""
    stranger = "<!-- msgai:chat -->\nnothing to see here"
    for n in range(101):
        forge.add("eve", stranger if n == 3 else f"comment {n}")
    first = runner()
    first.job("diff")
    check(len(forge.marked()) == 1, f"not one comment: {forge.marked()}\n{first.log}")
    body = forge.marked()[0]["body"]
    check("to add" in body and "0123456789ab" in body and "/actions/runs/42" in body, body)
    check("to add" in first.summary.read_text(), "the summary has no plan")
    for _ in range(2):
        runner().job("diff")
    check(len(forge.marked()) == 1, "the comment was made again")
    check(("PATCH", f"/api/repos/{REPOSITORY}/issues/comments/{forge.marked()[0]['id']}") in forge.calls, str(forge.calls))
    check(forge.comments[3]["body"] == stranger, "somebody else's comment was edited")
    say("  pull request: one comment, then edited")


def deploys(forge, runner):
    """The default branch: deployed, tried, its URL an output; then nothing differs."""
    pushed = runner(event={"ref": "refs/heads/main"})
    outputs = pushed.job("deploy")
    check(outputs["url"].startswith("ws://127.0.0.1:"), f"{outputs}\n{pushed.log}")
    check(f"the chat is at {outputs['url']}" in pushed.log, pushed.log)
    check("### msgai deploy" in pushed.summary.read_text(), "the summary has no deploy")
    code, again = runner(event={}).act(mode="deploy")
    check(code == 0 and again["changes"] == "false" and again["exit-code"] == "0", f"{code} {again}")
    check(json.loads(again["outputs"])["url"] == outputs["url"] == again["url"], str(again))
    runner().job("diff")
    check("No changes" in forge.marked()[0]["body"], forge.marked()[0]["body"])
    say(f"  main: deployed and tried, {outputs['url']}")


def quiet(forge, runner):
    """No changes and no comment from before: none is made. No right to comment: told, and not failed."""
    forge.comments.clear()
    runner().job("diff")
    check(not forge.comments, "a comment about nothing")
    forge.refuses = True
    refused = runner()
    refused.job("diff")
    check("::warning" in refused.log and "pull-requests: write" in refused.log, refused.log)
    forge.refuses = False
    forge.hangs_up = True
    forge.add(BOT, "<!-- msgai:chat -->\nfrom before")
    cut_off = runner()
    cut_off.job("diff")
    check("::warning" in cut_off.log and "not in the pull request" in cut_off.log, cut_off.log)
    forge.hangs_up = False
    forge.comments.clear()
    say("  comments: none about nothing, a warning where there may be none")


def forks(forge, runner):
    calls = len(forge.calls)
    fork = runner(event=pull_request(of="eve/chat"))
    fork.env.pop("AWS_ACCESS_KEY_ID")
    fork.env.pop("AWS_SECRET_ACCESS_KEY")
    fork.job("diff")
    check("stack.yaml is valid" in fork.log and "::notice" in fork.log, fork.log)
    check("From a fork" in fork.summary.read_text(), fork.summary.read_text())
    check(len(forge.calls) == calls, "a fork's job asked for comments")
    say("  fork: the file is checked, nothing is asked")


def refusals(forge, runner):
    code, _ = runner().act(sha256="0" * 64)
    check(code == 1, f"another archive than the pinned one ended with {code}")
    sums, forge.sums = forge.sums, forge.sums.replace(hashlib.sha256(forge.archive).hexdigest(), "1" * 64)
    wrong = runner()
    code, _ = wrong.act()
    check(code == 1 and "is not what was released" in wrong.log, wrong.log)
    forge.sums = sums
    for inputs, wanted, word in [
        ({"mode": "deploy", "args": "--no-such-flag"}, 64, "--no-such-flag"),
        ({"mode": "undeploy"}, 64, "mode is diff"),
        ({"mode": "deploy", "environment": "$(touch pwned)"}, 1, "$(touch pwned)"),
        ({"mode": "diff", "args": "`touch pwned`; touch pwned && $(touch pwned) *"}, 64, "touch"),
        ({"mode": "diff", "file": "no'such\".yaml; touch pwned"}, 1, "no'such"),
        ({"version": "0.1.0; touch pwned"}, 1, "a version is like"),
        ({"working-directory": "no such $(touch pwned)"}, 64, "no folder here"),
    ]:
        one = runner()
        code, outputs = one.act(**inputs)
        check(code == wanted and word in one.log and "::error" in one.log, f"{inputs}: {code}\n{one.log}")
        check(not list(one.folder.rglob("pwned")), f"{inputs} was run by a shell")
    for inputs in [{"mode": "x\n::add-mask::y"}, {"version": "x\n::add-mask::y"}]:
        one = runner()
        one.act(**inputs)
        check("::error" in one.log and "\n::add-mask" not in one.log, f"an input is a command to the runner: {one.log}")
    foreign = runner()
    (foreign.dir / "uname").write_text("#!/bin/sh\necho Plan9 mips\n")
    (foreign.dir / "uname").chmod(0o755)
    foreign.env["PATH"] = f"{foreign.dir}:{foreign.env['PATH']}"
    code, _ = foreign.act()
    check(code == 1 and "::error" in foreign.log and "no release for Plan9 mips" in foreign.log, f"{code} {foreign.log}")
    say("  refused: wrong archives, wrong inputs, strange runners, and no input is run")


def cancelled(runner, cloud):
    """A cancelled job: the signal reaches msgai, which ends in order; the next one finishes its work."""
    with cloud("--latency", "60ms") as slow:
        job = runner(event={}, cloud=slow)
        for step, env, _ in job.action_steps({"mode": "deploy"}):
            running = job.start(step["run"], env)
            if step.get("id") == "run":
                end = time.monotonic() + 60
                while not list(job.dir.glob("msgai-run.*/shown.md")) or "Plan:" not in next(job.dir.glob("msgai-run.*/shown.md")).read_text():
                    check(running.poll() is None and time.monotonic() < end, "the deploy shows no plan")
                    time.sleep(0.05)
                running.send_signal(signal.SIGINT)
            code, outputs = job.finish(running)
        check(code == 130 and outputs["exit-code"] == "130", f"{code} {outputs}\n{job.log}")
        check("stopped by a signal" in job.log, job.log)
        code, outputs = runner(event={}, cloud=slow).act(mode="deploy")
        check(code == 0 and outputs["changes"] == "true", f"{code} {outputs}")
        code, outputs = runner(event={}, cloud=slow).act(mode="diff")
        check(code == 0 and outputs["changes"] == "false", f"{code} {outputs}")
    say("  cancelled: ended with 130, and finished by the next")


def destroys(runner):
    code, outputs = runner(event={}).act(mode="destroy", args="--delete-data")
    check(code == 0 and outputs["exit-code"] == "0", f"{code} {outputs}")
    code, outputs = runner(event={}).act(mode="diff")
    check(code == 0 and outputs["changes"] == "true" and outputs["exit-code"] == "2", f"{code} {outputs}")
    say("  destroyed")


# The other two ----------------------------------------------------------------------------------------------------


def of_gitlab(name, forge_url, base, folder):
    """A job of gitlab.yml, its scripts run as GitLab's runner does: one bash for all lines."""
    whole = yaml.safe_load((ROOT / "examples/pipeline/gitlab.yml").read_text())
    job = {**whole[whole[name]["extends"]], **whole[name]}
    env = {**base, **whole["variables"], "MSGAI_RELEASES": f"{forge_url}/releases", "CI_PROJECT_ID": "3", "CI_JOB_ID": "9",
           "CI_API_V4_URL": f"{forge_url}/api", "CI_MERGE_REQUEST_IID": "5", "GITLAB_NOTES_TOKEN": "s3cret",
           "MSGAI_VERSION": VERSION, "CHAT_LOOK_ROLE": "look", "CHAT_DEPLOY_ROLE": "deploy"}
    env.update({k: os.path.expandvars(v) for k, v in job.get("variables", {}).items()})
    lines = "\n".join([*job["before_script"], *job["script"]])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", lines], cwd=folder, env=env, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    check(done.returncode == 0, f"gitlab {name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def variables(file):
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def gitlab(forge, forge_url, base, folder):
    forge.comments.clear()
    check("is valid" in of_gitlab("validate", forge_url, base, folder), "validate says nothing")
    for _ in range(2):
        of_gitlab("diff", forge_url, base, folder)
        check(len(forge.comments) == 1 and "to add" in forge.comments[0]["body"], str(forge.comments))
    check(forge.calls[-1][0] == "PUT", f"not edited: {forge.calls[-3:]}")
    of_gitlab("deploy", forge_url, base, folder)
    told = variables(folder / "msgai.env")
    check(any(value.startswith("ws://127.0.0.1:") for value in told.values()), str(told))
    check("✓" in (tried := of_gitlab("smoke", forge_url, base, folder)), f"smoke tells no step: {tried}")
    say("  gitlab.yml: note made and edited, deployed, tried")


def plain(forge_url, base, folder):
    env = {**base, "MSGAI_RELEASES": f"{forge_url}/releases"}
    run = lambda word: subprocess.run(
        ["bash", str(ROOT / "examples/pipeline/deploy.sh"), word], cwd=folder, env=env, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    for word, wanted, sign in [("diff", 0, "to add"), ("deploy", 0, ""), ("diff", 0, "No changes"), ("destroy", 0, ""), ("up", 64, "")]:
        done = run(word)
        check(done.returncode == wanted and sign in done.stdout, f"deploy.sh {word}: {done.returncode}\n{done.stdout}{done.stderr}")
    check(variables(folder / "msgai.env"), "deploy.sh leaves no variables")
    say("  deploy.sh: diff, deploy, destroy")


def main():
    zip_file = Path(sys.argv[1]).resolve()
    forge = Forge()
    with contextlib.ExitStack() as stack:
        forge_url = stack.enter_context(serving(forge))
        cloud = lambda *flags: map_endpoint(lab.dev(zip_file, *flags))
        endpoint = stack.enter_context(cloud())
        folder = stack.enter_context(lab.reference(endpoint, zip_file)).path

        def runner(event=None, cloud=endpoint):
            one = Runner(forge_url, folder, pull_request() if event is None else event, cloud, zip_file)
            stack.callback(shutil.rmtree, one.dir, ignore_errors=True)
            return one

        comments(forge, runner)
        deploys(forge, runner)
        quiet(forge, runner)
        forks(forge, runner)
        refusals(forge, runner)
        destroys(runner)
        cancelled(runner, cloud)
        base = runner().env
        gitlab(forge, forge_url, base, folder)
        lab.Folder(folder, endpoint, zip_file).run("destroy", "--yes", "--delete-data").expect(0)
        plain(forge_url, base, folder)


@contextlib.contextmanager
def map_endpoint(dev):
    with dev as (endpoint, _):
        yield endpoint


lab.script(main)
