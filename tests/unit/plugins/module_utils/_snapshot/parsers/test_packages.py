# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dpkg and rpm lists."""

from __future__ import annotations

import time

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import packages as parse
from hypothesis import given
from hypothesis import strategies as st


def stanza(name: str, version: str, status: str = "install ok installed", arch: str = "amd64") -> str:
    return f"Package: {name}\nStatus: {status}\nArchitecture: {arch}\nVersion: {version}\nDescription: x\n long\n"


NAMES = st.from_regex(r"(nvidia|docker|cuda|bash|vim)-[a-z0-9]{1,6}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9]{1,3}\.[0-9]{1,3}(-[0-9a-z+~.]{1,5})?", fullmatch=True)


@given(st.dictionaries(NAMES, VERSIONS))
def test_every_wanted_package_is_found_and_no_other(packages: dict[str, str]) -> None:
    text = "\n".join(stanza(name, version) for name, version in packages.items())
    wanted = {name: version for name, version in packages.items() if not name.startswith(("bash", "vim"))}
    assert parse.dpkg_status(text) == {"installed": wanted, "broken": [], "holds": []}


@given(st.text())
def test_no_text_makes_the_parsers_raise(text: str) -> None:
    parse.dpkg_status(text)
    parse.rpm_list(text)


def test_states() -> None:
    text = "\n".join(
        [
            stanza("docker.io", "1", "deinstall ok config-files"),
            stanza("vim", "1", "install ok half-configured"),
            stanza("bash", "1", "install reinstreq installed"),
            stanza("nvidia-driver-535", "535.1", "hold ok installed"),
            stanza("cuda-drivers", "1", "install ok unpacked"),
            stanza("gnupg", "2.4", "install ok triggers-pending"),
        ]
    )
    assert parse.dpkg_status(text) == {
        "installed": {"nvidia-driver-535": "535.1"},
        "broken": ["bash", "cuda-drivers", "gnupg", "vim"],
        "holds": ["nvidia-driver-535"],
    }


def test_a_32_bit_library_does_not_hide_the_native_one() -> None:
    native, foreign = stanza("libnvidia-gl", "2"), stanza("libnvidia-gl", "1", arch="i386")
    for text in (f"{native}\n{foreign}", f"{foreign}\n{native}"):
        assert parse.dpkg_status(text)["installed"] == {"libnvidia-gl": "2"}


def test_a_large_database_is_quick() -> None:
    filler = "Conffiles:\n" + "".join(f" /etc/x/{number} 0123456789abcdef\n" for number in range(30))
    text = "\n".join(stanza(f"pkg{number}", "1") + filler for number in range(4000)) + "\n" + stanza("runc", "1.2")
    began = time.process_time()
    assert parse.dpkg_status(text)["installed"] == {"runc": "1.2"}
    assert time.process_time() - began < 0.5


def test_rpm_names_and_epochs() -> None:
    text = "docker-ce\t3:29.2.1-1.el9\nbash\t0:5\nnvidia-driver\t(none):580-1\nbroken line\n"
    assert parse.rpm_list(text) == {"docker-ce": "3:29.2.1-1.el9", "nvidia-driver": "580-1"}


@given(st.text())
def test_no_text_makes_the_parsers_of_dnf_raise(text: str) -> None:
    parse.versionlock(text)
    parse.ini(text, "main", "exclude")
    assert all(parse.module_streams(text).values())


def test_values_of_dnf() -> None:
    text = "[main]\nexclude=a\n# exclude=b\n[other]\nexclude=c\n[main]\nExclude = d e\n"
    assert parse.ini(text, "main", "exclude") == "d e"
    assert parse.ini(text, "main", "missing") is None


def test_packages_that_decisions_need() -> None:
    for name in (
        "nvidia-driver-580",
        "libnvidia-compute-580",
        "cuda-drivers",
        "libcuda1",
        "linux-modules-nvidia-580-open-generic",
    ):
        assert parse.wanted(name), name
    for name in (
        "docker.io",
        "podman",
        "cri-o",
        "cri-o1.30",
        "docker-ce-rootless-extras",
        "docker-ce",
        "containerd.io",
        "podman-docker",
        "runc",
        "kmod-nvidia-open-dkms",
        "dkms",
    ):
        assert parse.wanted(name), name
    for name in ("vim", "libc6", "python3"):
        assert not parse.wanted(name), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[nvidia-driver]\nname=nvidia-driver\nstream=580-open\nprofiles=\nstate=enabled\n",
            {"nvidia-driver": "580-open"},
        ),
        ("[nvidia-driver]\nstream=latest-dkms\nstate=1\n", {"nvidia-driver": "latest-dkms"}),
        ("[nvidia-driver]\nstream=580-open\nstate=disabled\n", {}),
        ("[nvidia-driver]\nstream=\nstate=\n", {}),
        ("[a]\nstream=1\nstate=enabled\n[B]\nstream=2\nstate=enabled\n", {"a": "1", "B": "2"}),
        ("stream=580\nstate=enabled\n", {}),
    ],
)
def test_streams(text: str, expected: dict[str, str]) -> None:
    assert parse.module_streams(text) == expected
