# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in Docker's data folders, so that a setting never hides it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import DaemonError, plural
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.docker_orphans import DATA_ROOT

# What dockerd itself makes of an empty folder is no data: moby daemon/, volume/service, layer/
_CONTENT = (
    ("container", "containers", True),
    ("volume", "volumes", True),
    ("image", "image/*/imagedb/content/sha256", False),
)


def refuse_to_lose_data(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise DaemonError if `data-root` moves away from containers, volumes or images to a place that has none."""
    old, new = (str(data.get("data-root") or data.get("graph") or DATA_ROOT) for data in (before, after))
    if os.path.realpath(old) == os.path.realpath(new):
        return
    found = holdings(old)
    if found and not holdings(new):
        raise DaemonError(
            f"data-root moves from {old} to {new}, and Docker would no longer see {found} in {old}; stop Docker and "
            f"move them (systemctl stop docker.socket docker.service; rsync -aHAX --numeric-ids {old}/ {new}/), then "
            "run again"
        )


def holdings(root: str) -> str:
    """What a data folder holds, such as "2 containers, 1 volume"; empty where Docker has nothing of a user there."""
    counts = [(sum(1 for _name in _entries(root, place, folders)), word) for word, place, folders in _CONTENT]
    return ", ".join(plural(count, word) for count, word in counts if count)


def _entries(root: str, place: str, folders: bool) -> Iterator[str]:
    parent, star, rest = f"{root}/{place}".partition("/*")
    if star:
        for name in _names(parent):
            yield from _entries(f"{parent}/{name}", rest.lstrip("/"), folders)
        return
    yield from (name for name in _names(parent) if not folders or os.path.isdir(f"{parent}/{name}"))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
