# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A refusal that ends as one does before the first change."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import nothing_changed

DOCUMENTATION = r"""
name: nothing_changed
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: A refusal that ends as one does before the first change
description:
  - Pure. Says behind a sentence that nothing was changed, in its language.
options:
  _input:
    description: A sentence with its full stop, or a list of them. Empty ones say nothing.
    type: raw
    required: true
  language:
    description: Language of the sentence, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse a host that cannot run the containers
  ansible.builtin.fail:
    msg: "{{ steps.host_refusal | gpuready.bootstrap.nothing_changed('zh') }}"
  when: steps.host_refusal | length > 0
"""

RETURN = r"""
_value:
  description: The whole refusal; empty where the sentence is.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"nothing_changed": nothing_changed}
