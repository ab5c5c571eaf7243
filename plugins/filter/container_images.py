# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our images that only certain containers use."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import steps

DOCUMENTATION = r"""
name: container_images
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Our images that only certain containers use
description:
  - Pure. The images of dev containers that no other container uses, and that may go together with these.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  names:
    description: Names of the containers that are to go.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Remove images that nobody else uses
  ansible.builtin.command:
    cmd: docker image rm {{ item }}
  loop: "{{ ansible_facts['gpu_host'] | gpuready.bootstrap.container_images(['gpuready-dev']) }}"
  changed_when: true
"""

RETURN = r"""
_value:
  description: Tags of images.
  type: list
  elements: str
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_images": steps.own_images}
