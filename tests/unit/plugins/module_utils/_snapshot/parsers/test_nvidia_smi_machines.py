# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents in the shape that real machines printed: what each of them must become."""

from __future__ import annotations

import contextlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import nvidia_smi
from hypothesis import given
from hypothesis import strategies as st

TESTS = Path(__file__).resolve().parents[5]
FIXTURES = TESTS / "fixtures" / "nvidia_smi"
SCHEMA = json.loads((TESTS.parent / "docs" / "snapshot.schema.json").read_text())["properties"]["gpus"]
RECORDED = sorted(
    path for path in FIXTURES.iterdir() if path.suffix in (".xml", ".txt") and not path.name.startswith("driver")
)


def read(name: str) -> dict[str, Any]:
    return nvidia_smi.parse_any((FIXTURES / name).read_text())


def test_the_files_are_those_of_the_generator() -> None:
    code = "import json, make; print(json.dumps(make.documents()))"
    done = subprocess.run([sys.executable, "-B", "-c", code], cwd=FIXTURES, capture_output=True, text=True, check=True)
    for name, content in json.loads(done.stdout).items():
        assert (FIXTURES / name).read_text() == content, f"run {FIXTURES / 'make.py'}"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_every_document_fits_the_schema(path: Path) -> None:
    found = nvidia_smi.parse_any(path.read_text())
    jsonschema.validate(found["gpus"], SCHEMA)
    assert found["attached"] == len(found["gpus"])
    assert path.stat().st_size < 150_000


def test_h100x8() -> None:
    found = read("h100x8.xml")
    assert (found["driver_version"], found["cuda_version"], len(found["gpus"])) == ("580.105.08", "13.0", 8)
    assert [gpu["pcie"]["replays"] for gpu in found["gpus"]] == [150, 144, 174, 158, 145, 172, 162, 106]
    gpu = found["gpus"][7]
    assert (gpu["bdf"], gpu["minor"], gpu["virtualization"], gpu["architecture"]) == (
        "0000:ca:00.0",
        7,
        "Pass-Through",
        "Hopper",
    )
    # N/A is how a sound H100 shows its fabric's health
    assert gpu["fabric"] == {"state": "Completed", "status": "Success", "health": None}
    assert (gpu["temperature_c"], gpu["temperature_margin_c"], gpu["temperature_slowdown_c"]) == (29, 57, None)
    assert (gpu["power_limit_w"], gpu["power_default_w"], gpu["power_max_w"]) == (700.0, 700.0, 700.0)
    assert gpu["clocks"] == {"sm_mhz": 345, "memory_mhz": 2619, "application_sm_mhz": 1980, "max_sm_mhz": 1980}
    assert gpu["throttle"]["active"] == ["gpu_idle"]
    assert gpu["throttle"]["counters_us"] == {
        "sw_power_capping": 7014307013,
        "sync_boost": 0,
        "sw_thermal_slowdown": 0,
        "hw_thermal_slowdown": 0,
        "hw_power_braking": 0,
    }
    assert gpu["remapped_rows"] == {"correctable": 0, "uncorrectable": 0, "pending": False, "failure": False}
    assert (gpu["retired_pages"], gpu["errors"], gpu["recovery_action"]) == (None, {}, "None")
    zero = {"sram_uncorrectable": 0, "sram_correctable": 0, "dram_uncorrectable": 0, "dram_correctable": 0}
    assert gpu["ecc_errors"] == {
        "volatile": zero,
        "aggregate": zero,
        "sram_threshold_exceeded": False,
        "channel_repair_pending": False,
        "tpc_repair_pending": False,
    }


def test_a_missing_permission_in_a_corner_is_noted_and_harmless() -> None:
    gpus = read("b200x8.xml")["gpus"]
    assert {gpu["state"] for gpu in gpus} == {"ok"}
    assert gpus[0]["errors"] == {"power_smoothing": "Insufficient Permissions"}
    assert (gpus[0]["persistence"], gpus[0]["fabric"]["health"], gpus[0]["power_limit_w"]) == (False, "Healthy", 1000.0)


def test_t4_has_retired_pages_and_ampere_has_remapped_rows() -> None:
    (t4,), (l40s,) = read("t4.xml")["gpus"], read("l40s.xml")["gpus"]
    assert (t4["remapped_rows"], t4["retired_pages"]) == (
        None,
        {"single_bit": 0, "double_bit": 0, "pending": False},
    )
    assert (l40s["remapped_rows"] is None, l40s["retired_pages"]) == (False, None)
    assert t4["ecc_errors"]["aggregate"]["dram_correctable"] == 1
    assert t4["ecc_errors"]["volatile"]["sram_uncorrectable"] == 0
    assert t4["ecc_errors"]["sram_threshold_exceeded"] is None
    # threshold or margin: by what is there, not by the architecture
    assert (t4["temperature_slowdown_c"], t4["temperature_margin_c"]) == (93, None)
    assert (l40s["temperature_slowdown_c"], l40s["temperature_margin_c"]) == (None, 59)
    assert (t4["pcie"]["width_current"], t4["pcie"]["width_max"]) == (8, 16)
    # deprecated is as good as absent
    assert t4["clocks"]["application_sm_mhz"] is None


def test_a_deprecated_reset_status_does_not_hide_the_new_action() -> None:
    (gpu,) = read("a100.xml")["gpus"]
    assert (gpu["recovery_action"], gpu["fabric"], gpu["throttle"]["counters_us"]) == ("None", None, {})
    assert (gpu["temperature_slowdown_c"], gpu["temperature_memory_c"]) == (89, 34)


@pytest.mark.parametrize("name", ["rtx4090x8.xml", "rtx4090x8.txt"])
def test_4090_of_driver_535(name: str) -> None:
    gpus = read(name)["gpus"]
    assert [gpu["minor"] for gpu in gpus] == [3, 2, 1, 0, 7, 6, 5, 4]
    gpu = gpus[0]
    # Addressing Mode: Unknown Error
    assert (gpu["state"], gpu["errors"]) == ("ok", {"addressing_mode": "Unknown Error"})
    assert (gpu["recovery_action"], gpu["gsp_firmware"]) == ("None", None)
    assert (gpu["idle"], gpu["pstate"], gpu["pcie"]["gen_current"], gpu["pcie"]["gen_host_max"]) == (True, "P8", 1, 5)
    # ECC exists and is off: nothing is counted, nothing is unknown
    assert (gpu["ecc"], gpu["ecc_errors"], gpu["power_draw_w"]) == (False, None, 18.9)


def test_titan_v_counts_nothing() -> None:
    (gpu,) = read("titanv.xml")["gpus"]
    assert (gpu["architecture"], gpu["ecc"], gpu["ecc_errors"]) == ("Volta", None, None)


def test_cells_of_volta_are_summed() -> None:
    text = (FIXTURES / "titanv.xml").read_text()
    text = text.replace("<current_ecc>N/A<", "<current_ecc>Enabled<")
    text = re.sub(r"(<double_bit>.*?<device_memory>)N/A", r"\g<1>3", text, count=1, flags=re.DOTALL)
    text = re.sub(r"(<double_bit>.*?<register_file>)N/A", r"\g<1>1", text, count=1, flags=re.DOTALL)
    text = re.sub(r"(<double_bit>.*?<l2_cache>)N/A", r"\g<1>2", text, count=1, flags=re.DOTALL)
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    volatile = gpu["ecc_errors"]["volatile"]
    assert (volatile["dram_uncorrectable"], volatile["sram_uncorrectable"]) == (3, 3)
    assert volatile["sram_correctable"] is None


def test_mig_devices_do_not_speak_for_their_gpu() -> None:
    (gpu,) = read("h200_mig.txt")["gpus"]
    assert (gpu["mig"], gpu["mig_pending"], gpu["memory_total_mib"], gpu["memory_used_mib"]) == (True, True, 143771, 55)
    assert gpu["ecc_errors"]["volatile"]["dram_uncorrectable"] == 0


@pytest.mark.parametrize("name", ["rtx2080s_610", "rtx4080s", "rtx4090x8"])
def test_text_and_xml_say_the_same(name: str) -> None:
    assert read(f"{name}.txt") == read(f"{name}.xml")


@pytest.mark.parametrize("form", ["xml", "txt"])
def test_r610_renames(form: str) -> None:
    found = read(f"rtx2080s_610.{form}")
    assert (found["driver_version"], found["cuda_version"]) == ("610.57.04", "13.3")
    (gpu,) = found["gpus"]
    assert (gpu["power_limit_w"], gpu["power_default_w"], gpu["power_max_w"]) == (250.0, 250.0, 350.0)
    assert (gpu["power_draw_w"], gpu["temperature_slowdown_c"], gpu["temperature_margin_c"]) == (38.89, 97, None)
    assert gpu["processes"] == [
        {"pid": 1720, "type": "G", "name": "/usr/bin/gnome-shell", "used_mib": 173},
        {"pid": 4556, "type": "G", "name": "/usr/bin/Xwayland", "used_mib": 3},
    ]


def test_r610_names_alone_are_enough() -> None:
    text = (FIXTURES / "rtx2080s_610.txt").read_text()
    text = re.sub(r"^(Driver|CUDA) Version.*\n", "", text, flags=re.MULTILINE)
    found = nvidia_smi.parse_text(text)
    assert (found["driver_version"], found["cuda_version"]) == ("610.57.04", "13.3")


def test_margin_under_its_r610_name() -> None:
    text = (FIXTURES / "rtx2080s_610.txt").read_text()
    text = re.sub(r"(GPU Current T.Limit Temp +: )N/A", r"\g<1>41 C", text)
    assert nvidia_smi.parse_text(text)["gpus"][0]["temperature_margin_c"] == 41


@pytest.mark.parametrize(
    ("leaf", "body", "state"),
    [
        ("gpu_temp", "GPU is lost", "lost"),
        ("total", "[GPU is lost]", "lost"),
        ("gpu_util", "Unknown Error", "error"),
        ("current_ecc", "GPU requires reset", "error"),
        ("gpu_temp", "ERR!", "error"),
        ("gpu_temp", "Insufficient Permissions", "ok"),
        ("gpu_temp", "N/A", "ok"),
        ("vbios_version", "GPU is lost", "ok"),
        ("product_name", "Unknown Error", "ok"),
    ],
)
def test_state(xml: Callable[[str], str], leaf: str, body: str, state: str) -> None:
    text = re.sub(rf"<{leaf}>[^<]*<", f"<{leaf}>{body}<", xml("l40s"), count=1)
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert gpu["state"] == state
    assert (body.strip("[]") in gpu["errors"].values()) is (body != "N/A")


def test_a_section_that_failed_as_a_whole_is_unknown_not_absent(xml: Callable[[str], str]) -> None:
    text = xml("h200")
    for section in ("remapped_rows", "fabric", "ecc_errors"):
        text = re.sub(rf"<{section}>.*?</{section}>", f"<{section}>GPU is lost</{section}>", text, flags=re.DOTALL)
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert gpu["remapped_rows"] == {"correctable": None, "uncorrectable": None, "pending": None, "failure": None}
    assert gpu["fabric"] == {"state": None, "status": None, "health": None}
    assert gpu["ecc_errors"]["volatile"]["dram_uncorrectable"] is None
    assert (gpu["state"], gpu["memory_total_mib"]) == ("lost", 143771)


def test_faults_are_read(xml: Callable[[str], str]) -> None:
    text = xml("h200")
    for leaf, body in {
        "remapped_row_pending": "Yes",
        "remapped_row_failure": "Yes",
        "sram_uncorrectable_parity": "2",
        "sram_uncorrectable_secded": "3",
        "sram_threshold_exceeded": "Yes",
        "tpc_repair_pending": "Yes",
        "gpu_recovery_action": "Node Reboot",
        "pending_mig": "Enabled",
        "compute_mode": "Exclusive_Process",
        "clocks_event_reason_hw_thermal_slowdown": "Active",
    }.items():
        text = text.replace(f"<{leaf}>", f"<{leaf}>{body}<!--", 1).replace(f"</{leaf}>", f"--></{leaf}>", 1)
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert (gpu["remapped_rows"]["pending"], gpu["remapped_rows"]["failure"]) == (True, True)
    assert gpu["ecc_errors"]["volatile"]["sram_uncorrectable"] == 5
    assert (gpu["ecc_errors"]["sram_threshold_exceeded"], gpu["ecc_errors"]["tpc_repair_pending"]) == (True, True)
    assert (gpu["recovery_action"], gpu["compute_mode"]) == ("Node Reboot", "Exclusive_Process")
    assert (gpu["mig"], gpu["mig_pending"]) == (False, True)
    assert gpu["throttle"]["active"] == ["gpu_idle", "hw_thermal_slowdown"]


def test_license_of_a_vgpu_guest(xml: Callable[[str], str]) -> None:
    product = (
        "<vgpu_software_licensed_product><licensed_product_name>NVIDIA RTX Virtual Workstation</licensed_product_name>"
        "<license_status>Unlicensed (Restricted)</license_status></vgpu_software_licensed_product>"
    )
    text = xml("l40s").replace("<gsp_firmware_version>", product + "<gsp_firmware_version>")
    text = text.replace(">Pass-Through<", ">VGPU<")
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert (gpu["license"], gpu["virtualization"]) == ("Unlicensed (Restricted)", "VGPU")


def test_old_names_of_slowdown_reasons() -> None:
    body = (
        "<nvidia_smi_log><gpu id='00000000:01:00.0'><clocks_throttle_reasons><clocks_throttle_reason_gpu_idle>Active"
        "</clocks_throttle_reason_gpu_idle><clocks_throttle_reason_sw_power_cap>Not Active"
        "</clocks_throttle_reason_sw_power_cap></clocks_throttle_reasons></gpu></nvidia_smi_log>"
    )
    (gpu,) = nvidia_smi.parse(body)["gpus"]
    assert (gpu["throttle"]["active"], gpu["idle"]) == (["gpu_idle"], True)


@pytest.mark.parametrize("text", ["", "NVIDIA-SMI has failed", "NVIDIA-SMI 595.91.07"])
def test_text_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nvidia-smi -q"):
        nvidia_smi.parse_text(text)


@given(st.sampled_from(RECORDED), st.integers(0, 2**32))
def test_mutated_documents_never_raise_anything_else(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lines = path.read_text().splitlines(keepends=True)
    for _number in range(chance.randrange(1, 12)):
        at = chance.randrange(len(lines))
        what = chance.randrange(5)
        if what == 0:
            del lines[at : at + chance.randrange(1, 40)]
        elif what == 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        elif what == 2:
            lines[at] = re.sub(r"(>|: )[^<\n]*", r"\g<1>GPU is lost", lines[at], count=1)
        elif what == 3:
            lines[at] = re.sub(r"\d+", "9" * chance.choice((1, 20, 400)), lines[at])
        else:
            lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)] + "\x00\u4e2d \n"
        lines = lines or ["\n"]
    with contextlib.suppress(ValueError):
        found = nvidia_smi.parse_any("".join(lines))
        jsonschema.validate(found["gpus"], SCHEMA)


@given(st.text(), st.sampled_from(["NVSMI LOG\n", "<nvidia_smi_log>", ""]))
def test_noise(text: str, start: str) -> None:
    with contextlib.suppress(ValueError):
        nvidia_smi.parse_any(start + text)


def test_a_repair_that_waits_counts_on_a_board_that_counts_no_errors(xml: Callable[[str], str]) -> None:
    (quiet,) = nvidia_smi.parse(xml("rtx4080s"))["gpus"]
    assert quiet["ecc_errors"] is None
    text = xml("rtx4080s").replace("<tpc_repair_pending>No<", "<tpc_repair_pending>Yes<")
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert gpu["ecc_errors"]["tpc_repair_pending"] is True
    assert gpu["ecc_errors"]["volatile"]["dram_uncorrectable"] is None


def test_half_of_a_sum_is_no_sum(xml: Callable[[str], str]) -> None:
    text = re.sub(r"(<sram_uncorrectable_secded>)0", r"\g<1>Unknown Error", xml("h200"), count=1)
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert gpu["ecc_errors"]["volatile"]["sram_uncorrectable"] is None
    assert gpu["ecc_errors"]["aggregate"]["sram_uncorrectable"] == 0


def test_deprecated_is_null_in_a_text_too(xml: Callable[[str], str]) -> None:
    gone = "Requested functionality has been deprecated"
    text = xml("h200").replace("<compute_mode>Default<", f"<compute_mode>{gone}<")
    (gpu,) = nvidia_smi.parse(text)["gpus"]
    assert (gpu["compute_mode"], gpu["errors"]) == (None, {})


def test_the_first_of_repeated_elements_speaks_and_a_body_beside_children_is_seen() -> None:
    body = (
        "<nvidia_smi_log><gpu id='00000000:01:00.0'><uuid>GPU-1</uuid><uuid>GPU-2</uuid>"
        "<remapped_rows>GPU is lost<remapped_row_corr>0</remapped_row_corr></remapped_rows></gpu></nvidia_smi_log>"
    )
    (gpu,) = nvidia_smi.parse(body)["gpus"]
    assert (gpu["uuid"], gpu["errors"]) == ("GPU-1", {"remapped_rows": "GPU is lost"})
    assert gpu["remapped_rows"]["correctable"] == 0
