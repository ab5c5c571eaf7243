# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module asks through the machine's proxies, unless it was started with some."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _login_proxies as login_proxies
from hypothesis import given
from hypothesis import strategies as st

TEXT = 'PATH="/bin"\nhttp_proxy="http://ada:secret@p.example.org:1"\nHTTPS_PROXY=http://q.example.org\nno_proxy=a,b\n'
FOUND = {"http_proxy": "http://ada:secret@p.example.org:1", "https_proxy": "http://q.example.org", "no_proxy": "a,b"}


def test_the_file_is_read_where_the_process_has_none() -> None:
    assert login_proxies.missing(TEXT, {"PATH": "/bin", "http_proxy": ""}) == FOUND


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_its_own_wins(name: str) -> None:
    assert login_proxies.missing(TEXT, {name: "http://own.example.org"}) == {}


@given(st.text(max_size=80))
def test_no_file_raises(text: str) -> None:
    assert "PATH" not in login_proxies.missing(text, {})


def test_the_process_has_them_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(login_proxies, "PATH", str(tmp_path / "environment"))
    login_proxies.lend()
    (tmp_path / "environment").write_text(TEXT)
    # what is set here goes again with monkeypatch's own record
    for name in FOUND:
        monkeypatch.setenv(name, "")
    login_proxies.lend()
    assert {name: login_proxies.os.environ.get(name) for name in FOUND} == FOUND
