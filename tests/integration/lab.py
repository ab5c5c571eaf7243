# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sandbox hosts, the road, and what it changed: looked at from outside, over ssh and through Ansible's own output."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STATE = PROJECT / ".sandbox"
KEY = STATE / "id_ed25519"
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?:gpuready\.bootstrap\.)?(.*?)\] \*+$")


@dataclass(frozen=True)
class Run:
    """One run of a playbook: exit status, output, and the names of the tasks that changed something."""

    rc: int
    output: str
    changed: tuple[str, ...]

    @property
    def errors(self) -> str:
        """The lines that say what went wrong."""
        return "\n".join(line for line in self.output.splitlines() if line.startswith(("fatal:", "[ERROR]", "ERROR")))


def environment() -> dict[str, str]:
    """An environment in which Ansible prints plain text, and starts hosts that keep byte code (sandbox/README.md)."""
    return {
        "SANDBOX_KEEP_COMPILED": "1",
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "COLUMNS": "160",
    }


def changed_tasks(output: str) -> tuple[str, ...]:
    """Names of the tasks that report a change, as `role : Task`."""
    name, changed = "", []
    for line in output.splitlines():
        task = TASK.match(line)
        if task:
            name = task.group(1)
        elif line.startswith("changed: ["):
            changed.append(name)
    return tuple(dict.fromkeys(changed))


def play(*arguments: str, timeout: int = 900) -> Run:
    """Run ansible-playbook in the project; what it builds of the same sources in each run, it builds once."""
    done = subprocess.run(
        ["ansible-playbook", *arguments],
        cwd=PROJECT,
        env={**environment(), "ANSIBLE_CALLBACK_PLUGINS": str(PROJECT / "molecule" / "shared" / "callback")},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    output = done.stdout + done.stderr
    return Run(done.returncode, output, changed_tasks(output))


def make_site() -> str:
    """Run `make site` and return what it printed."""
    done = subprocess.run(["make", "site"], cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"make site gave {done.returncode}: {done.stdout[-6000:]}{done.stderr[-2000:]}")
    return done.stdout


class Host:
    """A sandbox host, over ssh."""

    def __init__(self, name: str, inventory: str) -> None:
        self.name, self.inventory = name, inventory

    def ssh(self, command: str, *options: str, check: bool = True, stdin: str | None = None) -> str:
        """Run a command on the host and return what it printed; with `check` its failure is ours."""
        argv = ["ssh", "-F", str(STATE / "ssh_config"), "-o", "LogLevel=ERROR", *options, self.name, command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, input=stdin, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {command!r} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def site(self, *extra: str) -> Run:
        """Walk the whole road on this host."""
        return play("site.yml", "-i", self.inventory, "-l", self.name, *extra)

    def footprint(self) -> str:
        """What the machine is made of: files in /etc, packages, units that run, containers and images."""
        return self.ssh(
            "find /etc /opt /var/lib/gpuready -type f -exec sha256sum {} + 2>/dev/null | sort; dpkg-query -W;"
            " systemctl list-units --plain --no-legend --type=service --state=running | awk '{print $1}';"
            " docker ps -a --no-trunc --format '{{.ID}} {{.State}}' 2>/dev/null; docker images -q 2>/dev/null; :"
        )


def start(name: str, inventory: str, *extra: str) -> Host:
    """Start a fresh sandbox host."""
    subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)
    run = play("sandbox/up.yml", "-e", f"sandbox_name={name}", *extra)
    assert run.rc == 0, run.output
    return Host(name, inventory)
