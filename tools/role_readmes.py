# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the variable table of every role's README from its meta/argument_specs.yml and defaults/main.yml.

The text above the marker is written by people and kept. `--check` changes nothing and exits 1 if a table is stale.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import generated

MARKER = "<!-- below: made by tools/role_readmes.py from meta/argument_specs.yml -->"


def plain(text: str | list[str]) -> str:
    """Ansible's semantic markup as plain Markdown."""
    joined = " ".join(text) if isinstance(text, list) else text
    return re.sub(r"\b[A-Z]\(((?:\\.|[^\\)])*)\)", r"`\1`", joined).replace("\\)", ")").replace("|", "\\|")


def default(value: Any) -> str:
    """A default as a table cell; an expression is shown as what it is."""
    if isinstance(value, str) and "{{" in value:
        return "(computed)"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).replace("\n...\n", "").strip()
    return f"`{text}`"


def table(role: Path) -> str:
    """The variable table of a role."""
    spec = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    rows = ["| Variable | Type | Default | What it does |", "| --- | --- | --- | --- |"]
    for name, option in spec["options"].items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
        rows.append(f"| `{name}` | {kind} | {default(defaults.get(name))} | {plain(option['description'])}{choices} |")
    return "\n".join(rows)


def readme(role: Path) -> str:
    """The whole README of a role."""
    path = role / "README.md"
    head = path.read_text(encoding="utf-8").split(MARKER)[0].rstrip() if path.exists() else f"# {role.name}"
    return f"{head}\n\n{MARKER}\n\n{table(role)}\n"


def roles() -> list[Path]:
    """Folders of the roles that have inputs."""
    return sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    return generated.keep(lambda: {role / "README.md": readme(role) for role in roles()}, ROOT, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
