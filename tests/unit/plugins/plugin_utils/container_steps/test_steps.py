# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided from facts: work is skipped only when they show everything to be right."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import steps
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.wanted import Wanted, World, digest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose, spec

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIo2kQx8Nc32i4+8fwEH10eVhtW3nnBl2pTS3DHRKV2E me@laptop"
LOCK = "jupyterlab==4.6.6 \\\n    --hash=sha256:" + "0" * 64 + "\n"
GIVEN: dict[str, Any] = {
    "base_image": "debian:13",
    "ssh_authorized_keys": [KEY],
    "env": {"PRICE": '5$ "net"', "NUMBER": 5},
    "proxy": {"http": "http://me:hush@proxy.example.org:3128"},
}
ROOT = "/opt/gpuready"
FOLDER = f"{ROOT}/gpuready-dev"
ENGINE: dict[str, Any] = {
    "os": {"machine": "x86_64"},
    "files": {},
    "docker": {
        "present": True,
        "reachable": True,
        "error": None,
        "version": "26.1.5+dfsg1",
        "compose_version": "2.26.1-4",
        "cdi_spec_dirs": ["/etc/cdi"],
        "runtimes": {"runc": "runc"},
        "images": [],
        "containers": [],
    },
    "cdi": {"specs": [{"kind": "nvidia.com/gpu", "devices": ["all", "0", "1"]}]},
    "network": {"listening": []},
}
INPUTS: dict[str, Any] = {
    "root": ROOT,
    "addresses": {"pypi": "https://me:hush@index.example.org/simple", "debian": "http://near.example.org/debian"},
    "locks": {"gpuready-dev": LOCK, "alice": LOCK, "bob": LOCK},
    "projects": {},
    "rebuild": False,
}


def specs(**given: Any) -> list[dict[str, Any]]:
    return spec.expand({**GIVEN, **given})


def asked(
    facts: dict[str, Any], *, inputs: dict[str, Any] | None = None, language: str = "en", **given: Any
) -> dict[str, Any]:
    return steps.steps(facts, specs(**given), {**INPUTS, **(inputs or {})}, language)


def chinese(text: str) -> bool:
    return text.endswith("。") and bool(re.search("[\u4e00-\u9fff]", text))


def world() -> World:
    return World(ROOT, "x86_64", INPUTS["addresses"], INPUTS["locks"])


def entry(text: str, mode: str, uid: int) -> dict[str, Any]:
    return {"sha256": digest(text), "size": len(text), "mode": mode, "uid": uid, "gid": uid}


def converged(**given: Any) -> dict[str, Any]:
    """A host on which everything is as it is wanted."""
    facts = copy.deepcopy(ENGINE)
    for one in specs(**given):
        wanted = Wanted(one, "cdi", world())
        facts["files"] |= {path: entry(text, "0644", 0) for path, text in wanted.files().items()}
        facts["files"] |= {path: entry(text, "0600", 0) for path, text in wanted.build_secrets().items()}
        facts["files"] |= {
            path: entry(text or "t" * 48, "0400", 1000) for path, text in wanted.access_secrets().items()
        }
        facts["docker"]["images"].append({"id": "1", "tags": [wanted.image]})
        container = {"name": wanted.name, "image": wanted.image, "state": "running", "health": "healthy", "ports": []}
        made = {"image_id": "1", "labels": {compose.LABEL: wanted.label}}
        facts["docker"]["containers"].append({**container, **made})
    return facts


Edit = Callable[[dict[str, Any]], Any]
TOKEN, KEYS = f"{FOLDER}/secrets/jupyter_token", f"{FOLDER}/secrets/authorized_keys"
COMPOSE = f"{FOLDER}/compose.yaml"


def container(**changes: Any) -> Edit:
    return lambda facts: facts["docker"]["containers"][0].update(changes)


def file(path: str, **changes: Any) -> Edit:
    return lambda facts: facts["files"][path].update(changes)


DRIFT: dict[str, Edit] = {
    "keys_edited": file(KEYS, sha256="0" * 64),
    "keys_mode": file(KEYS, mode="0666"),
    "keys_owner": file(KEYS, uid=1000),
    "compose_edited": file(COMPOSE, sha256="0" * 64, as_written=False),
    "compose_of_nobody_known": file(COMPOSE, sha256="0" * 64),
    "compose_of_an_earlier_run": file(COMPOSE, sha256="0" * 64, as_written=True),
    "compose_gone": lambda facts: facts["files"].pop(COMPOSE),
    "a_stage_edited": file(f"{FOLDER}/build/stages/apt.sh", sha256="0" * 64),
    "token_gone": lambda facts: facts["files"].pop(TOKEN),
    "token_short": file(TOKEN, size=5),
    "token_mode": file(TOKEN, mode="0644"),
    "token_owner": file(TOKEN, uid=0),
    "index_mode": file(f"{FOLDER}/network/pip_index_url", mode="0644"),
    "stray_secret": lambda facts: facts["files"].update(
        {f"{FOLDER}/secrets/jupyter_password_hash": entry("x", "0400", 1000)}
    ),
    "image_gone": lambda facts: facts["docker"].update(images=[]),
    "image_rebuilt": lambda facts: facts["docker"]["images"][0].update(id="2"),
    "images_unknown": lambda facts: facts["docker"].update(images=None),
    "container_gone": lambda facts: facts["docker"]["containers"].pop(),
    "containers_unknown": lambda facts: facts["docker"].update(containers=None),
    "stopped": container(state="exited"),
    "paused": container(state="paused"),
    "restarting": container(state="restarting"),
    "unhealthy": container(health="unhealthy"),
    "starting": container(health="starting"),
    "health_unknown": container(health=None),
    "other_image": container(image="gpuready/dev:000000000000"),
    "other_spec": container(labels={compose.LABEL: "0" * 64}),
    "no_label": container(labels=None),
    "files_unknown": lambda facts: facts.update(files=None),
}
# a specification that must not be taken for already done
CHANGES: dict[str, dict[str, Any]] = {
    "shm": {"shm_size": "9gb"},
    "env": {"env": {"A": "b"}},
    "port": {"ssh_publish": 40023},
    "bind": {"jupyter_bind": "0.0.0.0"},
    "timezone": {"timezone": "Asia/Shanghai"},
    "package": {"apt_packages": ["git"]},
    "gpu": {"gpu_devices": ["0"]},
    "key": {"ssh_authorized_keys": [KEY, KEY.replace("laptop", "desk")]},
    "volume": {"volumes": {"models": {"source": "/srv/models", "target": "/data/models"}}},
    "token": {"jupyter_token": "s" * 30},
    "base": {"base_image": "debian:12"},
    "proxy": {"proxy": {}},
}


def test_a_converged_host_is_left_alone() -> None:
    done = asked(converged())
    assert (done["right"], done["todo"], done["builds"], done["predicted"]) == (True, [], [], [])


@pytest.mark.parametrize("case", sorted(DRIFT))
def test_what_was_changed_on_the_host_is_noticed(case: str) -> None:
    facts = converged()
    DRIFT[case](facts)
    assert not asked(facts)["right"]


@pytest.mark.parametrize("case", sorted(CHANGES))
def test_what_is_wanted_otherwise_is_noticed(case: str) -> None:
    assert not asked(converged(), **CHANGES[case])["right"]


def test_keys_alone_neither_build_nor_start_anything() -> None:
    done = asked(converged(), **CHANGES["key"])
    assert (done["builds"], done["todo"][0]["start"], done["todo"][0]["reads_anew"]) == ([], False, False)


@pytest.mark.parametrize("case", ["shm", "env", "port", "gpu", "volume"])
def test_run_time_settings_build_no_layer(case: str) -> None:
    assert asked(converged(), **CHANGES[case])["builds"] == []


def test_mirrors_and_proxies_build_nothing_anew() -> None:
    facts = converged()
    done = asked(facts, inputs={"addresses": {"pypi": "https://other.example.org/simple"}})
    assert (done["right"], done["builds"]) == (False, [])
    changed = {one["path"].rpartition("/")[2] for one in done["todo"][0]["build_secrets"]}
    assert changed == {"build_mirrors", "pip_index_url"}


def test_another_token_takes_the_container_away_first() -> None:
    done = asked(converged(), jupyter_token="s" * 30)
    assert done["todo"][0]["reads_anew"]
    # facts that saw no files say nothing about tokens
    blind = converged()
    blind["files"] = {}
    assert not asked(blind)["todo"][0]["reads_anew"]


@pytest.mark.parametrize("case", ["paused", "unhealthy"])
def test_a_container_with_jobs_is_held(case: str) -> None:
    facts = converged()
    DRIFT[case](facts)
    found, other = (asked(facts, language=one)["todo"][0] for one in ("en", "zh"))
    assert found["held"] and found["held_because"].startswith(
        f"The container gpuready-dev is {case} and was left as it"
    )
    ways = {"paused": "mend or unpause it", "unhealthy": "mend or restart it"}
    assert f"('docker inspect', 'docker logs gpuready-dev') and {ways[case]}, or set" in found["held_because"]
    assert chinese(other["held_because"])
    assert not asked(facts, shm_size="9gb")["todo"][0]["held"]


def replaced(facts: dict[str, Any], **given: Any) -> list[str]:
    return [one["name"] for one in asked(facts, **given)["todo"] if one["replaces"]]


@pytest.mark.parametrize("state", ["running", "paused"])
@pytest.mark.parametrize("case", sorted({*CHANGES} - {"key"}))
def test_who_works_in_a_container_is_asked_before_it_is_replaced(case: str, state: str) -> None:
    facts = converged()
    facts["docker"]["containers"][0].update(state=state)
    assert replaced(facts, **CHANGES[case]) == ["gpuready-dev"]


def test_a_rebuild_replaces() -> None:
    assert asked(converged(), inputs={"rebuild": True})["todo"][0]["replaces"]


# what is mended beside a container that runs on, and containers in which nobody can work
LIVES_ON = {"keys_edited", "keys_mode", "keys_owner", "compose_gone", "a_stage_edited", "index_mode"} | {
    "compose_of_an_earlier_run"
}
NOBODY = {"container_gone", "containers_unknown", "stopped", "restarting", "starting", "health_unknown"}
HELD = {"paused", "unhealthy"}


@pytest.mark.parametrize("case", sorted(DRIFT))
def test_nobody_is_asked_where_nothing_ends(case: str) -> None:
    facts = converged()
    DRIFT[case](facts)
    mended = case in LIVES_ON | NOBODY | HELD | {"token_mode", "token_owner"}
    assert bool(replaced(facts)) is not mended


# without a question Compose is not let make it anew, and of one that is right it is told nothing: some of its versions
# stop a container that they were to leave, to renew its network
RECREATE = {
    **dict.fromkeys(sorted(LIVES_ON | {"token_mode", "token_owner"}), ("never", False)),
    **dict.fromkeys(["starting", "health_unknown"], ("never", True)),
    **dict.fromkeys(["compose_edited", "image_rebuilt", "other_spec", "other_image", "stopped"], ("auto", True)),
    **dict.fromkeys(["paused", "unhealthy", "restarting", "files_unknown"], ("always", True)),
    "token_gone": ("never", True),
}


@pytest.mark.parametrize("case", sorted(RECREATE))
def test_compose_makes_anew_only_what_was_asked_for(case: str) -> None:
    facts = converged()
    DRIFT[case](facts)
    item = asked(facts)["todo"][0]
    assert (item["recreate"], item["start"]) == RECREATE[case]


@pytest.mark.parametrize("case", ["compose_edited", "image_rebuilt"])
def test_a_paused_container_of_something_else_is_asked_for_and_not_only_left(case: str) -> None:
    """Left with its file mended, it would be taken for right later."""
    facts = converged()
    DRIFT["paused"](facts)
    DRIFT[case](facts)
    assert replaced(facts) == ["gpuready-dev"] and not asked(facts)["todo"][0]["held"]


def test_a_trifle_after_a_rebuild_that_was_refused_is_asked_for() -> None:
    facts = converged()
    DRIFT["image_rebuilt"](facts)
    assert replaced(facts, **CHANGES["key"]) == ["gpuready-dev"]


@pytest.mark.parametrize("case", sorted(HELD))
def test_a_held_container_that_is_to_be_replaced_is_asked_for(case: str) -> None:
    facts = converged()
    DRIFT[case](facts)
    todo = asked(facts, inputs={"replace_unhealthy": True})["todo"][0]
    assert (todo["replaces"], todo["ends"], todo["recreate"]) == (True, True, "always")
    todo = asked(facts)["todo"][0]
    assert (todo["replaces"], todo["ends"]) == (False, False)


def test_a_container_that_has_stopped_is_looked_at_only_before_it_ends() -> None:
    facts = converged()
    DRIFT["stopped"](facts)
    todo = asked(facts, shm_size="9gb")["todo"][0]
    assert (todo["replaces"], todo["ends"]) == (False, True)
    assert not asked(facts)["todo"][0]["ends"]


def test_a_held_container_with_another_secret_is_asked_for() -> None:
    facts = converged()
    DRIFT["paused"](facts)
    DRIFT["token_gone"](facts)
    assert replaced(facts) == ["gpuready-dev"]


def test_several_containers_share_an_image_and_only_the_changed_one_is_touched() -> None:
    both = {
        "containers": [
            {"name": "alice", "gpu_devices": ["0"]},
            {"name": "bob", "gpu_devices": ["1"], "ssh_publish": 40023, "jupyter_publish": 40889},
        ]
    }
    done = asked(ENGINE, **both)
    assert [one["name"] for one in done["todo"]] == ["alice", "bob"]
    assert len(done["builds"]) == 1
    assert asked(converged(**both), **both)["right"]
    both["containers"][1]["shm_size"] = "2gb"
    facts = converged(**{**both, "containers": [both["containers"][0], {**both["containers"][1], "shm_size": "1gb"}]})
    assert [one["name"] for one in asked(facts, **both)["todo"]] == ["bob"]


def test_a_bare_host_is_predicted_and_refused() -> None:
    done = asked({"files": {}, "docker": {"present": False}, "cdi": {}})
    assert done["host_refusal"].startswith("Docker Engine is not installed")
    assert [text.split()[0] for text in done["predicted"]] == ["build", "make", "start"]


HOSTS: dict[str, tuple[Edit, str]] = {
    "no_engine": (lambda facts: facts["docker"].update(present=False), "not installed"),
    "silent": (lambda facts: facts["docker"].update(reachable=False, error="refused"), "does not answer (refused)"),
    "old": (lambda facts: facts["docker"].update(version="24.0.9"), "needs 25 or newer"),
    "no_compose": (lambda facts: facts["docker"].update(compose_version=None), "compose v2"),
    "no_way": (lambda facts: facts["docker"].update(cdi_spec_dirs=[]), "dev_gpu.mode is auto"),
    "port": (
        lambda facts: facts["network"]["listening"].append(
            {"port": 40022, "address": "0.0.0.0", "pid": 7, "comm": "sshd"}
        ),
        "Port 40022 of the host, which the container gpuready-dev is to publish, is taken by sshd (pid 7)",
    ),
}


@pytest.mark.parametrize("case", sorted(HOSTS))
def test_a_host_that_cannot_run_it_is_told_why(case: str) -> None:
    facts = copy.deepcopy(ENGINE)
    edit, words = HOSTS[case]
    edit(facts)
    assert words in asked(facts)["host_refusal"]
    assert chinese(asked(facts, language="zh")["host_refusal"])


def test_the_ports_of_the_container_itself_are_no_obstacle() -> None:
    facts = converged()
    facts["docker"]["containers"][0]["ports"] = [{"container": "8022/tcp", "host_ip": "127.0.0.1", "host_port": 40022}]
    facts["network"]["listening"] = [{"port": 40022, "address": "127.0.0.1", "pid": 9, "comm": "docker-proxy"}]
    assert asked(facts, shm_size="9gb")["host_refusal"] == ""


def test_a_gpu_that_is_not_there_is_named() -> None:
    said = [asked(ENGINE, gpu_devices=["5"], language=one)["host_refusal"] for one in ("en", "zh")]
    assert "asks for 5, but the CDI specification has only all, 0, 1." in said[0]
    assert "要求 5，" in said[1] and "只有 all、0、1。" in said[1]


def test_passwords_stand_only_where_secrets_do() -> None:
    done = asked(ENGINE)
    secrets = [done["todo"][0].pop(name) for name in ("build_secrets", "access_secrets")]
    assert "hush" in json.dumps(secrets)
    assert "hush" not in json.dumps(done)


def test_a_missing_base_image_is_one_sentence() -> None:
    assert "dev_base.image is empty" in asked(ENGINE, base_image="")["refusal"]
    assert "dev_base.image 为空" in asked(ENGINE, base_image="", language="zh")["refusal"]


@pytest.mark.parametrize(
    ("stat", "words"),
    [
        ({"exists": False}, "does not exist"),
        ({"exists": True, "isdir": False}, "is not a directory"),
        ({"exists": True, "isdir": True, "mode": "0755", "uid": 0, "gid": 0}, "not writable for uid 1000"),
        ({"exists": True, "isdir": True, "mode": "0750", "uid": 1000, "gid": 0}, ""),
        ({"exists": True, "isdir": True, "mode": "1777", "uid": 0, "gid": 0}, ""),
        ({"exists": True, "isdir": True, "mode": "0770", "uid": 0, "gid": 1000}, ""),
    ],
)
def test_a_folder_that_the_user_cannot_work_in_is_named(stat: dict[str, Any], words: str) -> None:
    item = {"path": "/srv/models", "name": "dev", "uid": 1000, "gid": 1000, "read_only": False}
    looked = {"item": item, "stat": stat}
    said = steps.folder_error(looked)
    assert words in said if words else said == ""
    assert chinese(steps.folder_error(looked, "zh")) if words else steps.folder_error(looked, "zh") == ""


@pytest.mark.parametrize(
    ("wrong", "said", "translated"),
    [
        ({}, "", ""),
        (
            {"root": "opt"},
            'dev_container_root is "opt"; it must be an absolute path of letters',
            "dev_container_root 是「opt」",
        ),
        (
            {"root": "/opt/../etc"},
            'dev_container_root is "/opt/../etc"; it must',
            "dev_container_root 是「/opt/../etc」",
        ),
        ({"root": "/opt\n"}, "dev_container_root is", "dev_container_root 是"),
        (
            {"unknown": ["eve", "mallory"]},
            "dev_container_only names eve, mallory; there is alice, bob.",
            "dev_container_only 中的 eve、mallory 不存在；已有的是 alice、bob。",
        ),
    ],
)
def test_an_input_that_no_machine_can_follow_is_named(wrong: dict[str, Any], said: str, translated: str) -> None:
    inputs = {"root": ROOT, "names": ["alice", "bob"], "unknown": [], **wrong}
    found, other = (steps.input_error(inputs, language) for language in ("en", "zh"))
    assert found.startswith(said) and other.startswith(translated)
    assert bool(found) == bool(other) == bool(wrong)


def test_images_of_others_and_used_ones_stay() -> None:
    facts = copy.deepcopy(ENGINE)
    facts["docker"]["images"] = [{"tags": ["gpuready/dev:a", "gpuready/dev:b", "debian:13"]}]
    facts["docker"]["containers"] = [
        {"name": "bob", "image": "gpuready/dev:b"},
        {"name": "alice", "image": "gpuready/dev:a"},
    ]
    assert steps.own_images(facts, ["alice"]) == ["gpuready/dev:a"]
