# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two snapshots of a host: "what is different since it worked"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# changes with every look, says nothing about a cause
_VOLATILE = re.compile(
    r"^(collected_at|collector\.(total_ms|own_ms)|probes\..*\.ms|raw(\..*)?"
    r"|gpus\[.*\]\.(temperature_c|temperature_margin_c|temperature_memory_c|power_draw_w|memory_used_mib|pstate|idle"
    r"|processes.*|clocks\.(sm|memory)_mhz|throttle\..*|pcie\.(gen_current|replays)|uuid)"
    r"|pci\.gpus\[.*\]\.(link\.speed_current_gts|power_state|aer\..*)"
    r"|storage\.fs\[.*\]\.(free_mib|inodes_free_pct)|memory\.(available_mib|shm_mib)"
    r"|network\.(repositories|endpoints)\[.*\]\.(ms|skew_s)|time\.controller_skew_s"
    r"|network\.listening.*\.pid|processes\.gpu.*|dev\..*\.(free_mib|ms)|packages\.lock\..*)$"
)
# what names an item of a list, in this order
_NAMES = ("bdf", "path", "name", "release", "mount", "destination", "port", "file", "index", "id")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """[{path, kind: added|removed|changed, was, now}], in the order of the snapshots; volatile readings left out."""
    was, now = dict(_flat(before, "")), dict(_flat(after, ""))
    found = []
    for path in dict.fromkeys([*was, *now]):
        if _VOLATILE.match(path) or (path in was and path in now and was[path] == now[path]):
            continue
        kind = "changed" if path in was and path in now else "added" if path in now else "removed"
        found.append({"path": path, "kind": kind, "was": was.get(path), "now": now.get(path)})
    return found


def _flat(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, (list, tuple)) and any(isinstance(item, Mapping) for item in node):
        for label, item in _labelled(node):
            yield from _flat(item, f"{path}[{label}]")
    else:
        yield path, list(node) if isinstance(node, tuple) else node


def _labelled(items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Items by their own name: one that is inserted before the others must not make them all look changed."""
    seen: dict[str, int] = {}
    for position, item in enumerate(items):
        given = next((item[key] for key in _NAMES if isinstance(item, Mapping) and item.get(key) is not None), position)
        label = str(given)
        seen[label] = seen.get(label, 0) + 1
        yield (label if seen[label] == 1 else f"{label}#{seen[label]}"), item
