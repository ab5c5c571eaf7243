# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One set of proxy addresses, as each tool wants it. Pure.

Two rules: a value with a password goes only into files that root alone reads; and a tool's own file gets the proxy only
where the tool then still heeds what needs no proxy. All other tools take both from the environment (/etc/environment).

How each one treats what needs no proxy:
- environment: a list with commas; a name stands for all below it, too; some readers know networks (Go, Python's
  requests, curl from 7.86), few "*.example.org", all ".example.org". Both cases: curl reads no HTTP_PROXY.
- apt (tried with 2.6): Acquire::http::Proxy::HOST "DIRECT" for one exact host; the variable no_proxy counts besides.
- dnf: no list; libcurl reads the variable no_proxy. A repository may say proxy=_none_.
- npm: noproxy, a list of names.
- git: no key for it (http.c reads NO_PROXY and no_proxy), but http.URL.proxy may be empty for one host. git-lfs reads
  the same keys and variables (lfshttp/proxy.go).
- pip, conda, cargo: none in their files, and with a proxy in the file pip and conda ask it for every host.
- Docker: proxies.no-proxy in daemon.json, with networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url

# what never leaves the machine
ALWAYS = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# up to the last "@" of the word: a password that was not percent-encoded may hold a slash
_USERINFO = re.compile(r"(?<=://)[^\s\"']*@")
_BAD = re.compile(r"[\0-\x20\x7f\"'\\`$#<>]")


class ProxyError(ValueError):
    """A proxy address is none; the text never shows its password."""


@dataclass(frozen=True)
class Proxies:
    """The address for each kind of traffic, empty for none, and what goes past them."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.http or self.https)

    @property
    def secret(self) -> bool:
        """Whether an address holds a user name or a password."""
        return any("@" in urlsplit(url).netloc for url in (self.http, self.https))

    @property
    def one(self) -> str:
        """The address for a tool that takes only one: packages come by https."""
        return self.https or self.http

    @property
    def hosts(self) -> list[str]:
        """Single hosts that need no proxy: neither networks nor names with all below them."""
        return [name for name in self.no_proxy if _HOST.fullmatch(name)]


def read(wish: Mapping[str, Any] | None) -> Proxies:
    """The wish {http, https, no_proxy}; no_proxy is a list or a text with commas. ProxyError for what is no address."""
    wish = wish or {}
    addresses = {kind: _address(kind, str(wish.get(kind) or "").strip()) for kind in ("http", "https")}
    names = [_name(name) for name in _split(wish.get("no_proxy") or "")]
    if any(addresses.values()):
        names += ALWAYS
    return Proxies(addresses["http"], addresses["https"], tuple(dict.fromkeys(names)))


def _address(kind: str, url: str) -> str:
    if not url:
        return ""
    mistake = proxy_url.mistake(url)
    if mistake:
        raise ProxyError(f"the {kind} proxy {proxy_url.shown(url)!r} {mistake}")
    return url.rstrip("/")


def _split(value: str | Sequence[str]) -> list[str]:
    words = value.split(",") if isinstance(value, str) else [str(word) for word in value]
    return [word for word in (part.strip() for text in words for part in text.split()) if word]


def _name(name: str) -> str:
    if _BAD.search(name) or "," in name or "://" in name:
        raise ProxyError(f"{redact(name)!r} in no_proxy is neither a host nor a network")
    return name[1:] if name.startswith("*.") else name


# -- passwords ---------------------------------------------------------------------------------------------------
def redact(text: str) -> str:
    """A text with the user name and password of every address hidden, also of one that no URL parser takes."""
    hidden = _USERINFO.sub("***@", text)
    return hidden if "://" in text else re.sub(r"^[^/\s]*:[^/\s]*@", "***@", hidden)


def apart(url: str) -> tuple[str, str, str]:
    """An address without credentials, the user name and the password; both percent-decoded."""
    head, mark, rest = url.rpartition("@")
    if not mark:
        return url, "", ""
    scheme, _slashes, userinfo = head.partition("://")
    user, _colon, password = userinfo.partition(":")
    return f"{scheme}://{rest}", unquote(user), unquote(password)


# -- for each tool -----------------------------------------------------------------------------------------------
def environment(proxies: Proxies) -> dict[str, str]:
    """Variables for every login, in both cases."""
    found = {"http_proxy": proxies.http, "https_proxy": proxies.https}
    found["no_proxy"] = ",".join(proxies.no_proxy) if proxies else ""
    found = {name: value for name, value in found.items() if value}
    return {**found, **{name.upper(): value for name, value in found.items()}}


def public_environment(proxies: Proxies) -> dict[str, str]:
    """What may stand in a file that everybody reads: nothing of a proxy with a password."""
    return {} if proxies.secret else environment(proxies)


def apt(proxies: Proxies) -> dict[str, Any]:
    """The wish of apt_conf.proxy. An empty address is DIRECT there, as apt takes http's for https otherwise."""
    return {"http": proxies.http, "https": proxies.https, "direct": proxies.hosts} if proxies else {}


def dnf(proxies: Proxies) -> dict[str, str]:
    """Keys of dnf.conf: the address, and the credentials apart and decoded."""
    url, user, password = apart(proxies.one)
    found = {"proxy": url, "proxy_username": user, "proxy_password": password}
    return {key: value for key, value in found.items() if value}


def pip(proxies: Proxies) -> dict[str, str]:
    """Nothing: pip that has a proxy in its file asks it for every host and reads no variable any more."""
    return {}


def conda(proxies: Proxies) -> dict[str, Any]:
    """Nothing: a proxy in condarc is asked for every host."""
    return {}


def cargo(proxies: Proxies) -> dict[str, str]:
    """Nothing: cargo reads the variables (libcurl)."""
    return {}


def uv(proxies: Proxies) -> dict[str, str]:
    """Nothing: only a young uv knows the keys, and an older one refuses the whole file for them."""
    return {}


def npm(proxies: Proxies) -> dict[str, str]:
    """Keys of npmrc, unless they hold a password: npm reads the variables, too."""
    if proxies.secret or not proxies:
        return {}
    names = [name.lstrip(".") for name in proxies.no_proxy if "/" not in name]
    found = {"proxy": proxies.http, "https-proxy": proxies.https, "noproxy": ",".join(dict.fromkeys(names))}
    return {key: value for key, value in found.items() if value}


def git(proxies: Proxies) -> dict[str, Any]:
    """The wish of gitconfig, unless it holds a password: git reads the variables, too."""
    return {"proxy": proxies.one, "direct": proxies.hosts} if proxies and not proxies.secret else {}


def docker(proxies: Proxies) -> dict[str, str]:
    """The object `proxies` of daemon.json; Docker Engine 23.0 and later, read at the daemon's start."""
    found = {"http-proxy": proxies.http, "https-proxy": proxies.https}
    found["no-proxy"] = ",".join(proxies.no_proxy) if proxies else ""
    return {key: value for key, value in found.items() if value}
