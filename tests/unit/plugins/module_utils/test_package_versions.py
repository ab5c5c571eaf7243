# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._package_versions import (
    EVR_KEY,
    NAME,
    compare_evr,
    dpkg_installed,
    madison,
    prefers_dnf,
    repoquery,
    rpm_installed,
    without_zero,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(NAME, fullmatch=True)
DEB = st.from_regex(r"(?:[1-9]:)?[0-9][A-Za-z0-9.+~]{0,8}-[0-9][a-z0-9]{0,3}", fullmatch=True)
RPM = st.from_regex(r"(?:[1-9]:)?[0-9][A-Za-z0-9.+~^]{0,8}-[0-9][a-z0-9.]{0,6}", fullmatch=True)
OFFERS = st.dictionaries(NAMES, st.lists(DEB, unique=True, max_size=4), max_size=4)

MADISON = """\
nvidia-open | 580.178.04-1 | https://mirror.example.org/ubuntu2404/x86_64  Packages
nvidia-open | 580.159.03-1 | https://mirror.example.org/ubuntu2404/x86_64  Packages
nvidia-open | 580.159.03-1 | file:/srv/repo ./ Packages
      dkms | 3.0.10-8 | http://archive.example.org/debian bookworm/main amd64 Packages
      dkms | 3.0.10-8 | http://archive.example.org/debian bookworm/main Sources
      dkms | 3.9-1 | http://archive.example.org/debian bookworm/main Sources
"""
REPOQUERY = """\
nvidia-open|3:580.95.05-1.el9|x86_64

nvidia-open|3:580.178.04-1.el9|x86_64
nvidia-open|3:580.178.04-1.el9|i686
kernel-devel|0:5.14.0-570.el9|x86_64
cuda-drivers|0:1-1|noarch
"""


def test_madison() -> None:
    assert madison(MADISON, ["nvidia-open", "dkms", "unknown"]) == {
        "nvidia-open": ["580.178.04-1", "580.159.03-1"],
        "dkms": ["3.0.10-8"],
        "unknown": [],
    }


@given(OFFERS)
def test_madison_keeps_what_apt_says_in_its_order(offers: dict[str, list[str]]) -> None:
    lines = [f"{name:>12} | {v} | http://x.example y/z amd64 Packages" for name, vs in offers.items() for v in vs]
    assert madison("\n".join(lines), offers) == offers


@given(st.text(), st.lists(NAMES, max_size=3))
def test_madison_and_repoquery_take_any_text(text: str, names: list[str]) -> None:
    assert set(madison(text, names)) == set(repoquery(text, names, "x86_64")) == set(names)
    dpkg_installed(text)
    rpm_installed(text, "x86_64")


def test_repoquery_sorts_and_leaves_other_architectures_out() -> None:
    assert repoquery(REPOQUERY, ["nvidia-open", "kernel-devel", "cuda-drivers", "unknown"], "x86_64") == {
        "nvidia-open": ["3:580.178.04-1.el9", "3:580.95.05-1.el9"],
        "kernel-devel": ["5.14.0-570.el9"],
        "cuda-drivers": ["1-1"],
        "unknown": [],
    }


@given(st.lists(RPM, unique=True, max_size=6), st.randoms())
def test_repoquery_does_not_depend_on_the_order(versions: list[str], random: object) -> None:
    def read(order: list[str]) -> list[str]:
        return repoquery("".join(f"a|{version}|noarch\n" for version in order), ["a"], "x86_64")["a"]

    found = read(versions)
    keys = [EVR_KEY(version) for version in found]
    assert sorted(found) == sorted({without_zero(version) for version in versions})
    assert all(not one < other for one, other in zip(keys, keys[1:]))
    again = [EVR_KEY(version) for version in read(versions[::-1])]
    assert all(not one < other and not other < one for one, other in zip(keys, again))


# pairs of rpm's own rules (rpm-version(7)): digits beat letters, ~ sorts before the end, ^ after it
@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("580.95.05-1", "580.159.03-1"),
        ("580.9-1", "580.10-1"),
        ("595.1-1", "1:580.1-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0-1", "1.0^git1-1"),
        ("1.0^git1-1", "1.0.1-1"),
        ("1.0-1.el9", "1.0-2.el8"),
        ("1.a-1", "1.1-1"),
        ("1.0-1", "1.0a-1"),
        ("1.0", "1.0-1"),
    ],
)
def test_order_of_rpm_versions(lower: str, higher: str) -> None:
    assert compare_evr(lower, higher) == -1 and compare_evr(higher, lower) == 1


@pytest.mark.parametrize(("one", "other"), [("1.05-1", "1.5-1"), ("0:1-1", "1-1"), ("1_0-1", "1.0-1")])
def test_equal_rpm_versions(one: str, other: str) -> None:
    assert compare_evr(one, other) == 0


@given(RPM, RPM, RPM)
def test_the_order_is_total(a: str, b: str, c: str) -> None:
    assert compare_evr(a, b) == -compare_evr(b, a) and compare_evr(a, a) == 0
    if compare_evr(a, b) <= 0 and compare_evr(b, c) <= 0:
        assert compare_evr(a, c) <= 0


def test_installed() -> None:
    text = "a|installed|1-1\nb|config-files|2\nc|half-configured|3\nd|not-installed|\n"
    assert dpkg_installed(text) == {"a": "1-1"}
    text = "kernel-devel|0:5.14.0-1|x86_64\nkernel-devel|0:5.14.0-9|x86_64\npackage x is not installed\nb|3:2-1|i686\n"
    assert rpm_installed(text, "x86_64") == {"kernel-devel": "5.14.0-9"}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', True),
        ("ID=fedora\n", True),
        ("ID=debian\n", False),
        ("ID=ubuntu\nID_LIKE=debian\n", False),
        ("", False),
    ],
)
def test_family(text: str, answer: bool) -> None:
    assert prefers_dnf(text) is answer
