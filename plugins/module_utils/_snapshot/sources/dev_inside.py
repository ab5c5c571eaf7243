# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look into a dev container from inside: as root for what only root reads, as its user for what the user sees.

Root's look uses an interpreter that belongs to root: the one in the user's environment would run the user's code
as root. Where the login user is root, one look does both.
"""

from __future__ import annotations

import calendar
import json
import time
from functools import partial
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import bundle
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.docker_api import as_dict
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

# (argv, user) -> (rc, output)
Execute = Callable[..., "tuple[int | None, str]"]

_USER_SHELL = (
    'rc=127; for p in python python3 /usr/bin/python3; do command -v "$p" >/dev/null 2>&1 || continue; '
    '"$p" -c "$0" "$1" && exit 0; rc=$?; done; exit $rc'
)
# -I -S: nothing of the environment, the working folder or site-packages is imported; -O: the file is root's own
_ROOT_SHELL = (
    "for p in /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python /opt/conda/bin/python3 "
    '/root/miniconda3/bin/python3; do [ -x "$p" ] && [ -O "$p" ] && exec "$p" -I -S -c "$0" "$1"; done; exit 127'
)
_ROOT_NAMES = ("", "0", "root")
# what the user's look gives as it is in the snapshot
FIELDS = (
    "capabilities",
    "smi",
    "cuda_image",
    "libcuda",
    "driver_version",
    "envs",
    "shm_mib",
    "ulimits",
    "cgroup",
    "ssh_environment",
    "mounts",
    "persistent",
    "indexes",
    "locale",
)


def container_facts(inspect: dict[str, Any]) -> tuple[str, float | None]:
    """Return the user that a container runs as, and when it was made (seconds)."""
    user = str(as_dict(inspect.get("Config")).get("User") or "").partition(":")[0]
    try:
        # "2026-11-22T03:10:02.123456789Z"
        created = calendar.timegm(time.strptime(str(inspect.get("Created"))[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return user, None
    return user, float(created)


def look_into(
    host: Host, entry: dict[str, Any], run: Execute, user: str, created: float | None, first: bool = False
) -> None:
    """Fill the entry by one or two looks. `first`: the first process has the environment, not this one."""
    wish: dict[str, Any] = {"created": created, "first": first}
    if user in _ROOT_NAMES:
        (looked,) = _look(host, entry, [(run, user, _USER_SHELL, {**wish, "parts": ["user", "root"]}, "inside")])
        rooted = looked
    else:
        as_root = {**wish, "parts": ["root"], "users": ["root", user]}
        work = [
            (run, user, _USER_SHELL, {**wish, "parts": ["user"]}, "inside"),
            (run, "root", _ROOT_SHELL, as_root, "root"),
        ]
        looked, rooted = _look(host, entry, work)
    _fill(entry, looked)
    entry["known_passwords"] = _names(rooted.get("known_passwords"))
    entry["sshd"] = merge_sshd(looked.get("sshd"), rooted.get("sshd"), str(looked.get("name") or user or "root"))


def _look(host: Host, entry: dict[str, Any], work: list[Any]) -> list[dict[str, Any]]:
    answers = parallel([partial(_one, host, entry["name"], *item) for item in work], host.runner.timeout + 1)
    found = []
    for answer, item in zip(answers, work):
        if answer is None:
            _record(host, entry["name"], item[4], "timeout", "the look did not end in time")
        found.append(answer or {})
    return found


def _one(host: Host, name: str, run: Execute, user: str, shell: str, wish: dict[str, Any], what: str) -> dict[str, Any]:
    began = time.monotonic()
    rc, output = run(["/bin/sh", "-c", shell, bundle.script(), json.dumps(wish)], user)
    ms = (time.monotonic() - began) * 1000
    if rc != 0:
        status, reason = ("missing", "no Python 3") if rc in (126, 127) else ("failed", _tail(output))
        status = "timeout" if rc is None and "timed out" in output else status
        _record(host, name, what, status, reason, ms, rc)
        return {}
    try:
        found = as_dict(json.loads(output.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        _record(host, name, what, "unparsable", "the look gave no JSON", ms, rc)
        return {}
    _record(host, name, what, "ok", None, ms, rc)
    for part, problem in as_dict(found.get("errors")).items():
        _record(host, name, str(part), str(problem[0]), str(problem[1]))
    return found


def _tail(output: str) -> str | None:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else None


def _record(
    host: Host, name: str, what: str, status: str, error: str | None, ms: float = 0, rc: int | None = None
) -> None:
    host.probes.record(f"dev.{name}.{what}", status, "a look from inside", ms, rc, mask(error))


def _fill(entry: dict[str, Any], looked: dict[str, Any]) -> None:
    for field in FIELDS:
        if looked.get(field) is not None:
            entry[field] = mask(looked[field])
    python = looked.get("python")
    if isinstance(python, dict):
        entry["python"] = {"version": python["version"], "packages": python["packages"]}
        entry["torch"] = python["torch"]


def _names(value: Any) -> list[str] | None:
    return [str(item) for item in value] if isinstance(value, list) else None


def merge_sshd(mine: Any, roots: Any, user: str) -> dict[str, Any] | None:
    """Join what the user and root can tell of sshd: the one whom sshd itself answered knows its settings."""
    views = [view for view in (mine, roots) if isinstance(view, dict)]
    if not views:
        return None
    best = next((view for view in views if view.get("asked")), views[-1])
    shared = [view["host_keys_shared"] for view in views if view.get("host_keys_shared") is not None]
    keys: dict[str, Any] = {}
    for view in views:
        for name, count in as_dict(view.get("keys")).items():
            keys[name] = count if count is not None else keys.get(name)
    names = {user} if best["permit_root_login"] == "no" else {user, "root"}
    counts = [keys.get(name) for name in names]
    known = [count for count in counts if count is not None]
    return {
        "permit_root_login": best["permit_root_login"],
        "password_authentication": best["password_authentication"],
        # of a user whose file cannot be read nothing is known: then the sum is not, either
        "authorized_keys": sum(known) if len(known) == len(counts) or sum(known) else None,
        "host_keys_shared": any(shared) if shared else None,
        "error": mask(best.get("error")),
    }
