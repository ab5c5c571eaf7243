# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a failed installation, and what it says."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import failure


def deb(version: str) -> list[dict[str, Any]]:
    return [{"name": "x", "version": version, "source": "apt"}]


def rpm(version: str, release: str, epoch: int | None = None) -> list[dict[str, Any]]:
    return [{"name": "x", "version": version, "release": release, "epoch": epoch, "source": "rpm"}]


def test_what_came_changed_and_went() -> None:
    before = {"nvidia-open": deb("580.159.03-1"), "bash": deb("5.2-1"), "gone": deb("1-1")}
    after = {"nvidia-open": deb("595.71.05-1"), "bash": deb("5.2-1"), "dkms": deb("3.2-1")}
    found = failure.difference(after, before, ["nvidia-open"], "apt")
    assert found == {"added": ["dkms"], "former": ["gone=1-1", "nvidia-open=580.159.03-1"], "version": "580.159.03"}


def test_rpm_versions_are_put_together() -> None:
    before = {"nvidia-open": rpm("580.159.03", "1.el9", 3)}
    found = failure.difference({}, before, ["nvidia-open"], "dnf")
    assert found["former"] == ["nvidia-open-3:580.159.03-1.el9"] and found["version"] == "580.159.03"


def test_nothing_was_there_before() -> None:
    found = failure.difference({"nvidia-open": deb("580.1-1")}, {}, ["nvidia-open"], "apt")
    assert found == {"added": ["nvidia-open"], "former": [], "version": ""}


def test_apts_own_error_is_told() -> None:
    result = {"stderr": "W: noise\nE: Unable to correct problems, you have held broken packages.\n", "msg": "long"}
    assert "held broken packages. The machine is as it was." in failure.text({}, result, {}, "en")
    assert "机器已恢复原状" in failure.text({}, result, {}, "zh")
