# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.diff import changes
from hypothesis import given
from hypothesis import strategies as st

Maker = Callable[..., dict[str, Any]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["bdf", "name", "a", "b"]), inner),
    max_leaves=12,
)


def test_readings_that_always_differ_are_left_out(snapshot: Maker) -> None:
    before, after = snapshot(), snapshot()
    after["collected_at"] = "2026-11-22T10:00:00Z"
    after["collector"]["total_ms"] = 99
    after["gpus"][0].update(temperature_c=80, power_draw_w=300.0, pstate="P0", idle=False, memory_used_mib=20000)
    after["storage"]["fs"][0]["free_mib"] -= 100
    assert changes(before, after) == []


def test_what_broke_it_is_named(snapshot: Maker) -> None:
    before, after = snapshot(), snapshot()
    after["driver"]["libraries"]["cuda"] = "595.71.05"
    after["packages"]["installed"]["nvidia-open"] = "595.71.05-1ubuntu1"
    del after["gpus"][0]
    found = {item["path"]: item for item in changes(before, after)}
    assert found["driver.libraries.cuda"] == {
        "path": "driver.libraries.cuda", "kind": "changed", "was": "580.159.03", "now": "595.71.05",
    }  # fmt: skip
    assert found["packages.installed.nvidia-open"]["kind"] == "changed"
    gone = [path for path in found if path.startswith("gpus[0000:01:00.0]")]
    assert gone and {found[path]["kind"] for path in gone} == {"removed"}
    # the GPU that stayed does not look changed although its place in the list did
    assert not any(path.startswith("gpus[0000:41:00.0]") for path in found)


@given(JSON)
def test_nothing_changed_in_the_same_snapshot(data: Any) -> None:
    assert changes({"x": data}, {"x": copy.deepcopy(data)}) == []


@given(JSON, JSON)
def test_every_change_is_a_difference(before: Any, after: Any) -> None:
    for item in changes({"x": before}, {"x": after}):
        assert item["kind"] in ("added", "removed") or item["was"] != item["now"]
