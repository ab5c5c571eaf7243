# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cargo's configuration of one account: crates.io is fetched from a mirror, and the proxy.

Facts (The Cargo Book, Configuration and Source Replacement): cargo reads $CARGO_HOME/config.toml (~/.cargo), and
`config` without an ending before it, if both are there. There is no file for the whole machine, and source replacement
cannot come from the environment. A registry with the sparse protocol is "sparse+https://.../" and ends with a slash
(cargo 1.68). Replacement does not change Cargo.lock. rustup needs the environment only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_edit import loads, split_key
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

PATH = ".cargo/config.toml"  # below a home
NAME = "gpuready"


class CargoError(ValueError):
    """The file or a wish is nothing that cargo could read; the text names the line."""


def path(home: str, exists: Callable[[str], bool]) -> str:
    """The file of an account that cargo reads. exists: says whether a path is there (as the target sees it)."""
    old = f"{home}/.cargo/config"
    return old if exists(old) else f"{home}/{PATH}"


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with the wish: registry ("sparse+https://.../"), proxy, cainfo."""
    return _edit(text, _keys(wish))


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written, where it is still as written."""
    return keyed.undo(text, _keys(written), original, _edit, get)


def get(text: str, key: str) -> str | None:
    """The text at a dotted key; None where it is not set."""
    try:
        value = loads(text).get(split_key(key))
    except TomlError as error:
        raise CargoError(str(error)) from error
    return value if isinstance(value, str) else None


def _keys(wish: Mapping[str, Any]) -> dict[str, str]:
    values = keyed.filled({key: wish.get(key) for key in ("registry", "proxy", "cainfo")})
    found: dict[str, str] = {}
    if "registry" in values:
        url = values["registry"]
        if not url.startswith(("sparse+http://", "sparse+https://")) or not url.endswith("/"):
            raise CargoError(
                f"the registry {url!r} is not of the form sparse+https://HOST/PATH/ with a slash at its end"
            )
        found["source.crates-io.replace-with"] = NAME
        found[f"source.{NAME}.registry"] = url
        # the name makes `cargo search --registry gpuready` and the like work, too
        found[f"registries.{NAME}.index"] = url
    if "proxy" in values:
        found["http.proxy"] = values["proxy"]
    if "cainfo" in values:
        found["http.cainfo"] = values["cainfo"]
    return found


def _edit(text: str, values: Mapping[str, str | None]) -> str:
    try:
        document = loads(text)
        for key, value in values.items():
            place = split_key(key)
            document = _removed(document.text, place) if value is None else document.set(place, value)
        return document.text
    except TomlError as error:
        raise CargoError(str(error)) from error


def _removed(text: str, place: tuple[str, ...]) -> Any:
    """Without the key, and without its table's header if that is then empty and ours alone."""
    document = loads(text).unset(place)
    for header in document.headers:
        inside = [item for item in document.items if item.table[: len(header.path)] == header.path]
        deeper = [h for h in document.headers if h is not header and h.path[: len(header.path)] == header.path]
        if header.path == place[:-1] and not header.array and not inside and not deeper and NAME in header.path:
            start = header.start - 1 if document.text[: header.start].endswith("\n\n") else header.start
            return loads(document.text[:start] + document.text[header.end :])
    return document
