# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter hands over what plugin_utils says, and a wrong input as Ansible's own error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.filter import nvml_steps

READY = json.loads(
    (Path(__file__).resolve().parents[3] / "fixtures" / "snapshots" / "sandbox_ready.json").read_text(encoding="utf-8")
)


def test_conditions_come_by_name() -> None:
    given = nvml_steps.FilterModule().filters()["nvml_steps"]
    assert given(READY, {})["todo"] is False
    assert "257" in given(READY, {"cgroup_v1": True}, "zh")["refusal"]


def test_a_wrong_input_is_an_error_of_ansible() -> None:
    with pytest.raises(AnsibleFilterError, match="nvml_stability_on_vulnerable"):
        nvml_steps.nvml_steps(READY, {"on_vulnerable": "warn"})
