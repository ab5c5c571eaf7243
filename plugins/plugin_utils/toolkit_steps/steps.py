# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do on a machine for its container toolkit: the conditions of the role's tasks, from one look at it.

Pure: facts and inputs in, plain data out. The role holds no decision of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_unread import unread
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import nothing_changed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import config, engines, sources, versions

# Also needed where CDI is used: tools look for this runtime to tell a GPU host (devcontainers/cli, for one)
SETTINGS: Mapping[str, Any] = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}
_LOADED = "loaded"


def steps(facts: Mapping[str, Any], inputs: Mapping[str, Any], language: str = "en") -> dict[str, Any]:
    """Conditions and values by name. Raises ValueError for a wish that cannot be read.

    inputs: those of the role without its prefix: `version`, `allow_vulnerable`, `channel`, `repo_url`, `repo_base_url`,
    `repo_key_url`, `repo_fingerprints`, `leftovers`, `engines`, `config`. language: of the refusal.
    """
    return _Steps(facts, inputs, language).as_dict()


class _Steps:
    """The answers for one machine; each is asked for once, by as_dict."""

    def __init__(self, facts: Mapping[str, Any], inputs: Mapping[str, Any], language: str) -> None:
        self.facts, self.inputs, self.language = facts, inputs, language
        self.manager = "dnf" if facts["packages"]["manager"] == "dnf" else "apt"
        self.version = versions.full(str(inputs["version"]))
        self.packages = sources.packages()
        self.sources = sources.wanted(self.manager, self.version, inputs)
        self.engines = engines.engines(inputs["engines"], facts)
        self.config: Mapping[str, Any] = inputs["config"] or {}

    def as_dict(self) -> dict[str, Any]:
        packages_right, leftovers = self._packages_right(), self._leftovers()
        adopted = self._adopted(packages_right)
        others = [] if adopted else leftovers
        files = engines.order_files(self.engines, self.version)
        known = self.inputs["leftovers"] == "disable"
        found = {
            "manager": self.manager,
            "version": self.version,
            "packages": self.packages,
            "packages_right": packages_right,
            "installed": [name for name in self.packages if name in self._installed()],
            "sources": self.sources,
            "sources_right": adopted or self._sources_right(),
            "stale_sources": sources.stale(self.sources, self.manager, self.facts["files"]),
            "leftovers": others,
            "leftovers_said": [] if known else _said(others),
            "leftover_addresses": sources.addresses(self.inputs),
            "locks": versions.locks(self.packages, self.version),
            "locks_right": self.manager != "dnf" or set(self.packages) <= set(self.facts["packages"]["holds"] or []),
            "engines": self.engines,
            "order_files": files,
            "order_right": engines.files_right(files, self.facts),
            "refresh": data.load("toolkit_setup")["refresh"],
            "refresh_right": engines.refresh_right(self.facts),
            "refresh_loaded": self._unit("nvidia-cdi-refresh.path")
            == self._unit("nvidia-cdi-refresh.service")
            == _LOADED,
            "cdi_right": engines.cdi_right(self.facts),
            "config_stamp": self._config_stamp(),
            "config_right": self._config_right(),
            "settings": SETTINGS,
            "settings_right": self._settings_right(),
            "reload": self._reload(),
            "restart_harmless": self._restart_harmless(),
            "cri": [name for name in self.engines if name in ("containerd", "crio")],
            "refusal": self._refusal([] if known else others),
            "repository": self._repository(),
        }
        return {**found, "todo": _todo(found)}

    def _installed(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.facts["packages"]["installed"]
        return found

    def _packages_right(self) -> bool:
        broken = set(self.facts["packages"].get("broken") or []) & set(self.packages)
        return not broken and all(self._installed().get(name) == self.version for name in self.packages)

    def _leftovers(self) -> list[dict[str, Any]]:
        return sources.leftovers(self.facts["packages"]["sources"] or [], self.sources, self.inputs)

    def _adopted(self, packages_right: bool) -> bool:
        """Somebody else has set the repository already and the packages are right: left as it is."""
        ours = any(f"gpuready-{sources.NAME}." in path for path in self.facts["files"])
        others = sources.adopted(self.facts["packages"]["sources"] or [], self.sources)
        return packages_right and others and not ours and self.inputs["leftovers"] != "disable"

    def _sources_right(self) -> bool:
        return all(sources.right(source, self.manager, self.facts["files"]) for source in self.sources)

    def _unit(self, name: str) -> Any:
        return ((self.facts.get("services") or {}).get(name) or {}).get("load")

    def _config_stamp(self) -> str:
        said = json.dumps(self.config, sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest() if self.config else ""

    def _config_right(self) -> bool:
        values = self.facts["toolkit"].get("config")
        return config.right(self.config, self._config_stamp(), self.facts["files"], values)

    def _settings_right(self) -> bool:
        if "docker" not in self.engines:
            return True
        found = self.facts["daemon_json"]
        runtime = (
            ((found["data"] or {}).get("runtimes") or {}).get("nvidia") if found["present"] and found["valid"] else None
        )
        return isinstance(runtime, Mapping) and {**runtime, **SETTINGS["runtimes"]["nvidia"]} == dict(runtime)

    def _reload(self) -> bool:
        """By state, not by event: the daemon runs and does not know the runtime that its file names."""
        docker = self.facts["docker"]
        known = "nvidia" in (docker["runtimes"] or {})
        return "docker" in self.engines and bool(docker["reachable"]) and not known and self._settings_right()

    def _restart_harmless(self) -> bool:
        docker = self.facts["docker"]
        running = [one for one in docker["containers"] or [] if one["state"] == "running"]
        # the daemon that starts shuts down what it finds alive, unless its file says live-restore, too
        file = self.facts["daemon_json"]
        at_start = bool(file["present"] and file["valid"]) and (file["data"] or {}).get("live-restore") is True
        idle = not running and not unread(self.facts)
        return idle or (docker["live_restore"] is True and at_start)

    def _refusal(self, leftovers: Sequence[Mapping[str, Any]]) -> str:
        conflicts = [one for one in leftovers if one["conflict"]]
        found = _input_error(self.inputs) or (_conflict(conflicts) if conflicts else None)
        return nothing_changed(found, self.language)

    def _repository(self) -> dict[str, Any]:
        """What preflight may ask."""
        first = self.sources[0]["uris"][0].rstrip("/")
        index = "InRelease" if self.manager == "apt" else "repodata/repomd.xml"
        machine = self.facts["os"].get("machine") or ""
        return {
            "name": "NVIDIA Container Toolkit",
            "variable": f"nvidia_container_toolkit_repo_{'url' if self.inputs['repo_url'] else 'base_url'}",
            "url": f"{first}/{index}".replace("$basearch", machine),
            "packages": self.packages,
        }


def input_error(inputs: Mapping[str, Any], language: str = "en") -> str:
    """One sentence for an input that no machine can follow; '' otherwise. For a playbook that asks before all else."""
    return str(render(_input_error(inputs) or "", language))


def _input_error(inputs: Mapping[str, Any]) -> Text | None:
    version = versions.refusal(str(inputs["version"]), bool(inputs["allow_vulnerable"]))
    return version or config.refusal(inputs["config"] or {})


def _conflict(conflicts: Sequence[Mapping[str, Any]]) -> Text:
    return say(
        "{files} sets the toolkit's repository, too, with another key or without checks, and the package manager would "
        "stop at that. Set nvidia_container_toolkit_leftovers to disable, or take the entry out.",
        files=list(dict.fromkeys(str(one["file"]) for one in conflicts)),
    )


def _said(leftovers: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{one['address']} in {one['file']}" for one in leftovers]


_RIGHT: tuple[str, ...] = ("packages_right", "sources_right", "locks_right", "order_right", "refresh_right")
_RIGHT += ("cdi_right", "config_right", "settings_right")


def _todo(found: Mapping[str, Any]) -> bool:
    """Whether any task has something to do. Files of containerd and CRI-O are not in the facts: their module looks."""
    wrong = not all(found[name] for name in _RIGHT)
    rest = ("refusal", "leftovers", "stale_sources", "reload", "cri")
    return wrong or any(found[name] for name in rest)
