# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB: a stand-in of grub-mkconfig, run by the real shell, makes menus as Debian's does; all else is the module's."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import kernel_words
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.modules import kernel_cmdline
from ansible_collections.gpuready.bootstrap.plugins.modules.kernel_cmdline import main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
OLD, NEW = "6.1.0-9-amd64", "6.1.0-50-amd64"
NAME = "systemd.unified_cgroup_hierarchy"
V1 = {"name": NAME, "value": "0"}
DROP_IN = "etc/default/grub.d/zz-gpuready.cfg"
CLOUD = "etc/default/grub.d/50-cloudimg-settings.cfg"
MENU = "boot/grub/grub.cfg"
NOTE = "var/lib/gpuready/kernel-cmdline/gpuready.json"
# In the shape of grub-mkconfig 2.06 and 10_linux of Debian 12: what it reads, where it writes, what it checks
GENERATOR = r"""#!/bin/sh
set -e
root=ROOT
sysconfdir=$root/etc
output=
while [ $# -gt 0 ]; do case $1 in -o) output=$2; shift 2 ;; *) exit 2 ;; esac; done
[ ! -f ${sysconfdir}/default/grub ] || . ${sysconfdir}/default/grub
for x in ${sysconfdir}/default/grub.d/*.cfg; do [ ! -e "$x" ] || . "$x"; done
exec > "$output.new"
echo 'set default="0"'
echo '### BEGIN /etc/grub.d/10_linux ###'
for image in $(ls "$root/boot" | grep ^vmlinuz- | sort -rV); do
  for kind in advanced recovery; do
    args="$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
    [ $kind = advanced ] || args="single $GRUB_CMDLINE_LINUX"
    id="gnulinux-${image#vmlinuz-}-$kind-1234"
    echo "menuentry 'Debian, with Linux ${image#vmlinuz-}' --class os \$menuentry_id_option '$id' {"
    printf '\tlinux\t/boot/%s root=/dev/vda1 ro %s\n' "$image" "$args"
    printf '\tinitrd\t/boot/initrd.img-%s\n}\n' "${image#vmlinuz-}"
  done
done
echo '### END /etc/grub.d/10_linux ###'
echo '### BEGIN /etc/grub.d/41_custom ###'
echo '### END /etc/grub.d/41_custom ###'
cat "$output.new" > "$output"
rm -f "$output.new"
"""


class Host:
    """A tree with two kernels and GRUB."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        for folder in ("boot/grub", "etc/default/grub.d", "usr/sbin", "usr/bin", "proc"):
            (root / folder).mkdir(parents=True)
        self.write("proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz-{NEW} root=/dev/vda1 ro quiet\n")
        for release in (OLD, NEW):
            self.write(f"boot/vmlinuz-{release}", "kernel")
        self.settings('GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n')
        self.program("grub-mkconfig", GENERATOR.replace("ROOT", shlex.quote(str(root))))
        self.program("grub-script-check", "#!/bin/sh\n! grep -n 'syntax error here' \"$1\" >&2\n")
        (root / "usr/bin/sh").symlink_to("/bin/sh")
        self.update_grub()

    def write(self, path: str, text: str) -> Path:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def program(self, name: str, text: str) -> None:
        self.write(f"usr/sbin/{name}", text).chmod(0o755)

    def settings(self, text: str) -> None:
        self.write("etc/default/grub", text)

    def update_grub(self) -> None:
        argv = [str(self.root / "usr/sbin/grub-mkconfig"), "-o", str(self.root / MENU)]
        subprocess.run(argv, check=True, capture_output=True)

    def boot(self) -> None:
        """The first entry starts, as GRUB would hand it to the kernel; plain words only."""
        self.write("proc/cmdline", self.arguments()[f"gnulinux-{NEW}-advanced-1234"] + "\n")

    def arguments(self) -> dict[str, str]:
        text = (self.root / MENU).read_text()
        found = re.findall(r"option '([^']*)' \{\n\s*linux\s+\S+ +(.*)", text)
        return {name: " ".join(options.split()) for name, options in found}

    def run(self, argv: list[str], **_options: Any) -> tuple[int, bytes, bytes]:
        self.calls.append([Path(argv[0]).name, *argv[1:]])
        done = subprocess.run(argv, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def generated(self) -> int:
        return sum(call[0].endswith("mkconfig") for call in self.calls)

    def tree(self) -> dict[str, tuple[int, bytes]]:
        paths = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): (path.stat().st_mode, path.read_bytes()) for path in paths}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path / "root")
    monkeypatch.setattr(kernel_cmdline, "make_runner", lambda module: runner(made, module))
    return made


def runner(host: Host, _module: object) -> Runner:
    return Runner(host.run, search=[str(host.root / "usr/sbin"), str(host.root / "usr/bin")])


def wish(host: Host, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"parameters": list(parameters), "root": str(host.root), **more}


def absent(name: str, **more: str) -> dict[str, str]:
    return {"name": name, "state": "absent", **more}


# -- GRUB, when all goes well ------------------------------------------------------------------------------------------
def test_brings_a_parameter_into_the_menu(host: Host, run_module: RunModule) -> None:
    before = (host.root / "etc/default/grub").read_bytes()
    result = run_module(main, **wish(host, V1))
    assert result["changed"] and result["loader"] == "grub"
    assert result["files"] == [f"/{DROP_IN}", f"/{MENU}"]
    assert (result["running"], result["next"], result["pending"]) == ({}, {NAME: "0"}, [NAME])
    assert result["reboot_needed"]
    assert (host.root / "etc/default/grub").read_bytes() == before
    for name, options in host.arguments().items():
        assert options.endswith(f"quiet {NAME}=0") or "recovery" in name, name
    assert sum("recovery" in name and NAME not in options for name, options in host.arguments().items()) == 2


def test_the_next_boot_has_it(host: Host, run_module: RunModule) -> None:
    run_module(main, **wish(host, V1))
    host.boot()
    result = run_module(main, **wish(host, V1))
    assert not result["changed"] and result["pending"] == [] and not result["reboot_needed"]
    assert result["running"] == result["next"] == {NAME: "0"}


def test_a_second_run_changes_nothing_and_makes_no_menu(host: Host, run_module: RunModule) -> None:
    run_module(main, **wish(host, V1))
    before, menus = host.tree(), host.generated()
    again = run_module(main, **wish(host, V1))
    assert not again["changed"] and again["diff"] == [] and again["pending"] == [NAME]
    assert host.tree() == before and host.generated() == menus


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_predicts_exactly(host: Host, run_module: RunModule, state: str) -> None:
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\nGRUB_CMDLINE_LINUX="net.ifnames=0"\n')
    host.update_grub()
    args = wish(host, V1, absent("splash"), {"name": "a", "value": "x y"})
    if state == "absent":
        run_module(main, **args)
    before = host.tree()
    predicted = run_module(main, check=True, **args, state=state)
    assert host.tree() == before and predicted["changed"]
    done = run_module(main, **args, state=state)
    for key in ("diff", "files", "next", "pending", "running", "changed"):
        assert predicted[key] == done[key], key


def test_absent_gives_all_back_byte_for_byte(host: Host, run_module: RunModule) -> None:
    before = host.tree()
    run_module(main, **wish(host, V1, absent("quiet")))
    run_module(main, **wish(host, V1))
    gone = run_module(main, **wish(host, state="absent"))
    assert gone["changed"] and gone["loader"] == "grub" and host.tree() == before
    assert not run_module(main, **wish(host, state="absent"))["changed"]


def test_a_parameter_that_is_not_wished_any_more_goes(host: Host, run_module: RunModule) -> None:
    run_module(main, **wish(host, V1, {"name": "panic", "value": "10"}))
    result = run_module(main, **wish(host, {"name": "panic", "value": "10"}))
    assert result["changed"] and result["next"] == {"panic": "10"}
    assert all(NAME not in options for options in host.arguments().values())


def test_a_cloud_image_that_overrides_does_not_win(host: Host, run_module: RunModule) -> None:
    host.write(CLOUD, 'GRUB_CMDLINE_LINUX_DEFAULT="console=tty1 console=ttyS0"\n')
    run_module(main, **wish(host, V1))
    options = host.arguments()[f"gnulinux-{NEW}-advanced-1234"]
    assert options.endswith(f"console=tty1 console=ttyS0 {NAME}=0")


def test_several_values_of_a_name_stand_in_their_order(host: Host, run_module: RunModule) -> None:
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS1 quiet"\n')
    consoles = [{"name": "console", "value": value} for value in ("tty0", "ttyS0,115200")]
    result = run_module(main, **wish(host, *consoles))
    assert result["next"] == {"console": "ttyS0,115200"}
    options = host.arguments()[f"gnulinux-{NEW}-advanced-1234"]
    assert options.endswith("console=ttyS1 quiet console=tty0 console=ttyS0,115200")


def test_what_the_user_has_already_is_not_doubled(host: Host, run_module: RunModule) -> None:
    result = run_module(main, **wish(host, {"name": "quiet"}))
    assert not result["changed"] and result["next"] == {"quiet": None}
    assert not (host.root / DROP_IN).exists()


def test_quotes_and_dollars_arrive(host: Host, run_module: RunModule) -> None:
    odd = [{"name": "dyndbg", "value": "file x.c +p; module y"}, {"name": "memmap", "value": "4G$0x100"}]
    result = run_module(main, **wish(host, *odd))
    assert result["next"] == {"dyndbg": "file x.c +p; module y", "memmap": "4G$0x100"}
    options = host.arguments()[f"gnulinux-{NEW}-advanced-1234"]
    assert options.endswith(r'''quiet dyndbg="file x.c +p; module y" memmap="4G\$0x100"''')
    assert not run_module(main, **wish(host, *odd))["changed"]


# -- GRUB, what the user's files set -----------------------------------------------------------------------------------
def test_what_the_user_sets_is_taken_out_by_our_file(host: Host, run_module: RunModule) -> None:
    host.settings(
        'GRUB_CMDLINE_LINUX_DEFAULT="splash quiet dyndbg=\\"file quiet +p\\""\nGRUB_CMDLINE_LINUX="quiet a"\n'
    )
    host.update_grub()
    before = host.tree()
    result = run_module(main, **wish(host, absent("quiet")))
    assert result["next"] == {} and result["running"] == {"quiet": None} and result["pending"] == ["quiet"]
    options = host.arguments()
    assert options[f"gnulinux-{NEW}-advanced-1234"] == 'root=/dev/vda1 ro a splash dyndbg="file quiet +p"'
    assert (host.root / "etc/default/grub").read_bytes() == before["etc/default/grub"][1]
    assert not run_module(main, **wish(host, absent("quiet")))["changed"]
    run_module(main, **wish(host, state="absent"))
    assert host.tree() == before


def test_a_line_that_the_user_changes_counts_again_until_the_next_run(host: Host, run_module: RunModule) -> None:
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="splash quiet b"\n')
    run_module(main, **wish(host, absent("quiet")))
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="splash quiet b more"\n')  # behind what was taken out
    host.update_grub()
    assert host.arguments()[f"gnulinux-{NEW}-advanced-1234"].endswith("splash b more")
    assert not run_module(main, **wish(host, absent("quiet")))["changed"]
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="quiet other"\n')
    host.update_grub()
    assert host.arguments()[f"gnulinux-{NEW}-advanced-1234"].endswith("quiet other")
    assert run_module(main, **wish(host, absent("quiet")))["changed"]
    assert host.arguments()[f"gnulinux-{NEW}-advanced-1234"].endswith("ro other")


def test_absent_from_ours_leaves_the_users(host: Host, run_module: RunModule) -> None:
    result = run_module(main, **wish(host, absent("quiet"), absent_from="ours"))
    assert not result["changed"] and result["next"] == {"quiet": None}


def test_a_file_behind_ours_that_overrides_is_named(host: Host, run_module: RunModule) -> None:
    host.write("etc/default/grub.d/zzz-mine.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    before = host.tree()
    for check in (True, False):
        result = run_module(main, check=check, **wish(host, V1))
        assert result["failed"] and "/etc/default/grub.d/zzz-mine.cfg" in result["msg"] and not result["changed"]
        assert host.tree() == before


def test_a_bare_double_dash_is_told(host: Host, run_module: RunModule) -> None:
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="quiet -- three"\n')
    result = run_module(main, **wish(host, V1))
    assert result["failed"] and "for init" in result["msg"] and not (host.root / DROP_IN).exists()


def test_two_names_live_side_by_side(host: Host, run_module: RunModule) -> None:
    before = host.tree()
    run_module(main, **wish(host, V1, absent("quiet")))
    run_module(main, **wish(host, {"name": "panic", "value": "10"}, name="other"))
    options = host.arguments()[f"gnulinux-{NEW}-advanced-1234"]
    assert "quiet" not in options and f"{NAME}=0" in options and "panic=10" in options
    assert not run_module(main, **wish(host, V1, absent("quiet")))["changed"]
    run_module(main, **wish(host, state="absent"))
    assert host.arguments()[f"gnulinux-{NEW}-advanced-1234"].endswith("quiet panic=10")
    run_module(main, **wish(host, state="absent", name="other"))
    assert host.tree() == before


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_two_names_that_contradict_each_other_are_refused(host: Host, run_module: RunModule, name: str) -> None:
    run_module(main, **wish(host, V1))
    before = host.tree()
    result = run_module(main, **wish(host, {"name": NAME, "value": "1"}, name=name))
    assert (result["failed"] and "another name" in result["msg"]) or "under the name gpuready" in result["msg"]
    assert "Nothing was changed" in result["msg"] and host.tree() == before


def test_what_another_name_has_asked_for_is_not_undone(host: Host, run_module: RunModule) -> None:
    """Ours comes behind, and would win."""
    run_module(main, **wish(host, {"name": NAME, "value": "1"}, name="aaa"))
    before = host.tree()
    result = run_module(main, **wish(host, V1))
    assert result["failed"] and "under the name aaa" in result["msg"] and host.tree() == before


# -- GRUB, what goes wrong ---------------------------------------------------------------------------------------------
BAD_GENERATORS = {
    "the generator fails": (
        "exec > ",
        "echo 'Found linux' >&2; echo 'no space for menus' >&2; exit 1; exec > ",
        "no space for menus",
    ),
    "a menu that GRUB cannot read": (
        "echo 'set default",
        "echo 'syntax error here'; echo 'set default",
        "syntax error here",
    ),
    "a menu that was cut off": (
        "echo '### END /etc/grub.d/41_custom ###'",
        ":",
        "ends in the middle of /etc/grub.d/41_custom",
    ),
    "a kernel is lost": (
        "sort -rV",
        "sort -rV | head -n 1",
        f"/boot/vmlinuz-{OLD} is installed, and no entry starts it",
    ),
    "a kernel has no root": ("root=/dev/vda1 ro", "ro", "has a root="),
    "the parameters are not there": ('$GRUB_CMDLINE_LINUX_DEFAULT"', '"', "is not as wanted"),
    "it writes nothing": ("exec > ", "exit 0; exec > ", "wrote nothing"),
    "it is empty": ("exec > ", ': > "$output"; exit 0; exec > ', "it is empty"),
}


@pytest.mark.parametrize("what", BAD_GENERATORS)
@pytest.mark.parametrize("update", [False, True])
def test_a_menu_that_cannot_be_used_changes_nothing(host: Host, run_module: RunModule, what: str, update: bool) -> None:
    if update:
        run_module(main, **wish(host, V1))
    old, new, words = BAD_GENERATORS[what]
    text = GENERATOR.replace("ROOT", shlex.quote(str(host.root)))
    assert old in text
    host.program("grub-mkconfig", text.replace(old, new, 1))
    before = host.tree()
    result = run_module(main, **wish(host, {"name": "panic", "value": "10"}))
    assert result["failed"] and words in result["msg"] and "Found" not in result["msg"]
    assert "Nothing was changed" in result["msg"] and not result["changed"] and result["files"] == []
    assert host.tree() == before


@pytest.mark.parametrize("check", [True, False])
def test_broken_settings_of_the_user_are_one_clear_error(host: Host, run_module: RunModule, check: bool) -> None:
    host.settings('GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="open\n')
    before = host.tree()
    result = run_module(main, check=check, **wish(host, V1))
    assert result["failed"] and "Unterminated" in result["msg"] and "/etc/default/grub" in result["msg"]
    assert host.tree() == before and host.generated() == 0


def test_settings_that_print_something_do_no_harm(host: Host, run_module: RunModule) -> None:
    host.settings('echo hello\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    assert run_module(main, **wish(host, V1))["next"] == {NAME: "0"}


def test_a_full_disk_changes_nothing(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    put = FileGate._put

    def full(gate: FileGate, path: str, content: bytes, mode: int | None) -> None:
        if path == f"/{DROP_IN}":
            raise FileGateError(f"Cannot write {path}: No space left on device; the old file is unchanged.")
        put(gate, path, content, mode)

    before = host.tree()
    monkeypatch.setattr(FileGate, "_put", full)
    result = run_module(main, **wish(host, V1))
    assert result["failed"] and "No space" in result["msg"] and "Nothing was changed" in result["msg"]
    assert host.tree() == before


def test_a_menu_that_cannot_be_replaced_changes_nothing(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    before = host.tree()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = run_module(main, **wish(host, V1))
    assert result["failed"] and "No space" in result["msg"] and host.tree() == before


class Killed(BaseException):
    """What SIGKILL looks like from inside: nothing is put in order."""


def killed_in_the_middle(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, **args: Any) -> None:
    def kill(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        if argv[0].endswith("mkconfig"):
            raise Killed
        return host.run(argv, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kernel_cmdline, "make_runner", lambda _module: Runner(kill, search=runner(host, None)._search))
        with pytest.raises(Killed):
            run_module(main, **args)


def test_a_run_that_was_killed_before_the_menu_is_mended(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in_the_middle(host, run_module, monkeypatch, **wish(host, V1))
    assert (host.root / DROP_IN).exists() and NAME not in (host.root / MENU).read_text()
    result = run_module(main, **wish(host, V1))
    assert result["changed"] and f"/{MENU}" in result["files"] and NAME in (host.root / MENU).read_text()
    assert not run_module(main, **wish(host, V1))["changed"]


def test_a_menu_that_somebody_brought_back_is_mended(host: Host, run_module: RunModule) -> None:
    old = (host.root / MENU).read_bytes()
    run_module(main, **wish(host, V1))
    (host.root / MENU).write_bytes(old)
    result = run_module(main, **wish(host, V1))
    assert result["files"] == [f"/{MENU}"] and NAME in (host.root / MENU).read_text()


def test_a_run_that_was_killed_while_a_parameter_went_is_mended(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_module(main, **wish(host, V1, {"name": "panic", "value": "10"}))
    killed_in_the_middle(host, run_module, monkeypatch, **wish(host, V1))
    assert "panic" in (host.root / MENU).read_text() and "panic" not in (host.root / DROP_IN).read_text()
    assert run_module(main, **wish(host, V1))["changed"]
    assert "panic" not in (host.root / MENU).read_text()


def test_giving_back_that_was_killed_is_mended(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = host.tree()
    run_module(main, **wish(host, V1))
    killed_in_the_middle(host, run_module, monkeypatch, **wish(host, state="absent"))
    assert not (host.root / DROP_IN).exists() and NAME in (host.root / MENU).read_text()
    assert run_module(main, **wish(host, state="absent"))["changed"] and host.tree() == before


def test_leftovers_of_a_killed_run_go(host: Host, run_module: RunModule) -> None:
    host.write(f"{MENU}.gpuready-new", "half")
    host.write(f"{MENU}.gpuready-new.new", "half")
    run_module(main, **wish(host, V1))
    assert sorted(path.name for path in (host.root / "boot/grub").iterdir()) == ["grub.cfg"]


def test_a_menu_behind_a_link_is_replaced_where_it_is(host: Host, run_module: RunModule) -> None:
    (host.root / "boot/efi").mkdir()
    (host.root / MENU).rename(host.root / "boot/efi/real.cfg")
    (host.root / MENU).symlink_to("../efi/real.cfg")
    run_module(main, **wish(host, V1))
    assert (host.root / MENU).is_symlink() and NAME in (host.root / "boot/efi/real.cfg").read_text()
    assert sorted(path.name for path in (host.root / "boot/efi").iterdir()) == ["real.cfg"]


def test_no_parameters_at_all_give_back(host: Host, run_module: RunModule) -> None:
    before = host.tree()
    assert not run_module(main, **wish(host))["changed"] and host.tree() == before
    run_module(main, **wish(host, V1))
    assert run_module(main, **wish(host))["changed"] and host.tree() == before


def test_giving_back_what_was_never_ours_makes_no_menu(host: Host, run_module: RunModule) -> None:
    before, menus = host.tree(), host.generated()
    run_module(main, **wish(host, {"name": "quiet"}))
    assert not run_module(main, **wish(host, state="absent"))["changed"]
    assert host.tree() == before and host.generated() == menus


def test_the_menu_keeps_its_mode(host: Host, run_module: RunModule) -> None:
    (host.root / MENU).chmod(0o600)
    run_module(main, **wish(host, V1))
    assert (host.root / MENU).stat().st_mode & 0o777 == 0o600


def test_a_kernel_that_came_meanwhile_and_has_no_entry_yet_is_no_loss(host: Host, run_module: RunModule) -> None:
    host.write("boot/vmlinuz-6.1.0-60-amd64.dpkg-new", "half unpacked")
    assert run_module(main, **wish(host, V1))["changed"]


def test_a_damaged_note_is_no_obstacle(host: Host, run_module: RunModule) -> None:
    run_module(main, **wish(host, V1))
    host.write(NOTE, "{")
    assert run_module(main, **wish(host, V1))["next"] == {NAME: "0"}
    assert run_module(main, **wish(host, state="absent"))["changed"] and not (host.root / DROP_IN).exists()


def test_an_entry_that_is_not_known_is_told(host: Host, run_module: RunModule) -> None:
    text = (host.root / MENU).read_text().replace('default="0"', 'default="mine"')
    host.write(MENU, text)
    result = run_module(main, check=True, **wish(host, V1))
    assert any("another entry" in warning for warning in map(str, result["warnings"]))


# -- where nothing can be written --------------------------------------------------------------------------------------
def bare(host: Host, *paths: str) -> None:
    for path in (MENU, "usr/sbin/grub-mkconfig"):
        (host.root / path).unlink()
    for path in paths:
        host.write(path, "")


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "no boot loader"),
        (["run/systemd/container"], "this is a container"),
        (["boot/efi/EFI/Linux/debian-6.1.efi"], "unified images"),
        (["etc/kernel/proxmox-boot-uuids"], "proxmox-boot-tool"),
        ([MENU], "no program that makes it"),
    ],
)
def test_refused_where_nothing_can_be_written(host: Host, run_module: RunModule, paths: list[str], words: str) -> None:
    bare(host, *paths)
    before = host.tree()
    result = run_module(main, **wish(host, V1))
    assert result["failed"] and words in result["msg"] and result["msg"].endswith("Nothing was changed.")
    assert host.tree() == before
    gone = run_module(main, **wish(host, state="absent"))
    assert not gone["changed"] and gone["loader"] is None and gone["pending"] == []


def test_a_generator_that_reads_no_folder_is_refused(host: Host, run_module: RunModule) -> None:
    host.program("grub-mkconfig", "#!/bin/sh\n. /etc/default/grub\n")
    assert "does not read /etc/default/grub.d" in run_module(main, **wish(host, V1))["msg"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([{"name": "a=1"}], "no name"),
        ([{"name": "--"}], "no name"),
        ([{"name": "a b"}], "no name"),
        ([{"name": "root", "value": "/dev/sda"}], "belongs to the boot loader"),
        ([{"name": "a", "value": 'x"y'}], "quote"),
        ([{"name": "a", "value": "x\\y"}], "backslash"),
        ([{"name": "a", "value": "é"}], "ASCII"),
        ([{"name": "a", "value": "x\ny"}], "ASCII"),
        ([{"name": "a"}, {"name": "a"}], "twice"),
        ([{"name": "a", "value": "1"}, absent("a", value="1")], "both present and absent"),
    ],
)
def test_bad_input_is_refused(host: Host, run_module: RunModule, parameters: list[dict[str, Any]], words: str) -> None:
    before = host.tree()
    result = run_module(main, **wish(host, *parameters))
    assert result["failed"] and words in result["msg"] and "Nothing was changed" in result["msg"]
    assert host.tree() == before


def test_a_bad_name_is_refused(host: Host, run_module: RunModule) -> None:
    assert "lower case" in run_module(main, **wish(host, V1, name="../x"))["msg"]


def test_replacing_all_of_a_name_is_no_contradiction(host: Host, run_module: RunModule) -> None:
    host.settings('GRUB_CMDLINE_LINUX_DEFAULT="console=tty0 quiet console=tty1"\n')
    run_module(main, **wish(host, absent("console"), {"name": "console", "value": "ttyS0"}))
    assert host.arguments()[f"gnulinux-{NEW}-advanced-1234"].endswith("ro quiet console=ttyS0")


# -- any line of any user ----------------------------------------------------------------------------------------------
WORDS = st.sampled_from(
    ["quiet", "splash", "a=1", "a=2", "b", "console=tty0", "console=ttyS0", 'd="x quiet y"', "nv-x=1"]
)
LINES = st.lists(WORDS, max_size=5).map(" ".join)
PAIRS = st.sampled_from(
    [("quiet", None), ("a", "1"), ("a", "3"), ("console", None), ("console", "tty0"), ("d", "x y"), ("nv_x", "1")]
)
WISHES = st.lists(st.tuples(PAIRS, st.booleans()), min_size=1, max_size=3, unique_by=lambda wish: wish[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(first=LINES, second=LINES, wishes=WISHES)
def test_any_users_lines_survive(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    run_module: RunModule,
    first: str,
    second: str,
    wishes: list[tuple[tuple[str, str | None], bool]],
) -> None:
    host = Host(tmp_path_factory.mktemp("host") / "root")
    monkeypatch.setattr(kernel_cmdline, "make_runner", lambda module: runner(host, module))
    host.settings(f"GRUB_CMDLINE_LINUX={shlex.quote(first)}\nGRUB_CMDLINE_LINUX_DEFAULT={shlex.quote(second)}\n")
    host.update_grub()
    before = host.tree()
    named = {name.replace("-", "_") for (name, _value), _present in wishes}
    parameters = [
        {"name": name, "value": value, "state": "present" if present else "absent"} for (name, value), present in wishes
    ]

    def theirs() -> list[str]:
        line = host.arguments()[f"gnulinux-{NEW}-advanced-1234"]
        return [line[w.start : w.end] for w in kernel_words(line) if w.name.replace("-", "_") not in named]

    kept = theirs()
    assert "failed" not in run_module(main, **wish(host, *parameters))
    assert theirs() == kept
    assert not run_module(main, **wish(host, *parameters))["changed"]
    run_module(main, **wish(host, state="absent"))
    assert host.tree() == before
