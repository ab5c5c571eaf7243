# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import conda
from hypothesis import given
from hypothesis import strategies as st

BASE = "https://near.example.org/anaconda/cloud"


def test_conda_forge_from_a_mirror() -> None:
    assert conda.update("", {"channels": {"bioconda": BASE, "conda-forge": BASE + "/"}}) == (
        conda.HEAD
        + 'channels:\n  - "conda-forge"\n  - "bioconda"\nchannel_priority: "strict"\nshow_channel_urls: true\n'
        + f'custom_channels:\n  bioconda: "{BASE}"\n  "conda-forge": "{BASE}"\n'
    )


def test_nothing_wished_is_no_file() -> None:
    assert conda.update("old", {}) == "" and conda.update("", {"channels": {}, "anaconda": {}}) == ""
    assert conda.undo("x", {}, "before\n") == "before\n"


def test_neither_defaults_nor_nodefaults_without_an_explicit_wish() -> None:
    text = conda.update("", {"channels": {"conda-forge": BASE}, "mirrored": {"conda-forge": [BASE + "/conda-forge"]}})
    assert "defaults" not in text and "anaconda.com" not in text
    wished = conda.update("", {"anaconda": {"default_channels": ["https://near.example.org/pkgs/main"]}})
    assert yaml.safe_load(wished)["channels"] == ["defaults"]
    assert yaml.safe_load(wished)["default_channels"] == ["https://near.example.org/pkgs/main"]


def test_control_characters_are_refused() -> None:
    with pytest.raises(conda.CondaError, match="control"):
        conda.update("", {"ssl_verify": "/a\nchannels: [x]"})


NAMES = st.sampled_from(["conda-forge", "bioconda", "yes", "null", "1", "a b", 'q"q', "é"])
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@given(
    st.dictionaries(NAMES, TEXTS, max_size=3),
    st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["http", "https"]), TEXTS),
)
def test_yaml_reads_back_what_was_wished(channels: Any, mirrored: Any, proxy: Any) -> None:
    text = conda.update("", {"channels": channels, "mirrored": mirrored, "proxy_servers": proxy})
    found = yaml.safe_load(text) or {}
    assert found.get("custom_channels", {}) == {name: url.rstrip("/") for name, url in channels.items()}
    assert found.get("mirrored_channels", {}) == mirrored and found.get("proxy_servers", {}) == proxy
    assert set(found.get("channels", [])) == {*channels, *mirrored}
    assert conda.update(text, {"channels": channels, "mirrored": mirrored, "proxy_servers": proxy}) == text
    json.dumps(found)
