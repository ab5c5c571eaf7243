# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module from outside: its options, its answer, and that it never fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot import collector, subset
from ansible_collections.gpuready.bootstrap.plugins.modules import gpu_facts

REPOSITORY = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((REPOSITORY / "docs/snapshot.schema.json").read_text())


def run(capsys: pytest.CaptureFixture[str], args: dict[str, Any]) -> dict[str, Any]:
    with patch_module_args(args), pytest.raises(SystemExit) as end:
        gpu_facts.main()
    assert end.value.code in (0, None)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_empty_tree(capsys: pytest.CaptureFixture[str], tmp_path: Path, check_mode: bool) -> None:
    answer = run(capsys, {"root": str(tmp_path), "_ansible_check_mode": check_mode})
    assert answer["changed"] is False
    jsonschema.Draft202012Validator(SCHEMA).validate(answer["ansible_facts"]["gpu_host"])
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_does_not_exist(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run(capsys, {"root": str(tmp_path / "none")})
    assert answer["ansible_facts"]["gpu_host"]["probes"]["os"]["status"] == "missing"


def test_the_live_machine_with_all_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "watched").write_text("x")
    answer = run(
        capsys,
        {
            "watch": [str(tmp_path)],
            "repositories": [{"name": "none", "url": "ftp://example.invalid/"}],
            "dev": [{"container": "no-such-container", "ssh_port": 1, "jupyter_port": 1, "token_file": "/none"}],
            "timeout": 5,
        },
    )
    facts = answer["ansible_facts"]["gpu_host"]
    jsonschema.Draft202012Validator(SCHEMA).validate(facts)
    assert str(tmp_path / "watched") in facts["files"]
    assert facts["network"]["repositories"][0]["status"] == "failed"
    assert facts["dev"]["containers"][0]["ssh"]["status"] == "failed"


def test_a_misspelt_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"rooot": "/"}), pytest.raises(SystemExit):
        gpu_facts.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    assert "rooot" in answer["msg"]


def test_documentation_names_every_option(documentation: Callable[[ModuleType], dict[str, Any]]) -> None:
    documented = documentation(gpu_facts)
    assert set(documented["options"]) == {*collector.Wishes._fields, "root", "timeout"}
    assert documented["options"]["subset"]["choices"] == list(subset.CHOICES)
    for text in (gpu_facts.EXAMPLES, gpu_facts.RETURN):
        assert yaml.safe_load(text)
