# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of all variables dev_* into docs/dev-environment.md, from plugins/plugin_utils/data/dev_spec.yml.

The text around the two marks is written by hand. `--check` changes nothing and exits 1 if the table is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import generated

SCHEMA = ROOT / "plugins" / "plugin_utils" / "data" / "dev_spec.yml"
TARGET = ROOT / "docs" / "dev-environment.md"
BEGIN = "<!-- begin: made by tools/dev_reference.py from plugins/plugin_utils/data/dev_spec.yml -->"
END = "<!-- end: made by tools/dev_reference.py -->"
TABLE = ["| Variable | Type | Default | What it does |", "| --- | --- | --- | --- |"]
# a default of more characters is shown by its beginning
SHOWN = 60


def plain(text: str) -> str:
    """Ansible's semantic markup as Markdown, in a cell of a table."""
    marked = re.sub(r"\b[A-Z]\(((?:\\.|[^\\)])*)\)", r"`\1`", " ".join(text.split()))
    return marked.replace("\\)", ")").replace("|", "\\|")


def kind(option: Mapping[str, Any]) -> str:
    """The type of an option with that of its items."""
    if option["type"] == "list":
        return f"list of {option.get('elements', 'str')}"
    if "values" in option:
        return f"dict of {option['values']['type']}"
    return str(option["type"])


def default(option: Mapping[str, Any]) -> str:
    """The default of an option; that of a mapping with known keys is the defaults of these."""
    if option.get("required"):
        return "(needed)"
    if option["type"] == "dict" and option.get("options") and not option.get("sparse"):
        return ""
    if option.get("elements") == "dict" and option["default"]:
        return ", ".join(f"`{next(iter(item.values()))}`" for item in option["default"])
    text = yaml.safe_dump(option["default"], default_flow_style=True, width=1000).replace("\n...\n", "").strip()
    if len(text) > SHOWN and isinstance(option["default"], str):
        text = f"{text[:12]}…"
    return f"`{text}`"


def rows(prefix: str, options: Mapping[str, Any]) -> Iterator[str]:
    """A row for each option, and for those inside it."""
    for name, option in options.items():
        named = [str(choice) for choice in option.get("choices", []) if choice != ""]
        choices = f" One of {', '.join(f'`{choice}`' for choice in named)}." if named else ""
        secret = " A secret: never printed." if option.get("no_log") else ""
        what = f"{plain(option['description'])}{choices}{secret}"
        yield f"| `{prefix}{name}` | {kind(option)} | {default(option)} | {what} |"
        inner, parts = option.get("values", option), f"{prefix}{name}"
        if inner.get("options"):
            place = "[]" if option["type"] == "list" else ".NAME" if "values" in option else ""
            yield from rows(f"{parts}{place}.", inner["options"])


def table() -> str:
    """The whole table."""
    options = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["options"]
    return "\n".join([*TABLE, *rows("dev_", options)])


def document(text: str) -> str:
    """The document with the table of today in it. Raises where a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{TARGET.relative_to(ROOT)}: the marks of the table are missing: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    return generated.keep(lambda: {TARGET: document(TARGET.read_text(encoding="utf-8"))}, ROOT, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
