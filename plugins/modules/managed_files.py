# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: managed_files
short_description: Own a set of small text files, and give back what was there before
version_added: 0.1.0
description:
  - Writes several small files in one call, such as those below C(/etc/modprobe.d), C(/etc/modules-load.d),
    C(/etc/apt/apt.conf.d), or a drop-in of a systemd unit. Folders that are missing are made.
  - All files belong to the set O(name). A file that an earlier call wrote for the set and that is not listed any more
    is given back as with O(state=absent).
  - The first original of each file is kept on the target. O(state=absent) gives it back byte for byte, or deletes the
    file where there was none, together with the folders that were made for it. A file that was there already with the
    wanted content is not ours and stays, unless its path holds the word C(gpuready).
  - Every path is looked at before the first one is written. Runs nothing and reloads nothing.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  name:
    description: Short name of the set; errors name it.
    type: str
    required: true
  files:
    description:
      - The files. None at all gives back what the set had.
      - With O(state=absent) those to give back besides all others of the set.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path on the target.
        type: str
        required: true
      content:
        description: The whole text of the file, with its last line feed. Not looked at with O(state=absent).
        type: str
        default: ""
      mode:
        description: Permissions as four octal digits in quotes. The owner is the user that runs the module.
        type: str
        default: "0644"
  stamp:
    description:
      - Any text that stands for the inputs, such as their digest. It is remembered with the first file, and
        M(gpuready.bootstrap.gpu_facts) shows it there, so that a role can see that nothing has changed since, and spare
        the call.
    type: str
    default: ""
  state:
    description: Whether the files should be there.
    type: str
    choices: [present, absent]
    default: present
  root:
    description: Folder below which the paths and the kept originals lie, for images and tests.
    type: path
    default: /
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: The kernel loads NVIDIA's modules instead of nouveau
  gpuready.bootstrap.managed_files:
    name: nvidia-modules
    files:
      - path: /etc/modprobe.d/gpuready-nouveau.conf
        content: |
          blacklist nouveau
          options nouveau modeset=0
      - path: /etc/modules-load.d/gpuready-nvidia.conf
        content: |
          nvidia
          nvidia-uvm

- name: Give everything back
  gpuready.bootstrap.managed_files:
    name: nvidia-modules
    state: absent
"""

RETURN = r"""
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/modprobe.d/gpuready-nouveau.conf]
kept:
  description: Files that were not given back, because somebody else owns them now.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError

OUR_NAME = "gpuready"


class SetError(Exception):
    """The set of files cannot be what was asked for; the text is one sentence for the user."""


def checked(name: str, files: list[dict[str, Any]]) -> list[str]:
    """The paths in their order. Raises SetError for a path or a mode that cannot be meant."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise SetError(f"name {name!r} may only hold lower case letters, digits, - and _")
    paths: list[str] = []
    for entry in files:
        path, mode = entry["path"], entry["mode"]
        if not re.fullmatch(r"(?:/[^/\0\n]+)+", path) or {".", ".."} & set(path.split("/")):
            raise SetError(f"{path!r} in files is not an absolute path of a file, without . and ..")
        if path in paths:
            raise SetError(f"{path} stands twice in files")
        # YAML reads 0644 without quotes as the number 420
        if not re.fullmatch(r"0[0-7]{3}", mode):
            raise SetError(f"mode {mode!r} of {path} is not four octal digits in quotes, such as '0644'")
        paths.append(path)
    return paths


def members(index: bytes | None, name: str) -> list[str]:
    """The paths that were written for a set, read from the gate's records."""
    records = json.loads(index or b'{"files": {}}')["files"]
    return sorted(path for path, record in records.items() if record["meta"].get("set") == name)


class ManagedFiles:
    """The set as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.gate, self.params = gate, module.params
        self.name: str = self.params["name"]
        self.paths = checked(self.name, self.params["files"])
        self.gate.record("")  # the gate has a sentence for records that cannot be read
        self.known = members(self.gate.read(f"{_files.STORE}/index.json"), self.name)
        for path in {*self.paths, *self.known}:
            self.gate.read(path)

    def present(self) -> None:
        self._give_back([path for path in self.known if path not in self.paths])
        for number, entry in enumerate(self.params["files"]):
            meta: dict[str, Any] = {"set": self.name}
            if number == 0:
                meta["stamp"] = self.params["stamp"]
            self.gate.write(entry["path"], entry["content"], mode=int(entry["mode"], 8), meta=meta)
            self.gate.remember_meta(entry["path"], meta)

    def absent(self) -> None:
        self._give_back([*self.paths, *(path for path in self.known if path not in self.paths)])

    def _give_back(self, paths: list[str]) -> None:
        for path in paths:
            ours = OUR_NAME in path or self.gate.record(path) is not None
            self.gate.restore(path, ours=ours)


def main() -> None:
    files = {
        "path": {"type": "str", "required": True},
        "content": {"type": "str", "default": ""},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "options": files, "default": []},
            "stamp": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    try:
        wanted = ManagedFiles(module, gate)
        wanted.present() if module.params["state"] == "present" else wanted.absent()
    except (SetError, FileGateError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        text = f"Files of {module.params['name']}: {str(error).rstrip('.')}. {done}"
        module.fail_json(msg=text, **gate.result())
    module.exit_json(**gate.result())


if __name__ == "__main__":
    main()
