# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _dev_stages_run
from ansible_collections.gpuready.bootstrap.plugins.modules.dev_stages import main

RunModule = Callable[..., dict[str, Any]]
TOKEN = "a-secret-of-the-index-9f3c"


@pytest.fixture(autouse=True)
def away_from_the_machine(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # /dev/shm is the machine's own; where it is no file system in memory, secrets lie in the work folder
    monkeypatch.setattr(_dev_stages_run, "MEMORY", str(tmp_path / "no-memory"))
    monkeypatch.setattr(_dev_stages_run, "GRACE", 0.2)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "stages"


def note(place: Path, name: str, **more: Any) -> dict[str, Any]:
    """A stage that notes that it ran, and makes one file."""
    made = place.parent / f"{name}.made"
    script = f"set -eu\necho {name} >> {place.parent}/order\necho made > {made}\n" + more.pop("then", "")
    return {"name": name, "script": script, "creates": [str(made)], **more}


def order(place: Path) -> list[str]:
    path = place.parent / "order"
    return path.read_text().split() if path.exists() else []


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def two(place: Path, **more: Any) -> list[dict[str, Any]]:
    return [note(place, "python"), note(place, "packages", after=["python"], **more)]


def test_runs_all_in_order_and_then_nothing(place: Path, run_module: RunModule) -> None:
    first = run_module(main, dir=str(place), stages=two(place))
    assert first["changed"] and first["ran"] == ["python", "packages"] and order(place) == ["python", "packages"]
    before = tree(place)
    again = run_module(main, dir=str(place), stages=two(place))
    assert not again["changed"] and again["ran"] == [] and again["kept"] == ["python", "packages"]
    assert order(place) == ["python", "packages"] and tree(place) == before and "diff" not in again


def test_check_mode_says_what_would_run_and_touches_nothing(place: Path, run_module: RunModule) -> None:
    said = run_module(main, check=True, dir=str(place), stages=two(place))
    assert said["changed"] and said["ran"] == ["python", "packages"] and not place.exists()
    run_module(main, dir=str(place), stages=two(place))
    before = tree(place.parent)
    later = two(place, env={"DEV_X": "1"})
    said = run_module(main, check=True, dir=str(place), stages=later)
    assert said["ran"] == ["packages"] and tree(place.parent) == before
    done = run_module(main, dir=str(place), stages=later)
    assert (done["ran"], done["why"], done["diff"]) == (said["ran"], said["why"], said["diff"])


@pytest.mark.parametrize(
    ("change", "ran"),
    [
        ({"env": {"DEV_X": "1"}}, ["packages"]),
        ({"inputs": {"requirements.txt": "numpy\n"}}, ["packages"]),
        ({"then": "true\n"}, ["packages"]),
        ({"creates": []}, []),
    ],
)
def test_only_what_changed_runs(place: Path, run_module: RunModule, change: dict[str, Any], ran: list[str]) -> None:
    run_module(main, dir=str(place), stages=two(place))
    assert run_module(main, dir=str(place), stages=two(place, **change))["ran"] == ran


def test_what_comes_after_a_changed_one_runs_too(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=[*two(place), note(place, "rust")])
    changed = [note(place, "python", env={"DEV_PYTHON_VERSION": "3.13"}), *two(place)[1:], note(place, "rust")]
    done = run_module(main, dir=str(place), stages=changed)
    assert done["ran"] == ["python", "packages"] and done["kept"] == ["rust"]


def test_a_result_that_vanished_is_made_anew(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=two(place))
    (place.parent / "python.made").unlink()
    done = run_module(main, dir=str(place), stages=two(place))
    assert done["ran"] == ["python", "packages"]
    assert done["why"] == {
        "python": f"{place.parent}/python.made is not there",
        "packages": "it is after python",
    }


def test_a_stage_that_is_not_asked_for_any_more_loses_its_stamp(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=[*two(place), note(place, "rust")])
    done = run_module(main, dir=str(place), stages=two(place))
    assert done["changed"] and done["forgotten"] == ["rust"] and done["ran"] == []
    assert not run_module(main, dir=str(place), stages=two(place))["changed"]
    assert run_module(main, dir=str(place), stages=[*two(place), note(place, "rust")])["ran"] == ["rust"]


# --- failures


def test_a_failing_script_is_told_by_its_last_lines_and_mended_later(place: Path, run_module: RunModule) -> None:
    bad = two(place, then="for i in $(seq 40); do echo line $i; done; echo no such package: nunpy >&2; exit 3\n")
    result = run_module(main, dir=str(place), stages=[*bad, note(place, "services", after=["packages"])])
    assert result["failed"] and result["stage"] == "packages" and result["ran"] == ["python"]
    assert "failed with exit status 3" in result["msg"] and "no such package: nunpy" in result["msg"]
    assert "line 40" in result["msg"] and "line 3\n" not in result["msg"] and "Done before it: python." in result["msg"]
    assert order(place) == ["python", "packages"]
    assert "line 3\n" in Path(result["log"]).read_text()
    assert not (place / "work").exists() and not (place / "running.json").exists()
    mended = run_module(main, dir=str(place), stages=two(place))
    assert mended["ran"] == ["packages"]


def test_a_script_that_does_not_make_what_it_says_has_failed(place: Path, run_module: RunModule) -> None:
    result = run_module(main, dir=str(place), stages=[{"name": "a", "script": "true", "creates": ["/nonexistent/a"]}])
    assert result["failed"] and "did not make /nonexistent/a" in result["msg"]
    assert json.loads((place / "stamps.json").read_text())["stages"] == {}


def test_a_script_that_takes_too_long_is_ended_with_all_that_it_started(place: Path, run_module: RunModule) -> None:
    script = f"sleep 300 & echo $! > {place.parent}/child\nwait"
    result = run_module(main, dir=str(place), timeout=1, stages=[{"name": "slow", "script": script}])
    assert result["failed"] and "did not end within 1 s" in result["msg"]
    assert not alive(int((place.parent / "child").read_text()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_script_that_is_killed_is_told_and_repeated(place: Path, run_module: RunModule) -> None:
    result = run_module(main, dir=str(place), stages=two(place, then="kill -KILL $$\n"))
    assert result["failed"] and "was killed by SIGKILL" in result["msg"]
    assert run_module(main, dir=str(place), stages=two(place))["ran"] == ["packages"]


def test_a_module_that_is_killed_is_mended_by_the_next_run(place: Path, run_module: RunModule, tmp_path: Path) -> None:
    """Stamps, secrets and the script that goes on: the next run ends it, cleans up and repeats."""
    run_module(main, dir=str(place), stages=two(place))
    slow = two(place, then="sleep 300\n", env={"DEV_X": "1"})
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"dir": str(place), "stages": slow, "secrets": {"pip_index_url": TOKEN}}))
    program = (
        "import json,sys\n"
        "from ansible.module_utils.testing import patch_module_args\n"
        "import ansible.module_utils._internal as i; i.is_controller = False\n"
        "from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files, _dev_stages_run\n"
        f"_files.STORE = {str(tmp_path / 'originals')!r}; _dev_stages_run.MEMORY = '/nonexistent'\n"
        "from ansible_collections.gpuready.bootstrap.plugins.modules.dev_stages import main\n"
        f"args = json.load(open({str(arguments)!r}))\n"
        f"with patch_module_args({{**args, '_ansible_tmpdir': {str(tmp_path)!r}}}): main()\n"
    )
    (place.parent / "order").unlink()
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, "-c", program], env=path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while order(place) != ["packages"] or not (place / "running.json").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    script = json.loads((place / "running.json").read_text())["pid"]
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert alive(script) and TOKEN in (place / "work/packages/secrets/pip_index_url").read_text()
    done = run_module(main, dir=str(place), stages=two(place))
    assert done["ran"] == ["packages"] and not alive(script)
    assert not (place / "work").exists()


def test_two_runs_at_once_are_refused(place: Path, run_module: RunModule) -> None:
    workplace = _dev_stages_run.Workplace(str(place), {}, 10)
    with workplace.locked():
        result = run_module(main, dir=str(place), stages=two(place))
    assert result["failed"] and "another run works in" in result["msg"] and order(place) == []


def test_a_stamp_file_that_cannot_be_read_costs_a_run(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=two(place))
    (place / "stamps.json").write_text("{ not json")
    result = run_module(main, dir=str(place), stages=two(place))
    assert result["ran"] == ["python", "packages"] and "cannot be read" in str(result["warnings"])
    assert not run_module(main, dir=str(place), stages=two(place))["changed"]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"name": "Bad Name", "script": ""}, "lower case letters"),
        ({"name": "a", "script": "", "after": ["b"]}, "is after b, which does not stand before it"),
        ({"name": "a", "script": "", "inputs": {"../x": ""}}, "not a plain relative file name"),
        ({"name": "a", "script": "", "inputs": {"x/../../y": ""}}, "not a plain relative file name"),
        ({"name": "a", "script": "", "env": {"A=B": "1"}}, "not a name of a variable"),
        ({"name": "a", "script": "", "creates": ["relative"]}, "not an absolute path"),
        ({"name": "a", "script": "", "run_as": "nobody-of-that-name"}, "no such account"),
        (
            {"name": "a", "script": "", "downloads": [{"name": "x", "url": "https://example.org/x", "sha256": ""}]},
            "has no sha256 of 64 digits",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Path, run_module: RunModule, stage: dict[str, Any], said: str) -> None:
    result = run_module(main, dir=str(place), stages=[stage])
    assert result["failed"] and not result["changed"] and said in result["msg"] and "No stage was run." in result["msg"]


def test_twice_the_same_name_is_refused(place: Path, run_module: RunModule) -> None:
    result = run_module(main, dir=str(place), stages=[note(place, "a"), note(place, "a")])
    assert "stands twice" in result["msg"]


# --- what a script gets


def test_inputs_secrets_and_environment(place: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "http://other.example.org")
    script = (
        f"set -eu; out={place.parent}/seen\n"
        'cat "$DEV_INPUTS/lock/requirements.txt" > $out; cat "$DEV_SECRETS/pip_index_url" >> $out\n'
        'stat -c %a "$DEV_SECRETS/pip_index_url" "$DEV_SECRETS" >> $out\n'
        'echo "$DEV_PREFIX ${PIP_INDEX_URL-unset} $https_proxy" >> $out\n'
        f'echo "$DEV_SECRETS" > {place.parent}/where; tr "\\0" " " < /proc/self/cmdline > {place.parent}/cmdline\n'
    )
    stage = {"name": "a", "script": script, "env": {"DEV_PREFIX": "/opt/venv"}}
    stage["inputs"] = {"lock/requirements.txt": "numpy==2\n"}
    run_module(main, dir=str(place), stages=[stage], secrets={"pip_index_url": f"{TOKEN}\n"})
    assert (place.parent / "seen").read_text().splitlines() == [
        "numpy==2",
        TOKEN,
        "600",
        "700",
        "/opt/venv unset http://proxy.example.org:3128",
    ]
    assert not Path((place.parent / "where").read_text().strip()).exists()
    assert TOKEN not in (place.parent / "cmdline").read_text()


def test_another_secret_repeats_nothing(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=two(place), secrets={"pip_index_url": TOKEN})
    assert not run_module(main, dir=str(place), stages=two(place), secrets={"pip_index_url": "another"})["changed"]


def test_a_secret_that_a_script_says_is_nowhere(place: Path, run_module: RunModule) -> None:
    script = 'cat "$DEV_SECRETS/key"; echo http://user:pass-word@index.example.org; exit 1'
    result = run_module(main, dir=str(place), stages=[{"name": "a", "script": script}], secrets={"key": TOKEN})
    assert result["failed"]
    said = json.dumps(result) + (place / "log/a.log").read_text()
    assert TOKEN not in said and "pass-word" not in said and "index.example.org" in said
    assert stat.S_IMODE((place / "log/a.log").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_stage_may_run_as_another(place: Path, run_module: RunModule, tmp_path: Path) -> None:
    place.parent.mkdir()
    for path in [place.parent, *place.parent.parents][:-2]:
        os.chmod(path, 0o755)
    out = place.parent / "who"
    out.touch()
    os.chmod(out, 0o666)
    script = f'(id -un; cat "$DEV_SECRETS/key" "$DEV_INPUTS/x"; echo "$HOME") > {out}'
    stage = {"name": "a", "script": script, "run_as": "nobody", "inputs": {"x": "in\n"}}
    result = run_module(main, dir=str(place), stages=[stage], secrets={"key": f"{TOKEN}\n"})
    assert not result.get("failed"), result
    assert out.read_text().split() == ["nobody", TOKEN, "in", "/nonexistent"]


# --- downloads


def file_to_download(tmp_path: Path, digest: str = "") -> dict[str, str]:
    source = tmp_path / "tool.tar.gz"
    source.write_bytes(b"tool\n")
    return {"name": "tool", "url": source.as_uri(), "sha256": digest or hashlib.sha256(b"tool\n").hexdigest()}


def test_a_download_is_verified_and_not_kept(place: Path, run_module: RunModule, tmp_path: Path) -> None:
    stage = note(place, "a", then='grep -q tool "$DEV_DOWNLOADS/tool"\n', downloads=[file_to_download(tmp_path)])
    assert run_module(main, dir=str(place), stages=[stage])["ran"] == ["a"]
    assert list((place / "downloads").iterdir()) == []
    moved = {**stage, "downloads": [{**stage["downloads"][0], "url": "https://mirror.example.org/tool"}]}
    assert not run_module(main, dir=str(place), stages=[moved])["changed"]


def test_a_wrong_download_stops_before_the_first_script(place: Path, run_module: RunModule, tmp_path: Path) -> None:
    wrong = note(place, "b", downloads=[file_to_download(tmp_path, "0" * 64)])
    result = run_module(main, dir=str(place), stages=[note(place, "a"), wrong])
    assert result["failed"] and not result["changed"] and order(place) == []
    assert "and not 000" in result["msg"] and list((place / "downloads").iterdir()) == []


def test_an_address_that_does_not_answer_is_named_without_its_password(place: Path, run_module: RunModule) -> None:
    download = {"name": "x", "url": "http://me:hidden-word@127.0.0.1:9/x", "sha256": "0" * 64}
    result = run_module(main, dir=str(place), stages=[note(place, "a", downloads=[download])])
    assert "x cannot be downloaded from http://***@127.0.0.1:9/x" in result["msg"]
    assert "hidden-word" not in result["msg"]


# --- absent


def test_absent_removes_what_the_module_made_and_nothing_else(place: Path, run_module: RunModule, store: Path) -> None:
    run_module(main, dir=str(place), stages=two(place))
    said = run_module(main, check=True, dir=str(place), state="absent")
    assert said["changed"] and place.exists()
    assert run_module(main, dir=str(place), state="absent")["changed"]
    assert not place.exists() and (place.parent / "python.made").exists() and not store.exists()
    assert not run_module(main, dir=str(place), state="absent")["changed"]
    assert not place.exists()


def test_absent_leaves_strange_files(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=two(place))
    (place / "mine").touch()
    run_module(main, dir=str(place), state="absent")
    assert [path.name for path in place.iterdir()] == ["mine"]


def test_the_lock_is_free_after_a_failure(place: Path, run_module: RunModule) -> None:
    run_module(main, dir=str(place), stages=[{"name": "a", "script": "exit 1"}])
    with _dev_stages_run.Workplace(str(place), {}, 10).locked():
        assert (place / "lock").exists()
