# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a reload of systemd would take GPUs from running containers."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.steps import reload_takes

DOCUMENTATION = r"""
name: nvml_at_risk
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Whether a reload of systemd would take GPUs from running containers
description:
  - Pure. For roles that have systemd reload, by a unit or by packages, before they do. Packages reload it, too.
options:
  _input:
    description: What M(gpuready.bootstrap.gpu_facts) returns as C(ansible_facts.gpu_host).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep the GPUs in running containers
  gpuready.bootstrap.device_rules:
  when: ansible_facts['gpu_host'] | gpuready.bootstrap.nvml_at_risk
"""

RETURN = r"""
_value:
  description:
    - True where one is at risk, and where only M(gpuready.bootstrap.device_rules) can tell, as of other engines, and of
      containers that Docker did not describe.
  type: bool
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"nvml_at_risk": reload_takes}
