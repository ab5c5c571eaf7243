# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do so that the containers of a machine keep their GPUs."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import steps

DOCUMENTATION = r"""
name: nvml_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What is left to do so that the containers of a machine keep their GPUs
description:
  - Pure. Chooses the cure of C(Failed to initialize NVML) from the facts, compares it with what is there, and gives the
    conditions of the tasks of the role C(nvml_stability), the refusal and the containers at risk included.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  inputs:
    description:
      - The role's inputs C(on_vulnerable), C(recreate), C(dev_char_links), C(cgroupfs), C(cgroup_v1), C(restart),
        C(restart_watched), and C(looked), what M(gpuready.bootstrap.device_rules) has returned in this run.
    type: dictionary
    required: true
  language:
    description: Language of the texts, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Say what a reload of systemd would break
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.nvml_steps({})).at_risk_message }}"
"""

RETURN = r"""
_value:
  description: Conditions and values by name, such as C(todo), C(refusal), C(settings), C(at_risk), C(vulnerable).
  type: dictionary
"""


def nvml_steps(facts: t.Mapping[str, t.Any], inputs: t.Mapping[str, t.Any], language: str = "en") -> dict[str, t.Any]:
    """Return what nvml_steps.steps gives; a wrong input is an AnsibleFilterError."""
    try:
        return steps.steps(facts, inputs, language)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"nvml_steps": nvml_steps}
