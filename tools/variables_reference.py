# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/variables.md: every input of the collection.

The inputs of a role are those of its argument specification. A variable `gpuready_x` that defaults of roles read is
told in the words of these inputs. What only playbooks read is told in tools/variables.yml. `--check` changes nothing
and exits 1 if the file is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import generated, role_readmes

TARGET = ROOT / "docs" / "variables.md"
TOLD = ROOT / "tools" / "variables.yml"
HEAD = """# All variables

<!-- made by tools/variables_reference.py; do not edit -->

Set them in the inventory (`group_vars/all.yml`, a group's or a host's file), or for one run with `-e`. Misspelt names
are refused before a host is touched, and so are values of the wrong type of what the roles of a playbook read. A
boolean for one run: `-e name=true`; lists and mappings as JSON: `-e '{"name": ["a"]}'`.

Variables of your own get other beginnings than `gpuready_`, `dev_` and the names of the roles: with these, every name
that is no input counts as misspelt. With `plan_`, `export_env_`, `import_env_` and `upgrade_driver_`, only a name that
is all but the same as an input does.

The environment in which people work, the variables `dev_*`, has [a page of its own](dev-environment.md#all-variables).
"""
# Playbooks with inputs of their own, which bear the playbook's name
OWN = ("upgrade_driver", "export_env", "import_env", "rollback", "heal_gpu", "ansible_pull")
SHARED = ("gpuready", "plan")


def specification(role: Path) -> dict[str, Any]:
    """The options of a role's main entry point."""
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    options: dict[str, Any] = yaml.safe_load(text)["argument_specs"]["main"].get("options") or {}
    return options


def roles() -> list[Path]:
    return sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))


def role_inputs() -> dict[str, str]:
    """What each input of each role does."""
    return {
        name: role_readmes.plain(option["description"])
        for role in roles()
        for name, option in specification(role).items()
    }


def behind() -> dict[str, list[str]]:
    """gpuready_x -> the inputs of roles whose defaults read it."""
    found: dict[str, list[str]] = {}
    for role in roles():
        defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
        for name, value in defaults.items():
            for shared in re.findall(r"\bgpuready_[a-z_]+", str(value)):
                found.setdefault(shared, []).append(name)
    return found


def read_by_playbooks() -> set[str]:
    """Variables for users that playbooks name, or inventory plugins. A name that begins with __ is private."""
    found: set[str] = set()
    for path in [*sorted((ROOT / "playbooks").glob("*.yml")), *sorted((ROOT / "plugins" / "inventory").glob("*.py"))]:
        prefixes = "|".join((*SHARED, *(name for name in OWN if name == path.stem)))
        found.update(re.findall(rf"(?<![\w.])(?:{prefixes})_[a-z_]+\b", path.read_text(encoding="utf-8")))
    # modules, filters and playbooks that have such a name
    things = {path.stem for folder in ("modules", "filter") for path in (ROOT / "plugins" / folder).glob("*.py")}
    return found - things - {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - set(role_inputs())


def _of_its_own(text: str, name: str) -> str:
    """Without the sentence in which the input of a role says that this variable is its default."""
    return re.sub(rf"\s*(?:Defaults to|By default) `{name}`[^.]*\.", "", text)


def shared_rows() -> dict[str, str]:
    """What each variable of the whole collection, or of a playbook, does."""
    inputs, readers = role_inputs(), behind()
    told = yaml.safe_load(TOLD.read_text(encoding="utf-8"))
    rows: dict[str, str] = {}
    for name in sorted({*readers, *read_by_playbooks()}):
        users = sorted(set(readers.get(name, [])))
        # gpuready_mirror_x is what the role mirrors is about, whoever else reads it
        first = next((user for user in users if user.startswith("mirrors_")), users[0] if users else "")
        words = told.get(name) or _of_its_own(inputs.get(first, ""), name)
        default_of = f" Default of {', '.join(f'`{user}`' for user in users)}." if users else ""
        rows[name] = f"{words}{default_of}"
    return rows


def known() -> set[str]:
    """Every variable that users may set, but for dev_*."""
    return {*role_inputs(), *shared_rows()}


def _table(rows: Mapping[str, str]) -> str:
    lines = ["| Variable | What it does |", "| --- | --- |", *(f"| `{name}` | {what} |" for name, what in rows.items())]
    return "\n".join(lines)


def reference() -> str:
    """The whole document."""
    rows = shared_rows()
    whole = {name: what for name, what in rows.items() if name.startswith("gpuready_")}
    parts = [HEAD, "## The whole collection\n", _table(whole) + "\n"]
    parts.append("## Plan\n\nWishes of the plan ([how it chooses](plan.md)).\n")
    parts.append(_table({name: what for name, what in rows.items() if name.startswith("plan_")}) + "\n")
    for playbook in OWN:
        own = {name: what for name, what in rows.items() if name.startswith(f"{playbook}_")}
        if own:
            parts.append(f"## Playbook {playbook}.yml\n\n{_table(own)}\n")
    for role in roles():
        about = f"[What the role does](../roles/{role.name}/README.md)."
        parts.append(f"## Role {role.name}\n\n{about}\n\n{role_readmes.table(role)}\n")
    return "\n".join(parts)


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    return generated.keep(lambda: {TARGET: reference()}, ROOT, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
