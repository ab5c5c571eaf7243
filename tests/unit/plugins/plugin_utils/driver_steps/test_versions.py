# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One version for the whole set."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps.versions import (
    Set,
    asked,
    choose,
    companions,
    installed_version,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import driver_version
from hypothesis import given
from hypothesis import strategies as st

OFFER = {
    "nvidia-open": ["595.71.05-1", "580.178.04-1", "580.159.03-1"],
    "nvidia-fabricmanager": ["595.71.05-1", "580.159.03-1"],
    "nvidia-driver-pinning-580": ["580-1"],
    "linux-headers-6.1.0-50-amd64": ["6.1.170-1"],
}


def pick(names: list[str], installed: Mapping[str, str] | None = None, manager: str = "apt", **wanted: str) -> Set:
    full = {"branch": "", "version": "", "keep": "", "manager": manager, **wanted}
    return choose(OFFER, names, full, installed or {})


@pytest.mark.parametrize(
    ("package", "driver"),
    [
        ("580.159.03-1", "580.159.03"),
        ("1:535.261.03-1~deb12u1", "535.261.03"),
        ("3:580.159.03-1.el9", "580.159.03"),
        ("580.159.03-0ubuntu0.24.04.1", "580.159.03"),
        ("565.77-1", "565.77"),
        ("580-1", None),
        ("6.8.0-87.88", None),
        ("12.575.57.08-1", None),
        ("", None),
    ],
)
def test_the_drivers_version_in_that_of_a_package(package: str, driver: str | None) -> None:
    assert driver_version(package) == driver


def test_the_newest_version_that_all_packages_have() -> None:
    chosen = pick(["nvidia-open", "nvidia-fabricmanager"], branch="580")
    assert chosen.version == "580.159.03", "580.178.04 has no fabric manager"
    assert chosen.specs == ("nvidia-open=580.159.03-1", "nvidia-fabricmanager=580.159.03-1")


def test_without_fabric_manager_the_newest_of_the_branch() -> None:
    assert pick(["nvidia-open"], branch="580").version == "580.178.04"


def test_packages_with_versions_of_their_own_do_not_decide() -> None:
    chosen = pick(["nvidia-open", "nvidia-driver-pinning-580", "linux-headers-6.1.0-50-amd64"], branch="580")
    assert chosen.specs == ("nvidia-open=580.178.04-1", "nvidia-driver-pinning-580", "linux-headers-6.1.0-50-amd64")


def test_what_is_installed_stays_although_it_is_gone_from_the_repository() -> None:
    chosen = pick(["nvidia-open"], {"nvidia-open": "580.126.09-1"}, branch="580", keep="580.126.09")
    assert chosen.specs == ("nvidia-open=580.126.09-1",)


def test_a_part_that_is_missing_of_the_installed_version_is_no_reason_to_upgrade() -> None:
    names = ["nvidia-open", "nvidia-fabricmanager"]
    chosen = pick(names, {"nvidia-open": "580.178.04-1"}, branch="580", keep="580.178.04")
    assert not chosen.specs
    assert "missing are nvidia-fabricmanager." in chosen.error and "595.71.05, 580.159.03" in chosen.error


def test_a_version_that_is_gone_names_what_there_is() -> None:
    chosen = pick(["nvidia-open"], version="580.95.05")
    assert "580.95.05" in chosen.error and "580.178.04" in chosen.error and not chosen.specs


def test_missing_headers_are_said_as_such() -> None:
    assert "headers of this kernel" in pick(["nvidia-open", "linux-headers-6.18.5"], branch="580").error


def test_a_missing_package_names_it() -> None:
    chosen = pick(["nvidia-open", "nvlsm"], branch="580")
    assert "nvlsm" in chosen.error and chosen.missing == ("nvlsm",)


def test_dnf_names_epoch_and_release() -> None:
    offer = {"nvidia-open": ["3:580.159.03-1.el9"]}
    wanted = {"branch": "580", "version": "", "keep": "", "manager": "dnf"}
    assert choose(offer, ["nvidia-open"], wanted, {}).specs == ("nvidia-open-3:580.159.03-1.el9",)


def test_what_may_come_along_comes_only_where_it_is_offered() -> None:
    full = {
        "branch": "580",
        "version": "",
        "keep": "",
        "manager": "apt",
        "optional": ["nvidia-driver-pinning-580", "x"],
    }
    chosen = choose(OFFER, ["nvidia-open"], full, {})
    assert chosen.specs == ("nvidia-open=580.178.04-1", "nvidia-driver-pinning-580")


def test_an_old_mirror_is_said_and_a_named_version_is_taken() -> None:
    full = {"branch": "580", "version": "", "keep": "", "manager": "apt", "min_version": "580.200.01"}
    assert "580.200.01 or newer" in choose(OFFER, ["nvidia-open"], full, {}).error
    assert choose(OFFER, ["nvidia-open"], {**full, "version": "580.178.04"}, {}).version == "580.178.04"


def test_components_that_are_off_are_named() -> None:
    full = {"branch": "535", "version": "", "keep": "", "manager": "apt", "components": ["contrib", "non-free"]}
    assert "components contrib non-free" in choose(OFFER, ["nvidia-smi"], full, {}).error


VERSION = st.sampled_from(
    ["580.126.09-1", "580.159.03-1", "580.178.04-1", "595.71.05-1", "580-1", "3:570.211.01-1.el9"]
)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(VERSION, max_size=4), max_size=4),
    st.dictionaries(st.sampled_from("abcd"), VERSION, max_size=3),
    st.sampled_from(["", "580", "595"]),
    st.sampled_from(["", "580.159.03"]),
)
def test_a_set_is_of_one_version_or_refused(
    candidates: dict[str, list[str]], installed: dict[str, str], branch: str, version: str
) -> None:
    wanted = {"branch": branch, "version": version, "keep": "", "manager": "apt"}
    chosen = choose(candidates, sorted(candidates), wanted, installed)
    if chosen.error:
        assert not chosen.specs
        return
    found = {driver_version(spec.partition("=")[2]) for spec in chosen.specs if "=" in spec}
    assert found <= {chosen.version}
    if branch and not version and chosen.version:
        assert chosen.version.startswith(branch)


def test_what_debian_versions_apart_neither_decides_nor_stops() -> None:
    offer = {
        "nvidia-smi": ["535.261.03-1"],
        "nvidia-persistenced": ["535.171.04-1"],
        "nvidia-modprobe": ["535.261.03-1"],
    }
    full = {"branch": "535", "version": "", "keep": "", "manager": "apt"}
    chosen = choose(offer, list(offer), full, {})
    assert chosen.specs == ("nvidia-smi=535.261.03-1", "nvidia-persistenced", "nvidia-modprobe=535.261.03-1")
    assert installed_version(list(offer), {name: versions[0] for name, versions in offer.items()}) == "535.261.03"


def test_headers_of_rhel_are_versions_of_one_package() -> None:
    names = ["nvidia-driver-cuda", "kernel-devel-5.14.0-611.5.1.el9_7.x86_64"]
    assert asked(names) == ["nvidia-driver-cuda", "kernel-devel"]
    offer = {"nvidia-driver-cuda": ["3:580.159.03-1.el9"], "kernel-devel": ["5.14.0-611.5.1.el9_7"]}
    full = {"branch": "580", "version": "", "keep": "", "manager": "dnf"}
    assert choose(offer, names, full, {}).specs == ("nvidia-driver-cuda-3:580.159.03-1.el9", names[1])
    assert "headers" in choose({**offer, "kernel-devel": ["5.14.0-9.el9"]}, names, full, {}).error


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["libnvidia-nscq", "nvidia-fabricmanager", "nvidia-driver-cuda"], ["libnvidia-nscq"]),
        (
            ["libnvsdm", "nvidia-imex", "nvidia-fabric-manager-devel"],
            ["libnvsdm", "nvidia-fabric-manager-devel", "nvidia-imex"],
        ),
        # the names of another branch are other packages
        (["libnvidia-nscq-570", "libnvidia-nscq-580", "nvidia-imex-570"], ["libnvidia-nscq-580"]),
        (["nvidia-settings", "libnvidia-ml1", "nvidia-container-toolkit", "nvlsm"], []),
        ([], []),
    ],
)
def test_parts_that_belong_to_the_set_without_a_wish(installed: list[str], expected: list[str]) -> None:
    assert companions(installed, "580", ["nvidia-fabricmanager"]) == expected
