# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Predict where apt would refuse all sources: one address and suite with two different Signed-By, in any two files."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_sources


def conflicts(texts: Mapping[str, str]) -> frozenset[str]:
    """One phrase for each pair. An entry without Signed-By beside one with it only makes apt warn, so it is none.

    texts: the source files by path.
    """
    seen: dict[tuple[str, str], dict[str, str]] = {}
    found = set()
    for path, text in texts.items():
        parse = apt_sources.deb822 if path.endswith(".sources") else apt_sources.one_line
        for entry in parse(text, path):
            key = entry["signed_by"]
            if not entry["enabled"] or key is None:
                continue
            for place in ((uri.rstrip("/"), suite) for uri in entry["uris"] for suite in entry["suites"]):
                others = seen.setdefault(place, {})
                others.setdefault(key, path)
                for other, where in others.items():
                    if other != key:
                        found.add(f"{' '.join(place)} with {other} in {where} and with {key} in {path}")
    return frozenset(found)
