# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver and nvidia-smi of trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import gpu

FIXTURES = Path(__file__).resolve().parents[5] / "fixtures" / "nvidia_smi"
MakeHost = Callable[[dict[str, Any]], Host]
RootOf = Callable[[str], Path]


def test_driver_of_a_ready_host(root_of: RootOf, runner: Runner) -> None:
    host = Host(str(root_of("debian13_ready")), runner)
    smi, gpus = gpu.smi_section(host)
    found = gpu.driver_section(host, smi, gpus)
    assert found["module"] == {"loaded": True, "version": "580.95.05", "flavour": "open"}
    assert found["libraries"] == {"nvidia_ml": "580.95.05", "cuda": "580.95.05"}
    assert found["nouveau"] == {"loaded": False, "blacklisted": True, "module": None}
    assert [node["path"] for node in found["devnodes"]] == [
        "/dev/nvidia-uvm",
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/dev/nvidia-caps/nvidia-cap1",
    ]
    assert {node["major"] for node in found["devnodes"]} == {None}
    assert (found["smi"]["rc"], found["smi"]["driver_version"], found["persistence"]) == (0, "580.95.05", True)


@pytest.mark.parametrize(
    ("files", "module"),
    [
        ({}, (False, None, None)),
        ({"/sys/module/nvidia/version": "550.163.01\n"}, (True, "550.163.01", None)),
        ({"/proc/modules": "nvidia 56688640 0 - Live 0x0\n"}, (True, None, None)),
        ({"/proc/modules": "nvidia_drm 1 0 - Live 0x0\n"}, (False, None, None)),
        (
            {"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu\n"},
            (True, "470.256.02", "proprietary"),
        ),
    ],
)
def test_module(host_of: MakeHost, files: dict[str, str], module: tuple[bool, str | None, str | None]) -> None:
    found = gpu.driver_section(host_of({"/x": "", **files}), {}, [])["module"]
    assert (found["loaded"], found["version"], found["flavour"]) == module


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/etc/modprobe.d/a.conf", "blacklist nouveau\n", True),
        ("/usr/lib/modprobe.d/a.conf", "install nouveau /bin/false\n", True),
        ("/etc/modprobe.d/a.conf", "# blacklist nouveau\n", False),
        ("/etc/modprobe.d/a.conf", "blacklist nouveau_x\n", False),
        ("/etc/modprobe.d/a.conf.bak", "blacklist nouveau\n", False),
        ("/proc/cmdline", "ro modprobe.blacklist=foo,nouveau quiet\n", True),
        ("/proc/cmdline", "ro nouveau.modeset=0\n", False),
    ],
)
def test_nouveau_blacklist(host_of: MakeHost, path: str, text: str, expected: bool) -> None:
    assert gpu.driver_section(host_of({path: text}), {}, [])["nouveau"]["blacklisted"] is expected


@pytest.fixture
def document() -> Callable[[str], str]:
    return lambda name: (FIXTURES / name).read_text()


def with_smi(host: Host, output: str, rc: int, name: str = "bin/nvidia-smi") -> None:
    program = Path(host.root) / name
    program.parent.mkdir(parents=True, exist_ok=True)
    (program.parent / "output").write_text(output)
    program.write_text(f'#!/bin/sh\ncat "${{0%/*}}/output"\nexit {rc}\n')
    program.chmod(0o755)


MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.163\n"


@pytest.mark.parametrize(
    ("output", "rc", "status", "message"),
    [
        (
            MISMATCH,
            18,
            "failed",
            "Failed to initialize NVML: Driver/library version mismatch NVML library version: 550.163",
        ),
        ("NVIDIA-SMI has failed because it couldn't communicate\n", 9, "failed", None),
        ("Failed to initialize NVML: Unknown Error\n", 255, "failed", "Failed to initialize NVML: Unknown Error"),
        ("not xml at all\n", 0, "unparsable", None),
        ("", 0, "unparsable", None),
    ],
)
def test_smi_failures(host_of: MakeHost, output: str, rc: int, status: str, message: str | None) -> None:
    host = host_of({"/x": ""})
    with_smi(host, output, rc)
    smi, gpus = gpu.smi_section(host)
    assert (smi["present"], smi["rc"], smi["driver_version"], gpus) == (True, rc, None, [])
    assert host.probes.status("nvidia_smi") == status
    if message:
        assert smi["message"] == message


def test_smi_with_an_error_code_but_a_whole_document(host_of: MakeHost, xml: Callable[[str], str]) -> None:
    host = host_of({"/x": ""})
    with_smi(host, "GPU 0000:01:00.0 is lost\n" + xml("gpu_lost"), 15)
    smi, gpus = gpu.smi_section(host)
    assert (smi["rc"], smi["message"]) == (15, "GPU 0000:01:00.0 is lost")
    assert [item["state"] for item in gpus] == ["lost", "ok"]
    assert host.probes.status("nvidia_smi") == "failed"


def test_smi_that_hangs(host_of: MakeHost, runner: Runner) -> None:
    runner.timeout = 1
    host = host_of({"/bin/nvidia-smi": "#!/bin/sh\nsleep 30\n"})
    Path(host.path("/bin/nvidia-smi")).chmod(0o755)
    smi, gpus = gpu.smi_section(host)
    assert (smi["present"], smi["rc"], gpus) == (True, None, [])
    assert "within 1 s" in smi["message"]
    assert host.probes.status("nvidia_smi") == "timeout"


def test_no_smi(host_of: MakeHost) -> None:
    host = host_of({"/usr/bin/nvidia-smi": "not the stand-in"})
    assert gpu.smi_section(host)[0]["present"] is False
    assert host.probes.status("nvidia_smi") == "missing"


def with_two_forms(host: Host, xml: str, text: str) -> Path:
    """Put a stand-in that answers each form of the question; return the file of what it was asked."""
    folder = Path(host.root) / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "xml").write_text(xml)
    (folder / "text").write_text(text)
    program = folder / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ndir="${0%/*}"\necho "$*" >> "$dir/asked"\n'
        'case "$*" in *-x*) cat "$dir/xml" ;; *) cat "$dir/text" ;; esac\n'
    )
    program.chmod(0o755)
    return folder / "asked"


def test_text_where_the_xml_cannot_be_read(host_of: MakeHost, document: Callable[[str], str]) -> None:
    host = host_of({"/x": ""})
    asked = with_two_forms(host, "<nvidia_smi_log><gpu>", document("rtx2080s_610.txt"))
    smi, gpus = gpu.smi_section(host)
    assert (smi["rc"], smi["driver_version"], smi["cuda_version"]) == (0, "610.57.04", "13.3")
    assert [item["bdf"] for item in gpus] == ["0000:0c:00.0"]
    assert (host.probes.status("nvidia_smi"), host.probes.status("nvidia_smi_text")) == ("unparsable", "ok")
    assert asked.read_text().splitlines() == ["-q -x", "-q"]


def test_no_second_question_where_the_first_was_answered(host_of: MakeHost, document: Callable[[str], str]) -> None:
    host = host_of({"/x": ""})
    asked = with_two_forms(host, document("h200.xml"), document("rtx2080s_610.txt"))
    assert gpu.smi_section(host)[0]["driver_version"] == "590.48.01"
    assert asked.read_text().splitlines() == ["-q -x"]


def test_neither_form(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    with_two_forms(host, "garbage", "garbage")
    smi, gpus = gpu.smi_section(host)
    assert (smi["rc"], smi["driver_version"], gpus) == (0, None, [])
    assert host.probes.status("nvidia_smi_text") == "unparsable"


def test_text_in_the_place_of_xml(host_of: MakeHost, document: Callable[[str], str]) -> None:
    host = host_of({"/x": ""})
    with_smi(host, document("rtx4090x8.txt"), 0)
    assert len(gpu.smi_section(host)[1]) == 8
    assert host.probes.status("nvidia_smi") == "ok"


def test_a_free_driver_by_its_name(host_of: MakeHost) -> None:
    found = gpu.driver_section(host_of({"/sys/module/nova_core/refcnt": "1"}), {}, [])
    assert found["nouveau"] == {"loaded": True, "blacklisted": False, "module": "nova_core"}
    assert set(found) == {*gpu.EMPTY_DRIVER, "smi"}


def test_one_hang_speaks_for_all(live: Host) -> None:
    assert gpu.answers(live) is True
    live.probes.record("cuda", "failed", "x")
    assert gpu.answers(live) is True
    live.probes.record("nvlink", "timeout", "x")
    assert gpu.answers(live) is False
