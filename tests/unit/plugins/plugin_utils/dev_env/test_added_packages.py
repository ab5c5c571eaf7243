# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that users add outlive the container: their list, and how a new container puts them back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, INPLACE, paths
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.services import files, tool_env
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

IMAGE_HAS = "numpy==2.5.5\nJinja2==3.1.6\n"
# the environment is a file of lines; what has "gone" in its name is on no index, and that stops the others, too
UV = """#!/usr/bin/env bash
case "$1 $2" in
  "pip freeze") [[ ! -e {root}/broken ]] || exit 2; cat {root}/here ;;
  "pip install")
    echo "$*" >> {root}/calls
    grep -q gone "${{!#}}" && exit 1
    cat "${{!#}}" >> {root}/here; touch {root}/venv/lib/python3.12/site-packages/new ;;
esac
"""


class Container:
    """A container with a home that outlives it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        spec = normalise({})
        own = {name: str(root / name) for name in ("tools", "share", "bin")}
        where = paths(spec, IMAGE, {**own, "prefix": str(root / "venv")})
        text = next(one.text for one in files(spec, where, IMAGE) if one.name == "packages.sh")
        self.program = self.write("bin/devenv-packages", text)
        self.write("tools/bin/uv", UV.format(root=root)).chmod(0o755)
        self.write("share/python.txt", IMAGE_HAS)
        self.new()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def new(self, has: str = IMAGE_HAS) -> None:
        """Another one, of an image that has these packages."""
        (self.root / "venv/lib/python3.12/site-packages").mkdir(parents=True, exist_ok=True)
        self.write("here", has)
        self.write("share/python.txt", has)

    def argv(self, word: str) -> list[str]:
        return ["bash", str(self.program), word]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root / "home"), "DEVENV_PACKAGES_INTERVAL": "0.05"}

    def run(self, word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(word), env=self.environment, capture_output=True, text=True, check=False)

    def lines(self, name: str = "packages.txt") -> list[str]:
        path = self.root / "home/.local/state/devenv" / name
        found = path.read_text().splitlines() if path.exists() else []
        return [line for line in found if not line.startswith("#")]

    @property
    def here(self) -> list[str]:
        return (self.root / "here").read_text().splitlines()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


@pytest.fixture
def watch(container: Container) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(container.argv("watch"), env=container.environment, stdout=subprocess.PIPE, text=True)
    yield process
    process.terminate()
    process.communicate(timeout=20)


def until(holds: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_only_what_the_image_lacks_is_the_users(container: Container) -> None:
    more = "jinja2==3.1.7\nmy.Tool==1.0\n-e file:///home/dev/work\nx @ git+https://git.example.org/x@0123\n# a note\n"
    container.write("here", IMAGE_HAS + more)
    assert container.run("show").stdout.splitlines() == [
        "my.Tool==1.0",
        "-e file:///home/dev/work",
        "x @ git+https://git.example.org/x@0123",
    ]


def test_the_list_follows_the_environment(container: Container, watch: subprocess.Popen[str]) -> None:
    state = container.root / "home/.local/state/devenv"
    until((state / "stamp").exists)
    assert container.lines() == []
    container.write("here", f"{IMAGE_HAS}six==1.17.0\n")
    container.write("venv/lib/python3.12/site-packages/six", "")
    until(lambda: container.lines() == ["six==1.17.0"])
    # what is taken out again is wanted no more
    container.write("here", IMAGE_HAS)
    (container.root / "venv/lib/python3.12/site-packages/six").unlink()
    until(lambda: container.lines() == [])
    assert watch.poll() is None


def test_the_last_word_is_written_when_the_container_stops(container: Container) -> None:
    slow = {**container.environment, "DEVENV_PACKAGES_INTERVAL": "600"}
    process = subprocess.Popen(container.argv("watch"), env=slow)
    until((container.root / "home/.local/state/devenv/stamp").exists)
    container.write("here", f"{IMAGE_HAS}six==1.17.0\n")
    container.write("venv/lib/python3.12/site-packages/six", "")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert container.lines() == ["six==1.17.0"]


def test_a_new_container_puts_them_back_and_keeps_its_own(container: Container) -> None:
    container.write("home/.local/state/devenv/packages.txt", "# head\nsix==1.17.0\nnumpy==1.0\nrich==14.0.0\n")
    container.new("numpy==2.6.0\nrich==15.0.0\n")
    done = container.run("restore")
    assert (done.returncode, done.stdout) == (0, "devenv: puts back six==1.17.0 \n")
    assert container.here == ["numpy==2.6.0", "rich==15.0.0", "six==1.17.0"]
    (call,) = (container.root / "calls").read_text().splitlines()
    # what the image has is changed by nobody's dependencies
    assert " --no-deps -r " in call
    assert container.run("restore").stdout == ""


def test_what_cannot_be_put_back_is_kept_and_stops_nothing(container: Container) -> None:
    container.write("home/.local/state/devenv/packages.txt", "gone==1.0\nsix==1.17.0\n")
    done = container.run("restore")
    assert (done.returncode, container.lines("missing.txt")) == (0, ["gone==1.0"])
    assert "could not put back gone==1.0" in done.stdout
    assert container.here[-1] == "six==1.17.0"
    # the next container tries again, and so may the user
    container.write("home/.local/state/devenv/packages.txt", "")
    container.new()
    container.write("tools/bin/uv", UV.format(root=container.root).replace("grep -q gone", "false"))
    assert container.run("restore").returncode == 0
    assert (container.here[-1], container.lines("missing.txt")) == ("gone==1.0", [])


def test_an_environment_that_cannot_be_read_changes_no_list(container: Container) -> None:
    container.write("home/.local/state/devenv/packages.txt", "six==1.17.0\n")
    container.write("broken", "")
    process = subprocess.Popen(container.argv("watch"), env=container.environment, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    process.terminate()
    process.wait(timeout=20)
    assert container.lines() == ["six==1.17.0"]
    assert not (container.root / "calls").exists()


def test_without_uv_pip_does_it(container: Container) -> None:
    (container.root / "tools/bin/uv").rename(container.root / "tools/bin/other")
    python = '#!/bin/sh\nshift 2; exec {}/tools/bin/other pip "$@"\n'
    container.write("venv/bin/python", python.format(container.root)).chmod(0o755)
    container.write("home/.local/state/devenv/packages.txt", "six==1.17.0\n")
    assert container.run("restore").returncode == 0
    assert container.here[-1] == "six==1.17.0"


def test_another_word_is_refused(container: Container) -> None:
    done = container.run("forget")
    assert (done.returncode, done.stderr) == (64, "devenv-packages: forget is not show, restore or watch\n")


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}([-_.][a-z]{1,3})?", fullmatch=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, unique_by=lambda name: name.lower().replace("_", "-").replace(".", "-"), max_size=6), st.data())
def test_show_is_what_is_here_less_what_the_image_has(
    container: Container, names: list[str], data: st.DataObject
) -> None:
    own = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    container.write("here", "".join(f"{name}==1\n" for name in names))
    container.write("share/python.txt", "".join(f"{name.upper().replace('_', '.')}==2\n" for name in own))
    assert container.run("show").stdout.splitlines() == [f"{name}==1" for name in names if name not in own]


def test_environments_and_pythons_of_users_lie_in_their_home() -> None:
    spec = normalise({})
    assert tool_env(spec, paths(spec, IMAGE))["UV_PYTHON_INSTALL_DIR"] == "/home/dev/.local/share/uv/python"
    assert tool_env(spec, paths(spec, INPLACE))["UV_PYTHON_INSTALL_DIR"] == "/data/python"
    # in place nothing is replaced
    assert "packages.sh" not in {one.name for one in files(spec, paths(spec, INPLACE), INPLACE)}
