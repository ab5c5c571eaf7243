# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.other_sources import main

RunModule = Callable[..., dict[str, Any]]
ADDRESSES = ["nvidia.github.io/libnvidia-container", "nvidia.github.io/nvidia-docker"]
FILES = {
    "/etc/apt/sources.list": "deb http://deb.example.org/debian trixie main\n",
    "/etc/apt/sources.list.d/nvidia-docker.list": "# old\ndeb https://nvidia.github.io/nvidia-docker/u/amd64 /\n",
    "/etc/apt/sources.list.d/toolkit.list": "deb [arch=amd64 signed-by=/x.gpg] https://NVIDIA.github.io/libnvidia-container"
    "/stable/deb/$(ARCH) /\n#deb https://nvidia.github.io/libnvidia-container/experimental/deb/$(ARCH) /\n",
    "/etc/apt/sources.list.d/toolkit.sources": "Types: deb\n"
    "URIs: https://nvidia.github.io/libnvidia-container/stable/deb/amd64\nSuites: /\nSigned-By: /y.gpg\n\n"
    "Types: deb\nURIs: http://deb.example.org/debian\nSuites: sid\nComponents: main\n",
    "/etc/apt/sources.list.d/gpuready-ours.list": "deb https://nvidia.github.io/libnvidia-container/x /\n",
    "/etc/yum.repos.d/toolkit.repo": "[toolkit]\nname=x\n"
    "baseurl=https://nvidia.github.io/libnvidia-container/stable/rpm/$basearch\nenabled=1\n\n"
    "[experimental]\nbaseurl=https://nvidia.github.io/libnvidia-container/experimental/rpm/$basearch\nenabled=0\n",
    "/etc/yum.repos.d/other.repo": "[other]\nbaseurl=https://nvidia.github.io/libnvidia-containers/x\n",
}
OFF = ["nvidia-docker.list", "toolkit.list", "toolkit.sources", "toolkit.repo"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def texts(root: Path) -> dict[str, str]:
    return {name: (root / name.lstrip("/")).read_text() for name in FILES}


def test_switches_off_and_gives_back_byte_for_byte(root: Path, run_module: RunModule) -> None:
    args = {"name": "nvidia-container", "addresses": ADDRESSES, "root": str(root)}
    predicted = run_module(main, check=True, **args)
    assert texts(root) == FILES
    result = run_module(main, **args)
    assert predicted["changed"] and predicted["diff"] == result["diff"]
    assert [Path(entry["file"]).name for entry in result["entries"]] == OFF
    now = texts(root)
    assert {Path(name).name for name in FILES if now[name] != FILES[name]} == set(OFF)
    assert now["/etc/apt/sources.list.d/toolkit.list"].startswith("# disabled by gpuready: deb [arch=amd64")
    assert "Signed-By: /y.gpg\nEnabled: no\n\nTypes" in now["/etc/apt/sources.list.d/toolkit.sources"]
    assert now["/etc/yum.repos.d/toolkit.repo"].startswith("[toolkit]\nenabled=0\nname=x\n")
    assert not run_module(main, **args)["changed"]
    assert run_module(main, **{**args, "state": "absent"})["changed"]
    assert texts(root) == FILES and not (root / "var/lib/gpuready").exists()


def test_a_record_of_an_earlier_version_is_understood(root: Path, run_module: RunModule) -> None:
    args = {"name": "nvidia-container", "addresses": ADDRESSES, "root": str(root)}
    run_module(main, **args)
    index = root / "var/lib/gpuready/originals/index.json"
    document = json.loads(index.read_text())
    for record in document["files"].values():
        record["meta"]["sources"] = "nvidia-container"
    index.write_text(json.dumps(document))
    assert not run_module(main, **args)["changed"]
    assert run_module(main, **{**args, "state": "absent"})["changed"] and texts(root) == FILES


def test_what_somebody_edited_since_is_kept(root: Path, run_module: RunModule) -> None:
    args = {"name": "nvidia-container", "addresses": ADDRESSES, "root": str(root)}
    run_module(main, **args)
    path = root / "etc/apt/sources.list.d/toolkit.list"
    path.write_text("# mine\n")
    result = run_module(main, **{**args, "state": "absent"})
    assert result["kept"] == ["/etc/apt/sources.list.d/toolkit.list"] and result["warnings"]
    assert path.read_text() == "# mine\n"


def test_an_entry_with_other_addresses_is_refused_before_anything_is_written(root: Path, run_module: RunModule) -> None:
    (root / "etc/apt/sources.list.d/z.sources").write_text(
        "Types: deb\nURIs: https://nvidia.github.io/nvidia-docker/x http://y/z\nSuites: /\n"
    )
    result = run_module(main, name="a", addresses=ADDRESSES, root=str(root))
    assert result["failed"] and "z.sources" in result["msg"] and "Nothing was changed" in result["msg"]
    assert texts(root) == FILES


def test_a_file_that_apt_cannot_read_either(root: Path, run_module: RunModule) -> None:
    (root / "etc/apt/sources.list.d/z.sources").write_text("what is this\n")
    result = run_module(main, name="a", addresses=ADDRESSES, root=str(root))
    assert result["failed"] and "z.sources" in result["msg"] and texts(root) == FILES


def test_exceptions_a_bad_name_and_a_bare_host(root: Path, tmp_path: Path, run_module: RunModule) -> None:
    files = [name for name in FILES if Path(name).name in OFF]
    assert not run_module(main, name="a", addresses=ADDRESSES, except_files=files, root=str(root))["changed"]
    assert run_module(main, name="A/b", addresses=[], root=str(root))["failed"]
    bare = tmp_path / "bare"
    bare.mkdir()
    assert not run_module(main, name="a", addresses=ADDRESSES, root=str(bare))["changed"]
    assert not run_module(main, name="a", state="absent", root=str(bare))["changed"]
