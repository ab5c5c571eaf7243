# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.modules import package_dependents
from ansible_collections.gpuready.bootstrap.plugins.modules.package_dependents import apt_removals, main, rpm_needs
from hypothesis import given
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
KNOWN = 'printf "installed libcuda1\\nconfig-files docker.io\\nnot-installed runc\\nhalf-configured tini\\n"'
# As apt 2.6 and 3.0 print it
APT = """
[ "$*" = "--simulate remove libcuda1 tini" ] || exit 77
echo "Reading package lists..."
echo "The following packages will be REMOVED:"
echo "Remv blender-cuda:amd64 [4.2]"; echo "Remv libcuda1 [580.159.03-1]"; echo "Purg tini [0.19.0-3+b8]"
"""
RPM = """
if [ "$1" = -q ]; then printf 'libcuda\\npackage runc is not installed\\n'; exit 1; fi
[ "$*" = "--erase --test libcuda" ] || exit 77
printf 'error: Failed dependencies:\\n\\tlibcuda is needed by (installed) cuda-samples-12.8-1.el9.x86_64\\n' >&2
exit 1
"""


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = Runner.which
    monkeypatch.setattr(
        package_dependents.Runner,
        "which",
        lambda self, name: real(self, name) if name in (*names, "timeout") else None,
    )


@pytest.mark.parametrize("check", [True, False])
def test_apt(run_module: RunModule, programs: Programs, check: bool) -> None:
    programs(**{"apt-get": APT, "dpkg-query": KNOWN})
    result = run_module(main, check=check, names=["libcuda1", "docker.io", "runc", "tini", "libcuda1"])
    assert result["dependents"] == ["blender-cuda"] and not result["changed"]


def test_rpm(run_module: RunModule, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(rpm=RPM)
    only(monkeypatch, "rpm")
    assert run_module(main, names=["libcuda", "runc"])["dependents"] == ["cuda-samples"]


def test_a_package_manager_that_does_not_tell_is_no_reason(run_module: RunModule, programs: Programs) -> None:
    programs(**{"apt-get": "echo 'E: Unmet dependencies.' >&2; exit 100", "dpkg-query": KNOWN})
    assert run_module(main, names=["libcuda1"])["dependents"] == []


def test_no_names_and_wrong_ones(run_module: RunModule) -> None:
    assert run_module(main, names=[])["dependents"] == []
    assert "'--purge'" in run_module(main, names=["--purge"])["msg"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(apt_removals(text)) and all(rpm_needs(text))
