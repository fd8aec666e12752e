"""What the independent checks share: stand-in clouds on free ports, the built msgai, and what a cloud holds.

Nothing of msgai's own code is used here: boto3 and a proxy's log say what happened. The stand-ins are those of
../shared/lab beside the checkout; MSGAI_LAB_SCRIPTS and MSGAI_LAB name another place for them and their environments.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(os.environ.get("MSGAI_LAB_SCRIPTS", ROOT / "../shared/lab")).resolve()
LAB = Path(os.environ.get("MSGAI_LAB", ROOT / ".lab")).resolve()
MSGAI = Path(os.environ.get("MSGAI_BIN", ROOT / "target/debug/msgai")).resolve()
REGION = "us-east-1"


class Failed(Exception):
    """A check that did not hold."""


def check(holds, what):
    if not holds:
        raise Failed(what)


def say(text):
    print(text, flush=True)


def environment(**more):
    """A process environment that holds nothing of this machine's own AWS settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MSGAI_"))}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1",
        "PATH": f"{MSGAI.parent}:{os.environ['PATH']}",
        **more,
    }


# Processes ---------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def process(command, log, **how):
    """Runs a server in a process group of its own and ends exactly that group."""
    with open(log, "ab") as out:
        running = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True, **how)
        try:
            yield running
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGTERM)
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()


def listening(running, port, log, patience=90):
    """Waits until somebody answers on the port; a process that ends instead shows its log."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if running.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    tail = Path(log).read_text(errors="replace")[-2000:]
    raise Failed(f"nothing listens on port {port}:\n{tail}")


def until(holds, what, patience=30):
    end = time.monotonic() + patience
    while not holds():
        check(time.monotonic() < end, what)
        time.sleep(0.1)


# Clouds ------------------------------------------------------------------------------------------------------------


class Cloud:
    """A stand-in behind the measuring proxy."""

    def __init__(self, kind, url, direct):
        self.kind, self.url, self.direct = kind, url, direct
        self._clients = {}

    def client(self, service):
        if service not in self._clients:
            self._clients[service] = client(service, self.url)
        return self._clients[service]

    def mark(self, name):
        self._ask(f"mark?name={name}", b"")

    def configure(self, **patch):
        self._ask("config", json.dumps(patch).encode())

    def calls(self, mark):
        return [c for c in self._ask("log") if c.get("mark") == mark]

    def forget(self):
        """Drops the proxy's log, and what it knows of states under way."""
        self._ask("reset", b"")

    def _ask(self, what, body=None):
        request = urllib.request.Request(f"{self.url}/_awslab/{what}", data=body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


# msgai's own table of locks and history: one for all stacks, no part of any.
LEDGER = "msgai-ledger"


def of_stacks(calls):
    """The calls but for those of locks and history. Items are written nowhere else."""
    return [call for call in calls if LEDGER not in call["resource"] and not call["operation"].endswith(("Item", "Items"))]


def writes(calls):
    """What is changed of a stack; to simulate is to ask."""
    return [f"{call['service']}.{call['operation']} {call['resource']}" for call in of_stacks(calls)
            if call["kind"] == "write" and not call["operation"].startswith("Simulate")]


def client(service, url, config=None):
    import boto3
    from botocore.config import Config

    # A session of its own: the one that they share by default is not for several threads.
    return boto3.Session().client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="testing",
        aws_secret_access_key="testing", config=config or Config(retries={"total_max_attempts": 1}))


def awslab():
    """The proxy as a module, for what it knows of AWS: its errors and its rates."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    import awslab as module

    return module


@contextlib.contextmanager
def cloud(kind, *proxy_flags):
    """moto or ministack, new and empty, behind the proxy."""
    check(SCRIPTS.is_dir(), f"no lab at {SCRIPTS}: set MSGAI_LAB_SCRIPTS to the folder with awslab.py")
    logs = LAB / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    backend, front = free_port(), free_port()
    direct, url = f"http://127.0.0.1:{backend}", f"http://127.0.0.1:{front}"
    python, quiet = LAB / "venv/bin/python", environment()
    if kind == "moto":
        command = [python, SCRIPTS / "moto_lab.py", "-p", backend]
    else:
        command = [LAB / "venv-ministack/bin/python", SCRIPTS / "ministack_lab.py", backend]
        # MiniStack hands this variable on to functions: that is how they find the cloud they run in.
        quiet["AWS_ENDPOINT_URL"] = direct
    proxy = [python, SCRIPTS / "awslab.py", "--backend", direct, "--port", front, *proxy_flags]
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(tempfile.TemporaryDirectory(prefix="msgai-cloud-"))
        behind = stack.enter_context(process(command, logs / f"{kind}.log", env=quiet, cwd=here))
        before = stack.enter_context(process(proxy, logs / f"{kind}-proxy.log", env=environment(), cwd=here))
        listening(behind, backend, logs / f"{kind}.log")
        listening(before, front, logs / f"{kind}-proxy.log")
        yield Cloud(kind, url, direct)


# msgai -------------------------------------------------------------------------------------------------------------


class Ran:
    """What a command did."""

    def __init__(self, words, done, seconds):
        self.words, self.code, self.seconds = words, done.returncode, seconds
        self.out, self.err = done.stdout, done.stderr

    def expect(self, *codes):
        if self.code not in codes:
            raise Failed(f"`{' '.join(self.words)}` ended with {self.code}, not {codes}\n{self.out}{self.err}")
        return self

    def json(self):
        return json.loads(self.out)


class Folder:
    """A scratch copy of an example, and msgai run in it."""

    def __init__(self, path, url=None, zip_file=None):
        self.path, self.stack = Path(path), Path(path) / "stack.yaml"
        self.env = environment()
        if url:
            self.env["AWS_ENDPOINT_URL"] = url
        if zip_file:
            self.env["MSGAI_HANDLERS_ZIP"] = str(Path(zip_file).resolve())

    def run(self, *words, timeout=300):
        begun = time.monotonic()
        done = subprocess.run(
            [str(MSGAI), *words], cwd=self.path, env=self.env, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, timeout=timeout)
        return Ran(["msgai", *words], done, time.monotonic() - begun)

    def edit(self, old, new):
        text = self.stack.read_text()
        check(text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {self.stack}, not once")
        self.stack.write_text(text.replace(old, new))


@contextlib.contextmanager
def example(name, url=None, zip_file=None):
    with tempfile.TemporaryDirectory(prefix=f"msgai-{name}-") as scratch:
        path = Path(scratch) / name
        shutil.copytree(ROOT / "examples" / name, path, ignore=shutil.ignore_patterns(".msgai"))
        yield Folder(path, url, zip_file)


@contextlib.contextmanager
def reference(url, zip_file):
    """The repository's own stack.yaml, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="msgai-reference-") as scratch:
        shutil.copy(ROOT / "stack.yaml", scratch)
        yield Folder(Path(scratch), url, zip_file)


@contextlib.contextmanager
def dev(zip_file, *flags):
    """`msgai dev` on an example's `dev` environment; gives its endpoint and its folder. What it prints is in dev.log."""
    log = LAB / "logs/dev.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    with example("messageai", zip_file=zip_file) as folder:
        command = [MSGAI, "dev", "-e", "dev", "--port", "0", *flags]
        with process(command, log, cwd=folder.path, env=folder.env) as running:
            end = time.monotonic() + 60
            while "ready in" not in log.read_text():
                check(running.poll() is None and time.monotonic() < end, f"dev does not serve:\n{log.read_text()}")
                time.sleep(0.1)
            endpoint = (folder.path / ".msgai/local/endpoint").read_text().split()[0]
            yield endpoint, folder


# Scripts -----------------------------------------------------------------------------------------------------------


def script(main):
    """Runs a check script: says what failed and ends with 1."""
    try:
        main()
    except Failed as why:
        say(f"FAILED: {why}")
        sys.exit(1)
