# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of config.toml; Python's own parser is the judge where it exists."""

from __future__ import annotations

import contextlib
import string
from typing import Any

import pytest
import tomllib
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import toml_lite
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
STRINGS = st.text(string.ascii_letters + string.digits + " #=[]{}@/.,:'", max_size=12)
TABLES = st.dictionaries(
    KEYS, st.dictionaries(KEYS, st.booleans() | st.integers(-9, 9) | STRINGS, max_size=4), max_size=4
)


def flat(tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {f"{table}.{key}": value for table, values in tables.items() for key, value in values.items()}


def write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(TABLES)
def test_values_are_read_back_as_tomllib_reads_them(tables: dict[str, dict[str, Any]]) -> None:
    text = "".join(
        f"[{table}]  # a table\n" + "".join(f"  {key} = {write(value)} # note\n" for key, value in values.items())
        for table, values in tables.items()
    )
    assert toml_lite.parse(text) == flat(tables) == flat(tomllib.loads(text))


@given(st.text())
def test_any_text_gives_values_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        toml_lite.parse(text)


def test_comments_arrays_and_dotted_tables() -> None:
    text = (
        '#mode = "x"\nruntimes = ["a", "b"] # c\n[nvidia-container-runtime.modes.cdi]\nspec-dirs = [\n'
        '  "/etc/cdi", # one\n  "/var/run/cdi"\n]\nkind = \'k#1\'\n["a b"]\nx = true\n'
    )
    values = toml_lite.parse(text)
    assert values["nvidia-container-runtime.modes.cdi.kind"] == "k#1"
    assert values["a b.x"] is True
    assert "mode" not in values


@pytest.mark.parametrize("text", ["mode", "a = 1\na = 2", 'a = "open', "[table", "{}"])
def test_nonsense_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"line \d"):
        toml_lite.parse(text)
