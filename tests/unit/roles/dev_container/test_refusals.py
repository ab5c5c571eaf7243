# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role refuses, as Ansible evaluates its variables, in the language of the run or of the role."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.append(str(Path(__file__).resolve().parents[1]))
import role_variables

NAMES = ["dev_container_input_error", "__dev_container_refusal"]
SPECS = {"dev_container_specs": [{"name": "alice"}, {"name": "bob"}], "dev_container_only": ["eve"]}
GIVEN: dict[str, dict[str, Any]] = {
    "english": {},
    "chinese": {"gpuready_language": "zh"},
    "own": {"gpuready_language": "zh", "dev_container_language": "en"},
    "root": {"dev_container_root": "opt"},
    "good": {"dev_container_only": ["bob"]},
}
SAID = {
    "english": "dev_container_only names eve; there is alice, bob.",
    "chinese": "dev_container_only 中的 eve 不存在；已有的是 alice、bob。",
    "own": "dev_container_only names eve; there is alice, bob.",
    "root": 'dev_container_root is "opt"; it must be an absolute path of letters, digits, ".", "_" and "-", because '
    "state absent removes folders in it.",
    "good": "",
}


def test_inputs_are_refused_in_the_wished_language(tmp_path: Path) -> None:
    cases: dict[str, role_variables.Case] = {
        name: ({}, {**SPECS, "dev_container_state": "absent", **given}, NAMES) for name, given in GIVEN.items()
    }
    found = role_variables.evaluate(tmp_path, "dev_container", cases)
    assert found == {name: dict.fromkeys(NAMES, said) for name, said in SAID.items()}
