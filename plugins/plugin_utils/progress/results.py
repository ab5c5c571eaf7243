# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result in full: all that a module has said, the message first, without the noise around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.titles import clean

# Ansible's own, or the same as another key
NOISE = frozenset((
    "changed", "failed", "unreachable", "skipped", "invocation", "stdout_lines", "stderr_lines", "exception",
    "warnings", "deprecations", "results", "skip_reason", "skipped_reason", "ansible_facts", "ansible_loop_var", "item",
    "attempts", "diff", "ignore_errors", "start", "end", "delta", "failed_when_result",
))  # fmt: skip
FIRST = ("msg", "censored", "reason", "cmd", "rc", "stderr", "module_stderr", "stdout", "module_stdout")
# Ansible writes these where the module itself said nothing
HOLLOW: tuple[Any, ...] = ("", None, [], {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def said_lines(result: Mapping[str, Any], indent: str = "    ") -> list[Line]:
    """What `result`, which Ansible has already rid of secrets where no_log says so, says."""
    keys = [key for key in FIRST if key in result]
    loop_var = result.get("ansible_loop_var")
    if not any(result.get(key) for key in ("msg", "censored", "reason")):
        # what is said beside a message is for programs, or the same once more; -v shows it
        keys += sorted(str(key) for key in result if key not in keys and key != loop_var)
    lines: list[Line] = []
    for key in keys:
        if key in NOISE or key.startswith("_ansible") or result.get(key) in HOLLOW:
            continue
        said = [clean(part) for part in _text(result[key]).rstrip("\n").split("\n")]
        if key in ("msg", "censored"):
            lines += [[(f"{indent}{part}", "")] for part in said]
        elif len(said) == 1:
            lines.append([(f"{indent}{clean(key)}: ", "dim"), (said[0], "")])
        else:
            lines.append([(f"{indent}{clean(key)}:", "dim")])
            lines += [[(f"{indent}  {part}", "")] for part in said]
    return lines
