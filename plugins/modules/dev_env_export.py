# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dev_env_export
short_description: Say what is in a Python environment, and what of it another machine can get
version_added: 0.1.0
description:
  - Asks the environment's own Python, on this machine or in a container, and changes nothing but O(archive).
  - The result goes into M(gpuready.bootstrap.python_lock), which finds the hashes. C(playbooks/export_env.yml) does
    both.
  - What was compiled on this machine, installed from a directory, a repository or a file cannot come from an index. It
    is listed apart, each with its reason.
  - With O(archive) an environment of conda is packed as it is, with the packages of pip in it, by conda-pack, which
    comes from the package index by its sum and goes again. A machine of the same architecture needs neither conda nor
    a network for it.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.python_env
options:
  prefix:
    description: Directory of the environment, with C(bin/python) in it.
    type: str
    default: /opt/venv
  archive:
    description: >-
      File (C(.tar.gz)) on this machine to pack the environment into, for its owner only. One that is there is replaced.
      Empty packs nothing.
    type: path
    default: ""
  index_url:
    description: >-
      One more package index to get conda-pack from. It may hold credentials, which are never shown. Empty leaves it to
      the settings of uv or pip there.
    type: str
    default: ""
  timeout:
    description: Seconds for each step of O(archive).
    type: int
    default: 3600
attributes:
  diff_mode:
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: What users have installed in their container
  gpuready.bootstrap.dev_env_export:
    container: gpuready-dev
  register: found

- name: An environment of conda as one file
  gpuready.bootstrap.dev_env_export:
    prefix: /data/envs/lab
    archive: /var/tmp/conda-env.tar.gz
"""

RETURN = r"""
python:
  description: Version of its Python.
  returned: success
  type: str
  sample: 3.12.3
machine:
  description: Architecture.
  returned: success
  type: str
  sample: x86_64
requirements:
  description: Exact requirements of all packages that came from an index.
  returned: success
  type: list
  elements: str
  sample: [numpy==2.5.5]
torch_backend:
  description: Build of torch as M(gpuready.bootstrap.python_lock) takes it.
  returned: success
  type: str
  sample: cu126
source_builds:
  description: Packages that were compiled on this machine.
  returned: success
  type: list
  elements: str
  sample: [flash-attn==2.8.3]
conda:
  description: Packages of conda, as match specifications.
  returned: success
  type: list
  elements: str
  sample: [ffmpeg=7.1=h1_0]
conda_explicit:
  description: The same as a file for C(conda create --file), with digests. Empty without conda.
  returned: success
  type: str
  sample: ""
left_out:
  description: Packages that no index has, with C(name), C(version) and C(why).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _conda_pack as packs
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_env as envs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner


def pack(module: AnsibleModule, runner: Runner, place: envs.Place, found: dict[str, Any]) -> bool:
    """Make the archive where one is asked for; whether there was anything to do. Raises PlaceError."""
    archive = module.params["archive"]
    if not archive:
        return False
    if not found["conda"]:
        raise envs.PlaceError(f"{place.words} is no environment of conda; its lock is enough, leave archive empty")
    if not module.check_mode:
        job = packs.Job(module.run_command, place, module.params["timeout"])
        uv = envs.beside(runner, place, module.params["uv"])
        packs.pack(job, archive, uv, module.params["index_url"])
    return True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "str", "default": "/opt/venv"},
            "container": {"type": "str", "default": ""},
            "docker": {"type": "str", "default": "docker"},
            "archive": {"type": "path", "default": ""},
            "uv": {"type": "str", "default": "/opt/tools/bin/uv"},
            "index_url": {"type": "str", "default": "", "no_log": True},
            "timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    place = envs.Place(module.params["prefix"], module.params["container"], module.params["docker"])
    runner = Runner(module.run_command)
    try:
        found = envs.look(runner, place)
        packed = pack(module, runner, place, found)
    except envs.PlaceError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=packed, **envs.transfer(found))


if __name__ == "__main__":
    main()
