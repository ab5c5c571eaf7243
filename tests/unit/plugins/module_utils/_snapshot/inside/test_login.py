# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login shell against the container's environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import login

SESSION: dict[str, Any] = {"setenv": [], "pam": False}


@pytest.mark.parametrize(
    ("container", "found", "missing", "different"),
    [
        ({"PATH": "/opt/venv/bin:/usr/bin"}, {"PATH": "/usr/bin"}, [], {"PATH": "/opt/venv/bin"}),
        ({"PATH": "/usr/bin:/opt/a"}, {"PATH": "/opt/a:/more:/usr/bin"}, [], {}),
        ({"PATH": "/usr/local/sbin:/usr/bin"}, {"PATH": "/usr/bin"}, [], {}),
        ({"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}, {}, ["LD_LIBRARY_PATH"], {}),
        ({"LD_LIBRARY_PATH": ""}, {}, [], {}),
        ({"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}, [], {"CUDA_VISIBLE_DEVICES": "1"}),
        (
            {"HF_ENDPOINT": "https://a"},
            {"HF_ENDPOINT": "https://u:hunter2@b/?k=hunter2"},
            [],
            {"HF_ENDPOINT": "https://***@b/"},
        ),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "a"}, {}, ["HTTPS_PROXY", "no_proxy"], {}),
        # read when the container is made: a session does not need them
        ({"NVIDIA_VISIBLE_DEVICES": "void", "NVIDIA_REQUIRE_CUDA": "x", "CUDA_VERSION": "13.0.3"}, {}, [], {}),
        ({"NVIDIA_DRIVER_CAPABILITIES": "all", "NVIDIA_TF32_OVERRIDE": "0"}, {}, ["NVIDIA_TF32_OVERRIDE"], {}),
        ({"HF_TOKEN": "hunter2", "CUDA_KEY": "hunter2", "NVIDIA_API_KEY": "hunter2", "EDITOR": "vi"}, {}, [], {}),
    ],
)
def test_differences(container: Any, found: Any, missing: list[str], different: dict[str, str]) -> None:
    assert login.compare_environments(container, found) == {"missing": missing, "different": different}


def test_a_login_shell(tmp_path: Path) -> None:
    (tmp_path / ".profile").write_text("echo hello; export HF_ENDPOINT=https://hf.example.org\n")
    session = {"setenv": ["PATH=/opt/x:/usr/bin:/bin", "NOTE=a=b c"], "pam": False}
    found = login.login_environment(("dev", str(tmp_path), "/bin/sh"), session)
    assert found["HF_ENDPOINT"] == "https://hf.example.org"
    assert (found["NOTE"], found["USER"]) == ("a=b c", "dev")


@pytest.mark.parametrize(("shell", "says"), [("/usr/sbin/nologin", "no login shell"), ("/bin/none", "No such file")])
def test_no_login(tmp_path: Path, shell: str, says: str) -> None:
    errors: dict[str, list[str]] = {}
    assert login.quiet_login(("dev", str(tmp_path), shell), SESSION, errors) is None
    assert errors["login"][0] == "failed" and says in errors["login"][1]


def test_a_profile_that_ends_the_shell_tells_nothing_of_itself(tmp_path: Path) -> None:
    (tmp_path / ".profile").write_text("echo hunter2; echo hunter2 >&2; exit 3\n")
    errors: dict[str, list[str]] = {}
    assert login.quiet_login(("dev", str(tmp_path), "/bin/sh"), SESSION, errors) is None
    assert "hunter2" not in errors["login"][1]


def test_etc_environment() -> None:
    text = "A=\"1 2\"\nexport B='x'\n# C=1\nnoise\n"
    assert login._pam_environment(text) == {"A": "1 2", "B": "x"}


UV = """
[[index]]
name = "torch"
url = "https://t.example.org"

[[index]]
url = "https://me:hunter2@d.example.org/s"
default = true
"""


@pytest.mark.parametrize(
    ("files", "env", "expected"),
    [
        ({}, {}, {"pip": None, "uv": None, "conda": None, "hf": None}),
        (
            {".config/pip/pip.conf": "[global]\nindex-url = https://me:hunter2@p/simple?t=hunter2\n"},
            {},
            {"pip": "https://***@p/simple"},
        ),
        ({".pip/pip.conf": "[global]\nindex_url=https://p/simple\n"}, {}, {"pip": "https://p/simple"}),
        ({".pip/pip.conf": "[global]\nextra-index-url = https://x\n"}, {}, {"pip": None}),
        ({".pip/pip.conf": "index-url = https://file\n"}, {"PIP_INDEX_URL": "https://env"}, {"pip": "https://env"}),
        ({".config/uv/uv.toml": UV}, {}, {"uv": "https://***@d.example.org/s"}),
        ({".config/uv/uv.toml": 'index-url = "https://old"\n'}, {}, {"uv": "https://old"}),
        ({}, {"UV_DEFAULT_INDEX": "https://u", "HF_ENDPOINT": "https://h"}, {"uv": "https://u", "hf": "https://h"}),
        (
            {".condarc": "channels:\n  - defaults\ndefault_channels:\n  - https://c/main\n"},
            {},
            {"conda": "https://c/main"},
        ),
        ({".condarc": "channels:\n  - conda-forge\n"}, {}, {"conda": "conda-forge"}),
        ({".condarc": "channels: [conda-forge, nvidia]\n"}, {}, {"conda": "conda-forge"}),
        ({".condarc": "channel_alias: https://me:hunter2@c\n"}, {}, {"conda": "https://***@c"}),
        ({".condarc": "channels:\n  - defaults\n"}, {}, {"conda": None}),
    ],
)
def test_indexes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    env: dict[str, str],
    expected: dict[str, Any],
) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    read = login.text_or_none
    # the machine's own settings must not count here
    monkeypatch.setattr(login, "text_or_none", lambda path: read(path) if path.startswith(str(tmp_path)) else None)
    found = login.package_indexes(env, str(tmp_path))
    assert {name: found[name] for name in expected} == expected


def test_locale() -> None:
    assert login.locale_of({"LANG": "C.UTF-8", "TZ": "Asia/Shanghai"}) == {"lang": "C.UTF-8", "tz": "Asia/Shanghai"}
    assert login.locale_of({"LANG": "a", "LC_ALL": "b"})["lang"] == "b"
    assert login.locale_of({})["lang"] is None
