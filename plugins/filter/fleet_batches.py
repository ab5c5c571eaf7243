# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of batches for the keyword serial of a play."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.fleet import batches

DOCUMENTATION = r"""
name: fleet_batches
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Sizes of batches for the keyword serial of a play
description:
  - Takes what a person may write on the command line (V(5), V(20%), V(1,5,50%)) or a list, and returns the list that
    C(serial) of a play takes.
options:
  _input:
    description: Number of hosts, share of the hosts, or several of them in turn as text or list.
    type: raw
    required: true
  canary:
    description: Whether one host goes before all others.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Walk in batches
  hosts: all
  serial: "{{ gpuready_serial | default('100%') | gpuready.bootstrap.fleet_batches }}"
"""

RETURN = r"""
_value:
  description: The sizes.
  type: list
  elements: str
"""


def fleet_batches(serial: t.Any, canary: bool = False) -> list[str]:
    """Return the sizes of the batches."""
    try:
        return batches(serial, canary)
    except ValueError as error:
        raise AnsibleFilterError(f"fleet_batches: {serial!r} cannot be used: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return them by name."""
        return {"fleet_batches": fleet_batches}
