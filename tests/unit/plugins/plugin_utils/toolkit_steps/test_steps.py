# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.filter.toolkit_input_error import toolkit_input_error
from ansible_collections.gpuready.bootstrap.plugins.filter.toolkit_set import toolkit_set
from ansible_collections.gpuready.bootstrap.plugins.filter.toolkit_steps import toolkit_steps
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.toolkit_steps import engines, sources, steps

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
BASE = "https://nvidia.github.io/libnvidia-container"
INPUTS: dict[str, Any] = {
    "version": "1.20.0-1",
    "allow_vulnerable": False,
    "channel": "stable",
    "repo_url": "",
    "repo_base_url": BASE,
    "repo_key_url": "",
    "repo_fingerprints": ["C95B321B61E88C1809C4F759DDCAE044F796ECB0"],
    "leftovers": "report",
    "engines": ["auto"],
    "config": {},
}


def snapshot(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text())
    return found


def wrote(facts: dict[str, Any], path: str, content: str | None = None, stamp: str | None = None) -> None:
    digest = hashlib.sha256((content or "x").encode()).hexdigest()
    facts["files"][path] = {"sha256": digest, "size": 1, "mode": "0644", "uid": 0, "gid": 0}
    if content is None:
        facts["files"][path].update({"as_written": True, "stamp": stamp})


def done(inputs: dict[str, Any], manager: str = "apt") -> dict[str, Any]:
    """A machine on which all that is wished is so."""
    facts = snapshot("sandbox_ready")
    facts["packages"]["manager"] = manager
    facts["packages"]["holds"] = sources.packages()
    version = steps.versions.full(str(inputs["version"]))
    facts["packages"]["installed"].update(dict.fromkeys(sources.packages(), version))
    facts["packages"]["sources"] = []
    facts["files"] = {}
    for source in sources.wanted(manager, version, inputs):
        for number, path in enumerate(sources._files(source["name"], manager)):
            wrote(facts, path, stamp=None if number else source["stamp"])
    for file in engines.order_files(["docker"], version):
        wrote(facts, file["path"], file["content"])
    facts["daemon_json"] = {"present": True, "valid": True, "error": None, "data": {**steps.SETTINGS, "mtu": 1400}}
    facts["docker"].update(present=True, reachable=True, runtimes={"nvidia": "x", "runc": "runc"}, containers=[])
    units = {"active": "active", "enabled": "enabled", "load": "loaded", "sub": "waiting"}
    facts["services"].update({name: dict(units) for name in ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service")})
    facts["driver"]["module"] = {"loaded": True, "version": "580.159.03", "flavour": "open"}
    facts["cdi"]["specs"] = [spec(engines.SPEC)]
    return facts


def spec(path: str, version: str | None = "580.159.03", missing: list[str] | None = None) -> dict[str, Any]:
    return {"path": path, "kind": "nvidia.com/gpu", "missing_paths": missing or [], "driver_version": version}


def ask(facts: dict[str, Any], language: str = "en", **inputs: Any) -> dict[str, Any]:
    before = copy.deepcopy(facts)
    found = toolkit_steps(facts, {**INPUTS, **inputs}, language)
    assert facts == before, "the facts are only read"
    json.dumps(found)
    return found


@pytest.mark.parametrize("manager", ["apt", "dnf"])
@pytest.mark.parametrize("channel", ["stable", "experimental"])
def test_a_machine_that_is_right_needs_nothing(manager: str, channel: str) -> None:
    inputs = {**INPUTS, "channel": channel}
    found = ask(done(inputs, manager), channel=channel)
    assert not found["todo"], {name: value for name, value in found.items() if value is False}


@pytest.mark.parametrize("name", ["bare_host", "ready_host", "many_faults", "version_mismatch", "sandbox_ready"])
def test_any_snapshot_gives_an_answer(name: str) -> None:
    found = ask(snapshot(name))
    assert found["manager"] in ("apt", "dnf") and isinstance(found["todo"], bool)


BREAKS: list[tuple[str, Any, str]] = [
    ("packages.installed.libnvidia-container1", "1.19.1-1", "packages_right"),
    ("packages.broken", ["nvidia-container-toolkit"], "packages_right"),
    ("services.nvidia-cdi-refresh.path", None, "refresh_right"),
    ("services.nvidia-cdi-refresh.service", {"enabled": "disabled"}, "refresh_right"),
    ("cdi.specs", [], "cdi_right"),
    ("cdi.specs", [spec(engines.SPEC, "570.1")], "cdi_right"),
    ("cdi.specs", [spec(engines.SPEC, None, ["/dev/nvidia7"])], "cdi_right"),
    ("cdi.specs", [spec(engines.SPEC, "570.1"), spec("/etc/cdi/nvidia.yaml")], "cdi_right"),
    ("daemon_json", {"present": False, "valid": None, "data": {}}, "settings_right"),
    ("daemon_json", {"present": True, "valid": False, "data": {}}, "settings_right"),
    (
        "daemon_json",
        {"present": True, "valid": True, "data": {"runtimes": {"nvidia": {"path": "/x"}}}},
        "settings_right",
    ),
]


@pytest.mark.parametrize(("where", "value", "condition"), BREAKS)
def test_what_is_wrong_is_seen(where: str, value: Any, condition: str) -> None:
    facts = done(INPUTS)
    section, _dot, rest = where.partition(".")
    if section == "daemon_json":
        facts[section] = value
    elif section == "packages" and rest.startswith("installed"):
        facts[section]["installed"][rest.partition(".")[2]] = value
    else:
        facts[section][rest] = value
    found = ask(facts)
    assert found[condition] is False and found["todo"]
    others = [name for name in steps._RIGHT if name != condition and not found[name]]
    assert others == []


@pytest.mark.parametrize("path", [*sources._files(sources.NAME, "apt"), engines.DOCKER_ORDER, engines.REFRESH_ORDER])
@pytest.mark.parametrize("how", ["gone", "edited", "mode"])
def test_files_of_ours(path: str, how: str) -> None:
    facts = done(INPUTS)
    if how == "gone":
        del facts["files"][path]
    elif how == "mode":
        facts["files"][path]["mode"] = "0600"
    else:
        facts["files"][path].update({"sha256": "0", "as_written": False})
    assert ask(facts)["todo"]


def test_two_specifications_are_right_when_the_one_that_counts_is_fresh() -> None:
    facts = done(INPUTS)
    facts["cdi"]["specs"].append(spec("/etc/cdi/nvidia.yaml", "570.1"))
    assert ask(facts)["cdi_right"]
    facts["cdi"]["specs"] = [spec("/etc/cdi/mine.json"), {**spec("/etc/cdi/nic.json"), "kind": "x/y"}]
    assert ask(facts)["cdi_right"]
    facts["driver"]["module"]["loaded"] = False
    facts["cdi"]["specs"] = []
    assert ask(facts)["cdi_right"], "without a driver there is nothing to be fresh against"


def test_the_daemon_that_does_not_know_its_file() -> None:
    facts = done(INPUTS)
    facts["docker"]["runtimes"] = {"runc": "runc"}
    assert ask(facts)["reload"] and ask(facts)["todo"]
    facts["docker"]["reachable"] = False
    assert not ask(facts)["reload"]


def test_a_restart_that_would_stop_containers() -> None:
    facts = done(INPUTS)
    facts["docker"].update(live_restore=False, containers=[{"state": "exited"}])
    assert ask(facts)["restart_harmless"]
    facts["docker"]["containers"].append({"state": "running"})
    assert not ask(facts)["restart_harmless"]
    facts["docker"]["live_restore"] = True
    assert not ask(facts)["restart_harmless"], "the daemon that starts would shut them down"
    facts["daemon_json"] = {"present": True, "valid": True, "data": {"live-restore": True}}
    assert ask(facts)["restart_harmless"]
    facts["docker"]["live_restore"] = False
    assert not ask(facts)["restart_harmless"]


def test_an_engine_that_gives_no_answer_is_not_taken_for_an_idle_one() -> None:
    facts = done(INPUTS)
    facts["docker"].update(present=True, reachable=False, error="timed out", containers=[], live_restore=None)
    facts["services"]["docker.service"] = {"active": "active"}
    assert not ask(facts)["restart_harmless"]
    facts["services"]["docker.service"] = {"active": "inactive"}
    assert ask(facts)["restart_harmless"]


def test_repositories() -> None:
    facts = done(INPUTS)
    assert ask(facts)["sources"][0]["uris"] == [f"{BASE}/stable/deb/$(ARCH)"]
    both = ask(facts, channel="experimental", repo_base_url="https://mirrors.example.org/x/")["sources"]
    assert [one["uris"] for one in both] == [
        [f"https://mirrors.example.org/x/{channel}/deb/$(ARCH)" for channel in ("stable", "experimental")]
    ]
    assert both[0]["key_url"] == "https://mirrors.example.org/x/gpgkey"
    own = ask(facts, channel="experimental", repo_url="file:/srv/x", repo_key_url="file:/srv/key")["sources"]
    assert [(one["uris"], one["key_url"]) for one in own] == [(["file:/srv/x"], "file:/srv/key")]
    facts["packages"]["manager"] = "dnf"
    two = ask(facts, channel="experimental")["sources"]
    assert [one["uris"] for one in two] == [
        [f"{BASE}/{channel}/rpm/$basearch"] for channel in ("stable", "experimental")
    ]
    assert len({one["name"] for one in two}) == 2


def test_a_channel_that_is_left_again() -> None:
    facts = done({**INPUTS, "channel": "experimental"}, "dnf")
    assert ask(facts)["stale_sources"] == ["nvidia-container-toolkit-experimental"] and ask(facts)["todo"]
    assert not ask(done({**INPUTS, "channel": "experimental"}))["sources_right"], "apt: another stamp"


@pytest.mark.parametrize(
    ("manager", "end"), [("apt", "stable/deb/$(ARCH)/InRelease"), ("dnf", "stable/rpm/x86_64/repodata/repomd.xml")]
)
def test_what_preflight_may_ask(manager: str, end: str) -> None:
    facts = done(INPUTS, manager)
    facts["os"]["machine"] = "x86_64"
    asked = ask(facts)["repository"]
    assert asked["url"] == f"{BASE}/{end}" and asked["variable"] == "nvidia_container_toolkit_repo_base_url"
    assert ask(facts, repo_url="http://x/y")["repository"]["variable"] == "nvidia_container_toolkit_repo_url"


def entry(
    file: str, uri: str, signed_by: str | None = "/theirs.gpg", form: str = "list", enabled: bool = True
) -> dict[str, Any]:
    return {"file": file, "uris": [uri], "signed_by": signed_by, "format": form, "enabled": enabled, "suites": ["/"]}


LIST = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"


def bare(*entries: dict[str, Any], manager: str = "apt") -> dict[str, Any]:
    facts = snapshot("bare_host")
    facts["packages"].update(sources=list(entries), manager=manager)
    return facts


def test_a_leftover_that_stops_apt_is_refused_or_switched_off() -> None:
    facts = bare(entry(LIST, f"{BASE}/stable/deb/$(ARCH)"))
    found = ask(facts)
    assert LIST in found["refusal"] and "nvidia_container_toolkit_leftovers" in found["refusal"]
    assert found["refusal"].endswith(". Nothing was changed.")
    chinese = ask(facts, "zh")["refusal"]
    assert chinese.startswith(f"{LIST} 也配置了") and chinese.endswith("。未作任何更改。")
    found = ask(facts, leftovers="disable")
    assert found["refusal"] == "" and len(found["leftovers"]) == 1 and found["leftovers_said"] == []


@pytest.mark.parametrize(
    "one",
    [
        entry(LIST, f"{BASE}/stable/deb/amd64", None),
        entry(LIST, "https://nvidia.github.io/nvidia-docker/ubuntu18.04/amd64"),
        entry(LIST, f"{BASE}/experimental/deb/$(ARCH)"),
    ],
)
def test_a_leftover_that_does_no_harm_is_named(one: dict[str, Any]) -> None:
    found = ask(bare(one))
    assert found["refusal"] == "" and found["leftovers_said"] == [f"{one['uris'][0]} in {LIST}"]


@pytest.mark.parametrize(
    "one",
    [
        entry(LIST, f"{BASE}/stable/deb/$(ARCH)", enabled=False),
        entry("/etc/apt/sources.list.d/gpuready-nvidia-container-toolkit.sources", f"{BASE}/stable/deb/$(ARCH)"),
        entry(LIST, "https://download.example.org/nvidia.github.io/libnvidia-container"),
        entry(LIST, "https://nvidia.github.io/libnvidia-container2/x"),
    ],
)
def test_what_is_no_leftover(one: dict[str, Any]) -> None:
    assert ask(bare(one))["leftovers"] == []


def test_nvidias_own_repo_file_stands_in_the_way_of_dnf() -> None:
    one = entry("/etc/yum.repos.d/nvidia-container-toolkit.repo", f"{BASE}/stable/rpm/$basearch", None, "repo")
    assert "/etc/yum.repos.d/nvidia-container-toolkit.repo" in ask(bare(one, manager="dnf"))["refusal"]


def test_leftovers_of_the_users_own_mirror_are_found() -> None:
    one = entry(LIST, "http://mirror.example.org/tool/stable/deb/amd64")
    found = ask(bare(one), repo_base_url="https://mirror.example.org/tool")
    assert found["leftovers"][0]["conflict"]


def test_somebody_elses_repository_is_adopted_with_the_packages() -> None:
    facts = done(INPUTS)
    facts["files"] = {path: one for path, one in facts["files"].items() if "/apt/" not in path}
    facts["packages"]["sources"] = [entry(LIST, f"{BASE}/stable/deb/$(ARCH)")]
    assert not ask(facts)["todo"]
    assert ask(facts, leftovers="disable")["leftovers"], "the user wants ours"
    facts["packages"]["installed"]["libnvidia-container1"] = "1.19.1-1"
    assert ask(facts)["refusal"]


# -- engines


def test_engines() -> None:
    facts = snapshot("bare_host")
    assert ask(facts)["engines"] == ["docker"], "Docker is believed to come"
    facts["packages"]["installed"].update({"podman": "5"})
    assert ask(facts)["engines"] == ["podman"]
    facts["docker"]["present"] = True
    facts["packages"]["installed"].update({"cri-o": "1.33", "kubelet": "1.33"})
    facts["services"]["containerd.service"] = {"load": "loaded"}
    assert ask(facts)["engines"] == ["docker", "containerd", "crio", "podman"] and ask(facts)["cri"] == [
        "containerd",
        "crio",
    ]
    assert ask(facts, engines=["podman", "crio"])["engines"] == ["crio", "podman"]
    assert ask(facts, engines="docker, crio")["engines"] == ["docker", "crio"]
    with pytest.raises(AnsibleFilterError, match="'dokcer' is none of auto, docker"):
        ask(facts, engines=["dokcer"])


def test_docker_is_left_alone_where_only_podman_is_wished() -> None:
    facts = done(INPUTS)
    facts["daemon_json"] = {"present": False, "valid": None, "data": {}}
    found = ask(facts, engines=["podman"])
    assert found["settings_right"] and [one["path"] for one in found["order_files"]] == [engines.REFRESH_ORDER]
    assert not found["order_right"], "the drop-in of Docker is taken back"


def test_the_order_at_boot() -> None:
    refresh, docker = ask(snapshot("bare_host"))["order_files"]
    assert "Before=containerd.service crio.service podman-restart.service\n" in refresh["content"]
    assert "TimeoutStartSec=90s" in refresh["content"], "a hung driver must not keep the engines from starting"
    assert "After=nvidia-cdi-refresh.service" in docker["content"]


def test_no_order_that_would_be_a_cycle() -> None:
    """The unit of 1.19.0 waits for multi-user.target, which waits for Docker."""
    found = ask(done(INPUTS), version="1.19.0", allow_vulnerable=True)
    assert found["order_files"] == [] and not found["order_right"]


# -- versions


@pytest.mark.parametrize(
    ("wish", "allowed", "word"),
    [
        ("1.19.1-1", False, ""),
        ("1.21.0~rc.1-1", False, ""),
        ("1.19.0", False, "CVE-2026-24260"),
        ("1.19.1~rc.1", False, "nvidia_container_toolkit_allow_vulnerable"),
        ("1.19.0", True, ""),
        ("latest", False, "'latest' is no version"),
        ("1.20", True, "no version"),
        ("", False, "no version"),
    ],
)
def test_wished_versions(wish: str, allowed: bool, word: str) -> None:
    inputs = {**INPUTS, "version": wish, "allow_vulnerable": allowed}
    found, chinese = toolkit_input_error(inputs), toolkit_input_error(inputs, "zh")
    assert bool(found) == bool(chinese) == bool(word) and word in found
    if word:
        assert ask(snapshot("bare_host"), version=wish)["refusal"] == f"{found} Nothing was changed."
        assert ask(snapshot("bare_host"), "zh", version=wish)["refusal"] == f"{chinese}未作任何更改。" != found


def test_a_version_that_is_gone() -> None:
    found = ask(snapshot("bare_host"), version="1.20.1")
    names = sources.packages()
    offered = {name: ["1.20.0-1", "1.19.1-1", "1.18.1-1"] for name in names}
    offered[names[0]] = ["1.20.1-1", "1.20.0-1", "1.18.1-1"]
    error = toolkit_set(offered, found)["error"]
    assert names[1] in error and names[0] not in error.partition("Complete")[0].replace(names[1], "")
    assert "that it has: 1.20.0-1." in error, "complete sets without holes only"
    assert "No repository offers" in toolkit_set({}, found)["error"]
    assert "软件源不提供" in toolkit_set(offered, found, "zh")["error"]
    assert "none that is 1.19.1 or newer" in toolkit_set({name: ["1.18.1-1"] for name in names}, found)["error"]


@pytest.mark.parametrize(("manager", "sign"), [("apt", "="), ("dnf", "-")])
def test_what_the_package_manager_gets(manager: str, sign: str) -> None:
    found = ask(done(INPUTS, manager), version="1.20.0")
    offered = {name: ["1.20.0-1"] for name in sources.packages()}
    assert toolkit_set(offered, found) == {
        "specs": [f"{name}{sign}1.20.0-1" for name in sources.packages()],
        "error": "",
    }


def test_locks() -> None:
    facts = done(INPUTS, "dnf")
    facts["packages"]["holds"] = sources.packages()[:3]
    found = ask(facts)
    assert not found["locks_right"] and "libnvidia-container1-0:1.20.0-1.*" in found["locks"].splitlines()
