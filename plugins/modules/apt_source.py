# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: apt_source
short_description: Add a third-party APT repository whose key is pinned by fingerprint
version_added: 0.1.0
description:
  - Writes C(/etc/apt/keyrings/gpuready-<name>.asc), C(/etc/apt/sources.list.d/gpuready-<name>.sources) and, with
    O(pin), C(/etc/apt/preferences.d/gpuready-<name>).
  - The key is downloaded only when the file on disk does not hold exactly the pinned fingerprints, or was edited.
    A key with any other primary fingerprint is refused and nothing is changed.
  - Needs neither gpg nor python3-debian on the target. Does not run C(apt-get update).
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.pinned_key
options:
  name:
    description: Short name; part of the names of the files.
    type: str
    required: true
  uris:
    description: Base addresses; V($(ARCH\)) is expanded by apt. Required with O(state=present).
    type: list
    elements: str
    default: []
  suites:
    description: Suites; V(/) for a flat repository. Required with O(state=present).
    type: list
    elements: str
    default: []
  components:
    description: Components; none for a flat repository.
    type: list
    elements: str
    default: []
  architectures:
    description: Architectures to fetch; all of the system when empty.
    type: list
    elements: str
    default: []
  signed_by:
    description: An existing keyring on the target to trust instead of a key of our own.
    type: path
  fingerprints:
    description:
      - The full fingerprints of all primary keys in the key, spaces allowed. Required with a key.
      - With O(signed_by), when given, the keyring must hold them.
    type: list
    elements: str
    default: []
  pin:
    description: Stanzas of apt_preferences(5).
    type: list
    elements: dict
    default: []
    suboptions:
      packages:
        description: Package names, glob patterns allowed.
        type: list
        elements: str
        required: true
      version:
        description: Version, a glob pattern allowed.
        type: str
        required: true
      priority:
        description: Priority; above 1000 allows downgrades.
        type: int
        default: 1001
  conflicts:
    description:
      - What to do if another source file names the same address and suite with another C(Signed-By); apt then refuses
        to read any source at all.
    type: str
    choices: [refuse, ignore]
    default: refuse
  stamp:
    description:
      - Any text that stands for the inputs, such as their digest. It is remembered with the source file, and
        M(gpuready.bootstrap.gpu_facts) shows it there, so that a role can see that nothing has changed since, and spare
        the call.
    type: str
    default: ""
  state:
    description: Whether the repository should be there.
    type: str
    choices: [present, absent]
    default: present
  root:
    description: Folder below which C(/etc/apt) and the kept originals lie, for images and tests.
    type: path
    default: /
attributes:
  check_mode:
    details: A key that cannot be fetched is a warning only in check mode.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: NVIDIA's repository of the container toolkit
  gpuready.bootstrap.apt_source:
    name: nvidia-container-toolkit
    uris: ["https://mirror.example.org/libnvidia-container/stable/deb/$(ARCH)"]
    suites: ["/"]
    key_url: https://mirror.example.org/libnvidia-container/gpgkey
    fingerprints: [C95B321B61E88C1809C4F759DDCAE044F796ECB0]
    pin:
      - packages: [nvidia-container-toolkit*, libnvidia-container*]
        version: 1.20.0-1
"""

RETURN = r"""
update_cache:
  description: Whether apt must read its lists anew (C(apt-get update)).
  returned: success
  type: bool
  sample: true
key_downloaded:
  description: Whether the key was fetched.
  returned: success
  type: bool
  sample: true
fingerprints:
  description: The fingerprints that are trusted for the repository.
  returned: success
  type: list
  elements: str
  sample: [C95B321B61E88C1809C4F759DDCAE044F796ECB0]
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/keyrings/gpuready-docker.asc, /etc/apt/sources.list.d/gpuready-docker.sources]
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _pinned_key as pinned_key
from ansible_collections.gpuready.bootstrap.plugins.module_utils._apt_conflicts import other_keyrings
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._pinned_key import PinnedKey, SourceError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

HEADER = "Managed by gpuready.bootstrap.apt_source: changes made here are overwritten."


class AptSource:
    """The wanted repository and the three files that make it."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate, self.params = module, gate, module.params
        name = self.params["name"]
        # apt silently ignores a preferences file with another extension than .pref, hence no dot
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise SourceError(f"name {name!r} may only hold lower case letters, digits, - and _")
        self.key_file = f"/etc/apt/keyrings/gpuready-{name}.asc"
        self.source_file = f"/etc/apt/sources.list.d/gpuready-{name}.sources"
        self.pin_file = f"/etc/apt/preferences.d/gpuready-{name}"
        self.key = PinnedKey(module, gate, self.key_file)

    def absent(self) -> None:
        for path in (self.source_file, self.pin_file, self.key_file):
            self.gate.restore(path, ours=True)

    def present(self) -> None:
        self._check_input()
        self.key.read_fingerprints()
        keyring = self.params["signed_by"]
        key = None if keyring else self.key.content()
        if keyring:
            self._check_keyring(keyring)
        sources, pins = self._sources(keyring or self.key_file), self._pins()
        self._check_conflicts(keyring or self.key_file)
        if key is not None:
            self.gate.write(self.key_file, key, mode=0o644)
        # pins first: a run killed in between never leaves the source without them
        if pins:
            self.gate.write(self.pin_file, pins, mode=0o644)
        else:
            self.gate.restore(self.pin_file, ours=True)
        stamp = {"stamp": self.params["stamp"]}
        self.gate.write(self.source_file, sources, mode=0o644, meta=stamp)
        self.gate.remember_meta(self.source_file, stamp)
        if keyring:
            self.gate.restore(self.key_file, ours=True)

    # -- input -----------------------------------------------------------------------------------------------
    def _check_input(self) -> None:
        given = [name for name in ("key_url", "key_path", "key_content", "signed_by") if self.params[name]]
        if len(given) != 1:
            raise SourceError(
                f"give one of key_url, key_path, key_content and signed_by, not {', '.join(given) or 'none of them'}"
            )
        if not self.params["uris"] or not self.params["suites"]:
            raise SourceError("uris and suites must not be empty")
        for uri in self.params["uris"]:
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", uri):
                raise SourceError(f"{uri!r} in uris is not an address such as https://mirror.example.org/debian")
            if redact_url(uri) != uri:
                raise SourceError(
                    f"{redact_url(uri)} in uris holds a password, and every user could read it in the source file; "
                    "put it into /etc/apt/auth.conf.d instead"
                )
        flat = {suite.endswith("/") for suite in self.params["suites"]}
        if flat != {not self.params["components"]}:
            raise SourceError("a suite that ends with / takes no components, every other suite needs some")

    def _check_keyring(self, path: str) -> None:
        content = self.gate.read(path)
        if content is None:
            text = f"the keyring {path} of signed_by does not exist; install it or give a key"
            if not self.module.check_mode:
                raise SourceError(text)
            self.module.warn(f"check mode goes on without the keyring: {text}")
            return
        if not self.key.fingerprints:
            return
        missing = set(self.key.fingerprints) - set(pinned_key.primaries(content, path))
        if missing:
            raise SourceError(f"the keyring {path} of signed_by does not hold {', '.join(sorted(missing))}")

    # -- the files -------------------------------------------------------------------------------------------
    def _sources(self, signed_by: str) -> str:
        fields = {
            "Types": "deb",
            "URIs": " ".join(self.params["uris"]),
            "Suites": " ".join(self.params["suites"]),
            "Components": " ".join(self.params["components"]),
            "Architectures": " ".join(self.params["architectures"]),
            "Signed-By": signed_by,
        }
        return _rendered([fields])

    def _pins(self) -> str:
        stanzas = [
            {
                "Package": " ".join(pin["packages"]),
                "Pin": f"version {pin['version']}",
                "Pin-Priority": str(pin["priority"]),
            }
            for pin in self.params["pin"]
            if pin["packages"]
        ]
        return _rendered(stanzas) if stanzas else ""

    def _check_conflicts(self, signed_by: str) -> None:
        if self.params["conflicts"] == "ignore":
            return
        found = other_keyrings(self.gate, self.params["uris"], self.params["suites"], signed_by, self.source_file)
        if found:
            raise SourceError(
                f"the same repository {' '.join(self.params['uris'])} is already set with another key in "
                f"{', '.join(found)}, and apt stops working when both exist; remove that entry first"
            )


def _rendered(stanzas: list[dict[str, str]]) -> str:
    try:
        return deb822.render(stanzas, HEADER)
    except ValueError as error:
        raise SourceError(f"a value cannot stand in an apt file: {error}") from error


def main() -> None:
    texts: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    pin = {
        "packages": {"type": "list", "elements": "str", "required": True},
        "version": {"type": "str", "required": True},
        "priority": {"type": "int", "default": 1001},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "uris": texts,
            "suites": texts,
            "components": texts,
            "architectures": texts,
            "signed_by": {"type": "path"},
            "pin": {"type": "list", "elements": "dict", "options": pin, "default": []},
            "conflicts": {"type": "str", "choices": ["refuse", "ignore"], "default": "refuse"},
            "stamp": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
            **pinned_key.SPEC,
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    try:
        source = AptSource(module, gate)
        source.present() if module.params["state"] == "present" else source.absent()
    except (SourceError, FileGateError) as error:
        module.fail_json(msg=f"APT source {module.params['name']}: {str(error).rstrip('.')}.", **gate.result())
    module.exit_json(
        update_cache=any(path != source.pin_file for path in gate.paths),
        key_downloaded=source.key.downloaded,
        fingerprints=source.key.fingerprints,
        **gate.result(),
    )


if __name__ == "__main__":
    main()
