# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dnf_source
short_description: Add a third-party dnf repository whose key is pinned by fingerprint
version_added: 0.1.0
description:
  - Writes C(/etc/pki/rpm-gpg/gpuready-<name>.asc), C(/etc/yum.repos.d/gpuready-<name>.repo) and, with O(stream),
    C(/etc/dnf/modules.d/<module>.module).
  - The key is downloaded only when the file on disk does not hold exactly the pinned fingerprints, or was edited.
    A key with any other primary fingerprint is refused and nothing is changed.
  - dnf takes the key from that file at the first installation; signatures of packages are always checked.
  - Runs neither dnf nor rpm.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.pinned_key
  - gpuready.bootstrap.root
options:
  name:
    description: Short name; part of the names of the files and of the repository, C(gpuready-<name>).
    type: str
    required: true
  baseurl:
    description:
      - Base addresses (http, https, ftp or file) of one repository; dnf expands C($basearch) and C($releasever).
      - Required with O(state=present).
    type: list
    elements: str
    default: []
  fingerprints:
    description: The full fingerprints of all primary keys in the key, spaces allowed. Required with O(state=present).
    type: list
    elements: str
    default: []
  repo_gpgcheck:
    description:
      - Whether the signature of the repository's index is checked, too.
      - Off by default, since dnf then wants C(repomd.xml.asc) beside each index, and many mirrors leave it out. The
        signature of every package is checked in any case.
    type: bool
    default: false
  module_hotfixes:
    description: Whether packages of this repository are offered although a module stream would hide them.
    type: bool
    default: false
  includepkgs:
    description: Only these packages are taken from the repository; glob patterns allowed. All when empty.
    type: list
    elements: str
    default: []
  excludepkgs:
    description: These packages are never taken from the repository; glob patterns allowed.
    type: list
    elements: str
    default: []
  stream:
    description:
      - Streams to enable, by the name of the module, such as C(580-open) for C(nvidia-driver). Profiles that are
        installed stay noted. Only dnf 4 reads the file.
      - A stream that an earlier call enabled and that is not named any more is given back, unless somebody else has
        changed it since.
    type: dict
    default: {}
  conflicts:
    description:
      - What to do if another enabled repository has the same address with another key, or without checking signatures.
        Packages could then come in that our key did not sign.
    type: str
    choices: [refuse, ignore]
    default: refuse
  stamp:
    description:
      - Any text that stands for the inputs, such as their digest. It is remembered with the repository file, and
        M(gpuready.bootstrap.gpu_facts) shows it there, so that a role can see that nothing has changed since, and spare
        the call.
    type: str
    default: ""
  state:
    description: Whether the repository should be there. V(absent) also gives back the streams enabled with it.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    details: A key that cannot be fetched is a warning only in check mode.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: NVIDIA's repository of the driver
  gpuready.bootstrap.dnf_source:
    name: nvidia-driver
    baseurl: https://mirror.example.org/cuda/repos/rhel9/$basearch/
    key_url: https://mirror.example.org/cuda/repos/rhel9/x86_64/D42D0685.pub
    fingerprints: "{{ my_fingerprints }}"
    stream:
      nvidia-driver: 580-open
"""

RETURN = r"""
update_cache:
  description: Whether dnf must read the repository anew (C(dnf makecache)).
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
repository:
  description: The name of the repository in dnf.
  returned: success
  type: str
  sample: gpuready-nvidia-driver
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/pki/rpm-gpg/gpuready-nvidia-driver.asc, /etc/yum.repos.d/gpuready-nvidia-driver.repo]
kept:
  description: Files of module streams that somebody else has changed since, and that were left as they are.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _pinned_key as pinned_key
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _yum_repos as yum
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._pinned_key import PinnedKey, SourceError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

HEADER = "Managed by gpuready.bootstrap.dnf_source: changes made here are overwritten."


class DnfSource:
    """The wanted repository and the files that make it."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate, self.params = module, gate, module.params
        name = self.params["name"]
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise SourceError(f"name {name!r} may only hold lower case letters, digits, - and _")
        self.name = f"gpuready-{name}"
        self.key_file = f"/etc/pki/rpm-gpg/{self.name}.asc"
        self.repo_file = f"{yum.REPOS}/{self.name}.repo"
        self.key = PinnedKey(module, gate, self.key_file)

    def absent(self) -> None:
        self._give_streams_back([])
        for path in (self.repo_file, self.key_file):
            self.gate.restore(path, ours=True)

    def present(self) -> None:
        self._check_input()
        self.key.read_fingerprints()
        key = self.key.content()
        repo, streams = self._repo(), self._streams()
        self._check_conflicts()
        self.gate.write(self.key_file, key, mode=0o644)
        # the stream first: a run killed in between never leaves the repository without it
        for path, (text, meta) in streams.items():
            self.gate.write(path, text, mode=0o644, meta=meta)
        self._give_streams_back(list(streams))
        stamp = {"stamp": self.params["stamp"]}
        self.gate.write(self.repo_file, repo, mode=0o644, meta=stamp)
        self.gate.remember_meta(self.repo_file, stamp)

    # -- input -----------------------------------------------------------------------------------------------
    def _check_input(self) -> None:
        given = [name for name in ("key_url", "key_path", "key_content") if self.params[name]]
        if len(given) != 1:
            names = ", ".join(given) or "none of them"
            raise SourceError(f"give one of key_url, key_path and key_content, not {names}")
        if not self.params["baseurl"]:
            raise SourceError("baseurl must not be empty")
        for url in self.params["baseurl"]:
            if not re.fullmatch(r"(?:https?://|ftp://|file:/)\S+", url):
                shown = redact_url(url)
                raise SourceError(f"{shown!r} in baseurl is not an address such as https://mirror.example.org/x")
            if redact_url(url) != url:
                raise SourceError(
                    f"{redact_url(url)} in baseurl holds a password, and every user could read it in the repository "
                    "file; use an address without one"
                )
        for option in ("includepkgs", "excludepkgs"):
            for name in self.params[option]:
                if not re.fullmatch(r"[\w.+*?\[\]!:~^-]+", name, re.ASCII):
                    raise SourceError(f"{name!r} in {option} is neither the name of a package nor a pattern")
        for name, stream in self.params["stream"].items():
            if not all(re.fullmatch(r"[\w.+-]+", text, re.ASCII) for text in (name, str(stream))):
                raise SourceError(f"{name}: {stream} in stream is no module and stream such as nvidia-driver: 580-open")

    # -- the files -------------------------------------------------------------------------------------------
    def _repo(self) -> str:
        fields = {
            "name": f"{self.params['name']} (gpuready)",
            "baseurl": " ".join(self.params["baseurl"]),
            "enabled": "1",
            "gpgcheck": "1",
            "repo_gpgcheck": str(int(self.params["repo_gpgcheck"])),
            "gpgkey": f"file://{self.key_file}",
            "module_hotfixes": "1" if self.params["module_hotfixes"] else "",
            "includepkgs": " ".join(self.params["includepkgs"]),
            "excludepkgs": " ".join(self.params["excludepkgs"]),
        }
        try:
            return yum.render(HEADER, self.name, fields)
        except ValueError as error:
            raise SourceError(f"a value cannot stand in a repository file: {error}") from error

    def _streams(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Text of each module file and what to remember with it."""
        found = {}
        for name, stream in sorted(self.params["stream"].items()):
            path = f"{yum.MODULES}/{name}.module"
            now = (self.gate.read(path) or b"").decode("utf-8", "replace")
            try:
                text = yum.with_stream(now, name, str(stream))
            except yum.IniError as error:
                text = f"{path} cannot be read ({error}); mend it, or run dnf module reset {name}"
                raise SourceError(text) from error
            found[path] = (text, {"source": self.name, "module": name, "stream": str(stream)})
        return found

    def _give_streams_back(self, wanted: list[str]) -> None:
        for path in yum.module_paths(self.gate):
            record = self.gate.record(path)
            if record is None or record.meta.get("source") != self.name or path in wanted:
                continue
            # dnf itself writes the file anew when it notes a profile; that takes the stream from nobody
            self.gate.restore(path, ours=self._still_ours(path, record.meta))

    def _still_ours(self, path: str, meta: dict[str, Any]) -> bool:
        text = (self.gate.read(path) or b"").decode("utf-8", "replace")
        try:
            state = yum.module_state(text, str(meta["module"]))
        except yum.IniError:
            return False
        return (state.get("stream"), state.get("state")) == (meta["stream"], "enabled")

    def _check_conflicts(self) -> None:
        if self.params["conflicts"] == "ignore":
            return
        machine = os.uname().machine
        found = yum.conflicts(self.gate, self.params["baseurl"], self.repo_file, machine, self._is_our_key)
        if found:
            raise SourceError(
                f"{', '.join(found)} offers the same repository {' '.join(self.params['baseurl'])}, and packages that "
                "the pinned key did not sign could come in that way; disable or remove that repository first"
            )

    def _is_our_key(self, key: str) -> bool:
        """Say whether a gpgkey of another repository is a file with our key."""
        if not key.startswith("file:"):
            return False
        content = self.gate.read(re.sub(r"^file:(//)?", "", key))
        try:
            return content is not None and set(pinned_key.primaries(content, key)) <= set(self.key.fingerprints)
        except SourceError:
            return False


def main() -> None:
    texts: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "baseurl": texts,
            "repo_gpgcheck": {"type": "bool", "default": False},
            "module_hotfixes": {"type": "bool", "default": False},
            "includepkgs": texts,
            "excludepkgs": texts,
            "stream": {"type": "dict", "default": {}},
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
        source = DnfSource(module, gate)
        source.present() if module.params["state"] == "present" else source.absent()
    except (SourceError, FileGateError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        text = f"dnf source {module.params['name']}: {str(error).rstrip('.')}. {done}"
        module.fail_json(msg=text, **gate.result())
    module.exit_json(
        update_cache=bool(gate.paths),
        key_downloaded=source.key.downloaded,
        fingerprints=source.key.fingerprints,
        repository=source.name,
        **gate.result(),
    )


if __name__ == "__main__":
    main()
