# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import concurrent.futures
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import machines
import standins

VM = machines.PROJECT / "sandbox" / "vm"
DKMS_HOST = "gpuready-dkms"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What took how long, and why something was skipped."""
    terminalreporter.write_line("what took how long:")
    terminalreporter.write_line(machines.timetable())
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"skipped: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that has left something out ends with 77, so that nobody takes it for a whole one."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = 77


@pytest.fixture(scope="session")
def kernel() -> str:
    """The release of Debian 12's newest kernel, in the machine's archive today."""
    return machines.asked("bookworm", machines.NEWEST)


@pytest.fixture(scope="session")
def rootfs(kernel: str) -> Iterator[concurrent.futures.Future[Path]]:
    """The virtual machine's root file system, made while the first host compiles."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(_rootfs, kernel)


def _rootfs(kernel: str) -> Path:
    done = subprocess.run([str(VM / "tools.sh")], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        raise ImpossibleError(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    out = machines.CACHE / f"rootfs-{kernel}-{_digest(VM / 'rootfs.sh')}.tar"
    if not out.exists():
        machines.CACHE.mkdir(parents=True, exist_ok=True)
        with machines.timed("root file system of the virtual machine (beside the build)"):
            argv = [str(VM / "rootfs.sh"), machines.asked("bookworm", machines.ARCHIVE), str(out)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return out


class ImpossibleError(Exception):
    """This machine cannot do it; the text says why."""


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in files:
            digest.update(f"{one.name}\0".encode() + one.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")
def dkms(kernel: str, rootfs: concurrent.futures.Future[Path]) -> Iterator[machines.DriverHost]:
    """A Debian 12 host that shows Debian's kernel as its own, with Debian's driver, built and installed by the role."""
    try:
        with machines.timed("start a Debian 12 host"):
            machine = machines.start_host(DKMS_HOST, "bookworm", sandbox_kernel=kernel, sandbox_nouveau=True)
            machines.prepare(machine, "bookworm")
        etc, packages = machine.etc(), machine.packages()
        with machines.timed("install Debian's driver, with its build by DKMS"):
            run = machine.role(nvidia_driver_source="distribution", nvidia_driver_modules="open")
        if run.rc == 0:  # now: the tests end with taking the driver away
            with machines.timed("build the card, take the driver's parts"):
                _kept(kernel).write_bytes(_parts(machine, kernel))
        yield machines.DriverHost(machine, kernel, etc, packages, run)
    finally:
        machines.remove_host(DKMS_HOST)


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest, kernel: str) -> standins.Built:
    """What the host has built for this kernel. From the cache where only the virtual machine is tested."""
    kept = _kept(kernel)
    compiles = any(item.path.name == "test_dkms.py" for item in request.session.items)
    if compiles or not kept.exists():
        host: machines.DriverHost = request.getfixturevalue("dkms")
        assert host.run.rc == 0, host.run.errors
    folder = machines.CACHE / "built"
    standins.take(kept, folder)
    versions = dict(line.split("\t") for line in (folder / "versions").read_text().splitlines())
    return standins.Built(folder, kernel, versions)


def _kept(kernel: str) -> Path:
    machines.CACHE.mkdir(parents=True, exist_ok=True)
    return machines.CACHE / f"built-{kernel}-{_digest(VM / 'fakegpu', machines.HERE / 'host_parts.sh')}.tar"


def _parts(machine: machines.Machine, kernel: str) -> bytes:
    sources = io.BytesIO()
    with tarfile.open(fileobj=sources, mode="w") as tar:
        for path in sorted((VM / "fakegpu").iterdir()):
            tar.add(path, path.name)
    script = (machines.HERE / "host_parts.sh").read_bytes()
    machine.ssh("cat > /root/host_parts.sh", stdin=script)
    command = f"sh /root/host_parts.sh {kernel} && rm /root/host_parts.sh"
    argv = ["ssh", *machine.options, "-o", "LogLevel=ERROR", machine.name, command]
    done = subprocess.run(argv, input=sources.getvalue(), capture_output=True, check=False)
    assert done.stdout and done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def disk(rootfs: concurrent.futures.Future[Path], built: standins.Built) -> Path:
    """The virtual machine's disk; by content from the cache."""
    try:
        tar = rootfs.result()
    except ImpossibleError as reason:
        pytest.skip(str(reason))
    key = machines.CACHE / "id_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gpuready-vm", "-f", str(key)], check=True)
    card = built.folder / "taken" / "fakegpu.ko"
    content = _digest(VM / "image.sh", VM / "overlay", card, key.with_suffix(".pub"))
    folder = machines.CACHE / f"vm-{tar.stem}-{content}"
    if not (folder / "complete").exists():
        for old in machines.CACHE.glob("vm-*/disk.raw"):
            old.unlink()
        with machines.timed("disk of the virtual machine"):
            argv = [str(VM / "image.sh"), str(tar), str(card), str(key.with_suffix(".pub")), str(folder)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "complete").touch()
    return folder / "disk.raw"
