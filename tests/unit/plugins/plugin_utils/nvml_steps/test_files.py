# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note of choices and the udev rule: what is written, and that a machine where they are right is known."""

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import files
from hypothesis import given
from hypothesis import strategies as st
from nvml_machines import machine, with_choices

SUBSETS = [set(some) for size in range(4) for some in itertools.combinations(sorted(files.CHOICES), size)]


@pytest.mark.parametrize("choices", SUBSETS, ids=lambda some: "+".join(sorted(some)) or "none")
def test_what_is_noted_is_read_again(choices: set[str]) -> None:
    facts = with_choices(machine(), *choices)["files"]
    assert files.noted(facts) == choices
    for asked in SUBSETS:
        assert files.all_right(asked, facts) is (asked == choices)


@pytest.mark.parametrize("choices", SUBSETS, ids=lambda some: "+".join(sorted(some)) or "none")
def test_the_rule_stands_only_where_links_are_made(choices: set[str]) -> None:
    paths = [file["path"] for file in files.wanted(choices)]
    assert (files.UDEV in paths) is ("links" in choices)
    # the stamp is kept with the first file
    assert paths[:1] == ([files.NOTE] if choices else [])


def test_a_hand_edit_of_the_rule_is_noticed() -> None:
    facts = with_choices(machine(), "links")["files"]
    facts[files.UDEV]["sha256"] = "0" * 64
    assert not files.all_right({"links"}, facts)
    del facts[files.UDEV]
    assert not files.all_right({"links"}, facts)


def test_the_rule_waits_for_the_driver_and_needs_no_toolkit() -> None:
    (rule,) = [file["content"] for file in files.wanted({"links"}) if file["path"] == files.UDEV]
    (line,) = [line for line in rule.splitlines() if not line.startswith("#")]
    keys = dict(re.findall(r'(\w+)(?:==|\+=)"([^"]*)"', line))
    assert keys["ACTION"] == "add" and keys["DEVPATH"] == "/bus/pci/drivers/nvidia"
    assert keys["RUN"].split()[0] == keys["TEST"] == "/usr/bin/nvidia-ctk"
    assert keys["RUN"].endswith("create-dev-char-symlinks --create-all")


@given(st.dictionaries(st.just(files.NOTE), st.dictionaries(st.just("stamp"), st.none() | st.text() | st.integers())))
def test_any_note_can_be_read(facts: dict[str, dict[str, object]]) -> None:
    assert files.noted(facts) <= set(files.CHOICES)
