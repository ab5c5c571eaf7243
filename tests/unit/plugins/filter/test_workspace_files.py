# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter hands over what plugin_utils says, with the image's context, and a wrong input as Ansible's own error."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.filter.workspace_files import FilterModule
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise

HOST = {"name": "gpu01", "address": "10.0.0.7"}


@pytest.fixture
def spec() -> dict[str, Any]:
    return normalise({"base": {"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}})


def test_only_cnb_builds_without_secrets(spec: dict[str, Any]) -> None:
    given = FilterModule().filters()["workspace_files"]
    found = {file["path"]: file for file in given(spec, {"targets": ["cnb", "devcontainer", "client"], "host": HOST})}
    assert "type=secret" not in found[".ide/Dockerfile"]["content"]
    assert "type=secret" in found[".devcontainer/Dockerfile"]["content"]
    assert [path for path, file in found.items() if file["merge"]] == [".vscode/extensions.json"]


def test_the_lock_is_in_the_context(spec: dict[str, Any]) -> None:
    given = FilterModule().filters()["workspace_files"]
    found = given(spec, {"targets": ["cnb"], "host": HOST, "lock": "six==1.17.0\n"})
    texts = {file["path"]: file["content"] for file in found}
    assert texts[".ide/inputs/packages/requirements.txt"] == "six==1.17.0\n"


def test_a_wrong_input_is_an_error_of_ansible(spec: dict[str, Any]) -> None:
    given = FilterModule().filters()["workspace_files"]
    with pytest.raises(AnsibleFilterError, match="knows no 'vm'; it knows devcontainer, cnb, client"):
        given(spec, {"targets": ["vm"], "host": {}})
    with pytest.raises(AnsibleFilterError, match=r"dev_base[.]image is empty"):
        given({**spec, "base": {**spec["base"], "image": ""}}, {"targets": ["cnb"], "host": {}})


def test_all_that_is_wrong_is_said_at_once(spec: dict[str, Any]) -> None:
    given = FilterModule().filters()["workspace_files"]
    wishes = {
        "targets": ["cnb", "client"],
        "cnb": {"cpus": 8},
        "pasted": ["x y"],
        "host": {"name": "a", "address": "b"},
    }
    with pytest.raises(AnsibleFilterError) as caught:
        given(spec, wishes)
    assert "workspace_files_cnb.cpus 8" in str(caught.value) and "Line 1 (...)" in str(caught.value)


def test_ansibles_own_types_are_made_plain(spec: dict[str, Any]) -> None:
    class Text(str):
        """As ansible-core hands strings over: with a tag."""

        __slots__ = ()

    given = FilterModule().filters()["workspace_files"]
    wishes = {"targets": [Text("cnb")], "host": HOST, "cnb": {"imports": (Text("./env.yml"),), "gpu_check": False}}
    texts = {file["path"]: file["content"] for file in given(spec, wishes)}
    assert "imports:\n        - ./env.yml\n" in texts[".cnb.yml"]
