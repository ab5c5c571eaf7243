# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.filter.needed_repositories import needed_repositories
from hypothesis import given
from hypothesis import strategies as st

REPOSITORY = {
    "name": "Docker",
    "variable": "docker_engine_repo_url",
    "url": "http://x/$(ARCH)/InRelease",
    "packages": ["a", "b"],
}


def test_a_missing_package_needs_its_repository() -> None:
    assert needed_repositories([REPOSITORY], {"a": "1"}, "x86_64") == [
        {"name": "Docker (docker_engine_repo_url)", "url": "http://x/amd64/InRelease"}
    ]


def test_a_second_run_needs_none() -> None:
    assert needed_repositories([REPOSITORY], {"a": "1", "b": "2"}, "x86_64") == []


def test_an_unused_repository_is_passed_over() -> None:
    assert needed_repositories([{**REPOSITORY, "url": ""}], {}, "x86_64") == []


def test_an_address_that_will_be_replaced_is_asked_later() -> None:
    for later, asked in (
        (["http://x"], 0),
        (["http://x/"], 0),
        (["http://y", "http://x/$(ARCH)"], 0),
        (["http://x/$"], 1),
    ):
        assert len(needed_repositories([REPOSITORY], {}, "x86_64", later)) == asked, later


@given(st.dictionaries(st.sampled_from("abc"), st.text()), st.text(max_size=8))
def test_needed_exactly_when_a_package_is_missing(installed: dict[str, str], machine: str) -> None:
    assert bool(needed_repositories([REPOSITORY], installed, machine)) == (not {"a", "b"} <= installed.keys())
