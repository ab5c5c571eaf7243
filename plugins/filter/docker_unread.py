# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether containers of Docker are unknown."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_unread import unread

DOCUMENTATION = r"""
name: docker_unread
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Why the containers of a Docker that runs are not known
description:
  - Pure. An engine that runs and gives no answer is not an idle one; what would stop its containers has to be refused.
options:
  _input:
    description: What M(gpuready.bootstrap.gpu_facts) returns as C(ansible_facts.gpu_host).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse to stop containers that nobody could count
  ansible.builtin.fail:
    msg: "Docker cannot be asked for its containers: {{ ansible_facts['gpu_host'] | gpuready.bootstrap.docker_unread }}"
  when: ansible_facts['gpu_host'] | gpuready.bootstrap.docker_unread | length > 0
"""

RETURN = r"""
_value:
  description: The engine's error; empty where the containers are known, or no engine runs.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"docker_unread": unread}
