# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_rootless
short_description: Give accounts a Docker Engine of their own, without root
version_added: 0.1.0
description:
  - Writes one unit for the systemd of users (C(/etc/systemd/user/docker.service)), lets each named account keep its
    services without a login, and enables and starts the unit for it. An account that has a unit of that name in its
    home, for example from Docker's C(dockerd-rootless-setuptool.sh), keeps that one.
  - Docker's own program is not called, since it refuses every machine without the kernel module ip_tables, which
    iptables has not needed since it speaks nftables.
  - Remembers for whom it did what. An account that is not named any more loses its service, and its lingering where
    this module had switched it on; images and containers in its home stay.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  users:
    description:
      - The accounts. Each needs at least 65536 ids of its own in C(/etc/subuid) and C(/etc/subgid).
      - Ignored with O(state=absent).
    type: list
    elements: str
    default: []
  state:
    description: V(absent) takes away all that this module gave.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Ada has an engine of her own
  gpuready.bootstrap.docker_rootless:
    users: [ada]
"""

RETURN = r"""
added:
  description: Accounts whose engine was started.
  returned: success
  type: list
  elements: str
  sample: [ada]
removed:
  description: Accounts whose engine was taken away.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import os
import pwd
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_service import errors
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError

NAME = "docker.service"
UNIT = "/etc/systemd/user/" + NAME
RECORD = "docker-rootless.json"
LINGER = "/var/lib/systemd/linger"
# What the network of such an engine goes through
TUN = "/dev/net/tun"
# Where packages put it: docker-ce-rootless-extras, and the distribution's docker.io
PROGRAMS = ("/usr/bin/dockerd-rootless.sh", "/usr/share/docker.io/contrib/dockerd-rootless.sh")
# docs.docker.com/engine/security/rootless: at least so many subordinate ids
IDS = 65536
WAIT_S = 60

Ours = dict[str, dict[str, bool]]


class RootlessError(Exception):
    """An account cannot have an engine of its own; the text is one sentence for the user."""


def unit(program: str) -> str:
    """The unit. Delegate: the engine makes control groups below its own; notify comes from a child of the script."""
    folders = dict.fromkeys(["/usr/bin", "/usr/sbin", "/bin", "/sbin", os.path.dirname(program)])
    return (
        "# Written by gpuready (module docker_rootless); edits are overwritten.\n"
        "[Unit]\nDescription=Docker Engine of this account, without root\nConditionUser=!root\n\n"
        f"[Service]\nType=notify\nNotifyAccess=all\nEnvironment=PATH={':'.join(folders)}\nExecStart={program}\n"
        "ExecReload=/bin/kill -s HUP $MAINPID\nRestart=on-failure\nRestartSec=2\nLimitNOFILE=infinity\n"
        "LimitNPROC=infinity\nTasksMax=infinity\nDelegate=yes\nKillMode=mixed\n\n"
        "[Install]\nWantedBy=default.target\n"
    )


def subordinate_ids(text: str, user: str, uid: int) -> int:
    """How many ids an account has in a file like /etc/subuid: NAME-OR-UID:FIRST:COUNT (subuid(5))."""
    found = 0
    for line in text.splitlines():
        who, _colon, rest = line.strip().partition(":")
        count = rest.rpartition(":")[2]
        if who in (user, str(uid)) and count.isdigit():
            found += int(count)
    return found


class Rootless:
    """Who has an engine from us, and who shall have one."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.path = f"{os.path.dirname(_files.STORE)}/{RECORD}"
        self.ours = self._recorded()

    def _recorded(self) -> Ours:
        try:
            data = json.loads(self.gate.read(self.path) or b"{}")
            return {str(name): {"lingered": bool(entry["lingered"])} for name, entry in data.items()}
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise RootlessError(f"{self.path}, which remembers who has an engine from us, is unreadable") from error

    def reach(self, wanted: list[str]) -> dict[str, Any]:
        accounts = {name: self._account(name) for name in wanted}
        if wanted and not os.path.exists(TUN):
            raise RootlessError(
                f"there is no {TUN}, which the network of an engine without root needs; load module tun"
            )
        program = self._program() if wanted else None
        gone = [name for name in self.ours if name not in wanted]
        for name in gone:
            self._take(name)
        changed_unit = program is not None and self.gate.write(UNIT, unit(program), mode=0o644)
        added = [name for name in wanted if self._give(name, accounts[name], changed_unit)]
        if not self.ours:
            self.gate.restore(UNIT, ours=True)
        result = self.gate.result()
        diff = [entry for entry in result.get("diff", []) if not entry["before_header"].startswith(self.path)]
        return {"changed": bool(result["changed"] or added or gone), "added": added, "removed": gone, "diff": diff}

    # -- asking ----------------------------------------------------------------------------------------------------
    def _account(self, name: str) -> pwd.struct_passwd:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            raise RootlessError(f"there is no account {name} on this host; create it first") from None
        if account.pw_uid == 0:
            raise RootlessError(f"{name} is root; an engine without root is for another account")
        for path in ("/etc/subuid", "/etc/subgid"):
            found = subordinate_ids((self.gate.read(path) or b"").decode("utf-8", "replace"), name, account.pw_uid)
            if found < IDS:
                raise RootlessError(
                    f"{name} has {found} ids in {path}, and an engine without root needs {IDS}; give it some with "
                    f"'usermod --add-{os.path.basename(path)}s FIRST-LAST {name}'"
                )
        return account

    def _program(self) -> str:
        for path in PROGRAMS:
            if self.runner.which(path):
                return path
        if self.module.check_mode:
            return PROGRAMS[-1]
        raise RootlessError(f"{' and '.join(PROGRAMS)} are both missing; install Docker Engine and rootlesskit first")

    def _is_right(self, name: str) -> bool:
        active = self._systemctl(name, "is-active", NAME).stdout.strip()
        return active == "active" and self._systemctl(name, "is-enabled", NAME).stdout.strip() == "enabled"

    # -- changing --------------------------------------------------------------------------------------------------
    def _give(self, name: str, account: pwd.struct_passwd, changed_unit: bool) -> bool:
        """Lingering, unit enabled and started. A running engine is not restarted for a unit that reads otherwise."""
        lingers = os.path.exists(f"{LINGER}/{name}")
        right = lingers and self._is_right(name)
        own = os.path.exists(f"{account.pw_dir}/.config/systemd/user/{NAME}")
        if right and (name in self.ours or own):
            return False
        if self.module.check_mode:
            return True
        # the record first: a run that is killed in between leaves nobody behind of whom we know nothing
        self.ours.setdefault(name, {"lingered": not lingers})
        self._remember()
        if not lingers:
            self._must(["loginctl", "enable-linger", name], name)
        # its manager: lingering starts it, but not before the call returns
        self._must(["systemctl", "start", f"user@{account.pw_uid}.service"], name)
        if changed_unit:
            self._systemctl(name, "daemon-reload")
        began = time.time()
        self._systemctl(name, "reset-failed", NAME)
        done = self._systemctl(name, "enable", "--now", NAME)
        if done.status != "ok":
            said = "; ".join(self._words(account.pw_uid, began)) or first_line(done.stderr) or done.error
            raise RootlessError(f"the engine of {name} does not start: {said}")
        return True

    def _take(self, name: str) -> None:
        if self.module.check_mode:
            self.ours = {other: entry for other, entry in self.ours.items() if other != name}
            return
        if self._exists(name):
            self._systemctl(name, "disable", "--now", NAME)
            if self.ours[name]["lingered"]:
                self._must(["loginctl", "disable-linger", name], name)
        del self.ours[name]
        self._remember()

    def _exists(self, name: str) -> bool:
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def _remember(self) -> None:
        if self.ours:
            self.gate.write(self.path, json.dumps(self.ours, sort_keys=True) + "\n", mode=0o644)
        else:
            self.gate.restore(self.path, ours=True)

    def _systemctl(self, name: str, *words: str) -> CommandResult:
        # NAME@.host: the manager of an account on this machine (systemctl(1), --machine), from systemd 248 on
        return self.runner.run(["systemctl", "--user", "--machine", f"{name}@.host", *words], timeout=WAIT_S)

    def _words(self, uid: int, since: float) -> list[str]:
        fields = [f"_UID={uid}", f"_SYSTEMD_USER_UNIT={NAME}"]
        argv = ["journalctl", *fields, "--since", f"@{int(since)}", "-o", "cat", "--no-pager", "-n", "200"]
        log = self.runner.run(argv).stdout
        # rootlesskit and slirp4netns write lines of their own
        plain = [line.strip() for line in log.splitlines() if "error:" in line or "[ERROR]" in line]
        return errors(log) or plain[-3:]

    def _must(self, argv: list[str], name: str) -> None:
        result = self.runner.run(argv, timeout=WAIT_S)
        if result.status != "ok":
            raise RootlessError(f"{' '.join(argv)} failed for {name}: {first_line(result.stderr) or result.error}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted = module.params["users"] if module.params["state"] == "present" else []
    try:
        result = Rootless(module, FileGate(module), Runner(module.run_command)).reach(list(dict.fromkeys(wanted)))
    except (RootlessError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
