# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the driver of a machine."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import steps

DOCUMENTATION = r"""
name: driver_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What is left to do for the driver of a machine
description:
  - Pure. Plans the driver from the facts and the user's wishes, compares it with what is there, and gives the
    conditions of the tasks of the role C(nvidia_driver), the refusal included.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  inputs:
    description:
      - The user's wishes (C(wishes)), and the role's inputs C(hold), C(secure_boot), C(mok_password_given), C(upgrade),
        C(repo_key_url), C(repo_fingerprints).
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
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.driver_steps({'wishes': {}})).refusal }}"
"""

RETURN = r"""
_value:
  description: Conditions and values by name, such as C(refusal), C(packages), C(packages_right), C(reboot).
  type: dictionary
"""


def driver_steps(facts: t.Mapping[str, t.Any], inputs: t.Mapping[str, t.Any], language: str = "en") -> dict[str, t.Any]:
    """Return what driver_steps.steps gives; a bad wish is an AnsibleFilterError."""
    try:
        return steps.steps(facts, inputs, language)
    except ValueError as error:
        raise AnsibleFilterError(f"nvidia_driver: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"driver_steps": driver_steps}
