# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation has changed."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import failure

DOCUMENTATION = r"""
name: driver_difference
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What an installation has changed
description:
  - Pure. Compares two answers of M(ansible.builtin.package_facts), for the way back from a failed installation.
options:
  _input:
    description: The packages after it.
    type: dictionary
    required: true
  before:
    description: The packages before it.
    type: dictionary
    required: true
  steps:
    description: What P(gpuready.bootstrap.driver_steps#filter) gave.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show what came
  ansible.builtin.debug:
    msg: "{{ (after | gpuready.bootstrap.driver_difference(before, steps)).added }}"
"""

RETURN = r"""
_value:
  description: C(added) (names), C(former) (what to install again, with versions), C(version) (of the driver before).
  type: dictionary
"""


def driver_difference(
    after: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any], steps: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return added, former and version."""
    return failure.difference(after, before, steps["version"], steps["manager"])


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"driver_difference": driver_difference}
