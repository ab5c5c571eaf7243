# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_daemon
short_description: Own some keys of Docker's daemon.json
version_added: 0.1.0
description:
  - Merges settings into C(daemon.json) key by key. Keys that are not named in O(settings) keep value, place and order.
  - Refuses a file that is not strict JSON, a setting that is also given as a flag of the service, and a file that
    C(dockerd --validate) refuses. Nothing is changed then.
  - Does not restart or reload the daemon; RV(action) says which of the two the change needs.
  - The first original is kept on the target, so that O(state=absent) gives it back byte for byte.
options:
  path:
    description: The file.
    type: path
    default: /etc/docker/daemon.json
  settings:
    description:
      - The keys to own. A dict is merged key by key, a list or a scalar is replaced, V(null) removes the key.
      - With O(state=absent) the keys to give back; without any, all that were ever set by this module.
    type: dict
    default: {}
  state:
    description:
      - V(present) makes the file hold the settings.
      - V(absent) gives owned keys back as they were. When no owned key is left and nobody else edited the file,
        the original file is restored byte for byte (or deleted, if there was none). A key that somebody else changed
        after this module is left alone.
    type: str
    choices: [present, absent]
    default: present
  on_running_containers:
    description:
      - What to do if the change needs a restart, the running daemon has no live-restore, and containers run.
      - V(refuse) fails before anything is written, and names them; V(proceed) writes.
    type: str
    choices: [refuse, proceed]
    default: refuse
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Keep containers over restarts of the daemon
  gpuready.bootstrap.docker_daemon:
    settings:
      live-restore: true
      log-opts:
        max-size: 20m
  register: daemon

- name: Apply it
  ansible.builtin.systemd_service:
    name: docker.service
    state: "{{ daemon.action }}ed"
  when: daemon.action in ['reload', 'restart']
"""

RETURN = r"""
action:
  description: What the daemon needs to take the change over; V(none) too when it does not run.
  returned: success
  type: str
  sample: restart
changed_keys:
  description: Top level keys whose value changed.
  returned: success
  type: list
  elements: str
  sample: [live-restore, log-opts]
keys_left:
  description: Top level keys that were ours, but were changed by someone else since and were left alone.
  returned: success
  type: list
  elements: str
  sample: []
running_containers:
  description: Running containers that the restart will stop.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker/daemon.json]
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _json_merge as json_merge
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import (
    Daemon,
    DaemonError,
    needed_action,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError

Data = dict[str, Any]


class Change:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, daemon: Daemon) -> None:
        self.module, self.gate, self.daemon = module, gate, daemon
        self.path: str = module.params["path"]
        self.current = self._load(gate.read(self.path), "")
        record = gate.record(self.path)
        self.known = record is not None
        self.owned: Data = record.meta.get("owned", {}) if record else {}
        self.keys: list[str] = []
        self.left: list[str] = []
        self.action = "none"
        self.stopped: list[str] = []

    def _load(self, raw: bytes | None, what: str) -> Data:
        try:
            return json_merge.loads(raw or b"")
        except json_merge.JsonError as error:
            raise DaemonError(f"{what}{self.path} is not valid JSON, {error}; correct it by hand first") from error

    def present(self) -> None:
        settings: Data = self.module.params["settings"]
        self._refuse_flags(settings)
        wanted = json_merge.merge(self.current, settings)
        self._judge(wanted)
        owned = json_merge.combine(self.owned, settings)
        if not self.keys:  # keep the user's own formatting
            self.gate.remember_meta(self.path, {"owned": owned})
            return
        content = json_merge.dumps(wanted)
        self.daemon.validate(content, self.module.tmpdir)
        self.gate.write(self.path, content, shared=True, meta={"owned": owned, **self._due()})

    def absent(self) -> None:
        if not self.known:
            return
        taken = self.module.params["settings"] or self.owned
        rest = json_merge.subtract(self.owned, taken)
        ours = json_merge.subtract(self.owned, rest)
        original = self._load(self.gate.original(self.path), "the kept original of ")
        wanted = json_merge.revert(self.current, ours, original)
        if not rest and self.gate.restorable(self.path):
            self._judge(original)
            self.gate.restore(self.path)
            return
        self._judge(wanted)
        self.left = json_merge.foreign_keys(self.current, ours, original)
        if self.keys:
            self.gate.write(self.path, json_merge.dumps(wanted), shared=True, meta={"owned": rest, **self._due()})
        else:
            self.gate.remember_meta(self.path, {"owned": rest})
        if not rest:
            self.gate.forget(self.path)

    def _due(self) -> Data:
        """Remember since when the daemon needs a restart: a run that is killed before it must not lose that."""
        return {"restart_due": time.time()} if self.action == "restart" else {}

    def _refuse_flags(self, settings: Data) -> None:
        flags = self.daemon.flags()
        for key in settings:
            if key in flags and settings[key] is not None:
                raise DaemonError(
                    f"{key} cannot be set in {self.path}: docker.service already gives it as the flag {flags[key]} "
                    f"(in {self.daemon.flag_source()}), and dockerd does not start with both; remove one of them"
                )

    def _judge(self, wanted: Data) -> None:
        """What changes, what the daemon needs for it, and whether that may be."""
        self.keys = json_merge.changed_keys(self.current, wanted)
        if not self.keys or not self.daemon.running:
            return
        self.action = needed_action(self.current, wanted, self.keys)
        if self.action != "restart":
            return
        proceed = self.module.params["on_running_containers"] == "proceed"
        try:
            self.stopped = self.daemon.stopped_by_restart()
        except DaemonError as error:
            if not proceed:
                raise DaemonError(
                    f"{error}, and changing {', '.join(self.keys)} needs a restart that could stop some; "
                    "mend Docker first, or set on_running_containers to proceed"
                ) from error
        if self.stopped and not proceed:
            raise DaemonError(
                f"changing {', '.join(self.keys)} in {self.path} needs a restart of Docker, which would stop the "
                f"running containers {', '.join(self.stopped)} (live-restore is off); stop them yourself, or set "
                "on_running_containers to proceed"
            )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "settings": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "on_running_containers": {"type": "str", "choices": ["refuse", "proceed"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module)
    try:
        change = Change(module, gate, Daemon(Runner(module.run_command)))
        change.present() if module.params["state"] == "present" else change.absent()
    except (DaemonError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}. Nothing was changed.", **gate.result())
    if change.left:
        module.warn(f"{module.params['path']}: left as somebody else set them: {', '.join(change.left)}")
    module.exit_json(
        action=change.action,
        changed_keys=change.keys,
        keys_left=change.left,
        running_containers=change.stopped,
        **gate.result(),
    )


if __name__ == "__main__":
    main()
