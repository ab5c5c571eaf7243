# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual machine: emulated hardware, a real kernel, a real boot loader, a card that does not exist."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import machines

NAME = "gpuready-vm"
# qemu64 without cx16: plain `max` can panic; rdrand: else the kernel waits for entropy
QEMU = [
    "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "qemu64,-cx16,+rdrand",
    "-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-device", "virtio-net-pci,netdev=n0,romfile=",
    "-object", "rng-random,filename=/dev/urandom,id=r0", "-device", "virtio-rng-pci,rng=r0",
]  # fmt: skip
BOOT_S = 600


class Vm(machines.Machine):
    """One machine on an overlay of the image: what it writes is thrown away with it."""

    def __init__(self, image: Path, key: Path, work: Path) -> None:
        self.image, self.work = image, work
        self.port = _free_port()
        self.console = work / "console.log"
        self.process: subprocess.Popen[bytes] | None = None
        options = ["-p", str(self.port), "-i", str(key), "-l", "root", "-o", "HostName=127.0.0.1"]
        options += ["-o", f"HostKeyAlias={NAME}", "-o", f"UserKnownHostsFile={image.parent / 'known_hosts'}"]
        options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20"]
        # A machine that reboots or loses its power must not hang us for minutes
        options += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"]
        super().__init__(NAME, options)

    def power_on(self) -> None:
        """Start it, and wait for ssh."""
        disk = self.work / "disk.qcow2"
        if not disk.exists():
            argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.image), "-F", "raw", str(disk)]
            subprocess.run(argv, check=True)
        # It ends with us, whatever ends us
        argv = ["setpriv", "--pdeathsig", "KILL", *QEMU, "-drive", f"file={disk},if=virtio,cache=unsafe,discard=unmap"]
        argv += ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:22"]
        argv += ["-serial", f"file:{self.console}"]
        with (self.work / "qemu.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait()

    def wait(self) -> None:
        """Wait for ssh."""
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until:
            assert self.process is not None and self.process.poll() is None, (self.work / "qemu.log").read_text()
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.ssh("true", timeout=30)
                return
            time.sleep(0.5)
        raise AssertionError(f"no ssh within {BOOT_S} s; console: {self._last_words()}")

    def cut_power(self) -> None:
        """Kill it as a power cut does: nothing is written back, nobody is told."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def reboot(self) -> None:
        """Boot anew, in good order."""
        before = self.ssh("cat /proc/sys/kernel/random/boot_id")
        self.ssh("systemctl reboot", check=False)
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until:
            time.sleep(1)
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                if self.ssh("cat /proc/sys/kernel/random/boot_id", timeout=30) != before:
                    return
        raise AssertionError(f"it did not come back; console: {self._last_words()}")

    def _last_words(self) -> str:
        return self.console.read_text(errors="replace")[-3000:]

    def modules(self) -> set[str]:
        """The kernel modules that are loaded."""
        return set(self.ssh("cut -d' ' -f1 /proc/modules").split())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the machine finds a folder: QEMU's 10.0.2.2 is our loopback interface."""
    handler = functools.partial(_Quiet, directory=os.fspath(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://10.0.2.2:{server.server_port}"
        finally:
            server.shutdown()
