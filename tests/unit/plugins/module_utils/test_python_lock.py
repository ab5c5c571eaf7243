# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import tomllib
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from hypothesis import given
from hypothesis import strategies as st

BOTH = locks.make_inputs(["torch", "numpy"], "3.11", "3.15")
ONE = locks.make_inputs(["torch"], "3.11", "", "x86_64", "cu126", ["Torch", "torch_vision"])
P = "(({machine} == 'aarch64' and {system}) or ({machine} == 'x86_64' and {system}))".format(
    machine="platform_machine", system="sys_platform == 'linux'"
)
# as uv 0.13.9 wrote it
RESOLVED = f"""\
numpy==2.4.6 ; python_full_version < '3.12' and {P} \\
    --hash=sha256:aa
    # via gpuready-lock (pyproject.toml)
numpy==2.5.5 ; python_full_version >= '3.12' and python_full_version < '3.15' and {P} \\
    --hash=sha256:bb
    # via gpuready-lock (pyproject.toml)
torch==2.15.0 ; python_full_version < '3.15' and {P} \\
    --hash=sha256:cc
    # via gpuready-lock (pyproject.toml)
"""
CONFLICT = """\
error: No solution found when resolving dependencies for split (markers: python_full_version == '3.14.*' and x == 'y')
  cause: Because paddlex>=3.0.0 depends on pyyaml==6.0.2 and paddleocr==3.6.0 depends on
             paddlex[ocr-core]>=3.6.0,<3.7.0, we can conclude that paddleocr==3.6.0 depends on pyyaml==6.0.2. (1)
         And because a<2 depends on b, we can conclude that c cannot be used.
         And because d<2 depends on e, we can conclude that f cannot be used.
         And because gpuready-lock depends on paddleocr>=3 and pyyaml>=6.0.3, we can conclude it.

hint: While the active Python version is 3.11, the resolution failed for other Python versions.

hint: Pre-releases are available for `b`.
"""
NETWORK = """\
error: Request failed after 3 retries in 6.1s
  cause: Failed to fetch: http://reader:s3cret@127.0.0.1:1/simple/ipykernel/
  cause: error sending request for url (http://t0ken@127.0.0.1:1/simple/ipykernel/)
  cause: client error (Connect)
  cause: Connection refused (os error 111)
"""


def test_conditions_that_always_hold_are_left_out() -> None:
    text = locks.render(BOTH, RESOLVED)
    assert [line for line in locks.body_of(text).splitlines() if line[0] != " "] == [
        "numpy==2.4.6 ; python_full_version < '3.12' \\",
        "numpy==2.5.5 ; python_full_version >= '3.12' \\",
        "torch==2.15.0 \\",
    ]
    assert "    # via the requirements\n" in text and "gpuready-lock" not in text
    one = "torch==2.15.0 ; platform_machine == 'x86_64' and sys_platform == 'linux' \\\n    --hash=sha256:aa\n"
    assert locks.tidy(ONE, one) == "torch==2.15.0 \\\n    --hash=sha256:aa\n"


@pytest.mark.parametrize(
    "line",
    [
        "a==1 ; implementation_name == 'pypy' and platform_machine == 'aarch64' \\",
        "a==1 ; python_full_version < '3.15' or sys_platform == 'linux'",
        "a==1 \\",
    ],
)
def test_other_conditions_stay(line: str) -> None:
    assert locks.tidy(BOTH, line) == f"{line}\n"


def test_a_lock_knows_its_inputs_and_whether_it_was_edited() -> None:
    text = locks.render(BOTH, RESOLVED)
    assert locks.current(text, BOTH)
    assert not locks.current(text, BOTH._replace(python_version="3.12"))
    assert not locks.current(text.replace("2.15.0", "2.15.1"), BOTH)
    assert locks.head_of("# a file\n" + text) is None and locks.body_of("x==1\n") == "x==1\n"
    assert locks.pins(text) == {"numpy": ["2.4.6", "2.5.5"], "torch": ["2.15.0"]}


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("torch==2.15.0 \\\ncuda-toolkit==13.2.2 \\\n", "13.2"),
        ("torch==2.14.0+cu126 \\\n", "12.6"),
        ("torch==2.14.0+cpu\n", "cpu"),
        ("torch==2.14.0+rocm6.4\n", None),
        ("torch==2.14.0+cpu ; x\ntorch==2.14.0+cu126 ; y\n", None),
        ("torch==2.10.0\n", None),
        ("cuda-toolkit==13.2.2\n", None),
    ],
)
def test_cuda_of_the_locked_torch(text: str, cuda: str | None) -> None:
    assert locks.torch_cuda(text) == cuda


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://m.example.org/whl/{cuda}", "https://m.example.org/whl/cu126"),
        ("https://m.example.org/whl/", "https://m.example.org/whl/cu126"),
        ("https://m.example.org/whl/cu126/", "https://m.example.org/whl/cu126"),
        ("", ""),
    ],
)
def test_address_of_a_torch_build(template: str, url: str) -> None:
    assert locks.torch_url(template, "cu126") == url


def test_the_project_says_where_torch_comes_from() -> None:
    made = tomllib.loads(locks.project(ONE, 'https://u:p"w@example.org/simple', "https://example.org/whl/cu126"))
    uv = made["tool"]["uv"]
    assert made["project"]["requires-python"] == ">=3.11" and made["project"]["dependencies"] == ["torch"]
    assert uv["environments"] == ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
    assert uv["sources"] == {"torch": {"index": "pytorch-cu126"}}  # torch-vision is no direct requirement
    assert [(one["name"], one["url"]) for one in uv["index"]] == [
        ("pytorch-cu126", "https://example.org/whl/cu126"),
        ("packages", 'https://u:p"w@example.org/simple'),
    ]
    assert "sources" not in locks.project(BOTH) and "index" not in locks.project(BOTH)


def test_a_long_conflict_is_told_in_its_first_and_last_sentences() -> None:
    said = locks.words(CONFLICT)
    assert said.startswith("No solution found. Because paddlex>=3.0.0 depends on pyyaml==6.0.2 and")
    assert " … And because d<2 depends on e" in said and "a<2" not in said and "(1)" not in said
    assert "because the requirements ask for paddleocr>=3 and pyyaml>=6.0.3, we can" in said
    assert said.endswith("Pre-releases are available for `b`.") and "\n" not in said


@pytest.mark.parametrize("password", ["s3@cret", "s3/cret", "s3:cret@"])
def test_no_sign_in_a_password_lets_a_part_of_it_be_seen(password: str) -> None:
    address = f"https://me:{password}@index.example.org/simple/"
    assert "cret" not in locks.words(f"error: Failed to fetch: `{address}numpy/`\n  cause: no answer from {address}")
    assert "cret" not in locks.leaks(f"numpy @ {address}numpy-2.3.0.tar.gz")


def test_a_broken_network_is_told_without_credentials() -> None:
    said = locks.words(NETWORK)
    assert "s3cret" not in said and "t0ken" not in said
    assert said.startswith(
        "Request failed after 3 retries in 6.1s. Failed to fetch: http://***@127.0.0.1:1/simple/ipykernel/. …"
    )
    assert said.endswith("client error (Connect). Connection refused (os error 111).")


@given(st.text())
def test_words_are_one_short_line_whatever_uv_says(stderr: str) -> None:
    said = locks.words(stderr)
    assert len(said) <= 900


@given(st.lists(st.sampled_from(["torch", " torch", "numpy >= 2", "numpy  >= 2", "a[b]", ""])))
def test_spelling_and_order_make_no_other_digest(lines: list[str]) -> None:
    first = locks.make_inputs(lines, "3.11")
    again = locks.make_inputs([f" {line} " for line in reversed(lines)], "3.11")
    assert locks.digest(first) == locks.digest(again)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_valid_toml(one: str, two: str) -> None:
    clean = [part for part in (one, two) if part.isprintable()]
    inputs = locks.Inputs(tuple(clean), "3.11", "3.15", "linux", "auto", ())
    assert tomllib.loads(locks.project(inputs))["project"]["dependencies"] == clean


@given(st.text())
def test_a_text_of_another_kind_is_no_lock(text: str) -> None:
    assert locks.head_of(text) is None and not locks.current(text, BOTH)
