# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find apt sources that name the same repository with another keyring: apt then refuses to read any source at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_sources

SOURCES = "/etc/apt/sources.list"
# `uname -m` -> `dpkg --print-architecture`
DEB_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def other_keyrings(
    gate: FileGate, uris: Sequence[str], suites: Sequence[str], signed_by: str, own_file: str
) -> list[str]:
    """Files, with their keyring, that give one of the addresses and suites another Signed-By than ours.

    One entry without Signed-By beside one with it only makes apt warn, so it is no conflict.
    """
    wanted = {(_same_uri(uri), _same_suite(suite)) for uri in uris for suite in suites}
    found = set()
    for entry in _entries(gate, own_file):
        theirs = {(_same_uri(uri), _same_suite(suite)) for uri in entry["uris"] for suite in entry["suites"]}
        if entry["enabled"] and entry["signed_by"] not in (None, signed_by) and wanted & theirs:
            found.add(f"{entry['file']} (Signed-By {entry['signed_by']})")
    return sorted(found)


def _entries(gate: FileGate, own_file: str) -> Iterator[dict[str, Any]]:
    folder = gate.real(SOURCES + ".d")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for path in (SOURCES, *(f"{SOURCES}.d/{name}" for name in names)):
        if path == own_file or not path.endswith((".list", ".sources")):
            continue
        yield from _parsed((gate.read(path) or b"").decode("utf-8", "replace"), path)


def conflicts(texts: Mapping[str, str]) -> frozenset[str]:
    """One phrase for each pair of entries, in any two source files, that have one address and suite and two keyrings.

    texts: the source files by path.
    """
    seen: dict[tuple[str, str], dict[str, str]] = {}
    found = set()
    for path, text in texts.items():
        for entry in _parsed(text, path):
            key = entry["signed_by"]
            if not entry["enabled"] or key is None:
                continue
            for place in ((_same_uri(uri), _same_suite(suite)) for uri in entry["uris"] for suite in entry["suites"]):
                others = seen.setdefault(place, {})
                others.setdefault(key, path)
                for other, where in others.items():
                    if other != key:
                        found.add(f"{' '.join(place)} with {other} in {where} and with {key} in {path}")
    return frozenset(found)


def _parsed(text: str, path: str) -> Sequence[dict[str, Any]]:
    return (apt_sources.deb822 if path.endswith(".sources") else apt_sources.one_line)(text, path)


def _same_uri(uri: str) -> str:
    """A form in which two spellings are equal. apt compares after it has put its architecture in (sources.list(5))."""
    machine = os.uname().machine
    return uri.replace("$(ARCH)", DEB_ARCHITECTURES.get(machine, machine)).rstrip("/").lower()


def _same_suite(suite: str) -> str:
    return suite[2:] or "/" if suite.startswith("./") else suite
