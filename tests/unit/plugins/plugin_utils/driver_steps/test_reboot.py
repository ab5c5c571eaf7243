# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reload and reboot by state."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import reboot
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

DRIVER = Driver(True, "nvidia", branch="580", modules="open")
LOADED = {"loaded": True, "version": "580.159.03", "flavour": "open"}
NOTHING = {"loaded": False, "version": None, "flavour": None}


def facts(module: dict[str, Any] | None = None, nouveau: str | None = None, **kernel: Any) -> View:
    return View({"driver": {"module": module or LOADED, "nouveau": {"module": nouveau}}, "kernel": kernel})


def said(texts: list[Any]) -> list[str]:
    return [str(text) for text in texts]


def test_what_is_loaded_is_what_is_installed() -> None:
    assert reboot.reload_causes(facts(), DRIVER, "580.159.03") == []
    assert reboot.reboot_causes(facts(), DRIVER) == []


def test_another_version_is_loaded() -> None:
    (cause,) = said(reboot.reload_causes(facts(), DRIVER, "580.178.04"))
    assert cause == "driver 580.159.03 is loaded, 580.178.04 is installed"


def test_another_flavour_is_loaded() -> None:
    module = {**LOADED, "flavour": "proprietary"}
    assert "proprietary modules are loaded" in said(reboot.reload_causes(facts(module), DRIVER, "580.159.03"))[0]


def test_nothing_is_loaded_is_no_cause() -> None:
    assert reboot.reload_causes(facts(NOTHING), DRIVER, "580.159.03") == []


def test_nouveau_holds_the_gpus() -> None:
    assert "nouveau" in said(reboot.reboot_causes(facts(NOTHING, "nouveau"), DRIVER))[0]


def test_the_module_is_built_for_the_next_kernel_only() -> None:
    kernels = [
        {"release": "6.1.0-40", "nvidia": None},
        {"release": "6.1.0-50", "nvidia": {"path": "/lib/modules/6.1.0-50/updates/dkms/nvidia.ko"}},
    ]
    found = facts(NOTHING, running="6.1.0-40", newest="6.1.0-50", installed=kernels)
    assert "6.1.0-50" in said(reboot.reboot_causes(found, DRIVER))[0]
    assert reboot.reboot_causes(facts(LOADED, running="6.1.0-40", newest="6.1.0-50", installed=kernels), DRIVER) == []


def test_only_words_about_gpus_count_on_the_command_line() -> None:
    assert reboot.reboot_causes(facts(cmdline="ro quiet", cmdline_next="ro splash"), DRIVER) == []
    found = facts(cmdline="ro nouveau.modeset=1", cmdline_next='ro foo="a b')
    assert "nouveau.modeset=1" in said(reboot.reboot_causes(found, DRIVER))[0]
