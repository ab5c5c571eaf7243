# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do, over whole machines: what is right stays untouched, and every choice has its way back."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import cgroups, cure, files, steps
from nvml_machines import SNAPSHOTS, Snapshot, ask, composed, container, machine, with_choices, with_containers

PARAMETER = cgroups.PARAMETER


def left(found: dict[str, Any]) -> list[str]:
    """The tasks that would run."""
    right = [name for name in ("settings", "toolkit", "files") if not found[f"{name}_right"]]
    return right + [name for name in ("refusal", "kernel", "undo", "restart", "notes", "at_risk") if found[name]]


def test_a_machine_that_is_right_is_left_alone() -> None:
    found = ask(machine())
    assert (left(found), found["todo"], found["cure"]) == ([], False, "cdi")
    assert found["link"] == "" and found["vulnerable"] == [] and found["recreate"] == []


def test_a_role_that_reloads_systemd_asks_first() -> None:
    assert not steps.reload_takes({}) and not steps.reload_takes(machine())
    assert steps.reload_takes(with_containers(container("job", via="hook", rules_ok=False)))
    held = [{"container": "a" * 64, "container_name": None}]
    assert steps.reload_takes({**machine(), "processes": {"gpu": held}})


ENGINES = {"20.10.24+dfsg1": "runtime", "24.0.9": "runtime", "25.0.5": "cdi", "26.1.5": "cdi", "28.3.1": "cdi"}
ENGINES |= {"29.7.2": "cdi"}
TOOLKITS = ("1.13.5", "1.17.8", "1.18.0", "1.20.0")
RUNCS = ("1.0.3", "1.1.5+ds1", "1.1.15+ds1", "1.3.4")
GROUPS = (("v2", "systemd"), ("v2", "cgroupfs"), ("hybrid", "cgroupfs"), ("v1", "systemd"))
SYSTEMDS = (239, 247, 252, 255, 256, 257, 259)
DRIVERS = ("525.147.05", "580.159.03")


def of(engine: str, toolkit: str, runc: str, group: tuple[str, str], systemd: int, driver: str) -> Snapshot:
    data = machine(
        docker__version=engine, docker__runc_version=runc, docker__cgroup_driver=group[1], toolkit__version=toolkit
    )
    data["os"] |= {"cgroup": group[0], "systemd": {"running": True, "version": systemd}}
    data["driver"]["module"]["version"] = driver
    return data


def done(data: Snapshot, **inputs: Any) -> Snapshot:
    """The machine after the role has done what it says is left."""
    found = ask(data, **inputs)
    after = copy.deepcopy(data)
    if not found["settings_right"]:
        after["daemon_json"]["data"] = {**after["daemon_json"]["data"], **found["settings"]}
    for key, value in found["toolkit_settings"].items():
        after["toolkit"][key.rpartition(".")[2].replace("-", "_")] = value
    if found["kernel"] == "present":
        after["kernel"]["cmdline_next"] += f" {PARAMETER}=0"
    elif found["kernel"] == "absent":
        after["kernel"]["cmdline_next"] = after["kernel"]["cmdline_next"].replace(f" {PARAMETER}=0", "")
    stamp = found["stamp_after"] if found["undo"] else found["stamp"]
    for path in (files.NOTE, files.UDEV):
        after["files"].pop(path, None)
    return with_choices(after, *stamp.split())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cgroupfs", [False, True])
@pytest.mark.parametrize("cgroup_v1", [False, True])
def test_every_machine_gets_one_cure_and_a_second_run_finds_nothing(
    engine: str, cgroupfs: bool, cgroup_v1: bool
) -> None:
    inputs = {"cgroupfs": cgroupfs, "cgroup_v1": cgroup_v1}
    for toolkit, runc, group, systemd, driver in itertools.product(TOOLKITS, RUNCS, GROUPS, SYSTEMDS, DRIVERS):
        data = of(engine, toolkit, runc, group, systemd, driver)
        data["daemon_json"]["data"] = {"mtu": 1400}
        found = ask(data, **inputs)
        assert found["cure"] == ENGINES[engine]
        assert bool(found["refusal"]) is (cgroup_v1 and systemd >= 256), found["refusal"]
        assert ("exec-opts" in found["settings"]) is (cgroupfs and group[1] == "systemd")
        wants_links = group[1] == "systemd" and driver.startswith("525") and (runc == "1.1.5+ds1" or systemd == 239)
        assert (files.UDEV in [file["path"] for file in found["files"]]) is wants_links
        writes = cgroup_v1 and systemd < 256 and group[0] == "v2"
        assert found["kernel"] == ("present" if writes else "")
        if found["refusal"]:
            continue
        again = ask(done(data, **inputs), **inputs)
        assert set(left(again)) <= {"notes"}, (left(again), again)
        # what remains to say: an old toolkit, or a reboot
        old = ENGINES[engine] == "runtime" and toolkit in TOOLKITS[:2]
        assert bool(again["notes"]) is (old or writes)


def test_no_toolkit_key_is_touched_that_is_right() -> None:
    found = ask(machine(toolkit__no_cgroups=True))
    assert found["toolkit_settings"] == {"nvidia-container-cli.no-cgroups": False}
    assert left(found) == ["toolkit"]


@pytest.mark.parametrize("name", ["cgroupfs", "cgroup_v1"])
def test_a_choice_is_noted_before_it_is_set_and_until_it_is_taken_back(name: str) -> None:
    data = machine(os__systemd={"running": True, "version": 252})
    first = ask(data, **{name: True})
    assert first["stamp"] == name and not first["files_right"]
    there = done(data, **{name: True})
    assert ask(there, **{name: True})["files_right"]
    back = ask(there)
    # still noted while it is taken back
    assert (back["undo"], back["stamp"], back["files_right"], back["stamp_after"]) == ([name], name, True, "")
    assert back["files_after"] == []
    home = ask(done(there))
    assert home["undo"] == [] and files.NOTE not in done(there)["files"]


def test_cgroupfs_is_taken_back_with_the_settings_that_stay() -> None:
    there = done(machine(), cgroupfs=True)
    there["docker"]["cgroup_driver"] = "cgroupfs"
    assert ask(there, cgroupfs=True)["settings"]["exec-opts"] == [cgroups.CGROUPFS]
    assert not ask(there, cgroupfs=True)["todo"]
    back = ask(there)
    assert (back["settings"], back["settings_right"]) == (cure.CDI, False)


def test_a_choice_of_the_user_is_not_taken_back() -> None:
    theirs = machine(kernel__cmdline=f"ro {PARAMETER}=0", kernel__cmdline_next=f"ro {PARAMETER}=0")
    theirs["daemon_json"]["data"]["exec-opts"] = [cgroups.CGROUPFS]
    found = ask(theirs)
    assert (left(found), found["todo"], found["kernel"]) == ([], False, "")


def test_the_kernel_parameter_is_followed_over_boots() -> None:
    data = machine(os__systemd={"running": True, "version": 252})
    there = done(data, cgroup_v1=True)
    waits = ask(there, cgroup_v1=True)
    assert (waits["kernel"], left(waits)) == ("", ["notes"]) and "cgroup v1 comes" in waits["notes"][0]
    booted = copy.deepcopy(there)
    booted["kernel"]["cmdline"] = there["kernel"]["cmdline_next"]
    booted["os"]["cgroup"] = "hybrid"
    assert not ask(booted, cgroup_v1=True)["todo"]
    back = ask(booted)
    assert (back["kernel"], back["undo"]) == ("absent", ["cgroup_v1"])
    again = ask(done(booted))
    assert (again["kernel"], left(again)) == ("", ["notes"]) and "cgroup v2 comes back" in again["notes"][0]


def test_a_parameter_that_somebody_took_out_is_written_again() -> None:
    there = done(machine(os__systemd={"running": True, "version": 252}), cgroup_v1=True)
    there["kernel"]["cmdline_next"] = "ro quiet"
    assert ask(there, cgroup_v1=True)["kernel"] == "present"


def test_debian_13_refuses_and_writes_nothing() -> None:
    found = ask(machine(), cgroup_v1=True)
    assert "systemd 257" in found["refusal"] and found["refusal"].endswith("Nothing was changed.")
    assert (found["kernel"], found["stamp"], found["files"]) == ("", "", [])


@pytest.mark.parametrize("unit", ["kubelet.service", "k3s.service"])
def test_kubernetes_refuses_cgroupfs(unit: str) -> None:
    data = machine()
    data["services"][unit] = {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled"}
    assert "Kubernetes" in ask(data, cgroupfs=True)["refusal"]
    assert not ask(data)["todo"]


@pytest.mark.parametrize("sign", ["package", "pod"])
def test_kubernetes_is_known_by_other_signs(sign: str) -> None:
    data = machine()
    if sign == "package":
        data["packages"]["installed"]["kubelet"] = "1.34.1-1.1"
    else:
        data["docker"]["containers"] = [{"name": "k8s_POD_x", "state": "running", "gpu": {}, "labels": {}}]
    assert "Kubernetes" in ask(data, cgroupfs=True)["refusal"]


@pytest.mark.parametrize(("key", "word"), [("desktop", "Docker Desktop"), ("snap", "snap")])
def test_engines_that_read_other_files_are_refused(key: str, word: str) -> None:
    assert word in ask(machine(**{f"docker__{key}": True}))["refusal"]


def load(name: str) -> Snapshot:
    import json

    data: Snapshot = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def test_a_rented_container_has_nothing_to_cure_and_nothing_to_choose() -> None:
    data = load("rented_container")
    found = ask(data)
    assert (found["cure"], found["todo"], found["settings"]) == ("none", False, {})
    assert "no boot loader" in ask(data, cgroup_v1=True)["refusal"]


def test_a_bare_host_is_told_to_read_cdi_files() -> None:
    found = ask(load("bare_host"))
    assert (found["settings"], left(found), found["todo"]) == (cure.CDI, ["settings"], True)


def test_a_host_with_faults_gets_all_of_them_mended() -> None:
    found = ask(load("many_faults"))
    assert set(found["toolkit_settings"].values()) == {False, "auto"}
    assert left(found) == ["toolkit", "at_risk"] and "docker compose" in found["message"]


def test_the_restart_is_somebody_elses_where_it_is_asked_for_later() -> None:
    data = machine(docker__restart_pending=True)
    assert ask(data)["restart"] and ask(data)["todo"]
    assert not ask(data, restart="later")["todo"]
    # another role left it to this one: docker_restart holds the file against the daemon
    assert ask(machine(), restart_watched=["/etc/x"])["restart"]
    assert not ask(machine(), restart_watched=["/etc/x"], restart="later")["restart"]


def test_links_are_made_at_once_where_the_device_is_there() -> None:
    data = of("26.1.5", "1.20.0", "1.1.5", ("v2", "systemd"), 252, "525.147.05")
    data["driver"]["devnodes"] = [{"path": "/dev/nvidiactl", "major": 195, "minor": 255, "mode": "0666"}]
    assert ask(data)["link"] == "/dev/char/195:255"
    assert ask(data, dev_char_links="absent")["link"] == ""
    data["toolkit"]["present"] = False
    assert ask(data)["link"] == ""


def test_containers_at_risk_are_named_until_they_are_protected() -> None:
    job = container("job")
    found = ask(with_containers(job))
    assert found["todo"] and found["at_risk"] == found["vulnerable"] == ["job"]
    assert "job" in found["message"] and "--device nvidia.com/gpu=all" in found["message"]
    scope = f"docker-{job['id']}.scope"
    looked = {"containers": [{"id": job["id"], "scope": scope, "verdict": "loses"}], "protected": [scope]}
    after = ask(with_containers(job), looked=looked)
    assert (after["vulnerable"], after["message"], after["at_risk"]) == ([], "", ["job"])


def test_a_container_that_docker_did_not_describe_is_left_to_device_rules() -> None:
    job = container("job", requested=None, via=None, rules_ok=None, missing=[])
    found = ask(with_containers(job))
    assert found["todo"] and found["unjudged"] and found["at_risk"] == []
    told = {
        "id": job["id"],
        "name": "job",
        "scope": f"docker-{job['id']}.scope",
        "reason": "its rules lack /dev/nvidia0",
    }
    loses = ask(with_containers(job), looked={"containers": [{**told, "verdict": "loses"}]})
    assert loses["vulnerable"] == ["job"] and "its rules lack /dev/nvidia0" in loses["message"]
    assert ask(with_containers(job), looked={"containers": [{**told, "verdict": "keeps"}]})["vulnerable"] == []


def test_old_engines_are_advised_to_take_the_runtime() -> None:
    data = with_containers(container("job"), docker__version="20.10.24")
    assert "--runtime nvidia" in ask(data)["message"] and "nvidia.com/gpu" not in ask(data)["message"]


def test_only_the_policy_recreate_recreates() -> None:
    data = with_containers(composed("web"), container("job"))
    for policy in ("protect", "report", "fail"):
        assert ask(data, on_vulnerable=policy, recreate=["web", "job"])["recreate"] == []
    found = ask(data, on_vulnerable="recreate", recreate=["web"])
    assert [one["name"] for one in found["recreate"]] == ["web"] and found["refusal"] == ""
    assert "job" in ask(data, on_vulnerable="recreate", recreate=["job"])["refusal"]


def test_wrong_inputs_are_value_errors() -> None:
    with pytest.raises(ValueError, match="nvml_stability_on_vulnerable must be one of protect"):
        ask(machine(), on_vulnerable="warn")
    with pytest.raises(ValueError, match="nvml_stability_dev_char_links"):
        ask(machine(), dev_char_links="yes")


def test_what_was_not_read_is_not_acted_upon() -> None:
    found = steps.steps({"scope": "host", "os": {}}, {})
    assert found["link"] == found["kernel"] == "" and found["at_risk"] == [] and not found["unjudged"]


def test_the_way_back_gives_back_what_was_noted() -> None:
    there = with_choices(machine(), "cgroup_v1", "links")
    assert ask(there)["back_kernel"] and not ask(machine())["back_kernel"]
    assert ask(machine())["back_toolkit"] == cure.TOOLKIT_KEYS
    assert ask(machine(toolkit__config_present=False))["back_toolkit"] == {}


def test_chinese_is_spoken() -> None:
    said = steps.steps(with_containers(container("job")), {"cgroup_v1": True}, "zh")
    assert "丢失 GPU" in said["message"] and "systemd 257" in said["refusal"] and "未作任何更改" in said["refusal"]
