# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of the inventory, as roles beside the role mirrors hand it on."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import proxy

DOCUMENTATION = r"""
name: mirror_proxy
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: The proxy of the inventory for one more tool
description:
  - Pure. Reads C(gpuready_mirror_proxy) and adds to what needs no proxy this machine and the mirrors that the tool
    uses.
options:
  _input:
    description: The mapping with C(http), C(https), C(no_proxy) (a list, or a text with commas) and C(for_mirrors).
    type: dictionary
    required: true
  addresses:
    description:
      - Addresses that the tool uses. Those of the catalogue's nearby sites are reached past the proxy, unless
        C(for_mirrors) is true; private addresses and names of one's own network always are.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Proxies for the daemon
  ansible.builtin.set_fact:
    daemon_proxies: "{{ gpuready_mirror_proxy | gpuready.bootstrap.mirror_proxy(['https://cache.example.org']) }}"
"""

RETURN = r"""
_value:
  description: C(http), C(https) and C(no_proxy) (a text with commas), as far as they are set. Empty without a proxy.
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"mirror_proxy": proxy.shared}
