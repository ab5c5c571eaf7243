# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks, folders and buckets are mounted; of NFS and CephFS, which this kernel lacks, the entries are looked at."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import Machine
from testinfra.host import Host

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / ".collections"))
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _storage_entry

FSTAB = "/etc/fstab"
SHORT = 60  # lines: what a person reads
SECRET = "AQDsandboxSecretKeyOfCeph0123456789abcdef=="


@pytest.fixture
def machine(host: Host) -> Iterator[Machine]:
    found = Machine(host)
    clean(found)
    yield found
    clean(found)


def clean(machine: Machine) -> None:
    """Nothing of ours, whatever a failed test has left."""
    machine.inside(
        "for p in /data/mnt/* /data/models /srv/bound /data; do mountpoint -q $p && umount -l $p; done; "
        "cp -p /var/tmp/fstab-before /etc/fstab; "
        "rm -rf /etc/gpuready/mounts /var/lib/gpuready /data /srv/bound /usr/local/bin/gpuready-sync"
    )


def disk(machine: Machine, **more: Any) -> dict[str, Any]:
    uuid = machine.sh("blkid -o value -s UUID /dev/full-disk")
    return {"name": "disk", "type": "disk", "source": f"UUID={uuid}", "path": "/data", **more}


def nfs(**more: Any) -> dict[str, Any]:
    return {"name": "models", "type": "nfs", "source": "nas.example.org:/export/models", "path": "/data/models", **more}


def settled(machine: Machine, **variables: Any) -> None:
    wanted: tuple[list[str] | None, ...] = (None, [])
    for expected in wanted:
        run = machine.converge(**variables)
        assert run.rc == 0, run.output[-3000:]
        assert expected is None or run.changed == expected, run.output[-3000:]


def fstab(machine: Machine) -> str:
    return str(machine.host.file(FSTAB).content_string)


def before(machine: Machine) -> str:
    return str(machine.host.file("/var/tmp/fstab-before").content_string)


def test_a_disk_with_folders_and_a_bind(machine: Machine) -> None:
    mounts = [
        {"name": "bound", "type": "bind", "source": "/data/models", "path": "/srv/bound"},
        disk(machine),
    ]
    settled(
        machine, storage_mounts_list=mounts[1:], storage_mounts_layout="/data", storage_mounts_layout_owner="daemon"
    )
    assert machine.sh("findmnt -no FSTYPE /data") == "ext4"
    folders = machine.sh("ls -ld /data/models /data/data /data/cache /data/checkpoints").splitlines()
    assert [line.split()[2] for line in folders] == ["daemon"] * 4
    machine.sh("echo weights > /data/models/model.bin")
    settled(machine, storage_mounts_list=mounts, storage_mounts_layout="/data")
    assert machine.sh("cat /srv/bound/model.bin") == "weights"
    text = fstab(machine)
    assert text.startswith(before(machine)) and "nofail" in text and "x-systemd.device-timeout=30s" in text
    assert machine.rc("findmnt --verify --fstab") == 0, machine.host.run("findmnt --verify --fstab").stdout
    # at a boot: what is in fstab is enough
    machine.sh("umount /srv/bound /data && mount -a && mountpoint /data && mountpoint /srv/bound")
    run = machine.converge(storage_mounts_state="absent")
    assert run.rc == 0, run.output[-3000:]
    assert fstab(machine) == before(machine)
    assert machine.rc("mountpoint -q /data") == 1 and machine.rc("test -e /var/lib/gpuready") == 1
    assert (
        machine.sh("mount /dev/full-disk /mnt && cat /mnt/models/model.bin && rm -r /mnt/models && umount /mnt")
        == "weights"
    )


@pytest.mark.one_host
@pytest.mark.one_host
def test_the_playbook_mounts_and_takes_back(machine: Machine) -> None:
    run = machine.play("playbooks/storage_mounts.yml", storage_mounts_list=[disk(machine)])
    assert run.rc == 0 and machine.rc("mountpoint -q /data") == 0, run.output[-3000:]
    again = machine.play("playbooks/storage_mounts.yml", storage_mounts_list=[disk(machine)])
    assert (again.rc, again.changed) == (0, []) and len(again.output.splitlines()) < SHORT, again.output
    gone = machine.play("playbooks/storage_mounts.yml", storage_mounts_state="absent")
    assert gone.rc == 0 and fstab(machine) == before(machine), gone.output[-3000:]


def test_what_is_in_use_stays_mounted(machine: Machine) -> None:
    settled(machine, storage_mounts_list=[disk(machine)])
    machine.sh("systemd-run --unit=user --collect --working-directory=/data sleep 300")
    try:
        run = machine.converge(storage_mounts_state="absent")
        assert run.rc == 0 and "/data stays mounted as it is, because it is in use" in run.output, run.output[-3000:]
        assert machine.rc("mountpoint -q /data") == 0 and fstab(machine) == before(machine)
    finally:
        machine.sh("systemctl stop user")


@pytest.mark.one_host
def test_other_lines_written_meanwhile_stay(machine: Machine) -> None:
    settled(machine, storage_mounts_list=[disk(machine)])
    machine.sh(f"echo 'tmpfs /mnt/later tmpfs noauto 0 0' >> {FSTAB}")
    settled(machine, storage_mounts_list=[disk(machine, options=["noexec"])])
    assert "noexec" in machine.sh("findmnt -no OPTIONS /data")
    assert machine.converge(storage_mounts_state="absent").rc == 0
    assert fstab(machine) == before(machine) + "\ntmpfs /mnt/later tmpfs noauto 0 0\n"


@pytest.mark.one_host
def test_files_are_not_hidden(machine: Machine) -> None:
    machine.sh("mkdir -p /data && echo mine > /data/thesis.tex")
    run = machine.converge(storage_mounts_list=[disk(machine)])
    assert run.rc != 0 and "/data holds files (thesis.tex), which it would hide" in run.sentence, run.output[-2000:]
    assert fstab(machine) == before(machine) and machine.sh("cat /data/thesis.tex") == "mine"


def test_a_missing_server_is_one_sentence_after_seconds(machine: Machine) -> None:
    """192.0.2.1 is for documentation (RFC 5737): nobody answers. This kernel has no NFS, which is said first."""
    started = time.monotonic()
    run = machine.converge(storage_mounts_list=[nfs(source="192.0.2.1:/export")])
    assert run.rc != 0 and "mount models: the running kernel has no nfs file system" in run.sentence, run.output[-2000:]
    mount = {"name": "bucket", "type": "s3", "source": "models", "path": "/data", "user": "me", "secret_key": SECRET}
    machine.sh("ln -sf /bin/false /usr/local/bin/s3fs")
    late = machine.module("storage_mounts", mounts=[{**mount, "url": "http://192.0.2.1:9000"}])
    machine.sh("rm /usr/local/bin/s3fs")
    assert late["failed"] and ("192.0.2.1 does not answer on port 9000" in late["msg"]), late
    assert time.monotonic() - started < 90
    assert fstab(machine) == before(machine) and SECRET not in run.output
    assert machine.rc("test -e /etc/gpuready/mounts") == 1


@pytest.mark.one_host
@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({"source": "/dev/sdb1"}, "may be another disk at the next boot"),
        ({"source": "UUID=00000000-1111-2222-3333-444444444444"}, "there is no disk UUID=00000000"),
        ({"path": "/etc"}, "path /etc belongs to the system"),
        ({"options": ["secret=abc"]}, "would be readable for all"),
        ({"path": "/mnt/theirs"}, "line 2 of /etc/fstab is about the same path"),
        ({"source": "LABEL=new", "format": True, "device": "/dev/blank-disk"}, "only if may_format names disk, too"),
    ],
    ids=["unstable", "missing", "system", "secret", "taken", "format-once"],
)
def test_what_cannot_be_meant_is_said(machine: Machine, mount: dict[str, Any], said: str) -> None:
    answer = machine.module("storage_mounts", mounts=[{**disk(machine), **mount}])
    assert answer["failed"] and said in answer["msg"] and "Nothing was changed" in answer["msg"], answer
    assert fstab(machine) == before(machine)


@pytest.mark.one_host
def test_only_an_empty_disk_is_formatted_and_only_told_twice(machine: Machine) -> None:
    full = disk(machine, source="LABEL=new", format=True, device="/dev/full-disk")
    refused = machine.module("storage_mounts", mounts=[full], may_format=["disk"])
    assert refused["failed"] and "/dev/full-disk is not empty" in refused["msg"], refused
    machine.sh("wipefs -qa /dev/blank-disk")
    blank = {**full, "device": "/dev/blank-disk"}
    settled(machine, storage_mounts_list=[blank], storage_mounts_may_format=["disk"])
    assert machine.sh("findmnt -no FSTYPE /data; blkid -o value -s LABEL /dev/blank-disk").split() == ["ext4", "new"]


def test_network_entries_never_hold_up_a_boot(machine: Machine) -> None:
    """Written though nobody answers; systemd's own generator makes units of them that nothing waits for."""
    machine.sh(
        "install -m 755 /bin/false /usr/local/sbin/mount.nfs; install -m 755 /bin/false /usr/local/sbin/mount.ceph"
    )
    ceph = {
        "name": "shared",
        "type": "cephfs",
        "source": "192.0.2.1,192.0.2.2:/volumes/ml",
        "path": "/data/shared",
        "user": "ml",
        "secret_key": SECRET,
    }
    answer = machine.module("storage_mounts", mounts=[ceph, nfs(read_only=True)], on_unreachable="report")
    try:
        # this kernel knows neither: said at once, nothing written
        assert answer["failed"] and "the running kernel has no" in answer["msg"], answer
        lines = [entry(**ceph), entry(**nfs(read_only=True))]
        assert SECRET not in lines[0] and "secretfile=/etc/gpuready/mounts/shared.secret" in lines[0]
        script = "mkdir -p /var/tmp/units /data/shared /data/models; printf '%s\\n' \"$@\" > /var/tmp/fstab"
        assert machine.host.run("sh -c %s _ %s %s", script, *lines).rc == 0
        checked = machine.host.run("findmnt --verify --tab-file /var/tmp/fstab")
        assert "0 parse errors, 0 errors" in checked.stderr, checked.stdout
        units = generated(machine)
        for name in ("data-models", "data-shared"):
            assert f"{name}.automount" in units and f"remote-fs.target.wants/{name}.automount" in units
            assert "requires/" + name not in units
        assert "TimeoutSec=30s" in machine.sh("cat /var/tmp/units/data-models.mount")
    finally:
        machine.sh("rm -rf /usr/local/sbin/mount.nfs /usr/local/sbin/mount.ceph /var/tmp/units /var/tmp/fstab")


def entry(**mount: Any) -> str:
    """The line that the module writes for a mount: its own code, without the kernel in between."""
    defaults = {"options": [], "read_only": False, "automount": True, "timeout": 30, "requires": [], "secret_key": ""}
    line: str = _storage_entry.build({**defaults, "user": "", "url": "", **mount}).entry.line
    return line


def generated(machine: Machine) -> str:
    """Units that systemd's generator makes of the entries."""
    generator = "/usr/lib/systemd/system-generators/systemd-fstab-generator"
    machine.sh(f"SYSTEMD_FSTAB=/var/tmp/fstab {generator} /var/tmp/units /var/tmp/units /var/tmp/units")
    return machine.sh("cd /var/tmp/units && find . -type f -o -type l")


def test_a_bucket_through_s3fs(machine: Machine) -> None:
    """The real s3fs of the distribution, and a stand-in for the service."""
    machine.sh("systemd-run -q --unit=s3 --collect python3 /usr/local/lib/sandbox/s3.py 9000 ACCESS")
    mount = {"name": "bucket", "type": "s3", "source": "models", "path": "/data/bucket", "url": "http://127.0.0.1:9000"}
    mount = {**mount, "user": "ACCESS", "secret_key": SECRET}
    try:
        settled(machine, storage_mounts_list=[mount])
        machine.sh("echo weights > /data/bucket/model.bin")
        assert machine.sh("cat /data/bucket/model.bin") == "weights"
        assert SECRET not in machine.sh("ps -ef") + fstab(machine)
        assert machine.host.file("/etc/gpuready/mounts/bucket.passwd").mode == 0o600
        run = machine.converge(storage_mounts_list=[{**mount, "secret_key": "another"}])
        assert run.rc == 0 and "another" not in run.output
        assert machine.converge(storage_mounts_state="absent").rc == 0
        assert machine.rc("mountpoint -q /data/bucket") == 1 and machine.rc("test -e /etc/gpuready/mounts") == 1
        assert fstab(machine) == before(machine)
    finally:
        machine.inside("umount -l /data/bucket; systemctl stop s3")


@pytest.mark.one_host
def test_too_little_room_is_said_or_fails(machine: Machine) -> None:
    mounts = [disk(machine)]
    run = machine.converge(storage_mounts_list=mounts, storage_mounts_layout="/data")
    assert run.rc == 0 and "The file system of /data" in run.output and "30.0 GB are planned" in run.output
    run = machine.converge(storage_mounts_list=mounts, storage_mounts_layout="/data", storage_mounts_on_shortage="fail")
    assert run.rc != 0 and "the file system of /data" in run.sentence, run.output[-2000:]
    machine.sh("dd if=/dev/zero of=/data/data/set bs=1M count=20 status=none")
    budget = [{"path": "/data/data", "gb": 0.05}]
    settled(machine, storage_mounts_list=mounts, storage_mounts_budget=budget, storage_mounts_on_shortage="fail")
    machine.sh("rm -r /data/*")


@pytest.mark.one_host
def test_models_are_copied(machine: Machine) -> None:
    settled(machine, storage_mounts_sync=True)
    machine.sh("mkdir -p /data/one/blobs && echo weights > /data/one/blobs/a && ln -s blobs/a /data/one/latest")
    machine.sh("gpuready-sync /data/one/ /data/two/")
    assert machine.sh("cat /data/two/latest && readlink /data/two/latest").split() == ["weights", "blobs/a"]
    machine.sh("touch /data/two/extra && gpuready-sync /data/one/ /data/two/ && test -e /data/two/extra")
    machine.sh("gpuready-sync --mirror /data/one/ /data/two/ && ! test -e /data/two/extra")
    assert "there is no /data/none here" in machine.host.run("gpuready-sync /data/none /data/two").stderr
    # a target of one megabyte, so that a helper that does not look fills nothing else
    machine.sh("mkdir -p /data/small && mount -t tmpfs -o size=1m tmpfs /data/small && truncate -s 3M /data/one/huge")
    full = machine.host.run("gpuready-sync /data/one/ /data/small/")
    machine.sh("umount /data/small")
    assert full.rc == 2 and "make room first" in full.stderr, full.stderr
    assert machine.converge(storage_mounts_state="absent").rc == 0
    assert machine.rc("test -e /usr/local/bin/gpuready-sync") == 1
