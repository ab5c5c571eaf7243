# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of APT."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_conf as parse
from hypothesis import given
from hypothesis import strategies as st

TEXT = """
// a comment; with "quotes"
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1"; # and another
/* Unattended-Upgrade::Package-Blacklist { "no"; }; */
Unattended-Upgrade::Package-Blacklist {
    "nvidia-";
    "libnvidia-"; // why
};
Unattended-Upgrade::Package-Blacklist:: "cuda-";
Acquire { http { Proxy "http://p:3142"; Timeout 10; }; https::Proxy "DIRECT"; };
"""


def test_values_and_lists() -> None:
    found = parse.parse(TEXT)
    assert parse.value(found, "apt::periodic::unattended-upgrade") == "1"
    assert parse.entries(found, "Unattended-Upgrade::Package-Blacklist") == ["nvidia-", "libnvidia-", "cuda-"]
    assert parse.value(found, "Acquire::http::Proxy") == "http://p:3142"
    assert parse.value(found, "Acquire::https::Proxy") == "DIRECT"
    assert parse.value(found, "Acquire::http::Timeout") == "10"
    assert parse.value(found, "nothing") is None


def test_a_later_file_wins_and_clear_empties() -> None:
    found = parse.parse(TEXT)
    parse.parse('APT::Periodic::Unattended-Upgrade "0";\n#clear Unattended-Upgrade::Package-Blacklist;\n', found)
    assert parse.value(found, "APT::Periodic::Unattended-Upgrade") == "0"
    assert parse.entries(found, "Unattended-Upgrade::Package-Blacklist") == []


@given(st.one_of(st.text(), st.text(alphabet='a:{};"/*# \n\\')))
def test_no_text_makes_it_raise(text: str) -> None:
    parse.parse(text)
