# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture tool: its play, its bundles, and a whole run on this machine."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MACHINES = ROOT / "tests" / "fixtures" / "snapshots" / "machines"


@pytest.fixture(scope="module")
def capture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpuready_capture", ROOT / "tools" / "capture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def machine(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MACHINES / f"{name}.json").read_text())
    return found


UUID = "GPU-0badcafe-5eed-4000-8000-00000000beef"


def test_a_bundle_holds_all_and_names_nothing(capture: ModuleType) -> None:
    snapshot = machine("h100x8")
    snapshot["gpus"][0]["uuid"] = UUID
    snapshot["raw"] = {
        "nvidia_smi_xml": f"<gpu><serial>1654321098765</serial><uuid>{UUID}</uuid></gpu>",
        "proc_driver_gpu_0000:53:00.0": f"GPU UUID: {UUID}\n",
    }
    snapshot["collector"]["note"] = "read on trainer-7 at 10.1.2.3"
    files = capture.bundle("trainer-7", {"as_found": snapshot, "persistence_on": machine("h100x8")})
    assert set(files) == {
        "snapshot.json",
        "timings.json",
        "raw/nvidia_smi_xml.xml",
        "raw/proc_driver_gpu_0000_53_00.0.txt",
    }
    for value in (UUID.partition("-")[2], "1654321098765", "trainer-7", "10.1.2.3"):
        assert all(value not in text for text in files.values()), value
    clean = json.loads(files["snapshot.json"])
    assert clean["gpus"][0]["uuid"] in files["raw/nvidia_smi_xml.xml"]
    assert "raw" not in clean
    times = json.loads(files["timings.json"])
    assert times["as_found"]["probes_ms"]["nvidia_smi"] == snapshot["probes"]["nvidia_smi"]["ms"]
    assert times["persistence_on"]["persistence"] is True


def test_the_play_changes_nothing_unless_asked(capture: ModuleType, tmp_path: Path) -> None:
    (play,) = yaml.safe_load(json.dumps(capture.playbook(tmp_path, persistence=False)))
    modules = [key for task in play["tasks"] for key in task if "." in key]
    assert modules == ["gpuready.bootstrap.gpu_facts", "ansible.builtin.copy"]
    assert play["tasks"][0]["gpuready.bootstrap.gpu_facts"] == {"raw": True}


def test_the_persistence_mode_is_put_back(capture: ModuleType, tmp_path: Path) -> None:
    (play,) = capture.playbook(tmp_path, persistence=True)
    (task,) = play["tasks"]
    modes = [step["ansible.builtin.command"]["argv"][2] for step in task["block"] if "ansible.builtin.command" in step]
    assert modes == ["0", "1"]
    assert task["always"][0]["ansible.builtin.command"]["argv"] == ["nvidia-smi", "-pm", "{{ capture_was }}"]
    # the mode is noted before it is changed
    names = [step["name"] for step in task["block"]]
    assert names.index("Note the persistence mode") < names.index("Set the persistence mode")


def test_captured_groups_by_host_and_round(capture: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.example.com.as_found.json").write_text("{}")
    (tmp_path / "a.example.com.persistence_on.json").write_text("{}")
    assert capture.captured(tmp_path) == {"a.example.com": {"as_found": {}, "persistence_on": {}}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("h100x8", "nvidia-h100-80gb-hbm3-x8-580.105.08"), ("t4", "tesla-t4-x1-595.91.07")],
)
def test_title(capture: ModuleType, name: str, expected: str) -> None:
    assert capture.title(machine(name)) == expected
    assert capture.title({}) == "no-gpu-x0-no-driver"


def test_here_writes_a_bundle(capture: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "here", lambda persistence: {"as_found": machine("a100")})
    assert capture.main(["--here", "-o", str(tmp_path)]) == 0
    written = tmp_path / "nvidia-a100-sxm4-40gb-x1-570.148.08" / "snapshot.json"
    assert json.loads(written.read_text())["schema"] == "gpuready.snapshot/1"


@pytest.mark.parametrize("argv", [[], ["--here", "-i", "x"]])
def test_one_of_two_ways(capture: ModuleType, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        capture.main(argv)
    assert "either --inventory or --here" in capsys.readouterr().err


def test_this_machine_is_read_without_ansible(capture: ModuleType) -> None:
    rounds = capture.here(persistence=False)
    assert list(rounds) == ["as_found"]
    assert rounds["as_found"]["schema"] == "gpuready.snapshot/1"
    assert {"snapshot.json", "timings.json"} <= set(capture.bundle("here", rounds))
