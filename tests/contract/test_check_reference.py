# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/checks.md lists every check as it is, and docs/readiness.md speaks of what there is."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import readiness_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Status
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import EXIT_CODES
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tiers import tier_ids
from helpers import ROOT

from tools import check_reference

GUIDE = (ROOT / "docs" / "readiness.md").read_text(encoding="utf-8")
REFERENCE = check_reference.TARGET.read_text(encoding="utf-8")
ROWS = {line.split("`")[1]: line for line in REFERENCE.splitlines() if line.startswith("| `")}


def cells(name: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", ROWS[name])[1:-1]]


def test_the_reference_is_up_to_date() -> None:
    assert check_reference.reference() == REFERENCE, "run python3 tools/check_reference.py"


def test_the_reference_lists_every_check_in_the_order_of_the_report() -> None:
    assert list(ROWS) == list(CHECK_IDS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_says_what_fails_it_and_what_mends_it(check: object) -> None:
    name = str(getattr(check, "id", ""))
    assert len(cells(name)) == 5
    assert all(cells(name)), ROWS[name]


def test_a_stale_reference_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "checks.md"
    target.write_text(REFERENCE.replace("blocker", "minor"), encoding="utf-8")
    monkeypatch.setattr(check_reference, "TARGET", target)
    monkeypatch.setattr(check_reference, "ROOT", tmp_path)
    monkeypatch.setattr(check_reference, "reference", lambda: REFERENCE)
    assert check_reference.main(["--check"]) == 1
    assert capsys.readouterr().out == "stale: checks.md\n"
    assert check_reference.main([]) == 0
    assert target.read_text(encoding="utf-8") == REFERENCE
    assert check_reference.main(["--check"]) == 0


def test_the_guide_names_statuses_verdicts_and_exit_codes() -> None:
    assert [status for status in Status if f"`{status}`" not in GUIDE] == []
    for verdict, code in EXIT_CODES.items():
        assert re.search(rf"\| `{verdict}` \| {code} \|", GUIDE), verdict


def test_the_guide_names_every_tier_and_format() -> None:
    assert [name for name in tier_ids() if f"`{name}`" not in GUIDE] == []
    assert [name for name in readiness_files.FORMATS if f"`{name}`" not in GUIDE] == []


def test_the_guide_names_only_checks_that_exist() -> None:
    assert set(re.findall(r"\b(?:PRE|DRV|CTR|DEV)-[A-Z][A-Z0-9-]*", GUIDE)) - set(CHECK_IDS) == set()


def test_the_policy_of_the_guide_is_one() -> None:
    """The mappings in its examples are policies: their keys exist."""
    known = {field.name for field in dataclasses.fields(Policy)}
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
    assert examples
    assert {key for example in examples for key in example} - known == set()
