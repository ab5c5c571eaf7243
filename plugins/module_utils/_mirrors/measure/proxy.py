# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way an address is reached: directly or through a proxy. Pure."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit


class ProxyError(ValueError):
    """The proxy cannot be used; the text is one sentence without credentials."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; `secrets` must never be shown."""

    host: str
    port: int
    authorization: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proxies:
    """One proxy by scheme of the address, and the hosts that need none."""

    http: Proxy | None = None
    https: Proxy | None = None
    no_proxy: tuple[str, ...] = ()

    def of(self, url: str) -> Proxy | None:
        parts = urlsplit(url)
        chosen = self.https if parts.scheme == "https" else self.http
        return None if chosen is None or bypassed((parts.hostname or "").lower(), self.no_proxy) else chosen

    def hide(self, text: str) -> str:
        """The text without any part of a proxy's credentials."""
        for proxy in (self.http, self.https):
            for secret in proxy.secrets if proxy else ():
                text = text.replace(secret, "***")
        return text

    def hide_bytes(self, body: bytes) -> bytes:
        """The same for an answer: a page of a proxy may say who asked."""
        for proxy in (self.http, self.https):
            for secret in proxy.secrets if proxy else ():
                body = body.replace(secret.encode("utf-8"), b"***")
        return body


def bypassed(host: str, rules: Iterable[str]) -> bool:
    """Whether no_proxy names the host: itself, a domain above it, an address, a network, or a star for all."""
    for rule in rules:
        name = rule.strip().lower().strip("[]")
        if name == "*":
            return True
        if name and (_in_network(host, name) or host == name.lstrip(".") or host.endswith("." + name.lstrip(".*"))):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def read(wish: Mapping[str, Any] | None, environment: Mapping[str, str]) -> Proxies:
    """The wish, or where there is none, what the environment says, as curl reads it: only lower case for http."""
    if wish is not None:
        skip = wish.get("no_proxy") or ()
        names = skip.split(",") if isinstance(skip, str) else [str(name) for name in skip]
        return Proxies(_proxy(wish.get("http")), _proxy(wish.get("https")), tuple(names))
    both = environment.get("all_proxy") or environment.get("ALL_PROXY")
    web = environment.get("http_proxy") or both
    tls = environment.get("https_proxy") or environment.get("HTTPS_PROXY") or both
    names = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").split(",")
    return Proxies(_proxy(web), _proxy(tls), tuple(names))


def _proxy(value: object) -> Proxy | None:
    if not value:
        return None
    text = str(value)
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http":
        raise ProxyError("the proxy is no address such as http://proxy.example.org:3128; only http proxies are known")
    if parts.username is None:
        return Proxy(host, port)
    user, password = unquote(parts.username), unquote(parts.password or "")
    token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    # a short user name would blacken every word that holds it
    secrets = [part for part in (token, password, parts.password or "") if part]
    secrets += [part for part in (user, parts.username) if len(part) > 3]
    return Proxy(host, port, f"Basic {token}", tuple(dict.fromkeys(secrets)))
