# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNB: only documented keys, a build context that holds what the Dockerfile reads, scripts that dash runs."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace import cnb

# docs.cnb.cool/zh/build/grammar.html (Pipeline, runner, docker, docker.build, services, Job), read 2026-11
PIPELINE = [
    "name",
    "runner",
    "docker",
    "git",
    "services",
    "env",
    "imports",
    "label",
    "stages",
    "failStages",
    "endStages",
]
PIPELINE += ["ifModify", "retry", "allowFailure", "lock"]
RUNNER = ["tags", "cpus"]
DOCKER = ["image", "build", "volumes"]
BUILD = ["dockerfile", "target", "by", "versionBy", "buildArgs", "ignoreBuildArgsInVersion", "sync"]
SERVICE = ["name", "options"]
JOB = ["name", "type", "script", "commands", "image", "settings", "options", "imports", "env", "exports", "timeout"]
WISH: dict[str, Any] = {
    "models": ["Qwen/Qwen3-8B"],
    "imports": ["https://cnb.cool/me/secrets/-/blob/main/env.yml", "./more.yml"],
    "env": {"NCCL_DEBUG": "INFO"},
    "volumes": ["/root/.cache:copy-on-write"],
    "stages": [{"name": "mine", "script": "echo one"}],
    "end_stages": [{"name": "last", "script": "echo two"}],
    "keep_alive": "2h",
}


def pipeline(text: str) -> dict[str, Any]:
    document = yaml.safe_load(text)
    assert list(document) == ["$"] and list(document["$"]) == ["vscode"]
    (found,) = document["$"]["vscode"]
    assert isinstance(found, dict)
    return found


def test_only_documented_keys(render: Any) -> None:
    body = pipeline(render("cnb", cnb=WISH)[".cnb.yml"])
    assert set(body) <= set(PIPELINE)
    assert set(body["runner"]) <= set(RUNNER) and set(body["docker"]) <= set(DOCKER)
    assert set(body["docker"]["build"]) <= set(BUILD)
    for service in body["services"]:
        assert isinstance(service, str) or set(service) <= set(SERVICE)
    for stage in body["stages"] + body["endStages"]:
        assert set(stage) <= set(JOB) and stage["name"]


def test_what_is_wished_is_there(render: Any) -> None:
    body = pipeline(render("cnb", cnb=WISH)[".cnb.yml"])
    assert body["runner"] == {"tags": "cnb:arch:amd64:gpu"}
    assert body["services"] == [{"name": "vscode", "options": {"keepAliveTimeout": "2h"}}, "docker"]
    assert body["imports"] == WISH["imports"] and body["docker"]["volumes"] == WISH["volumes"]
    assert body["env"]["NCCL_DEBUG"] == "INFO"
    assert [stage["name"] for stage in body["stages"]] == ["GPU is there", "model Qwen/Qwen3-8B", "mine"]
    assert [stage["name"] for stage in body["endStages"]] == ["last", "not pushed yet"]
    # a failing build must not be hidden behind an image that is given besides
    assert "image" not in body["docker"]


def test_without_a_gpu_nobody_asks_for_one(render: Any) -> None:
    body = pipeline(render("cnb", cnb={"runner_tag": "cnb:arch:amd64", "cpus": 16, "keep_alive": ""})[".cnb.yml"])
    assert body["runner"] == {"tags": "cnb:arch:amd64", "cpus": 16}
    assert body["stages"] == [] and body["services"] == ["vscode", "docker"]


def test_the_context_holds_what_the_dockerfile_reads(render: Any) -> None:
    found = render("cnb", cnb=WISH)
    by = pipeline(found[".cnb.yml"])["docker"]["build"]["by"]
    assert sorted([*by, ".cnb.yml", ".ide/Dockerfile"]) == sorted(found)
    text = found[".ide/Dockerfile"]
    sources = re.findall(r"(?:source|src)=([^,\s]+)", text)
    assert len(sources) > 10
    assert [one for one in sources if not any(path == one or path.startswith(one + "/") for path in by)] == []
    assert re.findall(r"(?m)^(?:COPY|ADD) ", text) == []


def test_the_image_suits_cnb(render: Any) -> None:
    found = render("cnb", cnb=WISH)
    text = found[".ide/Dockerfile"]
    # no secrets in a build there, and a command of its own
    assert "type=secret" not in text
    assert re.findall(r"(?m)^(?:ENTRYPOINT|CMD|HEALTHCHECK|EXPOSE)\b", text) == []
    assert re.findall(r"(?m)^USER (.*)$", text)[-1] == "0:0"
    # one container: code-server, git and an ssh server are in the image
    assert "bash /run/devenv-stage/code_server.sh" in text
    packages = found[".ide/inputs/apt/packages"].split()
    assert {"git", "git-lfs", "openssh-server", "ca-certificates"} <= set(packages)


def test_instructions_of_several_lines_are_dropped_whole() -> None:
    text = 'FROM a\nHEALTHCHECK --interval=30s \\\n    CMD ["/x"]\nENV CMD=1\nCMD ["a", \\\n "b"]\n'
    assert cnb.dockerfile(text) == "FROM a\nENV CMD=1\n"


def test_no_secret_is_in_any_file(render: Any) -> None:
    for form in ("image", "compose"):
        for path, text in render("cnb", "devcontainer", "client", devcontainer_form=form, cnb=WISH).items():
            assert "hf_secret" not in text and "t0psecret" not in text, path


def test_the_specification_itself_stays(spec: dict[str, Any]) -> None:
    before = copy.deepcopy(spec)
    cnb.specification(spec)
    assert spec == before


def shell(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """As CNB does: dash, if this machine has it. `place` stands for /workspace."""
    (place / "bin").mkdir(exist_ok=True)
    git = place / "bin" / "git"
    # a stand-in: notes its arguments, makes the last one
    git.write_text(f'#!/bin/sh\necho "$@" >> {place}/calls\nfor last; do :; done\nmkdir -p "$last"\n')
    git.chmod(0o755)
    text = script.replace("/workspace", str(place))
    env = {"PATH": f"{place}/bin:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", text], env=env, capture_output=True, text=True, check=False, cwd=place)


def test_models_are_fetched_once_and_never_committed(render: Any, tmp_path: Path) -> None:
    stage = pipeline(render("cnb", cnb=WISH)[".cnb.yml"])["stages"][1]
    assert stage["timeout"] == "6h"
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / "models/Qwen/Qwen3-8B.part").mkdir(parents=True)  # of a run that was killed
    for _run in range(2):
        assert shell(stage["script"], tmp_path).returncode == 0
    assert (tmp_path / "models/Qwen/Qwen3-8B").is_dir() and not (tmp_path / "models/Qwen/Qwen3-8B.part").exists()
    assert (tmp_path / "calls").read_text() == (
        f"clone --progress --depth 1 https://cnb.cool/ai-models/Qwen/Qwen3-8B {tmp_path}/models/Qwen/Qwen3-8B.part\n"
    )
    assert (tmp_path / ".git/info/exclude").read_text() == "/models/\n"


def test_a_failing_clone_fails_the_stage(render: Any, tmp_path: Path) -> None:
    script = pipeline(render("cnb", cnb={"models": ["a/b"], "models_dir": str(tmp_path / "else")})[".cnb.yml"])[
        "stages"
    ][1]
    assert "exclude" not in script["script"]
    done = shell(script["script"].replace("git clone", "false"), tmp_path)
    assert done.returncode != 0 and not (tmp_path / "else/a/b").exists()


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"tag": "x"}, "workspace_files_cnb has no tag; it knows path, branch"),
        ({"cpus": 32}, "32 cannot be chosen on cnb:arch:amd64:gpu"),
        ({"runner_tag": "cnb:arch:amd64", "cpus": 65}, "from 1 to 64"),
        ({"runner_tag": "a b"}, "'a b' is no tag"),
        ({"env": {"HF_TOKEN": "x"}}, "env.HF_TOKEN would be in the repository"),
        ({"models": ["https://huggingface.co/a/b"]}, "is not organisation/repository"),
        ({"models": "a/b"}, "models must be a list"),
        ({"imports": ["env.yml"]}, "'env.yml' is no file on cnb.cool"),
        ({"services": ["docker"]}, "services lacks vscode"),
        ({"keep_alive": "20"}, "keep_alive '20' is no duration"),
        ({"stages": ["ls"]}, "hold mappings with name"),
        ({"env": []}, "env must be a mapping"),
    ],
)
def test_wrong_wishes_are_named(wish: dict[str, Any], why: str) -> None:
    (problem,) = cnb.problems(wish)
    assert why in problem and problem.endswith(".")


def test_good_wishes_are_accepted() -> None:
    assert cnb.problems({}) == [] and cnb.problems(WISH) == []
    buildkit = {"name": "docker", "options": {"rootlessBuildkitd": {"enabled": True}}}
    assert cnb.problems({"services": [{"name": "vscode"}, buildkit]}) == []
