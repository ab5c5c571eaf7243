# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a development environment lies on a rented container."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import inplace

DOCUMENTATION = r"""
name: dev_inplace_place
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Where a development environment lies on a rented container
description:
  - Pure. Finds the data disk of the provider, whose system disk is small and often lost.
options:
  _input:
    description: The facts C(gpu_host). Empty for a machine that nothing is known of.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Say what survives a stop of the machine
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.dev_inplace_place).keeps }}"
"""

RETURN = r"""
_value:
  description: C(dir), the folder for everything; C(disk), C(provider) and C(keeps), null where no data disk is known.
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"dev_inplace_place": inplace.place}
