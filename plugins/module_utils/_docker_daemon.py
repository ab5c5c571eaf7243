# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running Docker daemon makes of daemon.json: its flags, what it reloads, whom a restart would stop."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import time
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner

# Options that dockerd takes over at SIGHUP: moby daemon/reload.go; everything else is read at its start only.
RELOADABLE = frozenset(
    {
        "debug",
        "default-runtime",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)
# `features` is in the reload list, but these two are acted upon at the daemon's start only (moby daemon/daemon.go)
START_ONLY_FEATURES = ("cdi", "containerd-snapshotter")

# dockerd flags whose name in daemon.json is another one: dockerd reference, "Daemon configuration file"
_FLAG_KEYS = {
    "-D": "debug",
    "-G": "group",
    "-H": "hosts",
    "-b": "bridge",
    "-g": "data-root",
    "-l": "log-level",
    "-p": "pidfile",
    "-s": "storage-driver",
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "default-address-pool": "default-address-pools",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "feature": "features",
    "graph": "data-root",
    "host": "hosts",
    "http-proxy": "proxies",
    "https-proxy": "proxies",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "no-proxy": "proxies",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
# dockerd merges these from flags and file (moby daemon/config, skipDuplicates; tried with dockerd 20.10 and 26.1)
_MAY_STAND_TWICE = frozenset({"runtimes"})
_PROPERTIES = (
    "ActiveState,SubState,LoadState,NeedDaemonReload,ExecStart,Environment,EnvironmentFiles,DropInPaths,FragmentPath"
)
# What dockerd reads where its command line names no other file
CONFIG_FILE = "/etc/docker/daemon.json"
# Each start of dockerd makes this file anew
PID_FILE = "/run/docker.pid"
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


class DaemonError(Exception):
    """The daemon refuses the file, or cannot be asked; the text is one sentence for the user."""


def needed_action(before: dict[str, Any], after: dict[str, Any], keys: list[str]) -> str:
    """`reload` when SIGHUP is enough for these changed top level keys, else `restart`."""
    for key in keys:
        # a key that vanished keeps its old value over a reload: reload.go acts on keys that are set
        if key not in RELOADABLE or key not in after:
            return "restart"
    old, new = before.get("features"), after.get("features")
    old, new = (part if isinstance(part, dict) else {} for part in (old, new))
    if any(old.get(name) != new.get(name) for name in START_ONLY_FEATURES):
        return "restart"
    return "reload" if keys else "none"


class Daemon:
    """Asks systemd, dockerd and the docker client; every answer that cannot be had has a safe reading."""

    def __init__(self, runner: Runner, socket: str = "/var/run/docker.sock") -> None:
        self._runner = runner
        self._socket = socket
        self._unit = self._show()

    def look_again(self) -> None:
        """Ask systemd once more."""
        self._unit = self._show()

    def _show(self) -> dict[str, str]:
        result = self._runner.run(["systemctl", "show", "docker.service", "--no-pager", "-p", _PROPERTIES])
        pairs = (line.partition("=") for line in result.stdout.splitlines())
        return {name: value for name, _equals, value in pairs}

    @property
    def running(self) -> bool:
        """True unless systemd says that the service is down; without systemd the socket decides."""
        state = self._unit.get("ActiveState")
        if self._unit.get("SubState") == "auto-restart":  # it failed, and systemd will try again
            return False
        if state is not None:
            return state in ("active", "activating", "reloading")
        return os.path.exists(self._socket)

    @property
    def installed(self) -> bool:
        """Whether systemd knows the service."""
        return self._unit.get("LoadState") == "loaded"

    @property
    def unit_changed(self) -> bool:
        """Whether files of the service were changed since systemd read them."""
        return self._unit.get("NeedDaemonReload") == "yes"

    @property
    def began(self) -> float | None:
        """When the running daemon was started, in seconds of the host's clock; None where that cannot be seen."""
        try:
            return os.stat(PID_FILE).st_mtime if self.running else None
        except OSError:
            return None

    def config_file(self) -> str | None:
        """The configuration file that the service's command line names, if it names one."""
        found = self.flags().get("config-file", "")
        return found.partition("=")[2] or None if found else None

    def reads(self) -> str:
        """The configuration file that the daemon's next start reads."""
        return self.config_file() or CONFIG_FILE

    def flags(self) -> dict[str, str]:
        """Keys of daemon.json that are given as flags in docker.service -> the flag as written there."""
        match = re.search(r"argv\[\]=(.*?) ;", self._unit.get("ExecStart", ""))
        if match is None:
            return {}
        environment = self._environment()
        found: dict[str, str] = {}
        words = _words(_VARIABLE.sub(lambda m: environment.get(m.group(1), ""), match.group(1)))[1:]
        for word, following in zip(words, [*words[1:], ""]):
            name = word.split("=", 1)[0]
            if name == "--config-file" and "=" not in word:
                word = f"{name}={following}"
            if name.startswith("--"):
                found.setdefault(_FLAG_KEYS.get(name[2:], name[2:]), word)
            elif name[:2] in _FLAG_KEYS:
                found.setdefault(_FLAG_KEYS[name[:2]], word)
        return found

    def conflicts(self, data: dict[str, Any]) -> dict[str, str]:
        """Keys of this daemon.json that the service gives as a flag, too -> that flag. dockerd does not start then."""
        return {key: flag for key, flag in self.flags().items() if key in data and key not in _MAY_STAND_TWICE}

    def flag_source(self) -> str:
        """The files that define the service's command line."""
        paths = [self._unit.get("FragmentPath", ""), *self._unit.get("DropInPaths", "").split()]
        return ", ".join(path for path in paths if path) or "docker.service"

    def _environment(self) -> dict[str, str]:
        """Variables of the unit: Debian's docker.io puts $DOCKER_OPTS of /etc/default/docker into ExecStart."""
        pairs = [word.partition("=") for word in _words(self._unit.get("Environment", ""))]
        for path in re.findall(r"(/\S+) \(ignore_errors=", self._unit.get("EnvironmentFiles", "")):
            try:
                with open(path, encoding="utf-8", errors="replace") as handle:
                    lines = [line.strip() for line in handle]
            except OSError:
                continue  # systemd starts the unit without an optional file, too
            pairs += [line.partition("=") for line in lines if not line.startswith(("#", ";"))]
        return {name: value.strip("\"'") for name, _equals, value in pairs}

    def validate(self, content: bytes, folder: str) -> None:
        """Let dockerd itself read the new file, where it can (Docker Engine 23.0 and later)."""
        if self._runner.which("dockerd") is None:
            return
        handle, path = tempfile.mkstemp(prefix="gpuready-daemon-", suffix=".json", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            result = self._runner.run(["dockerd", "--validate", f"--config-file={path}"])
        finally:
            os.unlink(path)
        said = (result.stderr or result.stdout).strip().replace(path, "daemon.json")
        if result.status != "failed" or "unknown flag" in said:
            return
        raise DaemonError(f"dockerd refuses the new daemon.json: {said}")

    def live_restore(self) -> bool:
        """Whether the running daemon leaves its containers alone when it ends."""
        info = self._client("info", "--format", "{{.LiveRestoreEnabled}}")
        return info.status == "ok" and info.stdout.strip() == "true"

    def starts_with_live_restore(self, after: dict[str, Any]) -> bool:
        """Whether a daemon that starts with this file leaves alone the containers that it finds."""
        if after.get("live-restore") is True:
            return True
        # systemd does not show yet what a changed unit will say
        return not self.unit_changed and self.flags().get("live-restore") in ("--live-restore", "--live-restore=true")

    def reload(self, live_restore: bool = False) -> str:
        """Have the daemon read its file by signal; what went wrong, or an empty string.

        live_restore: the file switches it on, so wait until the daemon says so.
        """
        result = self._runner.run(["systemctl", "reload", "docker.service"])
        if result.status != "ok":
            return f"systemctl reload docker.service failed ({result.error})"
        deadline = time.monotonic() + 5
        while live_restore and not self.live_restore():
            if time.monotonic() > deadline:
                return "the daemon did not take live-restore over; see journalctl -u docker.service"
            time.sleep(0.1)
        return ""

    def _client(self, *words: str) -> CommandResult:
        return self._runner.run(["docker", "-H", f"unix://{self._socket}", *words])

    def stopped_by_restart(self, after: dict[str, Any], reload: bool = False) -> list[str]:
        """Names of the running containers that a restart of the daemon would stop.

        after: the file that the next start reads. The daemon that ends must leave the containers alone, and the one
        that starts, too: without live-restore it shuts down what it finds alive (moby, daemon.restore).
        reload: whether the running daemon will have been told to read that file before.
        """
        if self.starts_with_live_restore(after) and (reload or self.live_restore()):
            return []
        return self.containers()

    def containers(self) -> list[str]:
        """Names of the running containers; raises where the daemon gives no answer."""
        listing = self._client("ps", "--format", "{{.Names}}")
        if listing.status != "ok":
            raise DaemonError(f"Docker runs but cannot be asked for its containers ({listing.error})")
        return sorted(listing.stdout.split())


def _words(text: str) -> list[str]:
    """Words of a command line; one that the shell rules cannot split is cut at blanks."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def plural(count: int, word: str) -> str:
    """A number with its noun, such as "2 containers"."""
    return f"{count} {word}{'' if count == 1 else 's'}"
