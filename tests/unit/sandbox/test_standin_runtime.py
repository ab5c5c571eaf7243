# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewriting an OCI bundle: the sandbox's stand-in does what the real nvidia-container-runtime did when it was captured,
and our judges read the real one's work rightly."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import stat
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import device_rules

PROJECT = Path(__file__).resolve().parents[3]
STANDIN = PROJECT / "sandbox" / "image" / "standin" / "bin" / "nvidia-container-runtime"
CASES: dict[str, Any] = json.loads((PROJECT / "tests" / "fixtures" / "oci_bundles.json").read_text())["cases"]
NUMBERS = {
    "/dev/nvidia0": (195, 0),
    "/dev/nvidiactl": (195, 255),
    "/dev/nvidia-uvm": (241, 0),
    "/dev/nvidia-uvm-tools": (241, 1),
}
# the stand-in knows GPUs by number, and CDI names only through the engine
STANDIN_CASES = [name for name in CASES if not name.startswith("auto-cdi-name")]


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("standin_runtime", str(STANDIN))
    spec = importlib.util.spec_from_loader("standin_runtime", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    real = os.stat

    def look(path: Any, *args: Any, **kwargs: Any) -> Any:
        if path in NUMBERS:
            return SimpleNamespace(st_rdev=os.makedev(*NUMBERS[path]), st_mode=stat.S_IFCHR | 0o666)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(module, "CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(module, "DOCUMENT", str(tmp_path / "absent"))
    monkeypatch.setattr(module.glob, "glob", lambda pattern: ["/dev/nvidia0"])
    monkeypatch.setattr(module.os, "stat", look)
    return module


def bundle(part: dict[str, Any]) -> dict[str, Any]:
    """config.json of a case, as far as the runtimes look at it."""
    hooks = {"prestart": [{"path": path, "args": [path, "prestart"]} for path in part["prestart"]]}
    return {
        "process": {"env": part["env"]},
        "hooks": hooks,
        "mounts": [],
        "linux": {"devices": part["devices"], "resources": {"devices": part["rules"]}},
    }


def by_number(rules: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((rule.get("major", -1), rule.get("minor", -1), rule["allow"], rule["access"]) for rule in rules)


@pytest.mark.parametrize("name", STANDIN_CASES)
def test_the_stand_in_rewrites_as_the_real_one_does(standin: ModuleType, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    (tmp_path / "config.toml").write_text(f'[nvidia-container-runtime]\nmode = "{case["mode"]}"\n')
    path = tmp_path / "config.json"
    path.write_text(json.dumps(bundle(case["before"])))
    standin.inject(str(path))
    written, real = json.loads(path.read_text()), case["after"]
    assert [os.path.basename(hook["path"]) for hook in written["hooks"]["prestart"]] == [
        os.path.basename(path) for path in real["prestart"]
    ]
    assert by_number(written["linux"]["resources"]["devices"]) == by_number(real["rules"])
    nodes = [
        sorted((node["path"], node["major"], node["minor"], node["fileMode"]) for node in devices)
        for devices in (written["linux"]["devices"], real["devices"])
    ]
    assert nodes[0] == nodes[1]


@pytest.mark.parametrize("name", CASES)
def test_the_judge_reads_the_real_ones_work(name: str) -> None:
    """Where it gave nodes, they are allowed by rules of their own; where it left them to the hook, they are not."""
    after = CASES[name]["after"]
    allowed = {path: device_rules.oci_allows(after["rules"], *number) for path, number in NUMBERS.items()}
    given = bool(after["devices"])
    assert allowed == dict.fromkeys(NUMBERS, given)
    assert given == (not name.startswith(("legacy", "void", "none-asked")))
