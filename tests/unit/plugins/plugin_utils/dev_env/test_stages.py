# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a specification: which, in which order, with what, and when their stamps change."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.stages import Stage, digests, stages
from hypothesis import given, settings
from hypothesis import strategies as st

SUM = "a" * 64
SUMS = {"x86_64": SUM, "aarch64": "b" * 64}
ALL = {
    "python": {"manager": "conda", "version": "3.12"},
    "conda": {"version": "25.11.0-1", "sha256": SUMS},
    "rust": {"enabled": True},
    "code_server": {"enabled": True, "version": "4.126.0", "sha256": SUMS},
    "source_builds": ["flash-attn==2.8.3"],
}
LOCK = "six==1.17.0 --hash=sha256:00\n"


def made(given: dict[str, Any], target: str = "image", lock: str = LOCK, **more: Any) -> list[Stage]:
    return stages(normalise(given), target, lock, **more)


def named(found: list[Stage]) -> dict[str, Stage]:
    return {one["name"]: one for one in found}


@pytest.mark.parametrize(
    ("wanted", "target", "names"),
    [
        ({}, "image", "apt user uv python packages services"),
        ({}, "inplace", "apt uv python packages services"),
        ({"python": {"manager": "venv"}}, "image", "apt user python packages services"),
        (ALL, "image", "apt user conda rust code_server uv python packages source_builds services"),
        (ALL, "inplace", "apt conda rust code_server uv python packages source_builds services"),
    ],
)
def test_the_stages_in_their_order(wanted: dict[str, Any], target: str, names: str) -> None:
    found = made(wanted, target)
    assert [one["name"] for one in found] == names.split()
    for number, one in enumerate(found):
        assert set(one["after"]) <= {before["name"] for before in found[:number]}
        assert one["script"].startswith("#!/usr/bin/env bash\n")
        # a module writes them into one folder
        assert not [name for name in one["inputs"] if "/" in name]
    assert json.loads(json.dumps(found)) == found


def test_a_target_that_is_none() -> None:
    with pytest.raises(ValueError, match='target is "vm"; it must be "image" or "inplace"'):
        made({}, "vm")


def changed(before: list[Stage], after: list[Stage]) -> list[str]:
    old, new = digests(before), digests(after)
    return [name for name in new if old.get(name) != new[name]]


@pytest.mark.parametrize(
    ("wanted", "lock", "rerun"),
    [
        ({}, LOCK, []),
        ({}, LOCK.replace("1.17.0", "1.16.0"), ["packages"]),
        ({"timezone": "Asia/Shanghai"}, LOCK, []),
        ({"jupyter": {"publish": 40999}, "gpu": {"devices": ["1"]}, "shm_size": "1gb"}, LOCK, []),
        ({"tmux": False}, LOCK, ["services"]),
        ({"ssh": {"authorized_keys": ["ssh-ed25519 AAAA x"]}}, LOCK, []),
        ({"torch": {"backend": "cu130"}}, LOCK, ["packages"]),
        ({"python": {"version": "3.12"}}, LOCK, ["python", "packages"]),
        ({"apt_packages": ["tmux", "vim"]}, LOCK, ["apt", "user", "uv", "python", "packages", "services"]),
    ],
)
def test_only_what_a_change_reaches_runs_again(wanted: dict[str, Any], lock: str, rerun: list[str]) -> None:
    assert changed(made({}), made(wanted, lock=lock)) == rerun


def test_settings_of_the_run_time_are_a_file_in_place_only() -> None:
    assert changed(made({}, "inplace"), made({"jupyter": {"port": 8890}}, "inplace")) == ["services"]
    assert changed(made({}), made({"jupyter": {"port": 8890}})) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"python": {"manager": "conda"}, "conda": {"sha256": {"x86_64": "", "aarch64": ""}}}, "dev_conda.sha256"),
        ({"code_server": {"enabled": True, "sha256": {"x86_64": "", "aarch64": ""}}}, "dev_code_server.sha256"),
        (
            {"rust": {"enabled": True, "rustup": {"version": "1.0", "sha256": {"x86_64": "", "aarch64": ""}}}},
            "dev_rust.rustup.sha256",
        ),
    ],
)
def test_nothing_comes_unchecked(wanted: dict[str, Any], said: str) -> None:
    spec = normalise(wanted)
    for name in ("conda", "code_server"):
        spec[name]["sha256"] = {}
    spec["rust"]["rustup"]["sha256"] = {}
    with pytest.raises(ValueError, match=f"^{said} has no sum for x86_64, and nothing is installed unchecked"):
        stages(spec, "image")


@pytest.mark.parametrize(
    ("machine", "ends"),
    [("x86_64", ("x86_64.sh", "linux-amd64.tar.gz")), ("aarch64", ("aarch64.sh", "linux-arm64.tar.gz"))],
)
def test_downloads_are_those_of_the_machine(machine: str, ends: tuple[str, str]) -> None:
    found = named(made(ALL, machine=machine))
    assert [found[name]["downloads"][0]["url"].endswith(end) for name, end in zip(("conda", "code_server"), ends)] == [
        True,
        True,
    ]
    assert found["rust"]["downloads"][0]["name"] == "rustup-init"
    assert found["code_server"]["inputs"]["downloads"].startswith(f"{SUMS[machine]} code-server.tar.gz https://")


def test_extensions_with_and_without_version() -> None:
    wanted = {**ALL["code_server"], "extensions": [{"id": "a.b", "version": "1.2"}, {"id": "c.d"}]}  # type: ignore[dict-item]
    assert named(made({"code_server": wanted}))["code_server"]["inputs"]["extensions"] == "a.b@1.2\nc.d\n"


def test_in_place_all_lies_on_the_data_disk_but_for_shells() -> None:
    found = made({**ALL, "data_dir": "/root/autodl-tmp/gpuready"}, "inplace", where={"tools": "/srv/tools"})
    values = {path for one in found for path in one["env"].values() if path.startswith("/")}
    assert {path for path in values if not path.startswith("/root/autodl-tmp/gpuready/")} == {
        "/srv/tools",
        "/etc/bash.bashrc",
    }
    assert not [one["env"] for one in found if one["env"].get("DEV_OWNER", "0:0") != "0:0"]


def test_packages_that_the_parts_need() -> None:
    def packages(wanted: dict[str, Any], target: str = "image") -> set[str]:
        return set(made({"apt_packages": [], **wanted}, target)[0]["inputs"]["packages"].split())

    assert {"openssh-server", "tini", "supervisor"} <= packages({})
    assert not {"openssh-server", "tini"} & packages({}, "inplace")
    assert {"locales"} == packages({"locale": "zh_CN.UTF-8"}) - packages({})
    assert {"curl"} == packages({"rust": {"enabled": True}}) - packages({})
    assert {"tmux"} == packages({}) - packages({"tmux": False})


def test_project_mode_has_its_lock_in_the_image_and_its_repository_in_place() -> None:
    texts = {"pyproject.toml": "[project]\n", "uv.lock": "version = 1\n"}
    image = named(made({"python": {"project": "/srv/code"}}, project=texts))["packages"]
    assert image["inputs"].keys() >= texts.keys()
    assert (image["env"]["DEV_PROJECT"], image["env"]["DEV_EXTRAS"]) == ("", "gpu")
    place = named(made({"python": {"project": "/srv/code"}}, "inplace"))["packages"]
    assert (place["env"]["DEV_PROJECT"], place["env"]["DEV_EXTRAS"]) == ("/srv/code", "gpu")


SECRETS = {
    "jupyter": {"token": "hush-token-0123456789abcdef", "hashed_password": "argon2:hush"},
    "code_server": {**ALL["code_server"], "hashed_password": "$argon2i$hush"},  # type: ignore[dict-item]
    "proxy": {"http": "http://me:hush@proxy.example.org:3128"},
}


@pytest.mark.parametrize("target", ["image", "inplace"])
def test_no_stage_holds_a_secret(target: str) -> None:
    assert "hush" not in json.dumps(made(SECRETS, target))


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,8}\Z"), st.text(), max_size=4))
def test_any_environment_is_quoted_for_shells(env: dict[str, str]) -> None:
    spec = normalise({})
    spec["env"] = env
    inputs = named(stages(spec, "inplace", LOCK))["services"]["inputs"]
    for name in ("settings", "session.sh"):
        words = shlex.split(inputs[name])
        assert {f"{key}={value}" for key, value in env.items()} <= set(words)
