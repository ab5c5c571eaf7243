# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a failed installation, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import failure

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"


def deb(version: str) -> list[dict[str, Any]]:
    return [{"name": "x", "version": version, "source": "apt"}]


def rpm(version: str, release: str, epoch: int | str | None = None) -> list[dict[str, Any]]:
    return [{"name": "x", "version": version, "release": release, "epoch": epoch, "source": "rpm"}]


def test_what_came_changed_and_went() -> None:
    before = {"nvidia-open": deb("580.159.03-1"), "bash": deb("5.2-1"), "gone": deb("1-1")}
    after = {"nvidia-open": deb("595.71.05-1"), "bash": deb("5.2-1"), "dkms": deb("3.2-1")}
    found = failure.difference(after, before, "580.159.03", "apt")
    assert found == {"added": ["dkms"], "former": ["gone=1-1", "nvidia-open=580.159.03-1"], "version": "580.159.03"}


def test_rpm_versions_are_put_together() -> None:
    before = {"nvidia-open": rpm("580.159.03", "1.el9", 3)}
    found = failure.difference({}, before, "580.159.03", "dnf")
    assert found["former"] == ["nvidia-open-3:580.159.03-1.el9"] and found["version"] == "580.159.03"


@pytest.mark.parametrize("epoch", [None, "None", "(none)", ""])
def test_a_package_without_an_epoch(epoch: str | None) -> None:
    before = {"nvidia-fabricmanager": rpm("580.159.03", "1", epoch)}
    after = {"nvidia-fabricmanager": rpm("595.71.05", "1", epoch)}
    assert failure.difference(after, before, "580.159.03", "dnf")["former"] == ["nvidia-fabricmanager-580.159.03-1"]


def test_nothing_was_there_before() -> None:
    found = failure.difference({"nvidia-open": deb("580.1-1")}, {}, "", "apt")
    assert found == {"added": ["nvidia-open"], "former": [], "version": ""}


def test_apts_own_error_is_told() -> None:
    result = {"stderr": "W: noise\nE: Unable to correct problems, you have held broken packages.\n", "msg": "long"}
    assert "held broken packages. The machine is as it was." in failure.text({}, result, {}, "en")
    assert "机器已恢复原状" in failure.text({}, result, {}, "zh")


def test_the_item_of_a_loop_that_failed_is_quoted() -> None:
    items = [{"changed": True}, {"failed": True, "msg": "APT source x: the key has another fingerprint."}]
    said = failure.text({}, {"msg": "One or more items failed", "results": items}, {}, "en")
    assert "another fingerprint. The machine is as it was." in said and "One or more" not in said


def failed_build(branch: str) -> str:
    """What is said on Debian 13 when the modules of a branch do not compile."""
    facts = json.loads((SNAPSHOTS / "bare_host.json").read_text(encoding="utf-8"))
    facts["os"].update(id="debian", version="13", id_like=[])
    log = {"path": "/var/lib/dkms/nvidia/9/build/make.log", "errors": ["a.c:1: error: no"], "kernel": "6.12"}
    facts["driver"]["dkms"] = [{"name": "nvidia", "version": "9", "kernel": None, "status": "broken", "log": log}]
    return failure.text(facts, {}, {"driver_branch": branch, "driver_source": "nvidia"}, "en")


def test_the_compilers_words_and_what_works_are_told() -> None:
    said = failed_build("595")
    assert "nvidia 9 does not compile for kernel 6.12: a.c:1: error: no (make.log of dkms)" in said
    assert "nvidia_driver_source=nvidia nvidia_driver_branch=580" in said
    assert "nvidia_driver_source=distribution nvidia_driver_branch=535" in said
    assert "branch=595" not in said, "that one failed"
    assert "branch=550" not in said, "that one is known to fail, too"


def test_half_installed_packages_and_a_wished_flavour_do_not_hide_what_works() -> None:
    """As on Debian 13: the set that does not compile is still there, and branch 535 has no open modules."""
    facts = json.loads((SNAPSHOTS / "bare_host.json").read_text(encoding="utf-8"))
    facts["os"].update(id="debian", version="13", id_like=[])
    facts["packages"]["installed"] = {"nvidia-open-kernel-dkms": "550.163.01-2", "nvidia-smi": "550.163.01-2"}
    log = {"path": "/x", "errors": ["a.c:1: error: no"], "kernel": "6.12"}
    facts["driver"]["dkms"] = [{"name": "nvidia", "version": "9", "kernel": None, "status": "broken", "log": log}]
    wishes = {"driver_branch": "550", "driver_source": "distribution", "driver_modules": "open"}
    said = failure.text(facts, {}, wishes, "en")
    assert "nvidia_driver_source=nvidia nvidia_driver_branch=580" in said
    assert "nvidia_driver_source=distribution nvidia_driver_branch=535 nvidia_driver_modules=auto" in said
    assert "nvidia_driver_branch=580 nvidia_driver_modules" not in said, "the wished flavour does there"
