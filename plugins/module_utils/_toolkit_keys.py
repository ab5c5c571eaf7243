# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of the toolkit's config.toml with their types, as the target knows them.

Keys of toolkit 1.20.0: internal/config/*.go and the file that `nvidia-ctk config` writes. The table
plugin_utils/data/toolkit_config.yml is the same for the controller; a unit test holds the two together.
"""

from __future__ import annotations

import difflib
from typing import Any

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


class KeyRefusedError(ValueError):
    """A key or its value cannot be meant; the text is one sentence for the user."""


def checked(key: str, value: Any, allow_unknown: bool) -> Any:
    """The value as the type that the key has; texts from templates become booleans where one is wanted."""
    kind = KNOWN.get(key)
    if kind is None and not allow_unknown:
        near = difflib.get_close_matches(key, KNOWN, 1)
        hint = f"; did you mean {near[0]}?" if near else "; set allow_unknown to true if the toolkit is newer"
        raise KeyRefusedError(f"{key} in settings is no key of the toolkit's config.toml{hint}")
    if value is None or kind is None:
        return value
    if kind == "bool" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    fits = {"bool": False, "str": isinstance(value, str), "list": isinstance(value, list)}[kind]
    if kind == "list" and fits:
        fits = all(isinstance(entry, str) for entry in value)
    if not fits:
        raise KeyRefusedError(f"{key} in settings must be {_WORDS[kind]}, not {value!r} ({type(value).__name__})")
    if value not in CHOICES.get(key, (value,)):
        raise KeyRefusedError(f"{key} in settings must be one of {', '.join(CHOICES[key])}, not {value!r}")
    return value
