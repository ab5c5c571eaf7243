# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the calls, and what stops them; the kept outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    gpu,
    kept,
    raw_documents,
    topology,
)

P2P = "\t\x1b[4mGPU0\tGPU1\x1b[0m\n GPU0\tX\tOK\n GPU1\tOK\tX\n\nLegend:\n  X = Self\n"
NVLINK = "GPU 0: B (UUID: a)\n\t Link 0: 25 GB/s\nGPU 1: B (UUID: b)\n\t Link 0: <inactive>\n"
MATRIX = "\t\x1b[4mGPU0\tGPU1\tCPU Affinity\x1b[0m\nGPU0\t X \tNV1\t0-7\nGPU1\tNV1\t X \t0-7\n"
STUB = """#!/bin/sh
echo "$*" >> "{folder}/asked"
case "$*" in
  {hang}) sleep 30 ;;
  'topo -p2p r') cat "{folder}/p2p" ;;
  'nvlink -s') cat "{folder}/nvlink" ;;
  'topo -m') cat "{folder}/matrix" ;;
  '-q') echo '==============NVSMI LOG==============' ;;
  *) exit 2 ;;
esac
"""


def yes() -> bool:
    return True


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a stand-in in nvidia-smi's place that hangs on one question; return the file of what it was asked."""

    def place(hang: str = "nothing") -> Path:
        for name, text in {"p2p": P2P, "nvlink": NVLINK, "matrix": MATRIX}.items():
            (tmp_path / name).write_text(text)
        program = tmp_path / "nvidia-smi"
        program.write_text(STUB.format(folder=tmp_path, hang=f"'{hang}'"))
        program.chmod(0o755)
        monkeypatch.setattr(gpu, "smi_path", lambda host: str(program))
        return tmp_path / "asked"

    return place


def questions(asked: Path) -> list[str]:
    return asked.read_text().splitlines() if asked.exists() else []


def test_two_gpus(live: Host, smi: Callable[..., Path]) -> None:
    asked = smi()
    assert topology.section(live, [{}, {}], yes) == {
        "p2p": {"labels": ["GPU0", "GPU1"], "read": [["X", "OK"], ["OK", "X"]]},
        "nvlink": [{"index": 0, "active": 1, "inactive": 0}, {"index": 1, "active": 0, "inactive": 1}],
        "nvlink_message": None,
        "matrix": {"labels": ["GPU0", "GPU1"], "rows": [["X", "NV1"], ["NV1", "X"]]},
    }
    assert questions(asked) == ["topo -p2p r", "nvlink -s", "topo -m"]
    assert {live.probes.status(name) for name in ("topo_p2p", "nvlink", "topo_matrix")} == {"ok"}


@pytest.mark.parametrize("gpus", [[], [{}]])
def test_one_gpu_is_asked_nothing(live: Host, smi: Callable[..., Path], gpus: list[object]) -> None:
    asked = smi()
    assert topology.section(live, gpus, yes) == topology.EMPTY
    assert questions(asked) == []


def test_nothing_follows_a_hang(smi: Callable[..., Path], runner: Runner) -> None:
    asked = smi("nvlink -s")
    runner.timeout = 1
    host = Host("/", runner)
    found = topology.section(host, [{}, {}], yes)
    assert (found["p2p"] is None, found["nvlink"], found["matrix"]) == (False, None, None)
    assert questions(asked) == ["topo -p2p r", "nvlink -s"]
    assert (host.probes.status("nvlink"), host.probes.status("topo_matrix")) == ("timeout", None)
    # nor does a capture ask again
    assert set(raw_documents.raw(host, yes)) & {"topo_matrix", "nvidia_smi_text"} == set()
    assert questions(asked) == ["topo -p2p r", "nvlink -s"]


def test_nothing_is_asked_when_the_caller_says_no(live: Host, smi: Callable[..., Path]) -> None:
    asked = smi()
    assert topology.section(live, [{}, {}], lambda: False) == topology.EMPTY
    assert questions(asked) == []


def test_raw_asks_no_question_twice(live: Host, smi: Callable[..., Path]) -> None:
    asked = smi()
    kept.keep(live, "nvidia_smi_xml", "<nvidia_smi_log/>")
    topology.section(live, [{}, {}], yes)
    documents = raw_documents.raw(live, yes)
    assert {"nvidia_smi_xml", "nvidia_smi_text", "topo_p2p", "nvlink", "topo_matrix"} <= set(documents)
    assert questions(asked) == ["topo -p2p r", "nvlink -s", "topo -m", "-q"]


def test_raw_of_a_tree_is_files(root_of: Callable[[str], Path], runner: Runner) -> None:
    host = Host(str(root_of("debian13_ready")), runner)
    gpu.smi_section(host)
    documents = raw_documents.raw(host, yes)
    assert {"nvidia_smi_xml", "proc_driver_version", "proc_devices"} <= set(documents)
    assert documents["proc_driver_version"].startswith("NVRM version")
    assert "modinfo" not in documents


def test_outputs_of_two_hosts_are_apart(runner: Runner, tmp_path: Path) -> None:
    one, two = Host(str(tmp_path), runner), Host(str(tmp_path), runner)
    kept.keep(one, "a", "text")
    kept.keep(one, "b", "  \n")
    assert (kept.outputs(one), kept.outputs(two)) == ({"a": "text"}, {})
