# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_restart
short_description: Restart Docker once, if a change of daemon.json waits for it, or go back to the former file
version_added: 0.1.0
description:
  - Does nothing unless the running daemon is older than a change that M(gpuready.bootstrap.docker_daemon) made, or than
    one of the files in O(watched). Whatever was changed, and by whomever, one restart serves it.
  - Refuses to start or restart it with a C(daemon.json) that cannot be read, and says where the mistake is.
  - Clears systemd's count of failed starts first, and waits until the daemon answers.
  - A daemon that does not start with the new C(daemon.json) gets the file back with which it last started, is started
    with it, and the module fails with the daemon's own words. The file that failed is kept in
    C(/var/lib/gpuready/docker-daemon-failed.json), readable by root. Where containers live on by the live-restore of
    the file that failed, the former one gets this key, too; without it the daemon would end them at its start.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  path:
    description: The daemon's file.
    type: path
    default: /etc/docker/daemon.json
  reason:
    description: What the restart is for; part of the messages.
    type: str
    default: ""
  watched:
    description: Other files that the daemon reads at its start only, such as drop-ins of its service.
    type: list
    elements: path
    default: []
  start:
    description: Whether a service that is there and down is started, too.
    type: bool
    default: false
  on_running_containers:
    description:
      - What to do if containers run that a restart would stop. They survive only if live-restore is on in the daemon
        that runs and in the one that starts, which reads C(daemon.json) and the flags of its service.
      - The same for containers that live on while the daemon is down, and that its start would stop.
      - V(refuse) fails before anything is done, and says how many and which; the restart stays due. V(proceed)
        restarts.
    type: str
    choices: [refuse, proceed]
    default: refuse
  timeout:
    description: Seconds that the daemon may take until it answers.
    type: int
    default: 120
attributes:
  diff_mode:
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Restart Docker, if anything waits for it
  gpuready.bootstrap.docker_restart:
    reason: the container runtime of the GPUs
"""

RETURN = r"""
action:
  description: What was done (none, reload, start, restart).
  returned: success
  type: str
  sample: restart
running_containers:
  description: Running containers that the restart or the start stopped.
  returned: success
  type: list
  elements: str
  sample: []
restored:
  description: Whether the former C(daemon.json) was put back.
  returned: always
  type: bool
  sample: false
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _docker_pending as pending
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _json_merge as json_merge
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import Daemon, DaemonError, plural
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_pending import DaemonGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_service import Service
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import secrets_in
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import docker_orphans

FAILED = "docker-daemon-failed.json"


class Restart:
    """What is due, and how it is done."""

    def __init__(self, module: AnsibleModule, gate: DaemonGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.daemon, self.service = Daemon(runner), Service(runner, module.params["timeout"])
        self.path: str = module.params["path"]
        self.record = gate.record(self.path)
        self.pending = pending.due(pending.of(self.record), self.daemon.running, self.daemon.began)
        self.action = "none"
        self.stopped: list[str] = []
        self.restored = False
        # whether containers live on over the restart, by live-restore
        self.alive = self.added = False

    def decide(self) -> None:
        """What is due; refuses what the policy forbids."""
        if not self.daemon.running:
            if self.daemon.installed and (self.module.params["start"] or self.pending is not None):
                self.action = "start"
                self._ask_at_start(self._at_start())
            return
        newer = [path for path in self.module.params["watched"] if self._newer(path)]
        if newer or (self.daemon.unit_changed and self.module.params["watched"]):
            self.action = "restart"
        elif self.pending is not None:
            self.action = self.pending.action
        if self.action == "restart":
            self._ask()

    def _newer(self, path: str) -> bool:
        began = self.daemon.began
        try:
            return began is not None and os.stat(path).st_mtime > began
        except OSError:
            return False

    def file(self) -> dict[str, Any]:
        """Our file, for what must not be printed of it; nothing of one that cannot be read."""
        try:
            return json_merge.loads(self.gate.read(self.path) or b"")
        except json_merge.JsonError:
            return {}

    def _at_start(self) -> dict[str, Any]:
        """What the daemon's next start reads. Into a file that cannot be read nothing is restarted."""
        path = self.daemon.reads()
        try:
            return json_merge.loads(self.gate.read(path) or b"")
        except json_merge.JsonError as error:
            verb = "started" if self.action == "start" else "restarted"
            raise DaemonError(
                f"{path} is not valid JSON, {error}; correct it by hand first. Docker was not {verb}{self._reason()}, "
                "because it might not come up with that file"
            ) from error

    def _ask_at_start(self, after: dict[str, Any]) -> None:
        """A daemon that was killed leaves its containers alive, and one that starts without live-restore ends them."""
        if self.daemon.starts_with_live_restore(after):
            return
        found = docker_orphans.names(Host("/", self.runner), after)
        if found and self.module.params["on_running_containers"] == "refuse":
            raise DaemonError(
                f"Docker is down and was not started{self._reason()}: without live-restore the start would stop "
                f"{plural(len(found), 'container')} that outlived the daemon ({', '.join(found)}); set live-restore in "
                f"{self.daemon.reads()}, wait until their jobs have ended, or set on_running_containers to proceed"
            )
        self.stopped = found

    def _ask(self) -> None:
        """Let live-restore work first, if the file switches it on; then count what a restart would stop."""
        after = self._at_start()
        switched_on = after.get("live-restore") is True
        if switched_on and not self.module.check_mode and not self.daemon.live_restore():
            failed = self.daemon.reload(live_restore=True)
            if failed:
                self.module.warn(failed)
        # check mode foretells the reload
        stopped = self.daemon.stopped_by_restart(after, reload=switched_on and self.module.check_mode)
        if stopped and self.module.params["on_running_containers"] == "refuse":
            raise DaemonError(
                f"Docker must be restarted{self._reason()}, which would stop "
                f"{plural(len(stopped), 'running container')} ({', '.join(stopped)}), because live-restore is off "
                "in the daemon that runs or in the one that starts; stop them yourself, or set on_running_containers "
                "to proceed. The restart stays due"
            )
        self.stopped = stopped

    def _reason(self) -> str:
        return f" for {self.module.params['reason']}" if self.module.params["reason"] else ""

    def run(self) -> None:
        if self.action == "reload":
            failed = self.daemon.reload()
            if not failed:
                self._settle()
                return
            self.module.warn(failed)
            self.action = "restart"
            self._ask()
        self.alive = self.action == "restart" and not self.stopped and self._any_container()
        failed = self.service.go(self.action, self.daemon.unit_changed)
        if failed:
            raise DaemonError(self._way_back(failed))
        self._settle()

    def _any_container(self) -> bool:
        try:
            return bool(self.daemon.containers())
        except DaemonError:
            return True  # nobody knows

    def _settle(self) -> None:
        """The daemon lives by the file. A file that was given back in the meantime needs no record any more."""
        self.gate.remember_meta(self.path, pending.SETTLED)
        record = self.gate.record(self.path)
        if record is not None and record.meta.get("owned") == {} and self.gate.restorable(self.path):
            self.gate.forget(self.path)

    # -- the way back ----------------------------------------------------------------------------------------
    def _way_back(self, said: str) -> str:
        """Start the daemon with the former file; the sentence that says what happened."""
        text = f"Docker does not {self.action}{self._reason()}: {said}. "
        failing = self.gate.read(self.path)
        if self.pending is None or not self.pending.known or self.pending.former == failing:
            return text + f"{self.path} was not changed by us since it last started; see journalctl -u docker.service"
        self.service.stop()
        kept = self._keep(failing)
        self._put_back()
        again = self.service.go("start", self.daemon.unit_changed)
        was = "is back" if self.pending.former is not None else "is away again, as before"
        if self.added:
            was = "is back, with live-restore added, without which the containers that run would be stopped"
        text += f"The former {self.path} {was}{kept}"
        if again:
            return f"{text}, but Docker does not start with that one either: {again}"
        return f"{text}, and Docker runs with it"

    def _keep(self, failing: bytes | None) -> str:
        """Keep the file that failed, for the person who has to mend it."""
        if failing is None:
            return ""
        path = f"{os.path.dirname(_files.STORE)}/{FAILED}"
        try:
            self.gate.write(path, failing, mode=0o600, secret=True)
            self.gate.forget(path)
        except FileGateError as error:
            self.module.warn(str(error))
            return ""
        return f" (the one that failed is kept as {path})"

    def _put_back(self) -> None:
        """The former file, and what we owned in it."""
        now = self.pending
        if now is None:
            return
        content, owned = self._harmless(now)
        former = {"owned": owned, "owners": now.owners, "stamp": "", **pending.SETTLED}
        self.gate.remember_meta(self.path, former)
        if content is None:
            self.gate.remove(self.path)
        else:
            self.gate.write(self.path, content, shared=True, meta=former)
        self.restored = True
        if not owned and self.gate.restorable(self.path):
            self.gate.forget(self.path)

    def _harmless(self, now: pending.Pending) -> tuple[bytes | None, dict[str, Any]]:
        """The former file and our keys in it, with live-restore where the start would end containers without it.

        They live by the file that failed: the daemon took live-restore over from it before it ended.
        """
        if not self.alive or self.daemon.reads() != self.path:
            return now.former, now.owned
        try:
            data = json_merge.loads(now.former or b"")
        except json_merge.JsonError:
            return now.former, now.owned
        if self.daemon.starts_with_live_restore(data):
            return now.former, now.owned
        self.added = True
        ours = {"live-restore": True}
        return json_merge.dumps(json_merge.merge(data, ours)), json_merge.combine(now.owned, ours)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "reason": {"type": "str", "default": ""},
            "watched": {"type": "list", "elements": "path", "default": []},
            "start": {"type": "bool", "default": False},
            "on_running_containers": {"type": "str", "choices": ["refuse", "proceed"], "default": "refuse"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    gate = DaemonGate(module)
    restored = False
    try:
        restart = Restart(module, gate, Runner(module.run_command))
        restart.decide()
        # the daemon's words may hold an address with its password
        module.no_log_values.update(secrets_in(restart.file()))
        if restart.action != "none" and not module.check_mode:
            try:
                restart.run()
            finally:
                restored = restart.restored
    except (DaemonError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}.", restored=restored, changed=restored)
    module.exit_json(
        changed=restart.action != "none", action=restart.action, running_containers=restart.stopped, restored=False
    )


if __name__ == "__main__":
    main()
