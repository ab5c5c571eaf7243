# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""devcontainer.json and its Compose file against their schemas, and what they say about GPUs."""

from __future__ import annotations

import copy
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace import devcontainer
from jsonschema import Draft7Validator, validators

FIXTURES = Path(__file__).resolve().parents[5] / "fixtures"
SCHEMA = json.loads((FIXTURES / "schemas" / "devContainer.base.schema.json").read_text(encoding="utf-8"))


def invalid(schema: dict[str, Any], document: Any) -> list[str]:
    validator = validators.validator_for(schema, Draft7Validator)(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def compose_schema() -> dict[str, Any]:
    # a file of the package, which need not be imported for it
    path = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    schema: dict[str, Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    return schema


@pytest.mark.parametrize("mode", ["auto", "cdi", "runtime", "none"])
@pytest.mark.parametrize("form", devcontainer.FORMS)
def test_both_forms_are_valid(spec: dict[str, Any], render: Any, form: str, mode: str) -> None:
    spec["gpu"]["mode"] = mode
    found = render("devcontainer", devcontainer_form=form)
    assert invalid(SCHEMA, json.loads(found[".devcontainer/devcontainer.json"])) == []
    assert (".devcontainer/compose.yaml" in found) == (form == "compose")
    if form == "compose":
        assert invalid(compose_schema(), yaml.safe_load(found[".devcontainer/compose.yaml"])) == []


def test_the_schemas_can_refuse() -> None:
    assert invalid(SCHEMA, {"build": {}, "overrideCommand": "no"})
    assert invalid(compose_schema(), {"services": {"dev": {"shm": 1}}})


@pytest.mark.parametrize("form", devcontainer.FORMS)
def test_the_image_starts_as_itself_and_belongs_to_the_user(render: Any, form: str) -> None:
    found = json.loads(render("devcontainer", devcontainer_form=form)[".devcontainer/devcontainer.json"])
    assert found["overrideCommand"] is False and found["updateRemoteUserUID"] is False
    assert found["remoteUser"] == "dev" and found["workspaceFolder"] == "/workspace"
    settings = found["customizations"]["vscode"]["settings"]
    assert settings == {"python.defaultInterpreterPath": "/opt/venv/bin/python"}
    assert "ms-python.python" in found["customizations"]["vscode"]["extensions"]
    assert found["forwardPorts"] == [7860] and found["portsAttributes"]["7860"] == {"label": "gradio"}
    # its test for GPUs does not know CDI
    assert "hostRequirements" not in found


@pytest.mark.parametrize(
    ("gpu", "names"),
    [
        ({"devices": ["all"]}, ["nvidia.com/gpu=all"]),
        ({"devices": ["0", "GPU-1b2c"]}, ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1b2c"]),
        ({"devices": ["all"], "count": 2}, ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        ({"devices": ["nvidia.com/gpu=3"]}, ["nvidia.com/gpu=3"]),
    ],
)
def test_gpus_by_their_cdi_names(spec: dict[str, Any], render: Any, gpu: dict[str, Any], names: list[str]) -> None:
    spec["gpu"] = {**spec["gpu"], **gpu}
    single = json.loads(render("devcontainer")[".devcontainer/devcontainer.json"])
    assert [one for one in single["runArgs"] if "device" in one] == [f"--device={name}" for name in names]
    composed = yaml.safe_load(render("devcontainer", devcontainer_form="compose")[".devcontainer/compose.yaml"])
    assert composed["services"]["dev"]["devices"] == names


def test_gpus_by_the_runtime_or_none(spec: dict[str, Any], render: Any) -> None:
    spec["gpu"]["mode"] = "runtime"
    found = json.loads(render("devcontainer")[".devcontainer/devcontainer.json"])
    assert found["hostRequirements"] == {"gpu": True}
    assert [one for one in found["runArgs"] if "device" in one] == []
    spec["gpu"]["mode"] = "none"
    service = yaml.safe_load(render("devcontainer", devcontainer_form="compose")[".devcontainer/compose.yaml"])
    assert not {"devices", "deploy"} & set(service["services"]["dev"])


def test_limits_volumes_and_environment(render: Any) -> None:
    single = json.loads(render("devcontainer")[".devcontainer/devcontainer.json"])
    assert {"--shm-size=8gb", "--ulimit=memlock=-1"} <= set(single["runArgs"])
    assert single["mounts"] == [
        "source=/srv/models,target=/data/models,type=bind,readonly",
        "source=cache,target=/data/cache,type=volume",
    ]
    assert single["containerEnv"]["HF_TOKEN"] == "${localEnv:HF_TOKEN}" and single["containerEnv"]["PRICE"] == "a$b"
    project = yaml.safe_load(render("devcontainer", devcontainer_form="compose")[".devcontainer/compose.yaml"])
    service = project["services"]["dev"]
    assert service["environment"]["HF_TOKEN"] == "${HF_TOKEN:-}" and service["environment"]["PRICE"] == "a$$b"
    assert service["environment"]["DEVENV_SERVICES"] == ""
    assert service["volumes"][1]["bind"] == {"create_host_path": False} and project["volumes"] == {"cache": {}}


def test_the_build_context_lies_beside_it(render: Any) -> None:
    found = render("devcontainer")
    text = found[".devcontainer/Dockerfile"]
    assert "source=stages/apt.sh" in text and ".devcontainer/stages/apt.sh" in found


def test_the_specification_itself_stays(spec: dict[str, Any]) -> None:
    before = copy.deepcopy(spec)
    devcontainer.specification(spec)
    assert spec == before
