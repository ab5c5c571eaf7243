# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an address is a user and a password: one rule in three places that may not import each other."""

from __future__ import annotations

import time

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import USERINFO, redact_url
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import tools
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import has_password, shown
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import scrub
from hypothesis import given
from hypothesis import strategies as st


def test_the_rule_is_the_same_in_all_places() -> None:
    assert USERINFO.pattern == tools.USERINFO.pattern == scrub.USERINFO.pattern


@pytest.mark.parametrize(
    "userinfo",
    ["me:hush", "me:hu/sh", "me:hu@sh", "me:hu@s/h", "me", "me:", ":hush", "me:2024/hush", "me:/hush", "me:20/2/4hush"],
)
@pytest.mark.parametrize("rest", ["proxy.example.org:3128", "[::1]:8080/a", "h/x", "h"])
def test_what_stands_before_the_host_is_hidden(userinfo: str, rest: str) -> None:
    url = f"http://{userinfo}@{rest}"
    assert redact_url(url) == shown(url) == f"http://***@{rest}" and has_password(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/@scope/x",
        "https://h:8080/@scope",
        "https://h:8080/npm/@scope/x",
        "https://h/a@b",
        "https://[::1]:80/a@b",
    ],
)
def test_a_path_is_none(url: str) -> None:
    assert redact_url(url) == shown(url) == url and not has_password(url)


@given(
    st.from_regex(r"[a-z]{1,8}:[!$-&(-~]{1,20}", fullmatch=True).filter(lambda text: not text.endswith("/")),
    st.sampled_from(["h.example.org", "h.example.org:8080/simple"]),
)
def test_no_password_survives(userinfo: str, rest: str) -> None:
    url = f"https://{userinfo}@{rest}"
    port, slash, path = userinfo.partition(":")[2].partition("/")
    if not (slash and port.isdigit() and (f"{path}@").partition("@")[0][-1:] in ("", "/")):
        assert redact_url(url) == f"https://***@{rest}"


def test_a_long_text_takes_no_long_time() -> None:
    began = time.process_time()
    for text in ("http://a:" * 32_000, "http://a:1/" * 32_000, "http://[" * 32_000):
        redact_url(text)
    assert time.process_time() - began < 5
