# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sshd_settings
short_description: Settings of sshd in a drop-in, without locking anybody out
version_added: 0.1.0
description:
  - Writes a drop-in of C(sshd_config) and reloads sshd. Before anything is written, sshd itself reads a copy of all
    of its settings with the change in it (C(sshd -t), C(sshd -T)). Refused is what sshd does not take, a value that
    another place keeps from coming into force, and what would turn away a new login like the one that this run
    came by.
  - Arms a guard on the host that puts the former settings back after O(guard_seconds), unless a second call with
    O(state=confirmed) says that a new login has worked. A role does both calls; see the examples.
  - Where systemd listens in place of sshd (C(ssh.socket), Ubuntu 22.10 and newer), C(Port) goes to the socket, too.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.ssh_session
options:
  settings:
    description:
      - Keywords of C(sshd_config) and their values. A list gives one line for each of its items, which only keywords
        that add up take, such as C(Port).
      - With O(state=absent) not looked at.
    type: dict
    default: {}
  path:
    description: The drop-in. sshd takes the first value that it reads, so its name sorts before all others.
    type: path
    default: /etc/ssh/sshd_config.d/00-gpuready.conf
  config:
    description: The main file. By default the one that the running sshd was started with.
    type: path
    default: ""
  include:
    description:
      - What to do where the main file reads no drop-ins, as those written before OpenSSH 8.2 do. V(add) puts the
        Include line first in the main file; O(state=absent) gives it back.
    type: str
    choices: [refuse, add]
    default: refuse
  accounts:
    description: Accounts that should be able to log in. Those that sshd would turn away are named in RV(notes).
    type: list
    elements: str
    default: []
  guard_seconds:
    description: How long the guard waits before it puts former settings back. V(0) arms none.
    type: int
    default: 120
  state:
    description:
      - V(absent) gives back what was there before.
      - V(confirmed) ends the guard. It fails if the guard was faster.
    type: str
    choices: [present, absent, confirmed]
    default: present
notes:
  - The guard is a transient timer of systemd. Without systemd it is a sleeping process. A reboot ends either.
  - A changed port of a socket-activated sshd needs C(systemctl daemon-reload), which takes GPUs from containers that
    have them through the legacy hook; see the role P(gpuready.bootstrap.nvml_stability#role).
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Keys only
  gpuready.bootstrap.sshd_settings:
    settings:
      PasswordAuthentication: "no"
      KbdInteractiveAuthentication: "no"
      PermitRootLogin: prohibit-password
  register: sshd

- name: Forget the connection that is open
  ansible.builtin.meta: reset_connection

- name: Log in anew
  ansible.builtin.wait_for_connection:
    timeout: 30

- name: Keep the settings
  gpuready.bootstrap.sshd_settings:
    state: confirmed
  when: sshd.guard
"""

RETURN = r"""
effective:
  description: What is in force for the account of this session, as C(sshd -T) prints it.
  returned: when there is an sshd
  type: dict
  sample: {passwordauthentication: ["no"]}
session:
  description: How this run logged in. The account is empty where it did not come through sshd.
  returned: success
  type: dict
  sample: {account: root, address: 192.0.2.7, port: "22", method: publickey}
guard:
  description: Whether the guard waits for O(state=confirmed).
  returned: success
  type: bool
  sample: true
notes:
  description: What a person should know, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/00-gpuready.conf]
"""

import glob
import os
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import (
    _ssh_session,
    _sshd_config,
    _sshd_proof,
    _sshd_service,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_ask import SettingsError, Sshd, lists
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_config import Tree
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_proof import WayIn
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_service import Guard, ServiceError

INCLUDE_SINCE = (8, 2)


class Plan(NamedTuple):
    """The files as they shall be; None: no file."""

    files: dict[str, bytes | None]
    ports: list[str]
    socket_changes: bool


class Settings:
    """sshd as it is, and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner, self.params = module, gate, runner, module.params
        self.path: str = self.params["path"]
        self.daemon = _sshd_service.look(runner, self.params["config"])
        self.sshd = Sshd(runner, self.daemon)
        self.guard = Guard(runner)
        self.notes: list[str] = []
        self.session = _ssh_session.NOBODY
        self.found: dict[str, list[str]] = {}
        self.wanted = lists(self.params["settings"])

    def _tree(self, overlay: dict[str, bytes | None] | None = None) -> Tree:
        return Tree(self.daemon.main, self.gate.read, glob.glob, overlay)

    # -- what shall be -----------------------------------------------------------------------------------------------
    def _included(self, main: bytes) -> dict[str, bytes | None]:
        """The main file with an Include line, where it reads no drop-ins."""
        release = self.sshd.release()
        if (0, 0) < release < INCLUDE_SINCE:
            said = f"OpenSSH {release[0]}.{release[1]} knows no drop-ins (8.2 was the first that does); update it"
            raise SettingsError(said)
        line = f"Include {os.path.dirname(self.path)}/*.conf"
        if self.params["include"] != "add":
            raise SettingsError(
                f"{self.daemon.main} reads no drop-ins; put the line `{line}` first in it, or set include to add"
            )
        return {self.daemon.main: f"{line}\n".encode() + main}

    def _socket(self, ports: list[str]) -> dict[str, bytes | None]:
        """The drop-in of a socket that listens in place of sshd; nothing where it need not change."""
        path = _sshd_service.SOCKET_DROP_IN.format(socket=self.daemon.socket)
        content = _sshd_service.socket_drop_in(ports).encode() if ports else self.gate.original(path)
        if not ports and self.gate.record(path) is None:
            return {}
        current = _sshd_service.socket_ports(self.runner, self.daemon.socket) if ports else []
        if ports and self.gate.read(path) is None and current == sorted(set(ports), key=int):
            return {}
        return {} if self.gate.read(path) == content else {path: content}

    def plan_present(self) -> Plan:
        main = self.gate.read(self.daemon.main)
        if main is None:
            raise SettingsError(f"there is no {self.daemon.main}; is openssh-server installed?")
        files: dict[str, bytes | None] = {self.path: _sshd_config.render(self.wanted, self.sshd.release()).encode()}
        if not self._tree(files).reads(self.path):
            files.update(self._included(main))
        ports = next((values for keyword, values in self.wanted.items() if keyword.lower() == "port"), [])
        socket = self._socket(ports) if self.daemon.socket else {}
        return Plan({**files, **socket}, ports, bool(socket))

    def plan_absent(self) -> Plan:
        files: dict[str, bytes | None] = {self.path: self.gate.original(self.path)}
        if self.gate.record(self.daemon.main) is not None and self.gate.restorable(self.daemon.main):
            files[self.daemon.main] = self.gate.original(self.daemon.main)
        socket = self._socket([]) if self.daemon.socket else {}
        return Plan({**files, **socket}, [], bool(socket))

    # -- proof -------------------------------------------------------------------------------------------------------
    def prove(self, plan: Plan, changes: bool) -> None:
        """Raises SettingsError for what would not come into force, and for what would lock us out."""
        name = self.session.account or "root"
        tree = self._tree(plan.files)
        names = list(dict.fromkeys([name, *self.params["accounts"]]))
        every = self._effective(tree, names)
        self.found = every[name]
        for keyword in _sshd_config.unreached(self.wanted, self.found):
            values = self.found.get(keyword.lower(), [])
            raise SettingsError(_sshd_proof.obstacle(tree, keyword, values, self.daemon.options, self.path))
        if changes and self.session.account:
            before = self._effective(self._tree(), [name])[name]
            self._way_in().keep_in(name, self.found, before, plan.ports)
        ours = {keyword.lower() for keyword in self.wanted}
        self.notes += _sshd_proof.remarks(tree, ours, every, self.params["accounts"])

    def _effective(self, tree: Tree, names: list[str]) -> dict[str, dict[str, list[str]]]:
        return self.sshd.effective(tree, names, self.session, self.module.tmpdir)

    def _way_in(self) -> WayIn:
        return WayIn(self.runner, self.daemon, self.session)

    # -- change ------------------------------------------------------------------------------------------------------
    def change(self, plan: Plan, absent: bool) -> bool:
        """Write, reload, and look whether sshd is still there. True when the guard waits."""
        before = {path: self.gate.read(path) for path in plan.files}
        running = self.daemon.pid > 0
        todo = _sshd_service.commands(self.daemon, plan.socket_changes, running)
        armed = self.params["guard_seconds"] > 0 and not self.module.check_mode
        if armed:
            self.guard.arm(before, todo, self.params["guard_seconds"], self.daemon.systemd)
        try:
            self._write(plan, absent)
            said = "" if self.module.check_mode else _sshd_service.run_all(self.runner, todo)
            if not said and running and not self.module.check_mode:
                missing = _sshd_service.wait_for(self._way_in().ports(self.found, plan.ports))
                said = f"nobody listens on port {', '.join(missing)} after the reload" if missing else ""
            if said:
                raise SettingsError(f"{said}; the former settings are back")
        except (SettingsError, FileGateError):
            if armed:
                self.guard.restore_now()
            raise
        return armed

    def _write(self, plan: Plan, absent: bool) -> None:
        for path, content in plan.files.items():
            if absent:
                self.gate.restore(path, ours=path != self.daemon.main)
            elif content is not None:
                self.gate.write(path, content, mode=None if path == self.daemon.main else 0o644)
            else:
                self.gate.restore(path, ours=True)

    def run(self) -> dict[str, Any]:
        absent = self.params["state"] == "absent"
        if absent and self.gate.record(self.path) is None and self.gate.read(self.path) is None:
            return {}
        if not self.module.check_mode:
            self._left_behind()
        try:
            self.sshd.ask("-t", self.daemon.main)
        except SettingsError as error:
            raise SettingsError(
                f"sshd's settings are broken already, before any change: {error}; mend that first"
            ) from error
        plan = self.plan_absent() if absent else self.plan_present()
        changes = any(self.gate.read(path) != content for path, content in plan.files.items())
        self.session = _ssh_session.find(self.runner, self.params["session_user"])
        if absent:
            self.wanted = {}
        self.prove(plan, changes)
        armed = self.change(plan, absent) if changes else False
        if absent and not changes:
            self._write(plan, absent)  # what the guard has put back is forgotten
        keywords = {keyword.lower() for keyword in self.wanted}
        shown = {keyword: self.found[keyword] for keyword in sorted(keywords & set(self.found))}
        who = self.session._asdict()
        return {
            "guard": armed,
            "effective": shown,
            "session": {k: who[k] for k in ("account", "address", "port", "method")},
        }

    def _left_behind(self) -> None:
        state = self.guard.state()
        if state == "armed":
            self.guard.restore_now()
            self.notes.append(
                "An earlier run was stopped before it could log in anew; its settings were put back first."
            )
        elif state:
            self.guard.clear()

    def confirm(self) -> bool:
        state = self.guard.state()
        if not state:
            return False
        if self.module.check_mode:
            return True
        if not self.guard.confirm():
            self.guard.clear()
            raise SettingsError("the guard has put the former settings of sshd back already, because it took too long")
        return True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "path": {"type": "path", "default": "/etc/ssh/sshd_config.d/00-gpuready.conf"},
            "config": {"type": "path", "default": ""},
            "include": {"type": "str", "choices": ["refuse", "add"], "default": "refuse"},
            "accounts": {"type": "list", "elements": "str", "default": []},
            "session_user": {"type": "str", "default": ""},
            "guard_seconds": {"type": "int", "default": 120},
            "state": {"type": "str", "choices": ["present", "absent", "confirmed"], "default": "present"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module)
    result: dict[str, Any] = {"guard": False, "effective": {}, "session": {}}
    try:
        settings = Settings(module, gate, Runner(module.run_command))
        if module.params["state"] == "confirmed":
            module.exit_json(**{**gate.result(), **result, "notes": [], "changed": settings.confirm()})
        result.update(settings.run())
    except (SettingsError, FileGateError, ServiceError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}.", effective={})
    module.exit_json(**{**result, "notes": settings.notes, **gate.result()})


if __name__ == "__main__":
    main()
