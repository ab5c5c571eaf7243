# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dev_services without a supervisord: what it writes, refuses and predicts. With one: molecule/dev_inplace."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _supervisor
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_services import kept_secret
from ansible_collections.gpuready.bootstrap.plugins.modules.dev_services import main
from hypothesis import given
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
TOKEN = "a-token-of-more-than-24-characters"


@pytest.fixture
def place(tmp_path: Path, store: Path) -> dict[str, str]:
    return {"dir": str(tmp_path / "disk/services"), "run_dir": str(tmp_path / "run")}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def program(**more: Any) -> dict[str, Any]:
    return {"name": "jupyter", "command": ["/opt/venv/bin/jupyter", "lab"], **more}


def test_check_mode_predicts_and_writes_nothing(place: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    secret = {"path": str(tmp_path / "disk/token")}
    said = run_module(main, check=True, programs=[program()], secrets=[secret], **place)
    assert said["changed"] and said["started"] == ["jupyter"]
    assert said["files"] == [secret["path"], f"{place['dir']}/supervisord.conf"]
    assert not (tmp_path / "disk").exists()


def test_without_supervisord_nothing_is_changed(place: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    said = run_module(main, programs=[program()], supervisord=["/nonexistent/supervisord"], **place)
    assert said["failed"] and not said["changed"] and "there is no supervisord" in said["msg"]
    assert "Nothing was changed." in said["msg"] and not (tmp_path / "disk").exists()


def test_a_taken_port_is_refused_before_anything_is_written(
    place: dict[str, str], run_module: RunModule, taken: int, tmp_path: Path
) -> None:
    said = run_module(main, programs=[program(port=taken)], supervisord=["/bin/true"], **place)
    assert said["failed"] and f"port {taken} on loopback, which jupyter shall have, is taken" in said["msg"]
    assert not (tmp_path / "disk").exists()


@pytest.mark.parametrize(
    ("value", "said"), [("too-little", "shorter than 24"), ("with a blank in it, and long enough", "white space")]
)
def test_a_bad_secret_is_refused(
    place: dict[str, str], run_module: RunModule, tmp_path: Path, value: str, said: str
) -> None:
    path = tmp_path / "disk/token"
    result = run_module(main, secrets=[{"path": str(path), "value": value}], supervisord=["/bin/true"], **place)
    assert result["failed"] and said in result["msg"] and not path.exists()
    assert value not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_secrets_are_made_once_and_hidden(place: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "disk/token"
    first = run_module(main, secrets=[{"path": str(path)}], supervisord=["/bin/true"], **place)
    made = path.read_text()
    assert len(made) == 48 and made.isalnum() and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made not in json.dumps(first)
    again = run_module(main, secrets=[{"path": str(path)}], supervisord=["/bin/true"], **place)
    assert not again["changed"] and path.read_text() == made
    given = run_module(main, secrets=[{"path": str(path), "value": TOKEN}], supervisord=["/bin/true"], **place)
    assert given["changed"] and path.read_text() == TOKEN and TOKEN not in json.dumps(given)
    text = {"path": str(path), "value": "", "generate": False}
    gone = run_module(main, secrets=[text], supervisord=["/bin/true"], **place)
    assert gone["changed"] and not path.exists()


def test_a_secret_stays_when_the_text_around_it_changes(
    place: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    path = tmp_path / "disk/code-server.yaml"
    before = {"path": str(path), "text": 'port: 1\npassword: "{secret}"\n'}
    run_module(main, secrets=[before], supervisord=["/bin/true"], **place)
    made = path.read_text().split('"')[1]
    after = {"path": str(path), "text": 'port: 2\nmore: x\npassword: "{secret}"\n'}
    run_module(main, secrets=[after], supervisord=["/bin/true"], **place)
    assert path.read_text() == f'port: 2\nmore: x\npassword: "{made}"\n'


def test_absent_removes_all_of_it(place: dict[str, str], run_module: RunModule, tmp_path: Path, store: Path) -> None:
    path = tmp_path / "disk/token"
    run_module(main, secrets=[{"path": str(path)}], supervisord=["/bin/true"], **place)
    gone = run_module(main, secrets=[{"path": str(path)}], state="absent", **place)
    assert gone["changed"] and not (tmp_path / "disk").exists() and not store.exists()
    assert not run_module(main, secrets=[{"path": str(path)}], state="absent", **place)["changed"]


def test_what_a_killed_supervisord_left_is_known_and_what_users_started_is_not() -> None:
    mark = {"PATH": "/usr/bin:/bin", "GPUREADY_SERVICES": "/data/conf"}
    ours = subprocess.Popen(["sh", "-c", "sleep 60; true", "--config=/data/x"], env=mark)
    users = subprocess.Popen(["sleep", "60"], env=mark)
    try:
        deadline = time.monotonic() + 5
        while (found := _supervisor.orphans("/data/conf", ["jupyter", "lab", "--config=/data/x"])) != [ours.pid]:
            assert time.monotonic() < deadline, found
        assert _supervisor.orphans("/other/conf", ["jupyter", "lab", "--config=/data/x"]) == []
    finally:
        for process in (ours, users):
            process.kill()
            process.wait()


# --- the text of the configuration


def test_the_configuration_holds_programs_and_their_environment() -> None:
    programs = [
        {
            "name": "jupyter",
            "command": ["/opt/my venv/bin/jupyter", "lab", "--x=100%"],
            "directory": "/root",
            "environment": {"NAME": "it's 100 %", "OTHER": 'say "x"'},
        }
    ]
    text = _supervisor.render(programs, "/data/conf", "/data/log", "/run/x")
    assert "command='/opt/my venv/bin/jupyter' lab --x=100%%\n" in text
    assert 'GPUREADY_SERVICES="/data/conf",NAME="it\'s 100 %%",OTHER=\'say "x"\'\n' in text
    assert "[unix_http_server]\nfile=/run/x/supervisor.sock\nchmod=0700\n" in text


@pytest.mark.parametrize("value", ["both ' and \"", "line\nfeed", "a ;comment"])
def test_what_it_cannot_hold_is_refused(value: str) -> None:
    entry = {"name": "a", "command": ["x"], "directory": "/", "environment": {"X": value}}
    with pytest.raises(_supervisor.SupervisorError):
        _supervisor.render([entry], "/conf", "/log", "/run")


@given(st.text(alphabet=st.characters(blacklist_characters="\n\r\"'\x00"), max_size=40))
def test_values_do_not_leave_their_quotes(value: str) -> None:
    if " ;" in value:
        return
    quoted = _supervisor.quoted("X", value)
    assert quoted[0] == quoted[-1] == '"' and quoted[1:-1].replace("%%", "") == value.replace("%", "")


@given(st.binary(max_size=200), st.sampled_from(["", 'a: "{secret}"\n', "x\n{secret}"]))
def test_any_file_can_be_looked_at_for_a_secret(raw: bytes, text: str) -> None:
    found = kept_secret(raw, text)
    assert not found or (len(found) >= 24 and not any(character.isspace() for character in found))


def test_one_start_waits_for_the_other(tmp_path: Path) -> None:
    """The lock of a login, which holds it by flock(1) until supervisord is in the background."""
    held = subprocess.Popen(["flock", "-o", str(tmp_path), "sh", "-c", f"touch {tmp_path}/has; sleep 0.6"])
    while not (tmp_path / "has").exists():
        time.sleep(0.01)
    began = time.monotonic()
    refused = pytest.raises(_supervisor.SupervisorError, match="locked for 0 s by another start")
    with refused, _supervisor.alone(str(tmp_path), 0.1):
        pass
    with _supervisor.alone(str(tmp_path)):
        assert held.wait(1) == 0
    assert time.monotonic() - began > 0.2
    with _supervisor.alone(str(tmp_path), 0):
        pass


def test_one_that_a_login_has_just_started_is_waited_for(tmp_path: Path) -> None:
    """It listens, and its number comes a moment later; a socket that nobody listens on is of an earlier life."""
    run, config = tmp_path, str(tmp_path / "supervisord.conf")
    assert _supervisor.begun(str(run), config) is None
    assert _supervisor.begun(f"{run}/{'long' * 30}", config) is None
    script = f"sleep 0.4; echo $$ > {run}/supervisord.pid; while sleep 1; do :; done"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(run / "supervisor.sock"))
        server.listen()
        login = subprocess.Popen(["sh", "-c", script, "supervisord", "-c", config])
        assert _supervisor.begun(str(run), config) == login.pid
        login.kill()
        login.wait()
        assert _supervisor.begun(str(run), config, 0.1) is None
    began = time.monotonic()
    assert _supervisor.begun(str(run), config) is None and time.monotonic() - began < 1
