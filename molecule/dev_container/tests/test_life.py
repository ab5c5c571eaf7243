# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of dev containers: a second one, a new package, what users keep, what goes wrong, and the end.

The tests stand in the order of that life: each goes on where the one before it ended, and they share few runs.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dev_login import says
from machine import Machine
from testinfra.host import Host

FILES = Path(__file__).resolve().parents[1] / "files"
STAND_IN = FILES / "code_server.py"
FIRST, SECOND = "gpuready-dev", "bob"
SSH, CODE = 40023, 40081
# seconds; measured on two busy cores: 2
WARM = 15
SITE, REGISTRY = 8104, 8105
# what the runs of this file have shown, for the tests that look at them
SEEN: dict[str, Any] = {}


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def inspect(machine: Machine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.sh(f"docker inspect {name}"))[0]
    return found


def life(machine: Machine, name: str) -> tuple[str, str]:
    """Of a container that nobody touched the same."""
    found = inspect(machine, name)
    return found["Id"], found["State"]["StartedAt"]


def layers(machine: Machine, name: str) -> list[str]:
    image = inspect(machine, name)["Image"]
    return list(inspect(machine, image)["RootFS"]["Layers"])


@contextmanager
def untouched(machine: Machine, name: str = FIRST) -> Iterator[None]:
    before = life(machine, name)
    yield
    assert life(machine, name) == before, f"{name} was made anew or started again"


def archive() -> bytes:
    """The stand-in as code-server's release is packed, the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=0) as tar:
        entry = tarfile.TarInfo("code-server-stand-in/bin/code-server")
        text = b"#!/usr/bin/python3\n" + STAND_IN.read_bytes()
        entry.mode, entry.size = 0o755, len(text)
        tar.addfile(entry, io.BytesIO(text))
    data = packed.getvalue()
    return data[:4] + bytes(4) + data[8:]  # without the time of packing


def containers(*more: str) -> list[dict[str, Any]]:
    """The first as the scenario has it; a second one: the other GPU, own ports, code-server, few packages."""
    digest = hashlib.sha256(archive()).hexdigest()
    code = {
        "enabled": True,
        "publish": CODE,
        "url": f"http://mirror.example.org:{SITE}/code-server.tar.gz",
        "sha256": {"x86_64": digest, "aarch64": digest},
        "extensions": [{"id": "stand.in"}],
    }
    own = {"gpu": {"devices": ["1"]}, "ssh": {"publish": SSH}, "jupyter": {"enabled": False}, "code_server": code}
    return [{"name": FIRST}, {"name": SECOND, **own, "python": {"groups": [], "packages": ["iniconfig", *more]}}]


def bring(machine: Machine, path: str, data: bytes) -> None:
    machine.sh(f"mkdir -p $(dirname {path}) && echo {base64.b64encode(data).decode()} | base64 -d > {path}")


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Beside the inventory they would be somebody's."""
    return str(tmp_path_factory.mktemp("locks"))


@pytest.fixture
def two(machine: Machine, locks: str) -> Machine:
    """A second container beside the first."""
    if "two" not in SEEN:
        bring(machine, "/srv/code-server/code-server.tar.gz", archive())
        machine.sh(f"systemd-run -q --collect --unit=code-site python3 -m http.server {SITE} -d /srv/code-server")
        with untouched(machine):
            run = machine.converge(dev_containers=containers(), dev_container_lock_dir=locks)
        machine.sh("systemctl stop code-site")
        assert run.rc == 0, run.output[-5000:]
        SEEN["two"] = run
    return machine


def host_key(machine: Machine) -> str:
    found = machine.sh(f"ssh-keyscan -t ed25519 -p {SSH} 127.0.0.1 2>/dev/null | sed -n 's/.* ssh-ed25519 //p'")
    assert len(found) > 60
    return found


def wheel() -> bytes:
    """A package that is on no index."""
    packed = io.BytesIO()
    info = "work_of_mine-1.0.dist-info"
    with zipfile.ZipFile(packed, "w") as archive_:
        archive_.writestr("work_of_mine.py", "answer = 42\n")
        archive_.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: work-of-mine\nVersion: 1.0\n")
        archive_.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive_.writestr(f"{info}/RECORD", "")
    return packed.getvalue()


@pytest.fixture
def replaced(two: Machine, locks: str) -> Machine:
    """The second container after somebody worked in it, and after its specification got one more package."""
    if "replaced" not in SEEN:
        data = base64.b64encode(wheel()).decode()
        work = [
            f"echo {data} | base64 -d > ~/work_of_mine-1.0-py3-none-any.whl",
            "uv pip install --quiet --offline ~/work_of_mine-1.0-py3-none-any.whl",
            "echo thesis > ~/thesis && echo weights > /data/models/model",
            "python -c 'import work_of_mine' && devenv-packages",
        ]
        assert says(two.host, " && ".join(work), port=SSH).startswith("work-of-mine @ file:///home/dev/")
        before, key = layers(two, SECOND), host_key(two)
        old = life(two, SECOND)
        with untouched(two):
            run = two.converge(dev_containers=containers("toolz"), dev_container_lock_dir=locks)
        assert run.rc == 0, run.output[-5000:]
        assert life(two, SECOND) != old
        SEEN["replaced"] = {"before": before, "after": layers(two, SECOND), "key": key}
    return two


def test_a_container_in_which_somebody_works_is_not_replaced(two: Machine, locks: str) -> None:
    files = f"find /opt/gpuready/{SECOND} -type f -exec sha256sum {{}} + | sort"
    before, images = two.sh(files), two.sh("docker image ls -q --no-trunc | sort -u")
    two.sh(f"docker exec -d {SECOND} sleep 3600")
    try:
        with untouched(two, SECOND):
            run = two.converge(dev_containers=containers("toolz"), dev_container_lock_dir=locks)
        assert run.rc != 0 and f"would be ended: {SECOND}: sleep (pid " in run.sentence
        assert two.sh(files) == before and two.sh("docker image ls -q --no-trunc | sort -u") == images
    finally:
        two.sh(f"docker exec {SECOND} pkill -x sleep")


def test_what_somebody_made_of_a_container_with_compose_is_asked_for(two: Machine, locks: str) -> None:
    """Our label stays the same. A service of their own is left in any case."""
    folder, train = f"/opt/gpuready/{SECOND}", f"{SECOND}-train-1"
    file = two.sh(f"cat {folder}/compose.yaml")
    policy = inspect(two, SECOND)["HostConfig"]["RestartPolicy"]
    image = inspect(two, SECOND)["Config"]["Image"]
    service = f'  train: {{image: "{image}", pull_policy: never, entrypoint: [sleep, "3600"]}}'
    edits = f"""-e 's/^    restart: .*/    restart: "no"/' -e '/^services:/a\\{service}'"""
    two.sh(f"cd {folder} && sed -i {edits} compose.yaml && docker compose up -d && docker exec -d {SECOND} sleep 3600")
    assert inspect(two, SECOND)["HostConfig"]["RestartPolicy"] != policy
    edited = two.sh(f"cat {folder}/compose.yaml")
    try:
        with untouched(two, SECOND), untouched(two, train):
            run = two.converge(dev_containers=containers(), dev_container_lock_dir=locks)
        assert run.rc != 0 and f"would be ended: {SECOND}: sleep (pid " in run.sentence
        assert two.sh(f"cat {folder}/compose.yaml") == edited
        two.sh(f"docker exec {SECOND} pkill -x sleep")
        with untouched(two, train), untouched(two):
            run = two.converge(dev_containers=containers(), dev_container_lock_dir=locks)
        assert run.rc == 0, run.output[-5000:]
        assert two.sh(f"cat {folder}/compose.yaml") == file
        assert inspect(two, SECOND)["HostConfig"]["RestartPolicy"] == policy
    finally:
        two.sh(f"docker rm --force {train}")


def test_two_containers_have_their_own_gpus_and_ports(two: Machine) -> None:
    assert says(two.host, "ls /dev/nvidia[0-9]*; hostname") == f"/dev/nvidia0\n{FIRST}"
    assert says(two.host, "ls /dev/nvidia[0-9]*; hostname", port=SSH) == f"/dev/nvidia1\n{SECOND}"
    listening = two.sh("ss -Hltn | awk '{print $4}'").split()
    assert {f"127.0.0.1:{port}" for port in (SSH, CODE)} <= set(listening)
    # what differs is in the image, or only in the container: they share the layers before
    first, second = layers(two, FIRST), layers(two, SECOND)
    assert first != second and len({*first} & {*second}) >= 3


def test_code_server_answers_and_asks_for_its_password(two: Machine) -> None:
    """With a stand-in for its release: the archive by its digest, extensions, password file, health check."""
    page = f"http://127.0.0.1:{CODE}"
    status = "curl -s -o /dev/null -w '%{http_code}\\n'"
    secret = f"/opt/gpuready/{SECOND}/secrets/code_server_password"
    asked = [
        f"{status} {page}/healthz",
        f"{status} {page}/",
        f"{status} {page}/login -d password=wrong",
        f"{status} {page}/login --data-urlencode password@{secret}",
    ]
    assert two.host.run("sh -c %s", "; ".join(asked)).stdout.split() == ["200", "302", "200", "302"]
    assert says(two.host, "ls /opt/code-server-ext", port=SSH) == "stand.in"
    shown = two.sh(f"docker inspect {SECOND}; ps axww; docker logs {SECOND} 2>&1")
    assert two.sh(f"cat {secret}") not in shown


def test_a_warm_build_takes_seconds(two: Machine) -> None:
    """Nothing is given to it: what went into the layers is no part of their key."""
    start = time.monotonic()
    done = two.host.run(f"docker buildx build --progress plain /opt/gpuready/{SECOND}/build")
    took = time.monotonic() - start
    assert done.rc == 0, done.stderr
    steps = len(re.findall(r"^#\d+ \[[^]]*\d+/\d+\] (?:RUN|WORKDIR) ", done.stderr, re.MULTILINE))
    assert steps == len(re.findall(r"^#\d+ CACHED$", done.stderr, re.MULTILINE)) >= 7
    assert took <= WARM


def test_one_more_package_runs_its_layer_and_the_last_one(replaced: Machine) -> None:
    before, after = SEEN["replaced"]["before"], SEEN["replaced"]["after"]
    base = inspect(replaced, "gpuready-sandbox/base:trixie")["RootFS"]["Layers"]
    kept = len(base) + len(["apt", "user", "code_server", "uv", "python"])
    assert before[:kept] == after[:kept]
    assert before[kept] != after[kept]
    assert says(replaced.host, "python -c 'import iniconfig; print(iniconfig.__file__)'", port=SSH).startswith(
        "/opt/venv"
    )


def test_what_users_made_and_installed_outlives_the_container(replaced: Machine) -> None:
    assert says(replaced.host, "cat ~/thesis /data/models/model", port=SSH) == "thesis\nweights"
    # clients see the host key that they know
    assert host_key(replaced) == SEEN["replaced"]["key"]
    # put back behind the services
    look = "python -c 'import work_of_mine; print(work_of_mine.answer)' 2>/dev/null"
    assert says(replaced.host, f"for i in $(seq 60); do {look} && break; sleep 0.5; done", port=SSH) == "42"
    assert "devenv: puts back work-of-mine" in replaced.sh(f"docker logs {SECOND} 2>&1")


def test_a_folder_that_is_missing_is_told_before_anything_is_written(machine: Machine) -> None:
    before = machine.sh("find /opt/gpuready -type f -exec sha256sum {} + | sort")
    with untouched(machine):
        run = machine.converge(dev_volumes={"models": {"source": "/srv/none", "target": "/data/models"}})
    assert run.rc != 0 and "/srv/none" in run.sentence and "does not exist on the host" in run.sentence
    assert machine.sh("find /opt/gpuready -type f -exec sha256sum {} + | sort") == before


def test_a_base_that_is_gone_is_named_and_the_container_runs_on(machine: Machine) -> None:
    """A stand-in for the registry, which knows no tag at all."""
    bring(machine, "/srv/registry.py", (FILES / "registry.py").read_bytes())
    machine.sh(f"systemd-run -q --collect --unit=registry python3 /srv/registry.py {REGISTRY}")
    machine.sh(f"timeout 30 sh -c 'until ss -Hltn sport = :{REGISTRY} | grep -q .; do sleep 0.2; done'")
    image = f"127.0.0.1:{REGISTRY}/nvidia/cuda:12.6.0-base-ubuntu24.04"
    with untouched(machine):
        # a kernel of a test before may still be open in it
        run = machine.converge(dev_base={"image": image, "archive": ""}, dev_container_on_running_jobs="proceed")
        machine.sh("systemctl stop registry")
        assert run.rc != 0 and "The base image may be gone: NVIDIA deletes tags" in run.sentence, run.output[-3000:]
        assert image in run.sentence and run.sentence.count("\n") < 12


def test_one_goes_and_the_other_stays(replaced: Machine) -> None:
    given: dict[str, Any] = {
        "dev_containers": containers(),
        "dev_container_only": [SECOND],
        "dev_container_state": "absent",
    }
    volumes = f"docker volume ls -q --filter label=com.docker.compose.project={SECOND}"
    with untouched(replaced):
        run = replaced.converge(**given)
        assert run.rc == 0, run.output[-3000:]
        assert replaced.sh("docker ps -a --format '{{.Names}}'").split() == [FIRST]
        assert replaced.rc(f"test -e /opt/gpuready/{SECOND}") != 0
        # data goes only when it is told so a second time
        kept = replaced.sh(volumes).split()
        assert {f"{SECOND}_home", f"{SECOND}_data"} <= set(kept)
        run = replaced.converge(**given, dev_container_remove_volumes=True)
    assert run.rc == 0 and replaced.sh(volumes) == "", run.output[-3000:]
    assert replaced.sh("docker image ls -q gpuready/dev | sort -u | wc -l") == "1"
    # the files of the first, which the run with a base that is gone has written anew
    with untouched(replaced):
        back = replaced.converge()
    assert back.rc == 0, back.output[-3000:]
