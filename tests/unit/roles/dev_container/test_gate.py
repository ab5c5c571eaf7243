# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role decides from facts: it skips its work only when they show everything to be right.

Every case is a host of one run, so that the whole module costs two runs.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parents[1]))

import role_variables
from role_variables import Case

ROLE = Path(__file__).parents[4] / "roles" / "dev_container"
VERDICT = ["__dev_container_right", "__dev_container_stuck", "__dev_container_held", "__dev_container_files_wrong"]
WANTED = ["__dev_container_wanted", "__dev_container_compose"]
ERRORS = ["dev_container_input_error", "__dev_container_host_error"]
PATHS = ["__dev_container_files", "__dev_container_index_path", "__dev_container_token_path"]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIo2kQx8Nc32i4+8fwEH10eVhtW3nnBl2pTS3DHRKV2E me@laptop"
OTHER_KEY = KEY.replace("laptop", "desk")
INPUTS: dict[str, Any] = {
    "dev_container_authorized_keys": [KEY],
    "dev_container_env": {"PRICE": '5$ "net"', "NUMBER": 5},
}
BARE: dict[str, Any] = {
    "files": {},
    "docker": {"present": False, "reachable": False, "images": [], "containers": []},
    "cdi": {"specs": []},
}
ENGINE: dict[str, Any] = {
    "files": {},
    "docker": {
        "present": True,
        "reachable": True,
        "error": None,
        "version": "26.1.5+dfsg1",
        "compose_version": "2.26.1-4",
        "cdi_spec_dirs": ["/etc/cdi"],
        "runtimes": {"runc": "runc"},
        "images": [],
        "containers": [],
    },
    "cdi": {"specs": [{"kind": "nvidia.com/gpu", "devices": ["all", "0", "1"]}]},
}


def evaluate(base: Path, cases: dict[str, Case]) -> dict[str, dict[str, Any]]:
    """Return the variables asked for, by case."""
    return role_variables.evaluate(
        base,
        "dev_container",
        {name: (snapshot, {**INPUTS, **inputs}, names) for name, (snapshot, inputs, names) in cases.items()},
    )


def entry(content: str, mode: str, uid: int) -> dict[str, Any]:
    data = content.encode()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "mode": mode, "uid": uid, "gid": uid}


def converged(wanted: dict[str, Any], token: str = "t" * 48) -> dict[str, Any]:
    """Return a snapshot of a host on which everything is as the role wants it."""
    snapshot = copy.deepcopy(ENGINE)
    snapshot["files"] = {path: entry(text, "0644", 0) for path, text in wanted["__dev_container_files"].items()}
    snapshot["files"][wanted["__dev_container_index_path"]] = entry("", "0600", 0)
    snapshot["files"][wanted["__dev_container_token_path"]] = entry(token, "0400", 1000)
    image, spec = wanted["__dev_container_wanted"]["image"], wanted["__dev_container_wanted"]["spec"]
    snapshot["docker"]["images"] = [{"id": "1", "tags": [image]}, {"id": "2", "tags": []}]
    snapshot["docker"]["containers"] = [
        {"id": "0", "name": "other", "image": "x", "state": "exited", "health": None, "labels": {}},
        {
            "id": "1",
            "name": "gpuready-dev",
            "image": image,
            "state": "running",
            "health": "healthy",
            "labels": {"io.gpuready.spec-sha256": spec},
        },
    ]
    return snapshot


Edit = Callable[[dict[str, Any]], Any]
TOKEN = "/opt/gpuready/dev/secrets/jupyter_token"
KEYS = "/opt/gpuready/dev/secrets/authorized_keys"
COMPOSE = "/opt/gpuready/dev/compose.yaml"


def container(**changes: Any) -> Edit:
    return lambda snapshot: snapshot["docker"]["containers"][1].update(changes)


def file(path: str, **changes: Any) -> Edit:
    return lambda snapshot: snapshot["files"][path].update(changes)


DRIFT: dict[str, Edit] = {
    "keys_edited": file(KEYS, sha256="0" * 64),
    "keys_mode": file(KEYS, mode="0666"),
    "keys_owner": file(KEYS, uid=1000),
    "compose_gone": lambda snapshot: snapshot["files"].pop(COMPOSE),
    "token_gone": lambda snapshot: snapshot["files"].pop(TOKEN),
    "token_short": file(TOKEN, size=5),
    "token_mode": file(TOKEN, mode="0644"),
    "token_owner": file(TOKEN, uid=0),
    "index_mode": file("/opt/gpuready/dev/pip-index-url", mode="0644"),
    "image_gone": lambda snapshot: snapshot["docker"].update(images=[]),
    "images_unknown": lambda snapshot: snapshot["docker"].update(images=None),
    "container_gone": lambda snapshot: snapshot["docker"]["containers"].pop(),
    "containers_unknown": lambda snapshot: snapshot["docker"].update(containers=None),
    "stopped": container(state="exited"),
    "paused": container(state="paused"),
    "restarting": container(state="restarting"),
    "unhealthy": container(health="unhealthy"),
    "starting": container(health="starting"),
    "health_unknown": container(health=None),
    "other_image": container(image="gpuready/dev:000000000000"),
    "other_spec": container(labels={"io.gpuready.spec-sha256": "0" * 64}),
    "no_label": container(labels=None),
    "files_unknown": lambda snapshot: snapshot.update(files=None),
}
# input that must not be taken for already done, and the part of the wanted state that it moves
CHANGES: dict[str, dict[str, Any]] = {
    "shm": {"dev_container_shm_size": "9gb"},
    "env": {"dev_container_env": {"A": "b"}},
    "port": {"dev_container_ssh_port": 40023},
    "bind": {"dev_container_jupyter_bind": "0.0.0.0"},
    "gpu_none": {"dev_container_gpu_mode": "none"},
    "gpu_devices": {"dev_container_gpu_devices": ["0"]},
    "apt": {"dev_container_apt_packages": ["nano"]},
    "base": {"dev_container_base_image": "nvidia/cuda:12.9.1-base-ubuntu24.04"},
    "uid": {"dev_container_uid": 1001},
    "second_key": {"dev_container_authorized_keys": [KEY, OTHER_KEY]},
    "token_set": {"dev_container_jupyter_token": "u" * 32},
    "index_set": {"dev_container_pip_index_url": "https://mirror.example/simple"},
}
REFUSED_HOSTS: dict[str, tuple[Edit, str]] = {
    "no_docker": (lambda snapshot: snapshot["docker"].update(present=False), "not installed"),
    "dead_docker": (lambda snapshot: snapshot["docker"].update(reachable=False, error="refused"), "(refused)"),
    "old_docker": (lambda snapshot: snapshot["docker"].update(version="20.10.24"), "25 or newer"),
    "no_compose": (lambda snapshot: snapshot["docker"].update(compose_version=None), "compose v2"),
    "no_cdi_spec": (lambda snapshot: snapshot["cdi"].update(specs=[]), "dev_container_gpu_mode is auto"),
    "cdi_off": (lambda snapshot: snapshot["docker"].update(cdi_spec_dirs=[]), "dev_container_gpu_mode is auto"),
}
REFUSED_INPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "in_no_keys": ({"dev_container_authorized_keys": []}, "is empty"),
    "in_private": ({"dev_container_authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "public key"),
    "in_two_lines": ({"dev_container_authorized_keys": [KEY + "\n" + OTHER_KEY]}, "public key"),
    "in_name": ({"dev_container_name": "Dev Box"}, '"Dev Box"'),
    "in_root_dir": ({"dev_container_project_dir": "/opt"}, "two levels"),
    "in_dots": ({"dev_container_project_dir": "/opt/../etc"}, "two levels"),
    "in_root": ({"dev_container_uid": 0}, "unprivileged"),
    "in_token": ({"dev_container_jupyter_token": "short"}, "has 5 characters"),
    "in_env_name": ({"dev_container_env": {"A-B": "x"}}, "(A-B)"),
    "in_env_lines": ({"dev_container_env": {"A": "x\ny"}}, "(A)"),
    "in_env_own": ({"dev_container_env": {"TZ": "UTC"}}, "dev_container_timezone"),
    "in_zone": ({"dev_container_timezone": "Asia/Shang hai"}, "tz database"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    base = tmp_path_factory.mktemp("gate")
    wanted = evaluate(base, {"wanted": (ENGINE, {}, WANTED + PATHS)})["wanted"]
    right = converged(wanted)
    cases: dict[str, Case] = {
        "bare": (BARE, {}, VERDICT),
        "engine": (ENGINE, {}, VERDICT + WANTED),
        "right": (right, {}, VERDICT + WANTED + ERRORS),
        "right_token": (converged(wanted, "u" * 32), {"dev_container_jupyter_token": "u" * 32}, VERDICT + ERRORS),
        "missing_device": (ENGINE, {"dev_container_gpu_devices": ["7"]}, ERRORS),
    }
    for name, edit in DRIFT.items():
        cases[name] = (copy.deepcopy(right), {}, VERDICT)
        edit(cases[name][0])
    cases |= {name: (right, inputs, VERDICT + WANTED) for name, inputs in CHANGES.items()}
    for name, (edit, _message) in REFUSED_HOSTS.items():
        cases[name] = (copy.deepcopy(ENGINE), {}, ERRORS)
        edit(cases[name][0])
    cases["runtime"] = (copy.deepcopy(cases["cdi_off"][0]), {}, WANTED)
    cases["runtime"][0]["docker"]["runtimes"]["nvidia"] = "nvidia-container-runtime"
    cases |= {name: (ENGINE, inputs, ERRORS) for name, (inputs, _message) in REFUSED_INPUTS.items()}
    return evaluate(base, cases)


@pytest.mark.parametrize("name", ["right", "right_token"])
def test_nothing_is_done_when_facts_show_all_right(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results[name]["__dev_container_right"] is True
    assert results[name]["__dev_container_files_wrong"] == []
    assert results[name]["dev_container_input_error"] == results[name]["__dev_container_host_error"] == ""


@pytest.mark.parametrize("name", [*DRIFT, *CHANGES, "bare", "engine"])
def test_any_difference_is_noticed(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results[name]["__dev_container_right"] is False


@pytest.mark.parametrize("name", DRIFT)
def test_only_what_compose_leaves_alone_is_recreated(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results[name]["__dev_container_stuck"] is (name in ("paused", "restarting", "unhealthy"))


@pytest.mark.parametrize("name", DRIFT)
def test_a_container_that_jobs_may_live_in_is_known(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results[name]["__dev_container_held"] is (name in ("paused", "unhealthy"))


def test_only_the_edited_file_is_written_again(results: dict[str, dict[str, Any]]) -> None:
    assert results["keys_edited"]["__dev_container_files_wrong"] == [KEYS]
    assert results["second_key"]["__dev_container_files_wrong"] == [KEYS]


def test_keys_and_token_do_not_replace_the_container_and_content_does(results: dict[str, dict[str, Any]]) -> None:
    right = results["right"]["__dev_container_wanted"]
    for name in ("second_key", "token_set", "index_set"):
        assert results[name]["__dev_container_wanted"] == right
    for name in ("shm", "env", "port", "bind", "gpu_none", "gpu_devices"):
        assert results[name]["__dev_container_wanted"]["spec"] != right["spec"]
        assert results[name]["__dev_container_wanted"]["image"] == right["image"]
    for name in ("apt", "base", "uid"):
        assert results[name]["__dev_container_wanted"]["image"] != right["image"]


@pytest.mark.parametrize("name", REFUSED_HOSTS)
def test_unfit_hosts_are_refused_with_a_reason(results: dict[str, dict[str, Any]], name: str) -> None:
    assert REFUSED_HOSTS[name][1] in results[name]["__dev_container_host_error"]


@pytest.mark.parametrize("name", REFUSED_INPUTS)
def test_inputs_that_cannot_work_are_refused_with_a_reason(results: dict[str, dict[str, Any]], name: str) -> None:
    assert REFUSED_INPUTS[name][1] in results[name]["dev_container_input_error"]


def test_gpu_comes_through_cdi_or_runtime_and_never_through_the_hook(results: dict[str, dict[str, Any]]) -> None:
    cdi = results["engine"]["__dev_container_compose"]["services"]["dev"]
    (device,) = cdi["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "cdi", "device_ids": ["nvidia.com/gpu=all"], "capabilities": ["gpu"]}
    assert cdi["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    runtime = results["runtime"]["__dev_container_compose"]["services"]["dev"]
    assert runtime["runtime"] == "nvidia" and "deploy" not in runtime
    assert runtime["environment"]["NVIDIA_VISIBLE_DEVICES"] == "all"
    none = results["gpu_none"]["__dev_container_compose"]["services"]["dev"]
    assert "deploy" not in none and "runtime" not in none
    assert none["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "asks for 7" in results["missing_device"]["__dev_container_host_error"]


def test_compose_is_locked_down_and_keeps_values_literal(results: dict[str, dict[str, Any]]) -> None:
    service = results["engine"]["__dev_container_compose"]["services"]["dev"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "1000:1000"
    assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}
    assert service["environment"]["PRICE"] == '5$$ "net"'
    assert service["environment"]["NUMBER"] == "5"
    text = json.dumps(results["token_set"]["__dev_container_compose"])
    assert "u" * 32 not in text and hashlib.sha256(b"u" * 32).hexdigest() not in text
