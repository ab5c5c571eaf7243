# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which filesystem of the snapshot holds a path; the checks of several stages ask that."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Context
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


def filesystem_of(ctx: Context, path: str) -> View | None:
    """The mounted one with the longest matching name; of two mounts on one place the later one is seen."""
    holding = [fs for fs in ctx.facts.views("storage.fs") if f"{path}/".startswith(fs.text("mount").rstrip("/") + "/")]
    return max(reversed(holding), key=lambda fs: len(fs.text("mount")), default=None)
