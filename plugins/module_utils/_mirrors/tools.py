# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of tools besides apt: what each one is wished, and in which file it stands.

A tool is one line in TOOLS: its editor (`update`, `undo`; see plan.py), its files, and its wish, made from the options
of package_mirrors. An empty wish means that what we wrote before is taken back.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import (
    apt_conf,
    cargo,
    conda,
    dnf_conf,
    dnf_repos,
    environment,
    gitconfig,
    npm,
    pip,
    proxies,
    uv,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import UNREADABLE, MirrorError, Plan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.proxies import Proxies

REPOS = "/etc/yum.repos.d"
# what gpu_facts reads
ADDRESSES = "/var/lib/gpuready/mirror-addresses.json"
Wish = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """The options of package_mirrors, read and checked."""

    values: Mapping[str, Any]
    proxy: Proxies = field(default_factory=Proxies)
    ca_bundle: str = ""

    def of(self, name: str) -> Wish:
        """The filled values of one group of options."""
        return {key: value for key, value in (self.values.get(name) or {}).items() if value not in (None, "", [], {})}


@dataclass(frozen=True)
class Tool:
    """needs: a path without which there is nothing to set. own: the whole file is ours."""

    name: str
    editor: Any
    wish: Callable[[Options], Wish]
    paths: Callable[[Plan], list[str]]
    mode: Callable[[Wish], int | None] = lambda wish: None
    needs: str = ""
    own: bool = False


def _apt(options: Options) -> Wish:
    return proxies.apt(options.proxy)


def _pip(options: Options) -> Wish:
    pair = options.of("pip")
    wish = {"index-url": pair.get("index_url"), "trusted-host": pair.get("trusted_host"), "cert": options.ca_bundle}
    extra = {key.lower().replace("_", "-"): _words(value) for key, value in pair.get("extra", {}).items()}
    return _filled({**extra, **_filled(wish)})


def _uv(options: Options) -> Wish:
    return options.of("uv")


def _conda(options: Options) -> Wish:
    return _filled({**options.of("conda"), **proxies.conda(options.proxy), "ssl_verify": options.ca_bundle})


def _npm(options: Options) -> Wish:
    return _filled({**options.of("npm"), **proxies.npm(options.proxy), "cafile": options.ca_bundle})


def _dnf(options: Options) -> Wish:
    return _filled({**proxies.dnf(options.proxy), "sslcacert": options.ca_bundle})


def _one(path: str) -> Callable[[Plan], list[str]]:
    return lambda plan: [path]


def _git(options: Options) -> Wish:
    return _filled({**proxies.git(options.proxy), "ca_bundle": options.ca_bundle})


def _environment(options: Options) -> Wish:
    groups = ("rustup", "huggingface", "environment", "proxy")
    return environment.variables({**{name: options.of(name) for name in groups}, "ca_bundle": options.ca_bundle})


class _AptProxy:
    """apt's file with the proxy."""

    @staticmethod
    def update(text: str, wish: Mapping[str, Any]) -> str:
        return apt_conf.proxy(wish)


class _Profile:
    """The script for login shells."""

    @staticmethod
    def update(text: str, wish: Mapping[str, Any]) -> str:
        return environment.profile(wish)


TOOLS = (
    Tool("apt", _AptProxy, _apt, _one(apt_conf.PROXY_PATH), apt_conf.proxy_mode, "/etc/apt", own=True),
    Tool("dnf", dnf_conf, _dnf, _one(dnf_conf.PATH), dnf_conf.mode, dnf_conf.PATH),
    Tool("pip", pip, _pip, _one(pip.PATH)),
    Tool("uv", uv, _uv, _one(uv.PATH)),
    Tool("conda", conda, _conda, _one(conda.PATH), own=True),
    Tool("npm", npm, _npm, lambda plan: npm.paths(plan.exists)),
    Tool("git", gitconfig, _git, _one(gitconfig.PATH)),
    Tool("environment", environment, _environment, _one(environment.PATH), environment.mode),
    Tool("environment", _Profile, _environment, _one(environment.PROFILE_PATH), own=True),
)


def add(plan: Plan, options: Options) -> None:
    """Plan the files of every tool."""
    for tool in TOOLS:
        try:
            wish = tool.wish(options)
        except UNREADABLE as error:
            raise MirrorError(f"{tool.name}: {str(error).rstrip('.')}") from error
        for path in tool.paths(plan):
            _add(plan, tool, path, {} if tool.needs and not plan.exists(tool.needs) else wish)


def _add(plan: Plan, tool: Tool, path: str, wish: Wish) -> None:
    mode = tool.mode(wish) if wish else None
    record = plan.gate.record(path)
    secret = mode == 0o600 or (record is not None and record.meta.get("mode") == 0o600)
    if not tool.own:
        plan.edit(path, tool.editor, wish, secret, mode)
        return
    try:
        text = tool.editor.update("", wish) if wish else ""
    except UNREADABLE as error:
        raise MirrorError(f"{tool.name}: {str(error).rstrip('.')}") from error
    plan.own(path, text or None, secret, mode)


# -- what other roles set ------------------------------------------------------------------------------------------
def add_addresses(plan: Plan, options: Options) -> None:
    """Plan the file by which other roles know the chosen addresses."""
    chosen = {name: str(url) for name, url in options.of("addresses").items()}
    plan.own(ADDRESSES, json.dumps(chosen, indent=1, sort_keys=True) + "\n" if chosen else None)


# -- dnf's repositories ------------------------------------------------------------------------------------------
def add_repositories(plan: Plan, wish: Wish, warn: Callable[[str], None]) -> None:
    """Plan the files of /etc/yum.repos.d that hold a repository of a wished service, or that we changed before."""
    folder = plan.gate.real(REPOS)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for path in [f"{REPOS}/{name}" for name in names if name.endswith(".repo")]:
        known = plan.gate.mirrored(path) is not None
        try:
            services = dnf_repos.services(plan.text(path)) if wish else set()
        except dnf_repos.RepoError as error:
            if known or re.search(r"RPM-GPG-KEY-(Rocky|AlmaLinux|EPEL)", plan.text(path), re.IGNORECASE):
                raise MirrorError(f"{path} is no valid repository file, {error}; correct it by hand first") from error
            warn(f"{path} was left alone, it is no valid repository file: {error}")
            continue
        if known or services & set(wish):
            plan.edit(path, dnf_repos, {name: urls for name, urls in wish.items() if name in services})


# -- accounts ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    home: str


def accounts(plan: Plan, names: list[str]) -> list[Account]:
    """The named accounts, as /etc/passwd of the target knows them."""
    lines = [line.split(":") for line in plan.text("/etc/passwd").splitlines()]
    known = {words[0]: words for words in lines if len(words) >= 7}
    missing = [name for name in names if name not in known or not plan.exists(known[name][5])]
    if missing:
        raise MirrorError(f"{', '.join(missing)} in user_files is no account with a home in /etc/passwd")
    return [Account(n, int(known[n][2]), int(known[n][3]), known[n][5].rstrip("/")) for n in names]


def add_cargo(plan: Plan, options: Options, users: list[Account]) -> None:
    """cargo reads no file for the whole machine: only the homes of named accounts are written."""
    wish = _filled({**options.of("cargo"), **proxies.cargo(options.proxy)})
    if options.ca_bundle and wish:
        wish["cainfo"] = options.ca_bundle
    homes = {cargo.path(account.home, plan.exists): account for account in users} if wish else {}
    for path, account in homes.items():
        if _is_linked(plan, account.home, path):
            raise MirrorError(f"{path} {_LINK}")
        plan.edit(path, cargo, wish, owner=(account.uid, account.gid))
    for path in plan.gate.known():
        found = re.fullmatch(r"(.*)/\.cargo/config(\.toml)?", path)
        if not found or path in homes:
            continue
        if _is_linked(plan, found[1], path):
            # the record stays, so that a later run gives the file back
            plan.gate.module.warn(f"{path} {_LINK}; until then our settings are not taken out of it")
            plan.gate.kept.append(path)
            continue
        plan.edit(path, cargo, {})


_LINK = "is or lies behind a symbolic link, which is not followed below a home; replace the link"


def _is_linked(plan: Plan, folder: str, path: str) -> bool:
    """Root writes in a folder that its owner controls: a link there could lead anywhere."""
    base = plan.gate.root.rstrip("/")
    home, real = os.path.realpath(base + folder), os.path.realpath(base + path)
    return real != home + path[len(folder) :]


def _filled(wish: Mapping[str, Any]) -> Wish:
    return {key: value for key, value in wish.items() if value not in (None, "", [], {}, ())}


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
