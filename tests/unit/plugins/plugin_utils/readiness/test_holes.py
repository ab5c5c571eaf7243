# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot with holes: nothing raises, and what was not good does not look good for the lack of a value.

Every key of every saved machine and of every case is taken away, set to null and given a value of another kind. So that
this takes seconds, only the checks that have looked at a key are asked again (traced.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import evaluate as engine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    Context,
    Finding,
    Stage,
    Status,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from hypothesis import given, settings
from hypothesis import strategies as st
from saved import SNAPSHOTS, case_context, case_snapshot, cases, load
from traced import Gone, Path, at, key_paths, traced, with_hole

BAD = (Status.FAIL, Status.WARN, Status.UNKNOWN)
MACHINES = sorted(f"machines/{path.stem}" for path in (SNAPSHOTS / "machines").glob("*.json"))
BASES = ["ready_host", "rented_container", "many_faults", "bare_host", "version_mismatch", "sandbox_ready", *MACHINES]
DEFAULT = make_policy(None, CHECK_IDS)

# Keys of free maps: one less is another, valid machine, not a gap.
FREE_MAPS = {
    "packages.installed": "a package that is not listed is not installed",
    "files": "a file that is not listed is not there",
    "kernel.initramfs.inputs": "a file that is not listed was not built in",
    "network.proxies.environment": "a variable that is not listed is not set",
    "gpus.0.errors": "a leaf that is not listed was read without an error",
    "gpus.0.throttle.counters_us": "each driver has its own set of counters",
    "dev.containers.0.persistent": "a directory that is not listed was not asked for",
    "dev.containers.0.ssh_environment.different": "a variable that is not listed does not differ",
}
# Reason -> where null is an answer ("CHECK path"): the collector looked, and there is none.
NULL_IS_AN_ANSWER = {
    "nvidia-smi says N/A: this board, or this driver, has no such reading": (
        "DRV-CLOCKS gpus.0.clocks.application_sm_mhz", "DRV-COMPUTE-MODE gpus.0.compute_mode",
        "DRV-ECC-MODE gpus.0.ecc_pending", "DRV-ECC-UNC gpus.0.ecc_errors", "DRV-ECC-UNC gpus.0.ecc_errors.*",
        "DRV-FABRIC gpus.0.fabric", "DRV-FABRIC gpus.0.fabric.health", "DRV-GSP gpus.0.gsp_firmware",
        "DRV-MIG gpus.0.mig", "DRV-MIG gpus.0.mig_pending", "DRV-PCIE-GEN gpus.0.idle", "DRV-PCIE-GEN gpus.0.pcie.*",
        "DRV-PCIE-GEN gpus.0.pstate", "DRV-PCIE-REPLAY gpus.0.pcie.replays", "DRV-PCIE-WIDTH gpus.0.pcie.*",
        "DRV-POWER gpus.0.power_*", "DRV-RECOVERY gpus.0.recovery_action", "DRV-REMAP gpus.0.remapped_rows",
        "DRV-THERMAL gpus.0.temperature_*", "DRV-THROTTLE-HIST gpus.0.throttle.counters_us.*",
        "DRV-VGPU gpus.0.virtualization",
    ),
    "a GPU without an address, or of a model that is not in our table, is not measured against a model": (
        "DRV-ECC-MODE gpus.0.bdf", "DRV-ECC-MODE pci.gpus.0.device", "DRV-NVLINK gpus.0.bdf",
        "DRV-NVLINK pci.gpus.0.device",
    ),
    "sysfs has no such file: a virtual machine, an old kernel, a filesystem without inodes": (
        "DRV-AER pci.gpus.0.aer", "DRV-AER pci.gpus.0.aer.*", "PRE-BOUND-DRIVER pci.gpus.0.driver",
        "PRE-DISK storage.fs.0.inodes_free_pct", "PRE-SECURE-BOOT firmware.lockdown", "CTR-SECURITY selinux.enforcing",
    ),
    "no control group limits this machine": ("PRE-CPU cpu.limit", "PRE-RAM memory.limit_mib"),
    "the log is closed; the counters and the driver's own word are judged without it, and DRV-XID says so": (
        "DRV-AER kernel_log.source", "DRV-AER kernel_log.hits.0.bdf", "DRV-GPU-LOST kernel_log.source",
    ),
    "CUDA was not tried; DRV-CUINIT says so, and the rest is judged by nvidia-smi and the PCI id": (
        "DRV-GPU-COUNT cuda.count", "DRV-GPU-COUNT cuda.rc", "DEV-GPU dev.containers.0.cuinit",
        "DEV-TORCH-ARCH dev.containers.0.cuinit",
    ),
    "compressed modules tell no version; where nvidia-smi answers, its library is the driver's": (
        "DRV-NEXT-BOOT kernel.installed.0.nvidia.version", "DRV-VERSION-MATCH kernel.installed.0.nvidia*",
        "DRV-VERSION-MATCH driver.libraries.*",
    ),
    "it is not set, not installed or not configured": (
        "DRV-FABRIC packages.installed.nvidia-fabricmanager", "PRE-APT-SOURCES packages.sources.0.signed_by",
        "PRE-DNS-PROXY network.proxies.environment.*", "PRE-DOCKER-CONFLICT packages.snaps",
        "PRE-MIXED-PKGS packages.installed.*", "PRE-UNATTENDED packages.installed.*", "DRV-SET packages.installed.*",
        "DEV-PYTHON dev.containers.0.jupyter", "DEV-RUNNING docker.containers.0.health",
        "DEV-TORCH-CUDA dev.containers.0.torch", "DEV-TORCH-CUDA dev.containers.0.envs.0.torch",
        "DEV-TORCH-ARCH dev.containers.0.envs.0.torch", "DEV-TORCH-ARCH dev.containers.0.envs.0.torch.conda_build",
    ),
    "no image was rebuilt by us, or without this file; the boot loader does not tell what it starts": (
        "DRV-NEXT-BOOT kernel.initramfs*", "DRV-NEXT-BOOT kernel.cmdline_next",
    ),
    "it could not be compared; the other measures of the same thing are left": (
        "PRE-MIRROR-FRESH network.endpoints.0.released", "PRE-MIRROR-FRESH network.endpoints.0.valid_until",
        "PRE-TIME time.controller_skew_s", "PRE-TIME time.ntp_synchronized",
    ),
    "the driver is the host's: its version outside counts": (
        "DEV-CUDA-DRIVER dev.containers.0.driver_version", "DEV-TORCH-DRIVER dev.containers.0.driver_version",
    ),
    "CUDA starts with this library, which has no version in its name (WSL2)": (
        "DEV-LIBCUDA dev.containers.0.libcuda.version",
    ),
    "who is not root cannot read it; where sshd takes no password, none can be guessed": (
        "DEV-SSH-SAFE dev.containers.0.known_passwords", "DEV-SSHD dev.containers.0.sshd",
        "DEV-SSHD dev.containers.0.sshd.authorized_keys",
    ),
}  # fmt: skip


def context_of(data: Any) -> Context:
    return Context(View(data), DEFAULT, Commands("h"), tuple(Stage))


def asked_by(data: Any, make: Callable[[Any], Context], checks: Iterable[Check]) -> dict[Path, list[Check]]:
    """Key that is there -> those of the checks that look at it."""
    there = set(key_paths(data))
    found: dict[Path, list[Check]] = {}
    asked: set[Path] = set()
    context = make(traced(data, (), asked))
    for check in checks:
        asked.clear()
        engine._findings(check, context)
        for path in asked & there:
            found.setdefault(path, []).append(check)
    return found


def findings_of(check: Check, context: Context, hole: Any) -> list[Finding]:
    findings = engine._findings(check, context)
    for finding in findings:
        said = str(finding.message)
        assert "internal error" not in said, (check.id, hole, said)
    return findings


def looks_good(was: Finding, now: list[Finding]) -> bool:
    """Is what was bad now good: its entity passes, or nothing bad is left and something passes."""
    if any(item.status is Status.PASS and item.entity == was.entity for item in now):
        return not any(item.status in BAD and item.entity == was.entity for item in now)
    statuses = {item.status for item in now if item.entity == was.entity} or {item.status for item in now}
    return Status.PASS in statuses and not statuses & set(BAD)


def bad_in(data: Any, make: Callable[[Any], Context]) -> dict[str, list[Finding]]:
    """What the engine shows as bad, by check; checks that fell with another one are not among them."""
    context = make(data)
    shown = {result.id for result in engine.evaluate(context, CHECKS) if result.status in BAD}
    return {
        check.id: [finding for finding in engine._findings(check, context) if finding.status in BAD]
        for check in CHECKS
        if check.id in shown
    }


def name(path: Path) -> str:
    return ".".join("0" if isinstance(key, int) else str(key) for key in path)


@cache
def answers() -> tuple[str, ...]:
    return tuple(entry for entries in NULL_IS_AN_ANSWER.values() for entry in entries)


def excused(check: str, path: Path, value: Any) -> str | None:
    """The exception that a hole falls under; None: it must not look good."""
    if value is Gone:
        return next((free for free in FREE_MAPS if name(path).startswith(f"{free}.")), None)
    return next((entry for entry in answers() if fnmatchcase(f"{check} {name(path)}", entry)), None)


def weak(data: Any, make: Callable[[Any], Context], used: set[str]) -> Iterator[str]:
    """Each hole that makes something bad look good. `used`: the exceptions that were needed."""
    bad = bad_in(data, make)
    for path, checks in asked_by(data, make, [check for check in CHECKS if check.id in bad]).items():
        for value in (Gone, None):
            context = make(with_hole(data, path, value))
            for check in checks:
                now = findings_of(check, context, path)
                if not any(looks_good(was, now) for was in bad[check.id]):
                    continue
                excuse = excused(check.id, path, value)
                if excuse is None:
                    yield f"{check.id} passes {'without' if value is Gone else 'with null for'} {name(path)}"
                else:
                    used.add(excuse)


@pytest.mark.parametrize("base", BASES)
def test_a_hole_in_a_machine_makes_nothing_good(base: str) -> None:
    assert sorted(set(weak(load(base), context_of, set()))) == []


def test_a_hole_in_a_broken_machine_makes_nothing_good() -> None:
    used: set[str] = set()
    for base in BASES:
        list(weak(load(base), context_of, used))
    found = {
        f"{case.name}: {said}"
        for case in cases()
        for said in weak(case_snapshot(case), partial(case_context, case), used)
    }
    assert sorted(found) == []
    # an exception that no case needs any more hides a hole of tomorrow
    assert {*FREE_MAPS, *answers()} - used == set()


def kinds(value: Any) -> tuple[Any, ...]:
    """Values of other kinds than this one, and empty ones."""
    if isinstance(value, dict):
        return ([], [{}], "text", 7, {})
    if isinstance(value, list):
        return ({}, "text", [None], [[]], [7], [{}])
    return ({}, [value], -1.5) if isinstance(value, str) else ("text", {}, [value])


@pytest.mark.parametrize("base", BASES)
def test_a_value_of_another_kind_never_raises(base: str) -> None:
    data = load(base)
    saved_by_hand = not base.startswith("machines/")
    for number, (path, checks) in enumerate(asked_by(data, context_of, CHECKS).items()):
        # the machines are alike but for their GPUs
        if saved_by_hand or number % 4 == 0:
            for value in (Gone, None, *kinds(at(data, path))):
                context = context_of(with_hole(data, path, value))
                for check in checks:
                    findings_of(check, context, (path, value))


@pytest.mark.parametrize("base", ["ready_host", "many_faults", "rented_container"])
def test_a_report_is_made_whatever_is_missing(base: str) -> None:
    """Tier, ladder, GPU list and next step read the snapshot, too."""
    data = load(base)
    tops = [path for path in key_paths(data) if len(path) < 3 and path != ("schema",)]
    for number, path in enumerate(tops):
        # each key once, by turns in each way; sections in every way
        ways = (Gone, None, *kinds(at(data, path)))
        for value in ways[:4] if len(path) == 1 else (ways[number % len(ways)],):
            report = judge(with_hole(data, path, value), host="h")
            assert not any("internal error" in result["message"] for result in report["results"]), (path, value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_several_holes_at_once(draw: st.DataObject) -> None:
    whole = load(draw.draw(st.sampled_from(BASES)))
    places = st.sampled_from([path for path in key_paths(whole) if path != ("schema",)])
    holes = draw.draw(st.dictionaries(places, st.sampled_from((Gone, None, [], {}, "text", 7, [None])), min_size=2))
    data = whole
    for path, value in holes.items():
        data = with_hole(data, path, value)
    for result in judge(data, host="h")["results"]:
        assert "internal error" not in result["message"], holes
    bad = bad_in(whole, context_of)
    taken_away = {path: value for path, value in holes.items() if value is Gone}
    data = whole
    for path in taken_away:
        data = with_hole(data, path)
    for check in CHECKS:
        for was in bad.get(check.id, ()):
            now = findings_of(check, context_of(data), taken_away)
            excuses = [excused(check.id, path, Gone) for path in taken_away]
            assert any(excuses) or not looks_good(was, now), (check.id, was.entity, taken_away)


def test_only_what_was_looked_at_can_change_an_answer() -> None:
    """The short cut of this file: a check that did not look at a key answers the same without it."""
    data = load("many_faults")
    asked = asked_by(data, context_of, CHECKS)
    whole = {check.id: engine._findings(check, context_of(data)) for check in CHECKS}
    for path in list(key_paths(data))[::10]:
        context = context_of(with_hole(data, path))
        for check in CHECKS:
            if check not in asked.get(path, []):
                assert engine._findings(check, context) == whole[check.id], (check.id, path)


def test_the_test_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("many_faults")
    monkeypatch.setattr(View, "flag", lambda self, path: self.is_true(path))
    assert any("CTR-NO-CGROUPS passes without toolkit.no_cgroups" in said for said in weak(data, context_of, set()))
