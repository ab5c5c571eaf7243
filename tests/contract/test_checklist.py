# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/checklist.md: each item of the source documents once, with a variable and a test that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from helpers import ROLES, ROOT, load_yaml, role_files

PAGE = ROOT / "docs" / "checklist.md"
HEAD = ["id", "item", "variable", "test path"]
# groups of items in the documents, and how many each has
ITEMS = {"H": 13, "I": 13, "P": 23, "A": 14, "C": 8}


class Row(NamedTuple):
    id: str
    item: str
    variables: list[str]
    tests: list[str]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows(text: str) -> list[Row]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert cells(lines[0]) == HEAD
    found = [cells(line) for line in lines[2:]]
    assert all(len(one) == len(HEAD) for one in found)
    return [Row(one[0], one[1], re.findall("`([^`]+)`", one[2]), re.findall("`([^`]+)`", one[3])) for one in found]


ROWS = rows(PAGE.read_text(encoding="utf-8"))
TESTS = sorted({test for row in ROWS for test in row.tests})


def options(prefix: str, found: dict[str, Any]) -> Iterator[str]:
    """Names of options, with those inside them: a.b"""
    for name, option in found.items():
        yield f"{prefix}{name}"
        inner = option.get("options") or option.get("values", {}).get("options") or {}
        yield from options(f"{prefix}{name}.", inner)


@pytest.fixture(scope="module")
def variables() -> set[str]:
    schema = load_yaml(ROOT / "plugins" / "plugin_utils" / "data" / "dev_spec.yml")["options"]
    return {*options("dev_", schema), *(name for role in ROLES for name in options("", role_files(role).options))}


def test_each_item_stands_there_once_and_in_order() -> None:
    assert [row.id for row in ROWS] == [
        f"{group}{number + 1}" for group, count in ITEMS.items() for number in range(count)
    ]
    assert len(ROWS) == 71


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_names_what_there_is(row: Row, variables: set[str]) -> None:
    assert len(row.item.split()) >= 2 or row.item.startswith("group")
    assert row.variables and row.tests
    assert not set(row.variables) - variables


@pytest.mark.parametrize("test", TESTS)
def test_a_test_of_the_table_is_one(test: str) -> None:
    path, colons, name = test.partition("::")
    assert colons, "a path alone says nothing: name the test"
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name.startswith("test_") and name in found
    # it is run: a skipped one shows nothing
    marks = [ast.unparse(mark) for mark in found[name].decorator_list]
    assert not [mark for mark in marks if re.match(r"pytest\.mark\.(skip|xfail)\b", mark)]


@pytest.mark.parametrize("page", ["dev-environment.md", "architecture.md"])
def test_it_is_linked(page: str) -> None:
    assert "checklist.md" in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_a_wrong_table_is_noticed() -> None:
    text = "| id | item | variable | test path |\n| --- | --- | --- | --- |\n| H1 | x | `dev_env` | `a::b` |\n"
    assert rows(text) == [Row("H1", "x", ["dev_env"], ["a::b"])]
    with pytest.raises(AssertionError):
        rows(text.replace("test path", "tests"))
    with pytest.raises(AssertionError):
        rows(text + "| H2 | x |\n")
