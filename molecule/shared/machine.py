# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox host that a test breaks and mends: what it is made of, whether it would boot, runs of the role on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[2]
DIGEST = (PROJECT / "molecule" / "shared" / "etc_digest.sh").read_text()
CONVERGE = "molecule/shared/converge.yml"
TASK = re.compile(r"^TASK \[(?:gpuready\.bootstrap\.)?(?:\w+ : )?(.*?)\] \*+$")
TIMEOUT = 600
# What a machine is made of, one command a part. Package lists and logs change by themselves.
PARTS = {
    "packages": "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'",
    "holds": "apt-mark showhold",
    "boot": "find /boot -type f ! -name 'initrd*' -exec sha256sum {} + | sort",
    "images": "for i in /boot/initrd.img-*; do echo $i; lsinitramfs $i | sort; done",
    "modules": "find /lib/modules -name '*.ko*' -exec sha256sum {} + | sort",
    "ours": "find /var/lib/gpuready -type f ! -name '*.lock' -exec sha256sum {} + 2>/dev/null | sort",
    "dkms": "find /var/lib/dkms -type f 2>/dev/null | sort",
    "loaded": "cat /proc/driver/nvidia/version 2>/dev/null; cat /proc/sys/kernel/random/boot_id; ls /sys/module",
    "services": "systemctl list-units --plain --no-legend --type=service --state=running 'nvidia*' | cut -d' ' -f1",
}
MARK = "## part "


@dataclass(frozen=True)
class Run:
    """One run of a playbook."""

    rc: int
    output: str

    @property
    def changed(self) -> list[str]:
        """Names of the tasks that report a change."""
        name, found = "", []
        for line in self.output.splitlines():
            task = TASK.match(line)
            if task:
                name = task.group(1)
            elif line.startswith("changed: ["):
                found.append(name)
        return found

    @property
    def executed(self) -> int:
        """Tasks that were not skipped, as Ansible counts them."""
        return sum(int(count) for count in re.findall(r"\bok=(\d+)", self.output))

    @property
    def sentence(self) -> str:
        """What the last failure says: what a user reads."""
        said = re.findall(r"^fatal: \[[^]]+\].*?=> (\{.*\})$", self.output, flags=re.MULTILINE)
        assert said, self.output[-3000:]
        return str(json.loads(said[-1]).get("msg", ""))


class Machine:
    """One host of the scenario."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name = str(host.backend.get_pytest_id().removeprefix("ssh://"))

    def sh(self, command: str) -> str:
        """Run a command that must succeed."""
        return str(self.host.check_output("%s", command) if "%" in command else self.host.check_output(command))

    def rc(self, command: str) -> int:
        return int(self.host.run(command).rc)

    # -- the role --------------------------------------------------------------------------------------------------
    def argv(self, playbook: str, /, **variables: object) -> list[str]:
        extra = ["-e", json.dumps(variables)] if variables else []
        return ["ansible-playbook", "-i", "molecule/inventory", playbook, "-l", self.name, *extra]

    def converge(self, **variables: object) -> Run:
        """Run the role, as the scenario does."""
        return self.play(CONVERGE, **variables)

    def play(self, playbook: str, /, *options: str, **variables: object) -> Run:
        argv = [*self.argv(playbook, **variables), *options]
        done = subprocess.run(
            argv, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def module(self, name: str, /, **args: object) -> dict[str, Any]:
        """What one module of the collection answers; `failed` among it."""
        argv = ["ansible", self.name, "-i", "molecule/inventory", "-b", "-m", f"gpuready.bootstrap.{name}"]
        done = subprocess.run(
            [*argv, "-a", json.dumps(args)], cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False
        )
        head, _arrow, answer = done.stdout.partition(" => ")
        result: dict[str, Any] = json.loads(answer)
        return {**result, "failed": head.endswith("FAILED!")}

    def bare(self) -> None:
        """The state before the first installation."""
        if "nvidia" in self.packages() or self.rc("test -e /var/lib/gpuready") == 0:
            run = self.converge(nvidia_driver_state="absent")
            assert run.rc == 0, run.output[-5000:]
        assert "nvidia" not in self.packages()

    def installed(self) -> None:
        """The state after a run that had nothing to complain of."""
        run = self.converge()
        assert run.rc == 0, run.output[-5000:]

    def mended(self, **variables: object) -> None:
        """The next run ends well, and the one after it has nothing to do."""
        run = self.converge(**variables)
        assert run.rc == 0, run.output[-5000:]
        again = self.converge(**variables)
        assert (again.rc, again.changed) == (0, []), again.output[-5000:]
        assert "580.159.03" in self.sh("nvidia-smi --version; cat /proc/driver/nvidia/version")
        self.boots()

    # -- what it is made of ----------------------------------------------------------------------------------------
    def packages(self) -> str:
        return self.sh(PARTS["packages"])

    def footprint(self) -> dict[str, list[str]]:
        # one call: a connection for each part would cost more than the parts
        script = "".join(f"echo '{MARK}{name}'\n{command}\n" for name, command in PARTS.items())
        found: dict[str, list[str]] = {}
        for line in self.host.run("sh -c %s", script).stdout.splitlines():
            if line.startswith(MARK):
                found[line.removeprefix(MARK)] = part = []
            else:
                part.append(line)
        assert list(found) == list(PARTS), found
        found["etc"] = self.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
        return found

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing that lasts changes in here, and the machine would still boot."""
        before = self.footprint()
        yield
        after = self.footprint()
        changes = {name: sorted(set(before[name]) ^ set(after[name])) for name in before}
        assert {name: lines for name, lines in changes.items() if lines} == {}
        self.boots()

    def boots(self) -> None:
        """Each kernel has an image that can be opened and an entry of the boot loader; none is without a driver."""
        menu = self.sh("cat /boot/grub/grub.cfg")
        root = self.rc("grep -qs '^blacklist nouveau' /etc/modprobe.d/gpuready*") == 0
        for kernel in self.sh("ls /boot | sed -n s/^vmlinuz-//p").split():
            image = f"/boot/initrd.img-{kernel}"
            assert f"/boot/vmlinuz-{kernel}" in menu and image in menu
            listed = self.sh(f"lsinitramfs {image}").splitlines()
            assert any(path.endswith("modprobe.d") for path in listed) and len(listed) > 100, listed[:20]
            module = self.host.run(f"modinfo -F version $(find /lib/modules/{kernel} -name nvidia.ko)").stdout.strip()
            if root or self.image_holds(kernel, "blacklist nouveau"):
                assert module, f"{kernel} would start without nouveau and without nvidia"

    def image_holds(self, kernel: str, text: str) -> bool:
        """Whether our file in the initial file system has this line."""
        command = (
            f"d=$(mktemp -d); unmkinitramfs /boot/initrd.img-{kernel} $d; "
            f"grep -rhs '^{text}' --include='gpuready*' $d; rm -rf $d"
        )
        return bool(self.host.run(command).stdout.strip())

    # -- breaking it -----------------------------------------------------------------------------------------------
    def cut_power(self) -> None:
        subprocess.run(["docker", "kill", self.name], capture_output=True, check=True)

    def switch_on(self) -> None:
        subprocess.run(["docker", "start", self.name], capture_output=True, check=True)
        self.wait()

    def restart(self) -> None:
        self.cut_power()
        self.switch_on()

    def wait(self) -> None:
        argv = ["ssh", "-F", ".sandbox/ssh_config", "-o", "ControlMaster=no", "-o", "ConnectTimeout=3", self.name]
        deadline = time.monotonic() + 90
        ready = "systemctl is-active --quiet sandbox-repository && curl -sfo /dev/null http://127.0.0.1:8099/"
        while subprocess.run([*argv, ready], cwd=PROJECT, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"{self.name} does not come back"
            time.sleep(0.5)

    def inside(self, command: str) -> int:
        """Run a command without ssh."""
        argv = ["docker", "exec", self.name, "sh", "-c", command]
        return subprocess.run(argv, capture_output=True, check=False).returncode

    def start(self, **variables: object) -> subprocess.Popen[str]:
        """Start the role, and do not wait for it; kill() ends it."""
        argv = [*self.argv(CONVERGE, **variables), "--ssh-extra-args", "-o ControlMaster=no"]
        return subprocess.Popen(
            argv, cwd=PROJECT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )

    def run_until(self, condition: str, **variables: object) -> subprocess.Popen[str]:
        """Start the role, and return when a command succeeds on the host."""
        process = self.start(**variables)
        # asks for a second in one go: each `docker exec` costs more than the question, and takes it from the run
        ask = f"for turn in $(seq 20); do if {condition}; then exit 0; fi; sleep 0.05; done; exit 1"
        while self.inside(ask):
            assert process.poll() is None, f"the run ended before {condition}"
            time.sleep(0.05)
        return process


def running(command: str) -> str:
    """A condition: a command that this pattern of pgrep fits runs."""
    # [x]: the pattern must not find the shell that asks
    return f"pgrep -f '[{command[0]}]{command[1:]}'"


def environment() -> dict[str, str]:
    """An environment in which Ansible prints plain text, and the scenario's group is this one's."""
    return {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "160"}


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a run with all that it has started on this machine: workers, ssh."""
    for pid in [*descendants(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(timeout=30)


def descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found - {pid})
