# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests of the real driver, unless nothing that they test has changed since they last succeeded here.

They compile NVIDIA's module with DKMS (about four minutes); with --always they also boot a virtual machine with it and
see Debian 13's build fail (about ten more). A run that was skipped says so, and how to have it anyway. What counts as
changed: the contents of the files of FOLDERS.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
STAMP = PROJECT / ".cache" / "driver" / "succeeded"
FOLDERS = ("roles/nvidia_driver", "plugins", "sandbox", "tests/driver")
HOSTS = ("gpuready-dkms", "gpuready-dkms-13")
SKIPPED = 77  # tests/driver/conftest.py
IN_CI = ("tests/driver/test_dkms.py",)


def digest(project: Path) -> str:
    """Of the names and contents of all files that the tests depend on."""
    found = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--always",
        action="store_true",
        help="run all of them, Debian 13 and the virtual machine too, whatever has changed",
    )
    parser.add_argument("rest", nargs="*", help="given to pytest")
    arguments = parser.parse_args()
    now = digest(PROJECT)
    if not arguments.always and STAMP.is_file() and STAMP.read_text().split()[0] == now:
        print(f"skipped: role, plugins, sandbox and tests are as on {STAMP.read_text().split()[1]}, when they passed.")
        print("`make test-driver` runs them anyway.")
        return 0
    tests = ["tests/driver"] if arguments.always else list(IN_CI)
    begin = time.monotonic()
    # -v and -s: each step says what it took. -x: the tests go on from each other
    argv = [sys.executable, "-m", "pytest", "-v", "-s", "-x", "--tb=short", *tests, *arguments.rest]
    try:
        done = subprocess.run(argv, cwd=PROJECT, check=False)
    finally:
        subprocess.run(["docker", "rm", "-fv", *HOSTS], capture_output=True, check=False)
    print(f"real driver: {time.monotonic() - begin:.0f} s")
    if done.returncode == SKIPPED:
        print("some of it was skipped because this machine cannot do it; the reasons are above.")
        return 0
    if done.returncode == 0 and not arguments.rest:
        STAMP.parent.mkdir(parents=True, exist_ok=True)
        STAMP.write_text(f"{now} {time.strftime('%Y-%m-%d')}\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
