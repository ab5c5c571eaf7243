# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import dnf_conf, proxies
from hypothesis import given
from hypothesis import strategies as st

USER = """[main]
gpgcheck=1
installonly_limit=3
# slow
proxy=http://old.example.org:1
best=True

[other]
proxy=http://other.example.org:1
"""


def test_the_credentials_stand_apart_and_decoded() -> None:
    wish = proxies.dnf(proxies.read({"https": "http://me:p%40ss@p.example.org:3128"}))
    assert wish == {"proxy": "http://p.example.org:3128", "proxy_username": "me", "proxy_password": "p@ss"}
    changed = dnf_conf.update(USER, wish)
    assert changed == USER.replace("http://old.example.org:1", "http://p.example.org:3128").replace(
        "best=True\n", "best=True\nproxy_username=me\nproxy_password=p@ss\n"
    )
    assert dnf_conf.mode(wish) == 0o600 and dnf_conf.mode({"proxy": "http://p:1"}) is None


def test_a_file_without_main() -> None:
    assert dnf_conf.update("", {"proxy": "http://p:1"}) == "[main]\nproxy=http://p:1\n"
    assert dnf_conf.update("[main]\na=1\na=2\n", {"proxy": "x"}) == "[main]\na=1\na=2\nproxy=x\n"


@pytest.mark.parametrize(
    ("text", "wish", "word"),
    [
        ("proxy=x\n", {"proxy": "a"}, "line 1"),
        ("[main]\nnonsense\n", {"proxy": "a"}, "line 2"),
        ("", {"proxy_password": "a\nb"}, "line feed"),
        ("", {"no_proxy": "a"}, "no_proxy is no key"),
    ],
)
def test_refusals(text: str, wish: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        dnf_conf.update(text, wish)


LINES = st.lists(
    st.sampled_from(["[main]", "[x]", "proxy=a", "proxy = b", " more", "# c", "", "k=1", "sslcacert=/d"]), max_size=7
)
WISHES = st.dictionaries(st.sampled_from(dnf_conf.KEYS), st.sampled_from(["", "a", "http://p:1"]), max_size=3)


@given(LINES, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    lines: list[str], newline: bool, first: dict[str, str], second: dict[str, str], edited: bool
) -> None:
    original = "\n".join(lines) + ("\n" if newline and lines else "")
    try:
        text = dnf_conf.update(original, first)
    except dnf_conf.DnfConfError as error:
        assert "line" in str(error)
        return
    assert dnf_conf.update(text, first) == text
    assert all(dnf_conf.get(text, key) == value for key, value in first.items() if value)
    if edited:
        undone = dnf_conf.undo("# late\n" + text, first, original)
        assert undone.startswith("# late\n")
        assert all(dnf_conf.get(undone, key) == dnf_conf.get(original, key) for key in dnf_conf.KEYS)
        return
    text = dnf_conf.update(dnf_conf.undo(text, first, original), second)
    assert dnf_conf.undo(text, second, original) == original
