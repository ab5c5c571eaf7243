# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a machine from its facts, in an expression."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import make_wishes

DOCUMENTATION = r"""
name: gpu_plan
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: The plan of a machine from its facts
description:
  - Returns what M(gpuready.bootstrap.gpu_plan) returns as RV(gpuready.bootstrap.gpu_plan#module:plan), without a task.
  - It never raises on facts with holes; what cannot be planned is in the key C(refusal) of the plan. Invalid wishes
    are an error.
positional: _input, wishes, host
options:
  _input:
    description: The facts, C(ansible_facts['gpu_host']) or a saved snapshot.
    type: dictionary
    required: true
  wishes:
    description: What is asked for, as O(gpuready.bootstrap.gpu_plan#module:wishes).
    type: dictionary
    default: {}
  host:
    description: Name of the machine in messages.
    type: string
    default: ""
seealso:
  - plugin: gpuready.bootstrap.gpu_plan
    plugin_type: module
"""

EXAMPLES = r"""
- name: Which driver branch this machine gets
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.gpu_plan({'driver_branch': '580'})).driver.branch }}"
"""

RETURN = r"""
_value:
  description: The plan; docs/plan.md describes it.
  type: dictionary
"""


def gpu_plan(snapshot: t.Any, wishes: t.Mapping[str, t.Any] | None = None, host: str = "") -> dict[str, t.Any]:
    """Raises AnsibleFilterError for what is no snapshot and for wishes that cannot be read."""
    if not isinstance(snapshot, t.Mapping):
        raise AnsibleFilterError(f"gpu_plan needs the facts of a machine (a mapping), not {type(snapshot).__name__}")
    if wishes is not None and not isinstance(wishes, t.Mapping):
        raise AnsibleFilterError(f"gpu_plan needs the wishes as a mapping, not {type(wishes).__name__}")
    try:
        return make_plan(snapshot, make_wishes(wishes or {}), str(host))
    except ValueError as error:
        raise AnsibleFilterError(f"gpu_plan cannot plan: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return them by name."""
        return {"gpu_plan": gpu_plan}
