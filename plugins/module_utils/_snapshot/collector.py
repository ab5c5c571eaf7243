# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One read of everything: slow and independent things in threads, files meanwhile, judged together at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, Jobs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    dev,
    docker,
    files,
    gpu,
    network,
    package_manager,
    rules,
    services,
    storage,
    system,
    toolkit,
)

SCHEMA = "gpuready.snapshot/1"
VERSION = "0.1.0"


class Collector:
    """Collects one snapshot of `host`."""

    def __init__(
        self,
        host: Host,
        watch: Sequence[str] = (),
        repositories: Sequence[dict[str, Any]] = (),
        dev_containers: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.host = host
        self.watch = watch
        self.repositories = repositories
        self.dev_containers = dev_containers
        self.jobs = Jobs()
        # a command has its own limit and one second to die; beyond that it hangs in the kernel and is left alone
        self.deadline = time.monotonic() + host.runner.timeout + 5

    def collect(self) -> dict[str, Any]:
        """Return the snapshot. Nothing that is wrong with the host makes this raise."""
        began, cpu = time.monotonic(), time.process_time()
        collected_at = systemctl.iso(time.time())
        self._start()
        snapshot = self._sections()
        return {
            "schema": SCHEMA,
            "collected_at": collected_at,
            "collector": {
                "version": VERSION,
                "euid": os.geteuid(),
                "python": ".".join(str(part) for part in _python()),
                "root": self.host.root,
                "total_ms": round((time.monotonic() - began) * 1000),
                # processor time of this process: waiting for commands and sockets is not ours
                "own_ms": round((time.process_time() - cpu) * 1000),
            },
            **snapshot,
            "probes": self.host.probes.as_dict(),
        }

    def _start(self) -> None:
        host = self.host
        self.jobs.start("smi", partial(gpu.smi_section, host))
        self.jobs.start("services", partial(services.read, host))
        self.jobs.start("docker", partial(docker.collect, host))
        self.jobs.start("virt", self._detect_virt)
        self.jobs.start("network", partial(network.section, host, self.repositories))
        self.jobs.start("dev", partial(dev.section, host, self.dev_containers, self._gpu_allowed))

    def _wait(self, name: str, default: Any, probe: str) -> Any:
        value = self.jobs.result(name, _LATE, self.deadline - time.monotonic())
        if value is not _LATE:
            return value
        status = "timeout" if self.jobs.running(name) else "failed"
        self.host.probes.record(probe, status, name, error=f"the probe {name} gave no answer")
        return default

    def _gpu_allowed(self) -> bool:
        # after a hung NVIDIA call every other one hangs too
        self.jobs.result("smi", None, self.deadline - time.monotonic())
        return self.host.probes.status("nvidia_smi") not in (None, "timeout")

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

    def _guard(self, name: str, default: Any, call: Callable[[], Any]) -> Any:
        """Return what a section gives, or `default` with a probe that says why."""
        try:
            return call()
        except Exception as exc:
            error = f"the section {name} failed: {type(exc).__name__}: {exc}"
            self.host.probes.record(name, "failed", "gpu_facts", error=error)
            return default

    def _sections(self) -> dict[str, Any]:
        host, guard = self.host, self._guard
        simulated = guard("simulation", {"gpu": False, "host": False, "text": None}, partial(system.simulation, host))
        os_facts = guard("os", _EMPTY["os"], partial(system.os_section, host))
        kernel = guard("kernel", _EMPTY["kernel"], partial(system.kernel_section, host, os_facts["family"]))
        installed = guard("packages", _EMPTY["packages"], partial(package_manager.section, host))
        found = {
            "simulated": simulated,
            "os": os_facts,
            "kernel": kernel,
            "firmware": guard("firmware", _EMPTY["firmware"], partial(system.firmware_section, host)),
            "packages": installed,
            "files": guard("files", {}, partial(files.section, host, self.watch)),
            "storage": guard("storage", {"fs": []}, partial(storage.section, host)),
            "memory": guard("memory", _EMPTY["memory"], partial(system.memory_section, host)),
            "cpu": guard("cpu", {"count": None}, partial(system.cpu_section, host)),
            "pci": guard("pci", {"gpus": [], "nvswitches": []}, partial(gpu.pci_section, host)),
            "daemon_json": guard("daemon_json", _EMPTY["daemon_json"], partial(docker.daemon_json, host)),
            "toolkit": guard(
                "toolkit", _EMPTY["toolkit"], partial(toolkit.section, host, installed.get("installed", {}))
            ),
        }
        found.update(self._joined(found))
        found["scope"] = "container" if found["virt"]["kind"] == "container" and not simulated["host"] else "host"
        return found

    def _joined(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the sections that need an answer from a thread."""
        host, guard = self.host, self._guard
        cdi, documents = guard("cdi", ({"specs": []}, {}), partial(toolkit.cdi_section, host))
        detected = self._wait("virt", None, "virt")
        smi, gpus = self._wait("smi", (dict(_EMPTY["smi"]), []), "nvidia_smi")
        blocks = self._wait("services", {}, "services")
        engine = self._wait("docker", docker.empty(host), "docker")
        engine["compose_version"] = guard(
            "compose", None, partial(docker.compose_version, host, found["packages"].get("installed") or {})
        )
        daemon = blocks.get("docker.service", {})
        if systemctl.first(daemon, "ActiveState") == "active":
            engine["started_at"] = systemctl.timestamp(systemctl.first(daemon, "ActiveEnterTimestamp"))
        engine["restart_pending"] = guard("docker_restart", False, partial(docker.restart_pending, host))
        guard("device_rules", None, partial(rules.judge, host, engine, blocks, documents))
        return {
            "virt": guard("virt", _EMPTY["virt"], partial(system.virt_section, host, detected)),
            "services": services.section(blocks),
            "driver": guard("driver", {**gpu.EMPTY_DRIVER, "smi": smi}, partial(gpu.driver_section, host, smi, gpus)),
            "gpus": gpus,
            "docker": engine,
            "cdi": cdi,
            "network": self._wait("network", {"repositories": []}, "repositories"),
            "dev": self._wait("dev", {"containers": []}, "dev"),
        }


def _python() -> tuple[int, int, int]:
    import sys

    return sys.version_info[0], sys.version_info[1], sys.version_info[2]


_LATE = object()

# what a section says when its code failed: the same keys, nothing known
_EMPTY: dict[str, Any] = {
    "os": {
        "id": None,
        "version": None,
        "id_like": [],
        "codename": None,
        "name": None,
        "machine": None,
        "family": "other",
        "systemd": {"running": None, "version": None},
        "cgroup": None,
    },
    "virt": {"kind": None, "technology": None, "wsl": None, "markers": []},
    "kernel": {
        "running": None,
        "cmdline": None,
        "installed": [],
        "headers": None,
        "reboot_required": None,
        "reboot_packages": [],
    },
    "firmware": {"efi": None, "secure_boot": None},
    "packages": {
        "manager": None,
        "lock": {"held": None, "pid": None, "comm": None},
        "broken": [],
        "installed": {},
        "holds": [],
        "sources": [],
    },
    "memory": {"total_mib": None, "available_mib": None},
    "daemon_json": {"path": "/etc/docker/daemon.json", "present": None, "valid": None, "error": None, "data": {}},
    "toolkit": {"present": None, "version": None, "mode": None, "no_cgroups": None, "config_present": None},
    "smi": {"present": None, "rc": None, "message": None, "driver_version": None, "cuda_version": None},
}


def collect(
    runner: Runner,
    root: str = "/",
    watch: Sequence[str] = (),
    repositories: Sequence[dict[str, Any]] = (),
    dev_containers: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Collect the snapshot of the machine, or of the tree below `root`."""
    return Collector(Host(root, runner), watch, repositories, dev_containers).collect()
