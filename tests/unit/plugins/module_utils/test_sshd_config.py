# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fnmatch

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _sshd_config
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_config import Tree
from hypothesis import given
from hypothesis import strategies as st

MAIN = "/etc/ssh/sshd_config"
OURS = "/etc/ssh/sshd_config.d/00-gpuready.conf"
CLOUD = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
FILES = {
    MAIN: b"# comment\nInclude /etc/ssh/sshd_config.d/*.conf\nPort = 22\nMatch User bob\n PasswordAuthentication yes\n",
    CLOUD: b"PasswordAuthentication yes\n",
}


def tree(files: dict[str, bytes], overlay: dict[str, bytes | None] | None = None) -> Tree:
    return Tree(MAIN, files.get, lambda pattern: [f for f in files if fnmatch.fnmatch(f, pattern)], overlay)


def test_the_first_setting_wins_and_ours_sorts_first() -> None:
    found = tree(FILES).first("passwordauthentication")
    assert found is not None and found.path == CLOUD
    found = tree(FILES, {OURS: b"passwordauthentication no\n"}).first("passwordauthentication")
    assert found is not None and (found.path, found.value) == (OURS, "no")
    assert (
        tree({**FILES, OURS: b"PasswordAuthentication no\n"}, {OURS: None}).first("passwordauthentication") is not None
    )


def test_a_match_block_is_an_exception_and_ends_with_its_file() -> None:
    files = {**FILES, CLOUD: b"Match Group x\nX11Forwarding no\n"}
    lines = tree(files).exceptions({"x11forwarding", "passwordauthentication", "port"})
    assert [(line.place, line.match) for line in lines] == [(f"{CLOUD}:2", "Group x"), (f"{MAIN}:5", "User bob")]
    port = tree(files).first("port")
    assert port is not None and port.value == "22"


@pytest.mark.parametrize(
    ("main", "reads"),
    [
        (b"Include /etc/ssh/sshd_config.d/*.conf\n", True),
        (b'include "/etc/ssh/other/*" sshd_config.d/*.conf\n', True),
        (b"#Include /etc/ssh/sshd_config.d/*.conf\n", False),
        (b"Include /etc/ssh/sshd_config.d/*/*.conf\n", False),
        (b"Match User bob\nInclude /etc/ssh/sshd_config.d/*.conf\n", False),
    ],
)
def test_whether_drop_ins_are_read(main: bytes, reads: bool) -> None:
    assert tree({MAIN: main}).reads(OURS) is reads


def test_copies_say_the_same_elsewhere() -> None:
    overlay: dict[str, bytes | None] = {OURS: b"Port 22\n"}
    found = tree(FILES, overlay)
    copies = found.copies("/tmp/x")
    lines = copies["/tmp/x/0"].decode().splitlines()
    assert lines[1] == "Include /tmp/x/1 /tmp/x/2" and len(lines) == 5
    assert copies["/tmp/x/1"] == b"Port 22\n"
    assert found.real_names("/tmp/x/2 line 1: Bad", "/tmp/x") == f"{CLOUD} line 1: Bad"


@given(st.text(max_size=200))
def test_any_main_file_is_read_and_copied(text: str) -> None:
    content = text.encode("utf-8", "replace")
    copies = tree({MAIN: content}).copies("/tmp/x")
    plain = [line for line in content.decode().split("\n") if "include" not in line.lower()]
    assert set(plain) <= set(copies["/tmp/x/0"].decode().split("\n"))


def test_an_include_of_itself_ends() -> None:
    assert tree({MAIN: f"Include {MAIN}\nPort 22\n".encode()}).first("port") is not None


@pytest.mark.parametrize(
    ("wanted", "printed", "missed"),
    [
        ({"PermitRootLogin": ["prohibit-password"]}, "permitrootlogin without-password", []),
        ({"PasswordAuthentication": ["no"]}, "passwordauthentication yes", ["PasswordAuthentication"]),
        ({"Port": ["22", "2222"]}, "port 2222\nport 22", []),
        ({"Port": ["2222"]}, "port 2222\nport 22", ["Port"]),
        ({"AllowUsers": ["ada bob"]}, "allowusers bob\nallowusers ada", []),
        ({"AllowUsers": ["ada"]}, "allowusers bob\nallowusers ada", ["AllowUsers"]),
        ({"ClientAliveInterval": ["2m"]}, "clientaliveinterval 120", []),
        ({"Ciphers": ["+3des-cbc"]}, "ciphers a,b", []),
    ],
)
def test_what_has_not_come_in_force(wanted: dict[str, list[str]], printed: str, missed: list[str]) -> None:
    assert _sshd_config.unreached(wanted, _sshd_config.effective(printed)) == missed


def test_old_releases_have_other_names() -> None:
    settings = {"KbdInteractiveAuthentication": ["no"], "Port": ["22", "2222"]}
    old = _sshd_config.render(settings, _sshd_config.version("OpenSSH_8.2p1 Ubuntu-4ubuntu0.11, OpenSSL 1.1.1f"))
    assert old.splitlines()[1:] == ["ChallengeResponseAuthentication no", "Port 22", "Port 2222"]
    assert "KbdInteractiveAuthentication no" in _sshd_config.render(settings, (9, 2))
    assert _sshd_config.version("dropbear") == (0, 0)
