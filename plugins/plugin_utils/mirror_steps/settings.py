# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices as options of package_mirrors. Empty means the system's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import choice
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import CUDA, INTRANET, joined
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import OFFICIAL
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.choice import Choice, Chooser
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.wishes import CUSTOM, SPARSE, Wishes

# parts of Anaconda's own channels; msys2 is for Windows
_ANACONDA = ("main", "r")


class Settings:
    """One answer for each option."""

    def __init__(self, wishes: Wishes, chooser: Chooser, choices: Iterable[Choice], no_proxy: list[str]) -> None:
        self.wishes, self.chooser, self.no_proxy = wishes, chooser, no_proxy
        self.chosen = {one.service: one for one in choices}

    def as_dict(self) -> dict[str, Any]:
        return {
            "apt": self._apt(),
            "repositories": self._repositories(),
            "pip": self._pip(),
            "uv": self._uv(),
            "conda": self._conda(),
            "npm": {"registry": self._url("npm")},
            "cargo": {"registry": self._cargo()},
            "rustup": self._rustup(),
            "huggingface": self._huggingface(),
            "environment": self._environment(),
            "docker": {"registry_mirrors": list(self._chosen("docker-registry").urls)},
            "proxy": self._proxy(),
            "ca_bundle": self.wishes.ca_bundle if self._present() else "",
        }

    def _present(self) -> bool:
        return self.wishes.state == "present"

    def _chosen(self, name: str) -> Choice:
        return self.chosen.get(name) or Choice(name)

    def _urls(self, names: Iterable[str]) -> list[str]:
        found = next((self.chosen[name].urls for name in names if name in self.chosen and self.chosen[name].urls), ())
        return list(found if self.wishes.failover else found[:1])

    def _url(self, name: str) -> str:
        return next(iter(self._chosen(name).urls), "")

    # -- packages of the system -----------------------------------------------------------------------------------
    def _apt(self) -> dict[str, Any]:
        archive, security = self._urls(choice.ARCHIVES), self._urls(choice.SECURITY)
        if self._present():
            # also where no service of the catalogue fits: package_mirrors knows best which systems it can change
            archive = [self.wishes.apt_url] if self.wishes.apt_url else archive
            security = [self.wishes.apt_security_url] if self.wishes.apt_security_url else security
        if security and self.wishes.security_policy == "official_then_mirror":
            security = [OFFICIAL, *security]
        return {"archive": archive, "security": security, "failover": self.wishes.failover}

    def _repositories(self) -> dict[str, list[str]]:
        found = {name: self._urls([name]) for name in choice.REPOSITORIES}
        return {name: urls for name, urls in found.items() if urls}

    # -- Python -----------------------------------------------------------------------------------------------------
    def _pip(self) -> dict[str, str]:
        chosen, url = self._chosen("pypi"), self._url("pypi")
        trusted = self.wishes.pip_trusted_host if self._present() else ""
        # inside the vendor's cloud there is no https; pip asks for this word then
        if not trusted and url.startswith("http://") and chosen.site.endswith(INTRANET):
            trusted = host(url)
        return {"index_url": url, "trusted_host": trusted}

    def _uv(self) -> dict[str, Any]:
        return {"index_url": self._url("pypi"), "python_mirror": self._url("uv-python"), "indexes": self._torch()}

    def _torch(self) -> list[dict[str, Any]]:
        url, chosen = self._url("torch"), self._chosen("torch")
        if not url:
            return []
        entries = self.chooser.desk.offers("torch", [chosen.site])
        form = next((str(one.entry["format"]) for one in entries if one.url == url and "format" in one.entry), "simple")
        cudas = self.chooser.catalogue["services"]["torch"].get("cudas") or []
        field = f"{{{CUDA}}}"
        # an address without the field is the index of one CUDA, or of all
        wanted = (
            [(f"pytorch-{cuda}", url.replace(field, cuda)) for cuda in cudas] if field in url else [("pytorch", url)]
        )
        return [{"name": name, "url": one, "explicit": True, "format": form} for name, one in wanted]

    def _conda(self) -> dict[str, Any]:
        chosen = self._chosen("conda")
        found: dict[str, Any] = {"channels": {}, "mirrored": {}, "anaconda": {"default_channels": self._anaconda()}}
        if not chosen.urls:
            return found
        # conda asks every channel that is named for every package, so only the one that everybody needs is
        found["channels"] = {"conda-forge": chosen.urls[0]}
        # mamba goes on to the next address by itself; the channel's own is the last where anybody else was asked
        own = str((self._entries("conda").get(OFFICIAL) or {}).get("url") or "")
        last = [own] if own and chosen.site != CUSTOM else []
        urls = [*(chosen.urls if self.wishes.failover else chosen.urls[:1]), *last]
        found["mirrored"] = {"conda-forge": [joined(url, "conda-forge") for url in urls]}
        return found

    def _entries(self, name: str) -> Mapping[str, Any]:
        sites: Mapping[str, Any] = self.chooser.catalogue["services"].get(name, {}).get("sites") or {}
        return sites

    def _anaconda(self) -> list[str]:
        url = self._url("anaconda")
        return [joined(url, part) for part in _ANACONDA] if url else []

    # -- others -----------------------------------------------------------------------------------------------------
    def _cargo(self) -> str:
        url = self._url("crates").removeprefix(SPARSE)
        return f"{SPARSE}{url.rstrip('/')}/" if url else ""

    def _rustup(self) -> dict[str, str]:
        url = self._url("rustup")
        return {"dist_server": url, "update_root": joined(url, "rustup") if url else ""}

    def _huggingface(self) -> dict[str, Any]:
        url = "" if self.chooser.machine.token else self._url("huggingface")
        # files kept by Xet are fetched from its own hosts, past any mirror
        return {"endpoint": url, "disable_xet": True} if url else {}

    def _environment(self) -> dict[str, str]:
        url = self._url("node")
        return {"NVM_NODEJS_ORG_MIRROR": url, "FNM_NODE_DIST_MIRROR": url} if url else {}

    def _proxy(self) -> dict[str, Any]:
        """Without its addresses, which may hold a password: results show what a task loops over."""
        used = self._present() and any(self.wishes.proxy.values())
        return {"used": used, "no_proxy": ",".join(self.no_proxy) if used else ""}
