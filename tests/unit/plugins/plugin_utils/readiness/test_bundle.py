# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import bundle
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from hypothesis import given
from hypothesis import strategies as st

Maker = Callable[..., dict[str, Any]]
SECRET = "s3cr3t-t0ken-value"


def planted(snapshot: Maker) -> dict[str, Any]:
    data = snapshot()
    data["raw"] = {
        "nvidia_smi_xml": "<uuid>GPU-12345678-aaaa-bbbb-cccc-123456789abc</uuid><serial>1320921000001</serial>"
    }
    data["network"]["proxies"]["environment"]["http_proxy"] = f"http://user:{SECRET}@proxy.example.com:3128"
    data["kernel_log"]["hits"] = [
        {"signature": "xid", "time": "2026-11-21T09:00:00Z", "bdf": "0000:01:00.0", "code": 79, "count": 1, "pid": None,
         "process": None, "text": "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."}
    ]  # fmt: skip
    return data


def test_a_bundle_is_judged_like_the_host(snapshot: Maker) -> None:
    data = planted(snapshot)
    report = judge(data, host="gpu01.lab.example.com")
    again = judge(bundle.read(bundle.build(report, data)), host="gpu01.lab.example.com")
    shown = [(r["id"], r["status"]) for r in again["results"]]
    assert shown == [(r["id"], r["status"]) for r in report["results"]]


def test_no_secret_serial_or_name_leaves_with_it(snapshot: Maker) -> None:
    data = planted(snapshot)
    packed = bundle.build(judge(data, host="gpu01.lab.example.com"), data)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        streams = {member.name: archive.extractfile(member) for member in archive}
        texts = {name: stream.read().decode() for name, stream in streams.items() if stream is not None}
    everything = "".join(texts.values())
    for word in (SECRET, "GPU-12345678-aaaa", "1320921000001", "gpu01.lab.example.com"):
        assert word not in everything, word
    assert "fallen off the bus" in texts["gpuready-bundle/logs/kernel.log"]
    assert "gpuready-bundle/raw/nvidia_smi_xml.txt" in texts
    assert json.loads(texts["gpuready-bundle/report.json"])["schema"] == "gpuready.report/1"


def test_the_same_host_gives_the_same_bytes(snapshot: Maker) -> None:
    data = planted(snapshot)
    report = judge(data, host="gpu01")
    assert bundle.build(report, data) == bundle.build(report, data)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_with_one_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a gpuready bundle"):
        bundle.read(data)
