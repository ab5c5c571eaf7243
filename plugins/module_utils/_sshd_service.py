# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running sshd, its reload, and a guard on the host that puts former settings back unless somebody comes in again.

With systemd the guard is a transient timer (systemd-run(1), --on-active), without it a sleeping process of its own
session; both outlive the connection that armed them. A reboot ends both: sshd has checked the settings then in force.
A socket-activated sshd (Ubuntu 22.10 and newer: Ubuntu's notice "SSHd now uses socket-based activation") listens where
ssh.socket says, and takes no notice of Port; a socket cannot be restarted while its service runs (systemd.socket(5)).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line

UNIT = "gpuready-sshd-guard"
GUARD = "/run/gpuready-sshd"
SOCKET_DROP_IN = "/etc/systemd/system/{socket}.d/gpuready.conf"


class ServiceError(Exception):
    """The daemon could not be reloaded, or guarded; the text is one sentence for the user."""


class Daemon(NamedTuple):
    """How sshd runs here."""

    systemd: bool
    unit: str  # ssh.service, sshd.service; '' without systemd
    socket: str  # the socket unit that listens in place of sshd, ''
    options: list[str]  # -o and -p of the command line, which win over all files
    main: str  # the main file
    pid: int  # of the process that listens, 0 where none does


def _active(runner: Runner, unit: str) -> bool:
    return runner.run(["systemctl", "is-active", "--quiet", unit]).status == "ok"


def listener(proc: str = "/proc") -> tuple[int, list[str]]:
    """Process id and arguments of the sshd that listens; its title is 'sshd: /usr/sbin/sshd -D [listener] 0 of ...'."""
    for name in sorted((n for n in os.listdir(proc) if n.isdigit()), key=int):
        try:
            with open(f"{proc}/{name}/cmdline", "rb") as stream:
                text = stream.read().decode("utf-8", "replace").replace("\0", " ").strip()
        except OSError:
            continue
        found = re.fullmatch(r"sshd: (\S*sshd\b.*) \[listener\].*", text)
        if found:
            return int(name), shlex.split(found.group(1))[1:]
    return 0, []


def options_of(arguments: list[str]) -> tuple[list[str], str]:
    """Options of sshd's command line that settings cannot overrule, and its main file (sshd(8))."""
    kept, main, rest = [], "", list(arguments)
    while rest:
        word = rest.pop(0)
        if word[:2] in ("-o", "-p", "-f", "-h"):
            value = word[2:] or (rest.pop(0) if rest else "")
            if word[:2] == "-f":
                main = value
            elif word[:2] != "-h":
                kept += [word[:2], value]
    return kept, main


def look(runner: Runner, main: str, proc: str = "/proc", systemd_folder: str = "/run/systemd/system") -> Daemon:
    systemd = os.path.isdir(systemd_folder)
    unit = socket = ""
    if systemd:
        # Debian and Ubuntu say ssh, all others sshd
        unit = next((name for name in ("ssh.service", "sshd.service") if _loaded(runner, name)), "")
        socket = next((name for name in ("ssh.socket", "sshd.socket") if _active(runner, name)), "")
    pid, arguments = listener(proc)
    options, own = options_of(arguments)
    return Daemon(systemd, unit, socket, options, main or own or "/etc/ssh/sshd_config", pid)


def _loaded(runner: Runner, unit: str) -> bool:
    return "loaded" in runner.run(["systemctl", "show", "-p", "LoadState", "--value", unit]).stdout


def socket_ports(runner: Runner, socket: str) -> list[str]:
    """The ports of a socket unit: Listen=[::]:22 (Stream)."""
    shown = runner.run(["systemctl", "show", "-p", "Listen", socket]).stdout
    return sorted(set(re.findall(r":(\d+) \(Stream\)", shown)), key=int)


def socket_drop_in(ports: list[str]) -> str:
    lines = ["# Managed by gpuready.bootstrap.ssh_access", "[Socket]", "ListenStream="]
    return "\n".join(lines + [f"ListenStream={port}" for port in ports]) + "\n"


def listening(ports: list[str], proc: str = "/proc") -> list[str]:
    """Those of the ports on which somebody listens: state 0A in /proc/net/tcp and tcp6 (proc(5))."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{name}", encoding="ascii") as stream:
                rows = [line.split() for line in stream.readlines()[1:]]
        except OSError:
            continue
        found |= {str(int(row[1].rpartition(":")[2], 16)) for row in rows if row[3] == "0A"}
    return [port for port in ports if port in found]


def commands(daemon: Daemon, socket_changes: bool, running: bool) -> list[list[str]]:
    """What puts the written settings in force. A reload keeps all sessions; so does a stop of the service, because its
    KillMode is process."""
    if socket_changes:
        stop = [["systemctl", "stop", daemon.unit]] if daemon.unit else []
        return [["systemctl", "daemon-reload"], *stop, ["systemctl", "restart", daemon.socket]]
    if daemon.systemd and daemon.unit:
        return [["systemctl", "reload", daemon.unit]] if running else []
    return [["kill", "-HUP", str(daemon.pid)]] if daemon.pid else []


class Guard:
    """Copies of the former files and a script that puts them back."""

    def __init__(self, runner: Runner, folder: str = GUARD) -> None:
        self.runner, self.folder = runner, folder

    def state(self) -> str:
        """armed, restored (it has put the former settings back), or ''."""
        return next((name for name in ("armed", "restored") if os.path.exists(f"{self.folder}/{name}")), "")

    def arm(self, files: dict[str, bytes | None], then: list[list[str]], seconds: int, systemd: bool) -> None:
        """files: what stands there now (None: nothing) and shall stand there again."""
        self.clear()
        os.mkdir(self.folder, 0o700)
        lines = ["#!/bin/sh", "# Puts former settings of sshd back: nobody has come in with the new ones", "set -u"]
        # one of the two wins the rename: this script, or the run that has come in again
        lines += [f"cd {shlex.quote(self.folder)} && mv armed restored 2>/dev/null || exit 0"]
        for number, (path, content) in enumerate(files.items()):
            target = shlex.quote(path)
            if content is None:
                lines.append(f"rm -f {target}")
                continue
            self._put(f"former-{number}", content, path)
            lines.append(f"cp -p former-{number} {target}.gpuready && mv -f {target}.gpuready {target}")
        for command in then:
            line = " ".join(shlex.quote(word) for word in command)
            # a daemon that has ended cannot be reloaded
            again = f" || systemctl restart {shlex.quote(command[2])}" if command[:2] == ["systemctl", "reload"] else ""
            lines.append(line + again)
        self._put("restore.sh", ("\n".join(lines) + "\n").encode(), "")
        token = str(time.time_ns())
        self._put("armed", token.encode(), "")
        self._start(seconds, systemd, token)

    def _put(self, name: str, content: bytes, like: str) -> None:
        path = f"{self.folder}/{name}"
        with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as stream:
            stream.write(content)
        if like:
            info = os.stat(like)
            os.chmod(path, info.st_mode & 0o7777)
            os.chown(path, info.st_uid, info.st_gid)

    def _start(self, seconds: int, systemd: bool, token: str) -> None:
        script = f"{self.folder}/restore.sh"
        if systemd:
            argv = ["systemd-run", f"--unit={UNIT}", f"--on-active={seconds}", "--timer-property=AccuracySec=1s"]
            done = self.runner.run([*argv, "--collect", "/bin/sh", script])
            if done.status != "ok":
                shutil.rmtree(self.folder, ignore_errors=True)
                raise ServiceError(f"the guard cannot be armed: {first_line(done.stderr) or done.error}")
            return
        # the token: a sleeper whose change was confirmed must not judge a later one
        mine = f'[ "$(cat {shlex.quote(self.folder)}/armed 2>/dev/null)" = {token} ]'
        wait = f"sleep {int(seconds)}; {mine} && exec /bin/sh {shlex.quote(script)}"
        null = subprocess.DEVNULL
        # pylint: disable-next=ansible-bad-function  # run_command would wait for it
        subprocess.Popen(["/bin/sh", "-c", wait], stdin=null, stdout=null, stderr=null, start_new_session=True)

    def restore_now(self) -> None:
        self.runner.run(["/bin/sh", f"{self.folder}/restore.sh"], timeout=60)
        self.clear()

    def confirm(self) -> bool:
        """The new settings stay. False where the guard was faster."""
        try:
            os.rename(f"{self.folder}/armed", f"{self.folder}/confirmed")
        except OSError:
            return False
        self.clear()
        return True

    def clear(self) -> None:
        if os.path.isdir(self.folder):
            self.runner.run(["systemctl", "stop", f"{UNIT}.timer"])
            shutil.rmtree(self.folder, ignore_errors=True)


def run_all(runner: Runner, todo: list[list[str]]) -> str:
    """Run commands one after the other; what the first that fails says."""
    for command in todo:
        done = runner.run(command, timeout=60)
        if done.status != "ok":
            return f"`{' '.join(command)}` failed: {first_line(done.stderr) or done.error}"
    return ""


def wait_for(ports: list[str], seconds: float = 5.0) -> list[str]:
    """Wait until somebody listens on all ports; those on which nobody does."""
    deadline = time.monotonic() + seconds
    while True:
        missing = [port for port in ports if port not in listening(ports)]
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.1)
