# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do on a machine for its driver: the conditions of the role's tasks, from one look at the host.

Pure: snapshot and inputs in, plain data out. The role holds no decision of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import (
    blockers,
    files,
    outputs,
    reboot,
    sources,
    versions,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver, choose
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine, read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes, make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


def steps(snapshot: Mapping[str, Any], inputs: Mapping[str, Any], language: str = "en") -> dict[str, Any]:
    """Raises ValueError for a bad wish.

    inputs: `wishes` (of the plan), and of the role `hold`, `secure_boot`, `mok_password_given`, `upgrade`,
    `repo_key_url`, `repo_fingerprints`, `reboot`, `own_packages`.
    """
    found = _steps(snapshot, inputs, language)
    return {**found, **outputs.outputs(found, inputs)}


def _steps(snapshot: Mapping[str, Any], inputs: Mapping[str, Any], language: str) -> dict[str, Any]:
    facts = View(snapshot)
    machine, wishes = read(facts), make_wishes(inputs["wishes"])
    common = {
        "in_use": [render(text, language) for text in blockers.in_use(facts)],
        "installed_set": files.members(machine.installed),
        "manager": "dnf" if machine.family == "rhel" else "apt",
        "loaded": machine.loaded is not None,
    }
    try:
        driver = choose(machine, wishes)
    except RefusedError as refused:
        return {**_NOTHING, **common, "refusal": render(_sentence(refused), language)}
    if driver.source not in ("nvidia", "distribution"):
        return {**_NOTHING, **common, "adopted": driver.source == "as_is", "driver": _plain(driver)}
    return {**_Steps(facts, machine, driver, wishes, inputs, language).as_dict(), **common}


def _sentence(refused: RefusedError) -> Text:
    nearest = [choice.with_vars() for choice in refused.nearest]
    if nearest:
        return say(
            "{reason} ({rung}). What works: {nearest}.", reason=refused.reason, rung=refused.rung, nearest=nearest
        )
    return say("{reason} ({rung}).", reason=refused.reason, rung=refused.rung)


class _Steps:
    """The answers for one machine; each is asked for once, by as_dict."""

    def __init__(
        self, facts: View, machine: Machine, driver: Driver, wishes: Wishes, inputs: Mapping[str, Any], language: str
    ) -> None:
        self.facts, self.machine, self.driver, self.wishes = facts, machine, driver, wishes
        self.inputs, self.language = inputs, language
        self.installed = machine.installed
        self.manager = "dnf" if machine.family == "rhel" else "apt"
        wished = [*driver.packages, *driver.fabric_packages]
        self.set = [*wished, *versions.companions(self.installed, driver.branch or "", wished)]
        self.headers = self._missing_headers()
        self.version = self._installed_version()

    def as_dict(self) -> dict[str, Any]:
        packages_right = self._packages_right()
        sources_ = sources.wanted(self.facts, self.driver, self.inputs)
        change = not packages_right
        reload_, reboot_ = self._boots()
        busy_ = blockers.in_use(self.facts) if change or reload_ or reboot_ else []
        stop = blockers.blockers(self.facts, self.machine, self.driver, self.inputs) if change else []
        enrol = self.driver.secure_boot in ("enrol", "stop") and self.driver.build and change
        after = [*files.boot(), *files.guards(self.driver.services, self.facts.integer_or_none("os.systemd.version"))]
        return {
            **_NOTHING,
            "managed": True,
            "driver": _plain(self.driver),
            "refusal": self._refusal(stop or busy_ if change else []),
            "packages": [*self.set, *self.headers],
            "optional": list(self.driver.optional),
            "asked": versions.asked([*self.set, *self.headers, *self.driver.optional]),
            "packages_right": packages_right,
            "modules_missing": self._modules_missing(),
            "keep": "" if self._changes_version() else self.version,
            "version": self.version,
            "sources": sources_,
            "sources_right": all(sources.right(source, self.facts) for source in sources_),
            "hold_right": packages_right and self.hold_right(),
            "locks": self._locks(),
            "files": after,
            "files_right": files.right(after, self._files()),
            "initramfs_inputs": [files.NOUVEAU],
            "initramfs_right": self._initramfs_right(),
            "enrol": enrol,
            "mok_key": self.facts.text_or_none("firmware.mok.key"),
            "broken": self._broken(),
            "interrupted": self._interrupted(),
            "services": list(self.driver.services),
            "started": list(self.driver.started),
            "services_right": self._services_right(),
            "reload": [render(cause, self.language) for cause in reload_],
            "reboot": [render(cause, self.language) for cause in reboot_],
            "busy": [render(text, self.language) for text in busy_],
        }

    def hold_right(self) -> bool:
        wanted = hold_files(_plain(self.driver), self.version, self.manager, bool(self.inputs.get("hold", True)))
        locked = self.manager != "dnf" or not self._locks() or self._locks_there()
        return files.right(wanted, self._files()) and locked

    def _files(self) -> Mapping[str, Any]:
        return self._section("files")

    def _section(self, name: str) -> Mapping[str, Any]:
        """A part of the facts as it is; empty where it could not be measured."""
        found = self.facts.data.get(name)
        return found if isinstance(found, Mapping) else {}

    def _installed_version(self) -> str:
        """The driver's version in the packages of the set, '' where none is installed or they differ."""
        if any(name in self.installed for name in self.set):
            return versions.installed_version(self.set, self.installed)
        # another branch may have other names: the packages of the branch that is installed tell
        if self.machine.installed_source not in ("nvidia", "distribution"):
            return ""
        start = f"{self.machine.installed_branch}."
        parts = {name: tables.driver_version(self.installed[name]) or "" for name in files.members(self.installed)}
        found = {version for version in parts.values() if version.startswith(start)}
        return found.pop() if len(found) == 1 else ""

    def _packages_right(self) -> bool:
        return self._set_is_whole() and not self.inputs.get("upgrade")

    def _set_is_whole(self) -> bool:
        """Whether the packages are installed as wished, be there a newer version or not."""
        missing = [name for name in [*self.set, *self.headers] if name not in self.installed]
        wanted = self.wishes.driver_version or self.driver.version or ""
        fits = self.version.startswith(f"{self.driver.branch}.") and (not wanted or wanted == self.version)
        settled = not self._broken() and not self._interrupted()
        return not missing and bool(self.version) and fits and settled

    def _modules_missing(self) -> list[str]:
        """The kernel that boots next, where it has no module of the driver: it would come up without graphics."""
        kernels = {one.get("release"): one for one in self._section("kernel").get("installed") or []}
        release = self.machine.kernel_newest or self.machine.kernel
        # what runs is there, wherever its file may be; a former version may still run
        runs = self.machine.loaded == self.version and release == self.machine.kernel
        lacks = release in kernels and not kernels[release].get("nvidia") and not runs
        return [str(release)] if lacks else []

    def _changes_version(self) -> bool:
        """Whether somebody asked for another version than the one that is installed."""
        wanted = self.wishes.driver_version
        wrong = bool(wanted) and wanted != self.version
        return bool(self.inputs.get("upgrade")) or wrong or not self.version.startswith(f"{self.driver.branch}.")

    def _refusal(self, texts: Sequence[Text]) -> str:
        if not texts:
            return ""
        return str(
            render(say("The driver is left alone: {reasons}. Nothing was changed.", reasons=list(texts)), self.language)
        )

    def _missing_headers(self) -> list[str]:
        """Headers of kernels that are installed here; a simulated host runs a kernel that is not its own."""
        if not self.driver.build:
            return []
        kernels = self._section("kernel").get("installed")
        if kernels is None:  # not measured: the package manager knows
            return list(self.driver.headers)
        without = {kernel.get("release") for kernel in kernels if not kernel.get("headers")}
        return [name for name in self.driver.headers if any(str(release) in name for release in without)]

    def _locks(self) -> str:
        hold = self.manager == "dnf" and self.inputs.get("hold", True)
        return files.locks(self.installed, self.driver.pinned) if hold else ""

    def _locks_there(self) -> bool:
        held = set(self._section("packages").get("holds") or [])
        names_ = {line.rsplit("-", 2)[0] for line in self._locks().splitlines()}
        return names_ <= held

    def _initramfs_right(self) -> bool:
        """Whether our stamp says that the images hold the blacklist as it is wanted."""
        kernels = self._section("kernel")
        installed = kernels.get("installed")
        if installed is not None and not any(one.get("initramfs") is not False for one in installed):
            return True  # a container, or a kernel that boots without an image
        stamp = kernels.get("initramfs") or {}
        found = self._files().get(files.NOUVEAU) or {}
        return bool((stamp.get("inputs") or {}).get(files.NOUVEAU, "") == found.get("sha256"))

    def _broken(self) -> list[str]:
        broken = self._section("packages").get("broken") or []
        return [name for name in broken if self._interrupted() or blockers.belongs(name)]

    def _interrupted(self) -> bool:
        """An installation of ours began and never came to its end: whatever is half installed is of it."""
        return files.BEFORE in self._files()

    def _services_right(self) -> bool:
        units = self._section("services")
        found = {name: units.get(name) or {} for name in self.driver.services}
        enabled = all(unit.get("enabled") == "enabled" for unit in found.values())
        return enabled and all(found[name].get("active") == "active" for name in self.driver.started)

    def _boots(self) -> tuple[list[Text], list[Text]]:
        if not self._set_is_whole():
            return [], []
        reboot_ = reboot.reboot_causes(self.facts, self.driver)
        return reboot.reload_causes(self.facts, self.driver, self.version), reboot_


def hold_files(driver: Mapping[str, Any], version: str, manager: str, exact: bool) -> list[files.File]:
    """The files that hold a set at its version; `driver` as steps() gives it."""
    branch = version.split(".")[0] if version else driver["branch"] or ""
    return files.hold(version, branch, driver["pinned"], manager, exact, driver["build"])


def _plain(driver: Driver) -> dict[str, Any]:
    return {
        "source": driver.source,
        "branch": driver.branch,
        "version": driver.version,
        "modules": driver.modules,
        "pinned": list(driver.pinned),
        "build": driver.build,
        "components": list(driver.components),
        "min_version": driver.min_version,
        "secure_boot": driver.secure_boot,
        "fabric": bool(driver.fabric_packages),
    }


_NOTHING: Mapping[str, Any] = {
    "managed": False,
    "adopted": False,
    "refusal": "",
    "manager": "",
    "driver": {
        "source": "none",
        "branch": None,
        "version": None,
        "modules": None,
        "pinned": [],
        "build": False,
        "components": [],
        "min_version": None,
        "secure_boot": None,
        "fabric": False,
    },
    "packages": [],
    "optional": [],
    "asked": [],
    "packages_right": True,
    "modules_missing": [],
    "keep": "",
    "version": "",
    "sources": [],
    "sources_right": True,
    "hold_right": True,
    "locks": "",
    "files": [],
    "files_right": True,
    "initramfs_inputs": [],
    "initramfs_right": True,
    "enrol": False,
    "mok_key": None,
    "broken": [],
    "interrupted": False,
    "services": [],
    "started": [],
    "services_right": True,
    "reload": [],
    "reboot": [],
    "busy": [],
    "in_use": [],
    "installed_set": [],
}
