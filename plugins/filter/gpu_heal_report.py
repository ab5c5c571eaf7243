# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the GPUs of running containers."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import heal_report

DOCUMENTATION = r"""
name: gpu_heal_report
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What became of the GPUs of running containers
description:
  - Pure. Joins what M(gpuready.bootstrap.device_rules) said before and after it added rights, and what C(nvidia-smi)
    said inside the containers of Docker.
options:
  _input:
    description: RV(gpuready.bootstrap.device_rules#module:containers) as they were found, before rights were added.
    type: list
    elements: dictionary
    required: true
  after:
    description: The same after rights were added.
    type: list
    elements: dictionary
    required: true
  docker:
    description: Containers of Docker with their C(probe), C(gpu_host.docker.containers).
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Say what became of the containers
  ansible.builtin.debug:
    msg: "{{ (before.containers | gpuready.bootstrap.gpu_heal_report(after.containers, docker.containers)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - C(containers), each with C(name), C(engine), C(outcome), C(reason) and C(command) (the command that gives it its
      GPU anew, V(none) if it needs none); C(lines), one sentence a container; C(without_gpu), the names of those that
      have no GPU now, and C(trouble), their lines.
    - An outcome is V(healed), V(protected), V(keeps), V(loses), V(lost), V(fails), V(ended) or
      V(not_applicable), and of a run in check mode V(would_heal) or V(would_protect).
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gpu_heal_report": heal_report.report}
