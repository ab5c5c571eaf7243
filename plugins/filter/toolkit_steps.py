# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the container toolkit of a machine."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import steps

DOCUMENTATION = r"""
name: toolkit_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What is left to do for the container toolkit of a machine
description:
  - Pure. Holds the inputs of the role C(nvidia_container_toolkit) against the facts, and gives the conditions of its
    tasks, the refusal included.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  inputs:
    description:
      - The role's inputs without their prefix, C(version), C(allow_vulnerable), C(channel), C(repo_url),
        C(repo_base_url), C(repo_key_url), C(repo_fingerprints), C(leftovers), C(engines), C(config).
    type: dictionary
    required: true
  language:
    description: Language of the refusal, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.fail:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.toolkit_steps(inputs)).refusal }}"
"""

RETURN = r"""
_value:
  description: Conditions and values by name, such as C(refusal), C(packages_right), C(sources), C(todo).
  type: dictionary
"""


def toolkit_steps(
    facts: t.Mapping[str, t.Any], inputs: t.Mapping[str, t.Any], language: str = "en"
) -> dict[str, t.Any]:
    """Return what toolkit_steps.steps gives; a bad wish is an AnsibleFilterError."""
    try:
        return steps.steps(facts, inputs, language)
    except ValueError as error:
        raise AnsibleFilterError(f"nvidia_container_toolkit: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"toolkit_steps": toolkit_steps}
