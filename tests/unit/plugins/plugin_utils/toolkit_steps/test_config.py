# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toolkit_keys
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import config
from hypothesis import given
from hypothesis import strategies as st

MODE, CGROUPS = "nvidia-container-runtime.mode", "nvidia-container-cli.no-cgroups"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nvidia-container-runtime.mood": "auto"}, ["mood is no key", "Did you mean nvidia-container-runtime.mode?"]),
        ({"zzz": 1}, ["zzz is no key", "docs/toolkit.md"]),
        ({CGROUPS: "maybe"}, [CGROUPS, "true or false", "'maybe' (str)"]),
        ({CGROUPS: 0}, [CGROUPS, "0 (int)"]),
        ({MODE: "bogus"}, [MODE, "auto, legacy, csv, cdi, jit-cdi", "'bogus'"]),
        ({MODE: True}, ["a text", "True (bool)"]),
        ({"nvidia-container-runtime.runtimes": "runc"}, ["a list of texts", "'runc' (str)"]),
        ({"nvidia-container-runtime.runtimes": ["runc", 1]}, ["a list of texts"]),
    ],
)
def test_a_refusal_names_key_value_and_type(settings: dict[str, Any], words: list[str]) -> None:
    found = config.refusal({"disable-require": False, **settings})
    assert found is not None and found.into("zh").startswith("nvidia_container_toolkit_config：")
    assert found.into("zh").endswith(("。", "？"))
    said = str(found)
    assert said.startswith("nvidia_container_toolkit_config: ")
    assert [word for word in words if word not in said] == []


def test_good_values() -> None:
    assert config.refusal({MODE: "jit-cdi", CGROUPS: "False", "disable-require": None}) is None
    assert config.refusal({"accept-nvidia-visible-devices-envvar-when-unprivileged": False}) is None


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.lists(st.text(max_size=2), max_size=2)
)


@given(
    st.sampled_from(sorted(_toolkit_keys.KNOWN)), st.one_of(VALUES, st.sampled_from(["auto", "hook", "info", "true"]))
)
def test_controller_and_target_refuse_the_same(key: str, value: Any) -> None:
    try:
        _toolkit_keys.checked(key, value, False)
        refused = False
    except _toolkit_keys.KeyRefusedError:
        refused = True
    assert bool(config.refusal({key: value})) == refused or str(value).lower() in ("true", "false")


def files(stamp: str | None = None, as_written: bool = False) -> dict[str, Any]:
    return {config.PATH: {"stamp": stamp, "as_written": as_written}}


def test_when_the_file_is_right() -> None:
    wish = {MODE: "cdi", CGROUPS: "False"}
    assert config.right({}, "", {}, None) and config.right({}, "", files(), {})
    assert not config.right({}, "", files("a"), {}), "keys that are not wished any more are given back"
    assert config.right(wish, "a", files("a", True), None)
    assert not config.right(wish, "a", files("a"), None)
    values = {MODE: "cdi", CGROUPS: False, "disable-require": True}
    assert config.right(wish, "a", files("a"), values) and config.right(wish, "a", files(), values)
    assert not config.right(wish, "a", files("b"), values)
    assert not config.right(wish, "a", files("a"), {**values, MODE: "auto"})
    assert not config.right(wish, "a", {}, None)
