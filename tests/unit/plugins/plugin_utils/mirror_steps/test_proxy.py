# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are reached without the proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.proxy import is_near, no_proxy, shared
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps

Make = Callable[..., dict[str, Any]]
PROXY = {"http": "http://proxy.example.org:3128", "https": "http://proxy.example.org:3128"}


def hosts(snapshot: dict[str, Any], wishes: dict[str, Any]) -> list[str]:
    found: str = steps(snapshot, wishes)["settings"]["proxy"]["no_proxy"]
    return found.split(",") if found else []


def test_without_a_proxy_there_is_no_exception(host: Make) -> None:
    assert hosts(host("noble"), {"preset": "china", "proxy": {"no_proxy": ["x.example.org"]}}) == []


def test_this_machine_metadata_mirrors_and_the_users_own_are_reached_directly(host: Make) -> None:
    wishes = {"preset": "china", "proxy": {**PROXY, "no_proxy": ["lab.example.org", ".corp"]}}
    wishes |= {"pip_index_url": "http://index.lab.internal/simple"}
    found = hosts(host("noble"), wishes)
    assert found[:7] == [
        "localhost",
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "100.100.100.200",
        "lab.example.org",
        ".corp",
    ]
    assert {"index.lab.internal", "mirrors.ustc.edu.cn", "mirrors.aliyun.com", "registry.npmmirror.com"} <= set(found)
    assert not {"archive.ubuntu.com", "conda.anaconda.org", "proxy.example.org"} & set(found)
    assert len(found) == len(set(found))


def test_the_list_does_not_change_with_the_choice(host: Make, remember: Make) -> None:
    wishes = {"preset": "china", "proxy": PROXY}
    before = host("noble")
    assert hosts(before, wishes) == hosts(remember(before, wishes, {"pypi": ["tuna"]}), wishes)


def test_mirrors_may_be_reached_through_the_proxy(host: Make) -> None:
    found = hosts(
        host("noble"), {"preset": "china", "proxy": {**PROXY, "for_mirrors": True, "no_proxy": "a.example.org, b"}}
    )
    assert found == ["localhost", "127.0.0.1", "::1", "169.254.169.254", "100.100.100.200", "a.example.org", "b"]


def test_without_mirrors_none_is_named(host: Make) -> None:
    assert "mirrors.ustc.edu.cn" not in hosts(host("noble"), {"proxy": PROXY})
    assert "mirrors.ustc.edu.cn" in hosts(host("noble"), {"proxy": PROXY, "site": "ustc"})


@pytest.mark.parametrize("wish", [None, "", {}, {"no_proxy": ["a"]}, {"http": "", "https": None}, 3])
def test_without_a_proxy_other_roles_get_nothing(wish: Any) -> None:
    assert shared(wish, ["https://mirrors.ustc.edu.cn/debian"]) == {}


def test_other_roles_get_what_the_mirrors_role_would_set() -> None:
    urls = [
        "https://mirrors.ustc.edu.cn/debian",
        "https://pypi.tuna.tsinghua.edu.cn/simple",
        "http://index.lab.internal/simple",
        "https://mirror.example.org/own",
        "",
    ]
    here = "localhost,127.0.0.1,::1"
    mirrors = "mirrors.ustc.edu.cn,pypi.tuna.tsinghua.edu.cn,"
    assert shared({**PROXY, "no_proxy": ["a.example.org"]}, urls) == {
        **PROXY,
        "no_proxy": f"a.example.org,{here},{mirrors}index.lab.internal",
    }
    through = shared({"http": PROXY["http"], "for_mirrors": True, "no_proxy": "a.example.org, 10.0.0.0/8"}, urls)
    assert through == {"http": PROXY["http"], "no_proxy": f"a.example.org,10.0.0.0/8,{here},index.lab.internal"}


@pytest.mark.parametrize(
    "url", ["http://me:se/cret@proxy:1/x y", "http://me:s@cret@a b", "me:secret@proxy:3128", "ftp://me:secret@proxy"]
)
def test_a_mistake_shows_no_part_of_a_password(host: Make, url: str) -> None:
    """Also where it was not written as an address wants it: that is the mistake."""
    said = str(steps(host("noble"), {"proxy": {"https": url}})["refusal"])
    assert "mirrors_proxy.https: " in said
    assert not [part for part in ("secret", "cret", "se/", "me:") if part in said]


def test_an_entry_cannot_become_two() -> None:
    assert no_proxy(["a"], [], [], ["b,c", "d e", " f ", "", '"g"']) == ["a", "f"]


@pytest.mark.parametrize(
    "name, near",
    [
        ("10.0.0.1", True),
        ("192.168.1.2", True),
        ("fd00::1", True),
        ("mirror", True),
        ("mirror.lan", True),
        ("8.8.8.8", False),
        ("mirror.example.org", False),
        ("", False),
    ],
)
def test_which_hosts_are_near(name: str, near: bool) -> None:
    assert is_near(name) is near
