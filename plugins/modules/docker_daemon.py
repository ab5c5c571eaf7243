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
  - Refuses a file that is not strict JSON, a key that the service gives as a flag, too, a C(data-root) that would hide
    containers, volumes or images, and a file that C(dockerd --validate) refuses. Nothing is changed then.
  - Has the running daemon reload the file, which costs no container anything. Does not restart the daemon; RV(action)
    says whether the change needs that, and M(gpuready.bootstrap.docker_restart) does it, once for all changes.
  - The first original is kept on the target, so that O(state=absent) gives it back byte for byte, and so is the file
    with which the daemon last started, so that M(gpuready.bootstrap.docker_restart) can go back to it.
  - Passwords in addresses are never printed.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
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
  owner:
    description:
      - A name for whose settings these are. Keys that an earlier call set for the same owner, and that O(settings) does
        not name any more, are given back as they were. Without an owner keys are only added.
      - With O(state=absent) and no O(settings), all that this owner set is given back.
    type: str
    default: ""
  stamp:
    description:
      - Any text that stands for the inputs, such as their digest. It is remembered with the file, and
        M(gpuready.bootstrap.gpu_facts) shows it there, so that a role can spare the call. Only one caller should give
        it.
    type: str
    default: ""
  reload:
    description: Whether a running daemon is told to read the file again. Keys that need a restart wait for it.
    type: bool
    default: true
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
      - What to do if the change needs a restart, and containers run that would not survive it. They survive if
        live-restore is on in the daemon that runs and in the one that starts; also if these settings switch it on,
        because the daemon takes that over by a reload.
      - V(refuse) fails before anything is written, and says how many and which; V(proceed) writes.
    type: str
    choices: [refuse, proceed]
    default: refuse
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Keep containers over restarts of the daemon
  gpuready.bootstrap.docker_daemon:
    owner: my_role
    settings:
      live-restore: true
      log-opts:
        max-size: 20m

- name: Restart the daemon, if anything is due
  gpuready.bootstrap.docker_restart:
"""

RETURN = r"""
action:
  description: What the daemon needs to take the change over (none, reload, restart); V(none) too when it does not run.
  returned: success
  type: str
  sample: restart
reloaded:
  description: Whether the running daemon was told to read the file again.
  returned: success
  type: bool
  sample: true
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _docker_pending as pending
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _json_merge as json_merge
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import (
    Daemon,
    DaemonError,
    needed_action,
    plural,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_data import refuse_to_lose_data
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_pending import DaemonGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import found_in, secrets_in

Data = dict[str, Any]
ROOT_ONLY = 0o600


class Change:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: DaemonGate, daemon: Daemon) -> None:
        self.module, self.gate, self.daemon = module, gate, daemon
        self.path: str = module.params["path"]
        self.owner: str = module.params["owner"]
        self.settings: Data = module.params["settings"]
        self.raw = gate.read(self.path)
        self.current = self._load(self.raw, "")
        record = gate.record(self.path)
        self.known = record is not None
        self.owned: Data = record.meta.get("owned", {}) if record else {}
        self.owners: Data = record.meta.get("owners", {}) if record else {}
        self.original = self._load(gate.original(self.path), "the kept original of ")
        self.pending = pending.due(pending.of(record), daemon.running, daemon.began)
        self.keys: list[str] = []
        self.left: list[str] = []
        self.action = "none"
        self.reloaded = False
        self.stopped: list[str] = []

    def _load(self, raw: bytes | None, what: str) -> Data:
        try:
            return json_merge.loads(raw or b"")
        except json_merge.JsonError as error:
            raise DaemonError(f"{what}{self.path} is not valid JSON, {error}; correct it by hand first") from error

    # -- the two states ---------------------------------------------------------------------------------------
    def present(self) -> None:
        stale = self._of_owner_only(json_merge.subtract(self.owners.get(self.owner, {}), self.settings))
        base = json_merge.revert(self.current, stale, self.original)
        self._refuse_types(base)
        wanted = json_merge.merge(base, self.settings)
        self._refuse_flags(wanted)
        self._judge(wanted)
        meta = {"owned": json_merge.combine(json_merge.subtract(self.owned, stale), self.settings)}
        if self.owner:
            meta["owners"] = {**self.owners, self.owner: self.settings}
        if self.module.params["stamp"]:
            meta["stamp"] = self.module.params["stamp"]
        if not self.keys:  # keep the user's own formatting
            self.gate.remember_meta(self.path, meta)
            return
        content = json_merge.dumps(wanted)
        self.daemon.validate(content, self.module.tmpdir)
        refuse_to_lose_data(self.current, wanted)
        self._write(content, wanted, meta)

    def absent(self) -> None:
        if not self.known:
            return
        taken = self._of_owner_only(self.owners.get(self.owner) or self.settings or ({} if self.owner else self.owned))
        rest = json_merge.subtract(self.owned, taken)
        ours = json_merge.subtract(self.owned, rest)
        if not rest and self.gate.restorable(self.path):
            self._judge(self.original)
            self._write(self.gate.original(self.path), self.original, {"owned": {}, "owners": {}})
        else:
            wanted = json_merge.revert(self.current, ours, self.original)
            self._judge(wanted)
            self.left = json_merge.foreign_keys(self.current, ours, self.original)
            owners = {name: value for name, value in self.owners.items() if name != self.owner and rest}
            content = json_merge.dumps(wanted) if self.keys else self.raw
            if not (rest or wanted) and self.gate.original(self.path) is None and self.keys:
                content = None  # somebody edited it, but nothing of theirs is left in a file that was not there
            self._write(content, wanted, {"owned": rest, "owners": owners})
        if not rest and self.pending is None:
            self.gate.forget(self.path)

    def _of_owner_only(self, keys: Data) -> Data:
        """Without what another owner set, too."""
        for name, settings in self.owners.items():
            if name != self.owner:
                keys = json_merge.subtract(keys, settings)
        return keys

    # -- the write -------------------------------------------------------------------------------------------
    def _write(self, content: bytes | None, wanted: Data, meta: Data) -> None:
        """Note what is due, write (None: delete), and let the daemon read what it can take over while it runs."""
        if self.keys:
            action = self.action if self.daemon.running else "restart"
            self.pending = pending.begin(self.pending, action, self.raw, self.owned, self.owners)
            meta = {**meta, **self.pending.meta()}
        with self.gate.undone_on_failure(self.path):
            self.gate.remember_meta(self.path, meta)
            if content is None:
                self.gate.remove(self.path)
            else:
                mode = self._mode(meta["owned"])
                meta = {**meta, "for_root": True if mode == ROOT_ONLY else None}
                self.gate.write(self.path, content, mode, shared=True, meta=meta)
        if self.module.check_mode or not self.keys:
            return
        if self.daemon.running:
            self._reload(wanted)
        elif not self.daemon.installed:
            self._settle()  # the first start reads it

    def _mode(self, owned: Data) -> int | None:
        """For root alone while a password of ours is in the file (dockerd is root); its former mode afterwards."""
        if found_in(owned):
            return ROOT_ONLY
        record = self.gate.record(self.path)
        if record is not None and record.meta.get("for_root"):
            return int(record.mode or "0644", 8)
        return None

    def _reload(self, wanted: Data) -> None:
        if not self.module.params["reload"]:
            return
        switched_on = wanted.get("live-restore") is True and "live-restore" in self.keys
        failed = self.daemon.reload(switched_on)
        self.reloaded = not failed
        if failed:
            self.module.warn(f"{self.path} is written, but {failed}")
        elif self.pending is not None and self.pending.action == "reload":
            self._settle()

    def _settle(self) -> None:
        self.gate.remember_meta(self.path, pending.SETTLED)
        self.pending = None

    # -- what is refused -------------------------------------------------------------------------------------
    def _refuse_types(self, base: Data) -> None:
        found = json_merge.clashes(base, self.settings)
        if found:
            raise DaemonError(
                f"{', '.join(found)} in {self.path} is no object, and only an object can take keys of ours beside "
                "those of others; correct it by hand first"
            )

    def _refuse_flags(self, wanted: Data) -> None:
        named = self.daemon.config_file()
        if named is not None and named != self.path:
            raise DaemonError(
                f"docker.service reads {named} (its flag --config-file, in {self.daemon.flag_source()}) and not "
                f"{self.path}; remove the flag, or give that path"
            )
        for key, flag in self.daemon.conflicts(wanted).items():
            raise DaemonError(
                f"{key} cannot be set in {self.path}: docker.service already gives it as the flag {flag} "
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
            self.stopped = self.daemon.stopped_by_restart(self._at_start(wanted), self._taken_over(wanted))
        except DaemonError as error:
            if not proceed:
                raise DaemonError(
                    f"{error}, and changing {', '.join(self.keys)} needs a restart that could stop some; "
                    "mend Docker first, or set on_running_containers to proceed"
                ) from error
        if self.stopped and not proceed:
            raise DaemonError(
                f"changing {', '.join(self.keys)} in {self.path} needs a restart of Docker, which would stop "
                f"{plural(len(self.stopped), 'running container')} ({', '.join(self.stopped)}), because live-restore "
                "is off in the daemon that runs or in the one that starts; stop them yourself, or set "
                "on_running_containers to proceed"
            )

    def _at_start(self, wanted: Data) -> Data:
        """What the daemon's next start reads; our path may be another file."""
        path = self.daemon.reads()
        return wanted if path == self.path else self._load(self.gate.read(path), "")

    def _taken_over(self, wanted: Data) -> bool:
        """Whether the running daemon will have live-restore on by the reload that follows the write."""
        reads = self.module.params["reload"] and self.daemon.reads() == self.path
        return bool(reads and wanted.get("live-restore") is True)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "settings": {"type": "dict", "default": {}},
            "owner": {"type": "str", "default": ""},
            "stamp": {"type": "str", "default": ""},
            "reload": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "on_running_containers": {"type": "str", "choices": ["refuse", "proceed"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    # Ansible takes them out of all that it prints, the arguments of this call included
    module.no_log_values.update(secrets_in(module.params["settings"]))
    gate = DaemonGate(module)
    try:
        change = Change(module, gate, Daemon(Runner(module.run_command)))
        change.present() if module.params["state"] == "present" else change.absent()
    except (DaemonError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}. Nothing was changed.", **gate.result())
    if change.left:
        module.warn(f"{module.params['path']}: left as somebody else set them: {', '.join(change.left)}")
    module.exit_json(
        action=change.action,
        reloaded=change.reloaded,
        changed_keys=change.keys,
        keys_left=change.left,
        running_containers=change.stopped,
        **gate.result(),
    )


if __name__ == "__main__":
    main()
