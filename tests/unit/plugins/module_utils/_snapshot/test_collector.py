# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole snapshots: of trees and of this machine. They obey the schema, and nothing makes them fail."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot import collector, subset
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import docker_api, systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    boot,
    dev,
    dkms,
    docker,
    files,
    gpu,
    mok,
    network,
    package_manager,
    pci,
    processes,
    rules,
    services,
    storage,
    system,
    toolkit,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((REPOSITORY / "docs/snapshot.schema.json").read_text())
SAVED = REPOSITORY / "tests/fixtures/snapshots"
TREES = sorted(path.name for path in (REPOSITORY / "tests/fixtures/roots").iterdir() if path.is_dir())
RootOf = Callable[[str], Path]


def check(snapshot: dict[str, Any]) -> None:
    """Validate; the error of jsonschema names the path."""
    # what Ansible sends is JSON
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(snapshot)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_can_say_no(root_of: RootOf, runner: Runner) -> None:
    snapshot = collector.collect(runner, str(root_of("debian13_ready")))
    check(snapshot)
    damages: list[dict[str, Any]] = [
        {"extra": 1},
        {"scope": "cloud"},
        {"gpus": [{}]},
        {"probes": {"x": {"status": "fine"}}},
    ]
    for damage in damages:
        with pytest.raises(jsonschema.ValidationError):
            check({**snapshot, **damage})


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "tests/fixtures/snapshots").rglob("*.json")), ids=lambda p: p.name
)
def test_saved_snapshots_obey_the_schema(path: Path) -> None:
    check(json.loads(path.read_text()))


@pytest.mark.parametrize("name", TREES)
def test_every_tree_gives_a_valid_snapshot(name: str, root_of: RootOf, runner: Runner) -> None:
    repositories = [{"name": "a", "url": "http://127.0.0.1:9/"}]
    wishes = collector.Wishes(watch=["/srv"], repositories=repositories, dev=[{"container": "dev"}], raw=True)
    check(collector.collect(runner, str(root_of(name)), wishes))


@pytest.mark.parametrize("words", [["pci"], ["driver", "gpus"], ["docker"], ["!dev", "!network"], ["time"], ["raw"]])
def test_only_the_sections_asked_for_are_there(words: list[str], root_of: RootOf, runner: Runner) -> None:
    snapshot = collector.collect(runner, str(root_of("debian13_ready")), collector.Wishes(subset=words))
    check(snapshot)
    assert set(snapshot) & set(subset.NAMES) == subset.chosen(words)
    assert set(subset.ALWAYS) <= set(snapshot)
    assert snapshot["collector"]["subset"] == words


def test_a_subset_is_named_or_taken_from_all() -> None:
    assert subset.chosen(["all"]) == subset.chosen([]) == set(subset.NAMES)
    assert subset.chosen(["!cuda"]) == set(subset.NAMES) - {"cuda"}
    assert subset.chosen(["cuda", "pci", "!pci"]) == {"cuda"}


def test_this_machine_gives_a_valid_snapshot_quickly(runner: Runner) -> None:
    snapshot = collector.collect(runner)
    check(snapshot)
    assert snapshot["os"]["id"]
    assert snapshot["kernel"]["running"] == os.uname().release
    # the goal is 150 ms; a busy test machine gets some more
    assert snapshot["collector"]["own_ms"] < 500


def test_ready_host(root_of: RootOf, runner: Runner) -> None:
    found = collector.collect(runner, str(root_of("debian13_ready")))
    assert found["simulated"] == {"gpu": True, "host": True, "text": "a test tree"}
    assert (found["scope"], found["virt"]["kind"], found["virt"]["technology"]) == ("host", "vm", "qemu")
    assert [card["bdf"] for card in found["gpus"]] == ["0000:01:00.0", "0000:81:00.0"]
    assert found["toolkit"]["version"] == "1.20.0"
    assert found["packages"]["installed"]["docker-ce"] == "5:29.2.1-1~debian.13~trixie"
    assert found["docker"]["present"] is True
    assert "/opt/gpuready/dev/alice/token" in found["files"]
    assert "hunter2" not in json.dumps(found)


def test_rented_container(root_of: RootOf, runner: Runner) -> None:
    found = collector.collect(runner, str(root_of("rented")))
    assert (found["scope"], found["virt"]["technology"]) == ("container", "docker")
    assert found["os"]["systemd"] == {"running": False, "version": None}
    assert found["driver"]["module"] == {"loaded": True, "version": "550.54.14", "flavour": "proprietary"}
    # a container sees nothing of the firmware: not false, not known
    keys = found["firmware"].pop("mok")
    assert set(found["firmware"]) == {"efi", "secure_boot", "setup_mode", "lockdown", "mok_keys"}
    assert set(found["firmware"].values()) == {None}
    assert keys == {"tool": False, "key": None, "enrolled": None, "pending": None}


def test_a_simulated_host_in_a_container_counts_as_a_host(root_of: RootOf, runner: Runner) -> None:
    root = root_of("rented")
    (root / "etc/gpuready").mkdir()
    (root / "etc/gpuready/simulation.json").write_text('{"gpu": true, "host": true}')
    found = collector.collect(runner, str(root))
    assert (found["virt"]["kind"], found["scope"]) == ("container", "host")


def test_bare_host(root_of: RootOf, runner: Runner) -> None:
    found = collector.collect(runner, str(root_of("ubuntu2404_bare")))
    assert (found["firmware"]["efi"], found["firmware"]["secure_boot"]) == (True, True)
    assert (found["firmware"]["setup_mode"], found["firmware"]["mok_keys"]) == (None, 0)
    assert found["packages"]["broken"] == ["nvidia-driver-535", "vim"]
    assert found["packages"]["holds"] == ["linux-image-generic"]
    assert found["packages"]["installed"]["libnvidia-compute-535"] == "535.183.01-0ubuntu1"
    assert [kernel["release"] for kernel in found["kernel"]["installed"]] == ["6.8.0-87-generic"]
    assert found["kernel"]["installed"][0]["nvidia"] is None
    assert found["driver"]["nouveau"] == {"loaded": True, "blacklisted": False, "module": "nouveau"}
    assert "hunter2" not in json.dumps(found)


def test_holders_get_the_names_of_their_containers(
    root_of: RootOf, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ident = root_of("ubuntu2404_faults"), "0123456789abcdef" * 4
    (root / "proc/900/cgroup").write_text(f"0::/system.slice/docker-{ident}.scope\n")

    def answer(host: Host, **_questions: Any) -> dict[str, Any]:
        known = {"State": {}, "Config": {}, "HostConfig": {}, "Id": ident, "Name": "/dev-alice"}
        return {**docker.empty(host), "containers": [docker_api.container(known, "29.2.1")]}

    assert _holder(collector.collect(runner, str(root))) == (900, ident, None)
    monkeypatch.setattr(docker, "collect", answer)
    found = collector.collect(runner, str(root))
    check(found)
    assert _holder(found) == (900, ident, "dev-alice")
    alone = collector.collect(runner, str(root), collector.Wishes(subset=["processes"]))
    check(alone)
    assert _holder(alone) == (900, ident, None)


def listens(service: str, socket: str) -> systemctl.Block:
    return systemctl.by_name(
        systemctl.show(f"Id=docker.service\nActiveState={service}\n\nId=docker.socket\nActiveState={socket}\n")
    )


@pytest.mark.parametrize(
    ("service", "socket", "asked"),
    [
        ("inactive", "active", False),
        ("failed", "active", False),
        ("deactivating", "active", False),
        ("activating\nSubState=auto-restart", "active", False),
        ("active", "active", True),
        ("reloading", "active", True),
        ("inactive", "inactive", True),
    ],
)
def test_looking_starts_no_docker(
    service: str, socket: str, asked: bool, root_of: RootOf, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: dict[str, str] = {}

    def engine(host: Host, asleep: Callable[[], str]) -> dict[str, Any]:
        reasons["docker"] = asleep()
        return docker.empty(host)

    def containers(host: Host, *more: Any) -> dict[str, Any]:
        reasons["dev"] = more[-1]()
        return {"containers": [], "here": None}

    monkeypatch.setattr(collector.services, "read", lambda host: listens(service, socket))
    monkeypatch.setattr(docker, "collect", engine)
    monkeypatch.setattr(collector.dev, "section", containers)
    root = str(root_of("debian13_ready"))
    for words in (["all"], ["docker"], ["dev"]):
        check(collector.collect(runner, root, collector.Wishes(subset=words)))
        assert [reason == "" for reason in reasons.values()] == [asked] * len(reasons), reasons
        reasons.clear()


@pytest.mark.parametrize(("service", "names"), [("inactive", ["555555555555", "job"]), ("active", [])])
def test_containers_that_outlived_their_engine(
    service: str, names: list[str], root_of: RootOf, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = root_of("debian13_ready")
    tasks, data = "run/containerd/io.containerd.runtime.v2.task/moby", "srv/docker/containers"
    for pid, (state, name) in enumerate([("S", ""), ("S", "/job"), ("Z", "/dead"), ("", "/gone")], 705):
        ident = str(pid)[-1] * 64
        files = {
            f"{tasks}/{ident}/init.pid": str(pid),
            f"{data}/{ident}/config.v2.json": f'{{"Name": "{name}"}}',
        }
        if state:
            files[f"proc/{pid}/stat"] = f"{pid} (a ) name) {state} 1\n"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    (root / "etc/docker/daemon.json").write_text('{"data-root": "/srv/docker"}')
    monkeypatch.setattr(collector.services, "read", lambda host: listens(service, "active"))
    for words in (["all"], ["docker"]):
        found = collector.collect(runner, str(root), collector.Wishes(subset=words))
        check(found)
        assert found["docker"]["orphans"] == names


def _holder(found: dict[str, Any]) -> tuple[Any, ...]:
    (holder,) = found["processes"]["gpu"]
    return holder["pid"], holder["container"], holder["container_name"]


def test_a_failed_build_of_the_driver(root_of: RootOf, runner: Runner) -> None:
    found = collector.collect(runner, str(root_of("debian12_dkms_broken")))
    newest = found["kernel"]["newest"]
    assert [entry["kernel"] for entry in found["driver"]["dkms"] if entry["status"] == "broken"] == [newest]
    assert [kernel["nvidia"] is not None for kernel in found["kernel"]["installed"]] == [True, False]
    assert found["packages"]["broken"] == ["linux-image-6.12.107+deb12-amd64", "nvidia-open-kernel-dkms"]


def test_garbage_is_called_unparsable_and_not_guessed(root_of: RootOf, runner: Runner) -> None:
    found = collector.collect(runner, str(root_of("garbage")))
    status = {name: probe["status"] for name, probe in found["probes"].items()}
    for name in ("daemon_json", "cdi", "toolkit_config", "firmware", "simulation", "package_sources", "initramfs"):
        assert status[name] == "unparsable", name
        assert found["probes"][name]["error"], name
    assert found["daemon_json"]["valid"] is False
    assert found["firmware"]["secure_boot"] is None


def test_below_another_root_nothing_runs_but_its_own_smi(root_of: RootOf) -> None:
    ran: list[list[str]] = []

    def record(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        ran.append(argv)
        return 9, b"NVIDIA-SMI has failed\n", b""

    root = root_of("debian13_ready")
    found = collector.collect(Runner(record, 5), str(root))
    assert [[word for word in argv if word.startswith("/") and "timeout" not in word] for argv in ran] == [
        [str(root / "bin/nvidia-smi")]
    ]
    assert found["driver"]["smi"]["rc"] == 9
    for name in ("docker", "services", "virt", "compose"):
        assert found["probes"][name]["status"] == "missing"
        assert found["probes"][name]["error"]


def test_looking_changes_nothing(root_of: RootOf, runner: Runner) -> None:
    root = root_of("debian13_ready")

    def state() -> dict[str, tuple[int, int, int]]:
        found = {}
        for path in sorted(root.rglob("*")):
            status = path.lstat()
            found[str(path)] = (status.st_mtime_ns, status.st_size, status.st_mode)
        return found

    before = state()
    collector.collect(runner, str(root), collector.Wishes(watch=["/etc"]))
    assert state() == before


def test_two_reads_agree(root_of: RootOf, runner: Runner) -> None:
    root = str(root_of("debian13_ready"))

    def facts() -> dict[str, Any]:
        found = collector.collect(runner, root)
        return {name: found[name] for name in found if name not in ("collected_at", "collector", "probes")}

    assert facts() == facts()


SECTIONS = [
    (system, "os_section"),
    (system, "kernel_section"),
    (system, "firmware_section"),
    (system, "virt_section"),
    (system, "simulation"),
    (boot, "cmdline_next"),
    (mok, "section"),
    (dkms, "modules"),
    (processes, "name_containers"),
    (package_manager, "section"),
    (files, "section"),
    (storage, "section"),
    (pci, "section"),
    (gpu, "smi_section"),
    (gpu, "driver_section"),
    (toolkit, "section"),
    (toolkit, "cdi_section"),
    (docker, "collect"),
    (docker, "daemon_json"),
    (docker, "compose_version"),
    (services, "read"),
    (network, "section"),
    (dev, "section"),
    (rules, "judge"),
]


@pytest.mark.parametrize(
    ("module", "name"), SECTIONS, ids=lambda value: getattr(value, "__name__", value).split(".")[-1]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_our_own_code_costs_one_section(
    module: Any, name: str, root_of: RootOf, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(module, name, broken)
    snapshot = collector.collect(runner, str(root_of("debian13_ready")))
    check(snapshot)
    assert "failed" in {probe["status"] for probe in snapshot["probes"].values()}


def test_a_probe_that_hangs_in_the_kernel_is_left_behind(
    root_of: RootOf, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(host: Any) -> Any:
        time.sleep(60)

    monkeypatch.setattr(gpu, "smi_section", hang)
    host = Host(str(root_of("debian13_ready")), runner)
    reader = collector.Collector(host, collector.Wishes())
    reader.deadline = time.monotonic() + 0.3
    snapshot = reader.collect()
    check(snapshot)
    assert snapshot["probes"]["nvidia_smi"]["status"] == "timeout"
    assert snapshot["os"]["id"] == "debian"


# between them they have every file that is parsed
DAMAGED = ("debian13_ready", "debian12_dkms_broken", "ubuntu2404_secureboot", "rhel9")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_any_file_still_gives_a_valid_snapshot(
    data: st.DataObject,
    root_into: Callable[[str, Path], Path],
    runner: Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    name = data.draw(st.sampled_from(DAMAGED))
    root = root_into(name, tmp_path_factory.mktemp("damage") / "root")
    paths = sorted(
        path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and path.parent.name != "bin"
    )
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4, unique=True)):
        content = path.read_bytes()
        position = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:position] + data.draw(st.binary(max_size=20)) + content[position + 5 :])
    check(collector.collect(runner, str(root)))
