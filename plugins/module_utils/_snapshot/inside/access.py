# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in by ssh: sshd's settings, keys of users, host keys out of the image. Part of the probe: Python 3.6."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.places import on_volume
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import (
    folder_names,
    program,
    read_text,
    run_program,
    text_or_none,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.sshd_config import (
    SSHD_DEFAULTS,
    sshd_dump,
    sshd_summary,
    sshd_text,
)


def find_sshd() -> dict[str, Any] | None:
    """Return program, configuration file and user of sshd; of the running one, if any. None: no sshd."""
    for pid in sorted(int(name) for name in folder_names("/proc") if name.isdigit()):
        if text_or_none(f"/proc/{pid}/comm") != "sshd":
            continue
        status = text_or_none(f"/proc/{pid}/status") or ""
        # a process of a container within this one has a second number
        if re.search(r"^NSpid:\s+\d+\s+\d+", status, re.MULTILINE):
            continue
        line = (text_or_none(f"/proc/{pid}/cmdline") or "").replace("\0", " ")
        config = re.search(r"\s-f\s*(\S+)", line)
        where = re.search(r"(/\S*/sshd)\s", line + " ")
        owner = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
        return {
            "program": where.group(1) if where else program("sshd", "/usr/sbin:/usr/local/sbin:/sbin"),
            "config": config.group(1) if config else "/etc/ssh/sshd_config",
            "uid": int(owner.group(1)) if owner else None,
        }
    path = program("sshd", "/usr/sbin:/usr/local/sbin:/sbin")
    return None if path is None else {"program": path, "config": "/etc/ssh/sshd_config", "uid": None}


def sshd_view(created: float | None, users: list[tuple[str, str]]) -> dict[str, Any] | None:
    """Return what this process can tell of sshd. `users`: (name, home). `asked`: sshd itself gave the settings."""
    sshd = find_sshd()
    if sshd is None:
        return None
    settings, error = _sshd_ask(sshd)
    asked = settings is not None
    if settings is None:
        settings = sshd_text(sshd["config"], read_text)
    return dict(
        sshd_summary(settings),
        asked=asked,
        error=error,
        keys={name: _key_count(settings, name, home) for name, home in users},
        host_keys_shared=_host_keys_shared(settings.get("hostkey") or [], created),
        login=_session_settings(settings),
    )


def _sshd_ask(sshd: dict[str, Any]) -> tuple[dict[str, list[str]] | None, str | None]:
    # another user's sshd reads host keys that this process cannot read, and `sshd -T` wants them all
    wanted = 0 if sshd["uid"] is None else sshd["uid"]
    if sshd["program"] is None or wanted != os.geteuid():
        return None, None
    rc, out, err = run_program([sshd["program"], "-T", "-f", sshd["config"]], 5)
    if rc == 0:
        return sshd_dump(out), None
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return None, (lines[-1] if lines else f"sshd -T ended with {rc}")[:300]


def _session_settings(settings: dict[str, list[str]]) -> dict[str, Any]:
    """Return what sshd and PAM put into the environment of a session. It stays in this process."""
    return {
        "setenv": [entry for entry in settings.get("setenv") or [] if "=" in entry],
        "pam": (settings.get("usepam") or SSHD_DEFAULTS["usepam"])[0].lower() == "yes",
    }


def _key_count(settings: dict[str, list[str]], user: str, home: str) -> int | None:
    """Count the keys that let `user` in; None if a file is there that cannot be read."""
    count = 0
    for pattern in settings.get("authorizedkeysfile") or SSHD_DEFAULTS["authorizedkeysfile"]:
        if pattern.lower() == "none":
            continue
        path = os.path.join(home, pattern.replace("%h", home).replace("%u", user).replace("%%", "%"))
        try:
            lines = read_text(path).splitlines()
        except FileNotFoundError:
            continue
        except OSError:
            return None
        count += sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))
    return count


def _host_keys_shared(paths: list[str], created: float | None) -> bool | None:
    """Say whether a host key comes out of the image: it is older than the container and lies in no volume."""
    if created is None and os.path.exists("/.dockerenv"):
        # Docker makes this file when it makes the container
        created = os.stat("/.dockerenv").st_ctime
    found = None
    for path in paths or sorted(glob.glob("/etc/ssh/ssh_host_*_key")):
        try:
            changed = os.stat(path).st_mtime
        except OSError:
            continue
        if on_volume(path):
            found = found or False
        elif created is None:
            return None
        else:
            # a minute: clocks of the engine and of the file system are not the same to the second
            found = found or changed < created - 60
    return found
