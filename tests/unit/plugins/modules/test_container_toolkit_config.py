# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toolkit_keys
from ansible_collections.gpuready.bootstrap.plugins.modules.container_toolkit_config import main
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data

RunModule = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.usefixtures("store")
NO_CGROUPS = "nvidia-container-cli.no-cgroups"
MODE = "nvidia-container-runtime.mode"
CONFIG = """#swarm-resource = "DOCKER_RESOURCE_GPU"
disable-require = false

[nvidia-container-cli]
environment = []
#no-cgroups = false

[nvidia-container-runtime]
mode = "auto" # mine
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "config.toml"
    target.write_text(CONFIG)
    return target


def test_sets_keys_and_keeps_everything_else(path: Path, run_module: RunModule) -> None:
    args = {"path": str(path), "settings": {NO_CGROUPS: False, MODE: "cdi"}}
    predicted = run_module(main, check=True, **args)
    assert path.read_text() == CONFIG
    result = run_module(main, **args)
    assert result["changed_keys"] == [NO_CGROUPS, MODE] and predicted["diff"] == result["diff"]
    assert path.read_text() == CONFIG.replace("#no-cgroups", "no-cgroups").replace('"auto"', '"cdi"')
    assert not run_module(main, **args)["changed"]


def test_absent_restores_byte_for_byte(path: Path, run_module: RunModule, store: Path) -> None:
    run_module(main, path=str(path), settings={NO_CGROUPS: True, "features.allow-ldconfig-from-container": True})
    run_module(main, path=str(path), settings={MODE: "cdi"})
    assert run_module(main, path=str(path), state="absent", settings={MODE: None})["changed_keys"] == [MODE]
    assert 'mode = "auto"' in path.read_text() and "no-cgroups = true" in path.read_text()
    assert run_module(main, path=str(path), state="absent")["changed"]
    assert path.read_text() == CONFIG and not store.exists()


def test_absent_after_a_human_edit_takes_only_our_keys(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={NO_CGROUPS: True, MODE: "cdi", "swarm-resource": "A"})
    path.write_text(path.read_text().replace('"cdi"', '"legacy"') + 'debug = "/tmp/x"\n')
    result = run_module(main, path=str(path), state="absent")
    assert result["keys_left"] == [MODE] and result["warnings"]
    assert path.read_text() == CONFIG.replace('"auto"', '"legacy"') + 'debug = "/tmp/x"\n'
    assert not run_module(main, path=str(path), state="absent")["changed"]


def test_null_removes_a_key(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={"disable-require": None})
    assert path.read_text() == CONFIG.replace("disable-require = false\n", "")
    run_module(main, path=str(path), state="absent")
    assert path.read_text() == CONFIG


def test_missing_file(path: Path, run_module: RunModule) -> None:
    path.unlink()
    result = run_module(main, path=str(path), settings={MODE: "auto"})
    assert result["failed"] and str(path) in result["msg"] and not path.exists()
    predicted = run_module(main, check=True, path=str(path), settings={MODE: "auto"})
    assert predicted["changed"] and predicted["warnings"]
    assert run_module(main, path=str(path), settings={MODE: "auto"}, create=True)["changed"]
    assert path.read_text() == '[nvidia-container-runtime]\nmode = "auto"\n'
    run_module(main, path=str(path), state="absent")
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"nvidia-container-runtime.mood": "auto"}, "did you mean nvidia-container-runtime.mode?"),
        ({"zzz": 1}, "allow_unknown"),
        ({"a..b": 1}, "no dotted key"),
        ({NO_CGROUPS: "maybe"}, "true or false"),
        ({MODE: "bogus"}, "one of auto, legacy"),
        ({MODE: True}, "a text"),
        ({"nvidia-container-runtime.runtimes": "runc"}, "a list of texts"),
        ({"nvidia-container-runtime.runtimes": [1]}, "a list of texts"),
    ],
)
def test_bad_settings_are_refused(path: Path, run_module: RunModule, settings: dict[str, Any], word: str) -> None:
    result = run_module(main, path=str(path), settings=settings)
    assert result["failed"] and word in result["msg"] and path.read_text() == CONFIG


def test_templated_booleans_and_unknown_keys(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={NO_CGROUPS: "True", "future.key": [1]}, allow_unknown=True)
    assert "no-cgroups = true\n" in path.read_text() and "[future]\nkey = [1]\n" in path.read_text()


@pytest.mark.parametrize(("text", "word"), [("a = \n", "line 1"), ("[a]\n\n[a]\n", "line 3"), ("\udcff", "not UTF-8")])
def test_unparsable_file_is_refused(path: Path, run_module: RunModule, text: str, word: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    result = run_module(main, path=str(path), settings={MODE: "auto"})
    assert result["failed"] and word in result["msg"] and str(path) in result["msg"] and path.read_bytes() == before


def test_an_owner_gives_back_what_it_no_longer_sets(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={"disable-require": True})
    both = {NO_CGROUPS: True, MODE: "cdi"}
    run_module(main, path=str(path), settings=both, owner="toolkit", stamp="one")
    result = run_module(main, path=str(path), settings={MODE: "cdi"}, owner="toolkit")
    assert result["changed_keys"] == [NO_CGROUPS] and "#no-cgroups = false" in path.read_text()
    assert "disable-require = true" in path.read_text(), "the key of somebody else stays"
    run_module(main, path=str(path), settings={}, owner="toolkit")
    assert path.read_text() == CONFIG.replace("require = false", "require = true")
    assert not run_module(main, path=str(path), settings={}, owner="toolkit")["changed"]
    run_module(main, path=str(path), settings={}, state="absent")
    assert path.read_text() == CONFIG


def test_the_last_key_of_the_only_owner_brings_the_original_back(
    path: Path, run_module: RunModule, store: Path
) -> None:
    run_module(main, path=str(path), settings={MODE: "cdi"}, owner="toolkit")
    assert run_module(main, path=str(path), settings={}, owner="toolkit")["changed"]
    assert path.read_text() == CONFIG and not store.exists()


def test_an_owner_takes_only_its_own_keys_away(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={NO_CGROUPS: True}, owner="stability")
    run_module(main, path=str(path), settings={MODE: "cdi"}, owner="toolkit")
    run_module(main, path=str(path), state="absent", owner="toolkit")
    assert "no-cgroups = true" in path.read_text() and 'mode = "auto"' in path.read_text()


def test_the_stamp_is_remembered_and_kept(path: Path, run_module: RunModule, store: Path) -> None:
    run_module(main, path=str(path), settings={MODE: "cdi"}, owner="toolkit", stamp="digest")
    run_module(main, path=str(path), settings={NO_CGROUPS: True})
    record = json.loads((store / "index.json").read_text())["files"][str(path)]
    assert record["meta"]["stamp"] == "digest" and record["meta"]["owners"] == {MODE: "toolkit", NO_CGROUPS: ""}


def test_nothing_wished_and_nothing_set_needs_no_file(path: Path, run_module: RunModule) -> None:
    path.unlink()
    assert not run_module(main, path=str(path), settings={}, owner="toolkit")["changed"] and not path.exists()


def test_target_and_controller_know_the_same_keys() -> None:
    table = data.load("toolkit_config")
    assert table["keys"] == _toolkit_keys.KNOWN
    assert {key: tuple(words) for key, words in table["choices"].items()} == _toolkit_keys.CHOICES
