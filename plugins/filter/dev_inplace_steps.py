# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a development environment lies on a rented container, and what there is to do for it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import inplace
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import reason

DOCUMENTATION = r"""
name: dev_inplace_steps
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: What there is to do for a development environment on a rented container
description:
  - Pure. Makes of facts and specification what the tasks of the role C(dev_inplace) are given.
options:
  _input:
    description: The facts C(gpu_host).
    type: dictionary
    required: true
  spec:
    description: The normalised specification, as the lookup P(gpuready.bootstrap.dev_spec#lookup) gives it.
    type: dictionary
    required: true
  inputs:
    description:
      - The role's inputs C(dir), C(lock) (the text), C(services), C(start_at_login), C(jupyter_port), C(anywhere),
        C(pip_index_url), C(mirrors).
    type: dictionary
    required: true
  language:
    description: Language of the refusal, V(en) or V(zh).
    type: string
    default: en
"""

EXAMPLES = r"""
- name: Say where JupyterLab will be
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['gpu_host'] | gpuready.bootstrap.dev_inplace_steps(spec, {'dir': '/d'})).jupyter_port }}"
  vars:
    spec: "{{ lookup('gpuready.bootstrap.dev_spec', target='inplace') }}"
"""

RETURN = r"""
_value:
  description: C(refusal), C(where), C(stages), C(files), C(programs), C(secrets), C(network), and others by name.
  type: dictionary
"""


def dev_inplace_steps(
    facts: t.Mapping[str, t.Any], spec: t.Mapping[str, t.Any], inputs: t.Mapping[str, t.Any], language: str = "en"
) -> dict[str, t.Any]:
    """Return what inplace.steps gives; a wrong input is an AnsibleFilterError."""
    try:
        found = inplace.steps(facts, spec, inputs, language)
    except ValueError as error:
        raise AnsibleFilterError(reason(error, language)) from error
    return {**found, "network": inplace.network_secrets(inputs, spec)}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"dev_inplace_steps": dev_inplace_steps}
