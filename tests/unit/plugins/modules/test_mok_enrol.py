# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.mok_enrol import (
    EnrolError,
    checked_password,
    listed,
    main,
    verdict,
)
from hypothesis import given
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
DER = b"\x30\x82\x01\x00certificate"
SHA1 = hashlib.sha1(DER, usedforsecurity=False).hexdigest()
PAIRS = ":".join(SHA1[i : i + 2] for i in range(0, 40, 2))
PASSWORD = "one time only"
# answers of mokutil 0.6.0; what it reads lands in `typed`
MOKUTIL = """
case $1 in
  --test-key) if [ -e {0}/enrolled ]; then echo "$2 is already enrolled"; exit 1
              elif [ -e {0}/waits ]; then echo "$2 is already in the enrollment request"; exit 1
              elif [ -e {0}/blocked ]; then echo "$2 is blocked in dbx"; exit 1
              else echo "$2 is not enrolled"; fi ;;
  --import) [ ! -e {0}/broken ] || {{ echo "Failed to enroll new keys" >&2; exit 255; }}
            cat > {0}/typed; echo "input password: "; [ -e {0}/lazy ] || touch {0}/waits ;;
  --list-new) cat {0}/new 2>/dev/null ;;
  *) exit 77 ;;
esac"""


@pytest.fixture
def host(tmp_path: Path, programs: Programs) -> Path:
    programs(mokutil=MOKUTIL.format(tmp_path))
    (tmp_path / "mok.pub").write_bytes(DER)
    return tmp_path


def wish(host: Path, **more: Any) -> dict[str, Any]:
    return {"key": str(host / "mok.pub"), "password": PASSWORD, **more}


def test_the_request_is_made_once(host: Path, run_module: RunModule) -> None:
    predicted = run_module(main, check=True, **wish(host))
    assert not (host / "waits").exists()
    result = run_module(main, **wish(host))
    assert result["changed"] and result["pending"] and not result["enrolled"]
    assert (host / "typed").read_text() == f"{PASSWORD}\n{PASSWORD}\n"
    same = ("changed", "pending", "enrolled")
    assert {key: predicted[key] for key in same} == {key: result[key] for key in same}
    again = run_module(main, **wish(host, password=""))
    assert not again["changed"] and again["pending"]


def test_an_enrolled_key_needs_no_password(host: Path, run_module: RunModule) -> None:
    (host / "enrolled").touch()
    result = run_module(main, **wish(host, password=""))
    assert (result["changed"], result["enrolled"], result["pending"]) == (False, True, False)


@pytest.mark.parametrize("line", [f"SHA1 Fingerprint: {PAIRS}", f"{SHA1[:10]} DKMS module signing key"])
def test_an_old_mokutil_calls_a_waiting_key_enrolled(host: Path, run_module: RunModule, line: str) -> None:
    (host / "enrolled").touch()
    (host / "new").write_text(f"[key 1]\n{line}\n")
    result = run_module(main, **wish(host))
    assert not result["changed"] and result["pending"] and not result["enrolled"]


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "pässword1", "tab\tin it", " blank at the ends "])
def test_a_password_that_cannot_be_typed_is_refused_and_never_shown(
    host: Path, run_module: RunModule, password: str
) -> None:
    for check in (True, False):
        result = run_module(main, check=check, **wish(host, password=password))
        assert result["failed"] and "password" in result["msg"] and "Nothing was changed" in result["msg"]
        assert len(password) < 3 or password not in str({k: v for k, v in result.items() if k != "invocation"})
    assert not (host / "typed").exists()


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=256))
def test_what_can_be_typed_is_taken(password: str) -> None:
    assert checked_password(password) == password


@given(st.text(max_size=300))
def test_any_other_password_is_an_error_without_it(password: str) -> None:
    try:
        assert checked_password(password).isascii() and 8 <= len(password) <= 256
    except EnrolError as error:
        assert len(password) < 20 or password not in str(error)


@pytest.mark.parametrize(
    ("flag", "words"),
    [("broken", "Failed to enroll"), ("lazy", "does not wait"), ("blocked", "firmware blocks")],
)
def test_what_goes_wrong_is_said(host: Path, run_module: RunModule, flag: str, words: str) -> None:
    (host / flag).touch()
    result = run_module(main, **wish(host))
    assert result["failed"] and words in result["msg"] and PASSWORD not in str(result)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"-----BEGIN CERTIFICATE-----\n", "PEM format"), (b"hello", "no certificate in DER"), (None, "No such file")],
)
def test_the_key_must_be_a_der_certificate(
    host: Path, run_module: RunModule, content: bytes | None, words: str
) -> None:
    (host / "mok.pub").unlink()
    if content is not None:
        (host / "mok.pub").write_bytes(content)
    result = run_module(main, **wish(host))
    assert result["failed"] and words in result["msg"] and "mok.pub" in result["msg"]


def test_a_host_without_uefi(host: Path, run_module: RunModule, programs: Programs) -> None:
    programs(mokutil='echo "EFI variables are not supported on this system" >&2; exit 1')
    result = run_module(main, **wish(host))
    assert result["failed"] and "needs UEFI" in result["msg"]


def test_a_host_without_mokutil(host: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.gpuready.bootstrap.plugins.module_utils._command.Runner.which", lambda *_: None
    )
    assert "install the package mokutil" in run_module(main, **wish(host))["msg"]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("/k is not enrolled\n", "new"),
        ("/k is already enrolled\n", "enrolled"),
        ("/k is already in db\n", "enrolled"),
        ("/k is already in the built-in trusted keyring\n", "enrolled"),
        ("/k is already in the enrollment request\n", "pending"),
        ("/k is blocked in MokListX\n", "blocked"),
        ("Not a valid x509 certificate\n", None),
        ("", None),
    ],
)
def test_verdict(text: str, state: str | None) -> None:
    assert verdict(text) == state


@given(st.binary(), st.binary())
def test_only_the_key_itself_is_listed(one: bytes, other: bytes) -> None:
    digest = hashlib.sha1(one, usedforsecurity=False).hexdigest()
    assert listed(f"{digest[:10]} subject\n", one) and listed(f"{digest[:10]} subject\n", other) == (one == other)
