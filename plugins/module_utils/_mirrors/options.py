# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of package_mirrors: their specification, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import proxies
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.mirror_list import OFFICIAL
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import MirrorError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.tools import Options
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

_TEXT = {"type": "str", "default": ""}
_LIST = {"type": "list", "elements": "str", "default": []}
_DICT = {"type": "dict", "default": {}}
_INDEX = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "explicit": {"type": "bool", "default": True},
    "format": {"type": "str", "choices": ["simple", "flat"], "default": "simple"},
}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/\S+")
# what lies below these is no address of a mirror
_NO_ADDRESS = ("proxy", "environment", "ca_bundle", "user_files", "state", "root", "extra", "name", "format")


def _group(**options: Any) -> dict[str, Any]:
    return {"type": "dict", "default": {}, "options": options}


GROUPS: dict[str, Any] = {
    "apt": _group(archive=_LIST, security=_LIST, failover={"type": "bool", "default": True}),
    "repositories": _group(rocky=_LIST, almalinux=_LIST, epel=_LIST),
    "pip": _group(index_url=_TEXT, trusted_host=_TEXT, extra=_DICT),
    "uv": _group(
        index_url=_TEXT,
        python_mirror=_TEXT,
        indexes={"type": "list", "elements": "dict", "default": [], "options": _INDEX},
    ),
    "conda": _group(channels=_DICT, mirrored=_DICT, anaconda=_group(default_channels=_LIST)),
    "npm": _group(registry=_TEXT),
    "cargo": _group(registry=_TEXT),
    "rustup": _group(dist_server=_TEXT, update_root=_TEXT),
    "huggingface": _group(endpoint=_TEXT, disable_xet={"type": "bool"}),
    "environment": _DICT,
    "docker": _group(registry_mirrors=_LIST, proxy={"type": "bool", "default": True}),
    "proxy": _group(http=_TEXT, https=_TEXT, no_proxy=_TEXT),
}
SPEC: dict[str, Any] = {
    **GROUPS,
    "ca_bundle": _TEXT,
    "addresses": _DICT,
    "user_files": _LIST,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "root": {"type": "path", "default": "/"},
}


def addresses(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every address in the options, with the name of its option."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _NO_ADDRESS or name in ("conda.channels", "conda.mirrored"):
                yield from addresses(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for item in value:
            yield from addresses(item, name)
    elif isinstance(value, str) and value:
        yield name, value


def check(params: dict[str, Any]) -> None:
    """Refuse what is no address, and passwords where everybody could read them."""
    for name, value in addresses(params):
        shown = redact_url(value)
        if shown != value or re.search(r"://[^/@\s]+@", value):
            raise MirrorError(
                f"{name} {re.sub('://[^/]*@', '://***@', value)} holds a user name or password, which every user of "
                "the host could read; put it into /etc/apt/auth.conf.d or ~/.netrc instead"
            )
        pattern = re.compile(r"[A-Za-z0-9.:_-]+") if name == "pip.trusted_host" else _ADDRESS
        if not pattern.fullmatch(value) and not (value == OFFICIAL and name in ("apt.archive", "apt.security")):
            raise MirrorError(f"{name} {value!r} is not an address such as https://mirror.example.org/debian")


def options_of(params: dict[str, Any]) -> Options:
    """The options, or none at all to give everything back."""
    if params["state"] == "absent":
        return Options({})
    check(params)
    bundle = params["ca_bundle"]
    if bundle and not re.fullmatch(r"/[^\s\"'\\]+", bundle):
        raise MirrorError(f"ca_bundle {bundle!r} is not the absolute path of a file")
    try:
        return Options(params, proxies.read(params["proxy"]), bundle)
    except proxies.ProxyError as error:
        raise MirrorError(str(error)) from error
