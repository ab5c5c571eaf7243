# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML subset: equal to PyYAML on what it accepts, an error on the rest."""

from __future__ import annotations

import contextlib
import re
import string
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import yaml_lite
from hypothesis import given
from hypothesis import strategies as st

PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "
SCALARS = st.none() | st.booleans() | st.integers() | st.text(PRINTABLE, max_size=12)
# PyYAML writes odd keys as "? key": outside our subset
ODD = re.compile(r"^[ -]*\? ", re.MULTILINE)
KEYS = st.text(PRINTABLE, min_size=1, max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


def dump(value: Any, indent: int = 2) -> str:
    return str(yaml.safe_dump(value, default_flow_style=False, width=10**6, indent=indent, sort_keys=False))


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_pyyaml_writes_is_read_back(value: dict[str, Any]) -> None:
    text = dump(value)
    if ODD.search(text):
        return
    assert yaml_lite.parse(text) == value


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_sequences_are_read_back(value: list[Any]) -> None:
    text = dump(value)
    if ODD.search(text):
        return
    assert yaml_lite.parse(text) == value


@given(st.text(st.sampled_from("ab:-#'\"[]{},&*!|> \n\t01.~"), max_size=40))
def test_no_guess(text: str) -> None:
    """What is accepted must mean what PyYAML says, unless PyYAML refuses it."""
    try:
        ours = yaml_lite.parse(text)
    except ValueError:
        return
    try:
        theirs = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return
    assert same(ours, theirs)


def same(ours: Any, theirs: Any) -> bool:
    """Compare with PyYAML's BaseLoader, for which every scalar is its text."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs if isinstance(ours, str) else not isinstance(theirs, (dict, list))


@given(st.text())
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        yaml_lite.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1",
        "a: *x",
        "a: !tag 1",
        "a: |\n  block",
        "a: 1\n---\nb: 2",
        "a: [1,\n  2]",
        "a: 'open",
        "a: 1\na: 2",
        "a:\n\tb: 1",
        "a: 1\n   b: 2",
        "- a\n - b",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line \d"):
        yaml_lite.parse(text)


def test_forms_of_nvidia_ctk_and_of_people() -> None:
    text = """---
# a comment
cdiVersion: 0.5.0
devices:
- name: "0"   # the first
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
      fileMode: 438
  annotations: {}
containerEdits:
    env: [A=b, 'C=d, e', "f"]
    mounts:
      -   hostPath: /a
          options: []
      -
        hostPath: /b#c
    map: {x: 1, "y": 'z: w'}
"""
    assert yaml_lite.parse(text) == {
        "cdiVersion": "0.5.0",
        "devices": [
            {
                "name": "0",
                "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "fileMode": 438}]},
                "annotations": {},
            }
        ],
        "containerEdits": {
            "env": ["A=b", "C=d, e", "f"],
            "mounts": [{"hostPath": "/a", "options": []}, {"hostPath": "/b#c"}],
            "map": {"x": 1, "y": "z: w"},
        },
    }
    assert yaml_lite.parse(text) == yaml.safe_load(text)


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(ValueError, match="deep"):
        yaml_lite.parse("- " * 5000 + "a")
    with pytest.raises(ValueError):
        yaml_lite.parse("a: " + "[" * 5000 + "]" * 5000)
