# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver of a plan in situations that are more than one board alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver, choices
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from hosts_made import gpus, host, plan, short

RTX3090, RTX4090, RTX5090, RTX5090DV2 = "2204", "2684", "2b85", "2b8c"
V100, P40, H100, B200, B300, GH200, KEPLER = "1db6", "1b38", "2330", "2901", "3182", "2342", "1180"
OURS = {
    "nvidia-driver-cuda": "580.159.03-1",
    "nvidia-kernel-open-dkms": "580.159.03-1",
    "nvidia-persistenced": "580.159.03-1",
}


def refused(machine: Machine, **wishes: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        plan(machine, **wishes)
    return caught.value


def why(driver: Driver, choice_id: str) -> str:
    return next(str(choice.reason) for choice in choices(driver) if choice.id == choice_id)


# --- several GPUs


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ((RTX3090, RTX3090), "nvidia 580 open"),
        ((V100, RTX3090), "nvidia 580 proprietary"),
        ((P40, H100), "nvidia 580 proprietary"),
        ((RTX4090, RTX5090), "nvidia 580 open"),
        ((V100, RTX5090), "refused driver_modules"),
        ((P40, B300), "refused driver_modules"),
        # what is too old for any driver is left out beside a GPU that is not
        ((KEPLER, RTX4090), "nvidia 580 open"),
        ((KEPLER,), "refused driver_branch"),
        ((KEPLER, "0fc6"), "refused driver_branch"),
        # unknown ids: by their place in the order of the chips
        (("1eff",), "nvidia 580 open"),
        (("3fff",), "nvidia 580 open"),
        (("1dff",), "nvidia 580 proprietary"),
        ((None,), "nvidia 580 proprietary"),
        (("3fff", RTX3090), "nvidia 580 open"),
        (("3fff", V100), "refused driver_modules"),
        (("1eff", V100), "nvidia 580 proprietary"),
    ],
)
def test_one_driver_serves_all_gpus(devices: tuple[str | None, ...], expected: str) -> None:
    assert short(host(*devices)) == expected


def test_two_gpus_that_exclude_each_other_are_both_named() -> None:
    error = refused(host(V100, RTX5090))
    assert "Tesla V100" in str(error.reason) and "RTX 5090" in str(error.reason)


def test_unknown_gpus_are_never_passed_over_in_silence() -> None:
    assert "10de:3fff" in why(plan(host("3fff", RTX3090)), "gpus")


def test_a_gpu_too_old_is_named_even_beside_others() -> None:
    assert "left out: 10de:1180" in why(plan(host(KEPLER, RTX4090)), "gpus")


# --- places


def test_a_machine_without_gpu_needs_nothing() -> None:
    driver = plan(host())
    assert (driver.needed, driver.source, driver.packages) == (False, "none", ())
    assert "no NVIDIA GPU" in why(driver, "gpus")
    assert "not known" in why(plan(host(pci_seen=False)), "gpus")


def test_wsl2_never_gets_a_linux_driver() -> None:
    driver = plan(host(platform="wsl2", loaded="591.44"), driver_source="nvidia")
    assert (driver.needed, driver.source, driver.branch, driver.packages) == (False, "none", "591", ())


def test_a_rented_container_takes_the_driver_of_its_host() -> None:
    rented = host(RTX4090, platform="rented", loaded="550.163.01")
    driver = plan(rented)
    assert (driver.needed, driver.source, driver.branch, driver.version) == (False, "as_is", "550", "550.163.01")
    assert plan(rented, driver_branch="550").source == "as_is"
    assert refused(rented, driver_branch="580").rung == "platform"
    assert refused(rented, driver_branch="580", driver_allow_change=True).rung == "platform"


def test_a_jetson_is_refused_with_a_sentence() -> None:
    error = refused(host("2e12", platform="jetson"))
    assert error.rung == "platform" and "JetPack" in str(error.reason) and error.nearest


def test_gpus_of_virtual_machines_are_left_to_them() -> None:
    lent = replace(host(), gpus=gpus(RTX4090, RTX4090, passthrough=True))
    assert refused(lent).rung == "gpus"
    assert plan(lent, driver_source="none").source == "none"
    mixed = replace(host(), gpus=(*gpus(RTX4090), *gpus(V100, passthrough=True)))
    assert short(mixed) == "nvidia 580 open"
    assert "given to virtual machines: " in why(plan(mixed), "gpus")


def test_source_none_leaves_the_driver_alone() -> None:
    driver = plan(host(RTX4090), driver_source="none")
    assert (driver.needed, driver.source, driver.packages, driver.branch) == (True, "none", (), None)
    assert plan(host(RTX4090, loaded="580.95.05"), driver_source="none").branch == "580"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"os_id": "fedora", "os_version": "44", "family": "rhel"}, "refused platform"),
        ({"os_id": "ubuntu", "os_version": "20.04"}, "refused platform"),
        ({"os_id": None, "os_version": None}, "refused platform"),
        ({"arch": "riscv64"}, "refused platform"),
        ({"arch": None}, "refused platform"),
        ({"os_id": "almalinux", "os_version": "8.10", "family": "rhel"}, "nvidia 580 open"),
        ({"os_id": "ol", "os_version": "10.1", "family": "rhel"}, "nvidia 580 open"),
        ({"os_id": "centos", "os_version": "9", "family": "rhel"}, "nvidia 580 open"),
        # no folder for arm64 with Debian 12: its own archive is what is left
        ({"os_id": "debian", "os_version": "12", "arch": "aarch64"}, "distribution 535 proprietary"),
    ],
)
def test_systems(changes: dict[str, Any], expected: str) -> None:
    assert short(host(RTX4090, **changes)) == expected


def test_gh200_on_arm64_gets_open_modules_from_the_folder_sbsa() -> None:
    driver = plan(host(GH200, arch="aarch64"))
    assert (driver.modules, driver.repository and driver.repository.folder) == ("open", "ubuntu2404/sbsa")
    assert refused(host(GH200, arch="aarch64"), driver_modules="proprietary").rung == "driver_modules"


# --- wishes


def test_a_branch_that_boards_do_not_allow_names_board_limit_and_what_works() -> None:
    error = refused(host(V100), driver_branch="595")
    assert "V100" in str(error.reason) and "580" in str(error.reason)
    assert dict(error.nearest[0].vars) == {
        "nvidia_driver_source": "nvidia",
        "nvidia_driver_branch": "580",
        "nvidia_driver_modules": "proprietary",
    }
    assert "RTX 5090" in str(refused(host(RTX5090), driver_branch="550").reason)


def test_a_branch_the_source_lacks_is_had_elsewhere() -> None:
    error = refused(host(V100, system="ubuntu26.04"), driver_source="nvidia")
    assert error.rung == "driver_source"
    assert error.nearest[0].vars["nvidia_driver_source"] == "distribution"
    assert "595" in str(error.reason)
    error = refused(host(RTX5090, system="debian13"), driver_source="distribution")
    assert error.rung == "driver_source" and error.nearest[0].vars["nvidia_driver_source"] == "nvidia"


@pytest.mark.parametrize("branch", ["561", "000", "999"])
def test_branches_that_do_not_exist_or_are_not_known_yet(branch: str) -> None:
    if branch == "999":
        assert "newer than our table" in why(plan(host(RTX4090), driver_branch=branch), "driver_branch")
    else:
        assert refused(host(RTX4090), driver_branch=branch).rung == "driver_branch"


def test_an_ended_branch_is_given_and_called_so() -> None:
    driver = plan(host(RTX4090), driver_branch="570")
    assert driver.branch == "570" and "open security holes" in why(driver, "driver_branch")
    assert driver.min_version is None


def test_a_supported_branch_has_the_floor_of_the_last_bulletin() -> None:
    assert plan(host(RTX4090)).min_version == "580.159.03"
    assert plan(host(RTX4090), driver_branch="595").min_version == "595.71.05"
    # a branch without fixes is not held to the last ones: archives stay behind them
    assert plan(host(RTX3090, system="debian12"), driver_source="distribution").min_version is None
    old = plan(host(RTX4090), driver_version="580.95.05")
    assert (old.version, old.min_version) == ("580.95.05", None)
    assert "closed since 580.159.03" in why(old, "driver_branch")


@pytest.mark.parametrize(
    ("device", "version", "expected"),
    [
        (RTX5090DV2, "580.65.06", "refused driver_version"),
        (RTX5090DV2, "580.76.05", "nvidia 580 open"),
        (RTX5090, "580.65.06", "nvidia 580 open"),
        (B300, "580.76.05", "refused driver_version"),
        (B300, "580.82.07", "nvidia 580 open"),
        ("2bb5", "575.51.03", "refused driver_version"),
        (B300, "595.58.03", "nvidia 595 open"),
    ],
)
def test_an_exact_version_is_held_against_the_boards_floor(device: str, version: str, expected: str) -> None:
    assert short(host(device), driver_version=version) == expected


def test_the_floor_of_a_board_holds_where_no_bulletin_does() -> None:
    assert plan(host(B300), driver_version="580.95.05").min_version == "580.82.07"
    assert plan(host(RTX5090), driver_branch="570").min_version == "570.86.16"
    assert plan(host(RTX5090, "2bb1"), driver_branch="570").min_version == "570.123.07"


def test_below_a_boards_floor_the_advice_is_a_safe_version() -> None:
    error = refused(host(RTX5090DV2), driver_version="580.65.06")
    assert "580.76.05" in str(error.reason)
    assert error.nearest[0].vars["nvidia_driver_version"] == "580.159.03"


def test_debians_own_branch_that_does_not_compile_is_only_taken_when_named() -> None:
    debian = host(RTX4090, system="debian13")
    assert short(debian, driver_source="distribution") == "distribution 535 proprietary"
    named = plan(debian, driver_source="distribution", driver_branch="550", driver_modules="open")
    assert named.packages[0] == "nvidia-open-kernel-dkms"
    assert "known not to compile" in why(named, "driver_branch")


def test_the_sandbox_keeps_its_packages() -> None:
    driver = plan(host(RTX4090, system="debian13"), driver_repo_url="http://standin.test/repo")
    assert driver.packages == ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")
    assert driver.optional == ("nvidia-driver-pinning-580",)
    assert driver.repository is not None
    assert (driver.repository.url, driver.repository.suites) == ("http://standin.test/repo", ("/",))


def test_who_names_a_repository_gets_it_even_with_secure_boot() -> None:
    ubuntu = host(RTX4090, secure_boot=True)
    assert plan(ubuntu).source == "distribution"
    assert plan(ubuntu, driver_repo_url="https://mirror.example/nvidia").source == "nvidia"


def test_packages_by_name_replace_those_of_the_plan() -> None:
    driver = plan(host(RTX4090), driver_packages=["nvidia-open-580"])
    assert driver.packages == ("nvidia-open-580",)


# --- switches


@pytest.mark.parametrize(
    ("device", "switch", "changes", "wishes", "expected"),
    [
        (H100, "nvswitch", {}, {}, ("nvidia-fabricmanager", "libnvidia-nscq")),
        (H100, "nvswitch", {}, {"driver_branch": "570"}, ("nvidia-fabricmanager-570", "libnvidia-nscq-570")),
        (
            H100,
            "nvswitch",
            {},
            {"driver_source": "distribution"},
            ("nvidia-fabricmanager-580", "libnvidia-nscq-580"),
        ),
        (H100, "nvswitch", {"system": "rhel9"}, {}, ("nvidia-fabricmanager", "libnvidia-nscq")),
        (
            B200,
            "nvlink5",
            {},
            {},
            ("nvidia-fabricmanager", "libnvidia-nscq", "nvlsm", "infiniband-diags", "libnvsdm"),
        ),
        (
            B200,
            "nvlink5",
            {"arch": "aarch64"},
            {},
            ("nvidia-fabricmanager", "libnvidia-nscq", "nvlsm", "infiniband-diags"),
        ),
        (H100, None, {}, {}, ()),
        (H100, None, {}, {"fabric_manager": "present"}, ("nvidia-fabricmanager", "libnvidia-nscq")),
        (H100, "nvswitch", {}, {"fabric_manager": "absent"}, ()),
    ],
)
def test_fabric_packages(
    device: str, switch: str | None, changes: dict[str, Any], wishes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    driver = plan(host(*[device] * 8, switch=switch, **changes), **wishes)
    assert driver.fabric_packages == expected
    assert ("nvidia-fabricmanager.service" in driver.services) == bool(expected)
    # an image for all machines has it, and it starts where there are switches
    assert ("nvidia-fabricmanager.service" in driver.started) == bool(expected and switch)


def test_a_source_without_the_subnet_manager_is_none_for_nvlink5() -> None:
    b200 = host(*[B200] * 8, switch="nvlink5", secure_boot=True)
    assert refused(b200, driver_source="distribution").rung == "fabric_manager"
    driver = plan(b200)
    assert (driver.source, driver.secure_boot) == ("nvidia", "stop")


def test_nor_is_it_where_its_packages_wait_for_the_reboot() -> None:
    """Installed by hand, and not loaded yet: the run would have gone on without the subnet manager."""
    waiting = {
        "linux-modules-nvidia-595-server-open-generic": "6.8.0-87.87",
        "nvidia-utils-595-server": "595.71.05-0ubuntu0.24.04.1",
    }
    assert short(host(*[B200] * 8, switch="nvlink5", packages=waiting)) == "refused fabric_manager"
    assert (
        short(host(*[B200] * 8, switch="nvlink5", packages=waiting), fabric_manager="absent") == "distribution 595 open"
    )


def test_without_fabric_manager_the_price_is_said() -> None:
    assert "802" in why(plan(host(H100, switch="nvswitch"), fabric_manager="absent"), "fabric_manager")


# --- Secure Boot


@pytest.mark.parametrize(
    ("system", "changes", "wishes", "expected"),
    [
        ("ubuntu24.04", {"secure_boot": False}, {}, ("nvidia", "off")),
        ("ubuntu24.04", {"secure_boot": None}, {}, ("nvidia", "off")),
        ("ubuntu24.04", {"secure_boot": True}, {}, ("distribution", "signed")),
        ("ubuntu24.04", {"secure_boot": True}, {"driver_source": "nvidia"}, ("nvidia", "stop")),
        ("ubuntu24.04", {"secure_boot": True, "mok_enrolled": True}, {"driver_source": "nvidia"}, ("nvidia", "signed")),
        ("ubuntu24.04", {"secure_boot": True, "mok_pending": True}, {"driver_source": "nvidia"}, ("nvidia", "enrol")),
        ("debian13", {"secure_boot": True}, {}, ("nvidia", "stop")),
        ("debian13", {"secure_boot": True, "mok_enrolled": True}, {}, ("nvidia", "signed")),
        ("rhel9", {"secure_boot": True}, {}, ("nvidia", "stop")),
        # a kernel that is not Ubuntu's has no signed modules
        ("ubuntu24.04", {"secure_boot": True, "kernel": "6.18.5-custom"}, {}, ("nvidia", "stop")),
    ],
)
def test_secure_boot(system: str, changes: dict[str, Any], wishes: dict[str, Any], expected: tuple[str, str]) -> None:
    driver = plan(host(RTX4090, system=system, **changes), **wishes)
    assert (driver.source, driver.secure_boot) == expected
    assert driver.build == (driver.source != "distribution")


def test_enrolment_is_announced_where_it_is_allowed() -> None:
    driver = plan(host(RTX4090, system="debian13", secure_boot=True), secure_boot="enrol")
    assert driver.secure_boot == "enrol" and "console" in why(driver, "secure_boot")


# --- a driver that is there


@pytest.mark.parametrize("packages", [{}, {"nvidia-driver-550": "550.90.07-0ubuntu0~gpu24.04.1"}])
def test_a_driver_that_works_stays_as_it_is(packages: dict[str, str]) -> None:
    driver = plan(host(RTX4090, loaded="550.163.01", loaded_flavour="proprietary", packages=packages))
    assert (driver.source, driver.branch, driver.version, driver.packages) == ("as_is", "550", "550.163.01", ())
    assert driver.needed and driver.modules == "proprietary"


def test_a_driver_of_unknown_version_is_not_touched_either() -> None:
    running = host(RTX4090, system="debian13", packages=OURS, unknown_driver=True)
    driver = plan(running)
    assert (driver.source, driver.branch, driver.version, driver.packages) == ("as_is", None, None, ())
    assert refused(running, driver_branch="580").rung == "driver_branch"
    assert short(running, driver_branch="595", driver_allow_change=True) == "nvidia 595 open"
    assert (
        refused(host(RTX4090, unknown_driver=True), driver_branch="580", driver_allow_change=True).rung
        == "driver_source"
    )


def test_a_runfile_that_works_stays_and_one_that_does_not_is_in_the_way() -> None:
    works = host(RTX4090, loaded="570.124.06", runfile=True, installed_source="runfile")
    assert plan(works).source == "as_is" and ".run installer" in why(plan(works), "driver_source")
    error = refused(host(RTX4090, runfile=True, installed_source="runfile"))
    assert error.rung == "driver_source" and "nvidia-uninstall" in str(error.nearest[0].text)
    # even where the user wants a change: two installers would overwrite each other
    assert refused(works, driver_branch="580", driver_allow_change=True).rung == "driver_source"


def test_packages_of_a_third_party_that_do_not_work_are_named() -> None:
    error = refused(host(RTX4090, packages={"nvidia-driver-580": "580.95.05-0ubuntu0~gpu24.04.1"}))
    assert error.rung == "driver_source" and "nvidia-driver-580" in str(error.reason)
    error = refused(
        host(RTX4090, packages={"nvidia-driver-535-server": "535.261.03-0ubuntu0.24.04.1"}), driver_source="nvidia"
    )
    assert "nvidia-driver-535-server" in str(error.nearest[0].text)


def test_packages_of_a_source_keep_that_source() -> None:
    archive = {"nvidia-driver-535-server": "535.261.03-0ubuntu0.24.04.1"}
    assert short(host(RTX4090, packages=archive)) == "distribution 580 open"


def test_the_other_source_is_no_advice_where_packages_of_one_are_installed() -> None:
    error = refused(host(RTX4090, packages={"nvidia-open-580": "580.159.03-0ubuntu1"}), driver_branch="530")
    assert {near.vars["nvidia_driver_source"] for near in error.nearest} == {"nvidia"}


def test_our_own_set_is_managed_with_the_branch_that_runs() -> None:
    ours = host(RTX4090, system="debian13", packages=OURS, loaded="580.159.03", loaded_flavour="open")
    driver = plan(ours)
    assert (driver.source, driver.branch, driver.version, driver.modules) == ("nvidia", "580", None, "open")
    assert driver.packages == tuple(OURS) and driver.pinned
    # the same before the reboot, when nothing is loaded yet, and for a branch that would not be chosen today
    before = dict.fromkeys(OURS, "595.71.05-1")
    assert short(host(RTX4090, system="debian13", packages=before)) == "nvidia 595 open"
    ended = dict.fromkeys(OURS, "590.48.01-1")
    running = host(RTX4090, system="debian13", packages=ended, loaded="590.48.01", loaded_flavour="open")
    assert short(running) == "nvidia 590 open"


def test_another_set_of_the_same_source_is_not_mixed_with_ours() -> None:
    desktop = {"nvidia-open": "595.91.07-1ubuntu1", "nvidia-dkms-open": "595.91.07-1ubuntu1"}
    assert plan(host(RTX4090, packages=desktop, loaded="595.91.07", loaded_flavour="open")).source == "as_is"


@pytest.mark.parametrize(
    ("wishes", "rung"),
    [
        ({"driver_branch": "595"}, "driver_branch"),
        ({"driver_version": "580.178.04"}, "driver_version"),
        ({"driver_modules": "proprietary"}, "driver_modules"),
        ({"driver_source": "distribution"}, "driver_source"),
    ],
)
def test_a_driver_that_works_is_replaced_only_when_allowed(wishes: dict[str, Any], rung: str) -> None:
    ours = host(RTX4090, system="debian12", packages=OURS, loaded="580.159.03", loaded_flavour="open")
    error = refused(ours, **wishes)
    assert error.rung == rung and "580.159.03 is loaded" in str(error.reason)
    assert {"nvidia_driver_allow_change": True} in [dict(near.vars) for near in error.nearest]
    allowed = short(ours, **wishes, driver_allow_change=True)
    # two sources are never mixed, whatever is allowed
    assert allowed.startswith("nvidia") or (rung, allowed) == ("driver_source", "refused driver_source")


def test_allowing_a_change_alone_changes_nothing() -> None:
    ours = host(RTX4090, system="debian13", packages=OURS, loaded="580.159.03", loaded_flavour="open")
    assert short(ours, driver_allow_change=True) == short(ours) == short(ours, driver_branch="580")
    assert short(ours, driver_branch="595", driver_allow_change=True) == "nvidia 595 open"


def test_a_driver_that_does_not_serve_a_gpu_is_not_called_working() -> None:
    old = dict.fromkeys(("nvidia-driver-cuda", "nvidia-kernel-open-dkms"), "535.183.01-1")
    five = host(RTX5090, system="debian12", packages=old, loaded="535.183.01", loaded_flavour="open")
    error = refused(five)
    assert error.rung == "driver_branch" and "RTX 5090" in str(error.reason)
    assert short(five, driver_allow_change=True) == "nvidia 580 open"
    closed = host(RTX5090, loaded="580.159.03", loaded_flavour="proprietary")
    assert refused(closed).rung == "driver_modules"


# --- headers


def test_headers_for_the_running_and_the_next_kernel() -> None:
    both = host(RTX4090, kernel="6.8.0-87-generic", kernel_newest="6.8.0-90-generic")
    assert plan(both).headers == ("linux-headers-6.8.0-87-generic", "linux-headers-6.8.0-90-generic")
    assert plan(both, driver_source="distribution").headers == ()
    red = host(RTX4090, system="rhel9", kernel_newest="5.14.0-611.el9.x86_64")
    assert plan(red).headers == ("kernel-devel-5.14.0-570.el9.x86_64", "kernel-devel-5.14.0-611.el9.x86_64")
    assert plan(host(RTX4090, own_kernel=False)).headers == ()
    assert plan(host(RTX4090, kernel=None)).headers == ()
