# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outputs that were read once, kept for whoever asks for the raw documents, so that nothing runs twice."""

from __future__ import annotations

import weakref

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

_OUTPUTS: weakref.WeakKeyDictionary[Host, dict[str, str]] = weakref.WeakKeyDictionary()


def keep(host: Host, name: str, text: str) -> None:
    """Keep one output of a host."""
    _OUTPUTS.setdefault(host, {})[name] = text


def outputs(host: Host) -> dict[str, str]:
    """Return what was kept, by name; outputs without a word are left out."""
    return {name: text for name, text in _OUTPUTS.get(host, {}).items() if text.strip()}
