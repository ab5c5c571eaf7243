# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""uv's system-wide settings: the default index, further named indexes, and where uv fetches its Pythons.

Facts, tried with uv 0.13.9 and its file /etc/uv/uv.toml:
- of two indexes with `default = true` in one uv.toml the first is used and the second silently ignored; in a
  pyproject.toml uv refuses two. Of two indexes with one name the first is used, too.
- an [[index]] with `default = true` goes before the older keys `index-url` and `[pip] index-url`.
- an index with `explicit = true` in this file is asked where it is named (`uv pip install --index NAME`, `uv add
  --index NAME`); [tool.uv.sources] of a project takes only an index that the project itself declares.
- uv refuses the whole file for a key that it does not know, so nothing is written that an older uv (0.8) does not
  know. Its keys http-proxy, https-proxy and no-proxy are younger: proxies reach uv through the environment.

So an index of the user's that ours would compete with (it is the default, or bears the same name) becomes a comment,
line by line, and ours is added below. It is not rewritten in place: uv takes user name and password of an index from
the environment by its name, and would send them to the mirror.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_edit import Document, Entry, loads
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

PATH = "/etc/uv/uv.toml"
MODE = 0o644  # every user's uv reads it
INDEX = ("index",)
# wish -> key of uv.toml
SCALARS = {"python_mirror": "python-install-mirror"}
MARK = "gpuready"
ASIDE = "# gpuready: "
# what the simple index of PEP 503 is called in uv.toml is its default, and left out
_FORMATS = ("", "simple", "flat")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PUT_ASIDE = re.compile(
    rf"^{re.escape(ASIDE)}[ \t]*\[\[[^\n]*(?:\n|\Z)(?:^{re.escape(ASIDE)}(?![ \t]*\[\[)[^\n]*(?:\n|\Z))*", re.MULTILINE
)
_OURS = re.compile(rf"\[\[\s*index\s*\]\][ \t]*# {MARK}[ \t]*(?:\r?\n|\Z)")


class UvError(ValueError):
    """The file or a wish is nothing that uv could read; the text names the line."""


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with the wish: index_url, python_mirror (addresses), indexes (list of name, url, explicit, format)."""
    wanted = _entries(wish)
    try:
        scalars: dict[str, str | None] = {key: wish.get(name) for name, key in SCALARS.items() if wish.get(name)}
        document = loads(text)
        if [entry.values for entry in _ours(document)] == wanted and _scalars(text, scalars) == text:
            return text
        # with every index back in its place: a key that is set below one that is put aside would belong to it later
        document = loads(_scalars(_without_ours(document, None), scalars))
        for entry in reversed(document.entries(INDEX)):
            if any(_compete(entry.values, new) for new in wanted):
                document = document.replaced(entry, _aside(document.text[entry.start : entry.end]))
        for new in wanted:
            document = document.with_entry(INDEX, new, MARK)
        return document.text
    except TomlError as error:
        raise UvError(str(error)) from error


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written; an index of ours that somebody changed stays."""
    if update(original, written) == text:
        return original
    try:
        before, now = loads(original), loads(text)
        back: dict[str, str | None] = {}
        for name, key in SCALARS.items():
            if written.get(name) and now.get((key,)) == written[name]:
                back[key] = before.get((key,))
        return _without_ours(loads(_scalars(text, back)), _entries(written))
    except TomlError as error:
        raise UvError(str(error)) from error


def _entries(wish: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the wish makes of [[index]]: the default one, then the named ones."""
    found: list[dict[str, Any]] = []
    url = keyed.filled({"index_url": wish.get("index_url")})
    if url:
        found.append({"url": url["index_url"], "default": True})
    for index in wish.get("indexes") or []:
        found.append(_named(keyed.filled({key: index.get(key) for key in ("name", "url", "format")}), index))
    return found


def _named(texts: dict[str, str], index: Mapping[str, Any]) -> dict[str, Any]:
    name, form = texts.get("name", ""), texts.get("format", "")
    if not _NAME.fullmatch(name) or "url" not in texts:
        raise UvError(f"an index needs a name of letters, digits, '.', '_' and '-', and a url; {name!r} has not both")
    if form not in _FORMATS:
        raise UvError(f"the index {name} has the format {form!r}; uv knows simple and flat")
    entry: dict[str, Any] = {"name": name, "url": texts["url"]}
    if index.get("explicit", True):
        entry["explicit"] = True
    if form == "flat":
        entry["format"] = form
    return entry


def _scalars(text: str, values: Mapping[str, str | None]) -> str:
    document = loads(text)
    for key, value in values.items():
        document = document.unset((key,)) if value is None else document.set((key,), keyed.filled({key: value})[key])
    return document.text


def _compete(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    both_default = theirs.get("default") is True and ours.get("default") is True
    return both_default or ("name" in ours and theirs.get("name") == ours["name"])


def _ours(document: Document) -> list[Entry]:
    return [entry for entry in document.entries(INDEX) if _OURS.match(document.text, entry.start)]


def _without_ours(document: Document, written: list[dict[str, Any]] | None) -> str:
    """The text without our indexes (only those that are as written, if given), and with what they put aside."""
    for entry in reversed(_ours(document)):
        if written is None or entry.values in written:
            start = entry.start - 1 if document.text[: entry.start].endswith("\n\n") else entry.start
            document = loads(document.text[:start] + document.text[entry.end :])
    left = [entry.values for entry in document.entries(INDEX)]

    def back(match: re.Match[str]) -> str:
        text = re.sub(rf"^{re.escape(ASIDE)}", "", match.group(), flags=re.MULTILINE)
        theirs = [entry.values for entry in loads(text).entries(INDEX)]
        beside = any(_compete(one, other) for one in theirs for other in left)
        return match.group() if beside else text  # beside one that somebody made of ours it would be a second one

    return _PUT_ASIDE.sub(back, document.text)


def _aside(text: str) -> str:
    return "".join(ASIDE + line for line in re.findall(r"[^\n]*\n|[^\n]+\Z", text))
