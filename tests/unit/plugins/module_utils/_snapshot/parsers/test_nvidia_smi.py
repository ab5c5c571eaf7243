# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi -q -x of several driver generations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import nvidia_smi
from hypothesis import given
from hypothesis import strategies as st

Xml = Callable[[str], str]


def test_v11(xml: Xml) -> None:
    found = nvidia_smi.parse(xml("driver470_v11"))
    (gpu,) = found["gpus"]
    assert (found["driver_version"], found["cuda_version"], found["attached"]) == ("470.256.02", "11.4", 1)
    assert (gpu["bdf"], gpu["power_draw_w"], gpu["power_limit_w"]) == ("0000:3b:00.0", 60.25, 149.0)
    assert (gpu["mig"], gpu["ecc"], gpu["persistence"]) == (None, True, False)
    assert gpu["recovery_action"] == "GPU Reset"


def test_v13(xml: Xml) -> None:
    found = nvidia_smi.parse(xml("driver580_v13"))
    assert [gpu["bdf"] for gpu in found["gpus"]] == ["0000:01:00.0", "0000:81:00.0"]
    assert [gpu["index"] for gpu in found["gpus"]] == [0, 1]
    gpu = found["gpus"][0]
    assert (gpu["memory_total_mib"], gpu["memory_used_mib"], gpu["temperature_c"]) == (81559, 512, 33)
    assert (gpu["power_draw_w"], gpu["power_limit_w"], gpu["mig"]) == (71.43, 700.0, False)
    # "None" is the good value here, not an unknown one
    assert (gpu["state"], gpu["recovery_action"]) == ("ok", "None")


def test_v610_text_around_the_version_and_deeper_limits(xml: Xml) -> None:
    found = nvidia_smi.parse(xml("driver610_v13"))
    assert found["driver_version"] == "610.57.04"
    assert found["gpus"][0]["power_limit_w"] == 250.0


def test_na_is_null_and_no_failure(xml: Xml) -> None:
    (gpu,) = nvidia_smi.parse(xml("not_available"))["gpus"]
    for name in ("memory_used_mib", "temperature_c", "power_draw_w", "power_limit_w", "mig", "ecc", "recovery_action"):
        assert gpu[name] is None, name
    assert (gpu["state"], gpu["memory_total_mib"]) == ("ok", 2048)


def test_a_lost_gpu_keeps_its_name_and_loses_its_readings(xml: Xml) -> None:
    lost, other = nvidia_smi.parse(xml("gpu_lost"))["gpus"]
    assert (lost["state"], lost["name"], lost["memory_total_mib"]) == ("lost", "NVIDIA H100 80GB HBM3", None)
    # Unknown Error in addressing_mode is harmless
    assert (other["state"], other["memory_total_mib"]) == ("ok", 81559)


def test_an_error_in_a_telling_place_counts(xml: Xml) -> None:
    text = xml("driver580_v13").replace("<gpu_temp>33 C<", "<gpu_temp>Unknown Error<", 1)
    assert [gpu["state"] for gpu in nvidia_smi.parse(text)["gpus"]] == ["error", "ok"]


def test_text_around_the_document_is_ignored(xml: Xml) -> None:
    text = "WARNING: infoROM is corrupted\n" + xml("driver580_v13") + "\ntrailer\n"
    assert len(nvidia_smi.parse(text)["gpus"]) == 2


def test_no_gpu_is_no_error() -> None:
    text = "<nvidia_smi_log><driver_version>580.95.05</driver_version><attached_gpus>0</attached_gpus></nvidia_smi_log>"
    assert nvidia_smi.parse(text)["gpus"] == []


@pytest.mark.parametrize(
    "text", ["", "NVIDIA-SMI has failed", "<nvidia_smi_log><gpu></nvidia_smi_log>", "<nvidia_smi_log"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nvidia-smi -q -x"):
        nvidia_smi.parse(text)


@given(st.text(st.characters(), max_size=200), st.integers(0, 5000), st.integers(0, 300))
def test_damage_gives_a_value_error_or_a_result(noise: str, start: int, length: int) -> None:
    text = DOCUMENT[:start] + noise + DOCUMENT[start + length :]
    with contextlib.suppress(ValueError):
        assert set(nvidia_smi.parse(text)) == {"driver_version", "cuda_version", "attached", "gpus"}


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_bdf_forms_agree(domain: int, bus: int, slot: int, function: int) -> None:
    tail = f"{bus:02X}:{slot:02x}.{function}"
    assert nvidia_smi.bdf(f"{domain:08X}:{tail}") == f"{domain:04x}:{tail.lower()}"
    assert nvidia_smi.bdf(tail) == f"0000:{tail.lower()}"


@given(st.text())
def test_bdf_of_anything_is_a_bdf_or_none(text: str) -> None:
    nvidia_smi.bdf(text)


DOCUMENT = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd">
<nvidia_smi_log><driver_version>580.95.05</driver_version><cuda_version>13.0</cuda_version>
<attached_gpus>1</attached_gpus><gpu id="00000000:01:00.0"><product_name>X</product_name>
<fb_memory_usage><total>1 MiB</total><used>0 MiB</used></fb_memory_usage>
<gpu_power_readings><instant_power_draw>1.5 W</instant_power_draw></gpu_power_readings></gpu></nvidia_smi_log>
"""
