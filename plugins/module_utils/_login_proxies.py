# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies that a login on this machine would have, for a module that asks the network itself.

A module runs without them where sudo made it: sudo empties the environment, and its PAM stack on Debian 12 and 13 reads
no /etc/environment. It also does where Ansible's connection was opened before the proxies were set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import environment

PATH = environment.PATH
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def missing(text: str, have: Mapping[str, str]) -> dict[str, str]:
    """What /etc/environment (its text) says of proxies; nothing to a process that has a proxy of its own."""
    if any(have.get(name) or have.get(name.upper()) for name in _PROXIES):
        return {}
    found = {}
    for name in (*_PROXIES, "no_proxy"):
        value = _get(text, name) or _get(text, name.upper())
        if value:
            found[name] = value
    return found


def _get(text: str, name: str) -> str | None:
    try:
        return environment.get(text, name)
    except environment.EnvironmentFileError:
        return None


def lend() -> None:
    """Give them to this process and what it starts. A file that cannot be read says nothing."""
    try:
        with open(PATH, encoding="utf-8", errors="replace") as stream:
            os.environ.update(missing(stream.read(), os.environ))
    except OSError:
        return
