# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's part of the plan: registry mirrors in daemon.json, and the proxy there or in files of its service.

daemon.json has a record of its own, which it shares with docker_daemon, so it is written by _mirrors/docker.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import Daemon
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import docker, proxies
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import UNREADABLE, MirrorError, Plan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.tools import Options

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_SERVICE = (docker.VARIABLES_PATH, docker.DROP_IN_PATH)


class DockerPlan:
    """Plans Docker's files, and knows afterwards what the daemon still needs."""

    def __init__(self, plan: Plan, module: AnsibleModule) -> None:
        self.plan, self.gate, self.module = plan, plan.gate, module
        # below another root no daemon reads the files
        self.runner = Runner(module.run_command) if plan.gate.root == "/" else None
        self.due = "none"

    def add(self, options: Options) -> None:
        asked = options.of("docker")
        proxy = proxies.docker(options.proxy) if asked.pop("proxy", True) else {}
        service = bool(proxy) and self._in_service(options.proxy.secret)
        try:
            files = docker.service_files(proxy if service else {})
        except UNREADABLE as error:
            raise MirrorError(f"Docker's proxy: {str(error).rstrip('.')}") from error
        for path, text in files.items():
            secret = path == docker.VARIABLES_PATH
            self.plan.own(path, text or None, secret, docker.VARIABLES_MODE if secret and text else None)
        self._add_json({**asked, "proxies": {} if service else proxy})

    @property
    def restart_needed(self) -> bool:
        """Whether the running daemon has not taken everything over."""
        if self.due != "none":
            return True
        changed = any(path in self.gate.paths for path in _SERVICE)
        return changed and self.runner is not None and Daemon(self.runner).running

    def _in_service(self, secret: bool) -> bool:
        """Whether the proxy stands in files of the service.

        daemon.json is for all to read, and an engine before 23.0 does not start with the key; one that is not there yet
        may be such. What was chosen once stays, so that an installation in between changes nothing.
        """
        if secret or self.runner is None or self.gate.record(docker.DROP_IN_PATH) is not None:
            return True
        return self.runner.which("dockerd") is None or not docker.knows_proxies(self.runner)

    def _add_json(self, wish: dict[str, object]) -> None:
        before = docker.known(self.gate)
        try:
            new = docker.change(before, wish)
        except docker.DockerConfigError as error:
            raise MirrorError(f"{docker.PATH} cannot be changed, {error}; correct it by hand first") from error
        if new is None:
            return
        daemon = Daemon(self.runner) if self.runner is not None and (new.keys or new.forget) else None
        if daemon is not None:
            docker.refuse(new, daemon, self.module.tmpdir)
        if new.left:
            self.gate.kept.append(docker.PATH)

        def write() -> None:
            self.due = docker.apply(self.module, self.gate, new, before, daemon)

        self.plan.last.append(write)
