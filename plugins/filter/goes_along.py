# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why something is not removed with which packages of others would go."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import goes_along

DOCUMENTATION = r"""
name: goes_along
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Why something is not removed with which packages of others would go
description:
  - Pure. Makes a refusal of what M(gpuready.bootstrap.package_dependents) found.
options:
  _input:
    description: Names of packages.
    type: list
    elements: str
    required: true
  removed:
    description: What is to be removed, V(driver), V(engine) or V(toolkit).
    type: string
    required: true
  language:
    description: Language of the refusal, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse to take packages of somebody else along
  ansible.builtin.fail:
    msg: "{{ along.dependents | gpuready.bootstrap.goes_along('toolkit') }}"
  when: along.dependents | length > 0
"""

RETURN = r"""
_value:
  description: The refusal; empty where no package is named.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"goes_along": goes_along}
