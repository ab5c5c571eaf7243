# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build of an image said in the end."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import build

DOCUMENTATION = r"""
name: container_build
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What a build of an image said in the end
description:
  - Pure. Of the log of C(docker buildx build) the words of the step that failed, and the builder's error.
options:
  _input:
    description: The standard error of the build.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Say why the build failed
  ansible.builtin.fail:
    msg: "{{ built.stderr | gpuready.bootstrap.container_build }}"
  when: built.image | length == 0
"""

RETURN = r"""
_value:
  description: A few lines.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_build": build.excerpt}
