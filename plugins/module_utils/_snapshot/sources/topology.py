# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the GPUs of one host are joined. Asked only where there are two or more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import topology
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import gpu, kept

EMPTY: dict[str, Any] = {"p2p": None, "nvlink": None, "nvlink_message": None, "matrix": None}
# probe and kept document -> arguments; in the order in which they are run
COMMANDS = {"topo_p2p": ("topo", "-p2p", "r"), "nvlink": ("nvlink", "-s"), "topo_matrix": ("topo", "-m")}


def section(host: Host, gpus: Sequence[Any], gpu_allowed: Callable[[], bool]) -> dict[str, Any]:
    """Return the matrices and the links between `gpus`; after a call that hung no other one is made."""
    found = dict(EMPTY)
    path = gpu.smi_path(host)
    if len(gpus) < 2 or path is None:
        return found
    for name, arguments in COMMANDS.items():
        if not (gpu_allowed() and gpu.answers(host)):
            break
        text = run(host, path, name, arguments)
        if text is None:
            continue
        if name == "nvlink":
            found["nvlink"], found["nvlink_message"] = topology.nvlink(text)
        elif name == "topo_p2p":
            found["p2p"] = topology.p2p(text)
        else:
            found["matrix"] = topology.matrix(text)
    return found


def run(host: Host, path: str, name: str, arguments: Sequence[str]) -> str | None:
    """Run one of COMMANDS, keep its output and return it; None if it gave none that can be used."""
    result = host.runner.run([path, *arguments])
    host.probes.command(name, " ".join(("nvidia-smi", *arguments)), result)
    kept.keep(host, name, result.stdout)
    return result.stdout if result.status == "ok" else None
