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
  - Restarts containerd, if it runs with another root. With a new root it does not know its containers any more, so this
    is refused while any run.
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
  on_running_containers:
    description:
      - What to do if containerd must be restarted and containers run, Docker's or others.
      - V(refuse) fails before anything is changed, and says how many and which. V(proceed) restarts it.
    type: str
    choices: [refuse, proceed]
    default: refuse
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
running_containers:
  description: Containers that ran when containerd was restarted, or would run then.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/containerd/config.toml]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _engine_runtime
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.engine_api import asleep_now
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

DEFAULT = "/var/lib/containerd"
SOCKET = "/run/containerd/containerd.sock"
# One folder a namespace, in it one a container whose process lives (containerd, runtime v2); a boot empties it
TASKS = "/run/containerd/io.containerd.runtime.v2.task"
_DOCKERS = "moby"
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


def running(runner: Runner) -> list[str]:
    """Containers that containerd keeps running: those of Docker by name where it runs, others as namespace/id."""
    found = []
    for namespace in _folders(TASKS):
        found += [(namespace, identity) for identity in _folders(f"{TASKS}/{namespace}")]
    names: dict[str, str] = {}
    if any(namespace == _DOCKERS for namespace, _identity in found) and not asleep_now(runner):
        argv = ["docker", "-H", "unix:///var/run/docker.sock", "ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]
        listing = runner.run(argv)
        if listing.status == "ok":
            names = {line.partition(" ")[0]: line.partition(" ")[2] for line in listing.stdout.splitlines()}
    return sorted(
        names.get(identity, identity[:12]) if namespace == _DOCKERS else f"{namespace}/{identity[:12]}"
        for namespace, identity in found
    )


def _folders(path: str) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


class ContainerdRoot:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.path: str = module.params["path"]
        record = gate.record(self.path)
        # the file may be known for another module's keys
        self.ours: str | None = record.meta.get("root") if record else None
        self.restarted = False
        self.kept = False
        self.running: list[str] = []

    def present(self) -> None:
        root: str = self.module.params["root"]
        if not root.startswith("/"):
            raise RootError(f"root {root!r} is not the absolute path of a folder")
        document = self._load(self.gate.read(self.path), "")
        there = document.get(("root",), None)
        try:
            wanted = document.set(("root",), root).text
        except TomlError as error:
            raise RootError(f"{self.path} is not valid TOML ({error}); correct it by hand first") from error
        if there not in (None, root, self.ours):
            raise RootError(f"{self.path} says root = {there}, which is not ours; remove that line, or give the same")
        self._refuse_to_lose(str(there or DEFAULT), root)
        self._refuse_to_stop(there != root)
        if there != root:
            self.gate.write(self.path, wanted, shared=True, meta={"root": root})

    def absent(self) -> None:
        if self.ours is None:
            return
        before = self._load(self.gate.original(self.path), "the kept original of ")
        there = self._load(self.gate.read(self.path), "").get(("root",), None)
        goal = before.get(("root",), None)
        if there == self.ours:
            self._refuse_to_lose(self.ours, str(goal or DEFAULT))
        self._refuse_to_stop(there == self.ours)
        # the key of another module goes first, and on its own
        shared = self.gate.record(_engine_runtime.CONTAINERD_DROP_IN) is not None
        if self.gate.restorable(self.path) and not shared:
            self.gate.restore(self.path)
            return
        if there == self.ours:
            self._take_back(before)
        elif there != goal:
            self.kept = True
        self.gate.remember_meta(self.path, {"root": None})
        if not shared:
            self.gate.forget(self.path)

    def _take_back(self, before: toml.Document) -> None:
        """Our key as the original has it, in a file that somebody else has edited since."""
        document = self._load(self.gate.read(self.path), "")
        there, spot = before.find(("root",)), before.commented(("root",))
        if there is not None:
            text = document.set(("root",), there.value).text
        else:
            text = document.unset(("root",), before.text[spot[0] : spot[1]] if spot else None).text
        if not text.strip() and self.gate.original(self.path) is None:
            self.gate.remove(self.path)
        else:
            self.gate.write(self.path, text, shared=True)

    def _load(self, raw: bytes | None, what: str) -> toml.Document:
        try:
            return toml.loads((raw or b"").decode("utf-8"))
        except (TomlError, UnicodeDecodeError) as error:
            raise RootError(f"{what}{self.path} is not valid TOML ({error}); correct it by hand first") from error

    def _refuse_to_stop(self, changes: bool) -> None:
        """Count what runs before anything is changed, if the change or an older one needs a restart."""
        if not os.path.exists(SOCKET) or not (changes or self._stale()):
            return
        self.running = running(self.runner)
        if self.running and self.module.params["on_running_containers"] == "refuse":
            count = f"{len(self.running)} running container{'' if len(self.running) == 1 else 's'}"
            raise RootError(
                f"containerd must be restarted with another root, and would no longer know {count} "
                f"({', '.join(self.running)}); stop them yourself, or set on_running_containers to proceed"
            )

    def _stale(self) -> bool:
        """By state: the socket is made anew at each start, and must be younger than the file."""
        try:
            return os.stat(self.path).st_mtime > os.stat(SOCKET).st_mtime
        except OSError:
            return False

    def _refuse_to_lose(self, old: str, new: str) -> None:
        count = blobs(old)
        if os.path.realpath(old) != os.path.realpath(new) and count and not blobs(new):
            raise RootError(
                f"containerd's root moves from {old} to {new}, and {count} parts of images in {old} would no longer be "
                f"seen; stop Docker and containerd and move them (rsync -aHAX --numeric-ids {old}/ {new}/), then run "
                "again"
            )

    def apply(self) -> None:
        """Restart for what this run has changed, or one that was killed before."""
        known = self.ours is not None or self.gate.changed
        if not known or not self._stale() or self.module.check_mode:
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
            "on_running_containers": {"type": "str", "choices": ["refuse", "proceed"], "default": "refuse"},
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
    if wanted.kept:
        module.warn(f"{wanted.path}: root was left as somebody else set it")
    changed = result["changed"] or wanted.restarted
    told = {"restarted": wanted.restarted, "running_containers": wanted.running}
    module.exit_json(**{**result, "changed": changed, **told})


if __name__ == "__main__":
    main()
