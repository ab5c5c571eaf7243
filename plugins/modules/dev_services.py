# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dev_services
short_description: Run programs under a supervisord of their own, on a machine without systemd
version_added: 0.1.0
description:
  - Writes a configuration, starts supervisord with it, and waits until the programs answer. A supervisord of somebody
    else is not touched.
  - A program is restarted if its configuration, or a file that it reads, is another one than when it was started; the
    others go on. Programs that have ended are started again.
  - A program that answers somebody without credentials is stopped, and that is a failure.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  dir:
    description: Folder for configuration and logs.
    type: path
    required: true
  run_dir:
    description: Folder for socket and pid, on a file system that has sockets. Made with mode 0700.
    type: path
    required: true
  supervisord:
    description: Programs to look for, the first one that is there is used.
    type: list
    elements: path
    default: [/usr/bin/supervisord]
  programs:
    description: What runs. None at all stops supervisord.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Short name.
        type: str
        required: true
      command:
        description: Program and arguments.
        type: list
        elements: str
        required: true
      directory:
        description: Where it runs.
        type: str
        default: /
      environment:
        description: Its variables; no place for secrets.
        type: dict
        default: {}
      watch:
        description: Files that it reads at its start only.
        type: list
        elements: str
        default: []
      port:
        description: Its port on loopback; 0 for none. Nobody else may have it.
        type: int
        default: 0
      ready:
        description: Path that answers with 200 when it is ready.
        type: str
        default: ""
      closed:
        description: Path that must not answer with 200 to somebody without credentials.
        type: str
        default: ""
  secrets:
    description: Files with a secret, of mode 0600 and without a line feed at the end.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is.
        type: str
        required: true
      value:
        description: The secret. Empty for one that is made by chance, once.
        type: str
        default: ""
      text:
        description: The whole file, C({secret}) stands for the secret. Empty for a file that holds nothing else.
        type: str
        default: ""
      generate:
        description: Whether an empty O(secrets[].value) is made by chance. If not, there is no such file.
        type: bool
        default: true
  wait:
    description: Seconds until all programs must answer.
    type: int
    default: 90
  state:
    description: V(absent) ends supervisord with its programs, and removes configuration, logs and secrets.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    details: Secrets are hidden.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: JupyterLab on loopback
  gpuready.bootstrap.dev_services:
    dir: /data/gpuready/services
    run_dir: /run/gpuready-env
    secrets:
      - path: /data/gpuready/secrets/jupyter_token
    programs:
      - name: jupyter
        command: [/data/gpuready/venv/bin/jupyter, lab, --config=/data/gpuready/etc/jupyter_server_config.json]
        environment: {JUPYTER_TOKEN_FILE: /data/gpuready/secrets/jupyter_token}
        watch: [/data/gpuready/secrets/jupyter_token, /data/gpuready/etc/jupyter_server_config.json]
        port: 8889
        ready: /api
        closed: /api/contents
"""

RETURN = r"""
started:
  description: Programs that were started or restarted, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [jupyter]
states:
  description: State of each program, as supervisord names it.
  returned: success, not in check mode
  type: dict
  sample: {jupyter: RUNNING}
files:
  description: Files that were written or deleted.
  returned: always
  type: list
  elements: str
"""

import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_services import Services
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._supervisor import SupervisorError


def main() -> None:
    program: dict[str, Any] = {
        "name": {"type": "str", "required": True},
        "command": {"type": "list", "elements": "str", "required": True},
        "directory": {"type": "str", "default": "/"},
        "environment": {"type": "dict", "default": {}},
        "watch": {"type": "list", "elements": "str", "default": []},
        "port": {"type": "int", "default": 0},
        "ready": {"type": "str", "default": ""},
        "closed": {"type": "str", "default": ""},
    }
    secret: dict[str, Any] = {
        "path": {"type": "str", "required": True},
        "value": {"type": "str", "default": "", "no_log": True},
        "text": {"type": "str", "default": ""},
        "generate": {"type": "bool", "default": True},
    }
    module = AnsibleModule(
        argument_spec={
            "dir": {"type": "path", "required": True},
            "run_dir": {"type": "path", "required": True},
            "supervisord": {"type": "list", "elements": "path", "default": ["/usr/bin/supervisord"]},
            "programs": {"type": "list", "elements": "dict", "options": program, "default": []},
            "secrets": {"type": "list", "elements": "dict", "options": secret, "default": [], "no_log": False},
            "wait": {"type": "int", "default": 90},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    work = Services(module)
    try:
        more = work.present() if module.params["state"] == "present" else work.absent()
    except (SupervisorError, FileGateError, OSError, subprocess.TimeoutExpired) as error:
        text = str(error) if not isinstance(error, OSError) else f"{error.filename}: {error.strerror}"
        tidy = "" if work.result()["changed"] else " Nothing was changed."
        module.fail_json(msg=f"Services of the dev environment: {text.rstrip('. ')}.{tidy}", **work.result())
    module.exit_json(**work.result(), **more)


if __name__ == "__main__":
    main()
