# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this host reach what it will be told to use, through which resolvers and proxies; and which ports are taken?"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import (
    apt_conf,
    listening,
    proxies,
    systemctl,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import json_object, mask
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import package_manager, processes
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.environment import profiles

_TIMEOUT_S = 5
_READ = 4096
_READ_ENDPOINT = 64 * 1024
_WIDTH = 48
# the kernel lists sockets that listen before the connections, of which there may be thousands
_SOCKETS = 256 * 1024
_DROP_INS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system")
_NO_NETWORK = "no network is used for root"

EMPTY: dict[str, Any] = {
    "repositories": [],
    "endpoints": [],
    "resolvers": [],
    "proxies": {"environment": {}, "apt": None, "docker": None},
    "listening": [],
}


def section(
    host: Host, repositories: Sequence[Mapping[str, Any]], endpoints: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """GET each URL, all at the same time; meanwhile read resolvers, proxies and ports. Runs in a thread."""
    found: dict[str, Any] = {
        "resolvers": [],
        "proxies": {"environment": {}, "apt": None, "docker": None},
        "listening": [],
    }
    with host.probes.watch("resolvers", "/etc/resolv.conf"):
        found["resolvers"] = re.findall(r"^\s*nameserver\s+(\S+)", host.read("/etc/resolv.conf"), re.MULTILINE)
    with host.probes.watch("proxies", "/etc/environment, /etc/profile.d, /etc/apt, docker.service.d, daemon.json"):
        found["proxies"] = _proxies(host)
    with host.probes.watch("listening", "/proc/net/tcp, /proc/net/tcp6"):
        found["listening"] = _listening(host)
    asked = _ask(host, repositories, endpoints)
    return {"repositories": asked[: len(repositories)], "endpoints": asked[len(repositories) :], **found}


def _ask(
    host: Host, repositories: Sequence[Mapping[str, Any]], endpoints: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    entries = [(entry, False) for entry in repositories] + [(entry, True) for entry in endpoints]
    answers: list[Any] = [None] * len(entries)
    began = time.monotonic()
    if host.live and entries:
        # imported here, as what they are for
        from ansible_collections.gpuready.bootstrap.plugins.module_utils import _login_proxies as login_proxies

        login_proxies.lend()
        # redirects may take several limits; what is late is told so
        wait = _TIMEOUT_S * 2 if repositories else _TIMEOUT_S + 0.5
        answers = parallel([partial(_get, *entry) for entry in entries], wait, width=_WIDTH)
    late = ("timeout", _TIMEOUT_S * 1000, "no answer in time") if host.live else (None, 0, None)
    found = [
        answer or _answer(entry, wide, status=late[0], ms=late[1], error=late[2])
        for (entry, wide), answer in zip(entries, answers)
    ]
    ms = (time.monotonic() - began) * 1000
    _note(host, "repositories", found[: len(repositories)], ms)
    _note(host, "endpoints", found[len(repositories) :], ms)
    return found


def _note(host: Host, name: str, answers: list[dict[str, Any]], ms: float) -> None:
    if not answers:
        return
    if not host.live:
        host.probes.record(name, "missing", "HTTP GET", error=f"{_NO_NETWORK} {host.root}")
        return
    bad = [answer for answer in answers if answer["status"] != "ok"]
    host.probes.record(
        name,
        bad[0]["status"] if bad else "ok",
        "HTTP GET",
        ms,
        error=f"{bad[0]['url']}: {bad[0]['error']}" if bad else None,
    )


def _get(entry: Mapping[str, Any], wide: bool) -> dict[str, Any]:
    # imported here: a host without repositories to probe does not pay for it
    import urllib.error
    import urllib.request

    began = time.monotonic()
    url = str(entry.get("url") or "")
    if not url.startswith(("http://", "https://")):
        return _answer(entry, wide, status="failed", error="only http and https can be probed")
    found: dict[str, Any] = {"status": "ok"}
    try:
        # the opener honours http_proxy, https_proxy and no_proxy, as apt's and pip's users expect
        request = urllib.request.Request(url, headers={"User-Agent": "gpuready"})
        with urllib.request.build_opener().open(request, timeout=_TIMEOUT_S) as response:
            found.update(code=int(response.status), skew=_skew(response.headers))
            found["body"] = _body(response, _READ_ENDPOINT, began) if wide else response.read(_READ)
    except urllib.error.HTTPError as exc:
        # a Docker registry answers 401 to whoever has no token yet: it is there
        there = exc.code == 401 and entry.get("kind") == "docker"
        found.update(code=exc.code, skew=_skew(exc.headers), status="ok" if there else "failed")
        found["error"] = None if there else f"HTTP {exc.code}"
        exc.close()
    except Exception as exc:
        reason = getattr(exc, "reason", exc)
        late = isinstance(reason, BaseException) and classify(reason) == "timeout"
        found.update(status="timeout" if late else "failed", error=str(reason) or type(exc).__name__)
    return _answer(entry, wide, ms=(time.monotonic() - began) * 1000, **found)


def _body(response: Any, limit: int, began: float) -> bytes:
    """Read at most `limit` bytes, and no longer than the limit of time: a slow server may send a byte a second."""
    parts = []
    while limit > 0 and time.monotonic() - began < _TIMEOUT_S:
        part = response.read1(min(limit, 16384))
        if not part:
            break
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _skew(headers: Any) -> float | None:
    """Return how many seconds the local clock is ahead of a server's. A cached answer says its age."""
    date = _date(headers.get("Date") if headers is not None else None)
    age = str(headers.get("Age") or "0") if headers is not None else "0"
    if date is None:
        return None
    # Date has no fractions
    return round(time.time() - date - 0.5 - (int(age) if age.isascii() and age.isdigit() else 0), 1)


def _date(value: Any) -> float | None:
    """Return the time of an HTTP or RFC 5322 date."""
    from email.utils import mktime_tz, parsedate_tz

    try:
        parsed = parsedate_tz(str(value)) if value else None
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _release(body: bytes, field: str) -> str | None:
    """Return a date of an InRelease file as ISO 8601."""
    revision = re.search(rb"<revision>(\d{9,11})</revision>", body[:2048]) if b"<repomd" in body[:512] else None
    if revision and field == "Date":
        # repomd.xml of a dnf repository: createrepo numbers revisions by the time
        return systemctl.iso(int(revision.group(1)))
    if b"\nDate:" not in body[:8192] and not body.startswith(b"Date:"):
        return None
    match = re.search(rf"^{field}: (.{{1,60}})$", body[:8192].decode("utf-8", "replace"), re.MULTILINE)
    date = _date(match.group(1).strip()) if match else None
    return None if date is None or not 0 <= date < 2**33 else systemctl.iso(date)


def _answer(
    entry: Mapping[str, Any],
    wide: bool,
    status: str | None = None,
    ms: float = 0,
    code: int | None = None,
    error: str | None = None,
    skew: float | None = None,
    body: bytes = b"",
) -> dict[str, Any]:
    answer = {
        "name": str(entry.get("name") or ""),
        "url": mask(str(entry.get("url") or "")),
        "status": status,
        "http_status": code,
        "ms": round(ms),
        "error": mask(error),
        "skew_s": skew,
    }
    if not wide:
        return answer
    released, until = _release(body, "Date"), _release(body, "Valid-Until")
    return {"kind": str(entry.get("kind") or ""), **answer, "released": released, "valid_until": until}


def _proxies(host: Host) -> dict[str, Any]:
    pairs = [pair for path in profiles(host) for pair in proxies.assignments(host.text(path) or "", ("_proxy",))]
    settings = package_manager.apt_settings(host)
    apt = apt_conf.value(settings, "Acquire::http::Proxy") or apt_conf.value(settings, "Acquire::https::Proxy")
    try:
        daemon: Any = json_object(host.text("/etc/docker/daemon.json") or "{}").get("proxies")
    except ValueError:
        daemon = None
    return {
        "environment": proxies.select(pairs),
        "apt": proxies.hidden(apt) if apt else None,
        "docker": proxies.docker(_docker_environment(host), daemon),
    }


def _docker_environment(host: Host) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for base in _DROP_INS:
        folder = f"{base}/docker.service.d"
        for name in host.names(folder):
            if name.endswith(".conf"):
                # a file in /etc replaces the one of its name elsewhere
                found[name] = host.text(f"{folder}/{name}") or ""
    text = "\n".join(found[name] for name in sorted(found))
    # systemd.exec(5): what such a file says goes before Environment=
    files = [path.lstrip("-") for path in re.findall(r"^\s*EnvironmentFile=\s*(-?/[^\s*?]+)", text, re.MULTILINE)]
    more = [pair for path in files for pair in proxies.assignments(host.text(path) or "")]
    return proxies.unit_environment(text) + more


def _listening(host: Host) -> list[dict[str, Any]]:
    found = []
    for name in ("tcp", "tcp6"):
        path = f"/proc/net/{name}" if host.live else f"/proc/self/net/{name}"
        if not host.live and not host.exists(path):
            path = f"/proc/net/{name}"
        if name == "tcp" or host.exists(path):
            found += listening.parse(host.read(path, _SOCKETS))
    owners = processes.scan(host).owners if not host.live or os.geteuid() == 0 else {}
    seen: dict[tuple[int, str, int | None], dict[str, Any]] = {}
    for entry in found:
        pid = owners.get(entry["inode"])
        comm = host.text(f"/proc/{pid}/comm") if pid else None
        # SO_REUSEPORT: one process may listen several times
        seen.setdefault(
            (entry["port"], entry["address"], pid),
            {"port": entry["port"], "address": entry["address"], "pid": pid, "comm": comm},
        )
    return [seen[key] for key in sorted(seen, key=lambda key: (key[0], key[1], key[2] or 0))]
