# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dev_env_import
short_description: Install a lock into a Python environment that is there
version_added: 0.2.0
description:
  - Brings an environment, on this machine or in a running container, to the versions of a lock, each file checked by
    its hash. Packages that the lock does not name stay.
  - An environment that has all of it is left alone, without a look at an index.
  - In a container this lasts until the container is made anew; C(dev_python.lock) makes it part of the image.
options:
  prefix:
    description: Directory of the environment, with C(bin/python) in it.
    type: str
    default: /opt/venv
  container:
    description: Name of a running container that the environment is in. Empty is this machine.
    type: str
    default: ""
  lock:
    description: The text of the lock, such as M(gpuready.bootstrap.python_lock) writes it.
    type: str
    required: true
  uv:
    description: Path of uv beside the environment. Where it is not there, the environment's own pip is taken.
    type: str
    default: /opt/tools/bin/uv
  torch_index_url:
    description: Index of torch's build, for a lock with such a build. It may hold credentials, which are never shown.
    type: str
    default: ""
  docker:
    description: The program of the container engine.
    type: str
    default: docker
  timeout:
    description: Seconds for the installation.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: The packages of another machine
  gpuready.bootstrap.dev_env_import:
    container: gpuready-dev
    lock: "{{ lookup('ansible.builtin.file', 'exports/gpu01/requirements.txt') }}"
"""

RETURN = r"""
installed:
  description: Pins of the lock that the environment did not have.
  returned: success
  type: list
  elements: str
  sample: [numpy 2.5.5 (has 2.5.4)]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_env as envs
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner


def command(place: envs.Place, uv: str, torch_index: bool) -> list[str]:
    """Read the lock from standard input. uv: its path, or empty for pip."""
    if not uv:
        return place.command(place.python, "-m", "pip", "install", *_COMMON, "-r", "/dev/stdin", stdin=True)
    more = ["--index-strategy", "unsafe-best-match"] if torch_index else []
    return place.command(uv, "pip", "install", "--python", place.python, *_COMMON, *more, "-r", "-", stdin=True)


_COMMON = ("--no-deps", "--require-hashes")


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
        uv = self.params["uv"] if self._has_uv() else ""
        argv = command(self.place, uv, bool(self.params["torch_index_url"]))
        url = self.params["torch_index_url"]
        # the address may hold a password: not on a command line, which everybody can read
        names = {"UV_INDEX": url, "PIP_EXTRA_INDEX_URL": url} if url else {}
        if self.place.container:
            argv[2:2] = [word for name in names for word in ("-e", name)]
        rc, out, err = self.module.run_command(
            ["timeout", "-k", "1", str(self.params["timeout"]), *argv],
            data=lock,
            environ_update={"LC_ALL": "C", "UV_NO_PROGRESS": "1", **names},
            expand_user_and_vars=False,
        )
        if rc != 0:
            said = locks.words(err) or locks.words(out)
            raise envs.PlaceError(f"the lock could not be installed into {self.place.words}: {said.rstrip('.')}")

    def _has_uv(self) -> bool:
        return self.runner.run(self.place.command(self.params["uv"], "--version"), timeout=30).status == "ok"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "str", "default": "/opt/venv"},
            "container": {"type": "str", "default": ""},
            "lock": {"type": "str", "required": True},
            "uv": {"type": "str", "default": "/opt/tools/bin/uv"},
            "torch_index_url": {"type": "str", "default": "", "no_log": True},
            "docker": {"type": "str", "default": "docker"},
            "timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    try:
        installed = Import(module).run()
    except envs.PlaceError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=bool(installed), installed=installed)


if __name__ == "__main__":
    main()
