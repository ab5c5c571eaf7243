# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: device_rules
short_description: Let running containers keep their GPU when systemd reloads, or have it again
version_added: 0.1.0
description:
  - Finds the running containers that have NVIDIA devices, whatever engine made them, and holds the devices against
    C(DeviceAllow) of their scope. Those that are not in it are lost when systemd puts its device rules back, after
    C(systemctl daemon-reload), and C(nvidia-smi) says C(Failed to initialize NVML - Unknown Error).
  - Adds what is missing with C(systemctl set-property --runtime). That protects a container, and heals one that has
    lost its GPU, while its programs run on. It lasts until the container stops or restarts.
  - Adds only rights for devices that the container has in its own C(/dev) and that its engine or NVIDIA's hook gave it.
    The engine's own device rules stay and must still agree, so that no container gets a device that it did not have.
  - Restarts nothing, ends nothing and runs nothing in a container. What is denied now is read from the device programs
    of the kernel.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  state:
    description:
      - V(protected) adds the missing rights.
      - V(reported) only tells.
    type: str
    choices: [protected, reported]
    default: protected
  scopes:
    description:
      - Names of the scopes to look at, such as C(docker-ID.scope). All if empty. One that has ended is no error.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    details: V(healed) is a prediction then.
notes:
  - Control groups of version 2 with the systemd driver. Elsewhere RV(containers) says for each container why nothing
    is lost or done.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Let no container lose its GPU by what comes next
  gpuready.bootstrap.device_rules:

- name: See who would
  gpuready.bootstrap.device_rules:
    state: reported
  register: rules
"""

RETURN = r"""
containers:
  description: Running containers with NVIDIA devices, as they were found.
  returned: success
  type: list
  elements: dict
  contains:
    scope:
      description: Its unit of systemd; V(null) with the cgroupfs driver.
      type: str
    engine:
      description: V(docker), V(podman), V(containerd), V(nerdctl) or V(cri-o).
      type: str
    id:
      description: Its id.
      type: str
    name:
      description: Its name, where the engine tells it (Docker, Podman).
      type: str
    pid:
      description: Its first process.
      type: int
    nodes:
      description: NVIDIA devices in its C(/dev).
      type: list
      elements: str
    missing:
      description: Those that it was given and that C(DeviceAllow) lacks.
      type: list
      elements: str
    others:
      description:
        - Other devices that it was given and that C(DeviceAllow) lacks.
        - They are added together with RV(containers[].missing), since the change would take them away at once.
      type: list
      elements: str
    denied:
      description: NVIDIA devices that it was given and that the kernel denies now.
      type: list
      elements: str
    verdict:
      description:
        - As found, before anything was added.
        - V(keeps), also after a reload; V(loses) at the next reload; V(lost) already.
        - V(not_applicable) where systemd's rules do not decide, or where the container was never given a GPU.
      type: str
    reason:
      description: Why.
      type: str
    healed:
      description: Whether it had lost its GPU and has it again.
      type: bool
    recreate:
      description: The command that gives it its GPU anew and ends what runs in it; V(null) where it is not known.
      type: str
  sample:
    - scope: docker-4c01db0b339c.scope
      engine: docker
      id: 4c01db0b339c
      name: train
      pid: 4242
      nodes: [/dev/nvidia0, /dev/nvidiactl]
      missing: [/dev/nvidia0, /dev/nvidiactl]
      others: []
      denied: []
      verdict: loses
      reason: "DeviceAllow lacks /dev/nvidia0, /dev/nvidiactl: they are lost when systemd puts its device rules back"
      healed: false
      recreate: docker restart train
protected:
  description: Scopes that got missing rights, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [docker-4c01db0b339c.scope]
commands:
  description: What was run for it, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - systemctl set-property --runtime docker-4c01db0b339c.scope 'DeviceAllow=/dev/char/195:0 rw'
"""

import shlex
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.look import Container, Lookout, ScopesError

ROOT = "/"


class Protection:
    """Adds to the scopes of containers what their device rules lack."""

    def __init__(self, module: AnsibleModule, lookout: Lookout, runner: Runner) -> None:
        self.check: bool = module.check_mode
        self.lookout, self.runner = lookout, runner
        self.protected: list[str] = []
        self.commands: list[str] = []
        self.errors: list[str] = []
        self.diff: list[dict[str, str]] = []

    def protect(self, container: Container) -> None:
        """Add what is missing; a scope that has ended meanwhile is left out."""
        found, scope = container.judgement, container.group.scope
        if found is None or scope is None or container.verdict not in ("loses", "lost") or not found.missing:
            return
        added = [f"DeviceAllow={entry}" for entry in found.add]
        argv = ["systemctl", "set-property", "--runtime", scope, *added]
        if not self.check:
            result = self.runner.run(argv)
            if result.status != "ok":
                if self.lookout.hierarchy.exists(container.group):
                    self.errors.append(f"{scope}: {result.error}")
                return
        self.protected.append(scope)
        self.commands.append(shlex.join(argv))
        headers = {"before_header": scope, "after_header": scope}
        self.diff.append({"before": "", "after": "\n".join(added) + "\n", **headers})
        if container.verdict == "lost":
            predicted = all(node in found.missing for node in found.denied)
            container.healed = predicted if self.check else not self.lookout.still_denied(container)


def _wanted(names: list[str]) -> list[str]:
    return [name if name.endswith(".scope") else f"{name}.scope" for name in names]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["protected", "reported"], "default": "protected"},
            "scopes": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    runner = Runner(module.run_command)
    lookout = Lookout(runner, ROOT)
    work = Protection(module, lookout, runner)
    try:
        found = lookout.containers(_wanted(module.params["scopes"]))
    except ScopesError as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}. Nothing was changed.")
    if module.params["state"] == "protected":
        for container in found:
            work.protect(container)
    result: dict[str, Any] = {
        "containers": [container.as_dict() for container in found],
        "protected": work.protected,
        "commands": work.commands,
        "changed": bool(work.protected),
        "diff": work.diff,
    }
    if work.errors:
        module.fail_json(msg=f"systemd refused rights for running containers: {'; '.join(work.errors)}.", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
