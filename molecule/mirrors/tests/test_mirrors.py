# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and pip take packages from the named addresses; entries of others are untouched; absent gives every byte back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from mirror_lab import Lab
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
MIRROR = "http://127.0.0.1:8098/debian"
INDEX = "http://127.0.0.1:8101/simple"


def mirrors(host: Host, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role on one host, as the scenario does."""
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    argv = ["ansible-playbook", "-i", "molecule/inventory", "molecule/shared/converge.yml", "-l", name, *extra]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done


def uris(host: Host) -> set[str]:
    """The archives that apt asks, by its own account."""
    listed = host.check_output("apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages'")
    return {uri.rstrip("/") for uri in listed.splitlines()}


def test_apt_asks_the_mirror_and_gets_an_answer(host: Host) -> None:
    assert uris(host) == {MIRROR}
    assert host.run("apt-get -o APT::Update::Error-Mode=any update").rc == 0
    assert "302" in host.check_output("journalctl -u sandbox-mirror --no-pager | tail -n 20")


def test_the_signature_is_still_checked(host: Host) -> None:
    sources = host.check_output("find /etc/apt/sources.list* -type f -exec cat {} +")
    assert MIRROR in sources
    assert "trusted" not in sources.lower()


def test_pip_asks_the_index(host: Host) -> None:
    assert f"index-url = {INDEX}" in host.file("/etc/pip.conf").content_string
    assert host.file("/etc/pip.conf").mode == 0o644


def test_absent_gives_every_byte_back(host: Host) -> None:
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    image = subprocess.run(
        ["docker", "inspect", "-f", "{{.Config.Image}}", name], capture_output=True, text=True, check=True
    ).stdout.strip()
    command = "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null; ls /etc/pip.conf 2>/dev/null; :"
    argv = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", command]
    fresh = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    mirrors(host)
    mirrors(host, "-e", "mirrors_state=absent")
    assert host.check_output(command) == fresh.strip()
    mirrors(host)
    assert uris(host) == {MIRROR}


def test_a_second_run_executes_one_task(lab: Lab, tmp_path: Path) -> None:
    """On the road the facts are there when the role begins."""
    play = {
        "hosts": "mirrors",
        "gather_facts": False,
        "become": True,
        "tasks": [
            {"gpuready.bootstrap.gpu_facts": {}},
            {"ansible.builtin.import_role": {"name": "gpuready.bootstrap.mirrors", "rolespec_validate": False}},
        ],
    }
    (tmp_path / "road.yml").write_text(yaml.safe_dump([play]))
    run = lab.play(str(tmp_path / "road.yml"))
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    assert run.executed == 2, f"the facts, and one task of the role: {run.output[-3000:]}"


def test_a_third_party_source_and_a_key_of_the_user_survive(host: Host) -> None:
    third = "deb [arch=amd64] http://third.example.invalid/debian stable main\n"
    host.check_output(f"printf '%s' '{third}' > /etc/apt/sources.list.d/third.list")
    edits = "s#^index-url.*#index-url = http://other.example.invalid/simple#; $a timeout = 99"
    host.check_output(f"sed -i '{edits}' /etc/pip.conf")
    try:
        assert "changed=1" in mirrors(host).stdout
        assert host.check_output("cat /etc/apt/sources.list.d/third.list") == third.strip()
        config = host.file("/etc/pip.conf").content_string
        assert "timeout = 99" in config and f"index-url = {INDEX}" in config
    finally:
        host.check_output("rm /etc/apt/sources.list.d/third.list; sed -i '/^timeout/d' /etc/pip.conf")
