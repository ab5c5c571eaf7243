# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a project folder that lead to a development environment."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import image
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace import files

DOCUMENTATION = r"""
name: workspace_files
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: The files of a project folder that lead to a development environment
description:
  - Pure. From the specification C(dev_*), the files for CNB, for dev containers, and for the client side of ssh, as
    M(gpuready.bootstrap.workspace_tree) takes them. None of them holds a secret.
options:
  _input:
    description: The specification, as P(gpuready.bootstrap.dev_spec#lookup) gives it.
    type: dictionary
    required: true
  wishes:
    description:
      - The inputs of the role C(workspace_files) without its name, such as C(targets), C(cnb), C(host), C(pasted);
        further C(lock), the text of the requirements with sums, and C(project), C(pyproject.toml) and C(uv.lock).
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Say how a rented machine is reached
  ansible.builtin.debug:
    msg: "{{ lookup('gpuready.bootstrap.dev_spec') | gpuready.bootstrap.workspace_files(wishes) }}"
  vars:
    wishes:
      targets: [client]
      host: {name: box, address: 12.34.56.78}
      pasted: [ssh -p 910 root@12.34.56.78]
"""

RETURN = r"""
_value:
  description: Mappings with C(path), C(content) and C(merge).
  type: list
  elements: dictionary
"""


def workspace_files(spec: t.Mapping[str, t.Any], wishes: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return what files.files gives; a wrong input is an AnsibleFilterError."""
    spec, wishes = plain(spec), plain(wishes)
    lock, project = str(wishes.get("lock") or ""), dict(wishes.get("project") or {})

    def context(own: t.Mapping[str, t.Any], under: str) -> t.Mapping[str, str]:
        # CNB builds without secrets; for other builders they are optional
        return image.context(own, lock, project=project, secrets=not under, under=under)

    try:
        return files.files(spec, wishes, context)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def plain(value: t.Any) -> t.Any:
    """Ordinary types only: writers of YAML do not know Ansible's own, and a list of it holds templates inside."""
    if isinstance(value, t.Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            # a str of Ansible's own stays one through str(), and not through a format
            return f"{value}" if kind is str else kind(value)
    return None if value is None else str(value)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"workspace_files": workspace_files}
