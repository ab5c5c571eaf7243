# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why dev containers are not ended."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import jobs

DOCUMENTATION = r"""
name: container_refusal
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Why dev containers are not ended
description:
  - Pure. Somebody works in them, or nobody could see whether.
options:
  _input:
    description:
      - C(unread), why Docker did not tell its containers, as P(gpuready.bootstrap.docker_unread#filter) says;
        C(unseen), as P(gpuready.bootstrap.container_unseen#filter) does, and C(work), as
        P(gpuready.bootstrap.container_jobs#filter). Of several the first one counts.
    type: dictionary
    required: true
  done:
    description:
      - What has been done by then. V(nothing), V(image) for an image or a lock of packages at most, or V(files) for
        files and image.
    type: string
    choices: [nothing, image, files]
    required: true
  language:
    description: Language of the refusal, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Refuse to end somebody's work
  ansible.builtin.fail:
    msg: "{{ {'work': work} | gpuready.bootstrap.container_refusal('nothing') }}"
  vars:
    work: "{{ top.results | gpuready.bootstrap.container_jobs }}"
  when: work | length > 0
"""

RETURN = r"""
_value:
  description: The refusal; empty where nothing speaks against it.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"container_refusal": jobs.refusal}
