# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer says, by kind. Pages of captive portals and refusals come with any status and type."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import probe
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import KINDS, Candidate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.http import Answer
from farm import BLOCKED, PORTAL, Member, inrelease, made_up
from hypothesis import given
from hypothesis import strategies as st


def candidate(kind: str, path: str = "/x", **more: Any) -> Candidate:
    return Candidate("s", "a", ("https://a.example.org/",), f"https://a.example.org{path}", kind=kind, **more)


def answer(
    body: bytes | str = b"",
    status: int = 200,
    url: str = "https://a.example.org/x",
    ended: str = "whole",
    **headers: str,
) -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(url, status, named, raw, ended, 0.1, 0.1)


def state(kind: str, *args: Any, path: str = "/x", **more: Any) -> str:
    return probe.judge(candidate(kind, path), answer(*args, **more), "x86_64").state


GENUINE = {
    "inrelease": "/d/InRelease",
    "simple": "/simple/pip/",
    "json": "/a.json",
    "repodata": "/noarch/repodata.json",
    "file": "/x.sh",
    "registry": "/v2/",
    "html": "/whl/",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_genuine_file_is_ok_and_a_page_is_not(kind: str) -> None:
    path = GENUINE[kind]
    status, content, body, headers = made_up(Member("a"), path)
    said = {name.lower().replace("-", "_"): value for name, value in headers.items()}
    assert state(kind, body, status, path=path, content_type=content, **said) == "ok"
    for page in (PORTAL, BLOCKED, "\ufeff\n<HTML><body>hello"):
        assert state(kind, page, path=path, content_type="text/html") == "html"
    # what comes from another host is said
    there = answer(body, status, "https://b.example.org/x", content_type=content, **said)
    if kind != "registry":
        assert probe.judge(candidate(kind, path), there).reason == "answered by b.example.org"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "not_found"),
        (410, "not_found"),
        (403, "forbidden"),
        (401, "forbidden"),
        (429, "forbidden"),
        (451, "forbidden"),
        (500, "error"),
        (503, "error"),
        (511, "html"),
        (302, "error"),
        (204, "error"),
        (416, "error"),
        (407, "error"),
    ],
)
def test_a_status_decides(status: int, expected: str) -> None:
    for kind in KINDS:
        if (kind, status) != ("registry", 401):
            assert state(kind, "words", status) == expected


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", ""),
        (b"\n\n  plain   words \nmore", "plain words"),
        (BLOCKED.encode(), "Access from your network is blocked, id 4711"),
        (b"<html><style>p {}</style><script>var a = 1 < 2;</script><!-- no --><p>a &amp; b</p>", "a & b"),
        (b"\xff\xfe\x00", ""),
        (b"see http://u:p@x.example.org/", "see http://***@x.example.org/"),
    ],
)
def test_the_first_line(body: bytes, line: str) -> None:
    assert probe.first_line(body).replace("\ufffd", "").strip() == line


@given(st.binary(max_size=600))
def test_a_first_line_is_one_short_line(body: bytes) -> None:
    line = probe.first_line(body)
    assert len(line) <= 120 and line.isprintable() and "\n" not in line


@given(st.sampled_from(KINDS), st.binary(max_size=300), st.sampled_from([200, 206, 401, 403]), st.booleans())
def test_every_answer_has_a_verdict(kind: str, body: bytes, status: int, signed: bool) -> None:
    head = b"-----BEGIN PGP SIGNED MESSAGE-----\n" if signed else b""
    verdict = probe.judge(candidate(kind), answer(head + body, status), "x86_64")
    assert verdict.state and (verdict.state == "ok" or verdict.reason)


def test_an_inrelease_gives_dates_and_a_list_to_look_for() -> None:
    now = time.time()
    text = inrelease(Member("a", age_hours=2, valid_hours=24))
    verdict = probe.judge(candidate("inrelease", "/d/InRelease"), answer(text, ended="cap"), "x86_64")
    assert verdict.state == "ok" and verdict.arch_path == "main/binary-amd64/Packages.xz"
    assert verdict.date == pytest.approx(now - 7200, abs=3) and verdict.valid_until == pytest.approx(
        now + 22 * 3600, abs=3
    )


@pytest.mark.parametrize(
    ("text", "machine", "expected"),
    [
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: amd64 arm64\n", "x86_64", "ok"),
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: amd64 arm64\n", "aarch64", "ok"),
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: amd64\n", "aarch64", "wrong_architecture"),
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: all\n", "aarch64", "ok"),
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\n", "aarch64", "ok"),
        ("Date: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: amd64\n", "", "ok"),
        ("Architectures: amd64\n", "x86_64", "error"),
        ("Date: yesterday\n", "x86_64", "error"),
    ],
)
def test_an_inrelease_by_its_fields(text: str, machine: str, expected: str) -> None:
    signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + text
    assert probe.judge(candidate("inrelease", "/d/InRelease"), answer(signed), machine).state == expected
    assert probe.judge(candidate("inrelease", "/d/InRelease"), answer(text), machine).state == "error"


def test_the_wished_architecture_wins() -> None:
    text = "-----BEGIN PGP SIGNED MESSAGE-----\n\nDate: Sat, 21 Nov 2026 10:00:00 UTC\nArchitectures: amd64\n"
    asked = candidate("inrelease", architecture="arm64")
    assert probe.judge(asked, answer(text), "x86_64").reason == "has amd64, not arm64"


@pytest.mark.parametrize(
    ("ended", "expected"), [("broken", "truncated"), ("time", "timeout"), ("cap", "ok"), ("whole", "ok")]
)
def test_how_an_answer_ended(ended: str, expected: str) -> None:
    assert state("inrelease", inrelease(Member("a")), ended=ended) == expected
    good = "ok" if expected == "timeout" else expected
    assert probe.sampled(answer(b"x" * 5000, ended=ended)).state == good


def test_dates_of_repositories() -> None:
    modified = "Sat, 21 Nov 2026 10:00:00 GMT"
    conda = probe.judge(candidate("repodata"), answer('{"info":{', ended="cap", last_modified=modified))
    assert conda.date == 1795255200.0
    dnf = probe.judge(
        candidate("repodata"), answer("<?xml?><repomd><revision>1795255100</revision>", last_modified=modified)
    )
    assert dnf.date == 1795255100.0
    odd = probe.judge(candidate("repodata"), answer("<repomd><revision>8.10</revision>", last_modified=modified))
    assert odd.date == 1795255200.0
    assert probe.judge(candidate("json"), answer("{}", last_modified=modified)).date is None
    assert probe.epoch("Fri, 99 Foo 2026") is None and probe.epoch(None) is None


@pytest.mark.parametrize(
    ("kind", "path", "body", "headers", "expected"),
    [
        ("simple", "/simple/pip/", '{"meta":{},"files":[]}', {}, "ok"),
        ("simple", "/simple/pip/", '{"message":"hello"}', {}, "error"),
        ("simple", "/simple/", '<a href="pip/">pip</a>', {}, "ok"),
        ("simple", "/simple/pip/", '<a href="/login/">log in</a>', {}, "html"),
        ("simple", "/simple/pip/", '<a href="../../p/pip-1.tar.gz#sha256=00">', {}, "ok"),
        ("simple", "/simple/pip/", "<a href='pip-1-py3-none-any.whl'>", {}, "ok"),
        ("html", "/whl/", '<a href="torch/">torch</a>', {}, "ok"),
        ("html", "/whl/", '<a href="https://login.example.org/">', {}, "html"),
        ("json", "/x", "[1", {}, "error"),
        ("json", "/x", "words", {}, "error"),
        ("registry", "/v2/", "{}", {}, "ok"),
        ("registry", "/v2/", "", {"docker_distribution_api_version": "registry/2.0"}, "ok"),
        ("registry", "/v2/", "welcome", {}, "html"),
        ("file", "/x.gz", "", {"content_type": "application/gzip", "content_length": "0"}, "truncated"),
        ("file", "/x.html", "", {"content_type": "text/html"}, "ok"),
        ("file", "/x.gz", "", {"content_type": "text/html; charset=utf-8"}, "html"),
    ],
)
def test_contents(kind: str, path: str, body: str, headers: dict[str, str], expected: str) -> None:
    assert state(kind, body, path=path, **headers) == expected


def test_a_sample_that_is_a_page() -> None:
    assert probe.sampled(answer(PORTAL)).state == "html"
    assert probe.sampled(answer(PORTAL), expect_page=True).state == "ok"
    assert probe.sampled(answer("no", 403)).reason == "HTTP 403: no"


def test_what_is_asked() -> None:
    assert probe.question(candidate("file")).method == "HEAD"
    assert probe.question(candidate("inrelease", accept_redirect_to=("b",))).accepted == ("b",)
    assert (
        "Range" in probe.question(candidate("simple")).headers()
        and "gpuready" in probe.question(candidate("json")).headers()["User-Agent"]
    )
    assert "Range" not in probe.question(candidate("registry")).headers()
