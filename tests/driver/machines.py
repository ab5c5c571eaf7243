# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines whose driver is real: how to run the role on one, what it is made of, and what took how long."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SANDBOX = PROJECT / ".sandbox"
CACHE = PROJECT / ".cache" / "driver"
LOGS = PROJECT / ".cache" / "log"
HERE = Path(__file__).resolve().parent
# Bytes of files and targets of links below /etc, without what is nobody's setting: the cache that ldconfig writes anew
# whenever a library comes or goes, and the copies that useradd and userdel leave of the former passwd and its sisters
_NOBODYS = "[.]/\\(ld[.]so[.]cache\\|\\(passwd\\|group\\|g?shadow\\)-\\)"
ETC = (
    f"cd /etc && find . -regex '{_NOBODYS}' -o -type f -exec sha256sum {{}} +"
    " -o -type l -printf '%p -> %l\\n' | LC_ALL=C sort"
)
PACKAGES = "dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'"

# What fresh hosts are asked: the newest kernel of the archive, and the archive
NEWEST = (
    "apt-get update -qq && apt-cache depends linux-headers-amd64 | sed -n 's/.*Depends: linux-headers-//p' | head -n 1"
)
ARCHIVE = "sed -n 's/^deb \\(\\[[^]]*\\] \\)*\\([^ ]*\\) .*/\\2/p' /etc/apt/sources.list | head -n 1"

_clock: list[tuple[str, float]] = []


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Measure a step; the table at the end of the session shows it, also when it failed."""
    begin = time.monotonic()
    try:
        yield
    finally:
        _clock.append((what, time.monotonic() - begin))
        print(f"   {what}: {_clock[-1][1]:.1f} s", flush=True)


def timetable() -> str:
    """What took how long, in order."""
    return "\n".join(f"{seconds:7.1f} s  {what}" for what, seconds in _clock)


@dataclass(frozen=True)
class Run:
    """One run of the role: exit status, output, and how many tasks changed something."""

    rc: int
    output: str

    @property
    def changed(self) -> int:
        """The number in the recap; -1 without one."""
        found = [line for line in self.output.splitlines() if " changed=" in line and " unreachable=" in line]
        return int(found[-1].split("changed=")[1].split()[0]) if found else -1

    @property
    def errors(self) -> str:
        """The lines that say what went wrong."""
        return "\n".join(line for line in self.output.splitlines() if line.startswith(("fatal:", "[ERROR]", "ERROR")))


@dataclass
class Machine:
    """A machine that answers to ssh. `options`: how to reach it, without the name."""

    name: str
    options: list[str]
    variables: dict[str, str] = field(default_factory=dict)

    def ssh(self, command: str, check: bool = True, timeout: float = 300, stdin: bytes | None = None) -> str:
        """Run a command there and return what it printed; with `check` its failure is ours."""
        argv = ["ssh", *self.options, "-o", "LogLevel=ERROR", self.name, command]
        done = subprocess.run(argv, capture_output=True, check=False, input=stdin, timeout=timeout)
        out = done.stdout.decode(errors="replace")
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {command!r} ended with {done.returncode}: {out}{done.stderr.decode()}")
        return out.strip()

    def rc(self, command: str) -> int:
        """The exit status of a command."""
        return int(self.ssh(f"{{ {command}; }} >/dev/null 2>&1; echo $?").splitlines()[-1])

    def etc(self) -> list[str]:
        """What /etc holds, as lines to compare."""
        return self.ssh(ETC).splitlines()

    def packages(self) -> list[str]:
        """Name, version and state of each package."""
        return self.ssh(PACKAGES).splitlines()

    def command(self, **inputs: object) -> list[str]:
        """The command line that runs the role here with these inputs."""
        argv = ["ansible-playbook", str(HERE / "driver.yml"), "-i", f"{self.name},"]
        # ControlMaster: a connection that outlives a power cut would hang
        options = " ".join(self.options)
        variables = {"ansible_ssh_common_args": options, **self.variables, **inputs}
        for name, value in variables.items():
            argv += ["-e", "{" + f'"{name}": {_json(value)}' + "}"]
        return argv

    def role(self, **inputs: object) -> Run:
        """Run the role nvidia_driver here."""
        done = subprocess.run(
            self.command(**inputs), cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False
        )
        return self._logged(Run(done.returncode, done.stdout + done.stderr))

    def _logged(self, run: Run) -> Run:
        LOGS.mkdir(parents=True, exist_ok=True)
        with (LOGS / f"driver-{self.name}.log").open("a") as log:
            log.write(run.output + "\n")
        return run


def _json(value: object) -> str:
    return json.dumps(value)


def environment() -> dict[str, str]:
    """An environment in which Ansible prints plain text, and says how long each task took."""
    return {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "COLUMNS": "160",
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(CACHE / "cp"),
    }


def start_host(name: str, suite: str, **variables: object) -> Machine:
    """A fresh sandbox host of a Debian suite."""
    subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)
    wanted = {"sandbox_name": name, "sandbox_suite": suite, **variables}
    argv = ["ansible-playbook", "sandbox/up.yml"]
    for key, value in wanted.items():
        argv += ["-e", "{" + f'"{key}": {_json(value)}' + "}"]
    done = subprocess.run(argv, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Else a compiler in a container gets the time of one process of the machine, however many others there are
    subprocess.run(["docker", "update", "--cpu-shares", "8192", name], capture_output=True, check=False)
    return Machine(name, ["-F", str(SANDBOX / "ssh_config")])


def remove_host(name: str) -> None:
    """Take a sandbox host away, with its volumes."""
    subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)


def asked(suite: str, command: str) -> str:
    """What a fresh host of a suite answers to a shell command."""
    image = (SANDBOX / f"image-{suite}").read_text().strip()
    argv = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", command]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def prepare(machine: Machine, suite: str) -> None:
    """Sources as Debian's cloud images have them, main only. dpkg does not wait for the disk: that is test speed."""
    source = f"Types: deb\\nURIs: %s\\nSuites: {suite}\\nComponents: main\\n"
    source += "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\\n"
    machine.ssh(
        f"archive=$({ARCHIVE}) && : > /etc/apt/sources.list"
        f" && printf '{source}' \"$archive\" > /etc/apt/sources.list.d/debian.sources"
        " && echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/gpuready-test && apt-get update -qq"
    )


@dataclass
class DriverHost:
    """A host on which the role has run, and what the host was before."""

    machine: Machine
    kernel: str
    etc: list[str]
    packages: list[str]
    run: Run
