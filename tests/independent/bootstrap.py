#!/usr/bin/env python3
"""bootstrap.py ZIP: the debug build of the handlers, stripped, as a zip for `--handlers-zip`.

The `lambda` profile takes minutes to build and is not what these checks are about. The same binary gives the same
bytes, so that a second deploy finds nothing to upload.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lab import ROOT, script


def main():
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        stripped = Path(scratch) / "bootstrap"
        subprocess.run(["strip", "-o", stripped, ROOT / "target/debug/bootstrap"], check=True)
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.external_attr, entry.create_system = 0o100755 << 16, 3
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(entry, stripped.read_bytes(), compresslevel=6)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


script(main)
