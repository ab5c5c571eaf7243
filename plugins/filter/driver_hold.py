# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that hold a driver at its version."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps.steps import hold_files

DOCUMENTATION = r"""
name: driver_hold
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: The files that hold a driver at its version
description:
  - Pure. Gives the files that keep APT and unattended upgrades from changing a part of the set.
options:
  _input:
    description: What P(gpuready.bootstrap.driver_steps#filter) gave.
    type: dictionary
    required: true
  version:
    description: Version of the driver, such as V(580.159.03).
    type: string
    required: true
  exact:
    description: Hold this version; else the branch.
    type: boolean
    default: true
"""

EXAMPLES = r"""
- name: Hold the set
  gpuready.bootstrap.managed_files:
    name: nvidia-driver-hold
    files: "{{ steps | gpuready.bootstrap.driver_hold('580.159.03') }}"
"""

RETURN = r"""
_value:
  description: Files, each with C(path), C(content) and C(mode). Empty for dnf, where versionlock holds.
  type: list
  elements: dictionary
"""


def driver_hold(steps: t.Mapping[str, t.Any], version: str, exact: bool = True) -> list[dict[str, str]]:
    """Return the files."""
    return hold_files(steps["driver"], version, steps["manager"], exact)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"driver_hold": driver_hold}
