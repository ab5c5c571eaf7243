# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""libcuda in a child process, with a stand-in library of six functions."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import cuda

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int number(const char *name, int otherwise) { char *text = getenv(name); return text ? atoi(text) : otherwise; }
int cuInit(unsigned flags) {
  printf("a line of the library itself\n");
  fflush(stdout);
  if (number("STUB_HANG", 0)) sleep(60);
  if (number("STUB_CRASH", 0)) abort();
  return number("STUB_INIT", 0);
}
int cuDriverGetVersion(int *version) { *version = 13020; return 0; }
int cuDeviceGetCount(int *count) { *count = number("STUB_COUNT", 2); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Board %d", device); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 9 : -1;
  return 0;
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("libcuda")
    (folder / "cuda.c").write_text(SOURCE)
    library = folder / "libcuda.so.580.1.2"
    argv = [COMPILER, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(library), str(folder / "cuda.c")]
    subprocess.run(argv, check=True, capture_output=True)
    return library


@pytest.fixture
def library(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put the library where the loader looks first, in a folder of this name."""

    def place(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        path = Path(shutil.copy(built, folder))
        (folder / "libcuda.so.1").symlink_to(path.name)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        return path

    return place


def yes() -> bool:
    return True


def test_a_working_library(live: Host, library: Callable[[str], Path]) -> None:
    path = library("lib")
    found = cuda.section(live, yes)
    assert found == {
        "rc": 0,
        "name": "CUDA_SUCCESS",
        "count": 2,
        "driver_version": "13.2",
        "library": str(path),
        "stub": False,
        "devices": [
            {"index": 0, "name": "Board 0", "compute_capability": "8.9"},
            {"index": 1, "name": "Board 1", "compute_capability": "8.9"},
        ],
    }
    assert live.probes.status("cuda") == "ok"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (3, "CUDA_ERROR_NOT_INITIALIZED"),
        (34, "CUDA_ERROR_STUB_LIBRARY"),
        (46, "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        (100, "CUDA_ERROR_NO_DEVICE"),
        (101, "CUDA_ERROR_INVALID_DEVICE"),
        (802, "CUDA_ERROR_SYSTEM_NOT_READY"),
        (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
        (999, "CUDA_ERROR_UNKNOWN"),
        (12345, "CUDA_ERROR_12345"),
    ],
)
def test_every_code_has_its_name(
    live: Host, library: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    library("lib")
    monkeypatch.setenv("STUB_INIT", str(code))
    found = cuda.section(live, yes)
    assert (found["rc"], found["name"], found["count"], found["devices"]) == (code, name, None, [])
    assert found["stub"] is (code == 34)
    # the probe worked, whatever cuInit says
    assert live.probes.as_dict()["cuda"]["rc"] == code


def test_a_stub_is_known_by_its_folder(live: Host, library: Callable[[str], Path]) -> None:
    path = library("cuda/lib64/stubs")
    found = cuda.section(live, yes)
    assert (found["library"], found["stub"]) == (str(path), True)


def test_a_hang_is_a_timeout_and_the_library_is_still_named(
    live: Host, library: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library("lib")
    monkeypatch.setenv("STUB_HANG", "1")
    found = cuda.section(live, yes, timeout=1)
    assert (found["rc"], found["name"], found["count"]) == (None, None, None)
    assert (found["library"], found["driver_version"], found["stub"]) == (str(path), "13.2", False)
    assert live.probes.status("cuda") == "timeout"


def test_a_crash_is_a_failure_of_the_child_only(
    live: Host, library: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    library("lib")
    monkeypatch.setenv("STUB_CRASH", "1")
    assert cuda.section(live, yes)["rc"] is None
    assert live.probes.status("cuda") == "failed"


def test_a_file_that_is_no_library(live: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libcuda.so.1").write_text("SIMULATED\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert cuda.section(live, yes) == cuda.EMPTY
    probe = live.probes.as_dict()["cuda"]
    assert probe["status"] in ("failed", "missing")
    assert "libcuda.so.1" in (probe["error"] or "")


def test_not_asked_after_a_hang_nor_below_another_root(live: Host, host_of: Callable[[dict[str, str]], Host]) -> None:
    assert cuda.section(live, lambda: False) == cuda.EMPTY
    assert live.probes.status("cuda") == "missing"
    live.probes.record("topo_p2p", "timeout", "nvidia-smi topo -p2p r")
    assert cuda.section(live, yes) == cuda.EMPTY
    assert "did not return" in (live.probes.as_dict()["cuda"]["error"] or "")
    other = host_of({"/x": ""})
    assert cuda.section(other, yes) == cuda.EMPTY
    assert other.probes.status("cuda") == "missing"
