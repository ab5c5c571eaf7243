# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles of the collection take: their argument specifications and defaults, and the names that they share.

Read once: what is looked up before Ansible forks its workers is there in each of them (plugin_utils/warm.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SHARED_PREFIX = "gpuready_"
# What an inventory says of a rented machine (the inventory plugin ssh_commands does); no role takes it for an input
PLATFORM, PROVIDER = "gpuready_platform", "gpuready_provider"
ROOT = Path(__file__).resolve().parents[2]  # of the collection
# In the error of the lookup `file`, which may stand in that of another one
UNREADABLE = re.compile(r"Unable to access the file '([^']*)'")


class Role(NamedTuple):
    name: str
    options: dict[str, Any]  # of the entry point main
    defaults: dict[str, Any]  # as written, untemplated
    reads: dict[str, frozenset[str] | None]  # the names that a default may depend on, None where that cannot be told


@cache
def roles(root: Path, loader: Any) -> dict[str, Role]:
    """The roles with inputs, by name; read-only. `loader`: Ansible's DataLoader."""
    return {
        path.parent.parent.name: _role(path.parent.parent, loader)
        for path in sorted(root.glob("roles/*/meta/argument_specs.yml"))
    }


def _role(folder: Path, loader: Any) -> Role:
    # unsafe: without it the loader copies all of it each time, which takes longer than to read it
    specs = loader.load_from_file(str(folder / "meta" / "argument_specs.yml"), unsafe=True)
    path = folder / "defaults" / "main.yml"
    there = path.exists()
    defaults = loader.load_from_file(str(path), unsafe=True, trusted_as_template=True) if there else None
    return Role(
        folder.name, specs["argument_specs"]["main"].get("options") or {}, defaults or {}, reads(defaults or {})
    )


def without_image(active: Any, image: Any) -> str:
    """What is wrong with the active checks of the role readiness: nothing is pulled, so that one has to be named."""
    if not isinstance(active, (str, list, tuple)) or "smoke" not in active or image:
        return ""
    return "the check smoke is asked for (readiness_active_checks) without an image; name one that is on the host"


def reads(defaults: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
    """All words of a default, and of the role's other defaults that it names: more than its variables, never fewer.

    None where a lookup reads what no word of it tells.
    """
    words = {name: frozenset(re.findall(r"[A-Za-z_]\w*", str(raw))) for name, raw in defaults.items()}
    found: dict[str, frozenset[str] | None] = {}
    for name in words:
        reached = {name}
        while more := {word for one in reached for word in words[one] if word in words} - reached:
            reached |= more
        there = frozenset(word for one in reached for word in words[one])
        found[name] = None if there & {"lookup", "query", "q"} else there
    return found


def touched(role: Role, variables: Mapping[str, Any]) -> set[str]:
    """The inputs that these variables give, or that a default may take from them; others are as the role has them."""
    given = {name for name in variables if name not in role.defaults or variables[name] != role.defaults[name]}
    return {
        name
        for name in role.options
        if name in given or name not in role.defaults or (depends := role.reads[name]) is None or depends & given
    }


@cache
def shared(root: Path) -> frozenset[str]:
    """Names with the shared prefix that defaults of roles or playbooks read."""
    return _found(root, rf"\b{SHARED_PREFIX}\w+", "roles/*/defaults/main.yml", "playbooks/*.yml")


@cache
def of_playbooks(root: Path) -> dict[str, frozenset[str]]:
    """The inputs of playbooks, by prefix: names that begin like a playbook which is no role, such as plan_torch."""
    stems = {path.stem for path in root.glob("playbooks/*.yml")} - {path.name for path in root.glob("roles/*")}
    found = {stem: _found(root, rf"(?<![\w.]){stem}_\w+", "playbooks/*.yml", "playbooks/tasks/*.yml") for stem in stems}
    return {stem: names for stem, names in found.items() if names}


@cache
def given_out(root: Path) -> frozenset[str]:
    """What roles give out, such as docker_engine_repository or readiness_result: no inputs, and not misspelt."""
    registered = _found(root, r"^ +register: (\w+)", "roles/*/tasks/*.yml")
    return _found(root, r"^(\w+):", "roles/*/vars/main.yml") | registered


def unreadable_file(error: str) -> str:
    """What to do about the file that a value is read from and that cannot be read; empty for any other error."""
    found = UNREADABLE.search(error)
    if not found:
        return ""
    key = found[1].endswith(".pub")
    thing, cure = ("public key", "make it with ssh-keygen -t ed25519") if key else ("file", "make it")
    return f"the {thing} {found[1]} cannot be read on the machine that runs Ansible; {cure}, or name another file"


def _found(root: Path, pattern: str, *globs: str) -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for glob in globs for path in root.glob(glob))
    return frozenset(name for text in texts for name in re.findall(pattern, text, re.MULTILINE))
