# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev containers in which people run something."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import jobs

DOCUMENTATION = r"""
name: container_jobs
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Dev containers in which people run something
description:
  - Pure. The processes of dev containers that are none of their own services, such as logins, shells, kernels of
    notebooks and programs that they started. Only names of programs, no command lines.
options:
  _input:
    description: Results of a loop over names with C(docker top NAME -eo pid,ppid,user,args).
    type: list
    elements: dict
    required: true
  language:
    description: Language of the texts, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse to end somebody's work
  ansible.builtin.fail:
    msg: "{{ top.results | gpuready.bootstrap.container_jobs | join('; ') }}"
  when: top.results | gpuready.bootstrap.container_jobs | length > 0
"""

RETURN = r"""
_value:
  description: One text for each such container, with at most eight programs, and how many more there are.
  type: list
  elements: str
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_jobs": jobs.work}
