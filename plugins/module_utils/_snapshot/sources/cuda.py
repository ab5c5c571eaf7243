# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CUDA program meets: which libcuda the loader takes, what cuInit says, which devices it shows.

It runs in a child of its own, since cuInit may hang or take the process down; the child makes no context and needs no
GPU memory. Names and attribute numbers are those of CUresult and CUdevice_attribute in cuda.h.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import gpu

_LIMIT = 30
_PROBE = "cuda"
_SOURCE = "libcuda.so.1: cuInit"
_MARK = "gpuready-cuda "
_STUB_LIBRARY = 34

EMPTY: dict[str, Any] = {
    "rc": None,
    "name": None,
    "count": None,
    "driver_version": None,
    "library": None,
    "stub": None,
    "devices": [],
}

_NAMES = {
    0: "CUDA_SUCCESS",
    1: "CUDA_ERROR_INVALID_VALUE",
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    4: "CUDA_ERROR_DEINITIALIZED",
    34: "CUDA_ERROR_STUB_LIBRARY",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    100: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    102: "CUDA_ERROR_DEVICE_NOT_LICENSED",
    214: "CUDA_ERROR_ECC_UNCORRECTABLE",
    304: "CUDA_ERROR_OPERATING_SYSTEM",
    500: "CUDA_ERROR_NOT_FOUND",
    600: "CUDA_ERROR_NOT_READY",
    800: "CUDA_ERROR_NOT_PERMITTED",
    801: "CUDA_ERROR_NOT_SUPPORTED",
    802: "CUDA_ERROR_SYSTEM_NOT_READY",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    805: "CUDA_ERROR_MPS_CONNECTION_FAILED",
    999: "CUDA_ERROR_UNKNOWN",
}

# Each step tells what it knows before the next one, which may never return.
# 75 and 76: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_CHILD = """
import ctypes, json, sys
def tell(**facts):
    sys.stdout.write("MARK" + json.dumps(facts) + "\\n")
    sys.stdout.flush()
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as exc:
    tell(error=str(exc))
    sys.exit(0)
with open("/proc/self/maps") as maps:
    paths = [line.split(None, 5)[5].strip() for line in maps if "libcuda.so" in line]
tell(library=paths[0] if paths else None)
value = ctypes.c_int(0)
if cuda.cuDriverGetVersion(ctypes.byref(value)) == 0:
    tell(driver_version=value.value)
rc = cuda.cuInit(0)
tell(rc=rc)
if rc == 0 and cuda.cuDeviceGetCount(ctypes.byref(value)) == 0:
    count = value.value
    tell(count=count)
    devices = []
    for index in range(min(count, 64)):
        device, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
        if cuda.cuDeviceGet(ctypes.byref(device), index) != 0:
            continue
        named = cuda.cuDeviceGetName(name, 255, device) == 0
        numbers = []
        for attribute in (75, 76):
            ok = cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) == 0
            numbers.append(value.value if ok else None)
        text = name.value.decode("utf-8", "replace") if named else None
        devices.append([index, text, numbers[0], numbers[1]])
    tell(devices=devices)
""".replace("MARK", _MARK)


def section(host: Host, gpu_allowed: Callable[[], bool], timeout: int = _LIMIT) -> dict[str, Any]:
    """Ask libcuda in a child process; not after an NVIDIA call that hung, and only on the live machine."""
    if not host.live:
        host.probes.record(_PROBE, "missing", _SOURCE, error=f"no command is run for root {host.root}")
        return dict(EMPTY, devices=[])
    if not (gpu_allowed() and gpu.answers(host)):
        host.probes.record(_PROBE, "missing", _SOURCE, error="not asked: another NVIDIA call did not return")
        return dict(EMPTY, devices=[])
    # -I: neither PYTHON* variables nor the working folder change what is imported
    result = host.runner.run([sys.executable, "-I", "-c", _CHILD], timeout=min(timeout, host.runner.timeout))
    told = _told(result.stdout)
    host.probes.record(_PROBE, *_verdict(result, told))
    return _section(told)


def _told(output: str) -> dict[str, Any]:
    """Return what the child told; other lines are the library's own."""
    told: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith(_MARK):
            try:
                told.update(json.loads(line[len(_MARK) :]))
            except ValueError:
                continue
    return told


def _verdict(result: CommandResult, told: dict[str, Any]) -> tuple[str, str, float, int | None, str | None]:
    """Return the arguments of the probe: status, source, ms, rc, error."""
    if "error" in told:
        # a file that is there and no library is another fault than none at all
        status = "missing" if "No such file" in str(told["error"]) else "failed"
        return status, _SOURCE, result.ms, None, str(told["error"])
    if result.status == "ok" and isinstance(told.get("rc"), int):
        return "ok", _SOURCE, result.ms, told["rc"], None
    status = result.status if result.status != "ok" else "failed"
    return status, _SOURCE, result.ms, result.rc, result.error or "the child gave no answer"


def _section(told: dict[str, Any]) -> dict[str, Any]:
    rc, library = told.get("rc"), told.get("library")
    version = told.get("driver_version")
    stub = None if library is None and rc is None else ("/stubs/" in str(library) or rc == _STUB_LIBRARY)
    return {
        "rc": rc,
        "name": None if rc is None else _NAMES.get(rc, f"CUDA_ERROR_{rc}"),
        "count": told.get("count"),
        # 13020 is CUDA 13.2
        "driver_version": f"{version // 1000}.{version % 1000 // 10}" if version else None,
        "library": library,
        "stub": stub,
        "devices": [
            {
                "index": index,
                "name": name,
                "compute_capability": None if major is None or minor is None else f"{major}.{minor}",
            }
            for index, name, major, minor in told.get("devices", [])
        ],
    }
