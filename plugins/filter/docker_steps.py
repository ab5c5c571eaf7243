# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the Docker Engine of a machine."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_steps import steps

DOCUMENTATION = r"""
name: docker_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What is left to do for the Docker Engine of a machine
description:
  - Pure. Holds the inputs of the role C(docker_engine) against the facts, and gives the conditions of its tasks, the
    refusal included.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  inputs:
    description: The inputs of the role, without C(docker_engine_) in front.
    type: dictionary
    required: true
  language:
    description: Language of the texts, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.fail:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.docker_steps(inputs)).refusal }}"
"""

RETURN = r"""
_value:
  description: Conditions and values by name, such as C(refusal), C(packages), C(packages_right), C(settings).
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"docker_steps": steps.steps}
