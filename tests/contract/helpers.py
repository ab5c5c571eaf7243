# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several contract tests look at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


class AnsibleYaml(yaml.SafeLoader):
    """Knows Ansible's tag for text that is never evaluated: to these tests it is as if it was not there."""


AnsibleYaml.add_constructor("!unsafe", lambda _loader, _node: "")


def load_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), AnsibleYaml)


class RoleFiles(NamedTuple):
    name: str
    path: Path

    def load(self, name: str) -> Any:
        return load_yaml(self.path / name)

    @property
    def main(self) -> dict[str, Any]:
        """The entry point `main` of the argument specification."""
        main: dict[str, Any] = self.load("meta/argument_specs.yml")["argument_specs"]["main"]
        return main

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        return self.main.get("options") or {}

    def files(self, *folders: str, suffixes: tuple[str, ...] = (".yml", ".j2")) -> Iterator[Path]:
        for folder in folders:
            yield from sorted(path for path in (self.path / folder).rglob("*") if path.suffix in suffixes)


def role_files(name: str) -> RoleFiles:
    return RoleFiles(name, ROOT / "roles" / name)


def tool(name: str) -> str:
    """A program of the virtual environment that runs this test."""
    return str(Path(sys.executable).parent / name)
