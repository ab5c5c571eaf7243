# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys open the door and passwords do not; what would lock us out is refused or put back; absent gives all back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import Machine
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
DIGEST = (PROJECT / "molecule" / "ssh_access" / "files" / "ssh_digest.sh").read_text()
DROP_IN = "/etc/ssh/sshd_config.d/00-gpuready.conf"
PASSWORD = "sandbox"
SHORT = 60  # lines: what a person reads
OWN_KEY = (PROJECT / ".sandbox" / "id_ed25519.pub").read_text().strip()


CONVERGED: dict[str, list[str]] = {}


@pytest.fixture
def machine(host: Host) -> Iterator[Machine]:
    """A host as the role leaves it. It is only run where a test has left something else."""
    found = Machine(host)
    if footprint(found) != CONVERGED.get(found.name):
        run = found.converge()
        assert run.rc == 0, run.output[-3000:]
        CONVERGED[found.name] = footprint(found)
    yield found
    found.inside("chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/authorized_keys")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key of another person."""
    path = tmp_path_factory.mktemp("keys") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@desk", "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def login(
    machine: Machine, *options: str, account: str = "ada", password: str = ""
) -> subprocess.CompletedProcess[str]:
    """A login of its own, without the connection that the tests share."""
    fixed = [
        "-F",
        ".sandbox/ssh_config",
        "-o",
        "ControlPath=none",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "IdentityAgent=none",
    ]
    argv = ["ssh", *fixed, *options, "-l", account, machine.name, "id -un"]
    ask = PROJECT / "molecule" / "ssh_access" / "files" / "askpass.sh"
    asked = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "SANDBOX_PASSWORD": password, "DISPLAY": ":0"}
    environment = {**os.environ, **(asked if password else {})}
    return subprocess.run(argv, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=30)


def by_password(machine: Machine) -> subprocess.CompletedProcess[str]:
    methods = "PreferredAuthentications=password,keyboard-interactive"
    return login(machine, "-o", methods, "-o", "PubkeyAuthentication=no", password=PASSWORD)


def effective(machine: Machine, account: str = "ada") -> dict[str, str]:
    text = machine.sh(f"sshd -T -C user={account},host=localhost,addr=127.0.0.1")
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def footprint(machine: Machine) -> list[str]:
    return str(machine.host.run("sh -c %s _ -", DIGEST).stdout).splitlines()


def in_force(lines: list[str]) -> list[str]:
    """All but the note of what was written last, which the guard does not know of."""
    return [line for line in lines if "/var/lib/gpuready" not in line]


def settled(machine: Machine, **variables: Any) -> None:
    """A run that ends well, and one more that has nothing to do."""
    wanted: tuple[list[str] | None, ...] = (None, [])
    for expected in wanted:
        run = machine.converge(**variables)
        assert run.rc == 0, run.output[-3000:]
        assert expected is None or run.changed == expected


def test_the_first_value_wins_over_cloud_inits(machine: Machine) -> None:
    assert machine.host.file("/etc/ssh/sshd_config.d/50-cloud-init.conf").contains("PasswordAuthentication yes")
    found = effective(machine)
    assert found["passwordauthentication"] == found["kbdinteractiveauthentication"] == "no"
    assert found["permitrootlogin"] in ("prohibit-password", "without-password")
    assert (found["clientaliveinterval"], found["clientalivecountmax"]) == ("60", "3")
    assert found["allowtcpforwarding"] == "local"


def test_a_key_opens_and_a_password_does_not(machine: Machine, key: Path) -> None:
    refused = by_password(machine)
    assert refused.returncode == 255 and "Permission denied (publickey)" in refused.stderr
    settled(machine, ssh_access_accounts=[{"name": "ada", "keys": [public(key)]}])
    opened = login(machine, "-o", f"IdentityFile={key}", "-o", "IdentitiesOnly=yes")
    assert (opened.returncode, opened.stdout.strip()) == (0, "ada"), opened.stderr
    assert login(machine, account="root").stdout.strip() == "root"
    keys = machine.host.file("/home/ada/.ssh/authorized_keys")
    assert (keys.user, keys.mode, keys.content_string) == ("ada", 0o600, public(key) + "\n")
    assert (machine.host.file("/home/ada/.ssh").user, machine.host.file("/home/ada/.ssh").mode) == ("ada", 0o700)


@pytest.mark.one_host
def test_the_playbook_does_the_same_in_few_lines(machine: Machine, key: Path) -> None:
    wanted = {"ssh_access_accounts": [{"name": "ada", "keys": [public(key)]}]}
    run = machine.play("playbooks/ssh_access.yml", **wanted)
    assert (run.rc, run.changed) == (0, ["Present | Let the keys in"]), run.output[-3000:]
    assert len(run.output.splitlines()) < SHORT and "gpu_host" not in run.output, run.output
    assert machine.sh("cat /home/ada/.ssh/authorized_keys") == public(key)
    again = machine.play("playbooks/ssh_access.yml", **wanted)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_the_open_session_survives_the_reload(machine: Machine) -> None:
    argv = ["ssh", "-F", ".sandbox/ssh_config", "-o", "ControlPath=none", machine.name, "sleep 8; echo still here"]
    session = subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    run = machine.converge(ssh_access_client_alive_interval=77)
    assert run.rc == 0 and "Present | Set up sshd" in run.changed, run.output[-3000:]
    assert effective(machine)["clientaliveinterval"] == "77"
    assert session.communicate(timeout=60)[0].strip() == "still here"
    assert machine.sh("systemctl is-active ssh") == "active"
    assert machine.rc("test -e /run/gpuready-sshd") == 1


@pytest.mark.one_host
@pytest.mark.parametrize(
    ("spoil", "settings", "said"),
    [
        ("", {"AllowUsers": "ada"}, "AllowUsers (ada) does not name root from"),
        ("", {"PermitRootLogin": "no"}, "PermitRootLogin is no"),
        ("", {"PubkeyAuthentication": "no"}, "PubkeyAuthentication is off"),
        ("", {"DenyGroups": "root"}, "DenyGroups names a group of root"),
        ("", {"AuthorizedKeysFile": "/nowhere/%u"}, "is not authorised for root"),
        ("", {"Port": [2222]}, "this session came through port 22"),
        ("", {"AuthenticationMethods": "publickey,password"}, "AuthenticationMethods asks for"),
        ("chmod 666 /root/.ssh/authorized_keys", {"MaxAuthTries": 5}, "may be written by others (mode 0666"),
        ("chmod 777 /root/.ssh", {"MaxAuthTries": 5}, "sshd passes over /root/.ssh/authorized_keys"),
        ("mv /root/.ssh/authorized_keys /root/.ssh/away", {"MaxAuthTries": 5}, "is not authorised for root"),
    ],
    ids=["allow", "root", "pubkey", "group", "keys-elsewhere", "port", "methods", "file-mode", "folder-mode", "no-key"],
)
def test_what_would_lock_us_out_is_refused(machine: Machine, spoil: str, settings: dict[str, Any], said: str) -> None:
    """Spoiled while the connection of the next call is open already, as it happens to a person."""
    machine.module("sshd_settings", state="confirmed")
    unchanged = footprint(machine)
    assert machine.inside(spoil or ":") == 0
    answer = machine.module("sshd_settings", settings=settings)
    machine.inside("cd /root/.ssh; [ ! -e away ] || mv away authorized_keys; chmod 700 .; chmod 600 authorized_keys")
    assert answer["failed"] and said in answer["msg"], answer
    assert "would lock out the account" in answer["msg"] or "this session came" in answer["msg"]
    assert footprint(machine) == unchanged
    assert login(machine, account="root").stdout.strip() == "root"


def test_the_host_puts_back_what_only_a_login_can_show(machine: Machine) -> None:
    """sshd takes these ciphers and clients do not: no check beforehand sees it."""
    unchanged = footprint(machine)
    run = machine.converge(ssh_access_more={"Ciphers": "3des-cbc"}, ssh_access_guard_seconds=45)
    assert run.rc != 0 and "the host has put the former ones back after 45 seconds" in run.sentence, run.output[-3000:]
    assert login(machine, account="root").stdout.strip() == "root"
    settled(machine)
    assert in_force(footprint(machine)) == in_force(unchanged)
    assert machine.rc("test -e /run/gpuready-sshd") == 1


@pytest.mark.one_host
def test_a_broken_drop_in_of_somebody_else_is_named(machine: Machine) -> None:
    path = "/etc/ssh/sshd_config.d/60-theirs.conf"
    machine.sh(f"echo 'PermitRootLogon no' > {path}")
    try:
        answer = machine.module("sshd_settings", settings={"MaxAuthTries": 5})
        assert answer["failed"] and f"broken already, before any change: {path}" in answer["msg"], answer
    finally:
        machine.sh(f"rm {path}")


@pytest.mark.one_host
@pytest.mark.parametrize(
    ("line", "path", "said"),
    [
        (
            "PasswordAuthentication yes",
            "/etc/ssh/sshd_config.d/00-first.conf",
            "00-first.conf:1 (PasswordAuthentication yes)",
        ),
        (
            "Match User root\\nPasswordAuthentication yes",
            "/etc/ssh/sshd_config.d/70-match.conf",
            "below Match User root",
        ),
    ],
    ids=["sorts-before", "match"],
)
def test_what_keeps_a_value_from_coming_in_force_is_named(machine: Machine, line: str, path: str, said: str) -> None:
    machine.sh(f"printf '{line}\\n' > {path}")
    try:
        answer = machine.module("sshd_settings", settings={"PasswordAuthentication": False})
        assert answer["failed"] and "PasswordAuthentication would stay yes" in answer["msg"] and said in answer["msg"]
    finally:
        machine.sh(f"rm {path}")


def test_a_main_file_without_include_is_said_or_mended(machine: Machine) -> None:
    assert machine.converge(ssh_access_state="absent").rc == 0
    machine.sh("cp -p /etc/ssh/sshd_config /var/tmp/main && sed -i '/^Include/d' /etc/ssh/sshd_config")
    before = footprint(machine)
    try:
        answer = machine.module("sshd_settings", settings={"MaxAuthTries": 5})
        assert (
            answer["failed"]
            and "reads no drop-ins; put the line `Include /etc/ssh/sshd_config.d/*.conf`" in answer["msg"]
        )
        settled(machine, ssh_access_include="add")
        assert effective(machine)["passwordauthentication"] == "no"
        assert machine.converge(ssh_access_state="absent").rc == 0
        assert footprint(machine) == before
    finally:
        machine.sh("cp -p /var/tmp/main /etc/ssh/sshd_config")


def test_a_second_port_is_listened_on(machine: Machine) -> None:
    settled(machine, ssh_access_ports=[22, 2222])
    assert {"22", "2222"} <= set(machine.sh("ss -Hltn | sed -n 's/.*:\\([0-9]*\\) .*/\\1/p'").split())
    settled(machine)
    assert machine.rc("ss -Hltn | grep -q ':2222 '") == 1


@pytest.mark.one_host
def test_a_taken_port_is_refused(machine: Machine) -> None:
    machine.sh("systemd-run --unit=taker --collect python3 -m http.server 2223; sleep 1")
    try:
        answer = machine.module("sshd_settings", settings={"Port": [22, 2223]})
        assert answer["failed"] and "another program listens on port 2223 already" in answer["msg"], answer
    finally:
        machine.sh("systemctl stop taker")


def test_a_socket_in_place_of_sshd_gets_the_port(machine: Machine) -> None:
    """As Ubuntu 22.10 and newer do: systemd listens, and sshd's own Port counts for nothing."""
    swap = "systemctl disable --now ssh.service; systemctl enable --now ssh.socket"
    assert machine.inside(swap) == 0
    before = footprint(machine)
    try:
        settled(machine, ssh_access_ports=[22, 2222])
        assert "2222" in machine.sh("systemctl show -p Listen ssh.socket")
        assert machine.sh("systemctl is-active ssh.socket") == "active"
        settled(machine)
        assert "2222" not in machine.sh("systemctl show -p Listen ssh.socket")
        assert footprint(machine) == before
    finally:
        # systemd may have lost sight of the daemon that its socket started, which would keep the port
        machine.inside(
            "systemctl disable --now ssh.socket; systemctl stop ssh.service; pkill -f '[s]shd -D .listener'; "
            "systemctl enable ssh.service; systemctl reset-failed ssh.service; systemctl restart ssh.service"
        )


@pytest.mark.one_host
def test_a_run_that_was_killed_is_put_back(machine: Machine) -> None:
    """Nobody logs in anew: the guard does it, or the next run before it does anything else."""
    before = footprint(machine)
    made = machine.module("sshd_settings", settings={"MaxAuthTries": "3"}, guard_seconds=600)
    assert made["guard"] and effective(machine)["maxauthtries"] == "3"
    run = machine.converge()
    assert run.rc == 0 and "were put back first" in run.output, run.output[-2000:]
    assert effective(machine)["maxauthtries"] == "6" and in_force(footprint(machine)) == in_force(before)
    assert machine.rc("systemctl is-active gpuready-sshd-guard.timer") != 0


@pytest.mark.one_host
def test_exclusive_spares_the_key_we_came_with(machine: Machine, key: Path) -> None:
    accounts = [{"name": "root", "keys": [public(key)], "exclusive": True}]
    run = machine.converge(ssh_access_accounts=accounts)
    assert run.rc == 0 and "root keeps the key that this run logged in with" in run.output, run.output[-2000:]
    keys = machine.sh("cat /root/.ssh/authorized_keys")
    assert OWN_KEY.split()[1] in keys and public(key) in keys
    assert machine.converge().rc == 0
    assert public(key) not in machine.sh("cat /root/.ssh/authorized_keys")


@pytest.mark.one_host
def test_exclusive_takes_strangers_out(machine: Machine, key: Path) -> None:
    machine.sh("install -d -o ada -g ada -m 700 /home/ada/.ssh")
    line = f'no-pty,command="echo a b" {OWN_KEY.rsplit(" ", 1)[0]} stranger'
    machine.inside(f"echo '{line}' > /home/ada/.ssh/authorized_keys; chown ada: /home/ada/.ssh/authorized_keys")
    before = footprint(machine)
    settled(machine, ssh_access_accounts=[{"name": "ada", "keys": [public(key)]}])
    assert machine.sh("cat /home/ada/.ssh/authorized_keys").splitlines() == [line, public(key)]
    settled(machine, ssh_access_accounts=[{"name": "ada", "keys": [public(key)], "exclusive": True}])
    assert machine.sh("cat /home/ada/.ssh/authorized_keys") == public(key)
    settled(machine)
    assert footprint(machine) == before
    machine.sh("rm -r /home/ada/.ssh")


@pytest.mark.one_host
@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({"name": "adda", "keys": []}, "there is no account adda on this host"),
        (
            {"name": "ada", "keys": ["ssh-ed25519 AAAAnonsense me"]},
            "key 1 of ada: 'ssh-ed25519 AAAAnonsense me' is not",
        ),
        ({"name": "ada", "keys": ["-----BEGIN OPENSSH PRIVATE KEY-----\nxyz"]}, "this is a private key"),
    ],
    ids=["account", "format", "private"],
)
def test_what_cannot_be_meant_is_said(machine: Machine, account: dict[str, Any], said: str) -> None:
    before = footprint(machine)
    answer = machine.module("ssh_authorized_keys", accounts=[account])
    assert answer["failed"] and said in answer["msg"] and "Nothing was changed" in answer["msg"], answer
    assert footprint(machine) == before


@pytest.mark.one_host
def test_a_new_key_and_a_new_account(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "id_new"
    accounts = [{"name": "grace", "create": True, "new_key": True}]
    settled(machine, ssh_access_accounts=accounts, ssh_access_new_key=str(path))
    assert (
        "ED25519" in subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True).stdout
    )
    assert path.stat().st_mode & 0o777 == 0o600
    opened = login(machine, "-o", f"IdentityFile={path}", "-o", "IdentitiesOnly=yes", account="grace")
    assert opened.stdout.strip() == "grace", opened.stderr
    kept = path.read_bytes()
    settled(machine, ssh_access_accounts=accounts, ssh_access_new_key=str(path))
    assert path.read_bytes() == kept
    machine.converge()
    machine.sh("userdel -r grace 2>/dev/null; :")


@pytest.mark.one_host
def test_a_match_block_of_others_is_noted(machine: Machine) -> None:
    path = "/etc/ssh/sshd_config.d/70-match.conf"
    machine.sh(f"printf 'Match User ada\\nPasswordAuthentication yes\\n' > {path}")
    try:
        run = machine.converge()
        assert (
            run.rc == 0 and f"{path}:2 sets passwordauthentication yes for those whom Match User ada fits" in run.output
        )
    finally:
        machine.sh(f"rm {path}")


def test_absent_gives_every_byte_back(machine: Machine, key: Path) -> None:
    settled(machine, ssh_access_accounts=[{"name": "ada", "keys": [public(key)]}], ssh_access_ports=[22])
    settled(machine, ssh_access_state="absent")
    before = machine.sh("cat /var/tmp/ssh-before").splitlines()
    assert [line for line in footprint(machine) if "/etc/passwd" not in line] == [
        line for line in before if "/etc/passwd" not in line
    ]
    assert by_password(machine).stdout.strip() == "ada"
