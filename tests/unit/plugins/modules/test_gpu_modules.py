# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins of modprobe, rmmod and systemctl change a tree with /proc and /sys, as the kernel would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import gpu_modules
from ansible_collections.gpuready.bootstrap.plugins.modules.gpu_modules import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
ALL = ["nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia"]
UNIT = "nvidia-persistenced.service"


class Host:
    """A tree that a kernel would show. `calls` are the commands that changed something."""

    def __init__(self, root: Path, programs: Programs) -> None:
        self.root = root
        self.log = root / "log"
        root.mkdir()
        programs(
            modprobe=f"""
name=$(echo "$1" | tr - _); echo "modprobe $1" >> {root}/log
[ ! -e {root}/no-module ] || {{ echo "modprobe: FATAL: Module $1 not found in directory" >&2; exit 1; }}
[ ! -e {root}/refused-$name ] || {{ echo "modprobe: ERROR: could not insert '$1'" >&2; exit 1; }}
mkdir -p {root}/sys/module/$name/holders; echo 0 > {root}/sys/module/$name/refcnt
[ $name != nvidia ] || echo 580.178.04 > {root}/sys/module/nvidia/version""",
            rmmod=f"""
echo "rmmod $1" >> {root}/log
[ ! -e {root}/busy-$1 ] || {{ echo "rmmod: ERROR: Module $1 is in use" >&2; exit 1; }}
rm -r {root}/sys/module/$1; rm -f {root}/sys/module/nvidia/holders/$1
[ ! -d {root}/sys/module/nvidia ] || ls {root}/sys/module/nvidia/holders | wc -l > {root}/sys/module/nvidia/refcnt""",
            systemctl=f"""
case $1 in
  is-active) [ -e {root}/active-$2 ] || {{ echo inactive; exit 3; }} ;;
  stop) echo "stop $2" >> {root}/log; [ ! -e {root}/stubborn ] || {{ echo "timed out" >&2; exit 1; }}
        rm -f {root}/active-$2; rm -rf {root}/proc/77 ;;
  start) echo "start $2" >> {root}/log; [ ! -e {root}/dead ] || {{ echo "did not start" >&2; exit 1; }}
         touch {root}/active-$2 ;;
esac""",
        )

    def load(self, *names: str) -> None:
        for name in names:
            (self.root / f"sys/module/{name}/holders").mkdir(parents=True)
            (self.root / f"sys/module/{name}/refcnt").write_text("0\n")
        main_module = self.root / "sys/module/nvidia"
        (main_module / "version").write_text("580.95.05\n")
        for name in names:
            if name != "nvidia":
                (main_module / "holders" / name).touch()
        (main_module / "refcnt").write_text(f"{len(names) - 1}\n")

    def process(self, pid: int, comm: str, cgroup: str = "0::/user.slice\n") -> None:
        folder = self.root / f"proc/{pid}"
        (folder / "fd").mkdir(parents=True)
        (folder / "fd/3").symlink_to("/dev/nvidia0")
        (folder / "comm").write_text(comm)
        (folder / "cgroup").write_text(cgroup)

    def service(self) -> None:
        (self.root / f"active-{UNIT}").touch()
        self.process(77, "nvidia-persiste", f"0::/system.slice/{UNIT}\n")

    def flag(self, name: str) -> None:
        (self.root / name).touch()

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def host(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(gpu_modules, "ROOT", str(tmp_path / "host"))
    monkeypatch.setattr(gpu_modules, "SETTLE_S", 0.05)
    monkeypatch.setattr(gpu_modules, "POLL_S", 0.05)
    return Host(tmp_path / "host", programs)


def test_reload_takes_the_new_version(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    predicted = run_module(main, check=True, state="reloaded", services=[UNIT])
    assert host.calls == []
    result = run_module(main, state="reloaded", services=["nvidia-persistenced", "other.service"])
    assert result["changed"] and (result["version_before"], result["version_after"]) == ("580.95.05", "580.178.04")
    assert host.calls == [
        f"stop {UNIT}",
        *(f"rmmod {name}" for name in ALL),
        *("modprobe nvidia", "modprobe nvidia-uvm", "modprobe nvidia-modeset", "modprobe nvidia-drm"),
        f"start {UNIT}",
    ]
    assert result["unloaded"] == ALL and result["services"] == [UNIT] and result["notes"] == []
    for key in ("changed", "unloaded", "services", "holders"):
        assert predicted[key] == result[key]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("state", ["reloaded", "unloaded"])
def test_a_job_is_never_disturbed(host: Host, run_module: RunModule, state: str, check: bool) -> None:
    host.load(*ALL)
    host.service()
    host.process(4242, "python3")
    result = run_module(main, check=check, state=state, services=[UNIT])
    assert result["failed"] and not result["changed"] and "pid 4242 python3" in result["msg"]
    assert "persiste" not in result["msg"] and host.calls == []
    assert {"pid": 4242, "comm": "python3", "devices": ["/dev/nvidia0"]}.items() <= result["holders"][1].items()


def test_a_service_that_was_not_named_is_a_job(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    assert "nvidia-persiste" in run_module(main, state="unloaded")["msg"] and host.calls == []


def test_waiting_for_a_job(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    host.load(*ALL)
    host.process(4242, "python3")
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            (host.root / "proc/4242/fd/3").unlink()

    monkeypatch.setattr(gpu_modules.time, "sleep", sleep)
    assert run_module(main, state="unloaded", wait_s=60)["changed"] and len(naps) == 3


def test_waiting_ends(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.process(4242, "python3")
    result = run_module(main, state="unloaded", wait_s=1)
    assert result["failed"] and "after 1 s" in result["msg"] and host.calls == []


@pytest.mark.parametrize(("name", "holder"), [("nvidia", "gdrdrv"), ("nvidia", "nvidia_fs"), ("nvidia_modeset", "foo")])
def test_another_module_is_named(host: Host, run_module: RunModule, name: str, holder: str) -> None:
    host.load(*ALL)
    (host.root / f"sys/module/{name}/holders/{holder}").touch()
    result = run_module(main, state="reloaded")
    assert result["failed"] and f"kernel module {holder}" in result["msg"] and host.calls == []


def test_a_console_is_named(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    (host.root / "sys/module/nvidia_drm/refcnt").write_text("1\n")
    result = run_module(main, state="reloaded")
    assert result["failed"] and "kernel itself" in result["msg"] and host.calls == []


def test_services_run_again_when_the_driver_is_still_in_use_after_them(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    (host.root / "sys/module/nvidia_drm/refcnt").write_text("1\n")
    result = run_module(main, state="unloaded", services=[UNIT])
    assert result["failed"] and not result["changed"] and host.calls == [f"stop {UNIT}", f"start {UNIT}"]


@pytest.mark.parametrize("check", [False, True])
def test_what_only_a_boot_removes_may_be_left(host: Host, run_module: RunModule, check: bool) -> None:
    host.load(*ALL)
    (host.root / "sys/module/nvidia_drm/refcnt").write_text("1\n")
    result = run_module(main, check=check, state="unloaded", services=[UNIT], kernel_use="leave")
    assert "failed" not in result and not result["changed"] and host.calls == []
    assert "the kernel itself" in result["left"] and result["version_after"] == "580.95.05"


def test_services_run_again_when_the_driver_is_left(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    (host.root / "sys/module/nvidia_drm/refcnt").write_text("1\n")
    result = run_module(main, state="unloaded", services=[UNIT], kernel_use="leave")
    assert result["left"] and not result["changed"] and host.calls == [f"stop {UNIT}", f"start {UNIT}"]


def test_a_job_is_not_disturbed_where_the_driver_may_be_left(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.process(4242, "python3")
    result = run_module(main, state="unloaded", kernel_use="leave")
    assert result["failed"] and "pid 4242" in result["msg"] and host.calls == []


def test_a_service_that_does_not_stop(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    host.flag("stubborn")
    result = run_module(main, state="unloaded", services=[UNIT])
    assert result["failed"] and "timed out" in result["msg"] and not result["changed"]
    assert host.calls == [f"stop {UNIT}", f"start {UNIT}"]


def test_a_service_that_does_not_start_again_is_told(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    host.flag("dead")
    result = run_module(main, state="reloaded", services=[UNIT])
    assert result["failed"] and result["changed"] and "does not start again" in result["msg"]


def test_what_was_removed_is_loaded_again_after_an_error(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    host.flag("busy-nvidia_modeset")
    result = run_module(main, state="reloaded", services=[UNIT])
    assert result["failed"] and "nvidia_modeset cannot be removed" in result["msg"] and "in use" in result["msg"]
    assert host.calls[-3:] == ["modprobe nvidia-drm", "modprobe nvidia-uvm", f"start {UNIT}"]
    assert sorted(path.name for path in (host.root / "sys/module").iterdir()) == sorted(ALL)


def test_a_driver_that_does_not_load(host: Host, run_module: RunModule) -> None:
    host.load("nvidia")
    host.service()
    host.flag("refused-nvidia")
    result = run_module(main, state="reloaded", services=[UNIT])
    assert result["failed"] and "could not insert" in result["msg"] and "NVRM" in result["msg"]
    assert result["changed"] and result["version_after"] is None and host.calls[-1] == f"start {UNIT}"


def test_a_companion_that_does_not_load_is_a_note(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.flag("refused-nvidia_drm")
    result = run_module(main, state="reloaded")
    assert "failed" not in result and "nvidia-drm was not loaded" in result["notes"][0]


def test_unloading(host: Host, run_module: RunModule) -> None:
    host.load(*ALL)
    host.service()
    result = run_module(main, state="unloaded", services=[UNIT])
    assert result["changed"] and result["version_after"] is None and f"start {UNIT}" not in host.calls
    assert not run_module(main, state="unloaded", services=[UNIT])["changed"]


def test_loading(host: Host, run_module: RunModule) -> None:
    assert run_module(main, check=True, state="loaded")["changed"] and host.calls == []
    result = run_module(main, state="loaded")
    assert result["changed"] and host.calls == ["modprobe nvidia", "modprobe nvidia-uvm"]
    assert not run_module(main, state="loaded")["changed"]


def test_reloading_what_is_not_loaded_loads_it(host: Host, run_module: RunModule) -> None:
    host.service()
    result = run_module(main, state="reloaded", services=[UNIT])
    assert result["changed"] and host.calls == ["modprobe nvidia", "modprobe nvidia-uvm"]


def test_nouveau_is_not_touched(host: Host, run_module: RunModule) -> None:
    host.load("nvidia")
    (host.root / "sys/module/nouveau").mkdir()
    run_module(main, state="unloaded")
    assert host.calls == ["rmmod nvidia"] and (host.root / "sys/module/nouveau").exists()


def test_a_kernel_without_modules(host: Host, run_module: RunModule, programs: Programs) -> None:
    version = host.root / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text("NVRM version: x  580.95.05  y\n")
    assert not run_module(main, state="loaded")["changed"]
    assert "only a reboot" in run_module(main, state="unloaded")["msg"]
    assert "only a reboot" in run_module(main, state="unloaded", kernel_use="leave")["left"]
    host.flag("no-module")
    programs(**{"nvidia-modprobe": "exit 1"})
    assert "not found" in run_module(main, state="reloaded")["msg"]
    programs(**{"nvidia-modprobe": f"echo 'NVRM version: x  595.1.2  y' > {version}"})
    result = run_module(main, state="reloaded")
    assert result["changed"] and result["version_after"] == "595.1.2" and "nvidia-modprobe" in result["notes"][0]
