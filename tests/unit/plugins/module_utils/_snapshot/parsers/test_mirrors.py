# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remembered mirrors: what is no such document is refused, and nothing else comes out than its schema holds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import mirrors
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = json.loads((Path(__file__).resolve().parents[6] / "docs/snapshot.schema.json").read_text())["properties"][
    "mirrors"
]
GOOD: dict[str, Any] = {
    "schema": "gpuready.mirrors/1",
    "measured_at": 1_800_000_000,
    "expires_at": 1_800_600_000,
    "key": "abc",
    "services": {
        "pypi": {
            "site": "a",
            "urls": ["https://a.example.org/simple"],
            "score": 1000,
            "measured": [
                {
                    "site": "a",
                    "url": "https://a.example.org/simple",
                    "state": "ok",
                    "reason": "",
                    "seconds": 0.1,
                    "rate": 1000,
                    "date": None,
                }
            ],
        },
        "npm": {"site": None, "urls": [], "score": 0, "measured": []},
    },
}


def test_a_good_one_comes_back_and_obeys_the_schema() -> None:
    assert mirrors.parse(json.dumps(GOOD)) == GOOD
    jsonschema.validate(GOOD, SCHEMA)
    jsonschema.validate(None, SCHEMA)
    assert SCHEMA["properties"]["services"]["additionalProperties"]["properties"]["measured"]["items"]["properties"][
        "state"
    ]["enum"] == list(mirrors.STATES)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", "[" * 100_000, '{"schema":"gpuready.mirrors/2"}', "\x00", "NaN"]
)
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(ValueError):
        mirrors.parse(text)


DAMAGES: list[tuple[list[Any], Any]] = [
    (["measured_at"], "now"),
    (["measured_at"], -1),
    (["measured_at"], True),
    (["expires_at"], None),
    (["expires_at"], 1e300),
    (["key"], 5),
    (["services"], []),
    (["services", "pypi"], []),
    (["services", "pypi", "site"], 1),
    (["services", "pypi", "urls"], "x"),
    (["services", "pypi", "urls"], ["not an address"]),
    (["services", "pypi", "urls"], ["https://a.example.org/\n[evil]"]),
    (["services", "pypi", "urls"], [5]),
    (["services", "pypi", "score"], "fast"),
    (["services", "pypi", "measured"], {}),
    (["services", "pypi", "measured", 0], "x"),
    (["services", "pypi", "measured", 0, "state"], "fine"),
    (["services", "pypi", "measured", 0, "rate"], None),
    (["services", "pypi", "measured", 0, "date"], "x"),
]


@pytest.mark.parametrize(("path", "value"), DAMAGES)
def test_damage_is_seen(path: list[Any], value: Any) -> None:
    data = copy.deepcopy(GOOD)
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError):
        mirrors.parse(json.dumps(data))


def test_strange_keys_and_credentials_do_not_come_through() -> None:
    data = copy.deepcopy(GOOD)
    data["extra"] = data["services"]["pypi"]["extra"] = "x"
    data["services"]["pypi"]["urls"] = ["https://u:secret@a.example.org/simple"]
    data["services"]["pypi"]["measured"][0]["reason"] = "see https://u:secret@a.example.org " + "x" * 500
    found = mirrors.parse(json.dumps(data))
    assert "extra" not in json.dumps(found) and "secret" not in json.dumps(found)
    assert len(found["services"]["pypi"]["measured"][0]["reason"]) == 200


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["urls", "site", "measured", "score", "a"]), v),
)


@given(st.fixed_dictionaries({}, optional={key: trees | st.just(value) for key, value in GOOD.items()}))
def test_whatever_is_parsed_obeys_the_schema(data: dict[str, Any]) -> None:
    try:
        found = mirrors.parse(json.dumps(data))
    except ValueError:
        return
    jsonschema.validate(json.loads(json.dumps(found)), SCHEMA)
