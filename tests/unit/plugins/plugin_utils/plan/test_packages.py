# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources, repositories and names of packages."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import installed, packages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import Offer
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from hosts_made import host

SOURCES = load("driver_sources")


def offer(system: str, source: str, **changes: Any) -> Offer:
    return packages.offers(host(system=system, **changes))[source]


def all_offers() -> Iterator[Offer]:
    for system, rows in SOURCES["systems"].items():
        for source, row in rows.items():
            yield Offer(source, system, row)


# --- the table


def test_the_table_says_where_it_is_from() -> None:
    assert "http" in SOURCES["source"] and re.fullmatch(r"\d{4}-\d{2}-\d{2}", SOURCES["date"])


def test_every_row_points_at_what_there_is() -> None:
    branches = tables.table("drivers")["branches"]
    for found in all_offers():
        assert found.row["names"] in SOURCES["names"], found
        assert set(found.row.get("versions", {})) <= set(found.branches)
        assert set(found.row.get("broken", ())) <= set(found.branches)
        assert found.branches and set(found.branches) <= set(branches), found
        if found.source == "nvidia":
            assert found.row["key"] in SOURCES["keys"] and found.row["folder"]
        for version in found.row.get("versions", {}).values():
            assert tables.branch_of(version) in found.branches
    for fingerprints in SOURCES["keys"].values():
        assert all(re.fullmatch(r"[0-9A-F]{40}", one) for one in fingerprints)


def test_a_fingerprint_ends_with_the_name_of_its_key() -> None:
    for file, fingerprints in SOURCES["keys"].items():
        assert all(one.endswith(file.removesuffix(".pub").upper()) for one in fingerprints), file


def test_every_branch_has_names_for_every_flavour_that_is_offered() -> None:
    for found in all_offers():
        for branch in found.branches:
            for modules in found.flavours(branch):
                for kernel in ("generic", None):
                    names = found.packages(branch, modules, kernel)
                    assert names and all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in names), names
                    assert any(installed.is_kernel(name) for name in names), names
                    assert installed.flavour(dict.fromkeys(names, "")) == modules, names


def test_globs_of_a_hold_end_with_the_only_wildcard() -> None:
    assert [glob for glob in packages.pinned() if not re.fullmatch(r"[A-Za-z0-9-]+\*", glob)] == []


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-driver-cuda",
        "nvidia-driver-pinning-580",
        "libnvidia-compute-580",
        "libnvidia-ml1",
        "libcuda1",
        "nvidia-fabricmanager-580",
        "libnvidia-nscq-580",
        "nvidia-persistenced",
        "nvidia-modprobe",
        "nvidia-settings",
        "nvidia-firmware-580-580.95.05",
        "firmware-nvidia-gsp",
        "nvidia-compute-utils-580-server",
        "linux-modules-nvidia-580-server-open-generic",
        "kmod-nvidia-open-dkms",
        "nvidia-kmod-common",
        "nvidia-imex",
        "libnvsdm",
        "cuda-drivers-580",
    ],
)
def test_the_whole_set_is_held(name: str) -> None:
    assert any(name.startswith(glob.removesuffix("*")) for glob in packages.pinned())


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-container-toolkit",
        "libnvidia-container1",
        "nvidia-docker2",
        "cuda-toolkit-13-0",
        "linux-image-generic",
        "nvlsm",
    ],
)
def test_nothing_else_is_held(name: str) -> None:
    assert not any(name.startswith(glob.removesuffix("*")) for glob in packages.pinned())


# --- names


@pytest.mark.parametrize(
    ("system", "source", "branch", "modules", "kernel", "expected"),
    [
        (
            "ubuntu24.04",
            "nvidia",
            580,
            "open",
            None,
            "nvidia-headless-no-dkms-580-open nvidia-dkms-580-open nvidia-utils-580",
        ),
        (
            "ubuntu24.04",
            "nvidia",
            590,
            "open",
            None,
            "nvidia-headless-no-dkms-open nvidia-dkms-open nvidia-persistenced",
        ),
        (
            "ubuntu24.04",
            "nvidia",
            580,
            "proprietary",
            None,
            "nvidia-headless-no-dkms-580 nvidia-dkms-580 nvidia-utils-580",
        ),
        (
            "ubuntu24.04",
            "distribution",
            580,
            "open",
            "aws",
            "linux-modules-nvidia-580-server-open-aws nvidia-headless-no-dkms-580-server-open nvidia-utils-580-server",
        ),
        (
            "ubuntu22.04",
            "distribution",
            535,
            "proprietary",
            None,
            "nvidia-dkms-535-server nvidia-headless-no-dkms-535-server nvidia-utils-535-server",
        ),
        ("debian13", "nvidia", 595, "open", None, "nvidia-driver-cuda nvidia-kernel-open-dkms nvidia-persistenced"),
        ("debian12", "nvidia", 535, "proprietary", None, "nvidia-driver-cuda nvidia-kernel-dkms nvidia-persistenced"),
        ("rhel9", "nvidia", 580, "open", None, "nvidia-driver-cuda kmod-nvidia-open-dkms nvidia-persistenced"),
        ("rhel9", "nvidia", 580, "proprietary", None, "nvidia-driver-cuda kmod-nvidia-latest-dkms nvidia-persistenced"),
    ],
)
def test_names(system: str, source: str, branch: int, modules: str, kernel: str | None, expected: str) -> None:
    assert offer(system, source).packages(branch, modules, kernel) == tuple(expected.split())


def test_the_tesla_packages_of_debian_13_are_proprietary() -> None:
    found = offer("debian13", "distribution")
    assert found.flavours(535) == ("proprietary",) and found.packages(535, "proprietary", None)[0].startswith(
        "nvidia-tesla-535"
    )
    assert found.flavours(550) == ("open", "proprietary")


def test_flavours_of_the_first_and_the_last_branches() -> None:
    found = offer("rhel9", "nvidia")
    assert found.flavours(510) == ("proprietary",)
    assert found.flavours(620) == ("open",)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("6.8.0-87-generic", "generic"),
        ("6.17.0-40-generic", "generic-hwe-24.04"),
        ("6.17.0-40-generic-64k", "generic-64k-hwe-24.04"),
        ("6.8.0-1030-aws", "aws"),
        ("6.14.0-1010-nvidia", "nvidia"),
        ("6.18.5-custom", None),
        ("6.12.107+deb13-amd64", None),
        (None, "generic"),
    ],
)
def test_the_flavour_of_ubuntus_kernel(kernel: str | None, expected: str | None) -> None:
    machine = host(kernel=kernel)
    assert packages.kernel_flavour(machine, packages.offers(machine)["distribution"]) == expected


def test_the_kernel_that_boots_next_decides() -> None:
    machine = host(kernel="6.8.0-87-generic", kernel_newest="6.17.0-40-generic")
    assert packages.kernel_flavour(machine, packages.offers(machine)["distribution"]) == "generic-hwe-24.04"


def test_pinning_packages_are_of_the_branch_or_the_version() -> None:
    assert offer("ubuntu24.04", "nvidia").optional(595, "") == ("nvidia-driver-pinning-595",)
    assert offer("debian12", "nvidia").optional(580, "580.159.03") == ("nvidia-driver-pinning-580.159.03",)
    assert offer("debian12", "nvidia").optional(570, "") == ()
    assert offer("rhel9", "nvidia").optional(580, "") == ()
    assert offer("ubuntu24.04", "distribution").optional(580, "") == ()


# --- repositories


@pytest.mark.parametrize(
    ("system", "arch", "folder", "key", "kind"),
    [
        ("ubuntu22.04", "x86_64", "ubuntu2204/x86_64", "3bf863cc.pub", "apt"),
        ("ubuntu24.04", "aarch64", "ubuntu2404/sbsa", "3bf863cc.pub", "apt"),
        ("ubuntu26.04", "x86_64", "ubuntu2604/x86_64", "60DF8A40.pub", "apt"),
        ("debian13", "x86_64", "debian13/x86_64", "8793F200.pub", "apt"),
        ("rhel9", "aarch64", "rhel9/sbsa", "D42D0685.pub", "dnf"),
    ],
)
def test_repositories(system: str, arch: str, folder: str, key: str, kind: str) -> None:
    found = offer(system, "nvidia", arch=arch).repository(arch, "https://mirror.example/cuda/", "", 580, "open")
    assert found is not None
    assert (found.kind, found.folder, found.key_file) == (kind, folder, key)
    assert found.url == f"https://mirror.example/cuda/{folder}"
    assert found.suites == (("/",) if kind == "apt" else ())
    assert all(one.endswith(key.removesuffix(".pub").upper()) for one in found.fingerprints)


def test_a_repository_of_ones_own_takes_the_place_of_nvidias() -> None:
    found = offer("debian13", "nvidia").repository("x86_64", "", "file:///srv/driver", 580, "open")
    assert found is not None and found.url == "file:///srv/driver"
    assert found.base_url.startswith("https://developer.download.nvidia.com")
    assert offer("debian13", "distribution").repository("x86_64", "", "file:///srv/driver", 580, "open") is None


@pytest.mark.parametrize(
    ("version", "modules", "stream"),
    [("9.6", "open", "580-open"), ("8.10", "proprietary", "580-dkms"), ("10.1", "open", None)],
)
def test_streams_are_those_of_dnf_before_10(version: str, modules: str, stream: str | None) -> None:
    found = packages.offers(host(system="rhel9", os_version=version))["nvidia"].repository(
        "x86_64", "", "", 580, modules
    )
    assert found is not None and found.stream == stream


# --- what is installed


@pytest.mark.parametrize(
    ("os_id", "family", "name", "version", "expected"),
    [
        ("ubuntu", "debian", "nvidia-driver-535", "535.183.01-0ubuntu0.24.04.1", "distribution"),
        ("ubuntu", "debian", "linux-modules-nvidia-580-server-open-generic", "6.8.0-87.88", "distribution"),
        ("ubuntu", "debian", "nvidia-driver-580", "580.95.05-0ubuntu1", "nvidia"),
        ("ubuntu", "debian", "nvidia-open", "595.71.05-1ubuntu1", "nvidia"),
        ("ubuntu", "debian", "nvidia-driver-580", "580.95.05-0ubuntu0~gpu24.04.1", "ppa"),
        ("debian", "debian", "nvidia-driver-cuda", "580.159.03-1", "nvidia"),
        ("debian", "debian", "nvidia-kernel-dkms", "535.261.03-1~deb12u1", "distribution"),
        ("debian", "debian", "nvidia-kernel-dkms", "580.159.03-1", "nvidia"),
        ("debian", "debian", "nvidia-tesla-535-kernel-dkms", "535.274.02-1", "distribution"),
        ("rocky", "rhel", "kmod-nvidia-open-dkms", "3:580.95.05-1.el9", "nvidia"),
        ("rocky", "rhel", "akmod-nvidia", "3:580.95.05-1.el9", "ppa"),
        ("rocky", "rhel", "kmod-nvidia", "580.95.05-1.el9", "ppa"),
        ("ubuntu", "debian", "libnvidia-compute-535", "535.183.01-0ubuntu0.24.04.1", None),
        ("ubuntu", "debian", "nvidia-container-toolkit", "1.20.0-1", None),
        ("ubuntu", "debian", "nvidia-driver-pinning-580", "580-1", None),
    ],
)
def test_where_packages_came_from(os_id: str, family: str, name: str, version: str, expected: str | None) -> None:
    assert installed.source({name: version}, os_id, family) == expected


def test_the_branch_that_packages_hold() -> None:
    assert (
        installed.branch({"nvidia-driver-cuda": "3:580.95.05-1.el9", "nvidia-utils-535": "535.183.01-0ubuntu1"})
        == "580"
    )
    assert installed.branch({"linux-modules-nvidia-580-server-open-generic": "6.8.0-87.88"}) is None
    assert installed.branch({"nvidia-container-toolkit": "1.20.0-1", "libnvidia-ml1": "580.95.05-1"}) is None
