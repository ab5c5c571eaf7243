# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev containers of which nobody knows what runs in them."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import jobs

DOCUMENTATION = r"""
name: container_unseen
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Dev containers of which nobody knows what runs in them
description:
  - Pure. A list of processes that Docker did not give is no empty one, unless the container has ended meanwhile.
options:
  _input:
    description:
      - Results of C(docker container inspect NAME), in the format of which only C(State.Running) stands. C(item) of
        each is the failed result of C(docker top), and C(item) of that is the name.
    type: list
    elements: dict
    required: true
  language:
    description: Language of the texts, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse to end what nobody could see
  ansible.builtin.fail:
    msg: "{{ ended.results | gpuready.bootstrap.container_unseen | join('; ') }}"
  when: ended.results | gpuready.bootstrap.container_unseen | length > 0
"""

RETURN = r"""
_value:
  description: Name and reason of each.
  type: list
  elements: str
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_unseen": jobs.unseen}
