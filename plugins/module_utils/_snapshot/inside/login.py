# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person who logs in by ssh finds: environment, package indexes, locale. Part of the probe: Python 3.6."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import (
    mask_url,
    pairs_of,
    run_program,
    text_or_none,
)

_MARK = "--gpuready-environment--"
_PATHS = ("PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "PYTHONPATH")
_NAMES = re.compile(
    r"(?:PATH|LD_LIBRARY_PATH|LIBRARY_PATH|CUDA_\w+|NVIDIA_\w+|HF_ENDPOINT|HF_HOME|(?:https?|no|all|ftp)_proxy)$",
    re.IGNORECASE,
)
# Read when a container is made, or only by people: in a session they do nothing
_IDLE = re.compile(
    r"(?:NVIDIA_(?:VISIBLE_DEVICES|DRIVER_CAPABILITIES|REQUIRE_\w+|DISABLE_REQUIRE|PRODUCT_NAME|\w*VERSION)|CUDA_\w*VERSION)$"
)
# what a name says that it is secret must not leave, even if it begins like the others
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL", re.IGNORECASE)
# OpenSSH's own (configure, "default PATH"); Debian sets the same for users
_ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/games"


def login_environment(user: tuple[str, str, str], session: dict[str, Any] | None) -> dict[str, str]:
    """Return the environment of a login shell that starts as sshd starts it. `user`: (name, home, shell)."""
    name, home, shell = user
    if os.path.basename(shell) in ("nologin", "false", ""):
        raise OSError(f"the user {name} has no login shell")
    env = {"HOME": home, "USER": name, "LOGNAME": name, "SHELL": shell, "TERM": "dumb"}
    env["PATH"] = _ROOT_PATH if os.geteuid() == 0 else _USER_PATH
    if session is None or session["pam"]:
        env.update(_pam_environment(text_or_none("/etc/environment") or ""))
    for entry in (session or {}).get("setenv", []):
        key, _equals, value = entry.partition("=")
        env[key] = value
    rc, out, _err = run_program([shell, "-l", "-c", "echo; echo " + _MARK + "; env -0"], 5, env)
    if _MARK not in out:
        raise OSError(f"the login shell of {name} ended with {rc}")
    return pairs_of(out.rpartition(_MARK + "\n")[2])


def _pam_environment(text: str) -> dict[str, str]:
    """Parse /etc/environment as pam_env does: NAME=value, quotes around the value are dropped."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)", line)
        if match:
            found[match.group(1)] = match.group(2).strip().strip("\"'")
    return found


def compare_environments(container: dict[str, str], login: dict[str, str]) -> dict[str, Any]:
    """Return the names that a login lacks, and how others differ: for search paths what is lacking in them."""
    missing, different = [], {}
    for name in sorted(container):
        if not _NAMES.match(name) or _IDLE.match(name) or _SECRET.search(name) or not container[name]:
            continue
        if name not in login:
            missing.append(name)
        elif name in _PATHS:
            there = login[name].split(":")
            lacking = [part for part in container[name].split(":") if part and part not in there]
            # sbin is of no use to a user, and every login shell of Debian drops it
            lacking = [part for part in dict.fromkeys(lacking) if not part.endswith("/sbin")]
            if lacking:
                different[name] = ":".join(lacking)[:500]
        elif login[name] != container[name]:
            different[name] = mask_url(login[name])
    return {"missing": missing, "different": different}


def package_indexes(env: dict[str, str], home: str) -> dict[str, Any]:
    """Return the configured index of pip, uv, conda and Hugging Face; None where nothing is configured."""
    config = env.get("XDG_CONFIG_HOME") or home + "/.config"
    found = {
        "pip": env.get("PIP_INDEX_URL") or _pip_index(env, home, config),
        "uv": env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or _uv_index(env, config),
        "conda": _conda_channel(env, home, config),
        "hf": env.get("HF_ENDPOINT"),
    }
    return {name: mask_url(value) if value else None for name, value in found.items()}


def _pip_index(env: dict[str, str], home: str, config: str) -> str | None:
    # pip's order: the environment's own file wins over the user's, that over the machine's
    paths = [env.get("PIP_CONFIG_FILE", ""), env.get("VIRTUAL_ENV", "") + "/pip.conf", config + "/pip/pip.conf"]
    for path in [*paths, home + "/.pip/pip.conf", "/etc/pip.conf", "/etc/xdg/pip/pip.conf"]:
        match = re.search(r"^\s*index[-_]url\s*[=:]\s*(\S+)", _config_text(path), re.MULTILINE)
        if match:
            return match.group(1)
    return None


def _uv_index(env: dict[str, str], config: str) -> str | None:
    for path in (env.get("UV_CONFIG_FILE", ""), config + "/uv/uv.toml", "/etc/uv/uv.toml"):
        text = _config_text(path)
        match = re.search(r"^\s*index-url\s*=\s*[\"']([^\"']+)", text, re.MULTILINE)
        for table in re.split(r"^\s*\[\[index\]\]", text, flags=re.MULTILINE)[1:]:
            body = re.split(r"^\s*\[", table, flags=re.MULTILINE)[0]
            if match is None and re.search(r"^\s*default\s*=\s*true", body, re.MULTILINE):
                match = re.search(r"^\s*url\s*=\s*[\"']([^\"']+)", body, re.MULTILINE)
        if match:
            return match.group(1)
    return None


def _conda_channel(env: dict[str, str], home: str, config: str) -> str | None:
    """Return the first of default_channels, channel_alias and channels that is a URL or a name."""
    paths = [env.get("CONDARC", ""), home + "/.condarc", config + "/conda/.condarc"]
    paths += [
        env.get("CONDA_PREFIX", "") + "/.condarc",
        "/opt/conda/.condarc",
        "/etc/conda/.condarc",
        "/etc/conda/condarc",
    ]
    for path in paths:
        text = _config_text(path)
        for key in ("default_channels", "channel_alias", "channels"):
            match = re.search("^" + key + r":[ \t]*(?:\n\s*-\s*|\[\s*)?[\"']?([^\s\"',\]]+)", text, re.MULTILINE)
            if match and match.group(1) != "defaults":
                return match.group(1)
    return None


def _config_text(path: str) -> str:
    return text_or_none(path) or "" if path.startswith("/") else ""


def locale_of(env: dict[str, str]) -> dict[str, Any]:
    """Return the language and the time zone of a session."""
    zone = env.get("TZ") or text_or_none("/etc/timezone")
    if not zone:
        target = os.path.realpath("/etc/localtime")
        zone = target.partition("/zoneinfo/")[2] or None
    return {"lang": env.get("LC_ALL") or env.get("LANG") or None, "tz": zone}


def quiet_login(user: tuple[str, str, str], session: dict[str, Any] | None, errors: dict[str, list[str]]) -> Any:
    """Return the login environment, or None and why."""
    try:
        return login_environment(user, session)
    except subprocess.TimeoutExpired:
        errors["login"] = ["timeout", "the login shell did not end within 5 s"]
    except OSError as exc:
        errors["login"] = ["failed", str(exc)]
    return None
