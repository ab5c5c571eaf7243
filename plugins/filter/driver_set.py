# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one version that all packages of a driver have."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import versions

DOCUMENTATION = r"""
name: driver_set
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: The one version that all packages of a driver have
description:
  - Pure. Chooses the newest version of the wished branch that every package of the set has, so that driver, libraries
    and fabric manager stay together, or says why there is none.
options:
  _input:
    description: Versions by package name, newest first, as M(gpuready.bootstrap.package_candidates) returns them.
    type: dictionary
    required: true
  steps:
    description: What P(gpuready.bootstrap.driver_steps#filter) gave.
    type: dictionary
    required: true
  wishes:
    description: The user's wishes.
    type: dictionary
    required: true
  installed:
    description: Installed versions by package name.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show what would be installed
  ansible.builtin.debug:
    msg: "{{ candidates.versions | gpuready.bootstrap.driver_set(steps, wishes, candidates.installed) }}"
"""

RETURN = r"""
_value:
  description: C(version), C(specs) (what to give to the package manager), C(error) (empty, or one sentence).
  type: dictionary
"""


def driver_set(
    candidates: t.Mapping[str, t.Sequence[str]],
    steps: t.Mapping[str, t.Any],
    wishes: t.Mapping[str, t.Any],
    installed: t.Mapping[str, str],
) -> dict[str, t.Any]:
    """Return version, specs and error."""
    driver = steps["driver"]
    wanted = {
        "branch": driver["branch"] or "",
        "version": wishes.get("driver_version") or "",
        "keep": steps["keep"],
        "manager": steps["manager"],
        "optional": steps["optional"],
        "min_version": driver["min_version"],
        "components": driver["components"],
    }
    chosen = versions.choose(candidates, steps["packages"], wanted, installed)
    return {"version": chosen.version, "specs": list(chosen.specs), "error": chosen.error}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"driver_set": driver_set}
