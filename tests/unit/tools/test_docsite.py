# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of Sphinx for `make docs`: what is a link to Ansible's own documentation, and what stays a warning."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from docutils import nodes  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def conf() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docsite_conf", ROOT / "tools" / "docsite" / "conf.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def link(conf: ModuleType, reftype: str, target: str) -> str | None:
    found = conf.elsewhere(None, None, {"reftype": reftype, "reftarget": target}, nodes.literal())
    return None if found is None else str(found["refuri"])


def test_an_environment_variable_of_ansible_is_a_link_to_its_settings(conf: ModuleType) -> None:
    page = "https://docs.ansible.com/ansible/latest/reference_appendices/config.html"
    for name in ("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "ANSIBLE_SHOW_CUSTOM_STATS"):
        assert link(conf, "envvar", name) == f"{page}#envvar-{name}"


def test_a_variable_that_ansible_does_not_have_stays_a_warning(conf: ModuleType) -> None:
    assert link(conf, "envvar", "ANSIBLE_DISPLAY_SKIPED_HOSTS") is None
    assert link(conf, "envvar", "GPUREADY_PROGRESS") is None


def test_a_module_of_ansible_is_a_link_to_its_page(conf: ModuleType) -> None:
    page = link(conf, "ref", "ansible_collections.ansible.builtin.apt_module")
    assert page is not None and page.endswith("/collections/ansible/builtin/apt_module.html")
    assert link(conf, "ref", "ansible_collections.gpuready.bootstrap.nothing_module") is None
