# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An input for the container toolkit that no machine can follow."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import steps

DOCUMENTATION = r"""
name: toolkit_input_error
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: An input for the container toolkit that no machine can follow
description:
  - Pure. Needs no facts, so that a playbook can ask before it contacts a host.
options:
  _input:
    description: The inputs that P(gpuready.bootstrap.toolkit_steps#filter) takes.
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
    that: inputs | gpuready.bootstrap.toolkit_input_error | length == 0
"""

RETURN = r"""
_value:
  description: One sentence, or an empty text.
  type: string
"""


def toolkit_input_error(inputs: t.Mapping[str, t.Any], language: str = "en") -> str:
    """Return the sentence."""
    return steps.input_error(inputs, language)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"toolkit_input_error": toolkit_input_error}
