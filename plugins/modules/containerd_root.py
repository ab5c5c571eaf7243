# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: containerd_root
short_description: Say where containerd keeps images
version_added: 0.1.0
description:
  - Sets the key C(root) in containerd's C(config.toml), and nothing else; the rest stays byte for byte. With its image
    store, the default of fresh hosts from Docker 29 on, images lie there and not in Docker's C(data-root).
  - A root that somebody else has set there is refused, and so is a move away from images to a place that has none.
  - Restarts containerd, if it runs with another root. Its containers go on.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  root:
    description: The folder. Required with O(state=present).
    type: str
    default: ""
  path:
    description: containerd's file.
    type: path
    default: /etc/containerd/config.toml
  state:
    description: V(absent) gives the file back.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Images on the large disk
  gpuready.bootstrap.containerd_root:
    root: /srv/containerd
"""

RETURN = r"""
restarted:
  description: Whether containerd was restarted.
  returned: success
  type: bool
  sample: true
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/containerd/config.toml]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

DEFAULT = "/var/lib/containerd"
SOCKET = "/run/containerd/containerd.sock"
# A folder of containerd's image store that dockerd and containerd do not make of an empty one
_CONTENT = "io.containerd.content.v1.content/blobs/sha256"


class RootError(Exception):
    """The root cannot be what was asked for; the text is one sentence for the user."""


def blobs(root: str) -> int:
    """How many parts of images lie below a root."""
    try:
        return len(os.listdir(f"{root}/{_CONTENT}"))
    except OSError:
        return 0


class ContainerdRoot:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.path: str = module.params["path"]
        self.record = gate.record(self.path)
        self.restarted = False

    def present(self) -> None:
        root: str = self.module.params["root"]
        if not root.startswith("/"):
            raise RootError(f"root {root!r} is not the absolute path of a folder")
        raw = self.gate.read(self.path)
        try:
            document = toml.loads((raw or b"").decode("utf-8"))
            there = document.get(("root",), None)
            wanted = document.set(("root",), root).text
        except (TomlError, UnicodeDecodeError) as error:
            raise RootError(f"{self.path} is not valid TOML ({error}); correct it by hand first") from error
        ours = self.record.meta.get("root") if self.record else None
        if there not in (None, root, ours):
            raise RootError(f"{self.path} says root = {there}, which is not ours; remove that line, or give the same")
        self._refuse_to_lose(str(there or DEFAULT), root)
        if there != root:
            self.gate.write(self.path, wanted, shared=True, meta={"root": root})

    def absent(self) -> None:
        if self.record is None:
            return
        self._refuse_to_lose(str(self.record.meta.get("root") or DEFAULT), DEFAULT)
        self.gate.restore(self.path)

    def _refuse_to_lose(self, old: str, new: str) -> None:
        count = blobs(old)
        if os.path.realpath(old) != os.path.realpath(new) and count and not blobs(new):
            raise RootError(
                f"containerd's root moves from {old} to {new}, and {count} parts of images in {old} would no longer be "
                f"seen; stop Docker and containerd and move them (rsync -aHAX --numeric-ids {old}/ {new}/), then run "
                "again"
            )

    def apply(self) -> None:
        """Restart by state: the socket is made anew at each start, and must be younger than the file."""
        try:
            stale = os.stat(self.path).st_mtime > os.stat(SOCKET).st_mtime
        except OSError:
            return
        known = self.record is not None or self.gate.changed
        if not known or not stale or self.module.check_mode:
            return
        result = self.runner.run(["systemctl", "restart", "containerd.service"], timeout=90)
        if result.status != "ok":
            raise RootError(
                f"containerd does not restart with {self.path}: {result.error}; see journalctl -u containerd"
            )
        self.restarted = True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "str", "default": ""},
            "path": {"type": "path", "default": "/etc/containerd/config.toml"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module)
    try:
        wanted = ContainerdRoot(module, gate, Runner(module.run_command))
        wanted.present() if module.params["state"] == "present" else wanted.absent()
        wanted.apply()
    except (RootError, FileGateError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        module.fail_json(msg=f"{str(error).rstrip('.')}. {done}", **gate.result())
    result = gate.result()
    module.exit_json(**{**result, "changed": result["changed"] or wanted.restarted, "restarted": wanted.restarted})


if __name__ == "__main__":
    main()
