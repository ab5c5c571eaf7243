# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text formats."""

from __future__ import annotations

import contextlib
import json
import shlex

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import text as parse
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True)
LINES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")))


@given(st.dictionaries(NAMES, LINES))
def test_os_release_gives_back_what_was_quoted(values: dict[str, str]) -> None:
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    assert parse.os_release(text) == values


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str) -> None:
    parse.os_release(text)
    parse.mounts(text)
    parse.meminfo_mib(text, "MemTotal")
    parse.char_majors(text)
    parse.environ(text)


def test_os_release_ignores_what_is_no_assignment() -> None:
    assert parse.os_release('# ID=no\nID=debian\nbad line\nX="open\nA="b c" d\n') == {"ID": "debian", "A": "b c"}


@given(st.text())
def test_json_object_raises_only_value_errors(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse.json_object(text), dict)


@pytest.mark.parametrize("text", ["[]", "null", "3", "{", "", "[" * 200_000])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse.json_object(text)


def test_mounts_decode_octal() -> None:
    (entry,) = parse.mounts("server:/a\\040b /mnt/a\\040b nfs4 ro,vers=4 0 0\nshort line\n")
    assert entry["mount"] == "/mnt/a b"
    assert entry["options"] == ["ro", "vers=4"]


def test_meminfo_is_in_mib() -> None:
    assert parse.meminfo_mib("MemTotal:       2048 kB\nMemFree: 1 kB\n", "MemTotal") == 2
    assert parse.meminfo_mib("MemTotal: many kB\n", "MemTotal") is None


def test_only_character_devices_count() -> None:
    text = "Character devices:\n  1 mem\n195 nvidia\n\nBlock devices:\n  8 sd\n"
    assert parse.char_majors(text) == {1: "mem", 195: "nvidia"}


@given(st.from_regex(r"[a-z0-9%:]{1,12}", fullmatch=True), st.from_regex(r"[A-Za-z0-9:%]{1,12}", fullmatch=True))
def test_no_password_survives_masking(user: str, password: str) -> None:
    secret = f"{user}:{password}Z9"
    data = {"proxies": [{"http-proxy": f"http://{secret}@proxy.example.org:3128/"}], "n": 1}
    assert secret not in json.dumps(parse.mask(data))


def test_masking_leaves_urls_without_credentials_alone() -> None:
    for url in ("https://example.org/a@b", "http://example.org:80/", "user@example.org"):
        assert parse.mask(url) == url


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://me:hunter2@h/x", "http://***@h/x"),
        ("http://me:hun@ter2@h/x", "http://***@h/x"),
        ("http://me:hun/te@r2@h:80/x", "http://***@h:80/x"),
        ("https://h:8443/npm/@scope", "https://h:8443/npm/@scope"),
        ("a http://me:p@h and ftp://u@g/", "a http://***@h and ftp://***@g/"),
        ("https://h/x?token=hunter2&a=1", "https://h/x?token=***&a=1"),
        ("https://h/x?a=1&access_token=hunter2", "https://h/x?a=1&access_token=***"),
        ("https://conda.h/t/ab-12345678/main", "https://conda.h/t/***/main"),
        ("https://h/debian/dists/trixie/InRelease", "https://h/debian/dists/trixie/InRelease"),
        ("git@h:x", "git@h:x"),
    ],
)
def test_mask_of_all_that_is_secret_in_an_address(text: str, masked: str) -> None:
    assert parse.mask(text) == masked


def test_the_chosen_word() -> None:
    assert parse.bracketed("none [integrity] confidentiality") == "integrity"
    assert parse.bracketed("none") is None
    assert parse.bracketed(None) is None


def test_a_signature_list_that_is_cut_is_an_error() -> None:
    header = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072") + (100).to_bytes(4, "little") + b"\0" * 8
    with pytest.raises(ValueError, match="signature list"):
        parse.efi_certificates(header)
    assert parse.efi_certificates(b"") == []


@given(st.binary())
def test_no_bytes_make_certificates_raise_anything_else(value: bytes) -> None:
    for data in (value, bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072") + value):
        try:
            parse.efi_certificates(data)
        except ValueError:
            continue
