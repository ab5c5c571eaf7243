# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody's work is ended because Docker gave no answer: the guard's tasks with a stand-in of the docker client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[4]
PLAY = """
- hosts: all
  gather_facts: false
  environment: {{PATH: "{{{{ folder }}}}:/usr/bin:/bin"}}
  tasks:
    - ansible.builtin.set_fact: {{gpu_host: "{{{{ snapshot }}}}", cacheable: true}}
    - ansible.builtin.include_vars: {role}/vars/main.yml
    - ansible.builtin.set_fact: {{__dev_container_refusal: "", __dev_container_names: [dev]}}
    - ansible.builtin.include_tasks: "{role}/tasks/{{{{ before }}}}.yml"
"""
# what the stand-in says to `docker top` and to `docker container inspect`
TOP = "echo '  PID  PPID USER COMMAND'; echo '1 0 root /usr/local/sbin/devenv-init'"
BUSY = f"{TOP}; echo '9 1 ada python3 train.py'"
HUNG = "echo 'Error response from daemon: context deadline exceeded' >&2; exit 1"
GONE = "echo 'Error response from daemon: No such container: dev' >&2; exit 1"
UP = {"docker.service": {"active": "active"}}
SILENT = {"present": True, "reachable": False, "error": "/run/docker.sock: timed out", "containers": []}
DOWN = {"docker.service": {"active": "inactive"}, "docker.socket": {"active": "active"}}
ASLEEP = {**SILENT, "error": "docker.service is inactive, and docker.socket listens"}
AGREED = {"dev_container_on_running_jobs": "proceed"}
RUNS = {"present": True, "reachable": True, "error": None, "containers": [{"name": "dev", "state": "running"}]}
PAUSED = {**RUNS, "containers": [{"name": "dev", "state": "paused"}]}
# before a new container takes its place, after minutes of building
ITEM = {"name": "dev", "replaces": True, "ends": True, "reads_anew": False, "held": False, "state": "running"}
START = {"before": "start", "__dev_container_item": ITEM}
CHINESE = {"dev_container_language": "zh"}
# before a container goes for its new secrets, after minutes of locking packages
NOTHING: dict[str, Any] = {"folders": [], "files": [], "stray": [], "build_secrets": [], "access_secrets": []}
WRITE = {"before": "write", "__dev_container_item": {**ITEM, **NOTHING, "seen": True, "reads_anew": True}}
# what somebody added to the project by hand, which "docker compose down --remove-orphans" ends, too
ADDED = {"name": "dev-train-1", "state": "running", "labels": {"com.docker.compose.project": "dev"}}
OTHERS = {"name": "other-dev-1", "state": "running", "labels": {"com.docker.compose.project": "other"}}
ORPHAN = {**RUNS, "containers": [{"name": "dev", "state": "exited"}, ADDED]}
NOT_OURS = {**RUNS, "containers": [{"name": "dev", "state": "exited"}, OTHERS]}
CASES: dict[str, tuple[dict[str, Any], str, str, dict[str, Any], str]] = {
    "idle": (RUNS, TOP, HUNG, {}, ""),
    "busy": (RUNS, BUSY, HUNG, {}, "python3 (pid 9, user ada)"),
    "hung": (RUNS, HUNG, HUNG, {}, "dev (Error response from daemon: context deadline exceeded)"),
    "still_there": (RUNS, HUNG, "echo true", {}, "could not be seen"),
    "ended": (RUNS, HUNG, "echo false", {}, ""),
    "gone": (RUNS, GONE, GONE, {}, ""),
    "hung_and_agreed": (RUNS, HUNG, HUNG, AGREED, ""),
    "silent": (SILENT, HUNG, HUNG, {}, "cannot be asked for its containers (/run/docker.sock: timed out)"),
    "busy_and_paused": (PAUSED, BUSY, HUNG, {}, "python3 (pid 9, user ada)"),
    "busy_since_the_build": (RUNS, BUSY, HUNG, START, "would be ended: dev: python3 (pid 9, user ada)"),
    "hung_since_the_build": (RUNS, HUNG, HUNG, START, "could not be seen"),
    "busy_in_chinese": (
        RUNS,
        BUSY,
        HUNG,
        CHINESE,
        "有人在工作：dev：python3（pid 9，用户 ada）。它们保持原样。未作任何更改。",
    ),
    "hung_in_chinese": (RUNS, HUNG, HUNG, CHINESE, "无法查看是否有人在这些容器中工作：dev（Error response"),
    "silent_in_chinese": (SILENT, HUNG, HUNG, CHINESE, "无法查询其容器（/run/docker.sock: timed out），"),
    "made_in_chinese": (RUNS, BUSY, HUNG, {**START, **CHINESE}, "它的文件和镜像已经做好；下次运行从这里继续。请先"),
    "locked_in_chinese": (RUNS, BUSY, HUNG, {**WRITE, **CHINESE}, "它们保持原样。它的文件也保持原样。请先"),
    "busy_since_the_lock": (RUNS, BUSY, HUNG, WRITE, "would be ended: dev: python3 (pid 9, user ada)"),
    "hung_since_the_lock": (RUNS, HUNG, HUNG, WRITE, "could not be seen"),
    "idle_since_the_lock": (RUNS, TOP, "echo false", WRITE, ""),
    "a_service_of_somebody": (ORPHAN, BUSY, HUNG, {}, "would be ended: dev-train-1: python3 (pid 9, user ada)"),
    "a_service_of_another_project": (NOT_OURS, BUSY, HUNG, {}, ""),
    "silent_and_agreed": (SILENT, HUNG, HUNG, {"dev_container_on_running_jobs": "proceed"}, ""),
    "asleep": (ASLEEP, HUNG, HUNG, {"made": ["dev"]}, "docker.socket listens"),
    "asleep_and_agreed": (ASLEEP, HUNG, HUNG, {"made": ["dev"], **AGREED}, "docker.socket listens"),
    "asleep_without_ours": (ASLEEP, HUNG, HUNG, {"made": ["other"]}, ""),
}

SO_FAR = {
    "guard": "Nothing was changed.",
    "start": "the next run goes on from there.",
    "write": "Its files are as they were, too.",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sentence with which each host of one run was refused; "" where it was not."""
    base = tmp_path_factory.mktemp("guard")
    hosts = {name: host(base / name, *case[:4]) for name, case in CASES.items()}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    defaults = {
        "before": "guard",
        "dev_container_on_running_jobs": "refuse",
        "dev_container_language": "en",
        "dev_container_replace_unhealthy": False,
        "dev_container_root": "/opt/gpuready",
    }
    (base / "hosts.json").write_text(json.dumps({"all": {"vars": {**local, **defaults}, "hosts": hosts}}))
    (base / "play.yml").write_text(PLAY.format(role=PROJECT / "roles" / "dev_container"))
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(base / "home"), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    env["ANSIBLE_COLLECTIONS_PATH"] = str(PROJECT / ".collections")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.yml"]
    result = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    document = json.loads(result.stdout[result.stdout.index("{\n") :])
    found = dict.fromkeys(CASES, "")
    for task in document["plays"][0]["tasks"]:
        for name, answer in task["hosts"].items():
            if answer.get("failed"):
                found[name] = [answer["msg"], *(one["msg"] for one in answer.get("results", []))][-1]
    return found


def host(folder: Path, docker: dict[str, Any], top: str, inspect: str, inputs: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir()
    (folder / "docker").write_text(f'#!/bin/sh\ncase "$1" in\ntop) {top};;\n*) {inspect};;\nesac\n')
    (folder / "docker").chmod(0o755)
    snapshot = {
        "docker": docker,
        "services": DOWN if docker is ASLEEP else UP,
        "files": {f"/opt/gpuready/{name}/compose.yaml": {} for name in inputs.get("made", [])},
    }
    return {"folder": str(folder), "snapshot": snapshot, **inputs}


@pytest.mark.parametrize("name", CASES)
def test_only_what_was_seen_lets_it_pass(said: dict[str, str], name: str) -> None:
    words = CASES[name][4]
    so_far = words if "chinese" in name else SO_FAR[CASES[name][3].get("before", "guard")]
    assert (words in said[name] and so_far in said[name]) if words else said[name] == ""


WHOLE = {
    "busy": "Somebody works in containers that would be ended: dev: python3 (pid 9, user ada). They were left as they "
    "are. Nothing was changed. End that work, or set dev_container_on_running_jobs to proceed.",
    "hung_since_the_build": "Whether somebody works in these containers could not be seen: dev (Error response from "
    "daemon: context deadline exceeded). They were left as they are. Its files and its image are made; the next run "
    "goes on from there. Mend it until docker top answers, stop them yourself, or set dev_container_on_running_jobs to "
    "proceed.",
    "silent": "Docker runs here but cannot be asked for its containers (/run/docker.sock: timed out), so nobody knows "
    "who works in them. Nothing was changed. Mend Docker first (systemctl status docker), or set "
    "dev_container_on_running_jobs to proceed.",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_refusal_says_what_to_do(said: dict[str, str], name: str) -> None:
    assert said[name] == WHOLE[name]
