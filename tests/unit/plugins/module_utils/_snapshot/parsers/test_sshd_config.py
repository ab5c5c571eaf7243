# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd's settings, asked and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import sshd_config
from hypothesis import given
from hypothesis import strategies as st

# the lines that matter, as OpenSSH 10.0 writes them
DUMP = """port 22
usepam yes
permitrootlogin without-password
passwordauthentication yes
kbdinteractiveauthentication no
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
hostkey /etc/ssh/ssh_host_rsa_key
hostkey /etc/ssh/ssh_host_ed25519_key
authenticationmethods any
setenv PATH=/opt/venv/bin:/usr/bin
setenv NOTE=a b
"""


def files(**texts: str) -> Callable[[str], str]:
    return lambda path: texts[Path(path).name]


def test_a_dump() -> None:
    found = sshd_config.sshd_dump(DUMP)
    assert found["hostkey"] == ["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ed25519_key"]
    assert found["setenv"] == ["PATH=/opt/venv/bin:/usr/bin", "NOTE=a b"]
    assert found["authorizedkeysfile"] == [".ssh/authorized_keys", ".ssh/authorized_keys2"]
    assert sshd_config.sshd_summary(found) == {
        "permit_root_login": "prohibit-password",
        "password_authentication": True,
    }


def test_the_text_of_a_file() -> None:
    text = """
# PermitRootLogin yes
PermitRootLogin no
PermitRootLogin yes
PasswordAuthentication=no
SetEnv "PATH=/opt/venv/bin:/usr/bin" "LANG=C.UTF-8"
SetEnv LATE=1
HostKey /a
HostKey /b
Match User root
    PasswordAuthentication yes
    PermitRootLogin yes
Match all
    UsePAM yes
"""
    found = sshd_config.sshd_text("/x/main", files(main=text))
    assert found["permitrootlogin"] == ["no"]
    assert found["passwordauthentication"] == ["no"]
    assert found["setenv"] == ["PATH=/opt/venv/bin:/usr/bin", "LANG=C.UTF-8"]
    assert (found["hostkey"], found["usepam"]) == (["/a", "/b"], ["yes"])


def test_included_files_come_first_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "10-cloud.conf").write_text("PasswordAuthentication yes\n")
    (tmp_path / "00-ours.conf").write_text("PasswordAuthentication no\nInclude /none/*.conf\n")
    (tmp_path / "main").write_text(f"Include {tmp_path}/*.conf\nPasswordAuthentication yes\nPermitRootLogin yes\n")
    found = sshd_config.sshd_text(str(tmp_path / "main"), lambda path: Path(path).read_text())
    assert (found["passwordauthentication"], found["permitrootlogin"]) == (["no"], ["yes"])


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "main").write_text(f"Include {tmp_path}/main\nPermitRootLogin no\n")
    found = sshd_config.sshd_text(str(tmp_path / "main"), lambda path: Path(path).read_text())
    assert found["permitrootlogin"] == ["no"]


@pytest.mark.parametrize(
    ("text", "root", "password"),
    [
        ("", "prohibit-password", True),
        ("PermitRootLogin yes", "yes", True),
        ("PasswordAuthentication no", "prohibit-password", False),
        # PAM still asks for one
        ("PasswordAuthentication no\nUsePAM yes", "prohibit-password", True),
        ("PasswordAuthentication no\nUsePAM yes\nKbdInteractiveAuthentication no", "prohibit-password", False),
        ("PasswordAuthentication no\nUsePAM yes\nChallengeResponseAuthentication no", "prohibit-password", False),
        ("AuthenticationMethods publickey", "prohibit-password", False),
        ("AuthenticationMethods publickey publickey,password", "prohibit-password", True),
        ("AuthenticationMethods any", "prohibit-password", True),
    ],
)
def test_who_gets_in(text: str, root: str, password: bool) -> None:
    found = sshd_config.sshd_summary(sshd_config.sshd_text("/x/main", files(main=text)))
    assert found == {"permit_root_login": root, "password_authentication": password}


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    sshd_config.sshd_summary(sshd_config.sshd_dump(text))
    text = text.replace("nclude", "")
    sshd_config.sshd_summary(sshd_config.sshd_text("/x/main", lambda _path: text))
