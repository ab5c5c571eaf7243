# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repository files and module files of dnf: render ours, read those of others, find who offers the same unguarded.

dnf.conf(5) describes the options of a repository; libdnf keeps the state of a module stream in
/etc/dnf/modules.d/MODULE.module, an ini file with the keys name, stream, profiles and state.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate

REPOS = "/etc/yum.repos.d"
MODULES = "/etc/dnf/modules.d"
DNF_CONF = "/etc/dnf/dnf.conf"
MODULE_KEYS = ("name", "stream", "profiles", "state")
_TRUE = ("1", "yes", "true", "on", "enabled", "always")


class IniError(ValueError):
    """The file is no ini file that dnf could read; the text names the line."""


@dataclass(frozen=True)
class Repo:
    """One enabled repository in a file of somebody else."""

    file: str
    name: str
    urls: tuple[str, ...]
    keys: tuple[str, ...]
    gpgcheck: bool


def render(header: str, name: str, fields: Mapping[str, str]) -> str:
    """One repository as dnf reads it. Empty fields are left out; ValueError for a value that spans lines."""
    lines = [f"# {header}", f"[{name}]"]
    for key, value in fields.items():
        if re.search(r"[\0-\x1f\x7f]", value):
            raise ValueError(f"{key} holds a line feed or another control character")
        if value:
            lines.append(f"{key}={value}")
    return "\n".join(lines) + "\n"


def read_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of an ini file: keys in lower case, a later value wins, as in dnf."""
    # Not the reader of _mirrors/ini.py, which edits and has to know where the lines of one section stand. They differ:
    # this one hands values of [DEFAULT] on, keeps empty lines within a value, and has keys in lower case.
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#", ";"))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise IniError(str(error).replace("\n", " ")) from error
    return {section: dict(parser.items(section)) for section in parser.sections()}


def enabled_repos(text: str, path: str, gpgcheck: bool, machine: str) -> Iterator[Repo]:
    """The enabled repositories of a file. gpgcheck: what holds where a repository does not say."""
    for name, values in read_ini(text).items():
        if not truth(values.get("enabled", "1")):
            continue
        yield Repo(
            path,
            name,
            tuple(same_url(url, machine) for url in words(values.get("baseurl", ""))),
            tuple(words(values.get("gpgkey", ""))),
            truth(values["gpgcheck"]) if "gpgcheck" in values else gpgcheck,
        )


def words(value: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", value) if word]


def truth(value: str) -> bool:
    return value.strip().lower() in _TRUE


def same_url(url: str, machine: str) -> str:
    """A form in which two spellings of one address are equal."""
    return re.sub(r"\$\{?basearch\}?", machine, url).rstrip("/").lower()


def conflicts(
    gate: FileGate, urls: Sequence[str], own_file: str, machine: str, trusted: Callable[[str], bool]
) -> list[str]:
    """Other enabled repositories with one of our addresses whose packages our key does not guard.

    trusted: says whether a gpgkey of theirs is our key. A repository without gpgkey takes keys that rpm knows already.
    """
    wanted = {same_url(url, machine) for url in urls}
    default = _main_gpgcheck(gate)
    found = []
    for path in _files(gate, own_file):
        try:
            repos = list(enabled_repos(_text(gate, path), path, default, machine))
        except IniError:
            continue  # dnf skips such a file, and says so
        for repo in repos:
            if not wanted & set(repo.urls):
                continue
            if not repo.gpgcheck:
                found.append(f"[{repo.name}] in {path} (gpgcheck is off)")
            elif not all(trusted(key) for key in repo.keys):
                found.append(f"[{repo.name}] in {path} (gpgkey {' '.join(repo.keys)})")
    return found


def _main_gpgcheck(gate: FileGate) -> bool:
    try:
        return truth(read_ini(_text(gate, DNF_CONF)).get("main", {}).get("gpgcheck", "0"))
    except IniError:
        return False


def _files(gate: FileGate, own_file: str) -> list[str]:
    folder = gate.real(REPOS)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [f"{REPOS}/{name}" for name in names if name.endswith(".repo")]
    return [path for path in paths if path != own_file]


def _text(gate: FileGate, path: str) -> str:
    return (gate.read(path) or b"").decode("utf-8", "replace")


def module_paths(gate: FileGate) -> list[str]:
    folder = gate.real(MODULES)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [f"{MODULES}/{name}" for name in names if name.endswith(".module")]


def module_state(text: str, module: str) -> dict[str, str]:
    """The keys of a module in its file; {} where it is not named."""
    return read_ini(text).get(module, {})


def with_stream(text: str, module: str, stream: str) -> str:
    """The file of a module with a stream enabled. Installed profiles and what else stands there are kept."""
    values = module_state(text, module)
    if values.get("stream") == stream and values.get("state") == "enabled":
        return text
    wanted = {**values, "name": module, "stream": stream, "state": "enabled"}
    wanted.setdefault("profiles", "")
    order = [*MODULE_KEYS, *(key for key in wanted if key not in MODULE_KEYS)]
    own = f"[{module}]\n" + "".join(f"{key}={wanted[key]}\n" for key in order)
    others = [(name, section) for name, section in read_ini(text).items() if name != module]
    rest = "".join(f"\n[{name}]\n" + "".join(f"{k}={v}\n" for k, v in section.items()) for name, section in others)
    return own + rest
