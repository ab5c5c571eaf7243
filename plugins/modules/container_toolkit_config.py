# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: container_toolkit_config
short_description: Set keys in the NVIDIA Container Toolkit's config.toml
version_added: 0.1.0
description:
  - Edits the file in place, key by key. Comments, order and all other keys stay as they are; a commented-out default
    gives its place to the real line.
  - The names and types of the keys that the toolkit knows are checked, because the toolkit itself takes any value.
  - The first original is kept on the target, so that O(state=absent) gives it back byte for byte.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  path:
    description: The file.
    type: path
    default: /etc/nvidia-container-runtime/config.toml
  settings:
    description:
      - Dotted keys and their values, for example V(nvidia-container-cli.no-cgroups). V(null) removes the key.
      - With O(state=absent) the keys to give back; without any, all that were ever set by this module.
    type: dict
    default: {}
  owner:
    description:
      - Who sets the keys, such as the name of a role. Keys that an earlier call of the same owner set and that are not
        in O(settings) any more are given back. Without an owner no key is given back with O(state=present).
      - With O(state=absent) only the keys of this owner are given back; without one, those of all.
    type: str
    default: ""
  stamp:
    description:
      - Any text that stands for the inputs, such as their digest. It is remembered with the file, and
        M(gpuready.bootstrap.gpu_facts) shows it there, so that a role can see that nothing has changed since, and spare
        the call. Not touched when left out.
    type: str
  allow_unknown:
    description: Accept keys that this module does not know, for toolkits newer than it.
    type: bool
    default: false
  create:
    description: Make the file if it is missing; otherwise that is an error, because the toolkit's package makes it.
    type: bool
    default: false
  state:
    description:
      - V(present) sets the keys; V(absent) gives them back as they were before.
      - A key that somebody else changed after this module is left alone.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    details: In check mode a missing file is a warning only, because the package that makes it may be predicted too.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Device rules belong to the runtime, not to the hook
  gpuready.bootstrap.container_toolkit_config:
    settings:
      nvidia-container-cli.no-cgroups: false
      nvidia-container-runtime.mode: auto
"""

RETURN = r"""
changed_keys:
  description: Dotted keys whose value changed.
  returned: success
  type: list
  elements: str
  sample: [nvidia-container-runtime.mode]
keys_left:
  description: Keys that were ours, but were changed by someone else since and were left alone.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/nvidia-container-runtime/config.toml]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml_edit
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toolkit_keys import KeyRefusedError, checked


class ConfigError(Exception):
    """The settings or the file cannot be used; the text is one sentence for the user."""


class Change:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate = module, gate
        self.path: str = module.params["path"]
        record = gate.record(self.path)
        self.owned: dict[str, Any] = record.meta.get("owned", {}) if record else {}
        self.owners: dict[str, str] = record.meta.get("owners", {}) if record else {}
        self.owner: str = module.params["owner"]
        self.known = record is not None
        self.keys: list[str] = []
        self.left: list[str] = []

    def present(self) -> None:
        settings = {key: _checked(key, v, self.module.params["allow_unknown"]) for key, v in self._settings().items()}
        stale = [key for key in self._of_owner() if self.owner and key not in settings]
        if not settings and not stale:
            return
        raw = self.gate.read(self.path)
        if raw is None and settings and not self.module.params["create"]:
            text = f"{self.path} does not exist; install nvidia-container-toolkit-base first, or set create to true"
            if not self.module.check_mode:
                raise ConfigError(text)
            self.module.warn(f"check mode goes on without the file: {text}")
        document = self._load(raw, "")
        for key, value in settings.items():
            document = self._set(document, key, value)
        document = self._reverted(document, stale)
        self._finish(document, {**self._without(stale), **settings}, raw is not None or bool(settings))

    def absent(self) -> None:
        if not self.known:
            return
        settings = self._settings()
        ours = [key for key in self._of_owner() if not settings or key in settings]
        raw = self.gate.read(self.path)
        self._finish(self._reverted(self._load(raw, ""), ours), self._without(ours), raw is not None)

    def _of_owner(self) -> list[str]:
        return [key for key in self.owned if not self.owner or self.owners.get(key) == self.owner]

    def _without(self, keys: list[str]) -> dict[str, Any]:
        return {key: value for key, value in self.owned.items() if key not in keys}

    def _reverted(self, document: toml_edit.Document, keys: list[str]) -> toml_edit.Document:
        if not keys:
            return document
        before = self._load(self.gate.original(self.path), "the kept original of ")
        for key in keys:
            document = self._revert(document, before, key, self.owned[key])
        return document

    def _finish(self, document: toml_edit.Document, owned: dict[str, Any], write: bool) -> None:
        """Write what has changed; without a key of ours left, the original comes back where nobody else edited."""
        if not owned and self.gate.restorable(self.path):
            self.gate.restore(self.path)
            return
        given = dict.fromkeys(self._settings(), self.owner)
        owners = {key: name for key, name in {**self.owners, **given}.items() if key in owned}
        meta: dict[str, Any] = {"owned": owned, "owners": owners}
        if self.module.params["stamp"] is not None:
            meta["stamp"] = self.module.params["stamp"]
        if self.keys and write:
            self.gate.write(self.path, document.text, shared=True, meta=meta)
        else:
            self.gate.remember_meta(self.path, meta)
        if not owned:
            self.gate.forget(self.path)

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.module.params["settings"]
        return settings

    def _load(self, raw: bytes | None, what: str) -> toml_edit.Document:
        try:
            return toml_edit.loads((raw or b"").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ConfigError(f"{what}{self.path} is not UTF-8 (byte {error.start}); correct it by hand") from error
        except TomlError as error:
            raise ConfigError(f"{what}{self.path} is not valid TOML, {error}; correct it by hand first") from error

    def _set(self, document: toml_edit.Document, key: str, value: Any) -> toml_edit.Document:
        path = toml_edit.split_key(key)
        try:
            new = document.unset(path) if value is None else document.set(path, value)
        except TomlError as error:
            raise ConfigError(f"{key} cannot be set in {self.path}: {error}") from error
        if new.text != document.text:
            self.keys.append(key)
        return new

    def _revert(
        self, document: toml_edit.Document, before: toml_edit.Document, key: str, value: Any
    ) -> toml_edit.Document:
        """The key as the original has it, unless it no longer holds our value."""
        path = toml_edit.split_key(key)
        now, then = document.find(path), before.find(path)
        if (now.value if now else None) != value:
            if (now.value if now else None) != (then.value if then else None):
                self.left.append(key)
            return document
        if then is not None:
            return self._set(document, key, then.value)
        spot = before.commented(path)
        new = document.unset(path, before.text[spot[0] : spot[1]] if spot else None)
        if new.text != document.text:
            self.keys.append(key)
        return new


def _checked(key: str, value: Any, allow_unknown: bool) -> Any:
    try:
        toml_edit.split_key(key)
    except TomlError as error:
        raise ConfigError(f"{key!r} in settings is no dotted key ({error})") from error
    try:
        return checked(key, value, allow_unknown)
    except KeyRefusedError as error:
        raise ConfigError(str(error)) from error


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/nvidia-container-runtime/config.toml"},
            "settings": {"type": "dict", "default": {}},
            "owner": {"type": "str", "default": ""},
            "stamp": {"type": "str"},
            "allow_unknown": {"type": "bool", "default": False},
            "create": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module)
    try:
        change = Change(module, gate)
        change.present() if module.params["state"] == "present" else change.absent()
    except (ConfigError, FileGateError) as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}. Nothing was changed.", **gate.result())
    except ValueError as error:
        module.fail_json(msg=f"A value in settings cannot stand in a TOML file: {error}.", **gate.result())
    if change.left:
        module.warn(f"{module.params['path']}: left as somebody else set them: {', '.join(change.left)}")
    module.exit_json(changed_keys=change.keys, keys_left=change.left, **gate.result())


if __name__ == "__main__":
    main()
