# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import apt_conf, proxies


def test_proxy_with_hosts_that_need_none() -> None:
    wish = proxies.apt(
        proxies.read({"http": "http://p.example.org:3128", "no_proxy": "near.example.org,10.0.0.0/8,.internal"})
    )
    text = apt_conf.proxy(wish)
    assert text.startswith(
        '// Written by gpuready\nAcquire::http::Proxy "http://p.example.org:3128";\nAcquire::https::Proxy "DIRECT";\n'
        'Acquire::http::Proxy::near.example.org "DIRECT";\nAcquire::https::Proxy::near.example.org "DIRECT";\n'
    )
    assert "10.0.0.0" not in text and "internal" not in text and '::localhost "DIRECT"' in text
    assert apt_conf.proxy_mode(wish) == 0o644


def test_credentials_make_the_file_roots_alone() -> None:
    wish = proxies.apt(proxies.read({"https": "http://me:p%40ss@p.example.org:3128"}))
    assert apt_conf.proxy_mode(wish) == 0o600 and "me:p%40ss@" in apt_conf.proxy(wish)


def test_transport() -> None:
    assert apt_conf.transport({"retries": 0, "timeout": 10, "ca_bundle": "/etc/ca.pem"}) == (
        '// Written by gpuready\nAcquire::Retries "0";\nAcquire::http::Timeout "10";\nAcquire::https::Timeout "10";\n'
        'Acquire::https::CAInfo "/etc/ca.pem";\n'
    )
    assert apt_conf.transport({}) == "" and apt_conf.proxy({}) == "" and apt_conf.proxy({"direct": ["a"]}) == ""


def test_what_apt_would_read_as_more_than_a_value_is_refused() -> None:
    with pytest.raises(apt_conf.AptConfError, match="quote"):
        apt_conf.transport({"ca_bundle": '/x"; APT::X "y'})
    with pytest.raises(apt_conf.AptConfError, match="no host"):
        apt_conf.proxy({"http": "http://p:1", "direct": ['a "x"; b']})
