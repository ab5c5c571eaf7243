# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts and run-time files of the development environment, as texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load, read


def script(name: str) -> str:
    """A file of data/dev_env/stages, such as "apt.sh"."""
    return read(f"dev_env/stages/{_stored(name)}")


def template(name: str) -> str:
    """A file of data/dev_env/rootfs; words between two @ are places to fill."""
    return read(f"dev_env/rootfs/{_stored(name)}")


def _stored(name: str) -> str:
    """Programs of the environment are not modules of the collection, which tools would import and check."""
    return f"{name}.in" if name.endswith(".py") else name


def uv_lock() -> str:
    """uv itself, by its sums."""
    return read("dev_env/uv.txt")


def needed(what: str) -> list[str]:
    """Packages of the distribution that a part of the environment needs."""
    found: list[str] = load("dev_env/needed")[what]
    return list(found)


def fill(text: str, words: Mapping[str, str]) -> str:
    """A template with its places filled. An unknown place is an error of ours and stays visible to the tests."""
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    return text


def checksum(value: Any) -> str:
    """SHA-256 of a value that JSON can hold, the same for equal values."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
