# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the dev containers of a machine."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import steps

DOCUMENTATION = r"""
name: container_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What is left to do for the dev containers of a machine
description:
  - Pure. Holds the specifications of dev containers against the facts, and gives the conditions of the tasks of the
    role C(dev_container), the refusals included.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  specs:
    description:
      - A whole specification for each container, as P(gpuready.bootstrap.dev_spec#lookup) returns them with C(each).
    type: list
    elements: dict
    required: true
  inputs:
    description:
      - C(root), the folder of the projects; C(addresses), mirrors by service; C(locks), the texts of
        the locks and C(projects), the files of projects, both by container; C(rebuild), whether images are built anew;
        C(replace_unhealthy), whether containers that are paused or unhealthy are replaced.
    type: dictionary
    required: true
  language:
    description: Language of the refusals, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse a host that cannot run them
  ansible.builtin.fail:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.container_steps(specs, inputs)).host_refusal }}"
"""

RETURN = r"""
_value:
  description:
    - C(refusal), why the inputs cannot be used, and C(host_refusal), why this host cannot run the containers; both may
      be empty.
    - C(right), whether all is as wanted; C(builds), the images to build; C(todo), the containers that are not as
      wanted, with what differs; C(predicted), sentences for check mode; C(names).
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_steps": steps.steps}
