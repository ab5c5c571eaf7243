# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine through its socket, daemon.json, and whether the device rules of GPU containers will hold."""

from __future__ import annotations

import os
import time
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import docker_api
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import json_object, mask
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import files
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.engine_api import (
    SOCKET,
    AnswerError,
    DockerAPI,
)

_PLUGIN_DIRS = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)
# Docker's own, Ubuntu's, Debian's
_COMPOSE_PACKAGES = ("docker-compose-plugin", "docker-compose-v2", "docker-compose")
# snapd mounts what is installed there; the second is where other distributions than Ubuntu have it
_SNAPS = ("/snap/docker/current", "/var/lib/snapd/snap/docker/current")
_DESKTOP = "/opt/docker-desktop"
_DAEMON_JSON = "/etc/docker/daemon.json"
_NOT_FOUND = 404
# Each start of dockerd makes this file anew
_PID_FILE = "/run/docker.pid"


def empty(host: Host) -> dict[str, Any]:
    """Return the section of a host whose engine does not answer."""
    return {
        "present": bool(host.which("dockerd", ("/usr/bin", "/usr/sbin", "/usr/local/bin"))),
        "snap": any(host.exists(path) for path in _SNAPS),
        "desktop": host.exists(_DESKTOP),
        "reachable": False,
        "error": None,
        **docker_api.engine({}, {}),
        "started_at": None,
        "restart_pending": False,
        "compose_version": None,
        "images": [],
        "containers": [],
        # docker_orphans.names, where no daemon runs
        "orphans": [],
        # docker_gpu.smoke, only on request
        "smoke": None,
    }


def collect(host: Host, path: str | None = None, asleep: Callable[[], str] = str) -> dict[str, Any]:
    """Ask the engine. The parts that other sources give are null here.

    asleep: why it must not be asked (engine_api.asleep); called only where there is a socket.
    """
    path = path or SOCKET
    found = empty(host)
    began = time.monotonic()
    reason = None if host.live else f"no socket is used for root {host.root}"
    if reason is None and not os.path.exists(path):
        reason = f"{path} does not exist"
    if reason is None:
        reason = asleep() or None
    if reason is not None:
        found["error"] = reason
        host.probes.record("docker", "missing", path, error=reason)
        return found
    api = DockerAPI(path, min(host.runner.timeout, 10))
    try:
        answers = [_Answer(api, name) for name in ("/version", "/info", "/images/json", "/containers/json?all=1")]
        version, info, images, listing = parallel([answer.fetch for answer in answers], 11)
        failed = next((answer.error for answer in answers if answer.error is not None), None)
        if failed is not None:
            raise failed
        found.update(docker_api.engine(docker_api.as_dict(version), docker_api.as_dict(info)))
        found["snap"] = found["snap"] or str(found["root_dir"]).startswith("/var/snap/")
        # its engine runs in a machine of its own, and says so
        found["desktop"] = found["desktop"] or docker_api.as_dict(info).get("OperatingSystem") == "Docker Desktop"
        found["images"] = docker_api.images(images)
        found["containers"], error = _containers(api, listing, found["version"])
        found["reachable"] = True
        host.probes.record("docker", "ok", path, (time.monotonic() - began) * 1000, error=error)
    except Exception as exc:
        found["error"] = f"{path}: {exc}"[:500]
        host.probes.record("docker", classify(exc), path, (time.monotonic() - began) * 1000, error=found["error"])
    return found


class _Answer:
    """One GET for `parallel`, which keeps what went wrong."""

    def __init__(self, api: DockerAPI, path: str) -> None:
        self._api = api
        self._path = path
        self.error: Exception | None = TimeoutError(f"GET {path}: no answer in time")

    def fetch(self) -> Any:
        try:
            value = self._api.get(self._path)
        except Exception as exc:
            self.error = exc
            return None
        self.error = None
        return value


def _containers(api: DockerAPI, listing: Any, version: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return the containers, and what went wrong with one of them.

    One that could not be looked at is told as the listing has it: taken for away, it would be stopped by those who ask
    first whether any runs.
    """
    found: list[dict[str, Any]] = []
    failed: str | None = None
    listed = [docker_api.as_dict(item) for item in docker_api.as_list(listing)]
    answers = [_Answer(api, f"/containers/{item.get('Id')}/json") for item in listed]
    for item, answer, value in zip(listed, answers, parallel([one.fetch for one in answers], 10)):
        error = answer.error
        if isinstance(value, dict):
            found.append(docker_api.container(value, version))
        elif not (isinstance(error, AnswerError) and error.status == _NOT_FOUND):
            found.append(docker_api.listed_container(item))
            failed = failed or str(error or "an answer that is no object")
        # else it was removed between the list and the look
    return sorted(found, key=lambda item: str(item["name"])), failed


def compose_version(host: Host, installed: dict[str, str]) -> str | None:
    """Return the version of the Compose plugin: its package's where there is one, because asking it costs 0.25 s."""
    source = "docker compose version --short"
    folders = [*_PLUGIN_DIRS, os.path.expanduser("~/.docker/cli-plugins")]
    if not any(host.exists(f"{folder}/docker-compose") for folder in folders):
        host.probes.record("compose", "missing", source, error="the plugin docker-compose is not installed")
        return None
    packaged = next((installed[name] for name in _COMPOSE_PACKAGES if name in installed), None)
    if packaged is not None:
        host.probes.record("compose", "ok", "package database")
        # epoch and Debian revision are not the plugin's version
        return packaged.split(":")[-1].split("-")[0]
    if not host.live:
        host.probes.record("compose", "missing", source, error=f"no command is run for root {host.root}")
        return None
    result = host.runner.run(["docker", "compose", "version", "--short"])
    host.probes.command("compose", source, result)
    return result.stdout.strip().lstrip("v") or None if result.status == "ok" else None


def restart_pending(host: Host) -> bool:
    """Say whether the running daemon is older than a setting that it reads at its start only.

    True also after a run that was killed between the change and the restart.
    """
    try:
        due = files.records(host)[_DAEMON_JSON]["meta"]["restart_due"]
        return bool(host.stat(_PID_FILE).st_mtime < float(due))
    except (OSError, ValueError, KeyError, TypeError):
        # never written by us, or the daemon does not run: its next start reads the file anyway
        return False


def daemon_json(host: Host) -> dict[str, Any]:
    """Return daemon.json with passwords in URLs masked."""
    section: dict[str, Any] = {"path": _DAEMON_JSON, "present": False, "valid": None, "error": None, "data": {}}
    if not host.exists(_DAEMON_JSON):
        host.probes.record("daemon_json", "missing", _DAEMON_JSON, error=f"{_DAEMON_JSON} does not exist")
        return section
    section["present"] = True
    try:
        text = host.read(_DAEMON_JSON)
        # dockerd takes an empty file for no settings
        section["data"] = mask(json_object(text)) if text.strip() else {}
        section["valid"] = True
        host.probes.record("daemon_json", "ok", _DAEMON_JSON)
    except (OSError, ValueError) as exc:
        status = classify(exc)
        section["valid"] = False if status == "unparsable" else None
        section["error"] = f"{_DAEMON_JSON}: {exc}"
        host.probes.record("daemon_json", status, _DAEMON_JSON, error=section["error"])
    return section
