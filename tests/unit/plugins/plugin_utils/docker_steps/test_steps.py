# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role docker_engine decides, on machines of all kinds."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_steps import configuration
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_steps.steps import steps

INPUTS: dict[str, Any] = {
    "source": "auto",
    "plugins": ["compose", "buildx"],
    "version": "",
    "hold": True,
    "repo_url": "https://download.docker.com/linux",
    "repo_key_url": "",
    "repo_fingerprints": [],
    "users": [],
    "rootless_users": [],
    "live_restore": True,
    "log_driver": "json-file",
    "log_max_size": "20m",
    "log_max_file": 3,
    "data_root": "",
    "containerd_root": "",
    "address_pools": [],
    "registry_mirrors": [],
    "proxies": {},
    "daemon_settings": {},
    "on_running_containers": "refuse",
    "restart": "now",
}
SYSTEMS = {
    "debian13": {"id": "debian", "version": "13", "codename": "trixie", "family": "debian", "name": "Debian 13"},
    "debian12": {"id": "debian", "version": "12", "codename": "bookworm", "family": "debian", "name": "Debian 12"},
    "ubuntu": {"id": "ubuntu", "version": "24.04", "codename": "noble", "family": "debian", "name": "Ubuntu 24.04"},
    "rhel": {"id": "rhel", "version": "9.6", "codename": None, "family": "rhel", "name": "RHEL 9", "machine": "x86_64"},
    "rocky": {
        "id": "rocky",
        "version": "10.1",
        "codename": None,
        "family": "rhel",
        "name": "Rocky",
        "machine": "aarch64",
    },
    "arch": {"id": "arch", "version": None, "codename": None, "family": "arch", "name": "Arch"},
}
CE = {
    "docker-ce": "5:28.5.1-1~debian.13~trixie",
    "docker-ce-cli": "5:28.5.1-1~debian.13~trixie",
    "containerd.io": "1.7.28-1~debian.13~trixie",
    "docker-buildx-plugin": "0.29.1-1~debian.13~trixie",
    "docker-compose-plugin": "2.40.2-1~debian.13~trixie",
}
IO = {
    "docker.io": "26.1.5+dfsg1-9",
    "docker-cli": "26.1.5+dfsg1-9",
    "docker-compose": "2.26.1-4",
    "docker-buildx": "0.13.1",
}


def machine(system: str, installed: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
    return {
        "os": SYSTEMS[system],
        "packages": {
            "installed": installed or {},
            "sources": [],
            "holds": [],
            "snaps": None,
            **parts.pop("packages", {}),
        },
        "docker": {"present": bool(installed), "containers": [], **parts.pop("docker", {})},
        "files": {},
        "services": {},
        "daemon_json": {"present": False, "valid": None, "data": {}},
        **parts,
    }


def decide(facts: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return steps(facts, {**INPUTS, **inputs})


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("debian13", "https://download.docker.com/linux/debian/dists/trixie/InRelease"),
        ("ubuntu", "https://download.docker.com/linux/ubuntu/dists/noble/InRelease"),
        ("rhel", "https://download.docker.com/linux/rhel/9/x86_64/stable/repodata/repomd.xml"),
        ("rocky", "https://download.docker.com/linux/centos/10/aarch64/stable/repodata/repomd.xml"),
    ],
)
def test_a_bare_machine_gets_dockers_own_engine(system: str, expected: str) -> None:
    found = decide(machine(system))
    assert found["refusal"] == "" and found["source"] == "docker" and not found["adopted"] and found["todo"]
    assert found["asks"]["url"] == expected and not found["sources_right"]
    assert found["specs"] == [
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
        "docker-compose-plugin",
        "docker-buildx-plugin",
    ]


def test_the_keys_are_pinned_and_can_be_replaced() -> None:
    assert decide(machine("ubuntu"))["repository"]["fingerprints"][0].startswith("9DC85822")
    rpm = decide(machine("rhel"))["repository"]
    assert rpm["fingerprints"][0].endswith("621E9F35") and rpm["key_url"].endswith("/linux/rhel/gpg")
    own = decide(machine("rhel"), repo_url="http://m/linux/", repo_key_url="http://m/k", repo_fingerprints=["AB"])
    assert own["repository"]["fingerprints"] == ["AB"] and own["repository"]["key_url"] == "http://m/k"
    assert own["repository"]["baseurl"] == ["http://m/linux/rhel/9/$basearch/stable"]


@pytest.mark.parametrize(
    ("system", "installed", "source"),
    [
        ("debian13", CE, "docker"),
        ("debian13", IO, "distribution"),
        ("debian12", {"docker.io": "20.10.24+dfsg1-1"}, "distribution"),
        ("ubuntu", {"moby-engine": "27.1"}, "as_is"),
    ],
)
def test_an_engine_that_is_there_is_kept(system: str, installed: dict[str, str], source: str) -> None:
    found = decide(machine(system, installed), hold=False)
    assert found["refusal"] == "" and found["adopted"] and found["source"] == source
    assert not any(name in installed for name in found["specs"]) or found["packages_right"]
    assert [name for name in installed if name not in found["packages"]] == (
        [] if source != "as_is" else ["moby-engine"]
    )


def test_what_an_adopted_engine_lacks_is_said_and_not_refused() -> None:
    assert "compose" in decide(machine("debian12", {"docker.io": "20.10.24+dfsg1-1"}))["note"]
    assert decide(machine("debian12", {"docker.io": "20.10.24+dfsg1-1"}), plugins=[])["note"] == ""


@pytest.mark.parametrize(
    ("facts", "inputs", "words"),
    [
        (machine("debian13", docker={"snap": True}), {}, ["snap", "snap remove docker"]),
        (machine("ubuntu", packages={"snaps": ["core", "docker"]}), {}, ["snap"]),
        (machine("ubuntu", docker={"root_dir": "/var/snap/docker/common/x"}), {}, ["snap"]),
        (machine("ubuntu", docker={"desktop": True}), {}, ["Docker Desktop"]),
        (machine("ubuntu", {"docker-desktop": "4.1"}), {}, ["Docker Desktop"]),
        (machine("arch"), {}, ["Arch", "neither"]),
        (machine("rhel"), {"source": "distribution"}, ["RHEL 9", "no Docker Engine"]),
        (machine("debian12"), {"source": "distribution"}, ["Debian 12", "compose, buildx", "docker_engine_plugins"]),
        (machine("debian13", IO), {"source": "docker"}, ["docker.io", "docker_engine_source"]),
        (machine("debian13", CE), {"source": "distribution"}, ["containerd.io", "docker-ce"]),
        (
            machine("debian13", {"containerd": "1.7", "runc": "1.1"}, docker={"present": False}),
            {},
            ["containerd, runc", "removes none"],
        ),
        (machine("rhel", {"podman-docker": "5.4"}, docker={"present": False}), {}, ["podman-docker"]),
        (machine("ubuntu"), {"address_pools": [{"base": "10.0.0.0/16", "size": 8}]}, ["address_pools", "10.0.0.0/16"]),
        (machine("ubuntu"), {"address_pools": [{"base": "10.0.0.1/16", "size": 24}]}, ["address_pools"]),
        (machine("ubuntu"), {"proxies": {"ftp": "x"}}, ["ftp"]),
        (machine("ubuntu"), {"proxies": {"http": "http://me:P/secret@h:1"}}, ["docker_engine_proxies", "***@h:1"]),
        (machine("ubuntu"), {"proxies": {"http": "http://me:P@secret@h:1"}}, ["docker_engine_proxies", "***@h:1"]),
        (machine("ubuntu"), {"proxies": {"https": "me:secret@h:1"}}, ["docker_engine_proxies", "***@h:1"]),
        (machine("ubuntu"), {"registry_mirrors": ["https://u:secret@m/v2/x"]}, ["registry_mirrors"]),
        (machine("ubuntu"), {"version": "newest"}, ["newest"]),
        (machine("ubuntu"), {"data_root": "srv"}, ["docker_engine_data_root"]),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(facts: Any, inputs: dict[str, Any], words: list[str]) -> None:
    found = decide(facts, **inputs)
    assert found["todo"] and all(word in found["refusal"] for word in words), found["refusal"]
    assert "secret" not in found["refusal"]
    chinese = steps(facts, {**INPUTS, **inputs}, "zh")["refusal"]
    assert chinese != found["refusal"]
    assert found["refusal"].endswith(". Nothing was changed.") and chinese.endswith("。未作任何更改。")


def test_missing_facts_refuse_nothing() -> None:
    found = steps({"os": SYSTEMS["ubuntu"]}, INPUTS)
    assert found["refusal"] == "" and found["specs"][0] == "docker-ce"


def test_a_compose_plugin_that_somebody_has_put_there_will_do() -> None:
    facts = machine("debian12", docker={"compose_version": "2.29.0"})
    assert decide(facts, source="distribution", plugins=["compose"])["refusal"] == ""


def test_version_1_of_compose_is_in_nobodys_way() -> None:
    assert decide(machine("debian12", {"docker-compose": "1.29.2-3"}, docker={"present": False}))["refusal"] == ""


@pytest.mark.parametrize(
    ("system", "source", "version", "specs"),
    [
        ("debian13", "docker", "28.5.1", ["docker-ce=5:28.5.1-*", "docker-ce-cli=5:28.5.1-*", "containerd.io"]),
        ("debian13", "docker", "5:28.5.1-1~x", ["docker-ce=5:28.5.1-1~x", "docker-ce-cli=5:28.5.1-1~x"]),
        ("debian13", "distribution", "26.1.5", ["docker.io=26.1.5[!0-9.]*", "docker-cli=26.1.5[!0-9.]*"]),
        ("rhel", "docker", "28.5.1", ["docker-ce-28.5.1-*", "docker-ce-cli-28.5.1-*", "containerd.io"]),
    ],
)
def test_a_version_is_asked_for_by_its_pattern(system: str, source: str, version: str, specs: list[str]) -> None:
    found = decide(machine(system), source=source, version=version)
    assert found["specs"][: len(specs)] == specs and not found["packages_right"]


def test_another_version_waits_for_running_containers() -> None:
    running = [{"name": "job", "state": "running"}, {"name": "old", "state": "exited"}]
    facts = machine("debian13", CE, docker={"containers": running, "live_restore": False})
    assert "1 running containers (job)" in decide(facts, version="28.5.2")["refusal"]
    assert decide(facts, version="28.5.1")["refusal"] == ""
    assert decide(facts, version="28.5.2", on_running_containers="proceed")["refusal"] == ""
    facts["docker"]["live_restore"] = True
    assert decide(facts, version="28.5.2")["refusal"] == "" and decide(facts, version="28.5.2")["changes_version"]
    assert "(job)" in decide(facts, version="28.5.2", live_restore=False)["refusal"], "the new daemon would stop it"


def test_another_version_waits_for_an_engine_that_gives_no_answer() -> None:
    silent = {"present": True, "reachable": False, "error": "/run/docker.sock: timed out", "containers": []}
    facts = machine("debian13", CE, docker=silent, services={"docker.service": {"active": "active"}})
    found = decide(facts, version="28.5.2")
    assert "cannot be asked for its containers (/run/docker.sock: timed out)" in found["refusal"]
    assert found["unread"] and not decide(facts, version="28.5.1")["refusal"]
    assert decide(facts, version="28.5.2", on_running_containers="proceed")["refusal"] == ""
    facts["services"]["docker.service"]["active"] = "failed"
    assert decide(facts, version="28.5.2")["refusal"] == "" and not decide(facts)["unread"]


def test_another_version_waits_for_containers_that_outlived_the_daemon() -> None:
    """The package would start its daemon, and end them, before anybody asks."""
    down = {"present": True, "reachable": False, "error": "down", "containers": [], "orphans": ["job", "web"]}
    facts = machine("debian13", CE, docker=down, services={"docker.service": {"active": "inactive"}})
    wish = {"version": "28.5.2", "live_restore": False}
    refusal = decide(facts, **wish)["refusal"]
    assert "2 containers that outlived the daemon (job, web)" in refusal and refusal.endswith("Nothing was changed.")
    assert "job、web" in (chinese := steps(facts, {**INPUTS, **wish}, "zh")["refusal"]) and "守护进程" in chinese
    assert decide(facts, version="28.5.2")["refusal"] == "", "the daemon that starts leaves them alone"
    assert decide(facts, version="28.5.1", live_restore=False)["refusal"] == "", "docker_restart asks"
    assert decide(facts, **wish, on_running_containers="proceed")["refusal"] == ""
    gone = machine("debian13", {"containerd.io": CE["containerd.io"]}, docker={**down, "present": False})
    assert "(job, web)" in decide(gone, live_restore=False)["refusal"], "what is installed is started"


def test_somebody_elses_entry_of_dockers_repository_is_enough_once_the_engine_is_there() -> None:
    other = {
        "file": "/etc/apt/sources.list.d/docker.list",
        "enabled": True,
        "uris": ["https://m.example.org/docker-ce/linux/debian"],
    }
    assert decide(machine("debian13", CE, packages={"sources": [other]}))["sources_right"]
    assert not decide(machine("debian13", {}, packages={"sources": [other]}))["sources_right"]
    assert not decide(machine("debian13", CE))["sources_right"]


def settled(facts: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """The machine as the role leaves it."""
    found = decide(facts, **inputs)
    for one in [*found["hold_files"], *found["proxy_files"]]:
        facts["files"][one["path"]] = {
            "sha256": hashlib.sha256(one["content"].encode()).hexdigest(),
            "mode": one["mode"],
        }
    facts["files"]["/etc/docker/daemon.json"] = {"stamp": found["settings_stamp"]}
    facts["daemon_json"] = {"present": True, "valid": True, "data": configuration.masked(found["settings"])}
    facts["services"] = {"docker.service": {"load": "loaded", "active": "active", "enabled": "enabled"}}
    return facts


def test_a_machine_that_is_right_is_left_alone_and_each_part_is_looked_at() -> None:
    inputs = {"source": "distribution", "proxies": {"http": "http://me:hush@proxy:3128"}}
    facts = settled(machine("debian13", IO), **inputs)
    assert not decide(facts, **inputs)["todo"]
    assert decide({**facts, "services": {}}, **inputs)["todo"]
    assert decide({**facts, "files": {}}, **inputs)["todo"]
    assert decide({**facts, "daemon_json": {"valid": True, "data": {"debug": True}}}, **inputs)["todo"]
    assert decide({**facts, "docker": {**facts["docker"], "restart_pending": True}}, **inputs)["todo"]
    assert not decide({**facts, "docker": {**facts["docker"], "restart_pending": True}}, **inputs, restart="later")[
        "todo"
    ]
    # the facts show no password; that another one is wished is seen all the same
    assert decide(facts, source="distribution", proxies={"http": "http://me:other@proxy:3128"})["todo"]
    assert decide(facts, **inputs, hold=False)["todo"]
    assert decide(facts, **inputs, users=["ada"])["todo"]
    before = {**facts, "files": {**facts["files"], "/var/lib/gpuready/docker-users.json": {}}}
    found = decide(before, **inputs)
    assert found["todo"] and found["users_due"], "accounts that nobody wishes any more are taken out"


def test_settings_follow_the_inputs() -> None:
    found = decide(
        machine("ubuntu"),
        data_root="/srv/docker",
        address_pools=[{"base": "10.200.0.0/16", "size": "24"}],
        registry_mirrors=["https://m.example.org"],
        proxies={"https": "http://p:1", "no_proxy": "localhost"},
        daemon_settings={"mtu": 1400, "log-opts": {"compress": "true"}},
    )["settings"]
    assert found == {
        "live-restore": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "20m", "max-file": "3", "compress": "true"},
        "data-root": "/srv/docker",
        "default-address-pools": [{"base": "10.200.0.0/16", "size": 24}],
        "registry-mirrors": ["https://m.example.org"],
        "proxies": {"https-proxy": "http://p:1", "no-proxy": "localhost"},
        "mtu": 1400,
    }


def test_no_other_log_driver_gets_options_that_it_does_not_know() -> None:
    journal = decide(machine("ubuntu"), daemon_settings={"log-driver": "journald"})["settings"]
    assert journal == {"live-restore": True, "log-driver": "journald"}
    assert decide(machine("ubuntu"), log_driver="")["settings"] == {"live-restore": True}


def test_an_old_daemon_gets_its_proxies_by_a_drop_in_that_only_root_reads() -> None:
    inputs = {"source": "distribution", "plugins": [], "proxies": {"http": "http://me:a%20%22b@p:1", "no_proxy": "x"}}
    found = decide(machine("debian12"), **inputs)
    assert "proxies" not in found["settings"]
    assert found["watched"] == [configuration.PROXY, configuration.PROXY_VARIABLES]
    variables, drop_in = found["proxy_files"]
    assert (variables["mode"], drop_in["mode"]) == ("0600", "0644")
    assert variables["content"].splitlines()[1:] == ['HTTP_PROXY="http://me:a%20%22b@p:1"', 'NO_PROXY="x"']
    # everybody may ask systemd for what a drop-in says
    assert f"EnvironmentFile={variables['path']}\n" in drop_in["content"] and "me:" not in drop_in["content"]
    assert decide(machine("debian13"), **inputs)["proxy_files"] == []


def test_dnf_locks_what_is_installed() -> None:
    installed = {"docker-ce": "3:28.5.1-1.el9", "docker-ce-cli": "1:28.5.1-1.el9", "containerd.io": "0:1.7.28-1.el9"}
    found = decide(machine("rhel", installed), plugins=[])
    assert found["locks"].splitlines() == [
        "containerd.io-0:1.7.28-1.el9.*",
        "docker-ce-3:28.5.1-1.el9.*",
        "docker-ce-cli-1:28.5.1-1.el9.*",
    ]
    assert not found["hold_right"] and found["packages_right"] and found["hold_files"] == []
    held = machine("rhel", installed, packages={"holds": list(installed)})
    assert decide(held, plugins=[])["hold_right"] and not decide(held, plugins=[], hold=False)["hold_right"]


@pytest.mark.parametrize(
    ("wanted", "there", "right"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "x": 0}, True),
        ({"a": {"b": 1}}, {"a": [1]}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {"b": 1}, True),
        ({"a": None}, {"a": 1}, False),
        ({"a": ["http://u:p@h"]}, {"a": ["http://***@h"]}, True),
        ({"a": "x"}, {}, False),
    ],
)
def test_whether_a_file_holds_the_settings(wanted: Any, there: Any, right: bool) -> None:
    assert configuration.held(wanted, there) is right


def test_an_engine_without_root_is_asked_for_with_its_packages() -> None:
    inputs = {"source": "distribution"}
    facts = settled(machine("debian13", IO), **inputs)
    wished = decide(facts, **inputs, rootless_users=["ada"])
    assert wished["rootless_due"] and not wished["packages_right"]
    assert {"rootlesskit", "uidmap", "slirp4netns", "dbus-user-session"} < set(wished["specs"])
    before = {**facts, "files": {**facts["files"], "/var/lib/gpuready/docker-rootless.json": {}}}
    found = decide(before, **inputs)
    assert found["todo"] and found["rootless_due"] and found["packages_right"], "taken away where nobody wishes it"
    assert not decide(facts, **inputs)["rootless_due"]
