# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the toolkit comes from: its flat repositories, and what others left behind that stands in their way."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.as_written import as_written_for
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data

NAME = "nvidia-container-toolkit"
Source = dict[str, Any]


def wanted(manager: str, version: str, inputs: Mapping[str, Any]) -> list[Source]:
    """The repositories, ready for apt_source or dnf_source. One address of the user's stands for all of ours."""
    addresses = _addresses(manager, inputs)
    key_url = inputs["repo_key_url"] or f"{inputs['repo_base_url'].rstrip('/')}/gpgkey"
    if manager == "apt":
        return [_source(NAME, addresses, key_url, version, inputs)]
    # several addresses of one repository are mirrors of each other for dnf
    names = [NAME if number == 0 else f"{NAME}-experimental" for number in range(len(addresses))]
    return [_source(name, [address], key_url, version, inputs) for name, address in zip(names, addresses)]


def _addresses(manager: str, inputs: Mapping[str, Any]) -> list[str]:
    if inputs["repo_url"]:
        return [str(inputs["repo_url"])]
    table = data.load("toolkit_setup")
    base = str(inputs["repo_base_url"]).rstrip("/")
    return [f"{base}/{channel}/{table['folders'][manager]}" for channel in table["channels"][inputs["channel"]]]


def _source(name: str, uris: list[str], key_url: str, version: str, inputs: Mapping[str, Any]) -> Source:
    fingerprints = list(inputs["repo_fingerprints"])
    said = json.dumps([uris, key_url, fingerprints, packages(), version])
    stamp = hashlib.sha256(said.encode()).hexdigest()
    return {"name": name, "uris": uris, "key_url": key_url, "fingerprints": fingerprints, "stamp": stamp}


def packages() -> list[str]:
    return list(data.load("toolkit_setup")["packages"])


def right(source: Source, manager: str, files: Mapping[str, Any]) -> bool:
    return as_written_for(files, _files(str(source["name"]), manager), str(source["stamp"]))


def _files(name: str, manager: str) -> list[str]:
    """What the module writes; the first one bears the stamp."""
    if manager == "apt":
        folder = "/etc/apt"
        ends = (f"sources.list.d/gpuready-{name}.sources", f"preferences.d/gpuready-{name}")
        return [*(f"{folder}/{end}" for end in ends), f"{folder}/keyrings/gpuready-{name}.asc"]
    return [f"/etc/yum.repos.d/gpuready-{name}.repo", f"/etc/pki/rpm-gpg/gpuready-{name}.asc"]


def stale(sources: Sequence[Source], manager: str, files: Mapping[str, Any]) -> list[str]:
    """Names of repositories that an earlier choice of the channel has left."""
    kept = {source["name"] for source in sources}
    names = [name for name in (NAME, f"{NAME}-experimental") if name not in kept]
    return [name for name in names if manager == "dnf" and _files(name, manager)[0] in files]


def addresses(inputs: Mapping[str, Any]) -> list[str]:
    """Without scheme: what NVIDIA's guides name, and the mirror that the user chose."""
    own = [_bare(str(inputs[key])) for key in ("repo_base_url", "repo_url") if inputs[key]]
    # "rpm/$basearch" and the like are expanded only by the package manager: the folder above it says enough
    return list(
        dict.fromkeys([*data.load("toolkit_setup")["addresses"], *(re.sub(r"/[^/]*\$.*", "", one) for one in own)])
    )


def _bare(uri: str) -> str:
    without = re.sub(r"^[a-z0-9+.-]+://", "", uri.strip(), flags=re.IGNORECASE)
    return re.sub(r"^[^/@]*@", "", without).rstrip("/").lower()


def leftovers(
    entries: Sequence[Mapping[str, Any]], sources: Sequence[Source], inputs: Mapping[str, Any]
) -> list[Source]:
    """Enabled entries of others that name such an address: {file, address, conflict}.

    conflict: the same repository as ours with another key, or for dnf the same at all; apt then reads no source.
    """
    theirs = [entry for entry in entries if entry.get("enabled") and "/gpuready-" not in str(entry.get("file"))]
    ours = {_bare(uri) for source in sources for uri in source["uris"]}
    known, found = addresses(inputs), []
    for entry in theirs:
        for uri in entry.get("uris") or []:
            bare = _bare(str(uri))
            if not any(f"{bare}/".startswith(f"{address}/") for address in known):
                continue
            same = _expanded(bare) in {_expanded(one) for one in ours}
            conflict = same and (entry.get("format") == "repo" or entry.get("signed_by") is not None)
            found.append({"file": entry["file"], "address": uri, "conflict": conflict})
    return found


def _expanded(address: str) -> str:
    """An address with the variable for the architecture, whatever it is written as."""
    return re.sub(r"/(?:\$\(arch\)|\$\{?basearch\}?|amd64|arm64|x86_64|aarch64)$", "", address)


def adopted(entries: Sequence[Mapping[str, Any]], sources: Sequence[Source]) -> bool:
    """Whether somebody else has set each of the repositories already."""
    theirs = [entry for entry in entries if entry.get("enabled") and "/gpuready-" not in str(entry.get("file"))]
    there = {_expanded(_bare(str(uri))) for entry in theirs for uri in entry.get("uris") or []}
    return {_expanded(_bare(uri)) for source in sources for uri in source["uris"]} <= there
