# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose project of a container, and the files that it reads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from hypothesis import given, settings
from hypothesis import strategies as st

CONTAINER = {"name": "alice", "image": "gpuready/dev:0123456789ab"}


def made(wanted: dict[str, Any], gpu: str = "none") -> dict[str, Any]:
    return compose.compose(normalise(wanted), CONTAINER, gpu)


def service(wanted: dict[str, Any], gpu: str = "none") -> dict[str, Any]:
    found: dict[str, Any] = made(wanted, gpu)["services"]["dev"]
    return found


def test_the_hardened_default() -> None:
    found = service({})
    assert {name: found[name] for name in ("image", "user", "cap_drop", "security_opt", "pull_policy", "restart")} == {
        "image": "gpuready/dev:0123456789ab",
        "user": "1000:1000",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pull_policy": "never",
        "restart": "unless-stopped",
    }
    assert (found["container_name"], found["hostname"], made({})["name"]) == ("alice", "alice", "alice")
    assert not {"cap_add", "privileged", "cpus", "mem_limit", "deploy", "runtime"} & found.keys()
    assert {port["host_ip"] for port in found["ports"]} == {"127.0.0.1"}


def test_the_root_profile_has_what_sshd_needs() -> None:
    found = service({"user": {"profile": "root"}, "cap_add": ["SYS_PTRACE"]})
    assert found["user"] == "0:0"
    assert found["cap_add"] == ["AUDIT_WRITE", "CHOWN", "KILL", "SETGID", "SETUID", "SYS_CHROOT", "SYS_PTRACE"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert "security_opt" not in service({"user": {"profile": "root", "sudo": "nopasswd"}})


@pytest.mark.parametrize(
    ("gpu", "devices", "mode", "expected"),
    [
        ("cdi", {}, "deploy", ["nvidia.com/gpu=all"]),
        ("cdi", {"devices": ["0", "2"]}, "deploy", ["nvidia.com/gpu=0", "nvidia.com/gpu=2"]),
        ("cdi", {"count": 2}, "deploy", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        ("cdi", {"devices": ["3", "5", "6"], "count": 2}, "deploy", ["nvidia.com/gpu=3", "nvidia.com/gpu=5"]),
    ],
)
def test_gpus_by_cdi(gpu: str, devices: dict[str, Any], mode: str, expected: list[str]) -> None:
    found = service({"gpu": devices}, gpu)
    assert found[mode]["resources"]["reservations"]["devices"] == [
        {"driver": "cdi", "device_ids": expected, "capabilities": ["gpu"]}
    ]
    # nothing comes in beside it where nvidia is the engine's default runtime
    assert found["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert found["environment"]["DEVENV_SERVICES"] == "sshd jupyter gpu"


def test_gpus_by_the_runtime_and_none() -> None:
    found = service({"gpu": {"devices": ["0", "1"]}}, "runtime")
    assert (found["runtime"], found["environment"]["NVIDIA_VISIBLE_DEVICES"]) == ("nvidia", "0,1")
    bare = service({}, "none")
    assert (bare.get("runtime"), bare["environment"]["DEVENV_SERVICES"]) == (None, "sshd jupyter")
    with pytest.raises(ValueError, match="must be one of cdi, runtime, none, undecided"):
        service({}, "magic")


def test_ports() -> None:
    wanted = {
        "ssh": {"publish": 41000, "bind": "10.0.0.1"},
        "jupyter": {"publish": 0},
        "ports": [{"name": "gradio", "container": 7860, "publish": 47860}],
    }
    assert [(one["target"], one["published"], one["host_ip"]) for one in service(wanted)["ports"]] == [
        (8022, "41000", "10.0.0.1"),
        (7860, "47860", "127.0.0.1"),
    ]
    # what is not published listens for tunnels only
    assert service(wanted)["environment"]["DEVENV_JUPYTER_IP"] == "127.0.0.1"
    assert service({})["environment"]["DEVENV_JUPYTER_IP"] == "0.0.0.0"


def test_volumes_of_the_host_must_be_there() -> None:
    wanted = {"volumes": {"models": {"source": "/srv/models", "target": "/data/models", "read_only": True}}}
    found = service(wanted)["volumes"]
    assert found[-1] == {
        "type": "bind",
        "source": "/srv/models",
        "target": "/data/models",
        "read_only": True,
        "bind": {"create_host_path": False},
    }
    named = {one["source"]: one["target"] for one in found if one["type"] == "volume"}
    assert named == {"home": "/home/dev", "hostkeys": "/var/lib/devenv/ssh", "data": "/data"}
    assert made({"volumes": {"all": {"source": "/srv/d", "target": "/data"}}})["volumes"] == {
        "home": {},
        "hostkeys": {},
    }


def test_limits() -> None:
    wanted = {"cpus": "3.5", "memory": "64gb", "shm_size": "16gb", "ulimits": {"nofile": {"soft": 1, "hard": 2}}}
    found = service(wanted)
    assert (found["cpus"], found["mem_limit"], found["shm_size"]) == ("3.5", "64gb", "16gb")
    assert found["ulimits"]["nofile"] == {"soft": 1, "hard": 2}


def test_the_label_changes_with_all_that_needs_a_new_container() -> None:
    def label(wanted: dict[str, Any]) -> str:
        return str(service(wanted)["labels"]["io.gpuready.spec-sha256"])

    assert label({}) == label({})
    for wanted in ({"shm_size": "1gb"}, {"env": {"A": "b"}}, {"ssh": {"publish": 1022}}):
        assert label(wanted) != label({})
    # seen without a new container: keys; and a digest of a token is nobody's business
    assert label({"ssh": {"authorized_keys": ["ssh-ed25519 AAAA me"]}}) == label({})
    assert label({"jupyter": {"token": "x" * 24}}) == label({})


SECRET = {
    "jupyter": {"token": "hush-token-0123456789abcdef", "hashed_password": "argon2:hush"},
    "code_server": {"enabled": True, "hashed_password": "$argon2i$hush"},
    "proxy": {"http": "http://me:hush@proxy.example.org:3128"},
    "keep_mirrors": True,
}


def test_no_secret_in_the_project() -> None:
    assert "hush" not in json.dumps(made(SECRET))


def test_the_files_beside_the_project() -> None:
    found = compose.access_files(normalise(SECRET), {"pypi": "https://near.example.org/simple"})
    assert found == {
        "authorized_keys": "",
        "jupyter_token": "hush-token-0123456789abcdef",
        "jupyter_password_hash": "argon2:hush",
        "code_server_password_hash": "$argon2i$hush",
        "proxy": "http_proxy=http://me:hush@proxy.example.org:3128\nhttps_proxy=http://me:hush@proxy.example.org:3128\n"
        "no_proxy=localhost,127.0.0.1,::1\n",
        "pip.conf": "[global]\nindex-url = https://near.example.org/simple\n",
        "uv.toml": '[[index]]\nurl = "https://near.example.org/simple"\ndefault = true\n',
    }
    assert compose.access_files(normalise({})) == {"authorized_keys": ""}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["jupyter_token"]),
        ({"code_server": {"enabled": True}}, ["jupyter_token", "code_server_password"]),
        ({"jupyter": {"enabled": False}}, []),
        (SECRET, []),
    ],
)
def test_what_must_be_made(wanted: dict[str, Any], names: list[str]) -> None:
    assert compose.made_files(normalise(wanted)) == names


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,8}\Z"), st.text(), max_size=4))
def test_any_environment_survives_yaml_and_compose(env: dict[str, str]) -> None:
    spec = normalise({})
    spec["env"] = env
    found = compose.compose(spec, CONTAINER, "none")
    read = yaml.safe_load(yaml.safe_dump(found, sort_keys=False))
    assert read == found
    values = read["services"]["dev"]["environment"]
    own = {name: value for name, value in env.items() if not name.startswith(("NVIDIA", "DEVENV", "JUPYTER"))}
    # compose reads two dollars as a plain one
    assert {name: re.sub(r"\$(.?)", r"\1", values[name]) for name in own} == own
