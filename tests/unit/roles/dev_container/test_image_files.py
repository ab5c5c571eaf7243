# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that go into the dev container's image, as far as they can be tried without a container."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROLE = Path(__file__).parents[4] / "roles" / "dev_container"
IMAGE = ROLE / "files" / "image"


@pytest.mark.parametrize("script", sorted(IMAGE.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_valid_bash(script: Path) -> None:
    result = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["requirements.txt", "uv.txt"])
def test_every_locked_package_has_hashes_and_no_index_is_named(name: str) -> None:
    text = (IMAGE / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", re.sub(r"^\s+--hash=sha256:[0-9a-f]{64}( \\)?$", "", text, flags=re.M), flags=re.M)
    packages = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", package), package
        assert "--hash=sha256:" in package, package


def test_lock_holds_what_was_asked_for() -> None:
    wanted = set(re.findall(r"^[a-z0-9._-]+", (IMAGE / "requirements.in").read_text(), flags=re.M))
    assert "jupyterlab" in wanted
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (IMAGE / "requirements.txt").read_text(), flags=re.M))
    assert wanted <= locked


def entrypoint(tmp_path: Path, token: bytes | None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"]}
    if token is not None:
        path = tmp_path / "token"
        path.write_bytes(token)
        env["JUPYTER_TOKEN_FILE"] = str(path)
    command = ["bash", str(IMAGE / "entrypoint.sh"), "true"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "not set"),
        (b"", "empty or shorter"),
        (b"a" * 23, "empty or shorter"),
        (b"a" * 48 + b"\n", "ends with a newline"),
    ],
)
def test_entrypoint_refuses_a_token_that_would_leave_jupyter_open(
    tmp_path: Path, token: bytes | None, message: str
) -> None:
    result = entrypoint(tmp_path, token)
    assert result.returncode == 78
    assert message in result.stderr
    assert "a" * 23 not in result.stderr


def test_dockerfile_pulls_no_frontend_and_keeps_debconf_out_of_sessions() -> None:
    text = (IMAGE / "Dockerfile").read_text()
    assert not re.search(r"^#\s*syntax\s*=", text, flags=re.M | re.I)
    assert not re.search(r"^(ENV|ARG)\b.*DEBIAN_FRONTEND", text, flags=re.M)
