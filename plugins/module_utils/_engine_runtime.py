# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How containerd's CRI plugin and CRI-O learn of one more runtime. Pure: TOML texts in, TOML texts out.

containerd before 2.1 replaces the whole section of a plugin by that of a later file (containerd issue 5837), newer ones
merge: a drop-in must therefore repeat the section of the CRI plugin, and be the last that has one. Version 2 of the
configuration names the plugin io.containerd.grpc.v1.cri, later ones io.containerd.cri.v1.runtime (docs/cri/config.md of
containerd). Version 1 has no drop-ins. CRI-O merges its drop-ins key by key (crio.conf.d(5)).
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import Path

CONTAINERD = "/etc/containerd/config.toml"
CONTAINERD_DROP_IN = "/etc/containerd/conf.d/99-nvidia.toml"
CRIO = "/etc/crio/crio.conf"
CRIO_DROP_INS = "/etc/crio/crio.conf.d"
CRIO_DROP_IN = CRIO_DROP_INS + "/99-nvidia.toml"
_IMPORT = posixpath.dirname(CONTAINERD_DROP_IN) + "/*.toml"
_HEADER = "# Written by gpuready (module engine_runtime); edits are overwritten.\n"
_CRI_1, _CRI_2, _CRI_3 = "cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"


class EngineError(Exception):
    """The engine's files do not allow a runtime; the text is one sentence for the user."""


def plugin(version: int) -> str:
    """Name of the plugin that holds the runtimes, for a version of the configuration."""
    return _CRI_2 if version == 2 else _CRI_3


def version_of(main: str | None) -> int:
    """Version of containerd's configuration; 2 for a file that is missing or says nothing. Raises EngineError for 1."""
    document = toml.loads(main or "")
    if not document.items and not document.headers:
        return 2
    version = document.get(("version",), 1)
    if not isinstance(version, int) or version < 2:
        raise EngineError(
            f"{CONTAINERD} is of the old format 1, which has no drop-ins; bring it to version 2 first "
            "('containerd config migrate' shows how)"
        )
    return version


def refuse_disabled(main: str | None) -> None:
    """Raise EngineError where the plugin for Kubernetes is switched off: a runtime would be known to nobody."""
    off = toml.loads(main or "").get(("disabled_plugins",), [])
    found = [name for name in (_CRI_1, _CRI_2, _CRI_3) if isinstance(off, list) and name in off]
    if found:
        raise EngineError(
            f"disabled_plugins in {CONTAINERD} holds {found[0]}, so that containerd serves no Kubernetes and knows no "
            "runtimes; take it out there, or take containerd out of the engines (Docker needs nothing in this file)"
        )


def imported_patterns(main: str | None) -> list[str]:
    """The patterns of other files, absolute, in their order."""
    found = toml.loads(main or "").get(("imports",), [])
    if not isinstance(found, list) or any(not isinstance(entry, str) for entry in found):
        raise EngineError(f"imports in {CONTAINERD} is no list of texts")
    folder = posixpath.dirname(CONTAINERD)
    return [posixpath.normpath(posixpath.join(folder, entry)) for entry in found]


def with_import(main: str | None) -> str:
    """containerd's own file with the folder of drop-ins among its imports; unchanged where that is so already."""
    patterns = imported_patterns(main)
    if any(fnmatch.fnmatchcase(CONTAINERD_DROP_IN, pattern) for pattern in patterns):
        return main or ""
    document = toml.loads(main or "")
    if document.find(("version",)) is None:
        document = document.set(("version",), version_of(main))
    now = document.get(("imports",), [])
    return document.set(("imports",), [*now, _IMPORT]).text


def without_import(main: str) -> str:
    """containerd's own file without the import that `with_import` added."""
    document = toml.loads(main)
    rest = [entry for entry in document.get(("imports",), []) if entry != _IMPORT]
    return (document.set(("imports",), rest) if rest else document.unset(("imports",))).text


def containerd_drop_in(texts: Mapping[str, str], name: str, path: str) -> str:
    """The drop-in. texts: containerd's own file and what it imports, in the order of their reading, without ours."""
    main = texts.get(CONTAINERD)
    version = version_of(main)
    table: Path = ("plugins", plugin(version))
    cri: dict[str, Any] = {}
    for file, text in texts.items():
        document = toml.loads(text)
        if any(header.array and header.path[:2] == table for header in document.headers):
            raise EngineError(f"{file} has an array of tables in the section of {table[1]}, which cannot be repeated")
        cri = document.get(table, cri)
    containerd = dict(_table(cri, "containerd"))
    runtimes = dict(_table(containerd, "runtimes"))
    base = _table(runtimes, "runc") or _table(runtimes, str(containerd.get("default_runtime_name", "")))
    options = {**_table(base, "options"), "BinaryName": path}
    # SystemdCgroup and what else runc was told comes along
    runtimes[name] = {"runtime_type": "io.containerd.runc.v2", **base, "options": options}
    wanted = {**cri, "containerd": {**containerd, "runtimes": runtimes}}
    return f"{_HEADER}version = {version}\n" + rendered(table, wanted)


def later_section(order: Sequence[str], texts: Mapping[str, str]) -> str | None:
    """A file that is read after our drop-in and has a section of the plugin, too: older releases lose ours then."""
    table = ("plugins", plugin(version_of(texts.get(CONTAINERD))))
    behind = order[order.index(CONTAINERD_DROP_IN) + 1 :] if CONTAINERD_DROP_IN in order else []
    return next((file for file in behind if toml.loads(texts.get(file, "")).get(table, None)), None)


def crio_drop_in(texts: Mapping[str, str], name: str, path: str) -> str:
    """The drop-in of CRI-O. texts: its file and its other drop-ins, in the order of their reading."""
    runtimes: dict[str, Any] = {}
    default = ""
    for text in texts.values():
        document = toml.loads(text)
        for runtime, values in document.get(("crio", "runtime", "runtimes"), {}).items():
            runtimes[runtime] = {**runtimes.get(runtime, {}), **(values if isinstance(values, dict) else {})}
        default = document.get(("crio", "runtime", "default_runtime"), default)
    base: dict[str, Any] = next(
        (runtimes[one] for one in (str(default), "runc", "crun") if one in runtimes and one != name), {}
    )
    wanted = {**base, "runtime_path": path, "runtime_type": "oci"}
    return _HEADER + rendered(("crio", "runtime", "runtimes", name), wanted)


def rendered(path: Path, table: Mapping[str, Any]) -> str:
    """A table and those below it, each under a header of its own."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"{toml.render_key((key,))} = {toml.render_value(value)}\n" for key, value in plain.items()]
    parts = [f"\n[{toml.render_key(path)}]\n" + "".join(lines)] if lines or len(plain) == len(table) else []
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    return "".join([*parts, *(rendered((*path, key), value) for key, value in below.items())])


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key)
    return found if isinstance(found, Mapping) else {}
