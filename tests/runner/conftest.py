# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of examples/ with the installed ansible-runner and Ansible, on playbooks of a few cheap tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from program import PROJECT, Done, Work, make_work


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with make_work(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Work, Done]]:
    """One run of a fleet with every kind of host, looked at by many tests."""
    with make_work(tmp_path_factory.mktemp("fleet")) as made:
        options = ("--retries", "1", "--wait", "0", "--reports", "--json", str(made.path / "out.json"))
        yield made, made.run("fleet", *options)


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PROJECT / "docs" / "outcome.schema.json").read_text(encoding="utf-8"))
    return found
