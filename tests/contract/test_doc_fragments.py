# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several plugins document alike stands once, in a doc fragment that all of them extend."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import ROOT

PLUGINS = ROOT / "plugins"
PREFIX = "gpuready.bootstrap."


def texts(path: Path) -> dict[str, str]:
    """The texts that a plugin, or the class of a fragment, binds to a name."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found[ast.unparse(node.targets[0])] = node.value.value
    return found


def fragments() -> dict[str, dict[str, Any]]:
    """Name that plugins extend -> what it holds."""
    held = {}
    for path in sorted((PLUGINS / "doc_fragments").glob("*.py")):
        for variant, text in texts(path).items():
            name = path.stem if variant == "DOCUMENTATION" else f"{path.stem}.{variant.lower()}"
            held[PREFIX + name] = yaml.safe_load(text)
    return held


FRAGMENTS = fragments()
DOCUMENTED = {
    str(path.relative_to(PLUGINS)): yaml.safe_load(texts(path)["DOCUMENTATION"])
    for path in sorted(PLUGINS.glob("*/*.py"))
    if "DOCUMENTATION" in texts(path) and path.parent.name != "doc_fragments"
}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_is_shared(name: str) -> None:
    users = [plugin for plugin, held in DOCUMENTED.items() if name in held.get("extends_documentation_fragment", [])]
    assert len(users) > 1, f"{name} is extended by {users}: what one plugin has stands in the plugin"


@pytest.mark.parametrize("plugin", DOCUMENTED)
def test_a_plugin_repeats_no_fragment(plugin: str) -> None:
    repeated = [
        f"{section}.{key} stands in {name}"
        for name, held in FRAGMENTS.items()
        for section in ("options", "attributes")
        for key, shared in held.get(section, {}).items()
        if (DOCUMENTED[plugin].get(section) or {}).get(key, {}).get("description") == shared["description"]
    ]
    assert repeated == []


def test_no_two_fragments_hold_the_same() -> None:
    held = [
        (section, key, str(entry["description"]))
        for fragment in FRAGMENTS.values()
        for section in ("options", "attributes")
        for key, entry in fragment.get(section, {}).items()
    ]
    assert len(held) == len(set(held))
