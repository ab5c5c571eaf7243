# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through ansible-playbook itself, on a pseudo-terminal and into a pipe: what is seen, and when."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[4]
spec = importlib.util.spec_from_file_location("progress_terminal", Path(__file__).with_name("terminal.py"))
assert spec and spec.loader
terminal = importlib.util.module_from_spec(spec)
sys.modules["progress_terminal"] = terminal
spec.loader.exec_module(terminal)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GPUREADY_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        **more,
    }


def command(tmp_path: Path, play: str, hosts: list[str], *arguments: str) -> list[str]:
    (tmp_path / "play.yml").write_text(play, encoding="utf-8")
    inventory = ",".join(hosts) + ","
    python = f"ansible_python_interpreter={sys.executable}"
    return ["ansible-playbook", "-c", "local", "-i", inventory, "-e", python, *arguments, str(tmp_path / "play.yml")]


def a_play(name: str, tasks: str, more: str = "") -> str:
    """A play for all hosts, of lines of tasks. more: lines above them."""
    return f"- name: {name}\n  hosts: all\n  gather_facts: false\n{more}  tasks:\n{tasks}"


def on_terminal(tmp_path: Path, play: str, hosts: list[str], *arguments: str, **more: Any) -> Any:
    variables = more.pop("variables", {})
    found = terminal.Terminal(command(tmp_path, play, hosts, *arguments), environment(tmp_path, **variables), **more)
    return found.run(PROJECT)


def into_pipe(tmp_path: Path, play: str, hosts: list[str], **variables: str) -> str:
    done = subprocess.run(
        command(tmp_path, play, hosts),
        cwd=PROJECT,
        env=environment(tmp_path, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}\n--\n{done.stderr}"


def one_live_area(found: Any, title: str) -> None:
    """No picture shows remains of an earlier one: the line with the clock is there at most once."""
    for picture in found.pictures:
        clocks = [line for line in picture if re.match(rf"{title}.* \d+:\d\d( .*left)?$", line)]
        assert len(clocks) <= 1, "\n".join(picture)
        bars = [line.split()[1] for line in picture if re.search("━|──", line)]
        assert len(bars) == len(set(bars)), "\n".join(picture)


LINES = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: A quick one
      ansible.builtin.debug:
        msg: quick
    - name: A skipped one (waits for nothing)
      ansible.builtin.pause:
        seconds: 9
      when: false
    - name: A long one (waits for the clock)
      ansible.builtin.command: sleep 2
"""


def test_a_long_task_is_named_while_it_runs_and_no_other(tmp_path: Path) -> None:
    variables = {"GPUREADY_PROGRESS_FIRST_AFTER": "0.5", "GPUREADY_PROGRESS_EVERY": "0.5", "ANSIBLE_NOCOLOR": "1"}
    argv = command(tmp_path, LINES, ["localhost"])
    seen: list[tuple[float, str]] = []
    with subprocess.Popen(
        argv, cwd=PROJECT, env=environment(tmp_path, **variables), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            seen.append((time.monotonic(), line.rstrip()))
    assert process.returncode == 0, seen
    waiting = [when for when, line in seen if line.startswith("   ... A long one (waits for the clock) [")]
    assert len(waiting) >= 2
    ended = next(when for when, line in seen if line.startswith("changed: [localhost]"))
    assert ended - waiting[0] > 1, "named while it runs, not after"
    assert not [line for _when, line in seen if line.startswith("   ...") and "A long one" not in line]


EVERYTHING = """
- name: The 路 road
  hosts: all
  gather_facts: false
  tasks:
    - name: 写入软件源（清华大学）
      ansible.builtin.command: echo {{ item }}
      loop: [one, two]
    - name: Secret
      ansible.builtin.command: echo {{ item }}
      no_log: true
      loop: [hunter2]
    - name: A message
      ansible.builtin.debug:
        msg: seen
    - name: Include
      ansible.builtin.include_tasks: inner.yml
      when: inventory_hostname != 'alone'
    - name: Wait for it
      ansible.builtin.command: sleep 0.1
      retries: 3
      delay: 1
      register: x
      until: x.attempts | default(1) > 1
      changed_when: false
    - name: Secret failure
      ansible.builtin.fail:
        msg: hunter2
      no_log: true
      ignore_errors: true
    - name: Fails
      ansible.builtin.command: sh -c "echo for-a-reason >&2; exit 7"
      when: inventory_hostname == '显卡二'
    - name: Notify
      ansible.builtin.command: sleep 0.1
      notify: Handle
  handlers:
    - name: Handle
      ansible.builtin.command: sleep 0.1
"""


def test_the_live_area(tmp_path: Path) -> None:
    (tmp_path / "inner.yml").write_text("- name: Inner\n  ansible.builtin.command: sleep 1\n", encoding="utf-8")
    resized = [("Inner", lambda it: it.resize(60, 24)), ("attempt 2", lambda it: it.resize(90, 24))]
    found = on_terminal(tmp_path, EVERYTHING, ["gpu01", "显卡二"], steps=resized)
    assert found.status == 2
    assert not found.steps
    one_live_area(found, "The 路 road")
    assert found.seen("gpu01", "━") and found.seen("显卡二", "━")
    assert found.seen("Wait for it", "attempt 2 of 4")
    assert found.seen("changed", "gpu01", "写入软件源（清华大学）")
    assert found.seen("says", "gpu01", "A message")
    text = found.raw.decode()
    assert "hunter2" not in text
    # the failure in full: host, task, message, what the command wrote
    assert found.seen("✗ failed", "显卡二", "Fails") and found.seen("stderr: for-a-reason") and found.seen("rc: 7")
    assert found.seen("failed, ignored", "gpu01", "Secret failure")
    assert [line for line in found.last if "━" in line] == [], "the live area is gone at the end"
    assert any(re.match(r"\d:\d\d  2 hosts, 8 changed, 1 failed", line) for line in found.last), found.last
    assert found.last[-2].startswith("✗ 显卡二  1 failed") and found.last[-1].startswith("✓ gpu01")
    assert not found.screen.cursor.hidden
    learned = json.loads((tmp_path / "cache" / "gpuready" / "progress.json").read_text(encoding="utf-8"))
    assert learned["tasks"]["slot:|Include"]["changed"] > 0.9, "what a task includes belongs to it"
    assert "task:|Fails" not in learned["tasks"] or "changed" not in learned["tasks"]["task:|Fails"]


def test_two_hundred_hosts(tmp_path: Path) -> None:
    tasks = """
    - name: Say it
      ansible.builtin.debug:
        msg: the same
    - name: Refuse one
      ansible.builtin.fail:
        msg: not this one
      when: inventory_hostname == 'gpu007'
"""
    hosts = [f"gpu{number:03}" for number in range(200)]
    found = on_terminal(tmp_path, a_play("Fleet", tasks), hosts, "--forks", "20")
    assert found.status == 2
    one_live_area(found, "Fleet")
    assert all(len([line for line in picture if "━" in line or "─" in line]) < 16 for picture in found.pictures)
    assert found.seen("more hosts: ", "waiting", "finished it")
    assert found.seen("says", "200 of 200 hosts", "Say it")
    assert found.seen("✗ failed", "gpu007", "Refuse one") and found.seen("not this one")
    assert any("200 hosts" in line and "1 failed" in line for line in found.last)
    assert "none of them failed" in found.last[-1]


def test_a_question_is_asked_on_a_quiet_screen(tmp_path: Path) -> None:
    wanted = "  vars:\n    wanted: [one, two, three]\n"
    prompt = "  vars_prompt:\n    - {name: answer, prompt: And now, private: false}\n"
    first = """
    - ansible.builtin.apt:
        name: "{{ wanted }}"
      when: lookup('ansible.builtin.pipe', 'sleep 1') == 'never'
    - ansible.builtin.pause:
        prompt: How is it
    - ansible.builtin.command: sleep 0.3
"""
    second = """
    - ansible.builtin.debug:
        msg: "{{ answer }}"
"""
    play = a_play("Asks", first, wanted) + a_play("Asks again", second, prompt)
    steps = [("How is it", lambda it: it.answer(b"fine\r")), ("And now", lambda it: it.type(b"better\r"))]
    found = on_terminal(tmp_path, play, ["gpu01"], steps=steps)
    assert found.status == 0
    for question in ("How is it", "And now"):
        asked = [picture for picture in found.pictures if any(question in line for line in picture)]
        assert not [line for line in asked[0] if "━" in line]
    assert found.seen("How is it") and found.seen("And now: better") and found.seen("    better")
    assert found.seen("Asks", "play 1 of 2") and found.seen("0:0")
    assert found.seen("· 3 packages"), "what a task has before it, where its arguments say so"
    assert "DEPRECATION" not in found.raw.decode()
    one_live_area(found, "Asks")


def test_an_interrupted_run_leaves_a_good_terminal(tmp_path: Path) -> None:
    tasks = """
    - name: Sleeps
      ansible.builtin.command: sleep 60
"""
    steps = [("0:02", lambda it: it.type(b"\x03"))]
    found = on_terminal(tmp_path, a_play("Long", tasks), ["gpu01"], steps=steps, limit=60)
    assert found.status not in (0, -9)
    assert found.seen("User interrupted execution")
    assert not found.screen.cursor.hidden
    assert found.screen.cursor.x == 0
    # what it was at, as a record
    assert any("Sleeps" in line for line in found.last)
    assert not (tmp_path / "cache" / "gpuready" / "progress.json").exists()


DEFAULT_PLAY = """
- name: Play
  hosts: all
  gather_facts: false
  tasks:
    - name: 写入
      ansible.builtin.command: echo {{ item }}
      loop: [one, two]
    - name: Message
      ansible.builtin.debug:
        msg: seen
    - name: Skipped
      ansible.builtin.debug:
      when: false
    - name: Fails
      ansible.builtin.fail:
        msg: no
"""


@pytest.mark.parametrize("variables", [{}, {"GPUREADY_PROGRESS": "off"}, {"NO_COLOR": "1", "TERM": "dumb"}])
def test_without_a_terminal_it_is_the_default_output(variables: dict[str, str], tmp_path: Path) -> None:
    def bare(text: str) -> str:
        return re.sub(r'"(start|end|delta)": "[^"]*"', "", text)

    plain = into_pipe(tmp_path, DEFAULT_PLAY, ["gpu01"], ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
    ours = into_pipe(tmp_path, DEFAULT_PLAY, ["gpu01"], GPUREADY_PROGRESS_FIRST_AFTER="99", **variables)
    assert bare(ours) == bare(plain)
    assert "\x1b" not in ours
    assert "PLAY RECAP" in ours


@pytest.mark.parametrize("variables", [{}, {"GPUREADY_PROGRESS": "off"}])
def test_without_a_terminal_nothing_of_the_live_area_is_loaded(variables: dict[str, str], tmp_path: Path) -> None:
    """Every run loads both callbacks: what only the live area or a report at the end needs must not slow it down."""
    # documented: python -X importtime; a line for each module that is imported
    found = into_pipe(tmp_path, DEFAULT_PLAY, ["gpu01"], PYTHONPROFILEIMPORTTIME="1", **variables)
    loaded = {line.rpartition("|")[2].strip() for line in found.splitlines() if line.startswith("import time:")}
    utils = "ansible_collections.gpuready.bootstrap.plugins.plugin_utils"
    assert {f"{utils}.progress_lines", f"{utils}.warm"} <= loaded, "both callbacks, and what they import"
    dear = ("rich", f"{utils}.progress_screen", f"{utils}.progress.render", f"{utils}.readiness_files")
    assert [name for name in sorted(loaded) if name in dear] == []


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ([], {"TERM": "dumb"}),
        ([], {"GPUREADY_PROGRESS": "off"}),
        (["-v"], {}),
        ([], {"ANSIBLE_STDOUT_CALLBACK": "default"}),
    ],
)
def test_default_output_on_a_terminal(arguments: list[str], variables: dict[str, str], tmp_path: Path) -> None:
    variables = {"ANSIBLE_NOCOLOR": "1", **variables}
    found = on_terminal(tmp_path, DEFAULT_PLAY, ["gpu01"], *arguments, variables=variables)
    assert found.seen("PLAY RECAP")
    assert b"\x1b" not in found.raw


def test_no_color_leaves_bold_and_dim(tmp_path: Path) -> None:
    found = on_terminal(tmp_path, DEFAULT_PLAY, ["gpu01"], variables={"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"})
    assert found.seen("━")
    assert set(re.findall(rb"\x1b\[([\d;]*)m", found.raw)) <= {b"0", b"1", b"2"}
