# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import packages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.packages import (
    PackagesError,
    requirements,
    shipped_lock,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from hypothesis import given
from hypothesis import strategies as st

TABLE = load("dev_packages")
GROUPS = list(TABLE["groups"])
# every Python package that the documents install: P2 to P10 of the reference
DOCUMENTS = re.findall(
    r"\S+",
    """
pythonenv pip setuptools wheel torch torchvision torchaudio xformers
transformers accelerate safetensors pillow sentencepiece huggingface-hub peft scipy hf-transfer
paddleocr ultralytics diffusers
jupyterlab numpy matplotlib pymysql scipy pandas seaborn tqdm scikit-learn torch torchvision torchaudio
gradio openai pyyaml langchain sentence-transformers pymilvus accelerate dashscope einops bs4
auto-gptq optimum tiktoken transformers_stream_generator sse_starlette tavily-python pinecone-client networkx
langchainhub langchain_experimental
fastapi uvicorn flash_attn mdtex2html pydantic mysql-connector-python
""",
)


def spec(plan: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    return normalise({"python": {"groups": ["core"]}, **given}, plan)


def plan(torch: str, index: str, arch: str = "x86_64") -> dict[str, Any]:
    return {
        "machine": {"arch": arch},
        "choices": [{"id": "torch", "value": torch}, {"id": "torch_index", "value": index}],
    }


# --- the table


def places(name: str) -> list[str]:
    """Where a name of the documents is spoken of."""
    wanted = locks.canonical(name)
    items = [item for group in TABLE["groups"].values() for item in group["items"]]
    said = {locks.canonical(item.get("was", item["name"])) for item in items} | {item["name"] for item in items}
    kinds = {"groups": said, **{kind: set(TABLE[kind]) for kind in ("renamed", "dropped", "compile")}}
    kinds["torch_family"] = set(TABLE["torch_family"])
    return [kind for kind, names in kinds.items() if wanted in names]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_package_of_the_documents_is_in_a_group_or_said_why_not(name: str) -> None:
    assert places(name)


def test_groups_hold_no_name_of_yesterday_and_nothing_to_compile() -> None:
    names = {item["name"] for group in TABLE["groups"].values() for item in group["items"]}
    assert names == {locks.canonical(name) for name in names}
    assert not names & {*TABLE["renamed"], *TABLE["dropped"], *TABLE["compile"]}
    by_torch = {i["name"] for g in TABLE["groups"].values() for i in g["items"] if i.get("by") == "torch"}
    assert by_torch <= set(TABLE["torch_family"])


@pytest.mark.parametrize("kind", ["renamed", "dropped", "compile"])
def test_what_was_changed_has_a_reason_a_source_and_a_date(kind: str) -> None:
    for name, row in TABLE[kind].items():
        assert name == locks.canonical(name)
        assert len(row["why"]) > 10 and row["source"] and re.fullmatch(r"\d{4}-\d{2}", row["date"]), name


# --- requirements


def test_the_default_specification() -> None:
    found = requirements(normalise({}))
    assert found["requirements"][:3] == ["ipykernel", "jupyterlab", "matplotlib"]
    assert {"torch", "torchvision", "torchaudio", "numpy"} <= set(found["requirements"])
    assert (found["python_version"], found["python_below"], found["platform"]) == ("3.11", "3.15", "linux")
    assert (found["torch_backend"], found["torch_packages"], found["notes"]) == ("auto", [], [])


def test_a_notebook_alone_needs_no_torch() -> None:
    found = requirements(spec(python={"groups": ["notebook"]}))
    assert found["requirements"] == ["ipykernel", "jupyterlab"]
    assert "torch" in requirements(spec(python={"groups": ["notebook"]}, torch={"version": "2.15"}))["requirements"][2]


def test_own_requirements_join_the_groups() -> None:
    found = requirements(spec(python={"groups": ["core", "hf"], "packages": ["NumPy<2.5", "polars>=1", "scipy"]}))
    lines = found["requirements"]
    assert "NumPy<2.5" in lines and "numpy" not in lines and "polars>=1" in lines
    assert "transformers>=4.45.0" in lines and lines.count("scipy") == 1


@pytest.mark.parametrize(
    ("given_spec", "said"),
    [
        (
            {"python": {"groups": ["core"], "packages": ["polars==1.0", "polars==1.1"]}},
            "polars is asked for in two versions",
        ),
        ({"python": {"groups": ["core"], "packages": ["flash_attn"]}}, "move it to dev_source_builds"),
        ({"python": {"groups": ["core"], "packages": ["torch==2.9"]}}, "in dev_torch.version"),
        ({"torch": {"version": "2.11", "packages": ["torch==2.9.0"]}}, "torch is asked for in two versions"),
        ({"torch": {"backend": "cu118", "version": "2.15"}}, "torch 2.15 has no wheels for cu118; it has cu130, cu132"),
        ({"torch": {"backend": "cpu"}, "source_builds": ["flash-attn"]}, "is compiled for CUDA"),
        ({"python": {"groups": ["vision"], "version": "3.14"}}, "of the group vision: paddlex"),
        ({"python": {"groups": ["core"], "version": "3.15"}}, "must be below 3.15"),
    ],
)
def test_what_cannot_be_is_one_sentence(given_spec: dict[str, Any], said: str) -> None:
    with pytest.raises(PackagesError) as error:
        requirements(spec(**given_spec))
    text = str(error.value)
    assert said in text and text.startswith(("dev_", "polars", "torch")) and text.endswith(".") and "\n" not in text


@pytest.mark.parametrize(
    ("wrong", "near"), [("cor", "did you mean core?"), ("llm_extra", "llm-extra?"), ("x", "known are")]
)
def test_an_unknown_group_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    given_spec = spec()
    given_spec["python"]["groups"] = [wrong]
    with pytest.raises(PackagesError, match=re.escape(near)):
        requirements(given_spec)


def test_names_of_yesterday_are_spoken_of() -> None:
    found = requirements(spec(python={"groups": [], "packages": ["pinecone_client", "hf-transfer", "polars"]}))
    assert [note.partition(":")[2].split()[0] for note in found["notes"]] == ["pinecone-client", "hf-transfer"]
    assert "is pinecone today" in found["notes"][0]


# --- torch


@pytest.mark.parametrize(
    ("torch", "backend", "platform", "line"),
    [
        ({}, "auto", "linux", "torch"),
        ({"version": "2.15.0"}, "auto", "linux", "torch==2.15.0"),
        # wheels for aarch64 had no CUDA then
        ({"version": "2.9"}, "auto", "x86_64", "torch==2.9.*"),
        # the default index has that build
        ({"backend": "cu132"}, "auto", "linux", "torch==2.15.*"),
        ({"backend": "cu130", "version": "2.12.0"}, "auto", "linux", "torch==2.12.0"),
        ({"backend": "cu128", "version": "2.10"}, "auto", "x86_64", "torch==2.10.*"),
        # it has another one
        ({"backend": "cu130"}, "cu130", "x86_64", "torch"),
        ({"backend": "cu126", "version": "2.14"}, "cu126", "x86_64", "torch==2.14.*"),
        ({"backend": "cpu"}, "cpu", "x86_64", "torch"),
        ({"backend": "cu126", "version": "9.9"}, "cu126", "x86_64", "torch==9.9.*"),
    ],
)
def test_the_index_of_a_torch_build(torch: dict[str, str], backend: str, platform: str, line: str) -> None:
    found = requirements(spec(torch=torch))
    assert (found["torch_backend"], found["platform"]) == (backend, platform)
    assert line in found["requirements"]
    assert found["torch_packages"] == ([] if backend == "auto" else ["torch", "torchaudio", "torchvision"])


def test_release_and_build_of_the_plan_belong_together() -> None:
    made = plan("2.14", "cu126")
    found = requirements(spec(made), made)
    assert (found["torch_backend"], found["platform"]) == ("cu126", "x86_64")
    assert "torch==2.14.*" in found["requirements"]
    # another build than the plan's takes no release from it
    assert "torch" in requirements(spec(made, torch={"backend": "cu130"}), made)["requirements"]
    arm = plan("2.15", "cu130", "aarch64")
    assert requirements(spec(arm), arm)["platform"] == "aarch64"


def test_no_build_without_cuda_comes_by_accident() -> None:
    """On the default index each release that is locked for aarch64 has CUDA there."""
    rows = tables.table("torch")["releases"]
    for release in rows:
        found = requirements(spec(torch={"version": release}))
        small = locks.canonical(found["platform"]) == "linux"
        assert small == (tuple(map(int, release.split("."))) >= (2, 11))


def test_the_system_python_of_the_image_is_served() -> None:
    assert requirements(spec(base={"image": "nvidia/cuda:12.1.1-base-ubuntu22.04"}))["python_version"] == "3.10"
    assert requirements(spec(base={"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}))["python_version"] == "3.11"
    assert requirements(spec(python={"groups": ["core"], "version": "3.12.4"}))["python_version"] == "3.12"


# --- shipped locks


@pytest.mark.parametrize("groups", TABLE["shipped"])
def test_a_shipped_lock_was_made_from_todays_inputs(groups: list[str]) -> None:
    """After a change of data/dev_packages.yml: tools/dev_locks.py."""
    text = packages.lock_text("-".join(groups))
    wanted = requirements(normalise({"python": {"groups": groups}}))
    inputs = locks.make_inputs(
        **{name: wanted[name] for name in ("requirements", "python_version", "python_below", "platform")}
    )
    assert locks.current(text, inputs)
    assert shipped_lock(normalise({"python": {"groups": groups}})) == text
    assert locks.leaks(text) == "" and not re.search(r"\b20\d\d-\d\d-\d\d\b", text)
    known = locks.pins(text)
    assert {locks.name_of(line) for line in wanted["requirements"]} <= set(known)
    lines = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert all(line.endswith(" \\") for line in lines) and text.count("--hash=sha256:") >= len(lines)


def test_there_is_no_other_shipped_lock() -> None:
    assert set(packages.shipped()) == {"-".join(groups) for groups in TABLE["shipped"]}


def test_torch_of_a_shipped_lock_is_a_cuda_build_that_our_table_knows() -> None:
    for name in packages.shipped():
        text = packages.lock_text(name)
        for version in locks.pins(text).get("torch", []):
            row = tables.torch_release(version)
            assert row is not None and row["pypi"] == locks.torch_cuda(text)


@pytest.mark.parametrize(
    ("given_spec", "there"),
    [
        ({}, True),
        ({"torch": {"backend": "cu132"}}, True),
        ({"torch": {"backend": "cu132", "version": "2.15"}}, True),
        ({"torch": {"version": "2.15.0"}}, True),
        ({"python": {"version": "3.13"}}, True),
        ({"python": {"version": "3.10"}}, False),
        ({"python": {"version": "3.16"}}, False),
        ({"torch": {"version": "2.1"}}, False),
        ({"torch": {"backend": "cu130"}}, False),
        ({"torch": {"backend": "cpu"}}, False),
        ({"python": {"packages": ["polars"]}}, False),
        ({"python": {"packages": ["numpy"]}}, True),
        ({"python": {"lock": "own.txt"}}, False),
    ],
)
def test_a_shipped_lock_is_taken_only_where_it_is_as_asked_for(given_spec: dict[str, Any], there: bool) -> None:
    assert (shipped_lock(normalise(given_spec)) is not None) is there


# --- for all


@given(st.lists(st.sampled_from(GROUPS), max_size=7))
def test_order_of_groups_makes_no_other_lock(groups: list[str]) -> None:
    first = requirements(spec(python={"groups": groups}))
    assert first == requirements(spec(python={"groups": [*reversed(groups), *groups]}))
    assert first["requirements"] == sorted(set(first["requirements"]))


NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,8}[A-Za-z0-9]", fullmatch=True)
LINE = st.builds(
    lambda name, rest: name + rest, NAME, st.sampled_from(["", ">=1", "==1.0", "==1", "<3,>=2", "[x]", "~=2.1"])
)


@given(st.lists(LINE, max_size=6))
def test_requirements_never_raises_anything_but_its_own_sentence(lines: list[str]) -> None:
    try:
        found = requirements(spec(python={"groups": ["serve"], "packages": lines}))
    except PackagesError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return
    names = {locks.name_of(line) for line in found["requirements"]}
    assert {locks.name_of(line) for line in lines} <= names
