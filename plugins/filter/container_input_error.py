# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An input for dev containers that no machine can follow."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import steps

DOCUMENTATION = r"""
name: container_input_error
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: An input for dev containers that no machine can follow
description:
  - Pure. Needs no facts, so that a playbook can ask before it contacts a host.
options:
  _input:
    description:
      - C(root), the folder of the projects; C(names), of the containers that are specified; C(unknown), the names asked
        for that are not among them.
    type: dictionary
    required: true
  language:
    description: Language of the sentence, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.assert:
    that: "{'root': '/opt/gpuready', 'names': ['dev'], 'unknown': []} | gpuready.bootstrap.container_input_error == ''"
"""

RETURN = r"""
_value:
  description: One sentence, or an empty text.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_input_error": steps.input_error}
