# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import inplace
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from hypothesis import given
from hypothesis import strategies as st

DIR = "/root/autodl-tmp/gpuready"


def facts(**more: Any) -> dict[str, Any]:
    found = {
        "scope": "container",
        "os": {"machine": "x86_64"},
        "virt": {"rented": {"provider": "autodl", "markers": ["/root/autodl-tmp"]}},
        "storage": {"fs": [{"mount": "/", "free_mib": 9000, "ro": False}]},
        "cpu": {"count": 64, "limit": 8.5},
        "memory": {"total_mib": 512 * 1024, "limit_mib": 24 * 1024},
    }
    return {**found, **more}


def rented(provider: str | None, *mounts: str, markers: tuple[str, ...] = ()) -> dict[str, Any]:
    entries = [{"mount": mount, "free_mib": 9000, "ro": False} for mount in ("/", *mounts)]
    return facts(virt={"rented": {"provider": provider, "markers": list(markers)}}, storage={"fs": entries})


def steps(
    spec: dict[str, Any] | None = None, found: dict[str, Any] | None = None, language: str = "en", **inputs: Any
) -> dict[str, Any]:
    given = {"dir": DIR, "lock": "", "services": True, **inputs}
    return inplace.steps(found or facts(), normalise(spec or {}), given, language)


@pytest.mark.parametrize(
    ("found", "folder"),
    [
        (rented("autodl", markers=("/root/autodl-tmp",)), DIR),
        (rented("runpod"), "/workspace/gpuready"),
        (rented(None, "/root/notebook"), "/root/notebook/gpuready"),
        (rented(None), "/opt/gpuready-env"),
        (rented("somebody-new", "/mnt/x"), "/opt/gpuready-env"),
        # a mount of that name says nothing where no provider is known
        (rented(None, "/workspace"), "/opt/gpuready-env"),
        ({}, "/opt/gpuready-env"),
    ],
)
def test_everything_goes_to_the_data_disk(found: dict[str, Any], folder: str) -> None:
    assert inplace.place(found)["dir"] == folder


def test_each_provider_of_the_table_has_a_source_and_absolute_paths() -> None:
    for name, row in load("rented")["providers"].items():
        assert row["source"] and row["keeps"], name
        assert all(disk.startswith("/") for disk in row["disks"])


def test_all_paths_of_the_stages_lie_in_the_folder() -> None:
    made = steps()
    for stage in made["stages"]:
        for name, value in stage["env"].items():
            if value.startswith("/"):
                assert value.startswith((DIR, "/run/gpuready-env")), (stage["name"], name, value)
        assert all(path.startswith(DIR) for path in stage["creates"])
    assert [stage["name"] for stage in made["stages"]] == ["apt", "uv", "python", "packages"]


def test_files_outside_of_it_are_few_and_named() -> None:
    outside = {entry["path"] for entry in steps()["files"] if not entry["path"].startswith(DIR)}
    assert outside <= {"/etc/profile.d/90-devenv.sh", "/etc/tmux.conf"}


def test_jupyter_is_on_loopback_at_a_port_of_its_own() -> None:
    made = steps()
    (jupyter,) = made["programs"]
    assert jupyter["port"] == made["jupyter_port"] == 8889
    assert jupyter["environment"]["DEVENV_JUPYTER_IP"] == "127.0.0.1"
    assert jupyter["environment"]["DEVENV_JUPYTER_PORT"] == "8889"
    assert jupyter["closed"] == "/api/contents" and made["token_file"] in jupyter["watch"]
    assert steps({"jupyter": {"port": 9000}})["jupyter_port"] == 9000
    assert steps(jupyter_port=8888)["jupyter_port"] == 8888


def test_secrets_are_in_no_command_environment_or_file() -> None:
    token, hashed = "token-0123456789-0123456789", "argon2:$argon2id$v=19$abc$def-0123456789"
    spec = {"jupyter": {"token": token, "hashed_password": hashed}}
    made = steps(spec, pip_index_url="https://me:hidden-word@index.example.org/simple")
    open_parts = repr([made["stages"], made["files"], made["programs"]])
    assert token not in open_parts and hashed not in open_parts and "hidden-word" not in open_parts
    assert {entry["value"] for entry in made["secrets"]} == {token, hashed}


def test_workers_follow_the_control_group() -> None:
    env = steps()["programs"][0]["environment"]
    assert env["OMP_NUM_THREADS"] == "8" and env["MAX_JOBS"] == "6"
    free = facts(cpu={"count": 8, "limit": None})
    assert "OMP_NUM_THREADS" not in steps(found=free)["programs"][0]["environment"]
    mine = steps({"env": {"OMP_NUM_THREADS": "2"}})["programs"][0]["environment"]
    assert mine["OMP_NUM_THREADS"] == "2"


@given(
    st.one_of(st.none(), st.floats(0, 512)),
    st.one_of(st.none(), st.integers(1, 512)),
    st.one_of(st.none(), st.integers(0, 10**7)),
)
def test_there_is_always_a_worker(limit: float | None, count: int | None, memory: int | None) -> None:
    found = facts(cpu={"limit": limit, "count": count}, memory={"limit_mib": memory, "total_mib": None})
    assert inplace.workers(found) is None or inplace.workers(found) >= 1  # type: ignore[operator]
    assert inplace.jobs(found) >= 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (facts(scope="host"), "no rented container"),
        (facts(storage={"fs": [{"mount": "/root/autodl-tmp", "free_mib": 10, "ro": False}]}), "10 MiB left"),
        (facts(storage={"fs": [{"mount": "/root/autodl-tmp", "free_mib": 9000, "ro": True}]}), "read-only"),
        # another disk of the same beginning does not count
        (facts(storage={"fs": [{"mount": "/root/auto", "free_mib": 10, "ro": False}]}), ""),
        (facts(), ""),
    ],
)
def test_machines_that_are_none_for_it_are_refused(found: dict[str, Any], said: str) -> None:
    refusal, chinese = steps(found=found)["refusal"], steps(found=found, language="zh")["refusal"]
    assert said in refusal and bool(refusal) == bool(chinese) == bool(said)
    assert not said or (chinese.endswith("。") and chinese != refusal)


def test_a_machine_of_its_own_only_if_told_so() -> None:
    assert steps(found=facts(scope="host"), anywhere=True)["refusal"] == ""


def test_without_services_nothing_is_started() -> None:
    made = steps(services=False)
    assert made["programs"] == [] and made["secrets"] == []
    profile = next(entry for entry in made["files"] if entry["path"].endswith("90-devenv.sh"))
    assert "supervisord" not in profile["content"]


def test_what_the_network_needs_comes_as_secrets() -> None:
    spec = normalise({"proxy": {"http": "http://proxy.example.org:3128", "no_proxy": ["localhost", "example.org"]}})
    found = inplace.network_secrets(
        {"pip_index_url": "https://index.example.org", "mirrors": {"torch": "t", "x": ""}}, spec
    )
    assert found["pip_index_url"] == "https://index.example.org" and found["build_mirrors"] == "torch t\n"
    assert "http_proxy=http://proxy.example.org:3128\n" in found["build_proxy"]
    assert "no_proxy=localhost,example.org\n" in found["build_proxy"]
    assert inplace.network_secrets({}, normalise({})) == {}
