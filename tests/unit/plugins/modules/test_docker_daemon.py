# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.docker_daemon import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
pytestmark = pytest.mark.usefixtures("store")
DOWN = "echo ActiveState=inactive"
UP = "echo ActiveState=active"
DOCKER = 'case "$*" in *info*) echo {live};; *ps*) printf "train-job\\nweb\\n";; esac'


@pytest.fixture
def path(tmp_path: Path, programs: Programs) -> Path:
    programs(systemctl=DOWN, dockerd='case "$1" in --validate) exit 0;; esac')
    return tmp_path / "etc" / "docker" / "daemon.json"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_new_file(path: Path, run_module: RunModule) -> None:
    settings = {"live-restore": True, "log-opts": {"max-size": "20m"}}
    predicted = run_module(main, check=True, path=str(path), settings=settings)
    assert not path.parent.exists()
    result = run_module(main, path=str(path), settings=settings)
    assert result["changed"] and result["action"] == "none" and result["changed_keys"] == ["live-restore", "log-opts"]
    assert predicted["diff"] == result["diff"] and predicted["changed_keys"] == result["changed_keys"]
    assert path.read_text() == json.dumps(settings, indent=4) + "\n"
    assert not run_module(main, path=str(path), settings=settings)["changed"]
    gone = run_module(main, path=str(path), state="absent")
    assert gone["changed"] and not path.parent.exists()


def test_users_keys_order_and_mode_survive(path: Path, run_module: RunModule) -> None:
    put(path, '{"zz": 1, "log-opts": {"env": "A"},\n "aa": [true]}')
    path.chmod(0o600)
    run_module(main, path=str(path), settings={"log-opts": {"max-size": "1m"}, "debug": True, "aa": None})
    assert list(json.loads(path.read_text()).items()) == [
        ("zz", 1),
        ("log-opts", {"env": "A", "max-size": "1m"}),
        ("debug", True),
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_equal_data_keeps_the_users_formatting(path: Path, run_module: RunModule) -> None:
    put(path, '{"debug":true,\n\n"x":1}')
    assert not run_module(main, path=str(path), settings={"debug": True})["changed"]
    assert path.read_text() == '{"debug":true,\n\n"x":1}'
    assert not run_module(main, path=str(path), state="absent")["changed"]


def test_absent_restores_byte_for_byte(path: Path, run_module: RunModule, store: Path) -> None:
    original = '{ "debug":false ,"x": [1,\t2] }'
    put(path, original)
    run_module(main, path=str(path), settings={"debug": True})
    run_module(main, path=str(path), settings={"features": {"cdi": True}})
    assert run_module(main, path=str(path), state="absent")["changed"]
    assert path.read_text() == original and not store.exists()


def test_two_owners_take_their_keys_back_one_after_the_other(path: Path, run_module: RunModule) -> None:
    original = '{"x":1}'
    put(path, original)
    one, two = {"debug": True, "log-opts": {"a": "1"}}, {"features": {"cdi": True}, "log-opts": {"b": "2"}}
    run_module(main, path=str(path), settings=one)
    run_module(main, path=str(path), settings=two)
    run_module(main, path=str(path), settings=one, state="absent")
    assert json.loads(path.read_text()) == {"x": 1, "log-opts": {"b": "2"}, "features": {"cdi": True}}
    run_module(main, path=str(path), settings=two, state="absent")
    assert path.read_text() == original


def test_absent_after_a_human_edit_takes_only_our_keys(path: Path, run_module: RunModule) -> None:
    put(path, '{"debug": false, "x": 1}')
    run_module(main, path=str(path), settings={"debug": True, "labels": ["a"], "mtu": 1400})
    data = json.loads(path.read_text())
    put(path, json.dumps({**data, "mine": 5, "mtu": 9000}))
    result = run_module(main, path=str(path), state="absent")
    assert json.loads(path.read_text()) == {"x": 1, "debug": False, "mine": 5, "mtu": 9000}
    assert result["keys_left"] == ["mtu"] and result["warnings"]
    assert not run_module(main, path=str(path), state="absent")["changed"]


def test_human_edit_between_two_of_our_writes_is_not_lost(path: Path, run_module: RunModule) -> None:
    put(path, '{"x": 1}')
    run_module(main, path=str(path), settings={"debug": True})
    put(path, '{"x": 1, "debug": true, "mine": 2}')
    run_module(main, path=str(path), settings={"labels": ["a"]})
    run_module(main, path=str(path), state="absent")
    assert json.loads(path.read_text()) == {"x": 1, "mine": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,}', ["line 1, column"]),
        ('{"a": 1,\n  "b": {"c": 1, "c": 2}}', ["line 2, column 17", '"c" stands twice']),
        ("[]", ["expected an object"]),
        ('{"a": NaN}', ["NaN"]),
        ("\ufeff{}", ["line 1"]),
    ],
)
def test_unparsable_file_is_refused(path: Path, run_module: RunModule, text: str, words: list[str]) -> None:
    put(path, text)
    result = run_module(main, path=str(path), settings={"debug": True})
    assert result["failed"] and str(path) in result["msg"] and all(word in result["msg"] for word in words)
    assert path.read_text() == text


def test_empty_file_counts_as_empty_object(path: Path, run_module: RunModule) -> None:
    put(path, "")
    assert run_module(main, path=str(path), settings={"debug": True})["changed"]
    run_module(main, path=str(path), state="absent")
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("before", "settings", "action"),
    [
        ({}, {"debug": True}, "reload"),
        ({}, {"runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}}, "reload"),
        ({}, {"features": {"cdi": True}}, "restart"),
        ({}, {"features": {"buildkit": True}}, "reload"),
        ({}, {"data-root": "/srv/docker"}, "restart"),
        ({"debug": True}, {"debug": None}, "restart"),
        ({"debug": True}, {"debug": True}, "none"),
    ],
)
def test_action(path: Path, run_module: RunModule, programs: Programs, before: Any, settings: Any, action: str) -> None:
    programs(systemctl=UP, docker=DOCKER.format(live="true"))
    put(path, json.dumps(before))
    result = run_module(main, path=str(path), settings=settings)
    assert result["action"] == action and result["running_containers"] == []


def test_restart_over_running_containers_is_refused(path: Path, run_module: RunModule, programs: Programs) -> None:
    programs(systemctl=UP, docker=DOCKER.format(live="false"))
    args = {"path": str(path), "settings": {"data-root": "/srv/docker"}}
    result = run_module(main, **args)
    assert result["failed"] and "train-job, web" in result["msg"] and "data-root" in result["msg"]
    assert not path.exists()
    forced = run_module(main, **args, on_running_containers="proceed")
    assert forced["action"] == "restart" and forced["running_containers"] == ["train-job", "web"]


def test_unknown_containers_are_not_taken_for_none(path: Path, run_module: RunModule, programs: Programs) -> None:
    programs(systemctl=UP, docker="echo cannot connect >&2; exit 1")
    result = run_module(main, path=str(path), settings={"data-root": "/srv/docker"})
    assert result["failed"] and "cannot connect" in result["msg"] and not path.exists()


def test_setting_given_as_flag_is_refused(
    path: Path, run_module: RunModule, programs: Programs, tmp_path: Path
) -> None:
    options = tmp_path / "docker-default"
    options.write_text('# comment\nDOCKER_OPTS="--log-driver=journald -D"\n')
    programs(
        systemctl="cat <<'E'\n"
        "ActiveState=active\n"
        "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// --add-runtime a=b $DOCKER_OPTS ; x=y }\n"
        f"EnvironmentFiles={options} (ignore_errors=yes)\n"
        "DropInPaths=/etc/systemd/system/docker.service.d/o.conf\n"
        "FragmentPath=/usr/lib/systemd/system/docker.service\nE"
    )
    for key, value in (("hosts", ["x"]), ("runtimes", {"a": {}}), ("log-driver", "local"), ("debug", True)):
        result = run_module(main, path=str(path), settings={key: value})
        assert result["failed"] and key in result["msg"] and "docker.service.d/o.conf" in result["msg"]
    assert not path.exists()


def test_dockerd_validates_before_the_write(path: Path, run_module: RunModule, programs: Programs) -> None:
    programs(dockerd='echo "the following directives don\'t match any configuration option: nope" >&2; exit 1')
    result = run_module(main, path=str(path), settings={"nope": 1})
    assert result["failed"] and "nope" in result["msg"] and not path.exists()


def test_old_dockerd_without_validate(path: Path, run_module: RunModule, programs: Programs) -> None:
    programs(dockerd="echo 'unknown flag: --validate' >&2; exit 125")
    assert run_module(main, path=str(path), settings={"debug": True})["changed"]


def test_passwords_in_urls_do_not_reach_the_diff(path: Path, run_module: RunModule) -> None:
    settings = {"proxies": {"http-proxy": "http://me:hush@proxy.example.org:3128"}}
    result = run_module(main, path=str(path), settings=settings)
    assert "hush" not in json.dumps(result["diff"]) and "hush" in path.read_text()
