# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the five source documents configure is there, and their faults are not (docs/checklist.md names the items)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose, image, packages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import script
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, paths
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.stages import stages

BASE = {"base": {"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}}
LOCK = "six==1.17.0 --hash=sha256:00\n"


def dockerfile(**given: Any) -> str:
    return image.context(normalise({**BASE, **given}), LOCK)["Dockerfile"]


def env(text: str) -> dict[str, str]:
    """The variables of the image."""
    found = re.findall(r'^(?:ENV|   ) (\w+)="?([^"\n]*)"? ?\\?$', text.partition("\nENV ")[2].join(["ENV ", ""]), re.M)
    return {name: value.removesuffix(" \\") for name, value in found}


def service(**given: Any) -> dict[str, Any]:
    project = compose.compose(normalise({**BASE, **given}), {"name": "dl", "image": "gpuready/dev:1"}, "cdi")
    found: dict[str, Any] = project["services"]["dev"]
    return found


def names(given: dict[str, Any]) -> set[str]:
    """Names of the requirements of a specification."""
    spec = normalise({**given, "torch": {"backend": "cu130"}})
    return {re.split(r"[<>=\[; ]", one)[0] for one in packages.requirements(spec)["requirements"]}


# --- image ------------------------------------------------------------------------------------------------------------


def test_the_frontend_of_debconf_is_that_of_one_command_and_not_of_sessions() -> None:
    assert "DEBIAN_FRONTEND" not in dockerfile()
    assert "DEBIAN_FRONTEND=noninteractive apt-get" in script("apt.sh")


@pytest.mark.parametrize(
    "wanted",
    [
        "gcc g++ python3 python3-pip ssh net-tools vim git proxychains ninja-build rsync htop nvtop nload lrzsz tmux",
        "python3 python3-pip python3-venv curl ca-certificates git wget unzip openssh-server neofetch",
        "openssh-server wget vim git",
    ],
    ids=["blog", "CNB guide", "deployment"],
)
def test_the_packages_of_the_documents_come_under_todays_names(wanted: str) -> None:
    today = {
        "gcc": "build-essential",
        "g++": "build-essential",
        "ssh": "openssh-server",
        "proxychains": "proxychains4",
        # the environment of uv takes its place: the system's own Python is protected
        "python3-pip": "python3-venv",
        # gone from Debian 13; nothing in a container needs it
        "neofetch": "",
    }
    apt = set(stages(normalise(BASE), IMAGE)[0]["inputs"]["packages"].split())
    assert {today.get(name, name) for name in wanted.split()} - {""} <= apt


def test_locale_and_time_zone_are_settings_that_are_checked() -> None:
    found = env(dockerfile())
    assert (found["LANG"], found["TZ"]) == ("C.UTF-8", "Etc/UTC")
    found = env(dockerfile(locale="en_US.UTF-8", timezone="Asia/Shanghai"))
    assert (found["LANG"], found["TZ"]) == ("en_US.UTF-8", "Asia/Shanghai")
    # a locale that is only named is none: it is made; and TZ needs its table
    first = stages(normalise({**BASE, "locale": "en_US.UTF-8"}), IMAGE)[0]
    assert {"locales", "tzdata"} <= set(first["inputs"]["packages"].split())
    assert first["env"]["DEV_LOCALE"] == "en_US.UTF-8"


def test_python_is_the_environments_own() -> None:
    text = dockerfile()
    assert env(text)["VIRTUAL_ENV"] == "/opt/venv"
    assert re.search(r"^    PATH=/opt/venv/bin:", text, re.M)


@pytest.mark.parametrize("workdir", ["", "/data", "/root/notebook"])
def test_services_begin_in_the_working_directory(workdir: str) -> None:
    expected = workdir or "/home/dev"
    spec = normalise({**BASE, "workdir": workdir})
    assert f"\nWORKDIR {expected}\n" in image.context(spec, LOCK)["Dockerfile"]
    assert service(workdir=workdir)["environment"]["DEVENV_WORKDIR"] == expected
    # it is made, and the user's
    directories = next(one for one in stages(spec, IMAGE) if one["name"] == "user")["inputs"]["directories"].split()
    assert not workdir or workdir in directories


def test_the_environment_has_no_switch_that_contradicts_itself() -> None:
    found = {**env(dockerfile()), **service()["environment"]}
    assert found["PYTHONUNBUFFERED"] == "1"
    # uv compiles at installation; this would forbid it. Of yesterday: read by nothing, or warned about
    gone = {"PYTHONDONTWRITEBYTECODE", "HF_HUB_ENABLE_HF_TRANSFER", "PYTORCH_CUDA_ALLOC_CONF", "PIP_NO_CACHE_DIR"}
    assert not gone & found.keys()
    wished = {"PYTORCH_ALLOC_CONF": "expandable_segments:True", "HF_XET_HIGH_PERFORMANCE": "1"}
    assert wished.items() <= service(env=wished)["environment"].items()
    assert set(wished) <= set(service(env=wished)["environment"]["DEVENV_SSH_ENV"].split())


# --- Python -----------------------------------------------------------------------------------------------------------

GROUPS = {
    "hf": "transformers accelerate safetensors pillow sentencepiece huggingface-hub peft scipy",
    "vision": "paddleocr ultralytics diffusers",
    "core": "numpy matplotlib pymysql scipy pandas seaborn tqdm scikit-learn torch torchvision torchaudio",
    "llm": "gradio openai pyyaml langchain sentence-transformers pymilvus accelerate dashscope einops beautifulsoup4",
    "llm-extra": "optimum tiktoken sse-starlette tavily-python pinecone networkx langsmith langchain-experimental",
    "serve": "fastapi uvicorn mdtex2html pydantic mysql-connector-python",
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_holds_what_its_document_names(group: str) -> None:
    assert set(GROUPS[group].split()) <= names({"python": {"groups": [group]}})


def test_neither_pip_nor_wheel_nor_unknown_tools_are_asked_for() -> None:
    everything = names({"python": {"groups": [*GROUPS, "notebook"], "version": "3.12"}})
    assert "jupyterlab" in everything
    assert not everything & {"pip", "setuptools", "wheel", "pythonenv", "hf-transfer", "auto-gptq", "flash-attn"}


def test_condas_settings_are_yaml_and_as_wished() -> None:
    def condarc(**conda: Any) -> Any:
        found = stages(normalise({**BASE, "python": {"manager": "conda"}, "conda": conda}), IMAGE)
        return yaml.safe_load(next(one for one in found if one["name"] == "conda")["inputs"]["condarc"])

    assert condarc() == {
        "channels": ["conda-forge"],
        "auto_activate_base": False,
        "channel_priority": "strict",
        "show_channel_urls": True,
        # what users make lies in the volume of their home
        "envs_dirs": ["~/.conda/envs", "/opt/conda/envs"],
    }
    assert condarc(auto_activate_base=True, channels=["nvidia", "conda-forge"])["channels"] == ["nvidia", "conda-forge"]
    assert condarc(auto_activate_base=True)["auto_activate_base"] is True


def test_nothing_is_downloaded_by_plain_http_or_by_a_script_of_the_network() -> None:
    wanted = {"python": {"manager": "conda"}, "rust": {"enabled": True}, "code_server": {"enabled": True}}
    found = [one for stage in stages(normalise({**BASE, **wanted}), IMAGE) for one in stage["downloads"]]
    assert len(found) == 3
    for one in found:
        assert one["url"].startswith("https://") and "latest" not in one["url"]
        assert re.fullmatch("[0-9a-f]{64}", one["sha256"])
    scripts = "".join(stage["script"] for stage in stages(normalise({**BASE, **wanted}), IMAGE))
    assert not re.search(r"curl[^\n]*\|\s*(ba)?sh", scripts)


# --- services and compose ---------------------------------------------------------------------------------------------


def test_no_password_is_baked_and_no_root_logs_in() -> None:
    text = "".join(image.context(normalise(BASE), LOCK).values())
    assert not re.search(r"chpasswd|P@ssw0rd|yourpassword|PermitRootLogin yes|PasswordAuthentication yes", text)


def test_one_process_starts_all_services() -> None:
    last = dockerfile().splitlines()[-2:]
    assert last[0].startswith('ENTRYPOINT ["/usr/bin/tini"')
    assert last[1].startswith('CMD ["/usr/bin/supervisord"')
    assert "tail" not in dockerfile() and "command" not in service()


def test_jupyter_shows_the_working_directory_or_another_one() -> None:
    assert service(workdir="/data")["environment"]["DEVENV_JUPYTER_ROOT"] == "/data"
    assert service(jupyter={"root_dir": "/opt/ai"})["environment"]["DEVENV_JUPYTER_ROOT"] == "/opt/ai"
    spec = normalise({**BASE, "jupyter": {"root_dir": "/opt/ai"}})
    assert "/opt/ai" in next(one for one in stages(spec, IMAGE) if one["name"] == "user")["inputs"]["directories"]


def test_the_extensions_of_the_guide_are_the_default() -> None:
    spec = normalise({**BASE, "code_server": {"enabled": True}})
    found = next(one for one in stages(spec, IMAGE) if one["name"] == "code_server")
    guide = "cnbcool.cnb-welcome redhat.vscode-yaml dbaeumer.vscode-eslint waderyan.gitblame mhutchie.git-graph"
    more = "donjayamanne.githistory tencent-cloud.coding-copilot"
    assert {*guide.split(), *more.split()} <= {line.partition("@")[0] for line in found["inputs"]["extensions"].split()}


def test_the_compose_file_has_nothing_of_yesterday() -> None:
    spec = normalise({**BASE, "gpu": {"count": 2}, "restart": "always"})
    project = compose.compose(spec, {"name": "dl", "image": "x"}, "cdi")
    # "version" is obsolete; the project's own bridge network is compose's default
    assert set(project) == {"name", "services", "volumes"}
    one = project["services"]["dev"]
    assert (one["container_name"], one["restart"]) == ("dl", "always")
    ids = one["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]
    assert ids == ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]


def test_volumes_of_the_documents_and_a_context_without_them() -> None:
    wanted = {
        "models": {"source": "/srv/models", "target": "/data/models"},
        "project": {"source": "/srv/project", "target": "/data/project"},
        "ai": {"source": "/opt/ai", "target": "/opt/ai"},
    }
    binds = {one["target"]: one["source"] for one in service(volumes=wanted)["volumes"] if one["type"] == "bind"}
    assert {one["target"]: one["source"] for one in wanted.values()}.items() <= binds.items()
    # caches have a place in the data volume, which the project has by itself; no .bashrc of the host
    found = service(volumes=wanted)
    assert found["environment"]["HF_HOME"].startswith(paths(normalise(BASE), IMAGE)["data"])
    assert not [target for target in binds if target.endswith(".bashrc")]
    # the project lies in a folder of its own: the context is what is built, and nothing else
    assert "secrets/" in image.context(normalise(BASE), LOCK)[".dockerignore"]
