# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All files of apt that mirrors concern: source files as found, lists of mirrors, and the options for failover."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._apt_conflicts import conflicts
from ansible_collections.gpuready.bootstrap.plugins.module_utils._deb822 import Deb822Error
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import apt, apt_conf, mirror_list
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.mirror_list import OFFICIAL
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import MirrorError, Plan, written

SOURCES = "/etc/apt/sources.list"
LISTS = "/etc/apt/mirrors"
OWN_LISTS = {apt.MAIN: f"{LISTS}/gpuready-archive.list", apt.SECURITY: f"{LISTS}/gpuready-security.list"}
CONF = "/etc/apt/apt.conf"
CLOUD = "/etc/cloud/cloud.cfg"
KEEP = "/etc/cloud/cloud.cfg.d/99-gpuready-keep-apt.cfg"
# cloud-init writes the sources of its template anew for each instance, so also for a machine cloned from this one
# (docs.cloud-init.io, module Apt Configure, preserve_sources_list)
KEEP_CONTENT = "# Managed by gpuready.bootstrap.package_mirrors\napt: {preserve_sources_list: true}\n"
# A dead mirror costs seconds before the next one is tried: about 7 with apt's own 3 attempts
FAILOVER = {"retries": 1, "timeout": 10}
LIST_COMMENT = "Managed by gpuready.bootstrap.package_mirrors: apt tries these in the order of their priority."
# names that stay the same when a release becomes stable
_ALIASES = {"debian": frozenset({"stable", "oldstable", "testing"}), "ubuntu": frozenset()}
_OWN_URIS = {place: f"mirror+file:{path}" for place, path in OWN_LISTS.items()}
_NO_CHECK = re.compile(r"\bCheck-Valid-Until\s+\"?(no|false|without|off|disable|0)\b", re.IGNORECASE)


@dataclass(frozen=True)
class AptWish:
    """Addresses by pocket, in order; empty: the system's own."""

    uris: Mapping[str, tuple[str, ...]]
    ca_bundle: str = ""

    @classmethod
    def of(cls, archive: list[str], security: list[str], failover: bool, ca_bundle: str = "") -> AptWish:
        found = {}
        for place, uris in ((apt.MAIN, archive), (apt.SECURITY, security)):
            chain = unique(uris)
            # "official" first says by itself that the next one is for when it fails
            chain = chain if failover or chain[:1] == (OFFICIAL,) else chain[:1]
            found[place] = () if chain[:1] == (OFFICIAL,) and len(chain) == 1 else chain
        return cls(found, ca_bundle)

    def __bool__(self) -> bool:
        return any(self.uris.values())


class SourceEditor:
    """Drives one source file; its wish is one address by pocket."""

    def __init__(self, path: str, archive: apt.Archive, leave: frozenset[str] = frozenset()) -> None:
        self.is_deb822 = path.endswith(".sources")
        self.archive, self.leave = archive, leave

    def update(self, text: str, wish: Mapping[str, Any]) -> str:
        return apt.rewrite(text, self.is_deb822, self.archive, wish, self.leave)

    def undo(self, text: str, written_wish: Mapping[str, Any], original: str) -> str:
        return apt.undo(text, self.is_deb822, written_wish, original, self.archive)


class AptPlan:
    """Plans apt's files."""

    def __init__(self, plan: Plan, wish: AptWish, warn: Callable[[str], None]) -> None:
        self.plan, self.gate, self.wish, self.warn = plan, plan.gate, wish, warn
        # worth saying when something changes, and noise in every later run
        self.advice: list[str] = []
        self.release = self._os_release()
        self.paths = self._source_files()
        self.archive = self._archive(frozenset())
        self.bases = self._bases()
        self.archive = self._archive(self._evident())
        self.lists = self._lists_of_others()

    def add(self) -> None:
        """Plan every file of apt; raises MirrorError before anything is planned that could not be."""
        if self.wish and self.release.get("ID", "") not in _ALIASES:
            raise MirrorError(
                f"{self._name()} is neither Debian nor Ubuntu, and what it adds to their archives is on no mirror of "
                "theirs; set apt's addresses by hand, or leave them empty"
            )
        if self.wish and not any(self._uses().values()):
            raise MirrorError(
                f"no entry of the archive of {self._name()} is in {SOURCES} or {SOURCES}.d, so there is nothing that "
                "apt could take from a mirror; write the entry first, or leave the addresses for apt empty"
            )
        targets = self._targets()
        for path in self.bases:
            editor = SourceEditor(path, self.archive, frozenset(self._uris_of_lists()))
            self.plan.edit(path, editor, {place: uri for place, uri in targets.items() if uri})
        for path, place in self.lists.items():
            uris = self.wish.uris[place] if place else ()
            wish = {"uris": list(uris), "failover": len(uris) > 1}
            self.plan.edit(path, mirror_list, wish if uris else {})
        for place, path in OWN_LISTS.items():
            used = any(path in self.plan.planned(one) for one in self.paths)
            self.plan.own(path, self._own_list(place) if used and targets[place] == _OWN_URIS[place] else None)
            if used and targets[place] != _OWN_URIS[place]:
                self.plan.wanted.pop(path, None)  # somebody's edit still needs it
        options: dict[str, Any] = dict(FAILOVER) if self._has_chain() else {}
        if self.wish.ca_bundle and self.plan.exists("/etc/apt"):
            options["ca_bundle"] = self.wish.ca_bundle
        self.plan.own(apt_conf.TRANSPORT_PATH, apt_conf.transport(options) or None)
        self.plan.own(KEEP, KEEP_CONTENT if self.wish and self.plan.exists(CLOUD) else None)
        self._refuse_conflicts()
        if self.wish:
            self._tell()

    # -- what there is -----------------------------------------------------------------------------------------
    def _os_release(self) -> dict[str, str]:
        text = self.plan.text("/etc/os-release") or self.plan.text("/usr/lib/os-release")
        return dict(re.findall(r"^([A-Z_]+)=[\"']?([^\"'\n]*)", text, re.MULTILINE))

    def _name(self) -> str:
        return f"{self.release.get('NAME', 'this system')} ({self.archive.codename})"

    def _archive(self, evident: frozenset[str]) -> apt.Archive:
        codename = self.release.get("VERSION_CODENAME", "")
        if self.wish and not codename:
            raise MirrorError("/etc/os-release names no VERSION_CODENAME, so apt's entries cannot be told apart")
        known = {apt.same_uri(uri) for uris in self.wish.uris.values() for uri in uris} | set(_OWN_URIS.values())
        for path in self.paths:
            known |= {apt.same_uri(str(uri)) for uri in written(self.gate.record(path)).values() if uri}
        aliases = _ALIASES.get(self.release.get("ID", ""), frozenset())
        return apt.Archive(codename, frozenset(known) | evident, aliases)

    def _source_files(self) -> list[str]:
        names = self._names(f"{SOURCES}.d")
        paths = [SOURCES, *(f"{SOURCES}.d/{name}" for name in names if not name.startswith("gpuready-"))]
        return [path for path in paths if path.endswith((".list", ".sources")) and self.gate.read(path) is not None]

    def _names(self, folder: str) -> list[str]:
        real = self.gate.real(folder)
        return sorted(os.listdir(real)) if os.path.isdir(real) else []

    def _bases(self) -> dict[str, str]:
        """The text of each source file without what we wrote. A file that nobody can read is told, or refused."""
        found = {}
        for path in self.paths:
            record = self.gate.mirrored(path)
            if record is None and not self.wish:
                continue
            try:
                text = self.plan.base(path, SourceEditor(path, self.archive), {})
                apt.entries(text, path.endswith(".sources"))
                found[path] = text
            except Deb822Error as error:
                if record is not None or os.path.basename(path) in ("debian.sources", "ubuntu.sources"):
                    raise MirrorError(f"{path} is no valid source file, {error}; correct it by hand first") from error
                self.warn(f"{path} was left alone, it is no valid source file: {error}")
        return found

    def _evident(self) -> frozenset[str]:
        every = [one for path, text in self.bases.items() for one in apt.entries(text, path.endswith(".sources"))]
        return apt.evident(every, self.archive)

    def _uses(self, path: str = "") -> dict[str, list[str]]:
        """The addresses of the distribution's entries by pocket, of one file or of all."""
        found: dict[str, list[str]] = {apt.MAIN: [], apt.SECURITY: []}
        for one, text in self.bases.items():
            if path in ("", one):
                for place, uris in apt.addresses(text, one.endswith(".sources"), self.archive).items():
                    found[place] += [uri for uri in uris if uri not in found[place]]
        return found

    def _official(self, place: str) -> list[str]:
        """The system's own addresses of a pocket, where they can stand in a list of mirrors."""
        ours = {apt.same_uri(uri) for uri in (*self.wish.uris[place], *_OWN_URIS.values())}
        uris = [uri for uri in self._uses()[place] if apt.same_uri(uri) not in ours]
        for path in self.bases if not uris else ():
            before = self.plan.original(path)
            uris += apt.addresses(before, path.endswith(".sources"), self.archive)[place]
        return [uri for uri in dict.fromkeys(uris) if not uri.startswith("mirror")]

    # -- lists of mirrors --------------------------------------------------------------------------------------
    def _lists_of_others(self) -> dict[str, str]:
        """Files of cloud images that an entry of the distribution points to -> the pocket ("" : none any more).

        A list that serves both pockets is left alone, and the entries get an address of their own.
        """
        found: dict[str, str] = {}
        for place, uris in self._uses().items():
            for uri in uris:
                path = _list_path(uri)
                if path and path not in OWN_LISTS.values() and self.gate.read(path) is not None:
                    found[path] = "" if path in found else place
        shared = [path for path, place in found.items() if not place]
        for name in self._names(LISTS):
            found.setdefault(f"{LISTS}/{name}", "")
        return {p: place for p, place in found.items() if p not in shared and (place or self.gate.mirrored(p))}

    def _uris_of_lists(self) -> Iterator[str]:
        paths = [path for path, place in self.lists.items() if place]
        for uris in self._uses().values():
            yield from (uri for uri in uris if _list_path(uri) in paths)

    def _targets(self) -> dict[str, str]:
        """The address of each pocket; empty where it stays."""
        targets = {}
        for place, uris in self.wish.uris.items():
            targets[place] = uris[0] if len(uris) == 1 else _OWN_URIS[place] if uris else ""
        return targets

    def _own_list(self, place: str) -> str:
        uris = list(self.wish.uris[place])
        official = self._official(place)
        at = uris.index(OFFICIAL) if OFFICIAL in uris else len(uris)
        chain = [*uris[:at], *official, *uris[at + 1 :]]
        return mirror_list.render(unique(chain), LIST_COMMENT)

    def _has_chain(self) -> bool:
        own = any(path in self.plan.wanted and self.plan.wanted[path].text for path in OWN_LISTS.values())
        return own or any(len(self.wish.uris[place]) > 1 for place in self.lists.values() if place)

    # -- what is told and refused ------------------------------------------------------------------------------
    def _refuse_conflicts(self) -> None:
        after = {path: self.plan.planned(path) for path in self.paths}
        new = conflicts(after) - conflicts({path: self.plan.text(path) for path in self.paths})
        if new:
            raise MirrorError(
                f"apt would refuse all sources, because the same address and suite would have two keyrings: "
                f"{'; '.join(sorted(new))}; give both entries the same Signed-By first"
            )

    def _tell(self) -> None:
        for path in (CONF, *(f"{CONF}.d/{name}" for name in self._names(f"{CONF}.d"))):
            text = re.sub(r"^\s*(//|#).*$", "", self.plan.text(path), flags=re.MULTILINE)
            if _NO_CHECK.search(text):
                self.advice.append(
                    f"{path} switches Acquire::Check-Valid-Until off, so apt would not notice a mirror that is out of "
                    "date; images that are built from snapshots have it: remove it if this one lives on"
                )
        ports = any("/ubuntu-ports" in uri for uris in self._uses().values() for uri in uris)
        for uri in {uri for uris in self.wish.uris.values() for uri in uris}:
            if ports and re.search(r"/ubuntu/*$", uri):
                self.advice.append(
                    f"{uri} looks like the archive of other architectures: this system uses ubuntu-ports"
                )


def unique(uris: Sequence[str]) -> tuple[str, ...]:
    """Each address once, in order."""
    found: dict[str, str] = {}
    for uri in uris:
        found.setdefault(apt.same_uri(uri), uri)
    return tuple(found.values())


def _list_path(uri: str) -> str:
    """The file behind a mirror+file: address; empty for another address."""
    return re.sub(r"^mirror\+file:(//)?(?=/)", "", uri) if uri.startswith("mirror+file:") else ""
