# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real conda made of our file when it was captured: the file is still that one, and it was read as meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import conda

FIXTURE = Path(__file__).parents[4] / "fixtures/mirrors/conda_config.json"
CASES: dict[str, Any] = json.loads(FIXTURE.read_text())["cases"]
OWN = "https://conda.anaconda.org"
ANACONDA = "https://repo.anaconda.com"


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = CASES[request.param]
    return found


def folders(address: str) -> list[str]:
    return [f"{address}/linux-64", f"{address}/noarch"]


def test_the_file_is_the_one_that_conda_read(case: dict[str, Any]) -> None:
    assert conda.update("", case["wish"]).splitlines() == case["file"]


def test_conda_read_every_key_that_it_knows(case: dict[str, Any]) -> None:
    """mirrored_channels is mamba's: conda neither shows it nor complains."""
    written = yaml.safe_load("\n".join(case["file"]))
    mirrored = written.pop("mirrored_channels", {})
    assert case["source"] == written and case["read"][0] == conda.PATH
    assert mirrored == case["wish"].get("mirrored", {})


def test_a_channel_is_fetched_below_the_wished_address(case: dict[str, Any]) -> None:
    for name, above in case["wish"].get("channels", {}).items():
        assert case["shown"]["custom_channels"][name] == f"{above}/{name}"
        assert set(folders(f"{above}/{name}")) <= set(case["urls"])
        assert not [url for url in case["urls"] if url.startswith(f"{OWN}/{name}/")]


@pytest.mark.parametrize("name", ["conda_forge", "two_addresses", "beside_miniforge"])
def test_nobody_but_the_mirror_is_asked(name: str) -> None:
    case = CASES[name]
    above = case["wish"]["channels"]["conda-forge"]
    assert case["urls"] == folders(f"{above}/conda-forge") and case["shown"]["channels"] == ["conda-forge"]


@pytest.mark.parametrize("name", ["anaconda", "anaconda_only"])
def test_anacondas_channels_come_from_the_mirror_and_last(name: str) -> None:
    case = CASES[name]
    wished = case["wish"]["anaconda"]["default_channels"]
    assert case["shown"]["default_channels"] == wished and case["shown"]["channels"][-1] == "defaults"
    assert case["urls"][-2 * len(wished) :] == [url for address in wished for url in folders(address)]
    assert not [url for url in case["urls"] if url.startswith(ANACONDA)]


def test_proxy_and_certificates_and_nobody_is_asked_who_is_not_named() -> None:
    case = CASES["certificates_and_proxy"]
    assert case["shown"]["proxy_servers"] == case["wish"]["proxy_servers"]
    assert case["shown"]["ssl_verify"] == case["wish"]["ssl_verify"] and case["urls"] == []


def test_what_others_say_comes_first() -> None:
    """A user's own channel stays before ours; so does Anaconda's, which Miniconda names in a file of its own."""
    user, miniconda = CASES["beside_a_users_file"], CASES["beside_miniconda"]
    assert user["shown"]["channels"] == ["bioconda", "conda-forge"]
    assert user["urls"][:2] == folders(f"{OWN}/bioconda")
    assert miniconda["shown"]["channels"] == ["defaults", "conda-forge"]
    assert miniconda["urls"][0].startswith(ANACONDA)
