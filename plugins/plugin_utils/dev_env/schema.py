# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads values by the schema of the specification: types are converted, and what is wrong becomes a sentence.

A value is never part of a sentence where it, or a part of it, may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import input_values
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_values import NOT_SHOWN
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

PREFIX = "dev_"
# inputs and outputs of roles, which are no part of the specification
ROLES = ("dev_container_", "dev_inplace_")
# of keys whose values are never shown, as in plugin_utils/input_values.py and more
_SECRET = re.compile(r"(^|_)(password|passphrase|secret|token|key)s?$", re.IGNORECASE)
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
_KINDS = {"str": "a text", "int": "a whole number", "bool": "true or false", "list": "a list", "dict": "a mapping"}


@cache
def options() -> Mapping[str, Any]:
    """The schema: options by name without the prefix dev_."""
    schema: Mapping[str, Any] = load("dev_spec")["options"]
    return schema


def names(variables: Iterable[object]) -> list[str]:
    """Of all variables of a host those of the specification, known or not."""
    found = {str(name) for name in variables}
    return sorted(name for name in found if name.startswith(PREFIX) and not name.startswith(ROLES))


@dataclass
class Notes:
    """What is wrong, in sentences."""

    sentences: list[str] = field(default_factory=list)

    def add(self, path: str, text: str) -> None:
        self.sentences.append(f"{path}: {text}")


def nearest(wrong: object, known: Iterable[str]) -> str:
    """The one of the known that was probably meant, as the end of a sentence."""
    matches = difflib.get_close_matches(str(wrong), [name for name in known if name], n=1, cutoff=0.6)
    return f"; did you mean {matches[0]}?" if matches else ""


def shown(value: object, secret: bool = False) -> str:
    """A value as part of a sentence. What is in lists and mappings may be a secret under another name."""
    return NOT_SHOWN if secret else input_values.shown(value)


def is_secret(name: str, option: Mapping[str, Any]) -> bool:
    """Whether a value, or a part of it, must not be shown."""
    parts = option.get("options") or {}
    return bool(
        option.get("no_log")
        or option.get("shape") == "public_key"  # a private one may be there in error
        or option.get("copies")
        or _SECRET.search(name)
        or any(is_secret(key, parts[key]) for key in parts)
    )


def parts_of(option: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options inside an option; empty where its keys are free."""
    if option.get("copies"):
        return {name: each for name, each in options().items() if not each.get("copies")}
    parts: Mapping[str, Any] = option.get("options") or {}
    return parts


def default_of(option: Mapping[str, Any]) -> Any:
    """The default of an option with those of its parts, as a copy that may be changed."""
    return read("", option, option["default"], Notes())


def read(path: str, option: Mapping[str, Any], value: Any, notes: Notes, whole: bool = True) -> Any:
    """A value as the schema wants it; the default where it is wrong.

    whole: what was not given is filled in with defaults. Overrides of one container are read without.
    """
    kind = option.get("type", "str")
    if kind == "dict":
        return _mapping(path, option, value, notes, whole)
    if kind == "list":
        return _items(path, option, value, notes)
    if kind == "raw":
        return value
    return _single(path, option, kind, value, notes)


def values_along(sentence: str, given: Mapping[str, Any]) -> list[Any]:
    """The values that a sentence is about, the innermost first: for whoever knows where they were written down."""
    path = re.match(r"[^\s:]*", sentence)
    words = re.findall(r"[^.\[\]]+", path.group() if path else "")
    found: list[Any] = []
    here: Any = given
    for word in words:
        if isinstance(here, Mapping) and word in here:
            here = here[word]
        elif isinstance(here, (list, tuple)) and word.isdigit() and int(word) < len(here):
            here = here[int(word)]
        else:
            break
        found.insert(0, here)
    return found


def entries(path: str, known: Mapping[str, Any], given: Mapping[Any, Any], notes: Notes, whole: bool) -> dict[str, Any]:
    """The values of a mapping with known keys. Without `whole` only the given ones are in it."""
    if known is options() or path.startswith(f"{PREFIX}containers["):
        given = unfolded(known, given)
    for key in given:
        if key not in known:
            top = path == PREFIX
            near = nearest(f"{path}{key}" if top else key, [f"{path}{one}" if top else one for one in known])
            what = "variable" if top else "key"
            notes.add(f"{path}{shown_key(key)}", f"there is no such {what}{near or '; known are ' + ', '.join(known)}")
    found: dict[str, Any] = {}
    for key, option in known.items():
        value = given.get(key)
        if value is not None:
            found[key] = read(f"{path}{key}", option, value, notes, whole)
        elif whole:
            found[key] = default_of(option)
    return found


def unfolded(known: Mapping[str, Any], given: Mapping[Any, Any]) -> dict[Any, Any]:
    """With ssh_publish as the key publish of ssh, and so for all mappings with known keys.

    Ansible replaces a mapping of a group by that of a host as a whole; single keys can be set apart by such a name.
    Where both are given, the single key wins.
    """
    result = dict(given)
    for key in [key for key in given if key not in known]:
        way = _way(known, str(key))
        # a value that is no mapping is told as such
        if not way or not isinstance(result.get(way[0]) or {}, Mapping):
            continue
        result[way[0]] = _set(result.get(way[0]) or {}, way[1:], result.pop(key))
    return result


def _way(known: Mapping[str, Any], name: str) -> list[str]:
    """The keys behind a name whose parts are joined by "_"; empty where there is none."""
    for key in sorted(known, key=len, reverse=True):
        parts = parts_of(known[key]) if known[key].get("type") == "dict" else {}
        if not parts or not name.startswith(f"{key}_"):
            continue
        rest = name[len(key) + 1 :]
        way = [rest] if rest in parts else _way(parts, rest)
        if way:
            return [key, *way]
    return []


def _set(value: Mapping[str, Any], way: list[str], item: Any) -> dict[str, Any]:
    inner = value.get(way[0])
    below = inner if isinstance(inner, Mapping) else {}
    return {**value, way[0]: item if len(way) == 1 else _set(below, way[1:], item)}


def shown_key(key: object) -> str:
    """A key that is not known, or that users choose, on one line and short, as it could be anything."""
    text = shown(str(key))
    return text[1:-1] if text[0] in "'\"" else text


def _mapping(path: str, option: Mapping[str, Any], value: Any, notes: Notes, whole: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _wrong_type(path, option, "dict", value, notes)
        value = (option["default"] if whole else None) or {}
    known = parts_of(option)
    if not known:
        return _free(path, option, value, notes, whole)
    return entries(f"{path}.", known, value, notes, whole and not option.get("sparse"))


def _free(path: str, option: Mapping[str, Any], given: Mapping[Any, Any], notes: Notes, whole: bool) -> dict[str, Any]:
    """A mapping whose keys the user chooses. A null takes away what others say: the key of one container's override."""
    inner = {"default": None, **option.get("values", {"type": "raw"})}
    found: dict[str, Any] = {}
    for key, value in given.items():
        if not isinstance(key, str):
            notes.add(path, f"the key {shown(key)} must be a text; put it in quotes")
        elif value is not None:
            here = f"{path}.{shown_key(key)}"
            _missing(here, inner, value, notes)
            hidden = {**inner, "no_log": bool(_SECRET.search(key))} if _SECRET.search(key) else inner
            found[key] = read(here, hidden, value, notes)
        elif not whole:
            found[key] = None
    return found


def _items(path: str, option: Mapping[str, Any], value: Any, notes: Notes) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        _wrong_type(path, option, "list", value, notes)
        value = option["default"]
    inner = {key: option[key] for key in ("choices", "shape", "options", "copies", "no_log") if key in option}
    inner.update(type=option.get("elements", "str"), default=None)
    # overrides keep to what was given: the rest is that of the specification
    whole = not option.get("copies")
    found = []
    for number, item in enumerate(value):
        here = f"{path}[{number}]"
        wrong = len(notes.sentences)
        if item is None:
            notes.add(here, "nothing is there; take the item out, or write a value")
            continue
        _missing(here, inner, item, notes)
        result = read(here, inner, item, notes, whole)
        if len(notes.sentences) == wrong or isinstance(result, dict):
            found.append(result)
    return found


def _missing(path: str, option: Mapping[str, Any], value: Any, notes: Notes) -> None:
    """Note each key that an item must have and has not."""
    if not isinstance(value, Mapping):
        return
    for name, part in (option.get("options") or {}).items():
        if part.get("required") and value.get(name) is None:
            notes.add(f"{path}.{name}", "it is missing; each entry must have it")


def _single(path: str, option: Mapping[str, Any], kind: str, value: Any, notes: Notes) -> Any:
    converted = _CONVERT[kind](value)
    if converted is None:
        _wrong_type(path, option, kind, value, notes)
        return _fallback(option)
    choices = option.get("choices")
    if choices and converted not in choices:
        said = shown(value, is_secret(_last(path), option))
        listed = ", ".join(str(choice) for choice in choices if choice != "")
        notes.add(path, f"{said} must be one of {listed}{nearest(converted, choices)}")
        return _fallback(option)
    return converted


def _fallback(option: Mapping[str, Any]) -> Any:
    default = option["default"]
    return {"str": "", "int": 0, "bool": False}[option.get("type", "str")] if default is None else default


def _last(path: str) -> str:
    return re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]


def _wrong_type(path: str, option: Mapping[str, Any], kind: str, value: object, notes: Notes) -> None:
    said = shown(value, is_secret(_last(path), option))
    hint = ""
    if kind == "str" and isinstance(value, (bool, float)):
        hint = "; put it in quotes"  # YAML reads no as false, and 3.10 as 3.1
    elif kind == "list" and isinstance(value, str):
        hint = "; write it in brackets"
    notes.add(path, f"{said} must be {_KINDS[kind]}{hint}")


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return str(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in _YES else False if word in _NO else None


_CONVERT: dict[str, Any] = {"str": _text, "int": _number, "bool": _flag}
