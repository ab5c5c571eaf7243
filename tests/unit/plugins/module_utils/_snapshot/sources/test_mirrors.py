# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""gpu_host.mirrors: the memory, or null with a probe that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot import collector
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import mirrors

MEMORY = {"schema": "gpuready.mirrors/1", "measured_at": 1, "expires_at": 2, "key": "k", "services": {}}


def write(root: Path, text: str | bytes) -> None:
    path = root / "var/lib/gpuready/mirrors.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (json.dumps(MEMORY), "ok"),
        (None, "missing"),
        ("{", "unparsable"),
        (b"\xff{}", "unparsable"),
        ("{}", "unparsable"),
    ],
)
def test_what_is_there(text: str | bytes | None, status: str, tmp_path: Path, runner: Runner) -> None:
    if text is not None:
        write(tmp_path, text)
    host = Host(str(tmp_path), runner)
    assert mirrors.section(host) == (MEMORY if status == "ok" else None)
    probe = host.probes.as_dict()["mirrors"]
    assert (probe["status"], probe["source"]) == (status, "/var/lib/gpuready/mirrors.json")
    assert (probe["error"] is None) == (status == "ok")


def test_it_is_a_section_of_the_snapshot(tmp_path: Path, runner: Runner) -> None:
    write(tmp_path, json.dumps(MEMORY))
    assert collector.collect(runner, str(tmp_path))["mirrors"] == MEMORY
    assert collector.collect(runner, str(tmp_path), collector.Wishes(subset=["mirrors"]))["mirrors"] == MEMORY
    assert "mirrors" not in collector.collect(runner, str(tmp_path), collector.Wishes(subset=["!mirrors"]))


@pytest.mark.parametrize(
    ("text", "expected", "status"),
    [
        (
            '{"docker-ce": "https://m.example.org/docker-ce/linux", "odd": 1}',
            {"docker-ce": "https://m.example.org/docker-ce/linux"},
            "ok",
        ),
        ("[]", {}, "unparsable"),
        ("{", {}, "unparsable"),
        (None, {}, None),
    ],
)
def test_addresses_that_other_roles_take(
    text: str | None, expected: dict[str, str], status: str | None, tmp_path: Path, runner: Runner
) -> None:
    if text is not None:
        path = tmp_path / "var/lib/gpuready/mirror-addresses.json"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    found = collector.collect(runner, str(tmp_path), collector.Wishes(subset=["mirror_addresses"]))
    assert found["mirror_addresses"] == expected
    assert found["probes"].get("mirror_addresses", {}).get("status") == status
