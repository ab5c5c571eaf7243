# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import mirror_list
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.mirror_list import OFFICIAL
from hypothesis import given
from hypothesis import strategies as st

A, B, OWN = "https://a.example.org/debian", "https://b.example.org/debian", "https://archive.example.org/debian"


def wish(*uris: str, failover: bool = True) -> dict[str, Any]:
    return {"uris": list(uris), "failover": failover}


def test_our_own_list() -> None:
    assert mirror_list.render([A, OWN], "ours") == f"# ours\n{A}\tpriority:1\n{OWN}\tpriority:2\n"


def test_one_address_takes_the_place_and_the_fields_of_the_first() -> None:
    text = f"# image\n{OWN}\tpriority:2 arch:amd64\n\n{B}\n# end"
    assert mirror_list.update(text, wish(A, failover=False)) == f"# image\n{A}\tpriority:2 arch:amd64\n\n# end"
    assert mirror_list.update(f"{OWN}", wish(A, failover=False)) == f"{A}\n"
    assert mirror_list.update(text, wish(OFFICIAL, failover=False)) == text
    assert mirror_list.update("", wish(A, failover=False)) == f"{A}\n"


def test_failover_keeps_what_the_list_had_behind_ours_or_where_it_is_wished() -> None:
    text = f"{OWN}\tarch:amd64\n"
    assert mirror_list.update(text, wish(A, B)) == (
        f"{A}\tpriority:1 arch:amd64\n{B}\tpriority:2 arch:amd64\n{OWN}\tpriority:3 arch:amd64\n"
    )
    assert mirror_list.update(text, wish(OFFICIAL, A)) == f"{OWN}\tpriority:1 arch:amd64\n{A}\tpriority:2 arch:amd64\n"
    assert mirror_list.update(text, wish(A, OFFICIAL, B)) == (
        f"{A}\tpriority:1 arch:amd64\n{OWN}\tpriority:2 arch:amd64\n{B}\tpriority:3 arch:amd64\n"
    )
    # an address that the list has already stands for its own place
    assert mirror_list.update(text, wish(OWN + "/", A)) == mirror_list.update(text, wish(OFFICIAL, A))


def test_priorities_of_the_list_stay_in_their_order() -> None:
    text = f"{B}\tpriority:7\n{OWN}\tpriority:2\nhttps://c.example.org/debian\n"
    lines = mirror_list.parse(mirror_list.update(text, wish(A)))
    order = [line.uri for line in sorted(lines, key=lambda line: line.priority or 0)]
    assert order == [A, OWN, B, "https://c.example.org/debian"]


def test_undo() -> None:
    text = f"# image\n{OWN}\tarch:amd64\n"
    there = mirror_list.update(text, wish(A, B))
    assert mirror_list.undo(there, wish(A, B), text) == text
    mine = "https://mine.example.org/debian\tpriority:9\n"
    assert mirror_list.undo(there + mine, wish(A, B), text) == text + mine
    single = mirror_list.update(text, wish(A, failover=False))
    assert mirror_list.undo(single + "# by hand\n", wish(A, failover=False), text) == (
        f"# image\n# by hand\n{OWN}\tarch:amd64\n"
    )


def test_a_line_that_is_no_address_is_named() -> None:
    with pytest.raises(mirror_list.MirrorListError, match="line 2"):
        mirror_list.update("# image\nnonsense\n", wish(A))


LINE = st.sampled_from([OWN, B, "# comment", "", f"{OWN}\tpriority:1", f"{B}\tpriority:3 arch:all", " " + OWN])


@given(st.lists(LINE, max_size=5), st.lists(st.sampled_from([A, B, OFFICIAL]), min_size=1, unique=True), st.booleans())
def test_any_list_twice_is_once_and_all_wished_are_in_it(lines: list[str], uris: list[str], failover: bool) -> None:
    text = "\n".join(lines)
    once = mirror_list.update(text, wish(*uris, failover=failover))
    assert mirror_list.update(once, wish(*uris, failover=failover)) == once
    wanted = [uri for uri in (uris if failover else uris[:1]) if uri != OFFICIAL]
    found = mirror_list.addresses(once)
    assert set(wanted) <= set(found)
    if failover:
        assert set(mirror_list.addresses(text)) <= set(found)
    assert [line for line in lines if line.startswith("#")] == [one for one in once.splitlines() if one.startswith("#")]
