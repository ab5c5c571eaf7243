# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of profiles and units; no password survives."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import proxies as parse
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("http_proxy=http://p:8080", [("http_proxy", "http://p:8080")]),
        ('HTTPS_PROXY="http://p:8080/"', [("HTTPS_PROXY", "http://p:8080/")]),
        ("export a_proxy=1 b_proxy=2  # comment", [("a_proxy", "1"), ("b_proxy", "2")]),
        ("export http_proxy=http://p:8080; export https_proxy=$http_proxy", None),
        ("if [ -n x ]; then export http_proxy=http://p:1; fi", [("http_proxy", "http://p:1")]),
        ("echo http_proxy=http://p:1", []),
        ("# http_proxy=http://p:1", []),
        ("   declare -x no_proxy='localhost,127.0.0.1'", [("no_proxy", "localhost,127.0.0.1")]),
        ("http_proxy=", [("http_proxy", "")]),
    ],
)
def test_assignments(line: str, pairs: list[tuple[str, str]] | None) -> None:
    if pairs is None:
        pairs = [("http_proxy", "http://p:8080"), ("https_proxy", "$http_proxy")]
    assert parse.assignments(line, ("_proxy",)) == pairs


def test_only_wanted_lines() -> None:
    text = "PATH=/bin\nexport CUDA_VISIBLE_DEVICES=0\nX=1\n"
    assert parse.assignments(text, ("CUDA_VISIBLE_DEVICES",)) == [("CUDA_VISIBLE_DEVICES", "0")]
    assert len(parse.assignments(text)) == 3


PASSWORDS = [
    "hunter2",
    "hun#ter2",
    "hunter2;x",
    "hun&ter2",
    "hunter2@x",
    "hun/ter2",
    "hunter2:x",
    "$hunter2",
    "hun%ter2",
]
FORMS = ["http_proxy=http://me:{}@p:8080", 'export https_proxy="http://me:{}@p:8080"', "http_proxy=me:{}@p:8080"]


@pytest.mark.parametrize(
    ("form", "password"),
    # a "/" ends the address of a proxy without a scheme
    [(form, word) for form in FORMS for word in PASSWORDS if "://" in form or "/" not in word],
)
def test_no_password_survives(form: str, password: str) -> None:
    found = parse.select(parse.assignments(form.format(password), ("_proxy",)))
    (value,) = found.values()
    assert "hun" not in value and "ter2" not in value and "me" not in value
    assert value.endswith("***@p:8080")
    unit = "Environment=" + form.format(password).replace("export ", "")
    assert "hun" not in str(parse.docker(parse.unit_environment(unit), None))
    assert "hun" not in parse.hidden(f"http://me:{password}@p:8080")


def test_units() -> None:
    text = (
        '[Service]\nEnvironment="HTTP_PROXY=http://a:1" NO_PROXY=x\nEnvironment=\n'
        "Environment=HTTPS_PROXY=http://b:2 \\\n  'X=a b'\nExecStart=/bin/x A=b\n"
    )
    assert parse.unit_environment(text) == [("HTTPS_PROXY", "http://b:2"), ("X", "a b")]
    assert parse.unit_environment("DefaultEnvironment=A=1\n", "DefaultEnvironment") == [("A", "1")]


def test_the_daemon_takes_its_own_file_first() -> None:
    unit = [("HTTP_PROXY", "http://a:1"), ("https_proxy", "http://b:2")]
    assert parse.docker(unit, {"http-proxy": "http://c:3"}) == "http://c:3"
    assert parse.docker(unit, {"http-proxy": "", "no-proxy": "x"}) == "http://b:2"
    assert parse.docker(unit[:1], "nonsense") == "http://a:1"
    assert parse.docker([("NO_PROXY", "x")], None) is None


def test_the_last_one_of_a_name_counts() -> None:
    pairs = [("http_proxy", "http://a:1"), ("PATH", "/bin"), ("http_proxy", "http://b:2")]
    assert parse.select(pairs) == {"http_proxy": "http://b:2"}


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    for prefix in ("", "http_proxy=", "Environment="):
        parse.select(parse.assignments(prefix + text))
        parse.docker(parse.unit_environment(prefix + text), {"http-proxy": text})
