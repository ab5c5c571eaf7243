# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter never raises, whatever a snapshot holds, and gives no address that nobody wrote."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.filter import mirror_steps
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host, is_web
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import builtin
from hypothesis import given
from hypothesis import strategies as st

SNAPSHOTS = sorted((Path(__file__).resolve().parents[3] / "fixtures" / "snapshots").glob("*.json"))
steps = mirror_steps.FilterModule().filters()["mirror_steps"]
EVIL = "https://evil.example.org"
WISHES: list[dict[str, Any]] = [
    {},
    {"preset": "china"},
    {"preset": "cloud:tencent", "security_policy": "official_then_mirror", "services": ["pypi", "torch"]},
    {
        "preset": "campus",
        "third_party_registries": True,
        "huggingface": True,
        "proxy": {"http": "http://p.example.org:1"},
    },
    {"site": "ustc", "security_policy": "mirror"},
    {
        "sites": {"pypi": "https://mirror.example.org/simple", "conda": "tuna"},
        "apt_url": "https://mirror.example.org/u",
    },
]
OWN = {"mirror.example.org", "p.example.org"}


def known_hosts() -> set[str]:
    """All hosts of the catalogue, the intranet's included."""
    return {host(text) for text in leaves(dict(builtin())) if "://" in text}


def leaves(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from leaves(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from leaves(value)
    elif isinstance(node, str):
        yield node


HOSTS = known_hosts() | OWN


def check(snapshot: Any, wishes: Any) -> None:
    found = steps(snapshot, wishes)
    parts = [found["settings"], found["candidates"], found["addresses"], found["choices"]]
    urls = [text.removeprefix("sparse+") for text in leaves(parts) if "://" in text]
    assert [url for url in urls if host(url) not in HOSTS] == []
    # nothing of the snapshot can leave its folder, or end an address
    assert [url for url in urls if not is_web(url.replace("{cuda}", "cpu")) or "/.." in url] == []
    json.dumps(found)


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_every_saved_snapshot_gets_an_answer(path: Path, wishes: dict[str, Any]) -> None:
    snapshot = json.loads(path.read_text(encoding="utf-8"))
    before = copy.deepcopy(snapshot)
    check(snapshot, wishes)
    assert snapshot == before and steps(snapshot, wishes)["refusal"] == ""


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([EVIL, "ubuntu", "ustc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SYSTEM = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["ubuntu", "debian", "rocky", "rhel", "linuxmint", "../x", ""]) | ANYTHING,
        "version": st.sampled_from(["24.04", "12", "9.6"]) | ANYTHING,
        "codename": st.sampled_from(["noble", "bookworm", "../noble", "x y"]) | ANYTHING,
        "family": st.sampled_from(["debian", "rhel"]) | ANYTHING,
        "machine": st.sampled_from(["x86_64", "aarch64"]) | ANYTHING,
        "name": ANYTHING,
    },
)
MEMORY = st.fixed_dictionaries(
    {
        "schema": st.just("gpuready.mirrors/1"),
        "key": st.just("KEY"),
        "expires_at": st.just(2e9) | ANYTHING,
        "services": st.dictionaries(
            st.sampled_from(["ubuntu", "pypi", "npm", "crates", "torch"]),
            st.fixed_dictionaries(
                {"urls": st.lists(st.sampled_from([EVIL, "https://registry.npmmirror.com"])) | ANYTHING}
            )
            | ANYTHING,
        )
        | ANYTHING,
    }
)
SNAPSHOT = st.fixed_dictionaries(
    {},
    optional={
        "collected_at": st.just("2026-11-22T00:00:00Z") | ANYTHING,
        "os": SYSTEM | ANYTHING,
        "virt": st.fixed_dictionaries({"cloud": st.just("aliyun") | ANYTHING}) | ANYTHING,
        "mirrors": MEMORY | ANYTHING,
        "packages": st.fixed_dictionaries({"sources": st.lists(ANYTHING, max_size=2) | ANYTHING}) | ANYTHING,
        "daemon_json": st.fixed_dictionaries({"data": st.fixed_dictionaries({"registry-mirrors": ANYTHING})})
        | ANYTHING,
        "environment": st.fixed_dictionaries({"variables": ANYTHING}) | ANYTHING,
    },
)


@given(SNAPSHOT | ANYTHING, st.sampled_from(WISHES))
def test_no_damaged_snapshot_raises_or_brings_an_address(snapshot: Any, wishes: dict[str, Any]) -> None:
    memory = snapshot.get("mirrors") if isinstance(snapshot, dict) else None
    if isinstance(memory, dict) and memory.get("key") == "KEY":
        memory["key"] = steps(snapshot, wishes)["key"]
    check(snapshot, wishes)


NAMES = st.sampled_from(
    [
        "state",
        "preset",
        "site",
        "sites",
        "services",
        "candidates",
        "catalogue",
        "security_policy",
        "failover",
        "measure",
        "intranet",
        "proxy",
        "ca_bundle",
        "third_party_registries",
        "huggingface",
        "user_files",
        "apt_url",
        "pip_index_url",
    ]
)


@pytest.mark.parametrize("codename", ["../../evil", "x y", "noble\n", "noble?", "-"])
def test_a_codename_that_is_none_becomes_no_part_of_an_address(codename: str) -> None:
    snapshot = {
        "os": {"id": "ubuntu", "version": codename, "codename": codename, "machine": "x86_64", "family": "debian"}
    }
    check(snapshot, {"preset": "china"})
    assert not {"ubuntu", "docker-ce", "cuda"} & set(steps(snapshot, {"preset": "china"})["candidates"])


@given(st.dictionaries(NAMES, ANYTHING, max_size=4) | ANYTHING)
def test_no_input_raises(inputs: Any) -> None:
    # an address of the inputs may come out; all else is as for a sound snapshot
    snapshot = {
        "collected_at": "2026-11-22T00:00:00Z",
        "os": {"id": "ubuntu", "codename": "noble", "machine": "x86_64"},
    }
    assert set(steps(snapshot, inputs)) == set(steps(snapshot, {}))
    steps(snapshot, inputs, "zh")
