# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of systemctl for units and scopes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import services

OUTPUT = b"""Id=docker.service\nNames=docker.service\nLoadState=loaded\nActiveState=active\nSubState=running
UnitFileState=enabled\n\nId=docker-00ff.scope\nDeviceAllow=/dev/nvidiactl rw\n"""


def test_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        calls.append((argv, options["environ_update"]))
        return 0, OUTPUT, b""

    (tmp_path / "systemctl").write_text("")
    (tmp_path / "systemctl").chmod(0o755)
    host = Host("/", Runner(run, 5, search=[str(tmp_path)]))
    monkeypatch.setattr(host, "is_dir", lambda path: True)
    blocks = services.read(host)
    ((argv, env),) = calls
    assert argv[-1] == "docker-*.scope"
    assert (env["TZ"], env["LC_ALL"]) == ("UTC", "C")
    found = services.section(blocks)
    assert set(found) == set(services.UNITS)
    assert found["docker.service"] == {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"}
    assert found["ssh.service"]["active"] is None
    assert "docker-00ff.scope" in blocks


def test_without_systemd_or_below_another_root(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    host = Host(str(tmp_path), runner)
    assert services.read(host) == {}
    assert host.probes.status("services") == "missing"


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-fabricmanager.service",
        "nvidia-persistenced.service",
        "nvidia-cdi-refresh.service",
        "nvidia-cdi-refresh.path",
        "nvidia-dcgm.service",
        "nvidia-imex.service",
        "display-manager.service",
        "unattended-upgrades.service",
        "apt-daily-upgrade.timer",
        "dnf-automatic.timer",
        "systemd-timesyncd.service",
        "chrony.service",
    ],
)
def test_units_that_checks_ask_for(name: str) -> None:
    assert services.section({})[name] == {"load": None, "active": None, "sub": None, "enabled": None}


def test_a_display_manager_is_found_by_the_name_that_all_take() -> None:
    output = "Id=gdm.service\nNames=gdm.service display-manager.service\nActiveState=active\nSubState=running\n"
    found = services.section(systemctl.by_name(systemctl.show(output)))
    assert found["display-manager.service"]["active"] == "active"
