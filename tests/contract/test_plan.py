# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that plans, as a user runs it, and the table of images behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data, tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_key
from helpers import ROOT, load_yaml, tool

SNAPSHOTS = ROOT / "tests" / "fixtures" / "snapshots"
IMAGES: Mapping[str, Any] = data.load("images")


def plan(*extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "120"}
    return subprocess.run(
        [tool("ansible-playbook"), "playbooks/plan.yml", *extra],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def of_folder(folder: Path, out: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    return plan("-e", f"plan_snapshots={folder}", "-e", f"plan_report_dir={out}", *extra)


def saved(folder: Path, **machines: str) -> Path:
    folder.mkdir()
    for host, name in machines.items():
        (folder / f"{host}.json").write_bytes((SNAPSHOTS / f"{name}.json").read_bytes())
    return folder


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# --- the playbook


def test_a_folder_is_planned_for_offline_and_a_refusal_fails_nothing(tmp_path: Path) -> None:
    folder, out = saved(tmp_path / "in", titan="machines/titanv", bare="bare_host"), tmp_path / "out"
    done = of_folder(folder, out, "-e", "plan_torch=2.15", "-e", "nvidia_container_toolkit_version=1.19.1-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in out.iterdir()} == {"titan.json", "bare.json"}
    assert load(out / "titan.json")["refusal"]["rung"] == "torch_archs"
    written = load(out / "bare.json")
    assert (written["host"], written["refusal"]) == ("bare", None)
    assert {item["id"] for item in written["choices"]} >= {"driver_branch", "cuda_image", "torch", "torch_index"}
    assert all(item["reason"] for item in written["choices"])
    toolkits = [item["value"] for item in load(out / "titan.json")["choices"] if item["id"] == "toolkit"]
    assert toolkits == ["1.19.1"], "what the road would install"
    shown = done.stdout.splitlines()
    assert any(line.startswith("titan  REFUSED  torch 2.15 has no code for") for line in shown)
    assert "1 planned, 1 refused" in shown


def test_a_host_is_planned_and_left_as_it_is() -> None:
    done = plan("-i", "localhost,", "-c", "local", "-e", "gpuready_language=zh", "-e", "ansible_become=false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert "── localhost：规划 ──" in done.stdout
    assert "torch 索引" in done.stdout


def test_a_refused_host_ends_the_run_with_one_sentence_and_its_table() -> None:
    local = ("-i", "localhost,", "-c", "local", "-e", "ansible_become=false")
    done = plan(*local, "-e", "plan_torch=2.15", "-e", "plan_python=3.9")
    assert done.returncode != 0
    fatal = [line for line in done.stdout.splitlines() if line.startswith("fatal:")]
    assert len(fatal) == 1
    assert "torch 2.15 needs Python 3.11 or newer" in fatal[0]
    # not the whole plan as JSON behind the sentence
    assert len(fatal[0]) < 600
    assert "refused (python): torch 2.15 needs Python 3.11" in done.stdout


BAD = {
    "not JSON": ("{,}", (), "a.json is not valid JSON"),
    "a future schema": ('{"schema": "gpuready.snapshot/9"}', (), "newer than"),
    "a wish that is no release": (None, ("-e", "plan_torch=latest"), "the wish torch is 'latest'"),
    "a number": (None, ("-e", '{"plan_torch": 2.10}'), "write it in quotes"),
    "an unknown wish": (None, ("-e", '{"plan_wishes": {"driver": "580"}}'), "unknown wish 'driver'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error_and_writes_nothing(name: str, tmp_path: Path) -> None:
    folder, out = saved(tmp_path / "in", b="bare_host"), tmp_path / "out"
    content, extra, says = BAD[name]
    if content is not None:
        (folder / "a.json").write_text(content, encoding="utf-8")
    done = of_folder(folder, out, *extra)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert says in " ".join(said.split()), said
    assert len([line for line in done.stdout.splitlines() if line.startswith("fatal:")]) == 1, said
    assert "Traceback" not in said
    assert not out.exists()


def test_the_snapshots_are_never_overwritten(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in", b="bare_host")
    before = (folder / "b.json").read_bytes()
    done = of_folder(folder, folder)
    assert done.returncode != 0
    assert "would overwrite them" in done.stdout + done.stderr
    assert (folder / "b.json").read_bytes() == before


def keys(mapping: dict[str, str] | str) -> set[str]:
    """Of a mapping of templates, or of a template that makes one."""
    return set(mapping) if isinstance(mapping, dict) else set(re.findall(r"'(\w+)': ", mapping))


def test_playbooks_hand_on_every_wish() -> None:
    """Those of the driver are inputs of its role, the others are asked for by the playbooks."""
    driver = keys(load_yaml(ROOT / "roles" / "nvidia_driver" / "vars" / "main.yml")["__nvidia_driver_wishes"])
    (plan,) = [task for task in load_yaml(ROOT / "playbooks" / "plan.yml")[0]["tasks"] if task["name"] == "Plan"]
    (site,) = [
        task for task in load_yaml(ROOT / "playbooks" / "site.yml")[1]["pre_tasks"] if "gpu_plan" in " ".join(task)
    ]
    for software in map(keys, (plan["vars"]["__plan_software"], site["vars"]["__gpuready_software"])):
        assert driver | software == {field.name for field in fields(Wishes)}
        assert not driver & software


# --- the table of images


def test_the_table_has_sources_and_a_date() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", IMAGES["date"])
    for key in ("source", "capabilities_source", "torch_aarch64_source"):
        assert "http" in IMAGES[key]


def test_images() -> None:
    words = {"cudnn8": ("11.8", "12.2"), "cudnn9": ("12.3", "12.3"), "cudnn": ("12.4", "99")}
    branches = tables.table("drivers")["branches"]
    for cuda, row in IMAGES["cudas"].items():
        assert set(row) == {"tag", "cudnn", "systems", "branch", "seen"}, cuda
        assert re.fullmatch(r"\d+\.\d+\.\d+", row["tag"]) and row["tag"].startswith(f"{cuda}."), cuda
        first, last = words[row["cudnn"]]
        assert version_key(first) <= version_key(cuda) <= version_key(last), cuda
        assert row["systems"] and set(row["systems"]) <= set(IMAGES["systems"]), cuda
        assert branches[row["branch"]]["cuda"] == cuda, cuda
        assert row["seen"] is None or re.fullmatch(r"\d{4}-\d{2}", row["seen"]), cuda
    versions = [version_key(cuda) for cuda in IMAGES["cudas"]]
    assert versions == sorted(versions)


def test_every_gpu_of_the_table_has_its_first_cuda() -> None:
    chips = tables.table("gpus")["chips"].values()
    assert {str(chip["compute_capability"]) for chip in chips} <= set(IMAGES["capabilities"])
    for capability, row in IMAGES["capabilities"].items():
        assert set(row) == {"first", "last_major"}, capability
        assert version_key(row["first"]), capability


def test_every_cuda_of_torch_has_an_image_of_its_major_version() -> None:
    majors = {cuda.split(".")[0] for cuda in IMAGES["cudas"]}
    for release, row in tables.table("torch")["releases"].items():
        assert {cuda.split(".")[0] for cuda in row["cuda"]} <= majors, release


def test_targets_of_aarch64() -> None:
    indexes = {cuda for row in tables.table("torch")["releases"].values() for cuda in row["cuda"]}
    for cuda, archs in IMAGES["torch_aarch64"].items():
        assert cuda in indexes
        assert all(re.fullmatch(r"(sm|compute)_\d{2,3}", arch) for arch in archs)
