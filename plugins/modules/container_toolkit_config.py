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
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: In check mode a missing file is a warning only, because the package that makes it may be predicted too.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
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

import difflib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml_edit
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

# Keys of toolkit 1.20.0: internal/config/*.go and the file that `nvidia-ctk config` writes
_CLI = "nvidia-container-cli."
_RUNTIME = "nvidia-container-runtime."
_FEATURES = (
    "allow-cuda-compat-libs-from-container",
    "allow-ldconfig-from-container",
    "allow-unknown-oci-spec-fields",
    "disable-cuda-compat-lib-hook",
    "disable-imex-channel-creation",
    "ignore-imex-channel-requests",
    "no-additional-gids-for-device-nodes",
)
KNOWN: dict[str, str] = {
    "accept-nvidia-visible-devices-as-volume-mounts": "bool",
    "accept-nvidia-visible-devices-envvar-when-unprivileged": "bool",
    "disable-require": "bool",
    "supported-driver-capabilities": "str",
    "swarm-resource": "str",
    **{_CLI + name: "str" for name in ("root", "path", "debug", "ldcache", "user", "ldconfig")},
    **{_CLI + name: "bool" for name in ("load-kmods", "no-pivot", "no-cgroups")},
    _CLI + "environment": "list",
    **{_RUNTIME + name: "str" for name in ("debug", "log-level", "mode")},
    _RUNTIME + "runtimes": "list",
    _RUNTIME + "modes.cdi.annotation-prefixes": "list",
    _RUNTIME + "modes.cdi.default-kind": "str",
    _RUNTIME + "modes.cdi.spec-dirs": "list",
    _RUNTIME + "modes.csv.mount-spec-path": "str",
    _RUNTIME + "modes.csv.compat-container-root": "str",
    _RUNTIME + "modes.jit-cdi.nvcdi-feature-flags": "list",
    _RUNTIME + "modes.jit-cdi.nvcdi-disable-hooks": "list",
    _RUNTIME + "modes.legacy.cuda-compat-mode": "str",
    "nvidia-container-runtime-hook.path": "str",
    "nvidia-container-runtime-hook.skip-mode-detection": "bool",
    "nvidia-ctk.path": "str",
    **{"features." + name: "bool" for name in _FEATURES},
}
# nvidia-ctk takes any text here, and the runtime fails at the next container start
CHOICES: dict[str, tuple[str, ...]] = {
    _RUNTIME + "mode": ("auto", "legacy", "csv", "cdi", "jit-cdi"),
    _RUNTIME + "modes.legacy.cuda-compat-mode": ("disabled", "hook", "ldconfig", "mount"),
    _RUNTIME + "log-level": ("panic", "fatal", "error", "warning", "warn", "info", "debug", "trace"),
}
_WORDS = {"bool": "true or false", "str": "a text", "list": "a list of texts"}


class ConfigError(Exception):
    """The settings or the file cannot be used; the text is one sentence for the user."""


class Change:
    """The file as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate = module, gate
        self.path: str = module.params["path"]
        record = gate.record(self.path)
        self.owned: dict[str, Any] = record.meta.get("owned", {}) if record else {}
        self.known = record is not None
        self.keys: list[str] = []
        self.left: list[str] = []

    def present(self) -> None:
        settings = {key: _checked(key, v, self.module.params["allow_unknown"]) for key, v in self._settings().items()}
        raw = self.gate.read(self.path)
        if raw is None and not self.module.params["create"]:
            text = f"{self.path} does not exist; install nvidia-container-toolkit-base first, or set create to true"
            if not self.module.check_mode:
                raise ConfigError(text)
            self.module.warn(f"check mode goes on without the file: {text}")
        document = self._load(raw, "")
        for key, value in settings.items():
            document = self._set(document, key, value)
        owned = {**self.owned, **settings}
        if not self.keys:
            self.gate.remember_meta(self.path, {"owned": owned})
            return
        self.gate.write(self.path, document.text, shared=True, meta={"owned": owned})

    def absent(self) -> None:
        if not self.known:
            return
        settings = self._settings()
        ours = {key: value for key, value in self.owned.items() if not settings or key in settings}
        rest = {key: value for key, value in self.owned.items() if key not in ours}
        raw = self.gate.read(self.path)
        before = self._load(self.gate.original(self.path), "the kept original of ")
        document = self._load(raw, "")
        for key, value in ours.items():
            document = self._revert(document, before, key, value)
        if not rest and self.gate.restorable(self.path):
            self.gate.restore(self.path)
            return
        if self.keys and raw is not None:
            self.gate.write(self.path, document.text, shared=True, meta={"owned": rest})
        else:
            self.gate.remember_meta(self.path, {"owned": rest})
        if not rest:
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

    def _revert(self, document: toml_edit.Document, before: toml_edit.Document, key: str, value: Any) -> Any:
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
    """The value as the type that the key has; texts from templates become booleans where one is wanted."""
    try:
        toml_edit.split_key(key)
    except TomlError as error:
        raise ConfigError(f"{key!r} in settings is no dotted key ({error})") from error
    kind = KNOWN.get(key)
    if kind is None and not allow_unknown:
        near = difflib.get_close_matches(key, KNOWN, 1)
        hint = f"; did you mean {near[0]}?" if near else "; set allow_unknown to true if the toolkit is newer"
        raise ConfigError(f"{key} in settings is no key of the toolkit's config.toml{hint}")
    if value is None or kind is None:
        return value
    if kind == "bool" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    fits = {"bool": False, "str": isinstance(value, str), "list": isinstance(value, list)}[kind]
    if kind == "list" and fits:
        fits = all(isinstance(entry, str) for entry in value)
    if not fits:
        raise ConfigError(f"{key} in settings must be {_WORDS[kind]}, not {value!r}")
    if value not in CHOICES.get(key, (value,)):
        raise ConfigError(f"{key} in settings must be one of {', '.join(CHOICES[key])}, not {value!r}")
    return value


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/nvidia-container-runtime/config.toml"},
            "settings": {"type": "dict", "default": {}},
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
