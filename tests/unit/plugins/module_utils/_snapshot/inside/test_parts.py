# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the probe that runs inside containers, on folders made for it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import (
    access,
    envs,
    limits,
    passwords,
    places,
    tools,
)

# made by `openssl passwd -6|-1 -salt abcdefgh`
KNOWN = "$6$abcdefgh$cOHsmzgUbzdSty8Tba0hjHl7UzbBBZbCiaTjKzaSrYXRdZVBS8KEc36rqqq2DlYnO0NcruY6oIlqhgk20ZyAz/"
PRIVATE = "$6$abcdefgh$BA2/zYiznLZ7E9OgunYg6bgpr5Y8KwEVL7/t29VCcjr5nHq4TSM/AkXb7Ks/JdMe7XekP6EvhyICXzF/Bgdh0/"
OWN_NAME = "$1$abcdefgh$XrwYR186Y7UVyptatg6Kw."


def put(root: Path, path: str, text: str = "") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionError("x"), "denied"),
        (FileNotFoundError("x"), "missing"),
        (subprocess.TimeoutExpired("x", 5), "timeout"),
        (OSError("x"), "failed"),
        (ValueError("hunter2"), "unparsable"),
        (KeyError("hunter2"), "failed"),
    ],
)
def test_what_goes_wrong_is_typed_and_holds_no_values(error: Exception, status: str) -> None:
    def call() -> None:
        raise error

    errors: dict[str, list[str]] = {}
    assert tools.attempt(errors, "part", call) is None
    assert errors["part"][0] == status
    assert "hunter2" not in errors["part"][1]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://me:pw@host/simple?token=x#y", "https://***@host/simple"),
        ("https://me:p/w@x@host/simple", "https://***@host/simple"),
        ("https://host/simple/", "https://host/simple/"),
        ("https://conda.example.org/t/ab-12/main", "https://conda.example.org/t/***/main"),
        ("conda-forge", "conda-forge"),
    ],
)
def test_urls_lose_what_may_be_secret(url: str, masked: str) -> None:
    assert tools.mask_url(url) == masked


def test_a_program_that_hangs() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        tools.run_program(["sleep", "5"], 0.1)


def test_passwords_of_tutorials(tmp_path: Path) -> None:
    lines = [f"root:{KNOWN}:1:0", f"alice:{OWN_NAME}:1", f"bob:{PRIVATE}:1", "dev:!:1", "www:*:1", "empty::1", "noise"]
    shadow = put(tmp_path, "shadow", "\n".join(lines))
    assert passwords.known_passwords(str(shadow)) == ["alice", "root"]
    assert passwords.known_passwords(str(put(tmp_path, "none", "dev:!:1\nroot:*:1\n"))) == []


def test_passwords_that_cannot_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="kind of hash"):
        passwords.known_passwords(str(put(tmp_path, "odd", "root:$zz$unknown$x:1")))
    monkeypatch.setattr(passwords, "_CRYPT_SECONDS", -1)
    with pytest.raises(OSError, match="in time"):
        passwords.known_passwords(str(put(tmp_path, "late", f"bob:{PRIVATE}:1")))
    with pytest.raises(FileNotFoundError):
        passwords.known_passwords(str(tmp_path / "gone"))


def test_environments(tmp_path: Path) -> None:
    home = tmp_path / "home"
    cuda = "__version__ = '2.9.0+cu130'\ncuda: Optional[str] = '13.0'\n"
    put(home, ".venv/pyvenv.cfg", "home = /usr/bin\nimplementation = CPython\nuv = 0.13.9\nversion_info = 3.12.3\n")
    put(home, ".venv/lib/python3.12/site-packages/torch/version.py", cuda)
    put(home, "project/.venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.9\n")
    put(home, "miniconda3/conda-meta/python-3.12.2-h_0_cpython.json")
    put(home, "miniconda3/envs/llm/conda-meta/python-3.10.14-h_0.json")
    put(home, "miniconda3/envs/llm/conda-meta/pytorch-2.5.1-cpu_generic_py310_h1_0.json")
    put(home, "miniconda3/envs/llm/lib/python3.10/site-packages/torch/version.py", "cuda = None\n")
    put(home, "miniconda3/envs/llm/lib/python3.10/site-packages/torch-2.5.1.dist-info/METADATA")
    put(home, "elsewhere/conda-meta/python-3.9.1-h_0.json")
    put(home, ".conda/environments.txt", f"{home}/elsewhere\n{home}/miniconda3/envs/llm\n{home}/gone\n")
    found = {item["path"]: item for item in envs.find_envs({"VIRTUAL_ENV": f"{home}/.venv"}, str(home))}
    # several ways lead to the same one
    names = [path.replace(str(home), "~") for path in found if path.startswith(str(home))]
    assert names == ["~/.venv", "~/elsewhere", "~/miniconda3", "~/miniconda3/envs/llm", "~/project/.venv"]
    assert found[f"{home}/.venv"] == {
        "path": f"{home}/.venv",
        "manager": "uv",
        "python": "3.12.3",
        "torch": {"version": "2.9.0+cu130", "cuda": "13.0", "archs": None, "conda_build": None},
    }
    llm = found[f"{home}/miniconda3/envs/llm"]
    assert (llm["manager"], llm["python"]) == ("conda", "3.10.14")
    assert llm["torch"]["version"] == "2.5.1"
    assert llm["torch"]["conda_build"] == "cpu_generic_py310_h1_0"
    assert (found[f"{home}/project/.venv"]["manager"], found[f"{home}/project/.venv"]["torch"]) == ("venv", None)


def test_torch_is_read_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "torch/__init__.py", "raise SystemExit('imported')\n")
    put(tmp_path, "torch/version.py", "__version__ = '2.9.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n")
    put(tmp_path, "jupyterlab-4.5.0.dist-info/METADATA")
    put(tmp_path, "torch-2.9.0+cu130.dist-info/METADATA")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = envs.own_python()
    assert found["torch"] == {"version": "2.9.0+cu130", "cuda": "13.0"}
    assert found["packages"] == {"jupyterlab": "4.5.0", "torch": "2.9.0+cu130"}


def library(tmp_path: Path, folder: str, version: str) -> str:
    put(tmp_path, f"{folder}/libcuda.so.{version}")
    (tmp_path / folder / "libcuda.so.1").symlink_to(f"libcuda.so.{version}")
    return str(tmp_path / folder)


def test_libcuda_as_the_loader_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compat = library(tmp_path, "cuda/compat", "580.95.05")
    real = library(tmp_path, "lib", "550.163.01")
    monkeypatch.setattr(limits, "_LIB_DIRS", (real,))
    monkeypatch.setattr(limits, "_cached_libraries", lambda: [f"{compat}/libcuda.so.1", f"{real}/libcuda.so.1"])
    assert limits.libcuda({"LD_LIBRARY_PATH": "/none:relative"}) == {
        "path": f"{compat}/libcuda.so.1",
        "version": "580.95.05",
        "stub": False,
        "compat": True,
        "copies": [f"{compat}/libcuda.so.1", f"{real}/libcuda.so.1"],
    }
    stubs = tmp_path / "cuda/lib64/stubs"
    put(stubs, "libcuda.so.1")
    found = limits.libcuda({"LD_LIBRARY_PATH": f"/none:{stubs}"})
    assert (found["path"], found["version"], found["stub"], len(found["copies"])) == (
        f"{stubs}/libcuda.so.1",
        None,
        True,
        3,
    )


def test_no_libcuda_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_LIB_DIRS", ())
    monkeypatch.setattr(limits, "_cached_libraries", list)
    found = limits.libcuda({})
    assert found == {"path": None, "version": None, "stub": None, "compat": None, "copies": []}


def test_the_cache_of_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """3 libs found in cache `/etc/ld.so.cache'
\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1
\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1
\tlibcuda.so (libc6,x86-64) => /usr/local/cuda/lib64/stubs/libcuda.so
"""
    monkeypatch.setattr(limits, "run_program", lambda *_arguments: (0, text, ""))
    monkeypatch.setattr(limits, "program", lambda *_arguments: "/sbin/ldconfig")
    assert limits._cached_libraries() == ["/usr/lib/x86_64-linux-gnu/libcuda.so.1"]


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({"cpu.max": "max 100000\n", "memory.max": "max\n"}, None, None),
        ({"cpu.max": "650000 100000\n", "memory.max": str(8 << 30)}, 6.5, 8192),
        (
            {
                "cpu/cpu.cfs_quota_us": "400000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": str(4 << 30),
            },
            4.0,
            4096,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            None,
            None,
        ),
        ({}, None, None),
    ],
)
def test_limits_of_the_control_group(
    tmp_path: Path, files: dict[str, str], cpus: float | None, memory: int | None
) -> None:
    for path, text in files.items():
        put(tmp_path, path, text)
    found = limits.cgroup_limits(str(tmp_path))
    assert (found["cpus"], found["memory_mib"]) == (cpus, memory)
    assert found["nproc"] == len(os.sched_getaffinity(0))


def test_the_version_of_the_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert limits.cuda_image({"CUDA_VERSION": "12.8.1"}) == {"version": "12.8.1", "require": None}
    document = put(tmp_path, "version.json", '{"cuda": {"name": "CUDA SDK", "version": "13.0.20250717"}}')
    monkeypatch.setattr(limits.glob, "glob", lambda _pattern: [str(document)])
    assert limits.cuda_image({"NVIDIA_REQUIRE_CUDA": "cuda>=13.0 brand=tesla"}) == {
        "version": "13.0.20250717",
        "require": "cuda>=13.0 brand=tesla",
    }


MOUNTS = """1 0 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/x
2 1 0:51 / /proc rw - proc proc rw
3 1 0:52 / /dev/shm rw - tmpfs shm rw
4 1 259:2 /v/_data /home/dev rw,relatime - ext4 /dev/nvme0n1p2 rw
5 1 0:60 /share /data\\040sets ro,relatime - nfs4 nas:/share rw,vers=4.2
6 1 0:61 / /mnt/pool rw,relatime shared:1 - zfs tank ro
7 1 0:62 / /scratch rw - tmpfs tmpfs rw
8 1 0:63 / /home/dev rw - xfs /dev/sdb1 rw
9 1 0:64 broken
"""


def test_the_table_of_mounts() -> None:
    table = {item["path"]: item for item in places.mount_table(MOUNTS)}
    assert table["/data sets"] == {"path": "/data sets", "source": "nas:/share", "type": "nfs4", "rw": False}
    assert table["/mnt/pool"]["rw"] is False
    # the later mount hides the earlier one
    assert table["/home/dev"]["source"] == "/dev/sdb1"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/home/dev", True), ("/home/dev/x", True), ("/home/developer", False), ("/opt", False), ("/scratch/a", False)],
)
def test_what_outlives_the_container(path: str, expected: bool) -> None:
    assert places.on_volume(path, places.mount_table(MOUNTS)) is expected


def test_places_where_work_and_caches_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_mounts_now", lambda: places.mount_table(MOUNTS))
    monkeypatch.setattr(places, "_WORK_DIRS", ("/home/dev/none",))
    found = places.persistent({"HF_HOME": "/data/hf"}, "/home/dev")
    assert found == {"/home/dev": True, "/data/hf": False, "/home/dev/.cache/pip": True}


def test_a_look_at_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shut, file = tmp_path / "shut", put(tmp_path, "file")
    shut.mkdir()
    table = [
        {"path": str(path), "source": "x", "type": "ext4", "rw": True} for path in (tmp_path, file, tmp_path / "gone")
    ]
    monkeypatch.setattr(places, "_mounts_now", lambda: table)
    monkeypatch.setattr(places, "_SYSTEM", places.re.compile("/nothing"))
    found = {item["path"]: item for item in places.work_mounts()}
    assert list(found) == [str(tmp_path), str(tmp_path / "gone")]
    assert found[str(tmp_path)]["writable"] is True
    assert found[str(tmp_path)]["free_mib"] > 0
    gone = found[str(tmp_path / "gone")]
    assert (gone["writable"], gone["free_mib"], gone["error"]) == (None, None, "No such file or directory")


def test_a_place_that_hangs_does_not_hang_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(path: str) -> dict[str, Any]:
        if path == "/hangs":
            time.sleep(2)
        return {"writable": True, "free_mib": 1, "error": None}

    monkeypatch.setattr(places, "_look_once", look)
    monkeypatch.setattr(places, "PLACE_SECONDS", 0.5)
    began = time.monotonic()
    hangs, good = places._look_at(["/hangs", "/good"])
    assert time.monotonic() - began < 1.5
    assert (hangs["writable"], good["writable"]) == (None, True)
    assert "no answer" in hangs["error"]


def test_keys_are_counted(tmp_path: Path) -> None:
    put(tmp_path, ".ssh/authorized_keys", "# mine\nssh-ed25519 AAAA a\n\nssh-rsa AAAA b\n")
    put(tmp_path, "keys/dev", "ssh-ed25519 AAAA c\n")
    assert access._key_count({}, "dev", str(tmp_path)) == 2
    settings = {"authorizedkeysfile": [f"{tmp_path}/keys/%u", "%h/none", "none"]}
    assert access._key_count(settings, "dev", str(tmp_path)) == 1
    assert access._key_count({"authorizedkeysfile": [str(tmp_path)]}, "dev", str(tmp_path)) is None


@pytest.mark.parametrize(
    ("age", "volume", "created", "expected"),
    [(-3600, False, 0.0, True), (5, False, 0.0, False), (-3600, True, 0.0, False), (-3600, False, None, None)],
)
def test_host_keys_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, volume: bool, created: float | None, expected: Any
) -> None:
    now = time.time()
    key = put(tmp_path, "ssh_host_ed25519_key")
    os.utime(key, (now + age, now + age))
    monkeypatch.setattr(access, "on_volume", lambda _path: volume)
    monkeypatch.setattr(access.os.path, "exists", lambda _path: False)
    made = None if created is None else now
    assert access._host_keys_shared([str(key), str(tmp_path / "gone")], made) is expected


def test_sshd_of_another_user_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = put(tmp_path, "sshd_config", "PermitRootLogin yes\nSetEnv TOKEN=hunter2\n")
    sshd = {"program": "/bin/false", "config": str(config), "uid": 12345}
    monkeypatch.setattr(access, "find_sshd", lambda: sshd)
    found = access.sshd_view(None, [("dev", str(tmp_path))])
    assert found is not None
    assert (found["asked"], found["error"], found["permit_root_login"]) == (False, None, "yes")
    assert found["login"] == {"setenv": ["TOKEN=hunter2"], "pam": False}
    sshd["uid"] = os.geteuid()
    found = access.sshd_view(None, [])
    assert found is not None and (found["asked"], found["error"]) == (False, "sshd -T ended with 1")


TITLE = "sshd: /usr/sbin/sshd -D -e -f /etc/devenv/sshd_config [listener] 0 of 10-100 startups"


@pytest.mark.parametrize(
    ("line", "config"),
    [
        (TITLE, "/etc/devenv/sshd_config"),
        ("/usr/sbin/sshd\0-D", "/etc/ssh/sshd_config"),
        ("/usr/sbin/sshd\0-f\0/etc/x\0", "/etc/x"),
    ],
)
def test_the_running_sshd_is_found(monkeypatch: pytest.MonkeyPatch, line: str, config: str) -> None:
    files = {
        # a process of a container within this one
        "/proc/7/comm": "sshd",
        "/proc/7/status": "Name:\tsshd\nUid:\t0\t0\t0\t0\nNSpid:\t7\t1\n",
        "/proc/7/cmdline": "/usr/sbin/sshd\0-f\0/etc/foreign",
        "/proc/30/comm": "sshd",
        "/proc/30/status": "Name:\tsshd\nUid:\t1000\t1000\t1000\t1000\nNSpid:\t30\n",
        "/proc/30/cmdline": line,
        "/proc/4/comm": "bash",
    }
    monkeypatch.setattr(access, "folder_names", lambda _path: ["30", "4", "7", "self"])
    monkeypatch.setattr(access, "text_or_none", files.get)
    assert access.find_sshd() == {"program": "/usr/sbin/sshd", "config": config, "uid": 1000}
