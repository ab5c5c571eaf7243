# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of a host's development environment, from its variables dev_*."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dev_spec
short_description: The specification of a development environment, from the variables C(dev_*)
version_added: 0.1.0
description:
  - Gathers the variables C(dev_*) of the host, fills in all defaults, and returns one mapping. The variables are listed
    in C(docs/dev-environment.md).
  - Refuses unknown names, and names the nearest one that exists; refuses wrong values and what does not go together,
    all in one message. Secrets are never part of it.
  - Leaves names alone that begin with the name of a role, such as C(dev_container_name).
  - Where C(dev_proxy) is not set, the proxies of C(gpuready_mirror_proxy) are taken.
author:
  - The gpuready authors (@gpuready)
options:
  _terms:
    description: Not used.
  target:
    description:
      - Where the environment is made. What only a container needs, such as a key for its sshd, is not asked for
        with V(inplace) and V(files).
    type: str
    choices: [container, inplace, files]
    default: container
  plan:
    description:
      - A plan of M(gpuready.bootstrap.gpu_plan). Image and build of torch are taken from it where the variables leave
        them open.
    type: dict
  each:
    description:
      - Whether to return a list with a whole specification for each of C(dev_containers), or with one where there are
        none. Use it with C(query).
    type: bool
    default: false
  unreadable:
    description:
      - What becomes of a value that is read from a file on the controller, such as a public key, where the file cannot
        be read. V(leave_out) goes on without it, with a warning, for whoever only looks at hosts.
    type: str
    choices: [refuse, leave_out]
    default: refuse
"""

EXAMPLES = r"""
- name: Show the whole specification
  ansible.builtin.debug:
    msg: "{{ lookup('gpuready.bootstrap.dev_spec') }}"

- name: Name the containers
  ansible.builtin.debug:
    msg: "{{ query('gpuready.bootstrap.dev_spec', each=true) | map(attribute='name') }}"
"""

RETURN = r"""
_raw:
  description: The specification, or one for each container. It may hold secrets, such as the token of JupyterLab.
  type: list
  elements: dict
"""

import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.gpuready.bootstrap.plugins.action.validate_inputs import (
    origin_of,
    plain,
    readable,
    third_party,
    uncomputed,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import PREFIX, names, values_along
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import unreadable_file

SHARED_PROXY = "gpuready_mirror_proxy"

display = Display()


def shared_proxy(wish: Mapping[str, Any]) -> dict[str, Any]:
    """The proxies of the role mirrors as those of the specification.

    Chosen mirrors are no part of it: another one would be another specification, and a reason to replace containers.
    """
    found = {key: wish[key] for key in ("http", "https", "no_proxy", "for_mirrors") if wish.get(key)}
    hosts = found.get("no_proxy")
    if isinstance(hosts, str):
        found["no_proxy"] = [host.strip() for host in hosts.split(",") if host.strip()]
    return found


class LookupModule(LookupBase):
    """Runs on the controller; the variables are those of the host of the task."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        del terms
        found = variables or {}
        self.set_options(var_options=found, direct=kwargs)
        target, plan = self.get_option("target"), self.get_option("plan")
        given = self._given(found)
        wrong = spec.problems(given, target, third_party(self._templar, found))
        if wrong:
            raise AnsibleLookupError(self._message(wrong, found))
        for text in spec.warnings(given, target):
            display.warning(text)
        # through JSON: ordinary types only, whatever Ansible's own were
        if self.get_option("each"):
            each: list[Any] = json.loads(json.dumps(spec.expand(given, plan)))
            return each
        return [json.loads(json.dumps(spec.normalise(given, plan)))]

    def _given(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: self._value(name, variables) for name in names(variables)}
        if given.get(f"{PREFIX}proxy") is None and isinstance(variables.get(SHARED_PROXY), (Mapping, str)):
            wish = self._value(SHARED_PROXY, variables)
            if isinstance(wish, Mapping):
                given[f"{PREFIX}proxy"] = shared_proxy(wish)
        return given

    def _value(self, name: str, variables: Mapping[str, Any]) -> Any:
        try:
            return plain(self._templar.template(variables[name]))
        except AnsibleError as error:
            where = origin_of(variables[name])
            text = f"{name}: {uncomputed(error)}{f' [{where}]' if where else ''}"
            if self.get_option("unreadable") == "leave_out" and unreadable_file(str(error)):
                display.warning(f"{text}. Nothing is changed, so it is left out.")
                return readable(variables[name], self._templar.template)
            raise AnsibleLookupError(text) from error

    @staticmethod
    def _message(wrong: list[str], variables: Mapping[str, Any]) -> str:
        count = "1 value" if len(wrong) == 1 else f"{len(wrong)} values"
        host = variables.get("inventory_hostname", "this host")
        lines = []
        for text in wrong:
            where = origin_of(*values_along(text, variables))
            lines.append(f"  - {text}{f' [{where}]' if where else ''}")
        return f"{count} of the development environment cannot be used for {host}; nothing was done:\n" + "\n".join(
            lines
        )
