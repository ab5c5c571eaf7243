# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked, and which way it goes: the refusals and the readings, without any network."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import asked, proxy
from hypothesis import given
from hypothesis import strategies as st

GOOD = {"site": "a", "url": "https://a.example.org/x", "probe_url": "https://a.example.org/x/InRelease"}


def test_a_candidate_in_full() -> None:
    raw = {
        "ubuntu": [
            {
                **GOOD,
                "kind": "inrelease",
                "sample_url": "https://A.example.org/big",
                "max_age_hours": "12",
                "accept_redirect_to": ["B.example.org"],
                "architecture": "arm64",
            }
        ],
        "crates": [
            {"site": "b", "urls": ["sparse+https://b.example.org/i/", "sparse+https://c.example.org/"], **PROBE}
        ],
    }
    one, two = asked.read(raw)
    assert (one.kind, one.max_age_hours, one.accept_redirect_to) == ("inrelease", 12.0, ("b.example.org",))
    assert asked.host_of(one.sample_url) == "a.example.org"
    assert (two.urls, two.url, two.kind) == (tuple(raw["crates"][0]["urls"]), "sparse+https://b.example.org/i/", "file")


PROBE = {"probe_url": "https://b.example.org/i/config.json"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"PyPI!": []}, "no name of a service"),
        ({"pypi": GOOD}, "must be a list of sites, not dict"),
        ({"pypi": "x"}, "not str"),
        ({"pypi": ["x"]}, "entry 1 of pypi must be a mapping"),
        ({"pypi": [{**GOOD, "adress": "x"}]}, "unknown key adress"),
        ({"pypi": [{"site": "a", **PROBE}]}, "entry 1 of pypi has no url"),
        ({"pypi": [{**GOOD, "kind": "ftp"}]}, "kind 'ftp' is none of"),
        ({"pypi": [{**GOOD, "site": ""}]}, "site '' is no name"),
        ({"pypi": [{**GOOD, "probe_url": None}]}, "probe_url None is no address"),
        ({"pypi": [{**GOOD, "probe_url": "ftp://a.example.org/"}]}, "is no address"),
        ({"pypi": [{**GOOD, "probe_url": "https:///x"}]}, "is no address"),
        ({"pypi": [{**GOOD, "probe_url": "https://a.example.org:99999/"}]}, "is no address"),
        ({"pypi": [{**GOOD, "probe_url": "https://[::1/"}]}, "is no address"),
        ({"pypi": [{**GOOD, "probe_url": "https://a.example.org/x y"}]}, "is no address"),
        ({"pypi": [{**GOOD, "max_age_hours": "soon"}]}, "max_age_hours 'soon'"),
        ({"pypi": [{**GOOD, "max_age_hours": -1}]}, "max_age_hours -1"),
        ({"pypi": [GOOD, GOOD]}, "names a twice"),
    ],
)
def test_refusals_name_the_entry(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(asked.AskedError, match="candidates: ") as caught:
        asked.read(raw)
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["url", "probe_url", "sample_url"])
def test_credentials_are_refused_and_not_shown(key: str) -> None:
    with pytest.raises(asked.AskedError) as caught:
        asked.read({"pypi": [{**GOOD, key: "https://alice:hunter2@a.example.org/"}]})
    assert "hunter2" not in str(caught.value) and "alice" not in str(caught.value) and key in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(st.dictionaries(st.sampled_from(sorted(asked._KEYS)), json_values))
def test_nothing_but_a_refusal_comes_of_a_wrong_entry(entry: dict[str, Any]) -> None:
    try:
        found = asked.read({"pypi": [entry]})
    except asked.AskedError:
        return
    assert asked.host_of(found[0].probe_url)


def test_the_digest_knows_values_and_no_order() -> None:
    assert asked.digest({"a": 1, "b": [2]}) == asked.digest({"b": [2], "a": 1}) != asked.digest({"a": 1, "b": [3]})


@pytest.mark.parametrize(
    ("host", "rules", "free"),
    [
        ("a.example.org", ["example.org"], True),
        ("a.example.org", [".example.org"], True),
        ("a.example.org", ["*.example.org"], True),
        ("a.example.org", [" A.Example.org "], True),
        ("badexample.org", ["example.org"], False),
        ("a.example.org", ["", "b"], False),
        ("a.example.org", ["*"], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::1", ["[::1]"], True),
        ("a.example.org", ["10.0.0.0/8"], False),
    ],
)
def test_no_proxy(host: str, rules: list[str], free: bool) -> None:
    assert proxy.bypassed(host, rules) is free


def test_the_wish_wins_over_the_environment() -> None:
    environment = {
        "http_proxy": "http://env.example.org:1",
        "HTTPS_PROXY": "env2.example.org:2",
        "NO_PROXY": "a.example.org,b",
    }
    found = proxy.read(None, environment)
    assert found.http == proxy.Proxy("env.example.org", 1) and found.https == proxy.Proxy("env2.example.org", 2)
    assert found.of("http://a.example.org/") is None and found.of("https://c.example.org/") == found.https
    assert proxy.read({}, environment).of("http://c.example.org/") is None
    wished = proxy.read({"http": "http://u:p%40ss@w.example.org:3", "no_proxy": ["c.example.org"]}, environment)
    assert wished.https is None and wished.of("http://c.example.org/") is None
    assert wished.http is not None and wished.http.authorization == "Basic dTpwQHNz"
    assert wished.hide("Basic dTpwQHNz p@ss p%40ss u") == "Basic *** *** *** u"
    # HTTP_PROXY could come from a request header where a program runs as CGI; curl ignores it, too
    assert proxy.read(None, {"HTTP_PROXY": "http://x.example.org:1"}).http is None
    assert proxy.read(None, {"all_proxy": "x.example.org:1"}).https == proxy.Proxy("x.example.org", 1)


@pytest.mark.parametrize(
    "value", ["socks5://x.example.org:1", "http://", "http://u:hunter2@x:port/", "https://u:hunter2@x.example.org"]
)
def test_a_proxy_that_is_none_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(proxy.ProxyError) as caught:
        proxy.read({"http": value}, {})
    assert "hunter2" not in str(caught.value)
