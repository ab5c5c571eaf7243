# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outputs that were read once, kept for whoever asks for the raw documents, so that nothing runs twice."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host


def keep(host: Host, name: str, text: str) -> None:
    """Keep one output of a host."""
    host.outputs[name] = text


def outputs(host: Host) -> dict[str, str]:
    """Return what was kept, by name; outputs without a word are left out."""
    return {name: text for name, text in host.outputs.items() if text.strip()}
