# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/readiness.yml on a real host: it judges, leaves every kind of file, and changes nothing."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

from lab import Host, play

FORMATS = ["json", "html", "junit", "prometheus", "nhc", "bundle"]
TEXTFILES = "/var/tmp/gpuready-textfiles"


def judge(host: Host, folder: Path, *extra: str) -> str:
    inputs = {"readiness_formats": FORMATS, "gpuready_report_dir": str(folder)}
    run = play("playbooks/readiness.yml", "-i", host.inventory, "-l", host.name, "-e", json.dumps(inputs), *extra)
    assert run.rc == 0, run.output
    return run.output


def test_every_kind_of_file_is_left_and_the_host_is_not_touched(host: Host, tmp_path: Path) -> None:
    before = host.footprint()
    output = judge(host, tmp_path)
    assert host.footprint() == before
    assert f"{host.name}: READY" in output
    assert "changed=0" in output
    assert {path.name for path in tmp_path.iterdir()} == {
        "readiness.html",
        *(f"{host.name}.{end}" for end in ("report.json", "snapshot.json", "last_ready.json", "junit.xml", "prom")),
        *(f"{host.name}.{end}" for end in ("nhc", "bundle.tar.gz")),
    }
    assert (tmp_path / f"{host.name}.nhc").read_text(encoding="utf-8") == ""
    suites = ET.fromstring((tmp_path / f"{host.name}.junit.xml").read_text(encoding="utf-8"))
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    page = (tmp_path / "readiness.html").read_text(encoding="utf-8")
    assert host.name in page and "simulated" in page


def test_a_bundle_is_judged_like_its_host_and_names_no_gpu(host: Host, tmp_path: Path) -> None:
    judge(host, tmp_path / "live")
    uuid = host.ssh("nvidia-smi -L").partition("UUID: ")[2].strip(" )")
    assert uuid.startswith("GPU-")
    shutil.unpack_archive(tmp_path / "live" / f"{host.name}.bundle.tar.gz", tmp_path / "unpacked", filter="data")
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    assert any("<nvidia_smi_log" in text for text in texts)
    assert not any(uuid in text or host.name in text for text in texts)
    (tmp_path / "in").mkdir()
    shutil.copy(tmp_path / "live" / f"{host.name}.bundle.tar.gz", tmp_path / "in" / "somebody.bundle.tar.gz")
    out = tmp_path / "out"
    replayed = play(
        "playbooks/readiness.yml", "-e", f"readiness_snapshots={tmp_path / 'in'}", "-e", f"readiness_report_dir={out}"
    )
    assert replayed.rc == 0, replayed.output
    live = json.loads((tmp_path / "live" / f"{host.name}.report.json").read_text(encoding="utf-8"))
    again = json.loads((out / "somebody.json").read_text(encoding="utf-8"))
    assert [(r["id"], r["status"]) for r in again["results"]] == [(r["id"], r["status"]) for r in live["results"]]


def test_the_metrics_are_left_on_the_host_where_asked(host: Host, tmp_path: Path) -> None:
    host.ssh(f"mkdir -p {TEXTFILES}")
    try:
        judge(host, tmp_path, "-e", f"readiness_textfile_dir={TEXTFILES}")
        assert "gpuready_verdict 0" in host.ssh(f"cat {TEXTFILES}/gpuready.prom").splitlines()
    finally:
        host.ssh(f"rm -r {TEXTFILES}")
