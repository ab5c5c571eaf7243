# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.evaluate import evaluate
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    Context,
    Severity,
    Stage,
    ok,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BASES = ["ready_host", "sandbox_ready", "bare_host", "rented_container", "version_mismatch", "many_faults"]
Snapshot = dict[str, Any]
Maker = Callable[..., Snapshot]

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def keys_of(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of every object; the entries of lists are kept, since one entry less is another, valid host."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from keys_of(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from keys_of(value, (*path, index))


def without(snapshot: Snapshot, paths: list[tuple[Any, ...]], null: bool) -> Snapshot:
    data = copy.deepcopy(snapshot)
    for *parents, last in paths:
        node: Any = data
        try:
            for key in parents:
                node = node[key]
            if null:
                node[last] = None
            else:
                del node[last]
        except (KeyError, IndexError, TypeError):
            continue  # a parent was taken away before
    return data


def statuses(snapshot: Snapshot) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for result in judge(snapshot, host="h")["results"]:
        assert "internal error" not in result["message"], result
        found.setdefault(result["id"], set()).add(result["status"])
    return found


@st.composite
def holes(draw: st.DrawFn, snapshot: Snapshot) -> Snapshot:
    paths = [path for path in keys_of(snapshot) if path != ("schema",)]
    chosen = draw(st.lists(st.sampled_from(paths), min_size=1, max_size=8))
    return without(snapshot, chosen, draw(st.booleans()))


@pytest.mark.parametrize("base", BASES)
@relaxed
@given(data=st.data())
def test_holes_never_raise_and_never_turn_a_failure_into_a_pass(
    base: str, snapshot: Maker, data: st.DataObject
) -> None:
    whole = snapshot(base)
    before = statuses(whole)
    after = statuses(data.draw(holes(whole)))
    for check, found in after.items():
        if "pass" not in before[check] and "skip" not in before[check]:
            assert found != {"pass"}, check


# What a check needs and cannot judge without. Any pass without it would be a guess.
# test_holes.py tries every part of every snapshot; this table says in plain words what each check stands on.
NEEDS = {
    "PRE-OS": "os.id", "PRE-ARCH": "os.machine", "PRE-PRIVILEGE": "collector.euid", "PRE-SCOPE": "scope",
    "PRE-SYSTEMD": "os.systemd", "PRE-CGROUP": "os.cgroup", "PRE-AMD": "pci.others", "PRE-GPU-PCI": "pci",
    "PRE-GPU-ALIVE": "pci.gpus", "PRE-GPU-KNOWN": "pci.gpus", "PRE-BRANCH-FIT": "driver.module.version",
    "PRE-BOUND-DRIVER": "pci.gpus", "PRE-BIOS-BAR": "kernel_log", "PRE-NOUVEAU": "driver.nouveau",
    "PRE-SECURE-BOOT": "firmware", "PRE-KERNEL-NEWEST": "kernel.running", "PRE-HEADERS": "kernel.headers",
    "PRE-COMPILER": "kernel.compiler", "PRE-REBOOT": "kernel.reboot_required", "PRE-DISK": "storage.fs",
    "PRE-FS-RW": "storage.fs", "PRE-RAM": "memory", "PRE-CPU": "cpu", "PRE-PORTS": "network.listening",
    "PRE-RUNFILE": "driver.runfile", "PRE-MIXED-PKGS": "packages.installed", "PRE-DOCKER-CONFLICT": "packages",
    "PRE-UNATTENDED": "packages.unattended", "PRE-PKG-LOCK": "packages.lock", "PRE-PKG-STATE": "packages.broken",
    "PRE-APT-SOURCES": "packages.sources", "PRE-REPOS": "network", "PRE-TIME": "time", "PRE-DNS-PROXY": "network",
    "DRV-HANG": "probes", "DRV-MODULE": "driver.module", "DRV-DEVNODES": "driver.devnodes",
    "DRV-UVM": "driver.devnodes", "DRV-VERSION-MATCH": "driver.libraries", "DRV-NEXT-BOOT": "kernel.installed",
    "DRV-FLAVOUR": "driver.module", "DRV-BRANCH-MIN": "driver.module.version", "DRV-GPU-LOST": "gpus",
    "DRV-SMI": "driver.smi", "DRV-GPU-COUNT": "gpus", "DRV-RECOVERY": "gpus", "DRV-GSP": "driver.gsp_files",
    "DRV-CUINIT": "cuda", "DRV-MEM-SIZE": "gpus", "DRV-UNIFORM": "gpus", "DRV-INFOROM": "gpus", "DRV-XID": "kernel_log",
    "DRV-AER": "pci.gpus", "DRV-PCIE-WIDTH": "gpus", "DRV-PCIE-GEN": "gpus", "DRV-PCIE-REPLAY": "gpus",
    "DRV-PERSIST": "gpus", "DRV-COMPUTE-MODE": "gpus", "DRV-POWER": "gpus", "DRV-THERMAL": "gpus",
    "DRV-THROTTLE-HIST": "gpus", "DRV-IDLE": "gpus", "DRV-ENV": "environment", "DRV-HOLD": "packages",
    "CTR-DOCKER": "docker.reachable", "CTR-DOCKER-VER": "docker.version", "CTR-DAEMON-JSON": "daemon_json",
    "CTR-RESTART": "docker.restart_pending", "CTR-COMPOSE": "docker.compose_version",
    "CTR-STORAGE": "docker.storage_driver", "CTR-SECURITY": "docker.security_options", "CTR-TOOLKIT": "toolkit",
    "CTR-TOOLKIT-CVE": "toolkit.version", "CTR-RUNTIME": "docker.runtimes", "CTR-NO-CGROUPS": "toolkit.no_cgroups",
    "CTR-MODE": "toolkit.mode", "CTR-CDI-SPEC": "cdi", "CTR-CDI-FRESH": "cdi", "CTR-CDI-REFRESH": "services",
    "CTR-CDI-ENGINE": "docker.cdi_spec_dirs", "CTR-RUNC": "docker.runc_version", "CTR-NVML-LOST": "docker.containers",
    "CTR-NVML-SURVIVE": "docker.containers", "DEV-RUNNING": "docker.containers", "DEV-GPU": "dev", "DEV-CAPS": "dev",
    "DEV-CUDA-DRIVER": "dev", "DEV-LIBCUDA": "dev", "DEV-PYTHON": "dev", "DEV-TORCH": "dev", "DEV-TORCH-CUDA": "dev",
    "DEV-TORCH-ARCH": "dev", "DEV-TORCH-DRIVER": "dev", "DEV-SHM": "dev", "DEV-ULIMIT": "dev", "DEV-SSHD": "dev",
    "DEV-SSH-SAFE": "dev", "DEV-SSH-ENV": "dev", "DEV-JUPYTER": "dev", "DEV-MOUNTS": "dev", "DEV-PERSIST": "dev",
    "DEV-LOCALE": "dev", "DRV-SET": "packages.installed",
}  # fmt: skip


def test_every_check_that_passes_on_a_ready_host_says_what_it_needs(snapshot: Maker) -> None:
    assert {check for check, seen in statuses(snapshot()).items() if "pass" in seen} == set(NEEDS)


@pytest.mark.parametrize("check", NEEDS)
@pytest.mark.parametrize("null", [False, True])
def test_no_check_passes_without_what_it_needs(check: str, null: bool, snapshot: Maker) -> None:
    whole = snapshot()
    assert "pass" in statuses(whole)[check]
    assert statuses(whole)[check] <= {"pass", "skip"}
    assert "pass" not in statuses(without(whole, [tuple(NEEDS[check].split("."))], null))[check]


# what the policy's defaults do not ask for is skipped, whatever there is
NOT_ASKED = {"PRE-TIER", "PRE-GPU-BUSY"}


def test_an_empty_snapshot_passes_nothing() -> None:
    report = judge({"schema": "gpuready.snapshot/1"}, host="h")
    assert (report["counts"]["pass"], report["counts"]["fail"]) == (0, 0)
    assert (report["verdict"], report["exit_code"]) == ("unknown", 3)
    assert set(CHECK_IDS) == {result["id"] for result in report["results"]}
    skipped = {result["id"]: result["message"] for result in report["results"] if result["status"] == "skip"}
    assert set(skipped) <= NOT_ASKED, skipped


@pytest.mark.parametrize("junk", [None, 1, "text", [], [[]], [None], {"a": 1}, True])
def test_junk_in_place_of_a_section_never_raises(junk: Any, snapshot: Maker) -> None:
    whole = snapshot()
    for section in whole:
        if section != "schema":
            statuses({**whole, section: junk})


def test_same_snapshot_same_report(snapshot: Maker) -> None:
    data = snapshot("many_faults")
    untouched = copy.deepcopy(data)
    assert judge(data, host="h") == judge(data, host="h")
    assert data == untouched


def by_id(report: dict[str, Any], check: str) -> dict[str, Any]:
    found: dict[str, Any] = next(result for result in report["results"] if result["id"] == check)
    return found


def test_a_root_cause_is_one_failure(snapshot: Maker) -> None:
    report = judge(snapshot("bare_host"), host="h")
    assert [r["id"] for r in report["results"] if r["status"] == "fail"] == ["DRV-MODULE", "CTR-DOCKER", "CTR-TOOLKIT"]
    # a consequence of a consequence names the root
    assert by_id(report, "DRV-GPU-LOST")["caused_by"] == "DRV-MODULE"


def test_a_waiver_makes_a_failure_a_warning_until_its_day(snapshot: Maker) -> None:
    def run(until: str, **more: Any) -> dict[str, Any]:
        waiver = {"id": "PRE-PKG-STATE", "until": until, "reason": "vendor ticket", **more}
        data = snapshot(changes={"packages.broken": ["foo"]})
        return judge(data, host="h", policy={"waive": [waiver]})

    good = run("2026-11-21")
    assert good["verdict"] == "ready_with_warnings"
    assert "waived until 2026-11-21: vendor ticket" in by_id(good, "PRE-PKG-STATE")["message"]
    late = run("2026-11-20")
    assert late["verdict"] == "not_ready"
    assert "ran out on 2026-11-20" in by_id(late, "PRE-PKG-STATE")["message"]
    assert run("2099-01-01", entity="another")["verdict"] == "not_ready"


def test_a_waived_prerequisite_does_not_silence_its_dependents(snapshot: Maker) -> None:
    waiver = {"id": "DRV-MODULE", "until": "2099-01-01", "reason": "built in"}
    report = judge(snapshot("bare_host"), host="h", policy={"waive": [waiver]})
    assert by_id(report, "DRV-DEVNODES")["status"] == "fail"


def test_severity_decides_the_verdict(snapshot: Maker) -> None:
    data = snapshot(changes={"packages.broken": ["foo"]})
    assert judge(data, host="h")["verdict"] == "not_ready"
    assert judge(data, host="h", policy={"severity": {"PRE-PKG-STATE": "minor"}})["verdict"] == "ready_with_warnings"
    assert judge(data, host="h", policy={"severity": {"PRE-PKG-STATE": "info"}})["verdict"] == "ready"
    assert judge(data, host="h", policy={"skip": ["PRE-PKG-STATE"]})["verdict"] == "ready"


def test_a_faulty_check_costs_neither_report_nor_honesty(snapshot: Maker) -> None:
    def broken(_ctx: Context) -> list[Any]:
        raise RuntimeError("oops")

    good = Check("DEV-GOOD", Stage.DEV, Severity.BLOCKER, "good", lambda _ctx: [ok("fine")])
    bad = Check("DEV-BAD", Stage.DEV, Severity.BLOCKER, "bad", broken)
    context = Context(View(snapshot()), make_policy({}, []), Commands("h"))
    found = {result.id: result for result in evaluate(context, [bad, good])}
    assert found["DEV-GOOD"].status == "pass"
    assert found["DEV-BAD"].status == "unknown"
    assert "RuntimeError: oops" in str(found["DEV-BAD"].message)


def test_what_failed_to_be_measured_says_which_probe(snapshot: Maker) -> None:
    probe = {"status": "denied", "ms": 2, "rc": 1, "source": "/dev/kmsg", "error": "Operation not permitted"}
    report = judge(snapshot(changes={"kernel_log": None, "probes.kernel_log": probe}), host="h")
    result = by_id(report, "DRV-XID")
    assert result["status"] == "unknown"
    assert result["evidence"] == [{"path": "probes.kernel_log", "value": "denied: Operation not permitted"}]
    assert "Operation not permitted" in result["remedy"]["text"]


def test_the_simulation_is_named_where_it_matters(snapshot: Maker) -> None:
    report = judge(snapshot("sandbox_ready"), host="h")
    assert report["simulated"] is True
    of_gpu = {check.id for check in CHECKS if check.gpu}
    for result in report["results"]:
        # what is skipped says nothing of the GPU
        if result["id"] in of_gpu and result["status"] != "skip":
            assert "[simulated GPU]" in result["message"], result["id"]
    assert "[simulated GPU]" not in str(judge(snapshot(), host="h"))
