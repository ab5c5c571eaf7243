# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a textfile for node_exporter (Prometheus exposition format 0.0.4)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

STATUS_VALUES = {"pass": 0, "warn": 1, "fail": 2, "unknown": 3, "skip": 4}
VERDICT_VALUES = {"ready": 0, "ready_with_warnings": 1, "not_ready": 2, "unknown": 3}


def prometheus(report: Mapping[str, Any]) -> str:
    """The report as metrics. Values: status 0 pass, 1 warn, 2 fail, 3 unknown, 4 skip; verdict as the exit code."""
    lines = [
        "# HELP gpuready_check_status Readiness check: 0 pass, 1 warn, 2 fail, 3 unknown, 4 skip.",
        "# TYPE gpuready_check_status gauge",
    ]
    # one series for the same labels: the worst result counts
    series: dict[str, int] = {}
    for result in report["results"]:
        labels = _labels(id=result["id"], stage=result["stage"], entity=result["entity"] or "")
        value = STATUS_VALUES[result["status"]]
        series[labels] = max(series.get(labels, value), value, key=_badness)
    lines += [f"gpuready_check_status{labels} {value}" for labels, value in series.items()]
    lines += [
        "# HELP gpuready_verdict Readiness of the host: 0 ready, 1 ready with warnings, 2 not ready, 3 unknown.",
        "# TYPE gpuready_verdict gauge",
        f"gpuready_verdict {VERDICT_VALUES[report['verdict']]}",
    ]
    moment = _seconds(report.get("collected_at"))
    if moment is not None:
        lines += [
            "# HELP gpuready_last_run_timestamp_seconds When the host was looked at.",
            "# TYPE gpuready_last_run_timestamp_seconds gauge",
            f"gpuready_last_run_timestamp_seconds {moment}",
        ]
    info = {
        rung["id"]: rung["value"] for rung in report.get("ladder") or [] if rung.get("value") and not rung.get("entity")
    }
    tier = (report.get("tier") or {}).get("id") or ""
    lines += [
        "# HELP gpuready_info Versions found, and whether the host is a simulation.",
        "# TYPE gpuready_info gauge",
        f"gpuready_info{_labels(simulated=str(bool(report['simulated'])).lower(), tier=tier, **info)} 1",
    ]
    return "\n".join(lines) + "\n"


def _badness(value: int) -> int:
    # skip has the highest number and is the least of all
    return -1 if value == STATUS_VALUES["skip"] else value


def _labels(**values: Any) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in values.items()) + "}"


def _escape(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")


def _seconds(collected_at: Any) -> int | None:
    try:
        moment = datetime.datetime.fromisoformat(str(collected_at).replace("Z", "+00:00"))
    except ValueError:
        return None
    return int(moment.timestamp())
