# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of control groups, a stand-in of systemctl that keeps DeviceAllow, and device programs made from both."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import look, names, nodes, programs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.nodes import Node
from ansible_collections.gpuready.bootstrap.plugins.modules import device_rules
from ansible_collections.gpuready.bootstrap.plugins.modules.device_rules import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
Number = tuple[str, int, int]

CTL = Node("/dev/nvidiactl", "char", 195, 255)
CARD = Node("/dev/nvidia0", "char", 195, 0)
SECOND = Node("/dev/nvidia1", "char", 195, 1)
UVM = Node("/dev/nvidia-uvm", "char", 510, 0)
NULL = Node("/dev/null", "char", 1, 3)
FUSE = Node("/dev/fuse", "char", 10, 229)
GPU = [CTL, CARD, UVM]
BASIC = ["char-pts rwm", "/dev/char/1:3 rwm", "char-* m", "block-* m"]
HOST = [CTL, CARD, SECOND, UVM, NULL]
DEVICES = "Character devices:\n  1 mem\n195 nvidia-frontend\n510 nvidia-uvm\n\nBlock devices:\n259 blkext\n"


def insn(opcode: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, to | source << 4, offset, number)


def program(allowed: list[Node]) -> bytes:
    """A device program that allows exactly these."""
    code = insn(0x61, 2, 1, 0) + insn(0x54, 2, number=0xFFFF) + insn(0x61, 4, 1, 4) + insn(0x61, 5, 1, 8)
    for node in allowed:
        tests = ((2, {"block": 1, "char": 2}[node.kind]), (4, node.major), (5, node.minor))
        for place, (register, value) in enumerate(tests):
            code += insn(0x55, register, offset=4 - place, number=value)
        code += insn(0xB7, 0, number=1) + insn(0x95)
    return code + insn(0xB7, 0) + insn(0x95)


class Host:
    """Containers of a machine. `hit` is what daemon-reload and a unit start do together."""

    def __init__(self, root: Path, stand_ins: Programs) -> None:
        self.root, self.units = root, root / "units"
        self.units.mkdir(parents=True)
        self.dev: dict[int, list[Node]] = {}
        self.own: dict[str, list[Node]] = {}
        self.applied: set[str] = set()
        self.readable = True
        base = root / "sys/fs/cgroup"
        base.mkdir(parents=True)
        (base / "cgroup.controllers").write_text("")
        (root / "proc").mkdir()
        (root / "proc/devices").write_text(DEVICES)
        stand_ins(
            systemctl=f"""
case $1 in
  show) shift; for name in "$@"; do case $name in -*) continue ;; esac
    if [ -e {self.units}/$name ]; then printf 'Id=%s\\n' $name; cat {self.units}/$name; echo
    else printf 'Id=%s\\nLoadState=not-found\\nActiveState=inactive\\nDevicePolicy=auto\\n\\n' $name; fi; done ;;
  set-property) echo "$*" >> {root}/log; shift; [ "$1" = --runtime ] || exit 9; shift; name=$1; shift
    [ ! -e {root}/refuse ] || {{ echo "Failed to set unit properties on $name: Access denied" >&2; exit 1; }}
    [ -e {self.units}/$name ] || {{ echo "Unit $name not found." >&2; rm -rf {root}/sys/fs/cgroup/*/$name; exit 1; }}
    for entry in "$@"; do echo "$entry" >> {self.units}/$name; done; touch {root}/applied-$name ;;
esac"""
        )

    def add(
        self,
        pid: int,
        there: list[Node],
        given: list[Node] | None = None,
        path: str = "system.slice",
        scope: str | None = None,
        allow: list[str] | None = None,
        policy: str = "strict",
    ) -> str:
        """A container; `given` is what engine and hook let it use, `allow` what systemd knows beyond the basics."""
        identity = f"{pid:064x}"
        name = f"docker-{identity}.scope" if scope is None else scope.format(identity)
        folder = self.root / "sys/fs/cgroup" / path / name
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(f"{pid}\n")
        (self.root / f"proc/{pid}").mkdir()
        (self.root / f"proc/{pid}/stat").write_text(f"{pid} (x) S " + " ".join(["0"] * 18) + " 5 0\n")
        self.dev[pid] = [*there, NULL]
        self.own[str(folder)] = [*(there if given is None else given), NULL]
        if name.endswith(".scope") and "user@" not in path:
            lines = ["LoadState=loaded", "ActiveState=active", f"DevicePolicy={policy}"]
            entries = BASIC if policy == "strict" else []
            lines += [f"DeviceAllow={entry}" for entry in [*entries, *(allow or [])]]
            (self.units / name).write_text("\n".join(lines) + "\n")
        return name

    def hit(self) -> None:
        for unit in self.units.iterdir():
            (self.root / f"applied-{unit.name}").touch()

    def usable(self, scope: str) -> list[str]:
        """The paths that a program in the container can open now, by the programs alone."""
        folder = next(Path(folder) for folder in self.own if folder.endswith(scope))
        pid = int((folder / "cgroup.procs").read_text())
        attached = self._attached(str(folder))
        return [
            node.path
            for node in self.dev[pid]
            if node != NULL and all(look.rules.is_denied([one], node) is False for one in attached)
        ]

    def attached(self, folder: str, effective: bool = False) -> list[programs.Program]:
        if not self.readable:
            raise PermissionError("bpf(2): Operation not permitted")
        return self._attached(folder)

    def _attached(self, folder: str) -> list[programs.Program]:
        found = [programs.Program("", program(self.own[folder]))] if folder in self.own else []
        name = Path(folder).name
        if (self.root / f"applied-{name}").exists():
            listed = (self.units / name).read_text()
            numbers = re.findall(r"DeviceAllow=/dev/(char|block)/(\d+):(\d+) rwm?$", listed, re.MULTILINE)
            allowed = [Node("", kind, int(major), int(minor)) for kind, major, minor in numbers]
            found.append(programs.Program("sd_devices", program(allowed)))
        return found

    def of_process(self, pid: int, root: str) -> list[Node]:
        if pid not in self.dev:
            raise FileNotFoundError(pid)
        return self.dev[pid]

    @property
    def calls(self) -> list[str]:
        log = self.root / "log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def host(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path / "host", programs)
    monkeypatch.setattr(device_rules, "ROOT", str(host.root))
    monkeypatch.setattr(nodes, "of_process", host.of_process)
    monkeypatch.setattr(nodes, "below", lambda root: HOST)
    monkeypatch.setattr(look.programs, "attached", host.attached)
    monkeypatch.setattr(names, "of_engines", lambda engines, runner: {})
    return host


def short(result: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {one["scope"] or one["id"]: (one["verdict"], one["healed"]) for one in result["containers"]}


def test_a_container_of_the_hook_is_protected_before_it_breaks(host: Host, run_module: RunModule) -> None:
    hook, other = host.add(10, GPU), host.add(11, [])
    predicted = run_module(main, check=True)
    assert host.calls == []
    result = run_module(main)
    assert (result["changed"], result["protected"]) == (True, [hook])
    assert short(result) == {hook: ("loses", False)}
    assert {key: predicted[key] for key in result} == result
    (one,) = result["containers"]
    assert one["missing"] == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"]
    (call,) = host.calls
    assert call.split()[:3] == ["set-property", "--runtime", hook]
    assert sorted(re.findall(r"DeviceAllow=(\S+ \S+)", call)) == [
        "/dev/char/195:0 rw",
        "/dev/char/195:255 rw",
        "/dev/char/510:0 rw",
    ]
    host.hit()
    assert host.usable(hook) == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"]
    assert other not in short(result)
    again = run_module(main)
    assert (again["changed"], again["protected"], short(again)) == (False, [], {hook: ("keeps", False)})
    assert len(host.calls) == 1


def test_a_container_that_has_lost_its_gpu_is_healed(host: Host, run_module: RunModule) -> None:
    hook = host.add(10, GPU)
    host.hit()
    assert host.usable(hook) == []
    reported = run_module(main, state="reported")
    assert (reported["changed"], short(reported)) == (False, {hook: ("lost", False)})
    assert host.calls == []
    predicted = run_module(main, check=True)
    result = run_module(main)
    assert short(result) == short(predicted) == {hook: ("lost", True)}
    assert result["containers"][0]["denied"] == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"]
    assert host.usable(hook) == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"]
    assert run_module(main)["changed"] is False


def test_check_mode_and_diff_say_exactly_what_is_run(host: Host, run_module: RunModule) -> None:
    hook = host.add(10, [CARD])
    result = run_module(main, check=True)
    assert result["commands"] == [f"systemctl set-property --runtime {hook} 'DeviceAllow=/dev/char/195:0 rw'"]
    (diff,) = result["diff"]
    assert (diff["before"], diff["after"]) == ("", "DeviceAllow=/dev/char/195:0 rw\n")
    assert diff["after_header"] == hook


@pytest.mark.parametrize(
    "allow",
    [
        ["/dev/char/195:0 rwm", "/dev/char/195:255 rwm", "/dev/char/510:0 rw"],
        ["/dev/nvidiactl rwm", "/dev/nvidia0 rwm", "/dev/nvidia-uvm rwm"],
        ["char-nvidia-frontend rwm", "char-nvidia-uvm rw"],
    ],
)
def test_containers_that_keep_are_never_touched(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, allow: list[str]
) -> None:
    numbers = {node.path: (node.kind, node.major, node.minor) for node in HOST}
    monkeypatch.setattr(look.Lookout, "_number_of", lambda self, path: numbers.get(path))
    safe = host.add(10, GPU, allow=allow)
    result = run_module(main)
    assert (result["changed"], short(result), host.calls) == (False, {safe: ("keeps", False)}, [])


def test_a_path_that_means_another_device_here_counts_for_nothing(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nvidia-uvm was loaded again and has another major; the container still has the old node
    monkeypatch.setattr(look.Lookout, "_number_of", lambda self, path: ("char", 511, 0))
    scope = host.add(10, [UVM], allow=["/dev/nvidia-uvm rw"])
    result = run_module(main)
    assert (result["protected"], short(result)) == ([scope], {scope: ("loses", False)})


def test_majors_other_than_195_count_too(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU, allow=["/dev/char/195:0 rwm", "/dev/char/195:255 rwm"])
    result = run_module(main)
    assert result["containers"][0]["missing"] == ["/dev/nvidia-uvm"]
    assert result["commands"] == [f"systemctl set-property --runtime {scope} 'DeviceAllow=/dev/char/510:0 rw'"]


def test_only_what_the_engine_gave_is_added(host: Host, run_module: RunModule) -> None:
    """A root user made the node of another GPU in the container; its engine never allowed that."""
    scope = host.add(10, [*GPU, SECOND], given=GPU)
    result = run_module(main)
    assert "/dev/nvidia1" not in result["containers"][0]["missing"]
    assert "195:1 " not in " ".join(result["commands"])
    assert host.usable(scope) == ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"]


def test_a_name_of_nvidia_with_a_foreign_number_is_no_gpu(host: Host, run_module: RunModule) -> None:
    host.add(10, [Node("/dev/nvidia7", "char", 8, 0), Node("/dev/nvidia8", "block", 195, 0)])
    host.readable = False
    result = run_module(main)
    assert (result["containers"], result["changed"]) == ([], False)


def test_a_container_that_was_never_given_a_gpu_cannot_be_healed(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU, given=[])
    host.hit()
    result = run_module(main)
    assert (result["changed"], short(result), host.calls) == (False, {scope: ("not_applicable", False)}, [])
    assert "never allowed" in result["containers"][0]["reason"]


def test_other_devices_do_not_go_when_the_list_changes(host: Host, run_module: RunModule) -> None:
    """runc 1.1.3 to 1.1.6 without /dev/char: systemd does not know of /dev/fuse, either."""
    scope = host.add(10, [CARD, FUSE], given=[CARD, FUSE])
    result = run_module(main)
    assert result["containers"][0]["others"] == ["/dev/fuse"]
    assert host.usable(scope) == ["/dev/nvidia0", "/dev/fuse"]


def test_another_program_that_denies_is_told(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = host.add(10, [CARD], allow=["/dev/char/195:0 rwm"])
    above = programs.Program("", program([NULL]))

    def attached(folder: str, effective: bool = False) -> list[programs.Program]:
        return [*host.attached(folder), *([above] if effective else [])]

    monkeypatch.setattr(look.programs, "attached", attached)
    result = run_module(main)
    assert (result["changed"], short(result)) == (False, {scope: ("lost", False)})
    assert "another device program" in result["containers"][0]["reason"]


def test_healing_that_does_not_help_is_not_called_healed(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = host.add(10, [CARD])
    host.hit()
    above = programs.Program("", program([NULL]))
    monkeypatch.setattr(
        look.programs,
        "attached",
        lambda folder, effective=False: [*host.attached(folder), *([above] if effective else [])],
    )
    result = run_module(main)
    assert (result["protected"], short(result)) == ([scope], {scope: ("lost", False)})


def test_without_device_programs_the_list_decides(host: Host, run_module: RunModule) -> None:
    host.readable = False
    scope = host.add(10, GPU, given=[])
    host.hit()
    result = run_module(main)
    assert (result["protected"], short(result)) == ([scope], {scope: ("loses", False)})
    assert "could not be read" in result["containers"][0]["reason"]
    assert run_module(main)["changed"] is False


def test_the_cgroupfs_driver(host: Host, run_module: RunModule) -> None:
    host.add(10, GPU, path="docker", scope="{}")
    result = run_module(main)
    (one,) = result["containers"]
    assert (one["scope"], one["verdict"], result["changed"], host.calls) == (None, "keeps", False, [])
    assert "cgroupfs" in one["reason"]


def test_a_rootless_engine(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU, path="user.slice/user@1000.service/user.slice", scope="libpod-{}.scope")
    result = run_module(main)
    assert (short(result), host.calls) == ({scope: ("not_applicable", False)}, [])
    assert "rootless" in result["containers"][0]["reason"]


def test_a_scope_of_another_systemd(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU)
    (host.units / scope).unlink()
    result = run_module(main)
    assert (result["changed"], short(result)) == (False, {scope: ("not_applicable", False)})


def test_version_1(host: Host, run_module: RunModule) -> None:
    base = host.root / "sys/fs/cgroup"
    (base / "cgroup.controllers").unlink()
    scope = host.add(10, GPU, path="devices/system.slice")
    host.add(11, GPU, path="devices/docker", scope="{}")
    result = run_module(main)
    assert (result["changed"], host.calls) == (False, [])
    assert short(result) == {scope: ("not_applicable", False), f"{11:064x}": ("keeps", False)}


@pytest.mark.parametrize("scope", ["libpod-{}.scope", "cri-containerd-{}.scope", "crio-{}.scope", "nerdctl-{}.scope"])
def test_other_engines(host: Host, run_module: RunModule, scope: str) -> None:
    name = host.add(10, GPU, scope=scope)
    assert run_module(main)["protected"] == [name]


def test_a_privileged_container(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU, policy="auto")
    result = run_module(main)
    assert (result["changed"], short(result)) == (False, {scope: ("keeps", False)})


def test_only_the_scopes_that_are_named(host: Host, run_module: RunModule) -> None:
    first, second = host.add(10, GPU), host.add(11, GPU)
    # with or without its suffix; one that has ended is no error
    result = run_module(main, scopes=[second.removesuffix(".scope"), f"docker-{99:064x}.scope"])
    assert (result["protected"], short(result)) == ([second], {second: ("loses", False)})
    assert host.usable(first) != []


def test_a_scope_that_ends_meanwhile_is_no_error(host: Host, run_module: RunModule) -> None:
    first, second = host.add(10, GPU), host.add(11, GPU)
    show = (host.units / first).read_text()

    def ends(self: Any, path: str, effective: bool = False) -> Any:
        # after systemd was asked, before it is told
        (host.units / first).unlink(missing_ok=True)
        return None

    assert "LoadState=loaded" in show
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(look.Lookout, "_programs", ends)
        result = run_module(main)
    assert "failed" not in result
    assert (result["changed"], result["protected"]) == (True, [second])


def test_a_process_that_ends_meanwhile_is_no_container(host: Host, run_module: RunModule) -> None:
    host.add(10, GPU)
    host.dev.clear()
    assert run_module(main)["containers"] == []


def test_a_refusal_is_told_and_the_others_are_protected(host: Host, run_module: RunModule) -> None:
    scope = host.add(10, GPU)
    (host.root / "refuse").touch()
    result = run_module(main)
    assert result["failed"] is True
    assert scope in result["msg"]
    assert "Access denied" in result["msg"]
    assert (result["protected"], short(result)) == ([], {scope: ("loses", False)})


def test_without_root_nothing_is_guessed(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, root: str) -> list[Node]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(nodes, "of_process", refuse)
    host.add(10, GPU)
    result = run_module(main)
    assert result["failed"] is True
    assert "become" in result["msg"]


def test_a_systemd_that_does_not_answer(host: Host, run_module: RunModule, programs: Programs) -> None:
    programs(systemctl="echo 'Failed to connect to bus: No such file or directory' >&2; exit 1")
    host.add(10, GPU)
    result = run_module(main)
    assert result["failed"] is True
    assert "Failed to connect to bus" in result["msg"]


def test_a_host_without_containers_asks_nobody(host: Host, run_module: RunModule, programs: Programs) -> None:
    programs(systemctl="exit 1")
    result = run_module(main)
    assert (result["containers"], result["changed"], result["commands"]) == ([], False, [])


def test_names_come_from_the_engine(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    host.add(10, GPU)
    monkeypatch.setattr(
        names,
        "of_engines",
        lambda engines, runner: {f"{10:064x}": names.Known("train", f"{' '.join(engines)} restart train")},
    )
    (one,) = run_module(main)["containers"]
    assert (one["name"], one["recreate"]) == ("train", "docker restart train")
    assert json.dumps(one)
