# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dev_env_import
short_description: Install a lock into a Python environment that is there, or unpack one of conda
version_added: 0.1.0
description:
  - Brings an environment, on this machine or in a running container, to the versions of a lock, each file checked by
    its hash. Packages that the lock does not name stay.
  - An environment that has all of it is left alone, without a look at an index.
  - In a container this lasts until the container is made anew; C(dev_python.lock) makes it part of the image.
  - With O(archive) it makes a whole environment of conda, of the same architecture, at another prefix. One in the home
    directory of a container's user outlives the container.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.python_env
options:
  prefix:
    description: Directory of the environment, with C(bin/python) in it. For O(archive) it must be empty, or not there.
    type: str
    default: /opt/venv
  lock:
    description: The text of the lock, such as M(gpuready.bootstrap.python_lock) writes it.
    type: str
    default: ""
  archive:
    description: >-
      Archive of conda-pack on this machine, such as O(gpuready.bootstrap.dev_env_export#module:archive) makes it. An
      environment that was made from it is left alone, one that an interrupted run left is made anew, and one of another
      archive, in which somebody may have installed more since, is refused.
    type: path
    default: ""
  sha256:
    description: >-
      Sum of the archive. One with another sum is refused; where the environment was made from it already, the archive
      itself need not be there.
    type: str
    default: ""
  torch_index_url:
    description: Index of torch's build, for a lock with such a build. It may hold credentials, which are never shown.
    type: str
    default: ""
  timeout:
    description: Seconds for the installation.
    type: int
    default: 3600
attributes:
  diff_mode:
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: The packages of another machine
  gpuready.bootstrap.dev_env_import:
    container: gpuready-dev
    lock: "{{ lookup('ansible.builtin.file', 'exports/gpu01/requirements.txt') }}"

- name: An environment of conda of another machine
  gpuready.bootstrap.dev_env_import:
    archive: /var/tmp/conda-env.tar.gz
    prefix: /data/envs/lab
"""

RETURN = r"""
installed:
  description: >-
    Pins of the lock that the environment did not have; of O(archive) the packages of conda, in check mode its path.
  returned: success
  type: list
  elements: str
  sample: [numpy 2.5.5 (has 2.5.4)]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _conda_pack as packs
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_env as envs
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner


class Import:
    """The environment as it is, and with the lock."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.params = module, module.params
        self.runner = Runner(module.run_command)
        self.place = envs.Place(self.params["prefix"], self.params["container"], self.params["docker"])

    def run(self) -> list[str]:
        lock: str = self.params["lock"]
        if not locks.pins(lock) or "--hash=" not in lock:
            raise envs.PlaceError("lock holds no package with a version and a hash; make it with python_lock")
        wanted = envs.missing(envs.look(self.runner, self.place), lock)
        if wanted and not self.module.check_mode:
            self._install(lock)
            rest = envs.missing(envs.look(self.runner, self.place), lock)
            if rest:
                raise envs.PlaceError(f"after the installation {self.place.words} still lacks {', '.join(rest[:5])}")
        return wanted

    def _install(self, lock: str) -> None:
        uv = envs.beside(self.runner, self.place, self.params["uv"])
        url = self.params["torch_index_url"]
        more = ["--index-strategy", "unsafe-best-match"] if uv and url else []
        run = self.module.run_command
        rc, out, err = envs.install(run, self.place, uv, lock, more, url, self.params["timeout"])
        if rc != 0:
            said = locks.words(err) or locks.words(out)
            raise envs.PlaceError(f"the lock could not be installed into {self.place.words}: {said.rstrip('.')}")

    def unpack(self) -> list[str]:
        """An archive of conda-pack; returns the packages of conda that came."""
        job = packs.Job(self.module.run_command, self.place, self.params["timeout"])
        archive, digest = self.params["archive"], self.params["sha256"]
        there = packs.made_from(job)
        if digest and packs.is_made(self.place, there, digest):
            return []
        if self.module.check_mode:
            return [archive]
        found = packs.sha256(archive)
        if digest and found != digest:
            raise envs.PlaceError(f"{archive} has another SHA-256 sum than {digest}; nothing was unpacked")
        if packs.is_made(self.place, there, found):
            return []
        packs.unpack(job, archive, found)
        return envs.conda_names(envs.look(self.runner, self.place))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "str", "default": "/opt/venv"},
            "container": {"type": "str", "default": ""},
            "lock": {"type": "str", "default": ""},
            "archive": {"type": "path", "default": ""},
            "sha256": {"type": "str", "default": ""},
            "uv": {"type": "str", "default": "/opt/tools/bin/uv"},
            "torch_index_url": {"type": "str", "default": "", "no_log": True},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "int", "default": 3600},
        },
        mutually_exclusive=[["lock", "archive"]],
        supports_check_mode=True,
    )
    job = Import(module)
    try:
        installed = job.unpack() if module.params["archive"] else job.run()
    except envs.PlaceError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=bool(installed), installed=installed)


if __name__ == "__main__":
    main()
