# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import inspect
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import proxies, tools

PROXY = proxies.read({"http": "http://proxy.example.org:1", "https": "", "no_proxy": "lan.example.org"})


def wishes(values: dict[str, Any], **rest: Any) -> dict[str, Any]:
    options = tools.Options(values, **rest)
    return {tool.name: tool.wish(options) for tool in tools.TOOLS if tool.wish(options)}


def test_nothing_wished_is_nothing_for_every_tool() -> None:
    empty = {"pip": {"index_url": "", "extra": {}}, "conda": {"anaconda": {}}, "huggingface": {"disable_xet": None}}
    assert wishes(empty) == {} and wishes({}) == {}


@pytest.mark.parametrize("tool", tools.TOOLS, ids=lambda tool: f"{tool.name}-{tool.own}")
def test_every_tool_keeps_to_the_protocol(tool: tools.Tool) -> None:
    assert len(inspect.signature(tool.editor.update).parameters) == 2
    if not tool.own:
        assert len(inspect.signature(tool.editor.undo).parameters) == 3


@pytest.mark.parametrize(
    ("values", "name", "wish"),
    [
        ({"pip": {"index_url": "a", "trusted_host": ""}}, "pip", {"index-url": "a"}),
        ({"pip": {"extra": {"Extra_Index_URL": ["a", "b"], "timeout": 9}}}, "pip",
         {"extra-index-url": "a b", "timeout": "9"}),
        ({"npm": {"registry": "a"}}, "npm", {"registry": "a"}),
        ({"conda": {"channels": {"x": "a"}, "mirrored": {}}}, "conda", {"channels": {"x": "a"}}),
        ({"rustup": {"dist_server": "a", "update_root": ""}}, "environment", {"RUSTUP_DIST_SERVER": "a"}),
        ({"huggingface": {"endpoint": "a", "disable_xet": None}}, "environment",
         {"HF_ENDPOINT": "a", "HF_HUB_DISABLE_XET": "1"}),
        ({"huggingface": {"endpoint": "a", "disable_xet": False}}, "environment", {"HF_ENDPOINT": "a"}),
    ],
)  # fmt: skip
def test_wishes(values: dict[str, Any], name: str, wish: dict[str, Any]) -> None:
    assert wishes(values) == {name: wish}


def test_a_proxy_reaches_the_tools() -> None:
    found = wishes({"proxy": {"http": "http://proxy.example.org:1", "no_proxy": "lan.example.org"}}, proxy=PROXY)
    assert set(found) == {"apt", "dnf", "npm", "git", "environment"}
    assert "lan.example.org" in found["environment"]["no_proxy"] and "lan.example.org" in found["npm"]["noproxy"]


def test_a_bundle_of_certificates_reaches_the_tools() -> None:
    found = wishes({}, ca_bundle="/lab.pem")
    assert set(found) == {"dnf", "pip", "conda", "npm", "git", "environment"}
    assert all("/lab.pem" in wish.values() for wish in found.values())
