# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make what every other command needs: .venv with the pinned tools and .collections with the collections.

Standard library only, because nothing else is there yet. A second call finds its stamps and ends at once.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

PROGRAM = Path(sys.argv[0]).stem
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
COLLECTIONS = ROOT / ".collections"
TREE = COLLECTIONS / "ansible_collections"
CACHE = ROOT / ".cache"
STAMP = "gpuready-stamp.json"

# Tested ones, newest first; 3.14 only where none of them is there.
PREFERRED = ("3.13", "3.12", "3.11", "3.14")

# Galaxy is often unreachable, so collections come from the `ansible` package, which the Python package index and its
# mirrors carry. 12.x is the last line for ansible-core 2.19, thus for Python 3.11. sha256 of the wheels.
ANSIBLE_FOR_311 = ("12.3.0", "cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414")
ANSIBLE = ("14.5.0", "245623ccc2d31d0f6f4bdb63168d550cad305fb032cc43d96e8f61ce8ab0ba84")
# The last one is what community.docker's inventory plugins need.
WANTED = ("community.docker", "ansible.posix", "community.library_inventory_filtering_v1")

MIRROR_HINT = "behind a slow or closed network, name a mirror: PIP_INDEX_URL=<https://mirror/simple> make ..."
SHOWN = ("Downloading", "Installing", "Successfully", "ERROR", "Building", "Get:", "Setting up", "Unpacking", "Saved")
HEARTBEAT_S = 15.0


class Python(NamedTuple):
    path: str
    version: str  # "3.13"
    problem: str  # "" when it can make a virtual environment


def fail(message: str) -> NoReturn:
    sys.stdout.flush()
    sys.exit(f"{PROGRAM}: ERROR: {message}")


class Step:
    """One announced piece of work: says what it waits for when it starts and how long it took when it ends."""

    def __init__(self, title: str, waits_for: str) -> None:
        self.title = title
        print(f"{PROGRAM}: {title} (waits for {waits_for})", flush=True)

    def __enter__(self) -> Step:
        self.started = time.monotonic()
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            print(f"{PROGRAM}: {self.title}: done in {time.monotonic() - self.started:.1f} s", flush=True)


def visible(argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command; show its telling lines as they come, and a sign of life when it is silent."""
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env, cwd=ROOT
    )
    started = time.monotonic()
    finished = threading.Event()

    def heartbeat() -> None:
        while not finished.wait(HEARTBEAT_S):
            print(f"    still running after {time.monotonic() - started:.0f} s: {Path(argv[0]).name}", flush=True)

    threading.Thread(target=heartbeat, daemon=True).start()
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if line.strip().startswith(SHOWN):
            print(f"    {line.strip()[:150]}", flush=True)
    returncode = process.wait()
    finished.set()
    return returncode, "".join(lines)


def pip(python: Path, what: str, arguments: list[str]) -> None:
    argv = [str(python), "-m", "pip", *arguments]
    returncode, output = visible(argv, {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"})
    if returncode != 0:
        causes = [line.strip() for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-3:]
        fail(f"{what} failed: `{' '.join(argv)}` gave {returncode}: {' | '.join(causes)}\n  {MIRROR_HINT}")


def probe(path: str) -> Python | None:
    """Ask an interpreter by running it: a version manager's shim can lie on PATH without a Python behind it."""
    code = "import sys; print('%d.%d' % sys.version_info[:2]); import venv, ensurepip"
    try:
        result = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = result.stdout.strip()
    if not version:
        return None
    problem = "" if result.returncode == 0 else result.stderr.strip().splitlines()[-1]
    return Python(path, version, problem)


def candidates(minor: str) -> Iterator[str]:
    """Paths that may hold this Python: all of PATH, then pyenv's versions, which its shims hide from PATH."""
    folders = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    pyenv = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    pyenv += [folder.parent for folder in folders if folder.name == "shims"]
    seen: set[str] = set()
    found = [folder / f"python{minor}" for folder in folders if VENV not in folder.parents]
    # a PYENV_ROOT that came along with another user's environment may be out of reach
    for home in (folder for folder in pyenv if os.access(folder, os.R_OK | os.X_OK)):
        found += sorted(home.glob(f"versions/{minor}.*/bin/python{minor}"), reverse=True)
    for path in found:
        if os.access(path, os.X_OK) and str(path) not in seen:
            seen.add(str(path))
            yield str(path)


def find_python() -> Python:
    """The newest tested Python that can make a virtual environment; installs python3-venv where only that lacks."""
    incomplete: list[Python] = []
    for minor in PREFERRED:
        for path in candidates(minor):
            python = probe(path)
            if python is None or python.version != minor:
                continue
            if not python.problem:
                return python
            incomplete.append(python)
    if not incomplete:
        fail(
            f"no Python {', '.join(PREFERRED)} was found on PATH ({os.environ.get('PATH', '')}) or in pyenv; install "
            "one, on Debian and Ubuntu: apt-get install python3 python3-venv"
        )
    return complete_python(incomplete)


def complete_python(incomplete: list[Python]) -> Python:
    """Debian splits venv's ensurepip into a package of its own: get it if we may."""
    python = next((one for one in incomplete if one.path.startswith("/usr/bin/")), incomplete[0])
    package = f"python{python.version}-venv"
    said = f"Python {python.version} at {python.path} cannot make a virtual environment ({python.problem})"
    if not python.path.startswith("/usr/bin/") or not shutil.which("apt-get"):
        fail(f"{said}; reinstall it with its venv and ensurepip modules, or put another Python on PATH")
    if os.geteuid() != 0:
        fail(f"{said}; run once: sudo apt-get install {package}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with Step(f"Install {package}", "apt and the distribution's package mirror"):
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
            argv = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
            returncode, output = visible(argv, env)
            if returncode != 0:
                fail(f"`{' '.join(argv)}` gave {returncode}: {' | '.join(output.splitlines()[-3:])}")
    complete = probe(python.path)
    if complete is None or complete.problem:
        fail(f"{package} is installed, yet {said}")
    return complete


def digest(*names: str) -> str:
    content = hashlib.sha256()
    for name in names:
        content.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return content.hexdigest()


def read_stamp() -> dict[str, str]:
    try:
        stamp = json.loads((VENV / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, str]) -> None:
    (VENV / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")


def make_venv(stamp: dict[str, str], wish: str | None) -> dict[str, str]:
    """A virtual environment at .venv, made anew when it is broken or was made for another Python wish."""
    if stamp.get("python") and stamp.get("wish", "") == (wish or "") and os.access(VENV / "bin" / "python", os.X_OK):
        return stamp
    if wish:
        asked = probe(wish)
        if asked is None or asked.version not in PREFERRED:
            fail(f"--python {wish}: does not run, or is none of Python {', '.join(PREFERRED)}")
        python = complete_python([asked]) if asked.problem else asked
    else:
        python = find_python()
    with Step(f"Make .venv with Python {python.version} ({python.path})", "the disk"):
        returncode, output = visible([python.path, "-m", "venv", "--clear", str(VENV)])
        if returncode != 0:
            fail(f"`{python.path} -m venv {VENV}` gave {returncode}: {output.strip()}")
    fresh = {"python": python.version, "wish": wish or ""}
    write_stamp(fresh)
    return fresh


def install(stamp: dict[str, str], key: str, files: list[str]) -> None:
    """pip install, once for each content of the requirement files."""
    wanted = digest(*files)
    if stamp.get(key) == wanted:
        return
    with Step(f"Install {' and '.join(files)} into .venv", "the Python package index, about 1 minute"):
        arguments = ["install", "--progress-bar", "off"]
        for name in files:
            arguments += ["-r", name]
        pip(VENV / "bin" / "python", f"installing {' and '.join(files)}", arguments)
    stamp[key] = wanted
    write_stamp(stamp)


def fetch_wheel(version: str, sha256: str) -> Path:
    """The `ansible` wheel, kept in .cache/wheels; it is used only when it is the one whose digest we know."""
    folder = CACHE / "wheels"
    wheel = folder / f"ansible-{version}-py3-none-any.whl"
    if not wheel.exists():
        arguments = ["download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off"]
        arguments += ["--dest", str(folder), f"ansible=={version}"]
        pip(VENV / "bin" / "python", f"downloading ansible {version}", arguments)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        wheel.unlink()
        fail(f"{wheel.name} has sha256 {found}, expected {sha256}: the mirror gave another file; it was removed")
    return wheel


def unpack(wheel: Path, destination: Path) -> None:
    prefixes = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in WANTED)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(destination, [name for name in archive.namelist() if name.startswith(prefixes)])


def make_collections(python_version: str) -> None:
    """The three collections from the wheel; put in place by one rename each, so that a killed run leaves no half."""
    version, sha256 = ANSIBLE_FOR_311 if python_version == "3.11" else ANSIBLE
    stamp = COLLECTIONS / STAMP
    wanted = json.dumps({"ansible": version, "collections": WANTED})
    present = all((TREE / name.replace(".", "/") / "MANIFEST.json").exists() for name in WANTED)
    if present and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    with Step(f"Get {', '.join(WANTED)}", f"the Python package index: ansible {version}, 51 MB"):
        fresh = COLLECTIONS / "unpacking"
        shutil.rmtree(fresh, ignore_errors=True)
        unpack(fetch_wheel(version, sha256), fresh)
        for name in WANTED:
            target = TREE / name.replace(".", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            (fresh / target.relative_to(COLLECTIONS)).rename(target)
        shutil.rmtree(fresh)
        stamp.write_text(wanted, encoding="utf-8")


def link_checkout() -> None:
    """Ansible finds the checkout as gpuready.bootstrap through this link."""
    link = TREE / "gpuready" / "bootstrap"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        if link.exists():
            fail(f"{link} is a copy and would hide this checkout from Ansible: remove it and try again")
        link.symlink_to("../../..")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="install requirements-dev.txt too")
    said = os.environ.get("GPUREADY_PYTHON") or None  # for CI, which tests with several Pythons through make
    parser.add_argument("--python", metavar="PATH", default=said, help="use this one, not the newest suitable Python")
    arguments = parser.parse_args()

    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make`s at once: the second waits and then finds all done
        stamp = make_venv(read_stamp(), arguments.python)
        install(stamp, "requirements", ["requirements.txt"])
        if arguments.dev:
            install(stamp, "requirements_dev", ["requirements.txt", "requirements-dev.txt"])
        make_collections(stamp["python"])
        link_checkout()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; run it again to continue")
