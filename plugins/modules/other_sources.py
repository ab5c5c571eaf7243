# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: other_sources
short_description: Switch off package sources that somebody else left behind, and give them back
version_added: 0.1.0
description:
  - Looks for enabled entries with certain addresses in C(/etc/apt/sources.list), C(/etc/apt/sources.list.d) and
    C(/etc/yum.repos.d), and switches them off where they stand, C(Enabled) set to C(no), C(enabled=0), or a comment.
  - Such leftovers make apt read no source at all, when they name the same repository with another C(Signed-By).
  - The first original of each file is kept on the target. O(state=absent) gives it back byte for byte,
    or only the entries where M(gpuready.bootstrap.package_mirrors) has set addresses in the same file.
  - Every file is looked at before the first one is written. Runs neither apt nor dnf.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.root
options:
  name:
    description: Short name of what is switched off; what an earlier call with it switched off is given back by it.
    type: str
    required: true
  addresses:
    description: Addresses without scheme, such as V(nvidia.github.io/nvidia-docker), and all that is below them.
    type: list
    elements: str
    default: []
  except_files:
    description: Files to leave alone. Those that bear our name (C(gpuready-)) are left alone anyway.
    type: list
    elements: path
    default: []
  state:
    description: V(disabled) switches off, V(absent) gives back.
    type: str
    choices: [disabled, absent]
    default: disabled
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Old lists of NVIDIA's container packages
  gpuready.bootstrap.other_sources:
    name: nvidia-container
    addresses: [nvidia.github.io/libnvidia-container, nvidia.github.io/nvidia-docker]
"""

RETURN = r"""
entries:
  description: The entries that were switched off now, each with C(file) and C(address).
  returned: success
  type: list
  elements: dict
  sample: [{file: /etc/apt/sources.list.d/nvidia-docker.list, address: "https://nvidia.github.io/nvidia-docker/ubuntu18.04/amd64"}]
files:
  description: Files that were written.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/sources.list.d/nvidia-docker.list]
kept:
  description: Files that were not given back, because somebody else has edited them since.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._other_sources import switched_off, switched_on
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

APT = "/etc/apt/sources.list"
FOLDERS = {"/etc/apt/sources.list.d": (".list", ".sources"), "/etc/yum.repos.d": (".repo",)}
OURS = "gpuready-"


class OtherSourcesError(Exception):
    """A source cannot be switched off; the text is one sentence for the user."""


class OtherSources:
    """The sources of somebody else on this host."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.gate, self.params = gate, module.params
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", self.params["name"]):
            raise OtherSourcesError(f"name {self.params['name']!r} may only hold lower case letters, digits, - and _")
        self.name = self.params["name"]
        self.entries: list[dict[str, str]] = []

    def disabled(self) -> None:
        wanted: dict[str, str] = {}
        for path in self._files():
            text = (self.gate.read(path) or b"").decode("utf-8", "surrogateescape")
            try:
                new, found = switched_off(text, path, self.params["addresses"])
            except ValueError as error:
                raise OtherSourcesError(f"{path}: {error}; take the entry out by hand") from error
            except Exception as error:  # Deb822Error: apt cannot read this file either
                raise OtherSourcesError(f"{path} cannot be read ({error}); correct it by hand") from error
            self.entries += [{"file": path, "address": redact_url(address)} for address in found]
            if found:
                wanted[path] = new
        for path, new in wanted.items():
            ours = {**self._by_name(path), self.name: self.params["addresses"]}
            self.gate.write(path, new.encode("utf-8", "surrogateescape"), shared=True, meta={"sources": ours})

    def absent(self) -> None:
        self.gate.record("")  # the gate has a sentence for records that cannot be read
        index = json.loads(self.gate.read(f"{_files.STORE}/index.json") or b'{"files": {}}')["files"]
        for path in sorted(index):
            others = self._by_name(path)
            if self.name not in others:
                continue
            addresses = others.pop(self.name)
            if others or index[path]["meta"].get("wish"):
                self._give_back(path, addresses, others)
            else:
                self.gate.restore(path)

    def _by_name(self, path: str) -> dict[str, list[str]]:
        """Who switched something off in a file, and at which addresses."""
        record = self.gate.record(path)
        found = record.meta.get("sources", {}) if record is not None else {}
        # records of earlier versions hold the name alone
        return dict(found) if isinstance(found, dict) else {str(found): self.params["addresses"]}

    def _give_back(self, path: str, addresses: list[str], others: dict[str, list[str]]) -> None:
        """Only our entries: package_mirrors, or a call with another name, has changed the same file."""
        text, original = (
            (found or b"").decode("utf-8", "surrogateescape")
            for found in (self.gate.read(path), self.gate.original(path))
        )
        new = switched_on(text, path, addresses, original)
        if new == text:
            self.gate.kept.append(path)
        self.gate.write(path, new.encode("utf-8", "surrogateescape"), shared=True)
        self.gate.remember_meta(path, {"sources": others})

    def _files(self) -> list[str]:
        paths = [APT]
        for folder, ends in FOLDERS.items():
            real = self.gate.real(folder)
            names = sorted(os.listdir(real)) if os.path.isdir(real) else []
            paths += [f"{folder}/{name}" for name in names if name.endswith(ends) and not name.startswith(OURS)]
        return [path for path in paths if path not in self.params["except_files"]]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "except_files": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["disabled", "absent"], "default": "disabled"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    entries: list[Any] = []
    try:
        sources = OtherSources(module, gate)
        sources.disabled() if module.params["state"] == "disabled" else sources.absent()
        entries = sources.entries
    except (OtherSourcesError, FileGateError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        module.fail_json(msg=f"Package sources of somebody else: {str(error).rstrip('.')}. {done}", **gate.result())
    if gate.kept:
        module.warn(f"left as somebody else edited them since: {', '.join(gate.kept)}")
    module.exit_json(entries=entries, **gate.result())


if __name__ == "__main__":
    main()
