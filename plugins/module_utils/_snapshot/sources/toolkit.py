# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA Container Toolkit, its configuration, and the CDI specifications on the host."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml_edit
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import cdi as parse_cdi
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import toml_lite
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

_CONFIG = "/etc/nvidia-container-runtime/config.toml"
_PACKAGES = ("nvidia-container-toolkit-base", "nvidia-container-toolkit")
# the second wins in the CDI library; /var/run/cdi is rebuilt at each boot
CDI_DIRS = ("/etc/cdi", "/var/run/cdi")


def section(host: Host, installed: dict[str, str]) -> dict[str, Any]:
    """Return version and the settings that decide how containers get GPUs."""
    present = bool(host.which("nvidia-ctk") or host.which("nvidia-container-runtime"))
    values: dict[str, Any] = {}
    config: dict[str, Any] | None = None
    config_present = host.exists(_CONFIG)
    if config_present:
        with host.probes.watch("toolkit_config", _CONFIG):
            text = host.read(_CONFIG)
            values = toml_lite.parse(text)
            config = _flat(text)
    return {
        "present": present,
        "version": _version(host, installed, present),
        "mode": _text(values.get("nvidia-container-runtime.mode")),
        "no_cgroups": _flag(values.get("nvidia-container-cli.no-cgroups"), config_present, host),
        "config_present": config_present,
        "config": mask(config),
    }


def _flat(text: str) -> dict[str, Any]:
    """Return all values by dotted key; [[tables]] of arrays are left out."""
    try:
        return {".".join(item.path): item.value for item in toml_edit.Document(text).items}
    except TomlError as exc:
        raise ValueError(str(exc)) from exc


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _flag(value: Any, config_present: bool, host: Host) -> bool | None:
    if isinstance(value, bool):
        return value
    # left out means false, if the file could be read
    return False if config_present and host.probes.status("toolkit_config") == "ok" else None


def _version(host: Host, installed: dict[str, str], present: bool) -> str | None:
    for name in _PACKAGES:
        if name in installed:
            # epoch and package revision are not the toolkit's
            return installed[name].partition(":")[2].partition("-")[0] or installed[name].partition("-")[0]
    if not present or not host.live:
        return None
    result = host.runner.run(["nvidia-ctk", "--version"])
    host.probes.command("nvidia_ctk", "nvidia-ctk --version", result)
    match = re.search(r"version (\d+\.\d+\.\d+\S*)", result.stdout)
    return match.group(1) if match else None


def cdi_section(host: Host) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Return the section and the parsed documents by kind."""
    specs: list[dict[str, Any]] = []
    documents: dict[str, list[dict[str, Any]]] = {}
    errors: list[tuple[str, str]] = []
    for folder in CDI_DIRS:
        for name in host.names(folder):
            if not name.endswith((".yaml", ".json")):
                continue
            path = f"{folder}/{name}"
            try:
                document = parse_cdi.load(host.read(path), path)
                spec = parse_cdi.summary(document, path)
            except (OSError, ValueError) as exc:
                errors.append((classify(exc), f"{path}: {exc}"))
                continue
            spec["missing_paths"] = [item for item in parse_cdi.host_paths(document) if not host.exists(item)]
            specs.append(spec)
            documents.setdefault(spec["kind"], []).append(document)
    status, reason = errors[0] if errors else ("ok", None) if specs else ("missing", "no CDI specification was found")
    host.probes.record("cdi", status, ", ".join(CDI_DIRS), error=reason)
    return {"specs": specs}, documents
