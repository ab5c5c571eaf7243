# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.modules.docker_daemon import main
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
pytestmark = pytest.mark.usefixtures("store")
DOWN = "echo ActiveState=inactive"
UP = "echo ActiveState=active"
DATA = "ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_data.DATA_ROOT"
PID = "ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon.PID_FILE"
DOCKER = 'case "$*" in *info*) echo {live};; *ps*) printf "train-job\\nweb\\n";; esac'


@pytest.fixture
def path(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Path:
    # neither this machine's containers nor its daemon
    monkeypatch.setattr(DATA, str(tmp_path / "var-lib-docker"))
    monkeypatch.setattr(PID, str(tmp_path / "docker.pid"))
    monkeypatch.setattr(PID.replace("PID_FILE", "CONFIG_FILE"), str(tmp_path / "etc" / "docker" / "daemon.json"))
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


def test_an_edited_file_that_holds_nothing_but_ours_goes_away(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), settings={"debug": True})
    put(path, '{"debug":true}')
    run_module(main, path=str(path), settings={"mtu": 1})
    run_module(main, path=str(path), state="absent")
    assert not path.exists()
    put(path, "{}")
    run_module(main, path=str(path), settings={"debug": True})
    put(path, '{"debug":true}')
    run_module(main, path=str(path), state="absent")
    assert path.read_text() == "{}\n"


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
    programs(systemctl=UP, docker='case "$*" in *info*) echo true;; esac')
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
    for key, value in (("hosts", ["x"]), ("log-driver", "local"), ("debug", True)):
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


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:P@ssw0rd99@h:1",
        "http://me:Pa/ssw0rd99@h:1",
        "http://ghp_ssw0rd99@h:1",
        "http://me:8080/ssw0rd99@h:1",
    ],
)
def test_no_form_of_a_password_is_shown_or_readable_for_all(path: Path, run_module: RunModule, proxy: str) -> None:
    result = run_module(main, path=str(path), settings={"proxies": {"http-proxy": proxy}})
    assert "ssw0rd99" not in json.dumps(result) and json.loads(path.read_text())["proxies"]["http-proxy"] == proxy
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_object_where_ours_must_be_one_is_refused(path: Path, run_module: RunModule) -> None:
    text = '{"log-opts": "max-size=1m", "features": [1]}'
    put(path, text)
    result = run_module(main, path=str(path), settings={"log-opts": {"max-size": "2m"}, "features": {"cdi": True}})
    assert result["failed"] and "log-opts, features in" in result["msg"] and path.read_text() == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('// mine\n{"debug": true}', ["line 1, column 1", "no comments"]),
        ('{\n  "debug": true  # mine\n}', ["line 2, column 18", "no comments"]),
        ('{"debug": true,\n}', ["line ", "comma"]),  # Python 3.13 points at the comma
    ],
)
def test_comments_and_commas_are_named(path: Path, run_module: RunModule, text: str, words: list[str]) -> None:
    put(path, text)
    result = run_module(main, path=str(path), settings={"mtu": 1})
    assert result["failed"] and all(word in result["msg"] for word in words) and path.read_text() == text


def test_an_owners_keys_that_are_not_wished_any_more_are_given_back(path: Path, run_module: RunModule) -> None:
    put(path, '{"mtu": 9000, "x": 1}')
    run_module(main, path=str(path), owner="one", settings={"mtu": 1400, "debug": True, "log-opts": {"a": "1"}})
    run_module(main, path=str(path), owner="two", settings={"debug": True, "log-opts": {"b": "2"}})
    run_module(main, path=str(path), owner="one", settings={"log-opts": {"a": "1"}})
    assert json.loads(path.read_text()) == {"mtu": 9000, "x": 1, "debug": True, "log-opts": {"a": "1", "b": "2"}}
    run_module(main, path=str(path), owner="two", state="absent")
    assert json.loads(path.read_text()) == {"mtu": 9000, "x": 1, "log-opts": {"a": "1"}}
    run_module(main, path=str(path), owner="one", state="absent")
    assert path.read_text() == '{"mtu": 9000, "x": 1}'


def test_the_daemon_is_told_to_read_and_nothing_is_due_after_a_reload(
    path: Path, run_module: RunModule, programs: Programs, tmp_path: Path, store: Path
) -> None:
    calls = tmp_path / "calls"
    programs(systemctl=f'case "$1" in show) {UP};; *) echo "$@" >> {calls};; esac', docker=DOCKER.format(live="false"))
    result = run_module(main, path=str(path), settings={"debug": True})
    assert result["action"] == "reload" and result["reloaded"]
    assert calls.read_text() == "reload docker.service\n"
    assert '"restart_due": null' in (store / "index.json").read_text()


def test_a_failed_reload_stays_due(path: Path, run_module: RunModule, programs: Programs, store: Path) -> None:
    programs(systemctl=f'case "$1" in show) {UP};; *) exit 1;; esac', docker=DOCKER.format(live="false"))
    result = run_module(main, path=str(path), settings={"debug": True})
    assert result["changed"] and not result["reloaded"] and "reload" in str(result["warnings"])
    assert '"restart_due": null' not in (store / "index.json").read_text()


def test_live_restore_that_is_switched_on_by_the_same_change_saves_the_containers(
    path: Path, run_module: RunModule, programs: Programs, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    programs(
        systemctl=f'case "$1" in show) {UP};; reload) touch {told};; esac',
        docker=f'case "$*" in *info*) if [ -e {told} ]; then echo true; else echo false; fi;; *ps*) echo job;; esac',
    )
    result = run_module(main, path=str(path), settings={"live-restore": True, "mtu": 1400})
    assert (
        result["action"] == "restart"
        and result["running_containers"] == []
        and str(path) not in str(result.get("warnings"))
    )


def test_a_key_of_somebody_else_that_is_a_flag_too_is_reported(
    path: Path, run_module: RunModule, programs: Programs
) -> None:
    put(path, '{"hosts": ["fd://"]}')
    line = "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// ; x=y }"
    programs(systemctl=f"printf 'ActiveState=active\\n{line}\\n'")
    result = run_module(main, path=str(path), settings={"debug": True})
    assert result["failed"] and "hosts" in result["msg"] and "-H" in result["msg"]


def test_a_daemon_that_reads_another_file_is_reported(path: Path, run_module: RunModule, programs: Programs) -> None:
    line = "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd --config-file /srv/d.json ; x=y }"
    programs(systemctl=f"printf 'ActiveState=active\\n{line}\\n'")
    result = run_module(main, path=str(path), settings={"debug": True})
    assert result["failed"] and "/srv/d.json" in result["msg"] and not path.exists()


@pytest.mark.parametrize("what", ["containers/abc", "volumes/mine", "image/overlay2/imagedb/content/sha256/abc"])
def test_a_data_root_that_hides_data_is_refused(path: Path, run_module: RunModule, tmp_path: Path, what: str) -> None:
    old, new = tmp_path / "var-lib-docker", tmp_path / "new"
    (old / what).mkdir(parents=True)
    result = run_module(main, path=str(path), settings={"data-root": str(new)})
    assert result["failed"] and "1 " in result["msg"] and "rsync" in result["msg"] and not path.exists()
    (new / what).mkdir(parents=True)
    assert run_module(main, path=str(path), settings={"data-root": str(new)})["changed"]


def test_an_empty_data_root_may_be_left(path: Path, run_module: RunModule, tmp_path: Path) -> None:
    for name in ("containers", "volumes", "image/overlay2/imagedb/content/sha256", "overlay2/l"):
        (tmp_path / "var-lib-docker" / name).mkdir(parents=True)
    (tmp_path / "var-lib-docker" / "volumes" / "metadata.db").touch()
    assert run_module(main, path=str(path), settings={"data-root": str(tmp_path / "new")})["changed"]


def test_passwords_are_taken_out_of_all_that_is_printed(path: Path, run_module: RunModule) -> None:
    result = run_module(main, path=str(path), settings={"proxies": {"http-proxy": "http://me:hush%21@p.example.org:1"}})
    assert "hush" not in json.dumps(result) and "hush%21" in path.read_text()


@pytest.mark.parametrize(("text", "mode"), [(None, 0o644), ('{"debug": true}', 0o640)], ids=["new", "there"])
def test_a_file_with_a_password_is_for_root_alone_and_no_longer(
    path: Path, run_module: RunModule, text: str | None, mode: int
) -> None:
    if text is not None:
        put(path, text)
        path.chmod(mode)
    proxy = {"proxies": {"http-proxy": "http://me:secret@proxy.example.org:1"}}
    run_module(main, path=str(path), settings=proxy)
    assert path.stat().st_mode & 0o777 == 0o600
    run_module(main, path=str(path), settings={**proxy, "log-driver": "local"})
    assert path.stat().st_mode & 0o777 == 0o600
    run_module(main, path=str(path), owner="", settings={"proxies": {"http-proxy": "http://proxy.example.org:1"}})
    assert path.stat().st_mode & 0o777 == mode
    run_module(main, path=str(path), settings=proxy)
    run_module(main, path=str(path), state="absent")
    assert path.exists() == (text is not None)
    if text is not None:
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, mode)


def test_a_write_that_fails_leaves_no_trace(
    path: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    def full(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    put(path, '{"x": 1}')
    run_module(main, path=str(path), settings={"debug": True})
    before, records = path.read_text(), json.loads((store / "index.json").read_text())
    move = AnsibleModule.atomic_move
    target = str(path)

    def atomic_move(self: Any, source: str, destination: str, *args: Any) -> None:
        full() if destination == target else move(self, source, destination, *args)

    monkeypatch.setattr(AnsibleModule, "atomic_move", atomic_move)
    result = run_module(main, path=str(path), settings={"mtu": 1})
    assert result["failed"] and "No space left" in result["msg"] and "unchanged" in result["msg"]
    assert path.read_text() == before and json.loads((store / "index.json").read_text()) == records
    monkeypatch.undo()
    run_module(main, path=str(path), state="absent")


SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.text(max_size=3), st.none())
DOCUMENTS = st.dictionaries(
    st.sampled_from(["mtu", "debug", "log-opts", "labels", "mine"]),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=2)),
    max_size=4,
)
SETTINGS = st.dictionaries(
    st.sampled_from(["mtu", "debug", "log-opts"]),
    st.one_of(st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=2)),
    max_size=3,
)


@settings_(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, SETTINGS, SETTINGS, st.sampled_from([None, 1, 3]))
def test_any_document_of_the_user_survives(
    path: Path, run_module: RunModule, document: Any, one: Any, two: Any, indent: int | None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    original = json.dumps(document, indent=indent) + " "
    path.write_text(original)
    for settings in (one, two, two):
        result = run_module(main, path=str(path), owner="role", settings=settings)
        if result.get("failed"):  # an object of ours against something else of the user
            assert "is no object" in result["msg"]
            continue
        written = json.loads(path.read_text())
        assert {key: written[key] for key in document if key not in settings} == {
            key: document[key] for key in document if key not in settings
        }
        assert all(key in written for key in settings)
    assert not run_module(main, path=str(path), owner="role", settings=two)["changed"] or "failed" in result
    run_module(main, path=str(path), owner="role", state="absent")
    assert path.read_text() == original
