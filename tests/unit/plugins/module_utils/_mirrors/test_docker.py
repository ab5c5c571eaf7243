# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import DaemonError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_pending import DaemonGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import docker
from hypothesis import given
from hypothesis import strategies as st

MIRRORS = {"registry_mirrors": ["https://near.example.org"]}
USER = b'{"log-driver": "local",\n "runtimes": {"nvidia": {"path": "x"}}}\n'


def after(new: docker.Change, before: docker.Known, edited: bytes | None = None) -> docker.Known:
    """What the record says once a change is written, and somebody wrote `edited` over it."""
    original = before.original if before.recorded else before.raw
    raw = new.content if edited is None else edited
    return docker.Known(raw, original, True, edited is None, new.meta["owned"], new.meta["owners"])


def test_our_keys_are_merged_and_a_signal_is_enough() -> None:
    new = docker.change(docker.Known(USER), MIRRORS)
    assert new is not None and new.demand == "reload" and new.keys == ["registry-mirrors"]
    assert json.loads(new.content or b"") == {**json.loads(USER), "registry-mirrors": ["https://near.example.org"]}
    assert new.meta["owners"] == {"package_mirrors": {"registry-mirrors": ["https://near.example.org"]}}


def test_a_second_time_nothing_changes() -> None:
    before = docker.Known(USER)
    first = docker.change(before, MIRRORS)
    assert first is not None
    again = docker.change(after(first, before), MIRRORS)
    assert again is not None and again.keys == [] and again.content == first.content and again.meta == first.meta
    assert docker.change(docker.Known(USER), {}) is None and docker.change(docker.Known(None), {}) is None


def test_proxies_need_a_restart() -> None:
    new = docker.change(docker.Known(None), {**MIRRORS, "proxies": {"http-proxy": "http://p:1"}})
    assert new is not None and new.demand == "restart"


def test_back_byte_for_byte() -> None:
    for raw in (USER, None):
        before = docker.Known(raw)
        new = docker.change(before, MIRRORS)
        assert new is not None
        back = docker.change(after(new, before), {})
        assert back is not None and back.content == raw and back.forget


def test_an_edit_by_somebody_else_stays() -> None:
    before = docker.Known(USER)
    new = docker.change(before, MIRRORS)
    assert new is not None
    edited = json.dumps({**json.loads(new.content or b""), "debug": True}).encode()
    back = docker.change(after(new, before, edited), {})
    assert back is not None and json.loads(back.content or b"") == {**json.loads(USER), "debug": True}
    theirs = json.dumps({**json.loads(USER), "registry-mirrors": ["https://mine.example.org"]}).encode()
    back = docker.change(after(new, before, theirs), {})
    assert back is not None and back.content == theirs and back.left == ["registry-mirrors"]


def test_keys_of_docker_daemon_stay() -> None:
    before = docker.Known(
        b'{"live-restore": true}', None, True, True, {"live-restore": True}, {"role": {"live-restore": True}}
    )
    new = docker.change(before, MIRRORS)
    assert new is not None
    back = docker.change(after(new, before), {})
    assert back is not None and json.loads(back.content or b"") == {"live-restore": True} and not back.forget
    assert back.meta == {"owned": {"live-restore": True}, "owners": {"role": {"live-restore": True}}}


def test_refusals() -> None:
    with pytest.raises(docker.DockerConfigError, match="line 2"):
        docker.change(docker.Known(b"{\n nope }"), MIRRORS)
    with pytest.raises(docker.DockerConfigError, match="proxies is no object"):
        docker.change(docker.Known(b'{"proxies": 1}'), {"proxies": {"http-proxy": "x"}})


WISHES = st.fixed_dictionaries(
    {
        "registry_mirrors": st.lists(st.sampled_from(["https://a.example.org", "https://b.example.org"]), max_size=2),
        "proxies": st.dictionaries(st.sampled_from(["http-proxy", "no-proxy"]), st.sampled_from(["x", "y"])),
    }
)
FILES = st.fixed_dictionaries(
    {}, optional={"registry-mirrors": st.lists(st.just("https://u.example.org")), "debug": st.booleans()}
)


@given(st.none() | FILES, WISHES, WISHES, st.booleans())
def test_set_another_and_undo(file: Any, first: Any, second: Any, edited: bool) -> None:
    raw = None if file is None else json.dumps(file).encode()
    before = docker.Known(raw)
    for wish in (first, second):
        new = docker.change(before, wish)
        if new is None:
            continue
        assert json.loads(new.content or b"{}") == {**(file or {}), **docker.settings(wish)}
        before = after(new, before)
    if edited and before.recorded:
        text = json.dumps({**json.loads(before.raw or b"{}"), "late": 1}).encode()
        before = docker.Known(text, before.original, True, False, before.owned, before.owners)
        back = docker.change(before, {})
        found = json.loads((text if back is None else back.content) or b"{}")
        assert found == {**(file or {}), "late": 1}
        return
    back = docker.change(before, {})
    assert (before.raw if back is None else back.content) == raw


class Module:
    """The part of AnsibleModule that the gate uses."""

    def __init__(self, tmpdir: Path, check_mode: bool = False) -> None:
        self.tmpdir, self.check_mode, self.warnings = str(tmpdir), check_mode, list[str]()

    def atomic_move(self, source: str, target: str) -> None:
        os.replace(source, target)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class FakeDaemon:
    """A daemon that runs or not, and takes a signal or not."""

    began = 1.0

    def __init__(self, running: bool = True, installed: bool = True, fails: str = "") -> None:
        self.running, self.installed, self.fails, self.reloads = running, installed, fails, 0

    def reload(self) -> str:
        self.reloads += 1
        return self.fails


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc/docker").mkdir(parents=True)
    (tmp_path / "root/etc/docker/daemon.json").write_bytes(USER)
    return tmp_path / "root"


def run(root: Path, wish: Any, daemon: Any, check_mode: bool = False) -> tuple[str, DaemonGate]:
    module: Any = Module(root.parent, check_mode)
    gate = DaemonGate(module, str(root))
    before = docker.known(gate)
    new = docker.change(before, wish)
    return ("none" if new is None else docker.apply(module, gate, new, before, daemon)), gate


def test_applied_by_signal_and_given_back(root: Path) -> None:
    daemon, file = FakeDaemon(), root / "etc/docker/daemon.json"
    due, gate = run(root, MIRRORS, daemon)
    assert due == "none" and daemon.reloads == 1 and gate.paths == [docker.PATH]
    assert b"near.example.org" in file.read_bytes()
    due, gate = run(root, MIRRORS, daemon)
    assert due == "none" and daemon.reloads == 1 and not gate.changed
    due, gate = run(root, {}, daemon)
    assert file.read_bytes() == USER and due == "restart"  # a mirror that vanished is kept by a running daemon
    due, gate = run(root, {}, daemon)
    assert due == "none" and not gate.changed


def test_nothing_is_left_where_no_daemon_runs(root: Path) -> None:
    assert run(root, MIRRORS, None)[0] == "none"
    assert run(root, {}, None)[0] == "none"
    assert (root / "etc/docker/daemon.json").read_bytes() == USER and not (root / "var/lib/gpuready").exists()


def test_check_mode_writes_nothing_and_tells_the_change(root: Path) -> None:
    daemon = FakeDaemon()
    due, gate = run(root, MIRRORS, daemon, check_mode=True)
    assert due == "reload" and gate.changed and daemon.reloads == 0
    assert (root / "etc/docker/daemon.json").read_bytes() == USER and not (root / "var").exists()


def test_a_signal_that_fails_stays_due(root: Path) -> None:
    assert run(root, MIRRORS, FakeDaemon(fails="no"))[0] == "reload"
    module: Any = Module(root.parent)
    record = DaemonGate(module, str(root)).record(docker.PATH)
    assert record is not None and record.meta["pending"]["action"] == "reload"


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("Docker version 20.10.24+dfsg1, build 297e128\n", False),
        ("Docker version 26.1.5+dfsg1, build a72d7cd", True),
        ("", True),
    ],
)
def test_old_engines_do_not_know_proxies(said: str, known: bool) -> None:
    runner: Any = SimpleNamespace(run=lambda words: SimpleNamespace(stdout=said))
    daemon: Any = SimpleNamespace(config_file=lambda: None, conflicts=lambda data: {}, validate=lambda *words: None)
    new = docker.change(docker.Known(None), {"proxies": {"http-proxy": "http://p:1"}})
    assert docker.knows_proxies(runner) is known and new is not None
    if known:
        docker.refuse(new, daemon, "/tmp", runner)
    else:
        with pytest.raises(DaemonError, match="older than 23"):
            docker.refuse(new, daemon, "/tmp", runner)


def test_files_of_the_service() -> None:
    files = docker.service_files({"https-proxy": "http://me:p%40@p.example.org:1", "no-proxy": "a,b"})
    assert files[docker.VARIABLES_PATH].endswith('HTTPS_PROXY="http://me:p%40@p.example.org:1"\nNO_PROXY="a,b"\n')
    assert "p%40" not in files[docker.DROP_IN_PATH] and docker.VARIABLES_PATH in files[docker.DROP_IN_PATH]
    assert set(docker.service_files({}).values()) == {""}
