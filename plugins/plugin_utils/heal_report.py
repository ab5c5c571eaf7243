# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the GPUs of running containers: device rules before and after, and nvidia-smi inside. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container.nvml import (
    compose_line,
    is_cut_off,
)

One = Mapping[str, Any]
# the shell's words for a program that cannot be run, or is not in the image
_NO_PROGRAM = (126, 127)
# the container has no GPU now
WITHOUT = ("lost", "fails")
_WOULD = {"lost": "would_heal", "loses": "would_protect"}
_NEEDS_START = (*WITHOUT, "loses")
_WORDS = {
    "healed": "had lost its GPU and has it again, until it is started again",
    "protected": "would have lost its GPU and keeps it now, until it is started again",
    "keeps": "keeps its GPU",
    # by a prediction: a run in check mode
    "would_heal": "has lost its GPU; a run without --check gives it back where it is",
    "would_protect": "will lose its GPU; a run without --check keeps it there",
    "loses": "will lose its GPU",
    "lost": "has no GPU",
    "fails": "has no GPU, for another reason",
    "ended": "has ended meanwhile",
    "not_applicable": "was left alone",
}


def report(before: Sequence[One], after: Sequence[One], docker: Sequence[One]) -> dict[str, Any]:
    """Return containers, lines, without_gpu and trouble."""
    now = {one["id"]: one for one in after}
    known = {one["id"]: one for one in docker}
    found = [_listed(one, now.get(one["id"]), known.get(one["id"])) for one in before]
    listed = {one["id"] for one in before}
    found += [_unlisted(one) for one in docker if one["id"] not in listed and _asks_for_gpu(one)]
    return {
        "containers": found,
        "lines": [_line(one) for one in found],
        "without_gpu": [one["name"] for one in found if one["outcome"] in WITHOUT],
        "trouble": [_line(one) for one in found if one["outcome"] in WITHOUT],
    }


def _asks_for_gpu(container: One) -> bool:
    return bool(container["gpu"]["requested"]) and container["state"] == "running"


def _listed(before: One, after: One | None, container: One | None) -> dict[str, Any]:
    name = before["name"] or f"{before['engine']} {before['id'][:12]}"
    said = _said(container)
    outcome, reason = _outcome(before, after, said)
    command = before["recreate"] if outcome in _NEEDS_START else None
    return {"name": name, "engine": before["engine"], "outcome": outcome, "reason": reason, "command": command}


def _outcome(before: One, after: One | None, said: tuple[str, str] | None) -> tuple[str, str]:
    if after is None:
        return "ended", ""
    if after.get("healed") and after["verdict"] in _WOULD:
        return _WOULD[after["verdict"]], after["reason"]
    if said is not None:
        # the rules may be right: a container's own program is the better witness
        why = "" if after["verdict"] == "keeps" else f"; {after['reason']}"
        return said[0], said[1] + why
    if after["verdict"] != "keeps":
        return after["verdict"], after["reason"]
    return {"lost": "healed", "loses": "protected"}.get(before["verdict"], "keeps"), after["reason"]


def _unlisted(container: One) -> dict[str, Any]:
    """A container that asks for a GPU and has no device of NVIDIA: it started without."""
    said = _said(container) or ("not_applicable", "it asks for a GPU, and has no NVIDIA device in its /dev")
    line = compose_line(container["labels"]) or shlex.join(["docker", "restart", container["name"]])
    command = line if said[0] in _NEEDS_START else None
    return {"name": container["name"], "engine": "docker", "outcome": said[0], "reason": said[1], "command": command}


def _said(container: One | None) -> tuple[str, str] | None:
    """The outcome by nvidia-smi in the container; None where it was not asked, is not there, or works."""
    probe = (container or {}).get("probe") or {}
    code, message = probe.get("rc"), probe.get("message")
    if code is None or code == 0 or code in _NO_PROGRAM:
        return None
    return "lost" if is_cut_off(code, message) else "fails", f"nvidia-smi says: {message or code}"


def _line(one: Mapping[str, Any]) -> str:
    told = one["outcome"] not in ("healed", "protected", "keeps", "ended", *_WOULD.values())
    reason = f": {one['reason']}" if told and one["reason"] else ""
    command = f" (to start it anew: {one['command']})" if one["command"] else ""
    return f"{one['name']} {_WORDS[one['outcome']]}{reason}{command}"
