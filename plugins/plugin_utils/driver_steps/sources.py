# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages come from, as the arguments of the modules that write sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.as_written import as_written_for
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import Repository
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

NAME = "nvidia-driver"
_KEYRINGS = ("/debian-archive-keyring.gpg", "/debian-archive-keyring.pgp", "/ubuntu-archive-keyring.gpg")


def wanted(facts: View, driver: Driver, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The repositories of our own that the driver needs, each with the stamp of its inputs."""
    if driver.repository is not None:
        return [_stamped(_vendor(driver.repository, inputs))]
    return [_stamped(one) for one in _components(facts, driver.components)] if driver.components else []


def _vendor(repository: Repository, inputs: Mapping[str, Any]) -> dict[str, Any]:
    key = inputs.get("repo_key_url") or f"{repository.url.rstrip('/')}/{repository.key_file}"
    common = {
        "name": NAME,
        "fingerprints": inputs.get("repo_fingerprints") or list(repository.fingerprints),
        "key_url": key,
    }
    if repository.kind == "dnf":
        streams = {"nvidia-driver": repository.stream} if repository.stream else {}
        return {**common, "baseurl": repository.url, "stream": streams}
    return {
        **common,
        "uris": [repository.url],
        "suites": list(repository.suites) or ["/"],
        "components": list(repository.components),
    }


def _components(facts: View, components: Sequence[str]) -> list[dict[str, Any]]:
    """The distribution's own entries, once more with the components that hold the driver, where they lack them.

    No host is named by us: the driver comes from where the system's packages come from.
    """
    try:
        entries = [one for one in facts.views("packages.sources") if one.is_true("enabled")]
        found = [
            _entry(one, components)
            for one in entries
            if "deb" in one.strings("types") and "main" in one.strings("components")
        ]
    except UnmeasuredError:
        return []
    lacking = [one for one in found if one is not None]
    for number, one in enumerate(lacking):
        one["name"] = f"{NAME}-{number}" if number else NAME
    return lacking


def _entry(entry: View, components: Sequence[str]) -> dict[str, Any] | None:
    missing = [name for name in components if name not in entry.strings("components")]
    signed_by = entry.text_or_none("signed_by")
    # Somebody else's archive is signed by another keyring. An entry without Signed-By cannot be said once more: APT
    # refuses two entries of one archive that differ in it.
    if not missing or not signed_by or not signed_by.endswith(_KEYRINGS):
        return None
    return {
        "name": NAME,
        "uris": entry.strings("uris"),
        "suites": entry.strings("suites"),
        "components": missing,
        "signed_by": signed_by,
    }


def files(source: Mapping[str, Any]) -> list[str]:
    """The files of a source; the first one bears the stamp."""
    name = f"gpuready-{source['name']}"
    if "baseurl" in source:
        return [f"/etc/yum.repos.d/{name}.repo", f"/etc/pki/rpm-gpg/{name}.asc"]
    key = [] if source.get("signed_by") else [f"/etc/apt/keyrings/{name}.asc"]
    return [f"/etc/apt/sources.list.d/{name}.sources", *key]


def right(source: Mapping[str, Any], facts: View) -> bool:
    """Whether the module's files are as it wrote them for these inputs."""
    as_written = as_written_for(facts.data.get("files") or {}, files(source), source["stamp"])
    streams = (facts.data.get("packages") or {}).get("streams") or {}
    enabled = all(streams.get(module) == stream for module, stream in source.get("stream", {}).items())
    return as_written and enabled


def _stamped(source: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
    return {**source, "stamp": digest}
