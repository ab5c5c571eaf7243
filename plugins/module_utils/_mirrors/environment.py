# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables for every login: single lines of /etc/environment, and a profile script of our own.

/etc/environment is read by pam_env (login, sshd, su, cron; not for sudo on Debian), and its readers differ (Linux-PAM
pam_env.c, sudo's env_file, systemd's environment.d, to which Debian links the file): "#" ends a value even inside
quotes; quotes inside a value, backslashes and "$" mean something to some. So such values are refused. Of a name that
stands twice the last one counts.

A value with a password goes to /etc/environment only, with mode 0600: pam_env runs as root for sshd, login, su and
cron, so they still hand it on. What reads the file as the user (the user's own systemd, a locked screen's PAM) does
not see the variables then. It keeps the password from services and containers, not from who can log in. The profile
script is read by the user's own shell and has to be readable for all, so it never holds one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed, proxies

PATH = "/etc/environment"
PROFILE_PATH = "/etc/profile.d/gpuready-mirrors.sh"
PROFILE_MODE = 0o644
HEAD = "# Written by gpuready; set other values in a profile of your own\n"
# Linux-PAM before 1.4 (RHEL 8) reads 1024 bytes of a line
LONGEST = 1000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BAD = re.compile(r"[\"'\\`$#]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_PAIR = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z0-9_]+)=(?P<value>[^#\n]*)")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


class EnvironmentFileError(ValueError):
    """The file or a wish is nothing that PAM could read as meant; the text names the line."""


def variables(wish: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a wish.

    Wish: rustup {dist_server, update_root}, huggingface {endpoint, disable_xet}, ca_bundle (a file),
    proxy {http, https, no_proxy}, environment {NAME: value}, which wins over the rest.
    """
    rustup, hub = wish.get("rustup") or {}, wish.get("huggingface") or {}
    endpoint, bundle = hub.get("endpoint"), wish.get("ca_bundle")
    found = {
        "RUSTUP_DIST_SERVER": rustup.get("dist_server"),
        "RUSTUP_UPDATE_ROOT": rustup.get("update_root"),
        "HF_ENDPOINT": endpoint,
        # files in Xet storage come from a host of their own, past any endpoint
        "HF_HUB_DISABLE_XET": "1" if hub.get("disable_xet", bool(endpoint)) else "",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        **proxies.environment(proxies.read(wish.get("proxy"))),
        **{name: str(value) for name, value in (wish.get("environment") or {}).items()},
    }
    return keyed.filled(found)


def secret(values: Mapping[str, Any]) -> bool:
    """Whether a value holds the credentials of an address."""
    return any(_is_secret(str(value)) for value in values.values())


def mode(values: Mapping[str, Any]) -> int | None:
    """0600 for /etc/environment with a password, else as it is."""
    return 0o600 if secret(values) else None


def _is_secret(value: str) -> bool:
    return proxies.redact(value) != value


def profile(values: Mapping[str, Any]) -> str:
    """The whole script for login shells: every variable without a password. Empty without any."""
    known = {name: value for name, value in _checked(values).items() if not _is_secret(value)}
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items())
    return HEAD + lines if lines else ""


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text of /etc/environment with these variables ({NAME: value})."""
    return _edit(text, dict(_checked(wish)))


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written, where it is still as written."""
    return keyed.undo(text, written, original, _edit, get)


def get(text: str, name: str) -> str | None:
    """The value that PAM finds for a variable; None where it is not set."""
    found = [value for other, value, _number in _pairs(_lines(text)) if other == name]
    return found[-1] if found else None


def _checked(wish: Mapping[str, Any]) -> dict[str, str]:
    values = keyed.filled(wish)
    for name, value in values.items():
        bad = _BAD.search(value)
        if not _NAME.fullmatch(name):
            raise EnvironmentFileError(f"{name!r} is no name of a variable")
        if bad or not value.isprintable():
            what = bad.group() if bad else "a sign that cannot be printed"
            raise EnvironmentFileError(
                f"the value of {name} holds {what}, which readers of {PATH} take in different ways; in an address "
                "write it as %XX"
            )
        if len(value.encode("utf-8")) + len(name) > LONGEST:
            raise EnvironmentFileError(f"the value of {name} has more than {LONGEST} bytes, which PAM would cut")
    return values


def _lines(text: str) -> list[str]:
    match = _CONTROL.search(text)
    if match:
        raise EnvironmentFileError(f"line {text.count(chr(10), 0, match.start()) + 1} holds a control character")
    return _LINE.findall(text)


def _pairs(lines: list[str]) -> list[tuple[str, str, int]]:
    """Name, value and line number (from 0); a line that continues another one (a backslash at its end) is none."""
    found, goes_on = [], False
    for number, line in enumerate(lines):
        match = None if goes_on else _PAIR.match(line)
        goes_on = line.rstrip("\r\n").endswith("\\")
        if match:
            value = match.group("value").strip()
            if value[:1] in ("'", '"'):
                value = value[1:-1] if value[-1:] in ("'", '"') else value[1:]
            found.append((match.group("name"), value, number))
    return found


def _edit(text: str, values: keyed.Values) -> str:
    for name, value in values.items():
        lines = _lines(text)
        if get(text, name) == value:
            continue
        own = [number for other, _value, number in _pairs(lines) if other == name]
        if value is not None and not own and lines and lines[-1].rstrip("\r\n").endswith("\\"):
            raise EnvironmentFileError(f"line {len(lines)} ends with a backslash, so no line can follow it")
        text = keyed.put(lines, own, None if value is None else f'{name}="{value}"', len(lines))
    return text
