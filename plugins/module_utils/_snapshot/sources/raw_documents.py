# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents behind the facts, for a capture or a support bundle. They hold serial numbers: scrub before sharing."""

from __future__ import annotations

from typing import Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import gpu, kept, topology

_LIMIT = 512 * 1024
_FILES = {
    "proc_driver_version": "/proc/driver/nvidia/version",
    "proc_driver_params": "/proc/driver/nvidia/params",
    "proc_devices": "/proc/devices",
    "nvidia_installer_log": "/var/log/nvidia-installer.log",
}


def raw(host: Host, gpu_allowed: Callable[[], bool]) -> dict[str, str]:
    """Return the kept outputs, and those that only a capture wants: nvidia-smi is asked no question twice."""
    _ask(host, gpu_allowed)
    found = dict(kept.outputs(host))
    for name, path in _FILES.items():
        try:
            found[name] = host.read(path, _LIMIT)
        except OSError:
            continue
    for information in host.names("/proc/driver/nvidia/gpus"):
        text = host.text(f"/proc/driver/nvidia/gpus/{information}/information")
        if text:
            found[f"proc_driver_gpu_{information}"] = text
    if host.live:
        result = host.runner.run(["modinfo", "nvidia"])
        if result.status == "ok":
            found["modinfo"] = result.stdout
    return {name: found[name][:_LIMIT] for name in sorted(found) if found[name].strip()}


def _ask(host: Host, gpu_allowed: Callable[[], bool]) -> None:
    path = gpu.smi_path(host)
    have = kept.outputs(host)
    # a stand-in below another root knows one answer
    if path is None or not host.live:
        return
    questions = {"nvidia_smi_text": ("-q",), **topology.COMMANDS}
    for name, arguments in questions.items():
        if name not in have and gpu_allowed() and gpu.answers(host):
            topology.run(host, path, name, arguments)
