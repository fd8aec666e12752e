#!/usr/bin/env python3
"""archive.py: what a release is made of, the same bytes each time.

  archive.py handlers BOOTSTRAP ZIP      an executable as the zip that msgai carries
  archive.py release PROGRAM FOLDER      PROGRAM and what belongs to it as FOLDER/msgai-VERSION-TARGET.tar.gz or .zip, and its line
                                         for SHA256SUMS beside it; --handlers names what has to be inside
  archive.py sums FOLDER                 FOLDER/SHA256SUMS of all those lines

PROGRAM is run, so it is built for this machine. Times are SOURCE_DATE_EPOCH, or 1980. Python's own library is enough.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# A zip knows no time before.
EPOCH = max(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), 315532800)
SHELLS = {"bash": "msgai.bash", "zsh": "_msgai", "fish": "msgai.fish", "powershell": "msgai.ps1", "elvish": "msgai.elv"}
BESIDE = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"]
LARGEST = 100_000_000


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(name, time.gmtime(EPOCH)[:6])
            entry.external_attr, entry.create_system = (0o100000 | mode) << 16, 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
    return out.getvalue()


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, EPOCH
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(out.getvalue(), compresslevel=9, mtime=0)


def said(program, *words):
    """What the program prints; a setting of this machine's is none of the release's."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MSGAI_"))}
    done = subprocess.run([str(program), *words], env=env, capture_output=True, check=True)
    return done.stdout


def inside(version):
    return {f"{one['for']}/{one['architecture']}" for one in version["handlers"]}


def release(program, folder, wanted):
    version = json.loads(said(program, "version", "--json"))
    if missing := set(wanted) - inside(version):
        sys.exit(f"{program} carries no handlers for {', '.join(sorted(missing))}")
    name = f"msgai-{version['msgai']}-{version['target']}"
    windows = "windows" in version["target"]
    files = {"msgai.exe" if windows else "msgai": (program.read_bytes(), 0o755)}
    files["stack.schema.json"] = said(program, "schema"), 0o644
    for shell, file in SHELLS.items():
        files[f"completions/{file}"] = said(program, "completions", shell), 0o644
    with tempfile.TemporaryDirectory() as pages:
        said(program, "man", pages)
        for page in Path(pages).iterdir():
            files[f"man1/{page.name}"] = page.read_bytes(), 0o644
    for file in BESIDE:
        files[file] = (ROOT / file).read_bytes(), 0o644
    files = {f"{name}/{file}": content for file, content in files.items()}
    data, suffix = (zipped(files), "zip") if windows else (tarred(files), "tar.gz")
    if len(data) > LARGEST:
        sys.exit(f"{name}.{suffix} would have {len(data)} bytes: was it built with --release?")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{suffix}").write_bytes(data)
    line = f"{hashlib.sha256(data).hexdigest()}  {name}.{suffix}\n"
    (folder / f"{name}.{suffix}.sha256").write_bytes(line.encode())
    print(f"{folder / name}.{suffix}: {len(data) / 1e6:.1f} MB, {len(files)} files, handlers for {', '.join(sorted(inside(version)))}")


def handlers(bootstrap, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(zipped({"bootstrap": (bootstrap.read_bytes(), 0o755)}))
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def sums(folder):
    lines = sorted(file.read_text() for file in folder.glob("*.sha256"))
    for line in lines:
        digest, name = line.split()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            sys.exit(f"{name} is not what its build made")
    (folder / "SHA256SUMS").write_bytes("".join(lines).encode())
    print(f"{folder / 'SHA256SUMS'}: {len(lines)} archives")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("handlers")
    verb.add_argument("bootstrap", type=Path)
    verb.add_argument("zip", type=Path)
    verb.set_defaults(run=lambda args: handlers(args.bootstrap, args.zip))
    verb = verbs.add_parser("release")
    verb.add_argument("program", type=Path)
    verb.add_argument("folder", type=Path)
    verb.add_argument("--handlers", nargs="*", default=["lambda/x86_64", "lambda/arm64"])
    verb.set_defaults(run=lambda args: release(args.program.resolve(), args.folder, args.handlers))
    verb = verbs.add_parser("sums")
    verb.add_argument("folder", type=Path)
    verb.set_defaults(run=lambda args: sums(args.folder))
    args = parser.parse_args()
    args.run(args)


main()
