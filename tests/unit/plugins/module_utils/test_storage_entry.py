# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import Built, EntryError, build

DEFAULTS = {
    "name": "models",
    "options": [],
    "read_only": False,
    "automount": True,
    "timeout": 30,
    "requires": [],
    "user": "",
    "secret_key": "",
    "url": "",
    "filesystem": "",
}
NFS = {"type": "nfs", "source": "nas:/export/models", "path": "/data/models"}
CEPH = {"type": "cephfs", "source": "10.0.0.1,[fd00::2]:3300:/volumes/ml", "path": "/mnt/ml", "secret_key": "QUJD=="}
S3 = {
    "type": "s3",
    "source": "models:/v1",
    "path": "/mnt/s3",
    "url": "https://s3.example.org/",
    "user": "ACCESS",
    "secret_key": "SECRET",
}


def made(**mount: Any) -> Built:
    return build({**DEFAULTS, **mount})


def test_nfs() -> None:
    built = made(**NFS, read_only=True)
    network = "_netdev,nofail,x-systemd.automount,x-systemd.mount-timeout=30s"
    assert built.entry.line == f"nas:/export/models /data/models nfs ro,hard,noatime,{network} 0 0"
    assert built.endpoints == (("nas", 2049),)
    assert made(**NFS, options=["port=2050"]).endpoints == (("nas", 2050),)
    assert made(**{**NFS, "source": "[fd00::1]:/export"}).endpoints == (("fd00::1", 2049),)


def test_cephfs_keeps_its_key_off_the_line() -> None:
    built = made(**CEPH, user="ada")
    assert "QUJD" not in built.entry.line and "secretfile=/etc/gpuready/mounts/models.secret" in built.entry.options
    assert built.secret == ("/etc/gpuready/mounts/models.secret", "QUJD==\n")
    assert built.endpoints == (("10.0.0.1", 6789), ("fd00::2", 3300)) and "name=ada" in built.entry.options


def test_s3_keeps_its_key_off_the_line() -> None:
    built = made(**S3)
    assert "SECRET" not in built.entry.line and "ACCESS" not in built.entry.line
    assert built.secret == ("/etc/gpuready/mounts/models.passwd", "ACCESS:SECRET\n")
    assert built.endpoints == (("s3.example.org", 443),) and "url=https://s3.example.org" in built.entry.options


@pytest.mark.parametrize("mount", [NFS, CEPH, S3])
def test_no_boot_waits_for_the_network(mount: dict[str, Any]) -> None:
    options = made(**mount, requires=["wg-quick@lab.service"]).entry.options
    assert {"_netdev", "x-systemd.automount", "x-systemd.mount-timeout=30s"} <= set(options)
    # FUSE's helper of Debian 12 refuses the word
    assert ("nofail" in options) == (mount["type"] != "s3")
    assert "x-systemd.requires=wg-quick@lab.service" in options
    plain = made(**mount, automount=False, options=["fail"]).entry.options
    assert not {"x-systemd.automount", "nofail"} & set(plain)


def test_a_disk_and_a_folder() -> None:
    disk = made(type="disk", source="UUID=1234", path="/data").entry
    assert disk.line == "UUID=1234 /data ext4 rw,noatime,x-systemd.device-timeout=30s,nofail 0 2"
    bind = made(type="bind", source="/data/cache", path="/srv/cache").entry
    assert bind.line == "/data/cache /srv/cache none rw,bind,x-systemd.requires-mounts-for=/data/cache,nofail 0 0"


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({**NFS, "source": "nas"}, "is not SERVER:/EXPORT"),
        ({**NFS, "path": "/data/"}, "without a slash at its end"),
        ({**NFS, "path": "/data/../etc"}, "without . and .."),
        ({**NFS, "path": "/usr"}, "belongs to the system"),
        ({**NFS, "name": "My Models"}, "is not a name"),
        ({**NFS, "options": ["a,b"]}, "a blank or a comma"),
        ({**CEPH, "options": ["secret=x"]}, "readable for all"),
        ({**CEPH, "secret_key": ""}, "secret_key is missing"),
        ({**CEPH, "secret_key": "[client.ada]\n key = QUJD=="}, "is not the key alone"),
        ({**S3, "url": "https://me:pw@s3.example.org"}, "without a user name"),
        ({**S3, "source": "Models"}, "is not BUCKET"),
        ({**S3, "user": ""}, "the access key"),
        ({"type": "disk", "source": "/dev/sdb1", "path": "/data"}, "another disk at the next boot"),
        ({"type": "bind", "source": "data", "path": "/srv/x"}, "is not an absolute path"),
    ],
)
def test_what_cannot_be_meant_is_said(mount: dict[str, Any], said: str) -> None:
    with pytest.raises(EntryError, match=said):
        made(**mount)


def test_what_is_mounted_is_read() -> None:
    text = (
        "36 35 98:0 / /mnt\\040a rw,noatime master:1 - ext3 /dev/root rw\n"
        "37 36 0:50 / /data rw shared:2 - autofs systemd-1 rw\n"
        "38 37 0:51 /x /data rw - nfs4 nas:/export rw\n"
    )
    found = _storage_host.mountinfo(text)
    assert found["/mnt a"].device == "98:0"
    assert (found["/data"].type, found["/data"].source, found["/data"].root) == ("nfs4", "nas:/export", "/x")
