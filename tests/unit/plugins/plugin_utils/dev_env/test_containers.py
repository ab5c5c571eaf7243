# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several containers on one host: what each one gets, and what they must not share."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.containers import published
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import (
    expand,
    normalise,
    problems,
    warnings,
)
from hypothesis import given
from hypothesis import strategies as st

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
KEYS = {"ssh": {"authorized_keys": [KEY]}}
ALICE = {"name": "alice", "gpu": {"devices": ["0"]}}
BOB = {"name": "bob", "gpu": {"devices": ["1"]}, "ssh": {"publish": 40023}, "jupyter": {"publish": 40889}}


def test_without_containers_there_is_one():
    assert expand({}) == [normalise({})]
    assert [one["name"] for one in expand({"name": "lab"})] == ["lab"]


def test_each_is_a_whole_specification():
    given_ = {**KEYS, "python": {"groups": ["notebook", "llm"]}, "containers": [ALICE, BOB]}
    alice, bob = expand(given_)
    for one in (alice, bob):
        assert normalise(one) == one
        assert one["python"]["groups"] == ["notebook", "llm"]
        assert one["ssh"]["authorized_keys"] == [KEY]
        assert one["containers"] == []
        assert problems(one) == []
    assert alice["gpu"] == {**bob["gpu"], "devices": ["0"]}
    assert (alice["ssh"]["publish"], bob["ssh"]["publish"]) == (40022, 40023)


def test_lists_are_replaced_and_free_keys_merged():
    given_ = {
        "apt_packages": ["git"],
        "env": {"A": "1", "B": "2"},
        "volumes": {"m": {"source": "/srv/m", "target": "/data/m", "read_only": True}},
        "containers": [
            {
                "name": "a",
                "apt_packages": ["vim"],
                "env": {"B": None, "C": 3},
                "volumes": {"n": {"source": "/srv/n", "target": "/data/n"}},
            }
        ],
    }
    (one,) = expand(given_)
    assert one["apt_packages"] == ["vim"]
    assert one["env"] == {"A": "1", "C": "3"}
    assert sorted(one["volumes"]) == ["m", "n"]
    assert one["volumes"]["n"]["read_only"] is False


def test_what_one_container_takes_out_breaks_no_rule():
    volumes = {"m": {"source": "/srv/m", "target": "/data/m"}}
    one = {"name": "a", "env": {"B": None}, "volumes": {"m": None}, "ulimits": {"nofile": None}}
    given_ = {**KEYS, "env": {"B": "1"}, "volumes": volumes, "containers": [one]}
    assert problems(given_) == []
    (found,) = expand(given_)
    assert (found["env"], found["volumes"], "nofile" in found["ulimits"]) == ({}, {}, False)


def test_a_container_shares_no_object_with_another():
    one, other = expand({"containers": [{"name": "a"}, {"name": "b"}]})
    one["python"]["groups"].append("llm")
    one["code_server"]["extensions"][0]["id"] = "changed"
    assert other["python"] == normalise({})["python"]
    assert other["code_server"] == normalise({})["code_server"]


def test_names_are_there_and_different():
    found = problems({"containers": [{"name": "a"}, {"tmux": True}, {"name": "a"}]}, "files")
    assert [text.partition(":")[0] for text in found] == ["dev_containers[1].name", "dev_containers[2].name"]


def test_ports_of_the_host_are_not_shared():
    found = problems({**KEYS, "containers": [ALICE, {"name": "bob", "jupyter": {"publish": 0}}]})
    assert found == [
        "dev_ssh.publish: the containers alice and bob both publish 40022; give each of dev_containers its own port "
        "of the "
        "host"
    ]
    assert problems({**KEYS, "containers": [ALICE, BOB]}) == []


@pytest.mark.parametrize(
    ("bind", "other", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("::1", "0.0.0.0", False),
        ("127.0.0.1", "192.0.2.7", False),
    ],
)
def test_one_port_may_be_on_two_addresses(bind, other, clash):
    ports = [{"name": "a", "container": 7860, "publish": 40022, "bind": other, "open": True}]
    found = problems({"ssh": {"authorized_keys": [KEY], "bind": bind}, "ports": ports})
    assert found == (
        ["dev_ports (a): dev_ssh.publish publishes 40022 already; give each its own port of the host"] if clash else []
    )


def test_what_is_off_publishes_nothing():
    given_ = {"ssh": {"enabled": False}, "jupyter": {"publish": 0}}
    assert list(published(normalise(given_))) == []


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"devices": ["0"]}, {"devices": ["0", "1"]}, "share GPU 0"),
        ({"devices": ["all"]}, {"devices": ["1"]}, "share all GPUs"),
        ({"devices": ["all"]}, {"devices": ["all"]}, "share all GPUs"),
        ({"count": 2}, {"devices": ["1"]}, "share GPU 1"),
        ({"devices": ["0"]}, {"devices": ["1"]}, ""),
        ({"mode": "none"}, {"devices": ["all"]}, ""),
    ],
)
def test_a_shared_gpu_is_only_warned_about(one, other, words):
    given_ = {**KEYS, "containers": [{**ALICE, "gpu": one}, {**BOB, "gpu": other}]}
    assert problems(given_) == []
    assert [words in text for text in warnings(given_)] == ([True] if words else [])


def test_what_is_wrong_in_one_names_it():
    found = problems({**KEYS, "containers": [ALICE, {**BOB, "user": {"sudo": "nopasswd"}}]})
    (text,) = found
    assert text.startswith("dev_user.sudo: ")
    assert text.endswith(" (container bob)")


@given(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3), st.integers(1, 65535))
def test_all_of_a_host_are_expanded_in_their_order(names, port):
    found = expand({"containers": [{"name": name, "ssh": {"publish": port}} for name in names]})
    assert [one["name"] for one in found] == (names or ["gpuready-dev"])
    assert all(one["ssh"]["publish"] == port for one in found) or not names
