# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.junit import junit
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.nhc import nhc
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.prometheus import prometheus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from hypothesis import given
from hypothesis import strategies as st

Maker = Callable[..., dict[str, Any]]
BASES = ["ready_host", "bare_host", "rented_container", "many_faults"]
# the text format of Prometheus: name, labels, value
SAMPLE = re.compile(r'^[a-z_]+(\{([a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? -?\d+$')


@pytest.mark.parametrize("base", BASES)
def test_junit_holds_every_result_once(base: str, snapshot: Maker) -> None:
    report = judge(snapshot(base), host="gpu01")
    root = ET.fromstring(junit([report]))
    cases = root.findall(".//testcase")
    assert len(cases) == len(report["results"]) == int(root.get("tests", ""))
    for tag, status in (("failure", "fail"), ("error", "unknown"), ("skipped", "skip")):
        assert len(root.findall(f".//{tag}")) == report["counts"][status]
    for failure in root.findall(".//failure"):
        assert "$ ansible" in (failure.text or "")


def test_junit_names_each_case_once() -> None:
    """Two environments of one container, of which the second fails."""
    shape = {"id": "DEV-TORCH-CUDA", "stage": "dev", "entity": "dev", "message": "x", "remedy": None}
    results = [{**shape, "status": status} for status in ("pass", "fail", "pass")]
    results.append({**shape, "status": "pass", "id": "DEV-TORCH"})
    root = ET.fromstring(junit([{"host": "h", "stages": ["dev"], "results": results, "collected_at": None}]))
    assert [(case.get("name"), next(child.tag for child in case)) for case in root.iter("testcase")] == [
        ("DEV-TORCH-CUDA[dev]", "system-out"),
        ("DEV-TORCH-CUDA[dev] #2", "failure"),
        ("DEV-TORCH-CUDA[dev] #3", "system-out"),
        ("DEV-TORCH[dev]", "system-out"),
    ]


def test_junit_speaks_chinese(snapshot: Maker) -> None:
    report = judge(snapshot("bare_host"), host="gpu01", language="zh")
    text = junit([report], "zh")
    worst = next(result for result in report["results"] if result["status"] == "fail")
    failure = ET.fromstring(text).find(f".//testcase[@name='{worst['id']}']/failure")
    assert failure is not None
    assert worst["message_zh"] in (failure.text or "")


@given(st.text(), st.text())
def test_junit_is_xml_whatever_a_host_is_called_or_says(host: str, message: str) -> None:
    result = {
        "id": "PRE-OS",
        "stage": "preflight",
        "status": "fail",
        "entity": host,
        "message": message,
        "remedy": None,
    }
    report = {"host": host, "stages": ["preflight"], "results": [result], "collected_at": None}
    ET.fromstring(junit([report]).encode())


@pytest.mark.parametrize("base", BASES)
def test_prometheus_samples_follow_the_format(base: str, snapshot: Maker) -> None:
    report = judge(snapshot(base), host='a"b\\c')
    lines = [line for line in prometheus(report).splitlines() if not line.startswith("#")]
    assert [line for line in lines if not SAMPLE.match(line)] == []
    series = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(set(series)) == len(series)
    assert f"gpuready_verdict {report['exit_code']}" in lines
    values = Counter(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("gpuready_check_status"))
    assert set(values) <= {0, 1, 2, 3, 4}
    assert values[4] == len({(r["id"], r["entity"]) for r in report["results"] if r["status"] == "skip"})
    failed = {result["id"] for result in report["results"] if result["status"] == "fail"}
    assert {re.findall('id="([^"]+)"', line)[0] for line in lines if line.endswith(" 2") and "id=" in line} == failed


def test_prometheus_escapes_what_machines_say() -> None:
    entity = 'a"b\\c\nd'
    report = {
        "results": [{"id": "PRE-OS", "stage": "preflight", "status": "fail", "entity": entity}],
        "verdict": "not_ready", "collected_at": "2026-11-21T10:00:00Z", "simulated": True, "tier": None, "ladder": [],
    }  # fmt: skip
    text = prometheus(report)
    assert 'entity="a\\"b\\\\c\\nd"} 2' in text
    assert "gpuready_last_run_timestamp_seconds 1795255200" in text
    assert 'simulated="true"' in text


def test_nhc_is_silent_for_a_usable_node_and_names_the_worst_otherwise(snapshot: Maker) -> None:
    assert nhc(judge(snapshot(), host="h")) == ("", 0)
    line, status = nhc(judge(snapshot("many_faults"), host="h"))
    assert status == 1
    assert re.fullmatch(r"ERROR:  gpuready:  Health check failed:  [A-Z]+-[A-Z-]+: .+\(and \d+ more\)\n", line)
    # a warning does not drain a node
    assert nhc(judge(snapshot(changes={"gpus.0.persistence": False}), host="h")) == ("", 0)
