# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mirrors a machine gets, and what must be measured for that."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import steps

DOCUMENTATION = r"""
name: mirror_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Which mirrors a machine gets
description:
  - Pure. Holds the inputs of the role C(mirrors) against the facts, the catalogue of mirrors and what was measured
    before, and gives the settings of M(gpuready.bootstrap.package_mirrors), the candidates to measure, refusals and
    warnings.
  - Gives no address that is neither in the catalogue nor in the inputs, whatever the facts say.
options:
  _input:
    description: The facts C(gpu_host). Their C(mirrors) is what was measured before.
    type: dictionary
    required: true
  inputs:
    description: The inputs of the role, with or without C(mirrors_) in front. One that is missing has its default.
    type: dictionary
    required: true
  language:
    description: Language of the texts, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Set the addresses of packages
  gpuready.bootstrap.package_mirrors:
    apt: "{{ steps.settings.apt }}"
    pip: "{{ steps.settings.pip }}"
  vars:
    steps: "{{ ansible_facts['gpu_host'] | gpuready.bootstrap.mirror_steps({'preset': 'china'}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(refusal), a text that is empty where nothing is, and C(warnings), a list of sentences. Where something is
      refused, all else is as without inputs.
    - C(todo), whether there is anything of these, or something to measure.
    - C(measure), whether something must be measured first; C(candidates) by service, and their C(key).
    - C(settings) by option of M(gpuready.bootstrap.package_mirrors). Of the proxy only C(used) and C(no_proxy) are
      there, since its addresses may hold a password.
    - C(choices), by service the C(site), the C(urls) in order, and C(why); C(addresses), the first address by service.
    - C(leaving), the addresses by which other roles go now, and will not any more after this run.
  type: dictionary
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"mirror_steps": steps.steps}
