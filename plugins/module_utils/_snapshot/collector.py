# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One read of everything: slow and independent things in threads, files meanwhile, judged together at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot import subset as subsets
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.empty import EMPTY
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, Jobs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    clock,
    cuda,
    dev,
    docker,
    docker_gpu,
    docker_orphans,
    engine_api,
    environment,
    files,
    gpu,
    kernel_log,
    mirrors,
    network,
    package_manager,
    pci,
    processes,
    raw_documents,
    rules,
    services,
    storage,
    system,
    toolkit,
    topology,
)

SCHEMA = "gpuready.snapshot/1"
VERSION = "0.1.0"
_LATE = object()


class Wishes(NamedTuple):
    """What to look at beyond the host itself; gpu_facts documents each."""

    subset: Sequence[str] = ("all",)
    watch: Sequence[str] = ()
    repositories: Sequence[dict[str, Any]] = ()
    endpoints: Sequence[dict[str, Any]] = ()
    dev: Sequence[dict[str, Any]] = ()
    dev_here: bool = False
    exec_probe: bool = False
    active: Sequence[str] = ()
    smoke_image: str = ""
    raw: bool = False


class Collector:
    """Collects one snapshot of `host`."""

    def __init__(self, host: Host, wishes: Wishes) -> None:
        self.host = host
        self.wishes = wishes
        self.sections = subsets.chosen(wishes.subset)
        self.jobs = Jobs()
        # a command has its own limit and one second to die; beyond that it hangs in the kernel and is left alone
        self.deadline = time.monotonic() + host.runner.timeout + 5

    def collect(self) -> dict[str, Any]:
        """Return the snapshot. Nothing that is wrong with the host makes this raise."""
        began, cpu = time.monotonic(), time.process_time()
        collected_at = systemctl.iso(time.time())
        found = self._found()
        return {
            "schema": SCHEMA,
            "collected_at": collected_at,
            "collector": {
                "version": VERSION,
                "euid": os.geteuid(),
                "python": ".".join(str(part) for part in sys.version_info[:3]),
                "root": self.host.root,
                "subset": list(self.wishes.subset),
                "raw": self.wishes.raw,
                "total_ms": round((time.monotonic() - began) * 1000),
                # processor time of this process: waiting for commands and sockets is not ours
                "own_ms": round((time.process_time() - cpu) * 1000),
            },
            **{name: value for name, value in found.items() if name in subsets.ALWAYS or name in self.sections},
            "probes": self.host.probes.as_dict(),
        }

    def _wants(self, *names: str) -> bool:
        return any(name in self.sections for name in names)

    def _start(self, name: str, work: Callable[[], Any], *sections: str) -> None:
        """Start a thread if one of its sections is wanted."""
        if self._wants(*(sections or (name,))):
            self.jobs.start(name, work)

    def _gpu_allowed(self) -> bool:
        # after a hung NVIDIA call every other one hangs too
        self.jobs.result("smi", None, self.deadline - time.monotonic())
        return gpu.answers(self.host) and not self.jobs.running("smi")

    def _engine_asleep(self) -> str:
        units = self.jobs.result("services", {}, self.deadline - time.monotonic())
        return engine_api.asleep(units)

    def _start_all(self) -> None:
        host, wishes = self.host, self.wishes
        self._start("smi", partial(gpu.smi_section, host), "driver", "gpus", "topology", "cuda", "docker", "dev", "raw")
        self._start("services", partial(services.read, host), "services", "docker", "time", "dev")
        self._start("docker", partial(docker.collect, host, asleep=self._engine_asleep))
        self.jobs.start("virt", self._detect_virt)
        self._start("network", partial(network.section, host, wishes.repositories, wishes.endpoints))
        self._start("kernel_log", partial(kernel_log.section, host))
        self._start("cuda", partial(cuda.section, host, self._gpu_allowed))

    def _wait(self, name: str, default: Any, probe: str, limit: float | None = None) -> Any:
        value = self.jobs.result(name, _LATE, (limit or 0.0) + self.deadline - time.monotonic())
        if value is not _LATE:
            return value
        status = "timeout" if self.jobs.running(name) else "failed"
        self.host.probes.record(probe, status, name, error=f"the probe {name} gave no answer")
        return default

    def _detect_virt(self) -> str | None:
        host = self.host
        if not host.live or host.runner.which("systemd-detect-virt") is None:
            reason = "systemd-detect-virt is not installed" if host.live else f"no command is run for root {host.root}"
            host.probes.record("virt", "missing", "systemd-detect-virt", error=reason)
            return None
        result = host.runner.run(["systemd-detect-virt"])
        # rc 1 with the answer "none" is no failure
        answer = result.stdout.strip() or None
        status = "ok" if answer else result.status
        error = None if answer else result.error
        host.probes.record("virt", status, "systemd-detect-virt", result.ms, result.rc, error)
        return answer

    def _guard(self, name: str, call: Callable[[], Any], default: Any = _LATE) -> Any:
        """Return what a section gives, or its empty form with a probe that says why."""
        try:
            return call()
        except Exception as exc:
            error = f"the section {name} failed: {type(exc).__name__}: {exc}"
            self.host.probes.record(name, "failed", "gpu_facts", error=error)
            return EMPTY[name]() if default is _LATE else default

    def _read(self, found: dict[str, Any], name: str, call: Callable[[], Any], *also: str) -> None:
        """Read a section into `found` if it, or one that needs it, is wanted."""
        if self._wants(name, *also):
            found[name] = self._guard(name, call)

    def _found(self) -> dict[str, Any]:
        host = self.host
        self._start_all()
        found: dict[str, Any] = {"simulated": self._guard("simulated", partial(system.simulation, host))}
        found["os"] = self._guard("os", partial(system.os_section, host))
        self._read(found, "kernel", partial(system.kernel_section, host, found["os"]["family"]))
        self._read(found, "firmware", partial(system.firmware_section, host))
        self._read(found, "packages", partial(package_manager.section, host), "toolkit", "docker")
        self._read(found, "files", partial(files.section, host, self.wishes.watch))
        self._read(found, "storage", partial(storage.section, host))
        self._read(found, "memory", partial(system.memory_section, host))
        self._read(found, "cpu", partial(system.cpu_section, host))
        self._read(found, "selinux", partial(system.selinux_section, host))
        self._read(found, "environment", partial(environment.section, host))
        self._read(found, "pci", partial(pci.section, host))
        self._read(found, "processes", partial(processes.section, host))
        self._read(found, "daemon_json", partial(docker.daemon_json, host), "docker")
        self._read(found, "mirrors", partial(mirrors.section, host))
        self._read(found, "mirror_addresses", partial(mirrors.addresses, host))
        found["virt"] = self._guard("virt", partial(system.virt_section, host, self._wait("virt", None, "virt")))
        inside = found["virt"]["kind"] == "container" and not found["simulated"]["host"]
        found["scope"] = "container" if inside else "host"
        self._start("dev", partial(self._dev, inside))
        installed = found.get("packages", {}).get("installed") or {}
        self._read(found, "toolkit", partial(toolkit.section, host, installed))
        self._join(found, installed)
        return found

    def _dev(self, inside: bool) -> dict[str, Any]:
        wishes = self.wishes
        here: dict[str, Any] | None = {} if inside or wishes.dev_here else None
        return dev.section(self.host, wishes.dev, self._gpu_allowed, wishes.active, here, self._engine_asleep)

    def _join(self, found: dict[str, Any], installed: dict[str, str]) -> None:
        """Read the sections that need an answer from a thread."""
        host = self.host
        blocks = self._wait("services", {}, "services") if self._wants("services", "docker", "time") else {}
        self._read(found, "services", partial(services.section, blocks), "time")
        self._read(found, "time", partial(clock.section, host, found.get("services")))
        gpus: list[dict[str, Any]] = []
        smi: dict[str, Any] = EMPTY["smi"]()
        if self._wants("driver", "gpus", "topology"):
            smi, gpus = self._wait("smi", (smi, gpus), "nvidia_smi")
        self._read(found, "gpus", lambda: gpus)
        self._read(found, "driver", partial(gpu.driver_section, host, smi, gpus))
        # not before cuInit has ended: after one call that hangs there must be no other
        found["cuda"] = self._wait("cuda", EMPTY["cuda"](), "cuda") if self._wants("cuda") else None
        self._read(found, "topology", partial(topology.section, host, gpus, self._gpu_allowed))
        documents: dict[str, Any] = {}
        cdi = EMPTY["cdi"]()
        if self._wants("cdi", "docker"):
            cdi, documents = self._guard("cdi", partial(toolkit.cdi_section, host), (cdi, documents))
        found["cdi"] = cdi
        if self._wants("docker"):
            found["docker"] = self._engine(blocks, documents, installed)
            self._guard("orphans", partial(_name_orphans, host, blocks, found), None)
        if self._wants("docker") and self._wants("processes"):
            self._guard("container_names", partial(_name_holders, found), None)
        if self._wants("network"):
            found["network"] = self._wait("network", EMPTY["network"](), "network")
        if self._wants("kernel_log"):
            found["kernel_log"] = self._wait("kernel_log", EMPTY["kernel_log"](), "kernel_log")
        if self._wants("dev"):
            found["dev"] = self._wait("dev", EMPTY["dev"](), "dev", dev.patience(host, self.wishes.active))
        if self._wants("raw"):
            wanted = partial(raw_documents.raw, host, self._gpu_allowed)
            found["raw"] = self._guard("raw", wanted) if self.wishes.raw else {}

    def _engine(self, blocks: Any, documents: Any, installed: dict[str, str]) -> dict[str, Any]:
        host, wishes = self.host, self.wishes
        engine: dict[str, Any] = self._wait("docker", docker.empty(host), "docker")
        engine["compose_version"] = self._guard("compose", partial(docker.compose_version, host, installed), None)
        daemon = blocks.get("docker.service", {})
        if systemctl.first(daemon, "ActiveState") == "active":
            engine["started_at"] = systemctl.timestamp(systemctl.first(daemon, "ActiveEnterTimestamp"))
        engine["restart_pending"] = self._guard("docker_restart", partial(docker.restart_pending, host), False)
        self._guard("device_rules", partial(rules.judge, host, engine, blocks, documents), None)
        if wishes.exec_probe:
            self._guard("docker_exec", partial(docker_gpu.probe_containers, host, engine, self._gpu_allowed), None)
        if "smoke" in wishes.active and not wishes.smoke_image:
            host.probes.record("smoke", "missing", "docker run", error="no image is named for it")
        elif "smoke" in wishes.active:
            run = partial(
                docker_gpu.smoke, host, engine, wishes.smoke_image, self._gpu_allowed, "auto", bool(documents)
            )
            engine["smoke"] = self._guard("smoke", run, None)
        return engine


def _name_orphans(host: Host, blocks: Any, found: dict[str, Any]) -> None:
    engine = found["docker"]
    if not engine["reachable"] and not engine_api.runs(blocks):
        engine["orphans"] = docker_orphans.names(host, found["daemon_json"]["data"])


def _name_holders(found: dict[str, Any]) -> None:
    processes.name_containers(found["processes"]["gpu"], found["docker"]["containers"])


def collect(runner: Runner, root: str = "/", wishes: Wishes | None = None) -> dict[str, Any]:
    """Collect the snapshot of the machine, or of the tree below `root`."""
    return Collector(Host(root, runner), wishes or Wishes()).collect()
