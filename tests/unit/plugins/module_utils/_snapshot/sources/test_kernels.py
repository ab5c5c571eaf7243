# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed kernels, their NVIDIA modules, compilers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import os_compiler, version_key
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import kernels
from hypothesis import given
from hypothesis import strategies as st

MakeHost = Callable[[dict[str, Any]], Host]
NAME = "6.8.0-87-generic"
BASE = f"/lib/modules/{NAME}"


def only(host: Host) -> dict[str, Any]:
    (kernel,) = kernels.installed(host, None)
    return kernel


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({f"/boot/vmlinuz-{NAME}": "", f"/boot/initrd.img-{NAME}": ""}, (True, True, False)),
        ({f"/boot/vmlinuz-{NAME}": "", f"/boot/initramfs-{NAME}.img": ""}, (True, True, False)),
        ({f"{BASE}/build/Makefile": ""}, (False, False, True)),
        ({f"{BASE}/build/other": ""}, (False, False, False)),
        (
            {
                "/etc/machine-id": "0" * 32 + "\n",
                f"/boot/efi/{'0' * 32}/{NAME}/linux": "",
                f"/boot/efi/{'0' * 32}/{NAME}/initrd": "",
            },
            (True, True, False),
        ),
        # RHEL's copy beside the modules is not what boots
        ({f"{BASE}/vmlinuz": ""}, (False, False, False)),
    ],
)
def test_what_a_kernel_boots_with(host_of: MakeHost, files: dict[str, Any], expected: tuple[bool, bool, bool]) -> None:
    kernel = only(host_of({f"{BASE}/kernel/x": "", **files}))
    assert (kernel["vmlinuz"], kernel["initramfs"], kernel["headers"]) == expected
    assert kernel["nvidia"] is None


@pytest.mark.parametrize(
    ("path", "version", "flavour"),
    [
        ("updates/dkms/nvidia.ko.zst", "580.95.05", None),
        ("updates/dkms/nvidia.ko", "580.95.05", None),
        ("updates/dkms/nvidia-current.ko.xz", "580.95.05", None),
        ("updates/dkms/nvidia-current-open.ko", "580.95.05", "open"),
        ("updates/dkms/nvidia-tesla-535.ko", "580.95.05", None),
        ("extra/nvidia.ko.xz", "580.95.05", None),
        ("extra/nvidia/nvidia.ko.xz", "580.95.05", None),
        ("extra/drivers/video/nvidia/nvidia.ko.xz", "580.95.05", None),
        ("weak-updates/nvidia/nvidia.ko", None, None),
        ("kernel/nvidia-580srv-open/nvidia.ko.zst", None, "open"),
        ("kernel/nvidia-535srv/nvidia.ko", None, "proprietary"),
        ("kernel/drivers/video/nvidia.ko", None, None),
        ("kernel/drivers/char/drm/nvidia.ko", "-", None),
        ("updates/dkms/nvidia-uvm.ko.zst", "-", None),
        ("updates/dkms/nvidia-current-drm.ko", "-", None),
        ("kernel/drivers/video/nvidiafb.ko.zst", "-", None),
        ("kernel/drivers/net/nvidia.ko.txt", "-", None),
    ],
)
def test_where_the_module_is_found(host_of: MakeHost, path: str, version: str | None, flavour: str | None) -> None:
    host = host_of(
        {
            f"/boot/vmlinuz-{NAME}": "",
            f"{BASE}/{path}": "",
            f"/var/lib/dkms/nvidia/580.95.05/{NAME}/x86_64/log/make.log": "",
            "/var/lib/dkms/nvidia/590.1.1/6.9.0/x": "",
            f"/var/lib/dkms/nvidia-fs/999.1/{NAME}/x": "",
        }
    )
    found = only(host)["nvidia"]
    if version == "-":
        assert found is None
    else:
        assert found == {"path": f"{BASE}/{path}", "version": version, "flavour": flavour, "signer": None}


def test_the_newest_is_by_number_and_can_be_booted(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/boot/vmlinuz-6.8.0-9-generic": "",
            "/boot/vmlinuz-6.8.0-87-generic": "",
            "/lib/modules/6.8.0-9-generic/kernel/x": "",
            "/lib/modules/6.8.0-87-generic/kernel/x": "",
            "/lib/modules/6.11.0-1-generic/kernel/x": "",
        }
    )
    assert kernels.newest(kernels.installed(host, None)) == "6.8.0-87-generic"
    assert kernels.newest([]) is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.1.0-9-amd64", "6.1.0-10-amd64"),
        ("5.14.0-503.el9", "5.14.0-503.1.el9"),
        ("6.12~rc1-amd64", "6.12-amd64"),
        ("6.1.0-rc1", "6.1.0-1"),
        ("4.18.0-553.el8", "5.14.0-1.el9"),
        ("6.1", "6.1.0-1"),
    ],
)
def test_order(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


@given(st.text(), st.text())
def test_any_two_names_can_be_ordered(one: str, other: str) -> None:
    assert (version_key(one) < version_key(other)) != (version_key(one) >= version_key(other))


MODINFO = (
    b"filename:       /x/nvidia.ko.zst\nversion:        580.95.05\nsupported:      external\n"
    b"license:        %s\nsig_id:         PKCS#7\nsigner:         DKMS module signing key\n"
)


def live(tmp_path: Path, answer: tuple[int, bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[Host, list[str]]:
    calls: list[str] = []

    def run(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        calls.append(argv[-1])
        return answer

    root = tmp_path / "root"
    for name in ("6.1.0-1", "6.1.0-2", "6.1.0-3"):
        for path in (f"boot/vmlinuz-{name}", f"lib/modules/{name}/updates/dkms/nvidia.ko"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("")
    (tmp_path / "modinfo").write_text("")
    (tmp_path / "modinfo").chmod(0o755)
    host = Host(str(root), Runner(run, 5, search=[str(tmp_path)]))
    monkeypatch.setattr(host, "live", True)
    monkeypatch.setattr(host, "path", lambda path: str(root) + path)
    return host, calls


@pytest.mark.parametrize(("licence", "flavour"), [(b"Dual MIT/GPL", "open"), (b"NVIDIA", "proprietary")])
def test_modinfo_is_asked_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, licence: bytes, flavour: str
) -> None:
    host, calls = live(tmp_path, (0, MODINFO % licence, b""), monkeypatch)
    found = {kernel["release"]: kernel["nvidia"] for kernel in kernels.installed(host, "6.1.0-1")}
    assert sorted(calls) == [f"/lib/modules/6.1.0-{number}/updates/dkms/nvidia.ko" for number in (1, 3)]
    assert found["6.1.0-2"]["version"] is None
    assert {key: found["6.1.0-3"][key] for key in ("version", "flavour", "signer")} == {
        "version": "580.95.05",
        "flavour": flavour,
        "signer": "DKMS module signing key",
    }


def test_a_modinfo_that_fails_leaves_what_the_names_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, _calls = live(tmp_path, (1, b"", b"modinfo: ERROR\n"), monkeypatch)
    assert {kernel["nvidia"]["version"] for kernel in kernels.installed(host, "6.1.0-1")} == {None}
    assert host.probes.status("modinfo") == "failed"


@given(st.text())
def test_no_text_makes_modinfo_raise(text: str) -> None:
    kernels.modinfo(text)


@pytest.mark.parametrize(
    ("text", "name", "major"),
    [
        (
            "Linux version 6.8.0-87-generic (b@x) (x86_64-linux-gnu-gcc-13 (Ubuntu 13.3.0-6) 13.3.0, GNU ld)",
            "gcc",
            13,
        ),
        ("Linux version 6.12.48 (d@d) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (x) 2.44)", "gcc", 14),
        (
            "Linux version 5.14.0-570.el9 (m@x) (gcc (GCC) 11.5.0 20240719 (Red Hat 11.5.0-5), GNU ld version 2.35)",
            "gcc",
            11,
        ),
        (
            "Linux version 6.1.0 (x@y) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40)",
            "gcc",
            12,
        ),
        ("Linux version 6.6.1 (x@y) (clang version 17.0.6, LLD 17.0.6) #1 SMP", "clang", 17),
        ("Linux version 6.6.1 (x@y) (Ubuntu clang version 18.1.3 (1ubuntu1), LLD 18) #1", "clang", 18),
    ],
)
def test_the_compiler_of_the_kernel(text: str, name: str, major: int) -> None:
    assert os_compiler(text) == {"name": name, "major": major}


def test_an_unknown_compiler() -> None:
    assert os_compiler("Linux version 6 (x@y)") is None


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    os_compiler(text)
    os_compiler(f"gcc {text}")


def test_compilers(host_of: MakeHost) -> None:
    host = host_of(
        {f"/usr/bin/{name}": "" for name in ("gcc", "gcc-13", "cc", "clang-18", "gcc-ar", "gcc-nm-13", "ccache")}
    )
    assert kernels.compilers(host) == ["cc", "clang-18", "gcc", "gcc-13"]


def test_the_compiler_of_rhel_has_no_number_in_its_name(host_of: MakeHost) -> None:
    host = host_of({"/usr/bin/gcc": "", "/usr/libexec/gcc/x86_64-redhat-linux/11/cc1": ""})
    assert kernels.compilers(host) == ["gcc", "gcc-11"]
