# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, in one sentence that names the input, and what is said about addresses that are dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.mirror_info import RANGES
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.wishes import MEASURE_RANGES

Make = Callable[..., dict[str, Any]]

REFUSED: list[tuple[Any, str]] = [
    ({"preset": "chinaa"}, "mirrors_preset: chinaa is none of none, china"),
    ({"preset": "cloud:nowhere"}, "mirrors_preset: cloud:nowhere"),
    ({"site": "ustcc"}, "mirrors_site: ustcc is no site"),
    ({"site": "https://mirror.example.org"}, "addresses belong into mirrors_sites"),
    ({"sites": {"pypi": "ustcc"}}, "mirrors_sites.pypi: ustcc is no site"),
    ({"sites": {"pipi": "ustc"}}, "mirrors_sites: pipi is no service"),
    ({"sites": {"pypi": "two words/"}}, "mirrors_sites.pypi: two words/ is not"),
    ({"sites": {"pypi": 3}}, "mirrors_sites.pypi: 3 is not"),
    ({"sites": {"pypi": []}}, "mirrors_sites.pypi"),
    ({"sites": "ustc"}, "mirrors_sites: ustc is not a mapping"),
    ({"services": ["pipi"], "preset": "china"}, "mirrors_services: pipi is no service"),
    ({"services": "pypi", "preset": "china"}, "mirrors_services: pypi is not a list"),
    ({"services": ["pypi"]}, "nothing says among which sites"),
    ({"candidates": ["x"], "preset": "china"}, "mirrors_candidates: x is no site"),
    ({"preset": "offline", "site": "ustc"}, "asks no site"),
    ({"preset": "offline", "sites": {"npm": "npmmirror"}}, "asks no site"),
    ({"security_policy": "sometimes"}, "mirrors_security_policy: sometimes is not one of official"),
    ({"apt_url": "mirror.example.org"}, "mirrors_apt_url: mirror.example.org is not an address"),
    ({"apt_url": 'https://x.example.org/"'}, "mirrors_apt_url"),
    ({"apt_url": "https://x.example.org/\nevil"}, "mirrors_apt_url"),
    ({"failover": "maybe"}, "mirrors_failover: maybe is not true or false"),
    ({"measure": {"seconds": -1}}, "mirrors_measure.seconds: -1 is not a number from 0.1 to 60"),
    ({"measure": {"max_age_hours": 1e6}}, "mirrors_measure.max_age_hours: 1000000.0 is not a number from 1 to 8784"),
    ({"measure": {"minutes": 1}}, "mirrors_measure: minutes is not one of"),
    ({"proxy": {"http": "proxy"}}, "mirrors_proxy.http: proxy is not an http, https or socks5 address"),
    ({"proxy": {"ftp": "x"}}, "mirrors_proxy: ftp is not one of"),
    ({"proxy": {"no_proxy": 3}}, "mirrors_proxy.no_proxy"),
    ("no mapping", "must be a mapping"),
    ({"catalogue": ["x"]}, "mirrors_catalogue: it must be a mapping"),
]


@pytest.mark.parametrize("wishes, said", REFUSED, ids=[said for _wishes, said in REFUSED])
def test_what_cannot_work_is_refused_and_nothing_set(host: Make, wishes: Any, said: str) -> None:
    found = steps(host("noble"), wishes)
    assert said in found["refusal"]
    nothing = steps(host("noble"), {})
    assert {**found, "refusal": "", "todo": False} == nothing and found["todo"]
    chinese = steps(host("noble"), wishes, "zh")["refusal"]
    assert found["refusal"].endswith(". Nothing was changed.") and chinese.endswith("。未作任何更改。")


def test_a_password_is_refused_and_not_shown(host: Make) -> None:
    for password in ("secret", "wqx@cret/s", "wqx/ret@s"):
        url = f"https://me:{password}@mirror.example.org/debian"
        for wishes in ({"apt_url": url}, {"sites": {"npm": url}}, {"sites": {"debian": [url]}}):
            found = steps(host("trixie"), wishes)
            assert found["refusal"] and not any(part in str(found) for part in ("secret", "wqx", "cret/", "ret@"))


def test_a_password_of_the_proxy_is_in_no_answer(host: Make) -> None:
    """The role loops over the answer, and Ansible shows what a task loops over."""
    wishes = {"preset": "china", "proxy": {"http": "http://me:secret@proxy.example.org:3128"}}
    found = steps(host("noble"), wishes)
    assert found["settings"]["proxy"]["used"] and "secret" not in str(found)
    broken = steps(host("noble"), {"proxy": {"http": "ftp://me:secret@proxy.example.org"}})
    assert "***@proxy.example.org" in broken["refusal"] and "secret" not in str(broken)


@pytest.mark.parametrize(
    "url",
    [
        "https://docker.mirrors.ustc.edu.cn",
        "https://docker.mirrors.ustc.edu.cn/",
        "http://hub-mirror.c.163.com",
        "https://registry.docker-cn.com",
    ],
)
def test_dead_mirrors_of_docker_are_told(host: Make, url: str) -> None:
    daemon = {"path": "/etc/docker/daemon.json", "data": {"registry-mirrors": [url, "https://docker.m.daocloud.io"]}}
    found = steps(host("noble", daemon_json=daemon), {})
    assert len(found["warnings"]) == 1
    assert found["warnings"][0].startswith(f"/etc/docker/daemon.json: {url} is a mirror that was given up (")


def test_dead_addresses_of_ones_own_are_told(host: Make) -> None:
    wishes = {
        "pip_index_url": "https://mirrors.jlu.edu.cn/pypi/web/simple",
        "sites": {
            "npm": "https://npmreg.proxy.ustclug.org",
            "conda": "https://mirrors.tuna.tsinghua.edu.cn/anaconda/cloud",
        },
    }
    said = steps(host("noble"), wishes)["warnings"]
    assert [text.partition(":")[0] for text in said] == ["mirrors_pip_index_url", "mirrors_sites.npm"]


def test_dead_entries_of_apt_are_told(host: Make) -> None:
    entry = {"file": "/etc/apt/sources.list", "uris": ["https://opentuna.cn/ubuntu"], "enabled": True}
    found = steps(host("noble", packages={"sources": [entry, {**entry, "enabled": False}, None, {"uris": 3}]}), {})
    assert found["warnings"] == [
        "/etc/apt/sources.list: https://opentuna.cn/ubuntu is a mirror that was given up (the site was closed); "
        "take it out"
    ]
    assert steps(host("noble", packages={"sources": [{**entry, "enabled": False}]}), {})["warnings"] == []


def test_the_measures_that_pass_here_are_those_that_the_module_accepts() -> None:
    assert {**RANGES, **MEASURE_RANGES} == RANGES
