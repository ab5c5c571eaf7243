# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of proxies: all who are given one judge it alike, and none shows a password."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import proxies
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_steps import configuration
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import render
from hypothesis import given
from hypothesis import strategies as st

DOCKER = {"address_pools": [], "registry_mirrors": [], "version": "", "data_root": ""}
USER = st.text(string.ascii_letters, min_size=1)
# a mark at both ends: no half of a password may be shown
PASSWORD = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1).map("Qx{}xQ".format)
ADDRESSES = ["http://{}@proxy.example.org:3128", "socks5h://{}@proxy.example.org/", "{}@proxy.example.org:3128"]


def module(url: str) -> str:
    try:
        proxies.read({"https": url})
    except proxies.ProxyError as error:
        return str(error)
    return ""


def docker(url: str) -> str:
    found = configuration.mistakes({**DOCKER, "proxies": {"https": url}})
    return " ".join(str(render(text, "en")) for text in found)


def mirrors(url: str) -> str:
    return " ".join(str(render(text, "en")) for text in wishes.read({"proxy": {"https": url}}).mistakes)


def environment(url: str) -> str:
    return " ".join(spec.problems({"dev_proxy": {"https": url}}, "files", False))


def refusals(url: str) -> list[str]:
    return [module(url), docker(url), mirrors(url), environment(url)]


@given(st.sampled_from(ADDRESSES), USER, PASSWORD)
def test_all_judge_alike_and_no_half_of_a_password_is_shown(address: str, user: str, password: str) -> None:
    url = address.format(f"{user}:{password}")
    found = refusals(url)
    assert {bool(said) for said in found} == {bool(proxy_url.mistake(url))}
    assert "Qx" not in str(found) and "xQ" not in str(found)
    assert proxy_url.shown(url) == address.format("***")


@given(USER, PASSWORD)
def test_a_password_with_its_signs_written_as_hexadecimals_is_taken(user: str, password: str) -> None:
    assert not any(refusals(f"http://{user}:{quote(password, safe='')}@proxy.example.org:3128"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://proxy.example.org:3128", ""),
        ("https://proxy.example.org/", ""),
        ("http://[2001:db8::1]:3128", ""),
        ("socks5://token@proxy.example.org", ""),
        ("http://me:p@w@proxy.example.org:1", "holds @ twice"),
        ("http://me:p/w@proxy.example.org:1", "has no valid host or port"),
        ("http://proxy.example.org:1/path", "has a path"),
        ("http://proxy.example.org:0", "has no valid host or port"),
        ("http://proxy.example.org:99999", "has no valid host or port"),
        ("http://me:p^w@proxy.example.org:1", "holds a blank, a quote or a sign for shells"),
        ("ftp://proxy.example.org", "is no address"),
        ("proxy.example.org:3128", "is no address"),
    ],
)
def test_table(url: str, words: str) -> None:
    found: Any = proxy_url.mistake(url)
    assert found.startswith(words) and bool(found) == bool(words)
    assert [bool(said) for said in refusals(url)] == [bool(words)] * 4
