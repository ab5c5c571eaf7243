# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files that a module wrote are still as it wrote them, and for these inputs."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.as_written import as_written_for

DOCUMENTATION = r"""
name: as_written_for
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Whether a module's files are still as it wrote them, for the same inputs
description:
  - Tells from the facts whether a call of M(gpuready.bootstrap.apt_source) can be spared. All of its files must be
    there, with the bytes that the module wrote, mode 0644 and owned by root, and the first one must bear the stamp of
    the same inputs.
options:
  _input:
    description: The facts' files by path, C(gpu_host.files).
    type: dictionary
    required: true
  paths:
    description: The module's files. The first one is the one that bears the stamp.
    type: list
    elements: string
    required: true
  stamp:
    description: What the role gives as O(gpuready.bootstrap.apt_source#module:stamp).
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Trust the repository
  gpuready.bootstrap.apt_source:
    name: tool
    stamp: "{{ stamp }}"
  when: not ansible_facts['gpu_host'].files | gpuready.bootstrap.as_written_for(paths, stamp)
"""

RETURN = r"""
_value:
  description: Whether all that is so.
  type: boolean
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"as_written_for": as_written_for}
