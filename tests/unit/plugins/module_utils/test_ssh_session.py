# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import Account, Session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_config import effective
from hypothesis import given
from hypothesis import strategies as st

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
FINGERPRINT = "SHA256:RXm/ruZ0eTzRXKwi1AQEDynB0VgHQ2ac9KPSFdf/YnA"
BASE = "pubkeyauthentication yes\npasswordauthentication no\nauthorizedkeysfile .ssh/authorized_keys\nstrictmodes yes\n"


def session(method: str = "publickey", fingerprint: str = FINGERPRINT) -> Session:
    return Session("ada", "192.0.2.7", "5000", "192.0.2.1", "22", method, fingerprint)


@pytest.fixture
def ada(tmp_path: Path) -> Account:
    """An account with one key, in the modes that sshd wants."""
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "authorized_keys").write_text(KEY + "\n")
    (folder / "authorized_keys").chmod(0o600)
    tmp_path.chmod(0o755)
    return Account("ada", os.getuid() or 1000, str(tmp_path), ["ada", "gpu"], False)


def refusal(settings: str, who: Account, by: Session | None = None) -> str:
    return _ssh_session.refusal({**effective(BASE), **effective(settings)}, by or session(), who, effective(BASE))


def test_the_same_key_is_let_in(ada: Account) -> None:
    assert refusal("", ada) == ""
    assert refusal("allowusers ada@192.0.2.0/24\nallowgroups g?u\n", ada) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("allowusers bob\n", "AllowUsers (bob) does not name ada from 192.0.2.7"),
        ("allowusers ada@10.0.0.0/8\n", "does not name ada"),
        ("denyusers a*\n", "DenyUsers names ada"),
        ("allowgroups wheel\n", "AllowGroups (wheel) names no group of ada"),
        ("denygroups gpu\n", "DenyGroups names a group"),
        ("pubkeyauthentication no\n", "PubkeyAuthentication is off"),
        ("authorizedkeysfile /nowhere/%u\n", "is not authorised for ada"),
        ("authenticationmethods publickey,password\n", "AuthenticationMethods asks for"),
    ],
)
def test_who_would_be_turned_away(ada: Account, settings: str, said: str) -> None:
    assert said in refusal(settings, ada)


def test_another_key_is_not_ours(ada: Account) -> None:
    assert "SHA256:other" in refusal("", ada, session(fingerprint="SHA256:other"))
    assert refusal("", ada, session("", "")) == ""


def test_a_password_session_needs_passwords(ada: Account) -> None:
    assert "logged in by password, which would be off" in refusal("", ada, session("password", ""))
    assert refusal("passwordauthentication yes\n", ada, session("password", "")) == ""
    by_pam = session("keyboard-interactive/pam", "")
    assert "logged in by keyboard-interactive" in refusal("kbdinteractiveauthentication no\n", ada, by_pam)
    assert refusal("kbdinteractiveauthentication yes\n", ada, by_pam) == ""


def test_root_and_locked_accounts(ada: Account) -> None:
    root = ada._replace(uid=0, name="ada")
    assert refusal("permitrootlogin no\n", root) == "PermitRootLogin is no"
    assert refusal("permitrootlogin prohibit-password\n", root) == ""
    password = session("password", "")
    both = "passwordauthentication yes\npermitrootlogin prohibit-password\n"
    assert "logged in by password" in refusal(both, root, password)
    assert "is locked" in refusal("usepam no\n", ada._replace(locked=True))
    assert refusal("usepam yes\n", ada._replace(locked=True)) == ""


def test_the_log_tells_method_and_key() -> None:
    log = (
        "Accepted password for ada from 192.0.2.7 port 5000 ssh2\n"
        "Accepted publickey for bob from 192.0.2.7 port 5000 ssh2: RSA SHA256:AAA\n"
        f"Accepted publickey for ada from 192.0.2.7 port 5000 ssh2: ED25519 {FINGERPRINT}\n"
        "Accepted publickey for ada from 192.0.2.7 port 5001 ssh2: RSA SHA256:BBB\n"
    )
    assert _ssh_session.accepted(log, session()) == ("publickey", FINGERPRINT)
    assert _ssh_session.accepted("", session()) == ("", "")


def test_the_account_is_that_of_the_process_below_sshd(tmp_path: Path) -> None:
    """sudo in between: its children neither have the account nor the environment."""
    chain = {10: ("sshd-session", 1), 11: ("bash", 10), 12: ("sudo) x", 11), 13: ("python3", 12)}
    for pid, (name, parent) in chain.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0")
        (tmp_path / str(pid) / "environ").write_bytes(b"A=1\0")
    (tmp_path / "11" / "environ").write_bytes(b"A=1\0SSH_CONNECTION=192.0.2.7 5000 192.0.2.1 22\0")
    uid = (tmp_path / "11").stat().st_uid
    assert _ssh_session.connection(13, str(tmp_path)) == (uid, "192.0.2.7 5000 192.0.2.1 22")
    (tmp_path / "10" / "stat").write_text("10 (cron) S 1 1 1 0")
    assert _ssh_session.connection(13, str(tmp_path)) == (-1, "")


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=12))
def test_no_pattern_breaks_the_match(name: str, address: str, pattern: str) -> None:
    assert _ssh_session.user_fits(name, address, pattern) in (True, False)
    assert _ssh_session.user_fits("ada", address, "a?a")
