# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import proxies
from hypothesis import given
from hypothesis import strategies as st

OPEN = {
    "http": "http://p.example.org:3128",
    "https": "http://q.example.org:3129/",
    "no_proxy": "a.example.org, 10.0.0.0/8",
}
SECRET = {"https": "http://me:p%40s%2Fs@p.example.org:3128", "no_proxy": ["*.lab.example.org", "a.example.org"]}
LOCAL = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("tool", "wish", "found"),
    [
        (
            "environment",
            {"http": "http://p:1"},
            {"http_proxy": "http://p:1", "no_proxy": LOCAL, "HTTP_PROXY": "http://p:1", "NO_PROXY": LOCAL},
        ),
        (
            "apt",
            OPEN,
            {
                "http": "http://p.example.org:3128",
                "https": "http://q.example.org:3129",
                "direct": ["a.example.org", "localhost", "127.0.0.1"],
            },
        ),
        ("apt", SECRET, {"http": "", "https": SECRET["https"], "direct": ["a.example.org", "localhost", "127.0.0.1"]}),
        ("dnf", OPEN, {"proxy": "http://q.example.org:3129"}),
        (
            "dnf",
            SECRET,
            {"proxy": "http://p.example.org:3128", "proxy_username": "me", "proxy_password": "p@s/s"},
        ),
        (
            "npm",
            OPEN,
            {
                "proxy": "http://p.example.org:3128",
                "https-proxy": "http://q.example.org:3129",
                "noproxy": "a.example.org," + LOCAL,
            },
        ),
        ("npm", SECRET, {}),
        ("git", OPEN, {"proxy": "http://q.example.org:3129", "direct": ["a.example.org", "localhost", "127.0.0.1"]}),
        ("git", SECRET, {}),
        (
            "docker",
            OPEN,
            {
                "http-proxy": "http://p.example.org:3128",
                "https-proxy": "http://q.example.org:3129",
                "no-proxy": "a.example.org,10.0.0.0/8," + LOCAL,
            },
        ),
        ("docker", SECRET, {"https-proxy": SECRET["https"], "no-proxy": ".lab.example.org,a.example.org," + LOCAL}),
        ("pip", OPEN, {}),
        ("conda", OPEN, {}),
        ("cargo", OPEN, {}),
        ("uv", OPEN, {}),
        ("public_environment", SECRET, {}),
    ],
)
def test_table(tool: str, wish: dict[str, Any], found: dict[str, Any]) -> None:
    assert getattr(proxies, tool)(proxies.read(wish)) == found


@pytest.mark.parametrize("tool", ["environment", "apt", "dnf", "pip", "conda", "npm", "git", "cargo", "uv", "docker"])
@pytest.mark.parametrize("wish", [None, {}, {"http": "", "https": None, "no_proxy": "a"}])
def test_no_proxy_is_no_setting(tool: str, wish: Any) -> None:
    assert getattr(proxies, tool)(proxies.read(wish)) == {}


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"http": "p.example.org:3128"}, "no address"),
        ({"http": "ftp://p.example.org"}, "no address"),
        ({"http": "http://"}, "no address"),
        ({"http": "http://p:99999"}, "port"),
        ({"https": "http://p.example.org/path"}, "path"),
        ({"https": "http://me:s3/cret@p.example.org"}, "port"),
        ({"https": "http://me:s3 cret@p.example.org"}, "blank"),
        ({"http": "http://p", "no_proxy": "http://a"}, "neither"),
    ],
)
def test_what_is_no_proxy_is_refused_and_hides_its_password(wish: dict[str, str], word: str) -> None:
    with pytest.raises(proxies.ProxyError, match=word) as error:
        proxies.read(wish)
    assert "cret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:pw@p.example.org:1", "http://***@p.example.org:1"),
        ("http://me:p@w@p.example.org:1", "http://***@p.example.org:1"),
        ("http://me:p/w@p.example.org:1", "http://***@p.example.org:1"),
        ("http://token@p.example.org", "http://***@p.example.org"),
        ("me:pw@p.example.org:1", "***@p.example.org:1"),
        ("http://p.example.org:1", "http://p.example.org:1"),
        ("a http://x:y@b and https://c:d@e", "a http://***@b and https://***@e"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert proxies.redact(text) == shown


def test_secret() -> None:
    assert proxies.read(SECRET).secret and not proxies.read(OPEN).secret
    assert proxies.read({"http": "http://only@p:1"}).secret


USERINFO = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@given(USERINFO, USERINFO)
def test_credentials_go_apart_as_they_were(user: str, password: str) -> None:
    from urllib.parse import quote

    url = f"http://{quote(user, safe='')}:{quote(password, safe='')}@p.example.org:1"
    found = proxies.read({"http": url})
    assert proxies.apart(found.http) == ("http://p.example.org:1", user, password)
    assert proxies.redact(found.http) == "http://***@p.example.org:1"
