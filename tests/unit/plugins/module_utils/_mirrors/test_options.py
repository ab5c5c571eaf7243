# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.options import (
    SPEC,
    addresses,
    check,
    options_of,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import MirrorError

URL = "https://near.example.org/x"
EMPTY: dict[str, Any] = {"state": "present", "proxy": {}, "ca_bundle": ""}


def leaves(spec: dict[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for key, one in spec.items():
        whole = f"{name}.{key}" if name else key
        found += leaves(one["options"], whole) if "options" in one else [(whole, one)]
    return found


def nested(name: str, value: Any) -> dict[str, Any]:
    first, dot, rest = name.partition(".")
    return {first: nested(rest, value) if dot else value}


ADDRESSES = {name: one for name, one in leaves(SPEC) if name.partition(".")[0] not in ("proxy", "environment")}
TEXTS = [
    name
    for name, one in ADDRESSES.items()
    if one["type"] in ("str", "list") and name not in ("ca_bundle", "user_files", "state", "pip.trusted_host")
    and not name.startswith("uv.indexes")
]  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_every_address_is_looked_at(name: str) -> None:
    for good, bad in ((URL, "near"), (URL, "https://me:hush@near.example.org"), (URL, "https://a b")):
        value = [good, bad] if ADDRESSES[name]["type"] == "list" else bad
        with pytest.raises(MirrorError, match=name) as caught:
            check(nested(name, value))
        assert "hush" not in str(caught.value)
    check(nested(name, [URL] if ADDRESSES[name]["type"] == "list" else URL))


def test_addresses_by_channel_are_looked_at_also_with_odd_names() -> None:
    params = {"conda": {"channels": {"name": "a", "root": "b"}, "mirrored": {"c": ["d", "e"]}}}
    assert [value for _name, value in addresses(params)] == ["a", "b", "d", "e"]


def test_official_is_a_word_of_apt_alone() -> None:
    check({"apt": {"archive": ["official"], "security": ["official", URL], "failover": True}})
    for params in ({"npm": {"registry": "official"}}, {"repositories": {"epel": ["official"]}}):
        with pytest.raises(MirrorError, match="official"):
            check(params)


def test_absent_is_nothing_at_all_whatever_else_is_given() -> None:
    options = options_of({**EMPTY, "state": "absent", "pip": {"index_url": "nonsense"}})
    assert options.of("pip") == {} and not options.proxy


def test_empty_values_are_left_out() -> None:
    params = {
        **EMPTY,
        "uv": {"index_url": "", "python_mirror": URL, "indexes": []},
        "huggingface": {"disable_xet": False},
    }
    options = options_of(params)
    assert options.of("uv") == {"python_mirror": URL} and options.of("huggingface") == {"disable_xet": False}


@pytest.mark.parametrize("bundle", ["lab.pem", "/a b.pem", '/a".pem'])
def test_a_bundle_is_an_absolute_path(bundle: str) -> None:
    with pytest.raises(MirrorError, match="ca_bundle"):
        options_of({**EMPTY, "ca_bundle": bundle})
