# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: package_mirrors
short_description: Point apt and pip at package mirrors, and back
version_added: 0.1.0
description:
  - Sets the addresses of the distribution's own entries in C(/etc/apt/sources.list) and C(/etc/apt/sources.list.d),
    in both formats. They are known by keyring, suites, components and archive path, not by host. Suites, components,
    options and comments stay; entries of others stay untouched.
  - Sets C(index-url) in the C([global\]) section of C(/etc/pip.conf); other keys and comments stay.
  - An empty address means the system's own setting; what this module changed before is then given back.
  - Does not run C(apt-get update).
options:
  apt_url:
    description: Address of the distribution's archive on the mirror.
    type: str
    default: ""
  apt_security_url:
    description:
      - Address of the security updates on the mirror. They are left at the distribution's own address without it,
        because a mirror that lags behind is time without fixes.
    type: str
    default: ""
  pip_index_url:
    description: Address of the Python package index, in the end usually C(/simple).
    type: str
    default: ""
  pip_trusted_host:
    description: Host that pip may use without https.
    type: str
    default: ""
  state:
    description: V(absent) gives back all that this module changed.
    type: str
    choices: [present, absent]
    default: present
  root:
    description: Folder below which C(/etc) and the kept originals lie, for images and tests.
    type: path
    default: /
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: A mirror nearby
  gpuready.bootstrap.package_mirrors:
    apt_url: https://mirror.example.org/debian
    pip_index_url: https://mirror.example.org/pypi/simple

- name: The system's own settings
  gpuready.bootstrap.package_mirrors:
    state: absent
"""

RETURN = r"""
update_cache:
  description: Whether apt must read its lists anew (C(apt-get update)).
  returned: success
  type: bool
  sample: true
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/sources.list.d/debian.sources, /etc/pip.conf]
kept:
  description: Files that could not be given back because somebody else changed them since.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError, redact_url
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import apt, pip

SOURCES = "/etc/apt/sources.list"
PIP_CONF = "/etc/pip.conf"
OPTIONS = ("apt_url", "apt_security_url", "pip_index_url", "pip_trusted_host")


class MirrorError(Exception):
    """The mirrors cannot be set; the text is one sentence for the user."""


class Mirrors:
    """Computes every file first and writes afterwards, so that an error leaves nothing half done."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate = module, gate
        absent = module.params["state"] == "absent"
        self.wish = {name: "" if absent else _address(name, module.params[name]) for name in OPTIONS}
        self.uris = {apt.MAIN: self.wish["apt_url"], apt.SECURITY: self.wish["apt_security_url"]}
        self.pip = {"index-url": self.wish["pip_index_url"], "trusted-host": self.wish["pip_trusted_host"]}
        self.wanted: dict[str, str] = {}

    def plan(self) -> None:
        archive = self._archive() if any(self.uris.values()) else None
        paths = self._source_files()
        for path in paths:
            self._plan_sources(path, archive)
        self._plan_pip()
        if archive is not None and not any(any(self._addresses(path, archive).values()) for path in paths):
            raise MirrorError(
                f"no entry of the archive of {archive.codename} is in {SOURCES} or {SOURCES}.d, so there is nothing "
                "that apt_url could change; write the entry first or leave apt_url empty"
            )

    def apply(self) -> None:
        for path, text in self.wanted.items():
            wish = self.pip if path == PIP_CONF else self.uris
            if self.gate.restorable(path) and text.encode("utf-8") == (self.gate.original(path) or b""):
                self.gate.restore(path)
                continue
            self.gate.write(path, text, shared=True, meta={"wish": wish})
            if not any(wish.values()):
                self.gate.forget(path)

    # -- apt -------------------------------------------------------------------------------------------------
    def _archive(self) -> apt.Archive:
        text = self._text("/etc/os-release") or self._text("/usr/lib/os-release")
        match = re.search(r"^VERSION_CODENAME=[\"']?([a-z]+)", text, re.MULTILINE)
        if match is None:
            raise MirrorError("/etc/os-release names no VERSION_CODENAME, so apt's entries cannot be told apart")
        return apt.Archive(match.group(1), frozenset(apt.same_uri(uri) for uri in self.uris.values() if uri))

    def _source_files(self) -> list[str]:
        folder = self.gate.real(SOURCES + ".d")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        paths = [SOURCES, *(f"{SOURCES}.d/{name}" for name in names if not name.startswith("gpuready-"))]
        return [path for path in paths if path.endswith((".list", ".sources")) and self.gate.read(path) is not None]

    def _plan_sources(self, path: str, archive: apt.Archive | None) -> None:
        """Start from the original where that is safe, so that an address that is no longer wished goes back."""
        kind = path.endswith(".sources")
        record = self.gate.record(path)
        if record is None and archive is None:
            return
        try:
            text = self._text(path)
            if record is not None and self.gate.restorable(path):
                text = _decoded(self.gate.original(path) or b"", path)
            elif record is not None:
                text = self._undone(path, text, kind, record.meta.get("wish", {}))
            if archive is not None:
                written = record.meta.get("wish", {}).values() if record else ()
                ours = archive.ours | {apt.same_uri(uri) for uri in written if uri}
                text = apt.rewrite(text, kind, apt.Archive(archive.codename, ours), self.uris)
        except deb822.Deb822Error as error:
            if record is not None or self._looks_ours(path):
                raise MirrorError(f"{path} is not a valid source file, {error}; correct it by hand first") from error
            self.module.warn(f"{path} was left alone, it is not a valid source file: {error}")
            return
        self.wanted[path] = text

    def _undone(self, path: str, text: str, kind: bool, written: dict[str, str]) -> str:
        """Someone edited the file after us: only addresses that are still ours go back, where they are unambiguous."""
        before = apt.addresses(_decoded(self.gate.original(path) or b"", path), kind, self._archive())
        single = {place: next(iter(uris)) for place, uris in before.items() if len(uris) == 1}
        stay = {place: uri for place, uri in written.items() if uri and uri != self.uris[place]}
        text = apt.undo(text, kind, stay, single)
        if any(uri in text and place not in single for place, uri in stay.items()):
            self.gate.kept.append(path)
        return text

    def _looks_ours(self, path: str) -> bool:
        return os.path.basename(path) in ("sources.list", "debian.sources", "ubuntu.sources")

    def _addresses(self, path: str, archive: apt.Archive) -> dict[str, set[str]]:
        text = self.wanted.get(path)
        return {} if text is None else apt.addresses(text, path.endswith(".sources"), archive)

    # -- pip -------------------------------------------------------------------------------------------------
    def _plan_pip(self) -> None:
        record, text = self.gate.record(PIP_CONF), self._text(PIP_CONF)
        if record is None and not any(self.pip.values()):
            return
        try:
            if record is not None and self.gate.restorable(PIP_CONF):
                text = self._text_of_original(PIP_CONF)
            elif record is not None:
                text = self._undone_pip(text, record.meta.get("wish", {}))
            text = pip.update(text, {key: value for key, value in self.pip.items() if value})
        except pip.PipConfError as error:
            raise MirrorError(f"{PIP_CONF} is not valid: {error}; correct it by hand first") from error
        self.wanted[PIP_CONF] = text

    def _undone_pip(self, text: str, written: dict[str, str]) -> str:
        before = self._text_of_original(PIP_CONF)
        ours = {key: pip.get(before, key) for key, value in written.items() if value and pip.get(text, key) == value}
        return pip.update(text, ours)

    def _text_of_original(self, path: str) -> str:
        return _decoded(self.gate.original(path) or b"", path)

    def _text(self, path: str) -> str:
        return _decoded(self.gate.read(path) or b"", path)


def _decoded(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MirrorError(f"{path} is not UTF-8 (byte {error.start}); correct it by hand first") from error


def _address(name: str, value: str) -> str:
    if not value:
        return ""
    if redact_url(value) != value:
        raise MirrorError(
            f"{name} {redact_url(value)} holds a password, which every user of the host could read; "
            "put it into /etc/apt/auth.conf.d or ~/.netrc instead"
        )
    pattern = r"[A-Za-z0-9.:_-]+" if name == "pip_trusted_host" else r"[a-z][a-z0-9+.-]*:/\S+"
    if not re.fullmatch(pattern, value):
        raise MirrorError(f"{name} {value!r} is not an address such as https://mirror.example.org/debian")
    return value


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "str", "default": ""} for name in OPTIONS},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    try:
        mirrors = Mirrors(module, gate)
        mirrors.plan()
        mirrors.apply()
    except (MirrorError, FileGateError) as error:
        module.fail_json(msg=f"Package mirrors: {str(error).rstrip('.')}.", **gate.result())
    if gate.kept:
        module.warn(f"left as somebody else changed them since: {', '.join(gate.kept)}")
    module.exit_json(update_cache=any(path.startswith(SOURCES) for path in gate.paths), **gate.result())


if __name__ == "__main__":
    main()
