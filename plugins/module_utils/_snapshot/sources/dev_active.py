# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CUDA, torch and NCCL, tried inside a dev container. cuInit is a matter of a second; the other two are only done on
request: they allocate on every GPU. Each is a script for the container's Python (3.6 and newer), which nothing outside
can end: it sets itself an alarm."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.dev_inside import Execute

ACTIVE_SECONDS = 120
# what _CUINIT ends with where the loader refuses; a file that is there and no library is another fault than none
_NO_LIBRARY = 3
CUINIT_SECONDS = 30

_CUINIT = r"""
import ctypes, json, signal
signal.alarm(30)
try:
    lib = ctypes.CDLL("libcuda.so.1")
except OSError as exc:
    print(exc)
    raise SystemExit(3)
def text(rc):
    name = ctypes.c_char_p()
    try:
        lib.cuGetErrorName(rc, ctypes.byref(name))
    except AttributeError:
        return None
    return name.value.decode() if name.value else None
rc = lib.cuInit(0)
found = {"rc": rc, "name": text(rc), "count": None, "devices": []}
number = ctypes.c_int()
if rc == 0 and lib.cuDeviceGetCount(ctypes.byref(number)) == 0:
    found["count"] = number.value
    for index in range(number.value):
        device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        name = ctypes.create_string_buffer(100)
        entry = {"index": index, "name": None, "compute_capability": None}
        if lib.cuDeviceGet(ctypes.byref(device), index) == 0:
            if lib.cuDeviceGetName(name, 100, device) == 0:
                entry["name"] = name.value.decode("utf-8", "replace")
            # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
            if (lib.cuDeviceGetAttribute(ctypes.byref(major), 75, device) == 0
                    and lib.cuDeviceGetAttribute(ctypes.byref(minor), 76, device) == 0):
                entry["compute_capability"] = "%d.%d" % (major.value, minor.value)
        found["devices"].append(entry)
print(json.dumps(found))
"""

# one line a GPU: what was done before an alarm is not lost
_TORCH = r"""
import json, signal, time
signal.alarm(120)
import torch
torch.manual_seed(1)
left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
def close(a, b, limit):
    return float((a.double() - b.double()).norm() / b.double().norm()) < limit
wanted = left.double() @ right.double()
rounded = left.bfloat16().double() @ right.bfloat16().double()
for index in range(torch.cuda.device_count()):
    began, error = time.time(), None
    try:
        device = torch.device("cuda", index)
        block = torch.empty(64 << 20, dtype=torch.uint8, device=device)
        if not close((left.to(device) @ right.to(device)).cpu(), wanted, 1e-2):
            error = "a product of 32 bit numbers is wrong"
        # before Ampere the hardware has no bfloat16
        if error is None and torch.cuda.get_device_capability(index) >= (8, 0):
            product = left.bfloat16().to(device) @ right.bfloat16().to(device)
            if not close(product.float().cpu(), rounded, 2e-2):
                error = "a product of bfloat16 numbers is wrong"
        torch.cuda.synchronize(device)
    except Exception as exc:
        error = (type(exc).__name__ + ": " + (str(exc).splitlines() or [""])[0])[:300]
    ms = int((time.time() - began) * 1000)
    print(json.dumps({"index": index, "ok": error is None, "error": error, "ms": ms}), flush=True)
"""

# what torchrun does for one machine, without a file: one process a GPU, told by environment variables
_NCCL = r"""
import json, os, signal, socket, subprocess, sys, time
worker = '''
import json, os, signal, time
signal.alarm(120)
import torch
import torch.distributed as dist
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
torch.cuda.set_device(rank)
dist.init_process_group("nccl")
data = torch.ones(16 << 20, device="cuda")
dist.all_reduce(data)
torch.cuda.synchronize()
right = float(data[0]) == world and float(data[-1]) == world
times = []
for _round in range(5):
    dist.barrier(device_ids=[rank])
    torch.cuda.synchronize()
    began = time.time()
    dist.all_reduce(data)
    torch.cuda.synchronize()
    times.append(time.time() - began)
if rank == 0:
    bus = 2.0 * (world - 1) / world * data.numel() * 4 / min(times) / 1e9
    error = None if right else "the sum is wrong"
    print(json.dumps({"ok": right, "busbw_gbs": round(bus, 1), "error": error}), flush=True)
dist.destroy_process_group()
'''
count = int(sys.argv[1])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
children = []
for rank in range(count):
    env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1",
               MASTER_PORT=str(port))
    children.append(subprocess.Popen([sys.executable, "-c", worker], env=env, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE))
end, late = time.time() + 110, False
while any(child.poll() is None for child in children):
    late = time.time() > end
    if late or any(child.poll() not in (None, 0) for child in children):
        break
    time.sleep(0.1)
bad = [rank for rank, child in enumerate(children) if child.poll() != 0]
for child in children:
    if child.poll() is None:
        child.kill()
if not bad:
    sys.stdout.write(children[0].stdout.read().decode())
else:
    why = "no end within 110 s" if late else "a worker failed"
    print(json.dumps({"ok": False, "busbw_gbs": None, "error": why + ", rank " + ", ".join(map(str, bad))}))
"""

# cuda.h; libcuda is asked first, a stub does not know them
_NAMES = {
    0: "CUDA_SUCCESS",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    34: "CUDA_ERROR_STUB_LIBRARY",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    100: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    802: "CUDA_ERROR_SYSTEM_NOT_READY",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    999: "CUDA_ERROR_UNKNOWN",
}
_SHELL = (
    'for p in python python3 /usr/bin/python3; do command -v "$p" >/dev/null 2>&1 && exec "$p" -c "$0" "$@"; done; '
    "exit 127"
)


def _script(
    host: Host, name: str, what: str, run: Execute, user: str, code: str, seconds: int, *arguments: str
) -> list[Any] | None:
    """Run a script and return the JSON of its lines; None, and a probe that says why, if there is none."""
    began = time.monotonic()
    rc, output = run(["/bin/sh", "-c", _SHELL, code, *arguments], user, seconds + 5)
    found = []
    for line in output.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    error = None
    # an alarm ends a process with 128 + SIGALRM, or -14 where no shell is in between
    status = "ok" if rc == 0 and found else "timeout" if rc in (142, -14) else "failed"
    if rc in (126, 127) or (rc == _NO_LIBRARY and "No such file" in output):
        status = "missing"
    if status != "ok":
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        error = lines[-1][:300] if lines else f"{what} ended with {rc}"
    if rc is None and "timed out" in output:
        status = "timeout"
    ms = (time.monotonic() - began) * 1000
    host.probes.record(f"dev.{name}.{what}", status, f"python -c, {what}", ms, rc, error)
    return found or None


def cuinit(host: Host, name: str, run: Execute, user: str) -> dict[str, Any] | None:
    """Return what cuInit says, and the devices that CUDA sees; None without a libcuda."""
    found = _script(host, name, "cuinit", run, user, _CUINIT, CUINIT_SECONDS)
    if not found:
        return None
    answer = found[-1]
    rc = answer.get("rc")
    label = answer.get("name") or _NAMES.get(rc, f"CUDA_ERROR_{rc}")
    return {"rc": rc, "name": label, "count": answer.get("count"), "devices": answer.get("devices") or []}


def torch_run(host: Host, name: str, run: Execute, user: str) -> list[dict[str, Any]] | None:
    """Multiply on each GPU and compare with the CPU."""
    return _script(host, name, "torch_run", run, user, _TORCH, ACTIVE_SECONDS)


def nccl(host: Host, name: str, run: Execute, user: str, gpus: int) -> dict[str, Any] | None:
    """Sum 64 MiB over all GPUs; None with fewer than two."""
    if gpus < 2:
        host.probes.record(f"dev.{name}.nccl", "missing", "python -c, nccl", error="needs at least two GPUs")
        return None
    found = _script(host, name, "nccl", run, user, _NCCL, ACTIVE_SECONDS, str(gpus))
    return found[-1] if found else None
