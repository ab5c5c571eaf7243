# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a driver was not installed, and what would work."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import failure

DOCUMENTATION = r"""
name: driver_failure
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Why a driver was not installed, and what would work
description:
  - Pure. Reads the errors of dkms from facts that were taken right after the failure, else those of the package
    manager.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  result:
    description: The failed result, C(ansible_failed_result).
    type: dictionary
    required: true
  wishes:
    description: The user's wishes.
    type: dictionary
    required: true
  language:
    description: Language of the text, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Say what failed
  ansible.builtin.fail:
    msg: "{{ ansible_facts['gpu_host'] | gpuready.bootstrap.driver_failure(ansible_failed_result, wishes) }}"
"""

RETURN = r"""
_value:
  description: One text.
  type: string
"""


def driver_failure(
    facts: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any], wishes: t.Mapping[str, t.Any], language: str = "en"
) -> str:
    """Return the text."""
    return failure.text(facts, result, wishes, language)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"driver_failure": driver_failure}
