# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""keeper.py up|down NAME: the virtual machine of this scenario, made as that of tests/driver, but without a card.

It has to outlive the playbook that starts it, so a process of its own keeps it: the machine ends with its keeper.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "driver"))

import machines
import vm

SOURCES = PROJECT / "sandbox" / "vm"
KEY = machines.CACHE / "id_ed25519"
KEEPERS = machines.CACHE / "keepers"
START_S = 600
STOP_S = 30


def main() -> int:
    action, name = sys.argv[1], sys.argv[2]
    try:
        if action == "up":
            down(name)
            up(name)
        elif action == "down":
            down(name)
        elif action == "keep":
            keep(name, Path(sys.argv[3]))
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


def up(name: str) -> None:
    """Make the disk where there is none, start the machine, and wait for ssh."""
    image = disk(rootfs())
    folder = KEEPERS / name
    folder.mkdir(parents=True)
    argv = [sys.executable, str(Path(__file__).resolve()), "keep", name, str(image)]
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (folder / "keeper.pid").write_text(str(keeper.pid))
    until = time.monotonic() + START_S
    while not (folder / "ready").exists():
        if keeper.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the virtual machine did not start: {(folder / 'keeper.log').read_text()[-3000:]}")
        time.sleep(0.2)


def keep(name: str, image: Path) -> None:
    """Start the machine, and stay until it ends or somebody ends us."""
    folder = KEEPERS / name
    one = vm.Vm(image, KEY, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        one.power_on()
        write_ssh(name, one.port, image.parent / "known_hosts")
        (folder / "ready").write_text(json.dumps({"port": one.port}))
        if one.process is not None:
            one.process.wait()
    finally:
        if one.process is not None and one.process.poll() is None:
            one.cut_power()


def down(name: str) -> None:
    """End the keeper, and with it the machine; forget what the machine has written."""
    folder = KEEPERS / name
    pid = folder / "keeper.pid"
    if pid.exists():
        end(int(pid.read_text()), name)
    shutil.rmtree(folder, ignore_errors=True)
    (machines.SANDBOX / "ssh" / f"{name}.conf").unlink(missing_ok=True)


def end(pid: int, name: str) -> None:
    """End a process if it is our keeper: the number may be somebody else's by now."""
    until = time.monotonic() + STOP_S
    while ours(pid, name):
        if time.monotonic() > until:
            raise RuntimeError(f"process {pid}, which keeps the virtual machine {name}, does not end")
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)


def ours(pid: int, name: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and os.fsencode(Path(__file__).resolve()) in words and name.encode() in words


def write_ssh(name: str, port: int, known: Path) -> None:
    """Where Ansible and testinfra look for the hosts of all scenarios."""
    lines = [f"Host {name}", "HostName 127.0.0.1", f"Port {port}", "User root", f"HostKeyAlias {vm.NAME}"]
    lines += [f"UserKnownHostsFile {known}", "StrictHostKeyChecking yes", f"IdentityFile {KEY}", "IdentitiesOnly yes"]
    # A machine that reboots must not hang us for minutes
    lines += ["ConnectTimeout 20", "ServerAliveInterval 5", "ServerAliveCountMax 6"]
    folder = machines.SANDBOX / "ssh"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.conf").write_text("\n  ".join(lines) + "\n")
    (machines.SANDBOX / "ssh_config").write_text(f"Include {folder}/*.conf\n")


def rootfs() -> Path:
    """The root file system, as tests/driver makes it; kept by content."""
    done = subprocess.run([str(SOURCES / "tools.sh")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout.strip() or done.stderr.strip())
    kernel = machines.asked("bookworm", machines.NEWEST)
    out = machines.CACHE / f"rootfs-{kernel}-{digest(SOURCES / 'rootfs.sh')}.tar"
    if not out.exists():
        machines.CACHE.mkdir(parents=True, exist_ok=True)
        run(str(SOURCES / "rootfs.sh"), machines.asked("bookworm", machines.ARCHIVE), str(out))
    return out


def disk(tar: Path) -> Path:
    """The disk, without a card; kept by content."""
    if not KEY.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gpuready-vm", "-f", str(KEY))
    public = KEY.with_suffix(".pub")
    folder = machines.CACHE / f"boot-{tar.stem}-{digest(SOURCES / 'image.sh', SOURCES / 'overlay', public)}"
    if not (folder / "complete").exists():
        for old in machines.CACHE.glob("boot-*/disk.raw"):
            old.unlink()
        run(str(SOURCES / "image.sh"), str(tar), "-", str(public), str(folder))
        (folder / "complete").touch()
    return folder / "disk.raw"


def run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(argv[0]).name} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")


def digest(*paths: Path) -> str:
    """Of names and contents, as tests/driver/conftest.py makes it: both find each other's file system."""
    found = hashlib.sha256()
    for path in paths:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in files:
            found.update(f"{one.name}\0".encode() + one.read_bytes())
    return found.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
