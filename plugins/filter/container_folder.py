# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container's user could not work in a folder of the host."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import steps

DOCUMENTATION = r"""
name: container_folder
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Why a container's user could not work in a folder of the host
description:
  - Pure. Judges a folder by its owner and mode. Access lists are not known here.
options:
  _input:
    description:
      - A result of M(ansible.builtin.stat) whose C(item) has C(path), C(name) of the container, C(uid), C(gid) and
        C(read_only).
    type: dictionary
    required: true
  language:
    description: Language of the sentence, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse folders that are missing or closed
  ansible.builtin.fail:
    msg: "{{ folders.results | map('gpuready.bootstrap.container_folder') | select | first }}"
  when: folders.results | map('gpuready.bootstrap.container_folder') | select | list | length > 0
"""

RETURN = r"""
_value:
  description: One sentence; empty where nothing speaks against the folder.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_folder": steps.folder_error}
