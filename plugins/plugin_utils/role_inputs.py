# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles of the collection take: their argument specifications and defaults, and the names that they share.

Read once: what is looked up before Ansible forks its workers is there in each of them (plugin_utils/warm.py).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SHARED_PREFIX = "gpuready_"
ROOT = Path(__file__).resolve().parents[2]  # of the collection


class Role(NamedTuple):
    name: str
    options: dict[str, Any]  # of the entry point main
    defaults: dict[str, Any]  # as written, untemplated


def roles(root: Path, loader: Any) -> dict[str, Role]:
    """The roles with inputs, by name; read-only. `loader`: Ansible's DataLoader, which keeps what it has read."""
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
    return Role(folder.name, specs["argument_specs"]["main"].get("options") or {}, defaults or {})


@cache
def shared(root: Path) -> frozenset[str]:
    """Names with the shared prefix that defaults of roles or playbooks read."""
    return _found(root, rf"\b{SHARED_PREFIX}\w+", "roles/*/defaults/main.yml", "playbooks/*.yml")


@cache
def given_out(root: Path) -> frozenset[str]:
    """What roles give out, such as docker_engine_repository: no inputs, and not misspelt."""
    return _found(root, r"^(\w+):", "roles/*/vars/main.yml")


def _found(root: Path, pattern: str, *globs: str) -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for glob in globs for path in root.glob(glob))
    return frozenset(name for text in texts for name in re.findall(pattern, text, re.MULTILINE))
