# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do on a machine for Docker Engine: the conditions of the role's tasks, from one look at the host.

Pure: snapshot and inputs in, plain data out. The role holds no decision of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.as_written import as_written_for
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_steps import configuration, packages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_unread import unread
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, render, say

DAEMON_JSON = "/etc/docker/daemon.json"
_SOURCE_FILES = {
    "apt": ("/etc/apt/sources.list.d/gpuready-docker.sources", "/etc/apt/keyrings/gpuready-docker.asc"),
    "dnf": ("/etc/yum.repos.d/gpuready-docker.repo", "/etc/pki/rpm-gpg/gpuready-docker.asc"),
}
# Docker's repository, at its own host or at a mirror of all of it
_DOCKERS = re.compile(r"//download\.docker\.com/linux/|/docker-ce/linux/")

# The accounts that the module docker_users put into the engine's group
USERS = "/var/lib/gpuready/docker-users.json"
ROOTLESS = "/var/lib/gpuready/docker-rootless.json"


def steps(snapshot: Mapping[str, Any], inputs: Mapping[str, Any], language: str = "en") -> dict[str, Any]:
    """inputs: those of the role, without its name in front; see the role's vars/main.yml."""
    return _Steps(snapshot, inputs, language).as_dict()


class _Steps:
    """The answers for one machine."""

    def __init__(self, snapshot: Mapping[str, Any], inputs: Mapping[str, Any], language: str) -> None:
        self.snapshot, self.inputs, self.language = snapshot, inputs, language
        self.os, self.docker = self._part("os"), self._part("docker")
        self.files = self._part("files")
        self.installed: Mapping[str, str] = self._part("packages").get("installed") or {}
        self.manager = packages.family(self.os)
        self.there = packages.origin(self.installed, bool(self.docker.get("present")))
        wished = inputs["source"]
        self.source: str = (self.there or "docker") if wished == "auto" else wished
        self.adopted = wished == "auto" and bool(self.there)
        found = packages.of(self.source, self.os) if self.source != "as_is" else None
        self.set = found or packages.Packages(engine=())
        self.carried = found is not None or self.source == "as_is"
        self.engine = self._engine_version()
        self.mistakes = [render(text, language) for text in configuration.mistakes(inputs)]
        self.settings = {} if self.mistakes else configuration.settings(inputs, self.engine)
        self.stamp = _digest([self.settings, inputs["proxies"]])

    def _part(self, name: str) -> Mapping[str, Any]:
        found = self.snapshot.get(name)
        return found if isinstance(found, Mapping) else {}

    def as_dict(self) -> dict[str, Any]:
        found = {**self._sources(), **self._packages(), **self._hold(), **self._daemon()}
        right = all(value for name, value in found.items() if name.endswith("_right"))
        due = bool(self.docker.get("restart_pending")) and self.inputs["restart"] == "now"
        # accounts that are wished no longer are taken out again
        users = self.inputs["users"] or USERS in self.files
        rootless = self.inputs["rootless_users"] or ROOTLESS in self.files
        asked = users or rootless or self.inputs["containerd_root"]
        refusal = self._refusal(found)
        return {
            **found,
            "manager": self.manager,
            "source": self.source,
            "adopted": self.adopted,
            "refusal": refusal,
            "unread": unread(self.snapshot),
            "note": self._note(),
            "users_due": bool(users),
            "rootless_due": bool(rootless),
            "restart_due": due,
            "todo": bool(refusal or not right or due or asked or found["watched"]),
            "asks": self._asks(found),
        }

    @staticmethod
    def _asks(found: Mapping[str, Any]) -> dict[str, Any]:
        """What preflight may ask."""
        return {
            "name": "Docker",
            "variable": "docker_engine_repo_url",
            "url": found["index"],
            "packages": found["packages"],
        }

    # -- where it comes from ------------------------------------------------------------------------------------
    def _sources(self) -> dict[str, Any]:
        if self.source != "docker" or not self.manager:
            return {"repository": {}, "index": "", "source_stamp": "", "sources_right": True}
        found = packages.repository(str(self.inputs["repo_url"]), self.os, self.inputs, self.manager)
        stamp = _digest(found)
        right = as_written_for(self.files, _SOURCE_FILES[self.manager], stamp)
        return {
            "repository": found,
            "index": self._index(found),
            "source_stamp": stamp,
            "sources_right": right or (not self._missing() and self._other_source()),
        }

    def _index(self, repository: Mapping[str, Any]) -> str:
        """The file that proves that the repository answers for this system."""
        if self.manager == "apt":
            return f"{repository['uris'][0]}/dists/{repository['suites'][0]}/InRelease"
        base = repository["baseurl"][0].replace("$basearch", str(self.os.get("machine") or "x86_64"))
        return f"{base}/repodata/repomd.xml"

    def _other_source(self) -> bool:
        """Whether somebody else has set Docker's repository already; it stays as it is then."""
        wanted = str(self.inputs["repo_url"]).rstrip("/")
        entries = [one for one in self._part("packages").get("sources") or [] if one.get("enabled", True)]
        return any(
            uri.startswith(wanted) or _DOCKERS.search(uri) is not None
            for one in entries
            if "/gpuready-" not in str(one.get("file"))
            for uri in one.get("uris") or []
        )

    # -- what is installed --------------------------------------------------------------------------------------
    def _wanted(self) -> list[str]:
        plugins = [self.set.plugins[name] for name in self.inputs["plugins"] if name in self.set.plugins]
        rootless = packages.rootless(self.set, self.manager) if self.inputs["rootless_users"] else []
        return [*self.set.engine, *self.set.runtime, *plugins, *rootless]

    def _missing(self) -> list[str]:
        return [name for name in self._wanted() if name not in self.installed]

    def _packages(self) -> dict[str, Any]:
        version = str(self.inputs["version"])
        engine = [name for name in self.set.engine if name in self.installed]
        right = not version or all(packages.has_version(self.installed[name], version) for name in engine)
        return {
            "packages": self._wanted(),
            "specs": [
                packages.spec(name, version if name in self.set.engine else "", self.source, self.manager)
                for name in self._wanted()
            ],
            "changes_version": bool(engine) and not right,
            "packages_right": right and not self._missing(),
        }

    def _engine_version(self) -> int:
        """The major version that is there, else that which will come; 99 where it is the newest."""
        name = self.set.engine[0] if self.set.engine else ""
        said = self.docker.get("version") or self.installed.get(name) or self.inputs["version"]
        found = re.match(r"(?:\d+:)?(\d+)", str(said or ""))
        if found:
            return int(found.group(1))
        return 20 if self.source == "distribution" and not self.set.plugins else 99

    def _hold(self) -> dict[str, Any]:
        names_ = [*self.set.engine, *self.set.runtime, *self.set.rootless]
        versions = {name: self.installed[name] for name in names_ if name in self.installed}
        wanted = versions if self.inputs["hold"] else {}
        if self.manager != "dnf":
            files = configuration.hold_files(wanted)
            return {"hold_files": files, "locks": "", "hold_right": self._files_right(files, configuration.HOLD)}
        held = set(self._part("packages").get("holds") or [])
        right = set(wanted) <= held if wanted else not held & set(versions)
        return {"hold_files": [], "locks": configuration.locks(wanted), "hold_right": right}

    def _files_right(self, files: list[configuration.File], path: str) -> bool:
        """Whether the files are there with these contents; where none is wanted, whether the first one is away."""
        if not files:
            return path not in self.files
        found = [(self.files.get(one["path"]) or {}, one) for one in files]
        return all(
            (there.get("sha256"), there.get("mode")) == (_sha256(one["content"]), one["mode"]) for there, one in found
        )

    # -- how it runs ----------------------------------------------------------------------------------------------
    def _daemon(self) -> dict[str, Any]:
        service = self._part("services").get("docker.service") or {}
        proxy = [] if self.mistakes else configuration.proxy_files(self.inputs, self.engine)
        ours = [configuration.PROXY, configuration.PROXY_VARIABLES]
        return {
            "settings": self.settings,
            "settings_stamp": self.stamp,
            "settings_right": self._settings_right(),
            "proxy_files": proxy,
            "proxy_right": self._files_right(proxy, configuration.PROXY),
            "watched": ours if proxy or any(path in self.files for path in ours) else [],
            "loaded": service.get("load") == "loaded",
            "down": service.get("active") != "active",
            "service_right": (service.get("active"), service.get("enabled")) == ("active", "enabled"),
        }

    def _settings_right(self) -> bool:
        there = self._part("daemon_json")
        known = (self.files.get(DAEMON_JSON) or {}).get("stamp")
        as_wanted = bool(there.get("valid")) and configuration.held(self.settings, there.get("data") or {})
        return as_wanted and known == self.stamp

    # -- what is refused, and what is said --------------------------------------------------------------------------
    def _refusal(self, found: Mapping[str, Any]) -> str:
        first = self.mistakes[0] if self.mistakes else next(self._refusals(found), None)
        if first is None:
            return ""
        return str(render(say("{reasons}. Nothing was changed.", reasons=first), self.language))

    def _refusals(self, found: Mapping[str, Any]) -> Iterator[Text]:
        yield from self._other_packaging()
        if not self.manager:
            yield say(
                "Docker Engine is installed by apt or dnf, and {name} has neither; install it by hand",
                name=self.os.get("name") or self.os.get("id") or "this system",
            )
        if not self.carried:
            yield say(
                "{name} carries no Docker Engine; set docker_engine_source to docker",
                name=self.os.get("name") or self.os.get("id"),
            )
        yield from self._without_plugins()
        blocking = packages.in_the_way(self.source, self.installed) if self.source != "as_is" else []
        if blocking and not found["packages_right"]:
            yield say(
                "other packages are installed ({names}) that this engine would push away, and this role removes none; "
                "set docker_engine_source to auto or {other}, which keeps them, or remove them by hand",
                names=names(blocking),
                other="distribution" if self.source == "docker" else "docker",
            )
        yield from self._under_containers(found)
        yield from self._under_orphans(found)

    def _other_packaging(self) -> Iterator[Text]:
        snaps = self._part("packages").get("snaps") or []
        if self.docker.get("snap") or "docker" in snaps or str(self.docker.get("root_dir")).startswith("/var/snap/"):
            yield say(
                "Docker is installed as a snap, which cannot use the container toolkit of this host; save what its "
                "containers hold, run snap remove docker, and run again"
            )
        if self.docker.get("desktop") or "docker-desktop" in self.installed:
            yield say(
                "Docker Desktop is installed, whose engine runs in a virtual machine without the GPUs; remove it, and "
                "run again"
            )

    def _without_plugins(self) -> Iterator[Text]:
        lacking = self._lacking()
        if lacking and not self.adopted:
            yield say(
                "{name} carries Docker Engine without {plugins}; take these out of docker_engine_plugins if nothing "
                "here needs them, or set docker_engine_source to docker",
                name=self.os.get("name") or self.os.get("id"),
                plugins=lacking,
            )

    def _lacking(self) -> list[str]:
        """Plugins that the source does not carry; one of compose that somebody has put there will do."""
        if self.source == "as_is" or not self.carried:
            return []
        have = {"compose"} if self.docker.get("compose_version") else set()
        return [name for name in self.inputs["plugins"] if name not in self.set.plugins and name not in have]

    def _under_containers(self, found: Mapping[str, Any]) -> Iterator[Text]:
        running = [str(one.get("name")) for one in self.docker.get("containers") or [] if one.get("state") == "running"]
        # both must have it: the daemon that ends, and the one that starts, which reads these settings
        kept = bool(self.docker.get("live_restore")) and self.settings.get("live-restore") is True
        changes = found["changes_version"] and not kept
        if not changes or self.inputs["on_running_containers"] != "refuse":
            return
        why = unread(self.snapshot)
        if why:
            yield say(
                "Docker runs but cannot be asked for its containers ({error}), and another version of it could stop "
                "some; mend Docker first, or set docker_engine_on_running_containers to proceed",
                error=why,
            )
        if running:
            yield say(
                "another version of Docker Engine would stop {count} running containers ({names}); stop them, or set "
                "docker_engine_on_running_containers to proceed",
                count=len(running),
                names=names(running),
            )

    def _under_orphans(self, found: Mapping[str, Any]) -> Iterator[Text]:
        """The packages start the engine that they bring, before docker_restart could ask."""
        outlived = [str(one) for one in self.docker.get("orphans") or []]
        starts = found["changes_version"] or any(name not in self.installed for name in self.set.engine)
        kept = self.settings.get("live-restore") is True
        if outlived and starts and not kept and self.inputs["on_running_containers"] == "refuse":
            yield say(
                "Docker is down, and installing it would start it without live-restore, which would stop {count} "
                "containers that outlived the daemon ({names}); set docker_engine_live_restore to true, wait until "
                "their jobs have ended, or set docker_engine_on_running_containers to proceed",
                count=len(outlived),
                names=names(outlived),
            )

    def _note(self) -> str:
        lacking = self._lacking() if self.adopted else []
        if not lacking:
            return ""
        text = say(
            "the engine that is installed is kept; its distribution carries no {plugins} for it, and what needs that "
            "fails later",
            plugins=lacking,
        )
        return str(render(text, self.language))


def _digest(value: Any) -> str:
    return _sha256(json.dumps(value, sort_keys=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
