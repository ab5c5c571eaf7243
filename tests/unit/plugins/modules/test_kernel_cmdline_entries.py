# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the Boot Loader Specification, in trees that look like RHEL 9, RHEL 8 and Debian with systemd-boot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.modules import kernel_cmdline
from ansible_collections.gpuready.bootstrap.plugins.modules.kernel_cmdline import main

RunModule = Callable[..., dict[str, Any]]
MACHINE = "0123456789abcdef0123456789abcdef"
NAME = "systemd.unified_cgroup_hierarchy"
V1 = {"name": NAME, "value": "0"}
LATER = "etc/kernel/cmdline"
LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
TUNED = "root=UUID=1 ro crashkernel=1G rhgb quiet $tuned_params"


class Host:
    """A tree; `grubby` is what that program answers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.grubby = ""
        self.write("etc/machine-id", MACHINE + "\n")
        self.write("proc/cmdline", "root=UUID=1 ro quiet\n")
        self.write("etc/default/grub", 'GRUB_CMDLINE_LINUX="quiet"\n')

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def entry(self, base: str, name: str, version: str, *options: str, extra: str = "") -> str:
        path = f"{base}/loader/entries/{name}.conf"
        lines = [
            f"title Linux {version}",
            f"version {version}",
            f"linux /vmlinuz-{version}",
            f"initrd /i-{version}.img",
        ]
        self.write(path, "\n".join([*lines, *(f"options {line}" for line in options), "grub_users $g"]) + "\n" + extra)
        return path

    def options(self, path: str) -> list[str]:
        lines = (self.root / path).read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith("options ")]

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def tree(self) -> dict[str, bytes]:
        paths = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}

    def run(self, argv: list[str], **_options: Any) -> tuple[int, bytes, bytes]:
        assert argv[0].endswith("grubby") and argv[1:] == ["--info=DEFAULT"], argv
        return 0, self.grubby.encode(), b""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path / "root")
    monkeypatch.setattr(
        kernel_cmdline, "make_runner", lambda _module: Runner(made.run, search=[str(made.root / "usr/sbin")])
    )
    return made


def wish(host: Host, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"parameters": list(parameters), "root": str(host.root), **more}


@pytest.fixture
def rhel(host: Host) -> Host:
    host.write("boot/grub2/grub.cfg", 'set default="${saved_entry}"\ninsmod blscfg\nblscfg\n')
    host.write("boot/grub2/grubenv", f"# GRUB Environment Block\nsaved_entry={MACHINE}-5.14.0-2.el9\n###")
    for version in ("5.14.0-1.el9", "5.14.0-2.el9", "0-rescue"):
        host.entry("boot", f"{MACHINE}-{version}", version, TUNED)
    host.write(LATER, "root=UUID=1 ro crashkernel=1G rhgb quiet\n")
    return host


@pytest.fixture
def sd_boot(host: Host) -> Host:
    (host.root / LOADER_INFO).parent.mkdir(parents=True)
    (host.root / LOADER_INFO).write_bytes(b"\6\0\0\0" + "systemd-boot 252".encode("utf-16-le"))
    host.write("boot/grub/grub.cfg", "menuentry 'left behind' {\n linux /vmlinuz root=/dev/sda1\n}\n")
    for version in ("6.1.0-9", "6.1.0-50"):
        host.entry(
            "boot/efi", f"{MACHINE}-{version}", version, "root=UUID=1", "ro quiet", extra=f"machine-id {MACHINE}\n"
        )
    host.entry("boot/efi", "other", "7.0", "root=UUID=2", extra="machine-id 1111\n")
    host.write("boot/efi/loader/loader.conf", "timeout 3\n")
    return host


def test_rhel_gets_it_in_all_entries_but_the_rescue_one(rhel: Host, run_module: RunModule) -> None:
    before = rhel.tree()
    result = run_module(main, **wish(rhel, V1))
    assert result["changed"] and result["loader"] == "grubby" and result["next"] == {NAME: "0"}
    assert result["pending"] == [NAME] and len(result["files"]) == 3
    for version in ("5.14.0-1.el9", "5.14.0-2.el9"):
        assert rhel.options(f"boot/loader/entries/{MACHINE}-{version}.conf") == [f"{TUNED} {NAME}=0"]
    assert rhel.options(f"boot/loader/entries/{MACHINE}-0-rescue.conf") == [TUNED]
    assert rhel.read(LATER) == f"root=UUID=1 ro crashkernel=1G rhgb quiet {NAME}=0\n"
    assert rhel.tree()["etc/default/grub"] == before["etc/default/grub"]
    assert not run_module(main, **wish(rhel, V1))["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("tree", ["rhel", "sd_boot"])
def test_check_mode_predicts_exactly(
    request: pytest.FixtureRequest, run_module: RunModule, state: str, tree: str
) -> None:
    host: Host = request.getfixturevalue(tree)
    args = wish(host, V1, {"name": "quiet", "state": "absent"}, {"name": "a", "value": "x y"})
    if state == "absent":
        run_module(main, **args)
    before = host.tree()
    predicted = run_module(main, check=True, **args, state=state)
    assert host.tree() == before and predicted["changed"]
    done = run_module(main, **args, state=state)
    for key in ("diff", "files", "next", "pending", "running"):
        assert predicted[key] == done[key], key


@pytest.mark.parametrize("tree", ["rhel", "sd_boot"])
def test_absent_gives_all_back_byte_for_byte(request: pytest.FixtureRequest, run_module: RunModule, tree: str) -> None:
    host: Host = request.getfixturevalue(tree)
    before = host.tree()
    run_module(main, **wish(host, V1, {"name": "quiet", "state": "absent"}))
    run_module(main, **wish(host, V1))
    run_module(main, **wish(host, {"name": "panic", "value": "10"}, name="other"))
    assert run_module(main, **wish(host, state="absent"))["changed"]
    assert run_module(main, **wish(host, state="absent", name="other"))["changed"]
    assert host.tree() == before
    assert not run_module(main, **wish(host, state="absent"))["changed"]


def test_systemd_boot_is_known_by_what_it_says(sd_boot: Host, run_module: RunModule) -> None:
    result = run_module(main, **wish(sd_boot, V1))
    assert result["loader"] == "systemd-boot"
    assert sd_boot.options(f"boot/efi/loader/entries/{MACHINE}-6.1.0-50.conf") == ["root=UUID=1", f"ro quiet {NAME}=0"]
    assert sd_boot.options("boot/efi/loader/entries/other.conf") == ["root=UUID=2"]
    # kernels that are installed later are made from it
    assert sd_boot.read(LATER).split() == ["root=UUID=1", "ro", "quiet", f"{NAME}=0"]


def test_the_entry_that_is_started_is_the_one_that_is_told(sd_boot: Host, run_module: RunModule) -> None:
    sd_boot.write("boot/efi/loader/loader.conf", f"default {MACHINE}-6.1.0-9*\n")
    path = f"boot/efi/loader/entries/{MACHINE}-6.1.0-9.conf"
    sd_boot.write(path, sd_boot.read(path).replace("ro quiet", "ro quiet panic=3"))
    result = run_module(main, check=True, **wish(sd_boot, {"name": "panic", "value": "3"}))
    assert result["next"] == {"panic": "3"} and f"/{path}" not in result["files"]


def test_a_kernel_that_came_later_is_cleaned_too(rhel: Host, run_module: RunModule) -> None:
    run_module(main, **wish(rhel, V1))
    path = rhel.entry("boot", f"{MACHINE}-5.14.0-3.el9", "5.14.0-3.el9", rhel.read(LATER).strip())
    assert not run_module(main, **wish(rhel, V1))["changed"]
    run_module(main, **wish(rhel, state="absent"))
    assert rhel.options(path) == ["root=UUID=1 ro crashkernel=1G rhgb quiet"]


def test_a_kernel_that_came_without_it_gets_it(rhel: Host, run_module: RunModule) -> None:
    run_module(main, **wish(rhel, V1))
    path = rhel.entry("boot", f"{MACHINE}-5.14.0-3.el9", "5.14.0-3.el9", TUNED)
    result = run_module(main, **wish(rhel, V1))
    assert result["files"] == [f"/{path}"] and rhel.options(path) == [f"{TUNED} {NAME}=0"]


def test_what_others_write_meanwhile_stays(rhel: Host, run_module: RunModule) -> None:
    path = f"boot/loader/entries/{MACHINE}-5.14.0-2.el9.conf"
    run_module(main, **wish(rhel, V1, {"name": "rhgb", "state": "absent"}))
    rhel.write(path, rhel.read(path).replace("quiet", "quiet mitigations=off"))
    run_module(main, **wish(rhel, state="absent"))
    assert rhel.options(path) == ["root=UUID=1 ro crashkernel=1G quiet mitigations=off $tuned_params rhgb"]


def test_a_failure_in_the_middle_gives_all_back(
    rhel: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, put = rhel.tree(), FileGate._put

    def full(gate: FileGate, path: str, content: bytes, mode: int | None) -> None:
        if path == f"/{LATER}" and NAME.encode() in content:
            raise FileGateError(f"Cannot write {path}: No space left on device; the old file is unchanged.")
        put(gate, path, content, mode)

    monkeypatch.setattr(FileGate, "_put", full)
    result = run_module(main, **wish(rhel, V1))
    assert result["failed"] and "No space" in result["msg"] and "Nothing was changed" in result["msg"]
    assert not result["changed"] and result["files"] == []
    after = {
        path: content for path, content in rhel.tree().items() if not path.startswith("var/lib/gpuready/originals")
    }
    assert after == before


def test_a_run_that_was_killed_in_the_middle_is_mended(
    rhel: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, put = rhel.tree(), FileGate._put

    class Killed(BaseException):
        pass

    def kill(gate: FileGate, path: str, content: bytes, mode: int | None) -> None:
        if path.endswith("5.14.0-2.el9.conf"):
            raise Killed
        put(gate, path, content, mode)

    with monkeypatch.context() as patch:
        patch.setattr(FileGate, "_put", kill)
        with pytest.raises(Killed):
            run_module(main, **wish(rhel, V1))
    assert run_module(main, **wish(rhel, V1))["changed"]
    assert NAME in rhel.read(LATER)
    run_module(main, **wish(rhel, state="absent"))
    assert rhel.tree() == before


def test_variables_of_grubenv_count(rhel: Host, run_module: RunModule) -> None:
    rhel.write("boot/grub2/grubenv", "kernelopts=root=UUID=1 ro panic=3\n")
    path = rhel.entry("boot", f"{MACHINE}-5.14.0-9.el9", "5.14.0-9.el9", "$kernelopts $tuned_params")
    result = run_module(main, **wish(rhel, {"name": "panic", "value": "3"}))
    assert f"/{path}" not in result["files"] and result["next"] == {"panic": "3"}
    assert any("grubenv" in str(warning) for warning in result["warnings"])


def test_grubby_is_asked_what_it_sees(rhel: Host, run_module: RunModule) -> None:
    rhel.write("usr/sbin/grubby", "")
    (rhel.root / "usr/sbin/grubby").chmod(0o755)
    rhel.grubby = f'index=0\nargs="{TUNED} {NAME}=0"\n'
    assert "grubby" not in str(run_module(main, **wish(rhel, V1)).get("warnings"))
    rhel.grubby = f'index=0\nargs="{TUNED}"\n'
    assert "does not see" in str(run_module(main, **wish(rhel, V1))["warnings"])


def test_a_quote_that_is_never_closed_is_told(rhel: Host, run_module: RunModule) -> None:
    rhel.entry("boot", f"{MACHINE}-5.14.0-9.el9", "5.14.0-9.el9", 'root=1 a="b')
    before = rhel.tree()
    result = run_module(main, **wish(rhel, V1))
    assert result["failed"] and "never closed" in result["msg"] and rhel.tree() == before


def test_an_entry_without_options_gets_a_line(sd_boot: Host, run_module: RunModule) -> None:
    path = sd_boot.entry("boot/efi", "bare", "9.0")
    run_module(main, **wish(sd_boot, V1))
    assert sd_boot.options(path) == [f"{NAME}=0"]
    run_module(main, **wish(sd_boot, state="absent"))
    assert sd_boot.options(path) == []


def test_a_loader_that_is_not_there_is_refused(rhel: Host, host: Host, run_module: RunModule) -> None:
    assert "no program that makes it" in run_module(main, **wish(rhel, V1, loader="grub"))["msg"]


def test_entries_that_are_not_there_are_refused(host: Host, run_module: RunModule) -> None:
    assert "no entries" in run_module(main, **wish(host, V1, loader="systemd-boot"))["msg"]
