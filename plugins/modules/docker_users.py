# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_users
short_description: Let named accounts use Docker
version_added: 0.1.0
description:
  - Puts accounts into the group that may use the engine's socket, which is as much as giving them root. Only accounts
    that are named, and that exist.
  - Remembers whom it put there. An account that is not named any more is taken out only if this module put it there.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  users:
    description: The accounts. Ignored with O(state=absent).
    type: list
    elements: str
    default: []
  group:
    description: The group.
    type: str
    default: docker
  state:
    description: V(absent) takes out all accounts that this module put in.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Two people may use Docker
  gpuready.bootstrap.docker_users:
    users: [ada, grace]
"""

RETURN = r"""
added:
  description: Accounts that were put into the group.
  returned: success
  type: list
  elements: str
  sample: [ada]
removed:
  description: Accounts that were taken out.
  returned: success
  type: list
  elements: str
  sample: []
"""

import grp
import json
import os
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError

RECORD = "docker-users.json"


class UsersError(Exception):
    """The accounts cannot be what was asked for; the text is one sentence for the user."""


def members(group: str) -> list[str] | None:
    """Members by name; None where there is no such group. A primary group does not count: nobody put them there."""
    try:
        return list(grp.getgrnam(group).gr_mem)
    except KeyError:
        return None


def unknown(users: list[str]) -> list[str]:
    """Accounts that do not exist; a misspelt name must not become one."""
    known = []
    for name in users:
        try:
            known.append(pwd.getpwnam(name).pw_name)
        except KeyError:
            continue
    return [name for name in users if name not in known]


class Users:
    """Who is in the group, and who shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.group: str = module.params["group"]
        self.path = f"{os.path.dirname(_files.STORE)}/{RECORD}"
        self.record = self._recorded()
        self.ours = self.record.get(self.group, [])
        self.there = members(self.group)

    def _recorded(self) -> dict[str, list[str]]:
        """By group, whom this module put there."""
        try:
            data = json.loads(self.gate.read(self.path) or b"{}")
            return {str(group): [str(name) for name in names] for group, names in data.items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise UsersError(f"{self.path}, which remembers whom we put into {self.group}, is unreadable") from error

    def reach(self, wanted: list[str]) -> dict[str, Any]:
        strangers = unknown(wanted)
        if strangers:
            raise UsersError(f"there is no account {', '.join(strangers)} on this host; create it first")
        if self.there is None and wanted and not self.module.check_mode:
            raise UsersError(f"there is no group {self.group} on this host; install Docker Engine first")
        there = self.there or []
        added = [name for name in wanted if name not in there]
        removed = [name for name in self.ours if name not in wanted and name in there]
        # the record first: a run that is killed in between leaves nobody behind of whom we know nothing
        ours = sorted({*(name for name in self.ours if name in wanted or name in removed), *added})
        self._remember(ours)
        for name in added:
            self._call("-a", name)
        for name in removed:
            self._call("-d", name)
        self._remember([name for name in ours if name in wanted])
        after = [*(name for name in there if name not in removed), *added]
        lines = [f"{self.group}: {','.join(sorted(names))}\n" for names in (there, after)]
        header = f"members of {self.group}"
        diff = {"before_header": header, "after_header": header, "before": lines[0], "after": lines[1]}
        return {"changed": bool(added or removed), "added": added, "removed": removed, "diff": diff}

    def _remember(self, ours: list[str]) -> None:
        # those of other groups stay: another run put them there
        record = {group: names for group, names in {**self.record, self.group: sorted(ours)}.items() if names}
        if record:
            self.gate.write(self.path, json.dumps(record) + "\n", mode=0o644)
        else:
            self.gate.restore(self.path, ours=True)

    def _call(self, flag: str, name: str) -> None:
        if self.module.check_mode:
            return
        result = self.runner.run(["gpasswd", flag, name, self.group])
        if result.status != "ok":
            said = first_line(result.stderr) or result.error
            raise UsersError(f"gpasswd {flag} {name} {self.group} failed: {said}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "str", "default": []},
            "group": {"type": "str", "default": "docker"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted = module.params["users"] if module.params["state"] == "present" else []
    try:
        users = Users(module, FileGate(module), Runner(module.run_command))
        result = users.reach(list(dict.fromkeys(wanted)))
    except (UsersError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
