# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to give to the package manager for the container toolkit."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import render
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import versions

DOCUMENTATION = r"""
name: toolkit_set
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What to give to the package manager for the container toolkit
description:
  - Pure. Names the four packages at the wished version, or says why that is not possible and which versions there are.
options:
  _input:
    description: Versions by package name, as M(gpuready.bootstrap.package_candidates) returns them.
    type: dictionary
    required: true
  steps:
    description: What P(gpuready.bootstrap.toolkit_steps#filter) gave.
    type: dictionary
    required: true
  language:
    description: Language of the error, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Show what would be installed
  ansible.builtin.debug:
    msg: "{{ candidates.versions | gpuready.bootstrap.toolkit_set(steps) }}"
"""

RETURN = r"""
_value:
  description: C(specs) (what to give to the package manager) and C(error) (empty, or one sentence).
  type: dictionary
"""


def toolkit_set(
    candidates: t.Mapping[str, t.Sequence[str]], steps: t.Mapping[str, t.Any], language: str = "en"
) -> dict[str, t.Any]:
    """Return specs and error."""
    specs, error = versions.chosen(candidates, steps["packages"], steps["version"], steps["manager"])
    return {"specs": specs, "error": str(render(error or "", language))}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"toolkit_set": toolkit_set}
