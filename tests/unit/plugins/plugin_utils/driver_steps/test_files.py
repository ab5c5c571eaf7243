# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files that keep a driver together."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import files

PINNED = ["nvidia-open*", "libnvidia-compute*", "nvidia-fabricmanager*"]


def by_path(found: list[files.File]) -> dict[str, str]:
    return {one["path"]: one["content"] for one in found}


def test_the_set_is_held_at_its_version_with_and_without_an_epoch() -> None:
    text = by_path(files.hold("580.159.03", "580", PINNED, "apt", True, True))[files.HOLD]
    (pattern,) = re.findall(r"Pin: version (\S+)", text)
    assert pattern.startswith("/") and pattern.endswith("/"), "APT takes it for a regular expression"
    assert all(re.search(pattern[1:-1], version) for version in ("580.159.03-1", "1:580.159.03-1~deb12u1"))
    assert not any(re.search(pattern[1:-1], version) for version in ("580.159.031-1", "580.178.04-1", "1.580.159.03-1"))
    assert "Pin-Priority: 1001" in text and "*nvidia*" in text and "cuda-drivers-580" in text


def test_few_patterns_because_apt_tries_each_on_every_name_of_the_archive() -> None:
    text = by_path(files.hold("580.159.03", "580", PINNED, "apt", True, True))[files.HOLD]
    (packages,) = re.findall("^Package: (.*)$", text, re.MULTILINE)
    assert packages.count("*") <= 2


def test_without_hold_only_the_branch_is_kept() -> None:
    found = by_path(files.hold("580.159.03", "580", PINNED, "apt", False, True))
    assert list(found) == [files.HOLD] and "580[.]/" in found[files.HOLD]


def test_unattended_upgrades_leave_the_set_alone() -> None:
    text = by_path(files.hold("580.159.03", "580", PINNED, "apt", True, True))[files.UNATTENDED]
    starts = re.findall(r'^  "(.+)";$', text, re.MULTILINE)
    for name in ("nvidia-open", "libnvidia-compute-580", "linux-modules-nvidia-580-generic"):
        assert any(re.match(start, name) for start in starts), name
    assert not any(re.match(start, "linux-image-6.8.0-88-generic") for start in starts)
    assert not any(re.match(start, "nvidia-container-toolkit") for start in starts)


def test_prebuilt_modules_keep_their_kernel() -> None:
    text = by_path(files.hold("580.159.03", "580", PINNED, "apt", True, False))[files.UNATTENDED]
    assert '"linux-image-";' in text


def test_dnf_is_held_by_versionlock() -> None:
    assert files.hold("580.159.03", "580", PINNED, "dnf", True, True) == []
    installed = {"nvidia-open": "3:580.159.03-1.el9", "libnvidia-compute": "580.159.03-1", "bash": "5-1"}
    assert files.locks(installed, PINNED).splitlines() == [
        "libnvidia-compute-0:580.159.03-1.*",
        "nvidia-open-3:580.159.03-1.el9.*",
    ]


def test_services_do_not_start_without_their_hardware() -> None:
    found = by_path(files.guards(["nvidia-persistenced.service", "nvidia-fabricmanager.service"], 252))
    persistence = found["/etc/systemd/system/nvidia-persistenced.service.d/10-gpuready.conf"]
    assert "ExecCondition=" in persistence and "0x10de" in persistence
    fabric = found["/etc/systemd/system/nvidia-fabricmanager.service.d/10-gpuready.conf"]
    assert fabric.count("ConditionPathExistsGlob=|") == 2


def test_an_old_systemd_gets_a_condition_that_it_knows() -> None:
    text = by_path(files.guards(["nvidia-persistenced.service"], 239)).popitem()[1]
    assert "ExecCondition" not in text and "ConditionPathExists=" in text


def test_a_file_is_right_only_with_content_mode_and_owner() -> None:
    wanted = files.boot()
    facts = {
        one["path"]: {"sha256": hashlib.sha256(one["content"].encode()).hexdigest(), "mode": "0644", "uid": 0}
        for one in wanted
    }
    assert files.right(wanted, facts)
    for change in ({"sha256": "0"}, {"mode": "0600"}, {"uid": 1000}):
        assert not files.right(wanted, {path: {**one, **change} for path, one in facts.items()})
    assert not files.right(wanted, {})


def test_the_container_toolkit_is_no_part_of_the_driver() -> None:
    names = ["nvidia-open", "libnvidia-container1", "nvidia-container-toolkit", "libcuda1", "cuda-drivers-580", "bash"]
    assert files.members(names) == ["cuda-drivers-580", "libcuda1", "nvidia-open"]
