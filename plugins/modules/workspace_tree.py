# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: workspace_tree
short_description: Keep generated files inside somebody's project folder, without touching the owner's own
version_added: 0.1.0
description:
  - Writes files such as C(.ide/Dockerfile), C(.cnb.yml) and C(.vscode/extensions.json) into a folder that belongs to a
    person, in one call. Meant for the controller, thus delegated to C(localhost).
  - What was written is remembered in C(.gpuready) inside the folder, so that a file is only changed or deleted while it
    still is as it was written. A file of somebody else is never overwritten.
  - A file with O(files[].merge) is JSON with comments; what it lacks is added to it, and its own values stay.
  - Everything is looked at before the first file is written.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  dest:
    description: Absolute path of the folder. One that was made is taken away again if nothing else is in it.
    type: path
    required: true
  owner:
    description: What the files are made for, such as the name of a host. Files of two owners in one folder are refused.
    type: str
    required: true
  files:
    description: The files. A file of an earlier call that is not listed any more is taken back.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path below O(dest).
        type: str
        required: true
      content:
        description: The whole text. With O(files[].merge) an object of JSON.
        type: str
        required: true
      mode:
        description: Permissions as four octal digits in quotes.
        type: str
        default: "0644"
      merge:
        description: Whether a file that is there already gets what it lacks, instead of being refused.
        type: bool
        default: false
  foreign:
    description: >-
      What to do about a file that somebody else wrote, or changed since. V(refuse) writes nothing at all and names it,
      V(keep) leaves it as it is and names it in RV(notes).
    type: str
    choices: [refuse, keep]
    default: refuse
  state:
    description: V(absent) takes back what was written, as far as nobody changed it since.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Recommend extensions in a project on the controller
  gpuready.bootstrap.workspace_tree:
    dest: /home/me/project
    owner: gpu01
    files:
      - path: .vscode/extensions.json
        content: '{"recommendations": ["ms-python.python"]}'
        merge: true
  delegate_to: localhost
"""

RETURN = r"""
files:
  description: Files that were written or deleted, below RV(dest).
  returned: success
  type: list
  elements: str
  sample: [.vscode/extensions.json]
kept:
  description: Files that were left alone, because somebody else owns or changed them.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: One sentence for each file that was left alone, and for each value of others that stays.
  returned: success
  type: list
  elements: str
  sample: []
dest:
  description: The folder.
  returned: success
  type: str
  sample: /home/me/project
"""

import json
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _jsonc
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import STORE, FileGate, FileGateError, sha256

SET = "workspace"
FOLDER = "/.gpuready"


class TreeError(Exception):
    """The files cannot be written as asked; the text is one sentence for the user."""


class ProjectGate(FileGate):
    """The gate with its records inside the folder, so that they go where the folder goes."""

    def real(self, path: str) -> str:
        home = os.path.dirname(STORE)
        if path == home or path.startswith(home + "/"):
            return super().real(FOLDER + path[len(home) :])
        if home.startswith(path.rstrip("/") + "/"):
            return self.root
        full = super().real(path)
        folder = os.path.realpath(os.path.dirname(full))
        if not (folder + "/").startswith(os.path.realpath(self.root) + "/"):
            raise FileGateError(f"{path[1:]} lies behind a symbolic link to {folder}, outside of {self.root}")
        return full


def checked(files: list[dict[str, Any]]) -> None:
    """Raises TreeError for a path or a mode that cannot be meant."""
    seen: list[str] = []
    for entry in files:
        path = entry["path"]
        if not re.fullmatch(r"[^/\0\n]+(?:/[^/\0\n]+)*", path) or {".", "..", FOLDER[1:]} & set(path.split("/")):
            raise TreeError(f"{path!r} in files is no path below the folder")
        if path in seen:
            raise TreeError(f"{path} stands twice in files")
        # YAML reads 0644 without quotes as the number 420
        if not re.fullmatch(r"0[0-7]{3}", entry["mode"]):
            raise TreeError(f"mode {entry['mode']!r} of {path} is not four octal digits in quotes, such as '0644'")
        seen.append(path)


def missing_levels(folder: str) -> int:
    """How many folders have to be made for this one to be there."""
    levels = 0
    while folder != "/" and not os.path.isdir(folder):
        if os.path.lexists(folder):
            raise TreeError(f"{folder} is no folder; move it away, or name another one")
        folder, levels = os.path.dirname(folder), levels + 1
    return levels


class Tree:
    """The folder as it shall be."""

    def __init__(self, module: AnsibleModule, gate: ProjectGate) -> None:
        self.module, self.gate, self.params = module, gate, module.params
        self.notes: list[str] = []
        self.skipped: list[str] = []
        checked(self.params["files"])
        self.made = missing_levels(gate.root)
        self.known = self._known()

    def present(self) -> None:
        wishes = [wish for wish in map(self._wish, self.params["files"]) if wish is not None]
        listed = ["/" + entry["path"] for entry in self.params["files"]]
        if self.made and not self.module.check_mode:
            try:
                os.makedirs(self.gate.root, 0o755)
            except OSError as error:
                raise TreeError(f"cannot make {self.gate.root}: {error.strerror}") from error
        meta = {"set": SET, "owner": self.params["owner"], "made": str(self.made or self._made_before())}
        self._give_back([path for path in self.known if path not in listed])
        for path, text, mode, shared in wishes:
            self.gate.write(path, text, mode=mode, shared=shared, meta=meta)

    def absent(self) -> None:
        made = self._made_before()
        self._give_back(list(self.known))
        if self.module.check_mode:
            return
        folder = self.gate.root
        while made > 0 and os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
            folder, made = os.path.dirname(folder), made - 1

    def result(self) -> dict[str, Any]:
        gate = self.gate.result()
        kept = [path.lstrip("/") for path in self.skipped + gate["kept"]]
        return {
            **gate,
            "files": [path.lstrip("/") for path in gate["files"]],
            "kept": kept,
            "notes": self.notes,
            "dest": self.gate.root,
        }

    def _made_before(self) -> int:
        """How many folders the first call made for this one to be there."""
        return max((int(meta["made"]) for meta in self.known.values()), default=0)

    def _known(self) -> dict[str, dict[str, Any]]:
        """What earlier calls wrote, with what was noted about it."""
        if self.made:
            return {}
        self.gate.record("")  # the gate has a sentence for records that cannot be read
        index = json.loads(self.gate.read(f"{STORE}/index.json") or b'{"files": {}}')["files"]
        known = {path: entry["meta"] for path, entry in sorted(index.items()) if entry["meta"].get("set") == SET}
        others = sorted({meta["owner"] for meta in known.values()} - {self.params["owner"]})
        if others:
            mine = self.params["owner"]
            raise TreeError(f"{self.gate.root} holds the files of {others[0]}, not of {mine}; give each its own folder")
        return known

    def _wish(self, entry: dict[str, Any]) -> tuple[str, str, int | None, bool] | None:
        """(path, text, mode, shared) of a file, None for one that stays as it is."""
        path = "/" + entry["path"]
        current = None if self.made else self.gate.read(path)
        record = None if self.made else self.gate.record(path)
        mode = int(entry["mode"], 8)
        if current is None or current == entry["content"].encode("utf-8"):
            return path, entry["content"], mode, False
        ours = record is not None and sha256(current) == record.sha256_written
        if entry["merge"] and not (ours and record is not None and not record.existed):
            base = self.gate.original(path) if ours else current
            return path, self._merged(entry, base or b""), None, True
        if ours:
            return path, entry["content"], mode, False
        was = "was changed since" if record is not None else "is not ours"
        text = f"{entry['path']} in {self.gate.root} {was}"
        if self.params["foreign"] == "refuse":
            raise TreeError(f"{text}; move it away, or set foreign to keep and take over by hand what you need")
        self.notes.append(f"{text} and stays as it is.")
        self.skipped.append(path)
        return None

    def _merged(self, entry: dict[str, Any], base: bytes) -> str:
        try:
            text, conflicts = _jsonc.merge(base.decode("utf-8"), json.loads(entry["content"]))
        except (_jsonc.JsoncError, UnicodeDecodeError) as error:
            raise TreeError(f"{entry['path']} in {self.gate.root} is no JSON ({error}); mend it first") from error
        for key in conflicts:
            self.notes.append(f"{entry['path']}: {key} has a value of your own, which stays.")
        return text

    def _give_back(self, paths: list[str]) -> None:
        for path in paths:
            before = len(self.gate.kept)
            self.gate.restore(path)
            if len(self.gate.kept) > before:
                self.notes.append(f"{path[1:]} in {self.gate.root} was changed since it was written, and stays.")


def main() -> None:
    files = {
        "path": {"type": "str", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
        "merge": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "options": files, "default": []},
            "foreign": {"type": "str", "choices": ["refuse", "keep"], "default": "refuse"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    dest = os.path.normpath(module.params["dest"])
    if not dest.startswith("/") or dest == "/":
        module.fail_json(
            msg=f"dest {module.params['dest']!r} is not the absolute path of a folder. Nothing was changed."
        )
    gate = ProjectGate(module, dest)
    try:
        tree = Tree(module, gate)
        tree.present() if module.params["state"] == "present" else tree.absent()
    except (TreeError, FileGateError) as error:
        done = (
            f"Only {', '.join(path[1:] for path in gate.paths)} was changed." if gate.paths else "Nothing was changed."
        )
        text = str(error).rstrip(".").replace(STORE, f"{dest}{FOLDER}/originals")
        module.fail_json(msg=f"{text[:1].upper()}{text[1:]}. {done}" if text[:7] == "cannot " else f"{text}. {done}")
    module.exit_json(**tree.result())


if __name__ == "__main__":
    main()
