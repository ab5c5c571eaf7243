# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpuready.bootstrap.plugins.filter.readiness_metrics import FilterModule
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def test_a_report_becomes_metrics() -> None:
    snapshot = json.loads((SNAPSHOTS / "bare_host.json").read_text(encoding="utf-8"))
    text = FilterModule().filters()["readiness_metrics"](judge(snapshot, host="h"))
    assert "\ngpuready_verdict 2\n" in text
    assert 'gpuready_check_status{id="CTR-DOCKER",stage="container",entity=""} 2' in text
