# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gpu_modules
short_description: Load, unload or reload NVIDIA's kernel modules, never under a running job
version_added: 0.1.0
description:
  - Unloads C(nvidia_uvm), C(nvidia_drm), C(nvidia_modeset), C(nvidia_peermem) and C(nvidia), and loads what the running
    kernel's module folder holds now. Never touches nouveau.
  - Refuses, with the list, while a process has an NVIDIA device open, while another module such as C(gdrdrv) or
    C(nvidia_fs) needs the driver, and while the kernel itself uses it, as for a console. Never ends a process.
  - The named O(services) are stopped first and started again, also after a refusal or an error.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.command
options:
  state:
    description:
      - V(loaded) loads C(nvidia) and C(nvidia_uvm) where they are not.
      - V(unloaded) removes all of NVIDIA's modules. Services that were stopped for it stay stopped.
      - V(reloaded) removes and loads, and loads the other modules again that were loaded before. Always a change.
    type: str
    choices: [loaded, unloaded, reloaded]
    required: true
  services:
    description: Units of systemd that hold the driver. Those that run are stopped first and started again after.
    type: list
    elements: str
    default: []
  wait_s:
    description: Seconds to wait until nobody else uses the driver. Services are not stopped before that.
    type: int
    default: 0
  kernel_use:
    description:
      - What to do with V(unloaded) where no process uses the driver, but the kernel itself does, as for a console on
        the GPU, or shows none of its modules. Only a boot without the driver removes it then.
      - V(refuse) is an error. V(leave) leaves the modules in memory, which RV(left) says; services that were stopped
        are started again.
    type: str
    choices: [refuse, leave]
    default: refuse
attributes:
  check_mode:
    details: Whether the driver is free after its services have stopped is only known then.
  diff_mode:
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Use the driver that was just installed
  gpuready.bootstrap.gpu_modules:
    state: reloaded
    services: [nvidia-persistenced.service, nvidia-fabricmanager.service]
    wait_s: 600
"""

RETURN = r"""
version_before:
  description: Version of the driver that was loaded; V(null) if none was.
  returned: always
  type: str
  sample: 580.95.05
version_after:
  description: Version of the driver that is loaded now; in check mode as before.
  returned: always
  type: str
  sample: 580.178.04
holders:
  description: Processes that had an NVIDIA device open at the last look before anything was done.
  returned: always
  type: list
  elements: dict
  sample: [{pid: 4242, comm: python3, user: alice, devices: [/dev/nvidia0, /dev/nvidiactl]}]
unloaded:
  description: Modules that were removed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [nvidia_uvm, nvidia]
left:
  description: Why the modules stay in memory until the machine boots without the driver; empty where they do not.
  returned: always
  type: str
  sample: ""
services:
  description: Units that were stopped, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [nvidia-persistenced.service]
notes:
  description: What else is worth knowing.
  returned: always
  type: list
  elements: str
  sample: []
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._gpu_holders import (
    Holder,
    Kernel,
    blockers,
    part,
    removal_order,
)

ROOT = "/"
POLL_S = 2.0
SETTLE_S = 3.0  # a service that has ended gives its devices back a moment later


class ModulesError(Exception):
    """The modules stay as they are; the text is one sentence for the user."""


class LeftError(Exception):
    """Nothing but a boot removes the modules, and that is accepted; the text says why."""


class GpuModules:
    """The modules as they are and as they shall be."""

    def __init__(self, module: AnsibleModule, kernel: Kernel, runner: Runner) -> None:
        self.kernel, self.runner, self.params = kernel, runner, module.params
        self.check: bool = module.check_mode
        self.services = [name if "." in name else f"{name}.service" for name in module.params["services"]]
        self.before = kernel.version()
        self.holders: list[Holder] = []
        self.unloaded: list[str] = []
        self.stopped: list[str] = []
        self.notes: list[str] = []
        self.left = ""
        self.changed = False

    def run(self) -> None:
        state = self.params["state"]
        if state == "loaded":
            self._load_missing()
        elif not self.kernel.loaded():
            if state == "reloaded":
                self._load_missing()
        else:
            try:
                self._exchange(state)
            except LeftError as why:
                self.left = str(why)

    def _may_leave(self) -> bool:
        return bool(self.params["state"] == "unloaded" and self.params["kernel_use"] == "leave")

    # -- loading ---------------------------------------------------------------------------------------------
    def _load_missing(self) -> None:
        parts = {part(name) for name in self.kernel.modules()}
        if self.kernel.loaded() and (not parts or {None, "uvm"} <= parts):
            return
        self.changed = True
        if not self.check:
            self._load([])

    def _load(self, more: list[str]) -> None:
        """Load the driver and nvidia_uvm; then what else was loaded before, which is no condition."""
        result = self._modprobe("nvidia")
        if result.status != "ok" or not self.kernel.loaded():
            raise ModulesError(
                f"the driver cannot be loaded: {_why(result)}; see the kernel log (journalctl -k -g 'NVRM|nvidia')"
            )
        for name in ["nvidia-uvm", *more]:
            result = self._modprobe(name)
            if result.status != "ok":
                self.notes.append(f"{name} was not loaded: {_why(result)}")

    def _modprobe(self, name: str) -> CommandResult:
        result = self.runner.run(["modprobe", name])
        if result.status == "missing" or "not found" in result.stderr:
            other = self.runner.run(["nvidia-modprobe"])
            if other.status == "ok":
                note = "modprobe knows no module nvidia for this kernel; nvidia-modprobe was called instead"
                self.notes += [] if note in self.notes else [note]
                return other
        return result

    # -- unloading -------------------------------------------------------------------------------------------
    def _exchange(self, state: str) -> None:
        modules = self.kernel.modules()
        if not modules and state == "unloaded":
            text = "the kernel shows no module of the loaded driver, so only a reboot can remove it"
            raise LeftError(text) if self._may_leave() else ModulesError(text)
        self._wait()
        self.changed = True
        if self.check:
            self.unloaded, self.stopped = list(modules), self._running()
            return
        done = False
        try:
            self._stop_services()
            self._wait_for_services()
            self._unload()
            if state == "reloaded":
                others = [name for name in modules if part(name) in ("drm", "modeset", "peermem")]
                self._load([name.replace("_", "-") for name in reversed(others)])
            done = True
        finally:
            if not done or state == "reloaded":
                self._start_services(done)

    def _wait(self) -> None:
        """Until nobody but our services uses the driver; refuse when that takes longer than wait_s."""
        deadline = time.monotonic() + self.params["wait_s"]
        while True:
            self.holders = self.kernel.holders()
            others = [holder for holder in self.holders if not holder.units & set(self.services)]
            busy = blockers(self.kernel.modules(), others)
            # what the kernel counts may be our services, until they have ended
            if not busy or (not others and self._only_counted(busy) and self._running()):
                return
            if time.monotonic() >= deadline:
                self._refuse(busy)
            time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))

    @staticmethod
    def _only_counted(busy: list[str]) -> bool:
        return all(text.startswith("the kernel itself") for text in busy)

    def _wait_for_services(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while True:
            busy = blockers(self.kernel.modules(), self.kernel.holders())
            if not busy:
                return
            if time.monotonic() >= deadline:
                self._refuse(busy)
            time.sleep(SETTLE_S / 10)

    def _refuse(self, busy: list[str]) -> None:
        self.changed = False
        if self._only_counted(busy) and self._may_leave():
            raise LeftError(f"the driver is in use by {'; '.join(busy)}")
        waited = f" after {self.params['wait_s']} s" if self.params["wait_s"] else ""
        raise ModulesError(
            f"the driver is in use{waited} by {'; '.join(busy)}; end that first, or set wait_s, or reboot when it suits"
        )

    def _unload(self) -> None:
        for name in removal_order(self.kernel.modules()):
            result = self.runner.run(["rmmod", name])
            if result.status != "ok":
                text = f"{name} cannot be removed: {_why(result)}"
                self._load_back()
                raise ModulesError(text)
            self.unloaded.append(name)

    def _load_back(self) -> None:
        for name in reversed(self.unloaded):
            result = self._modprobe(name.replace("_", "-"))
            if result.status != "ok":
                self.notes.append(f"{name} was removed and cannot be loaded again: {_why(result)}")
        self.changed = bool(self.unloaded)

    # -- services --------------------------------------------------------------------------------------------
    def _running(self) -> list[str]:
        return [name for name in self.services if self.runner.run(["systemctl", "is-active", name]).status == "ok"]

    def _stop_services(self) -> None:
        for name in self._running():
            self.stopped.append(name)
            result = self.runner.run(["systemctl", "stop", name])
            if result.status != "ok":
                self.changed = False
                raise ModulesError(f"the service {name} cannot be stopped: {_why(result)}")

    def _start_services(self, done: bool) -> None:
        failed = []
        for name in reversed(self.stopped):
            result = self.runner.run(["systemctl", "start", name])
            if result.status != "ok":
                failed.append(f"the service {name} was stopped and does not start again: {_why(result)}")
        self.notes += failed
        if done and failed:
            raise ModulesError("; ".join(failed))

    def result(self) -> dict[str, Any]:
        fields = ("pid", "comm", "user", "devices")
        return {
            "changed": self.changed,
            "version_before": self.before,
            "version_after": self.kernel.version(),
            "holders": [{name: getattr(holder, name) for name in fields} for holder in self.holders],
            "unloaded": self.unloaded,
            "left": self.left,
            "services": self.stopped,
            "notes": self.notes,
        }


def _why(result: CommandResult) -> str:
    return str(result.error or "no reason was given").rstrip(".")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["loaded", "unloaded", "reloaded"], "required": True},
            "services": {"type": "list", "elements": "str", "default": []},
            "wait_s": {"type": "int", "default": 0},
            "kernel_use": {"type": "str", "choices": ["refuse", "leave"], "default": "refuse"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    work = GpuModules(module, Kernel(ROOT), Runner(module.run_command, module.params["timeout"]))
    try:
        work.run()
    except ModulesError as error:
        notes = "".join(f" {note}." for note in work.notes)
        module.fail_json(msg=f"NVIDIA's kernel modules: {error}.{notes}", **work.result())
    module.exit_json(**work.result())


if __name__ == "__main__":
    main()
