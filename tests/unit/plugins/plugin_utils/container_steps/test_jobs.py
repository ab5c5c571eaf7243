# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose work would end with a dev container. The table is what Docker 26 printed of one (sandbox host, Debian 13)."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.jobs import jobs, refusal, unseen, work
from hypothesis import given
from hypothesis import strategies as st

SERVES = """\
PID     PPID    USER    COMMAND
4342    4320    1000    /usr/bin/tini -g -- /usr/local/bin/devenv-entrypoint /usr/bin/supervisord -n
4377    4342    1000    /usr/bin/python3 /usr/bin/supervisord -n -c /etc/devenv/supervisord.conf
4409    4377    1000    /opt/venv/bin/python /opt/venv/bin/jupyter-lab --config=/etc/devenv/jupyter.py
4415    4377    1000    sshd: /usr/sbin/sshd -D -e -f /etc/devenv/sshd_config [listener] 0 of 10-100
4420    4377    1000    /usr/lib/code-server/lib/node /usr/lib/code-server --config /run/devenv/x.yaml
4431    4420    1000    /usr/lib/code-server/lib/node /usr/lib/code-server/out/node/entry
"""
HEALTH = """\
5000    4320    1000    bash /usr/local/bin/devenv-health
5001    5000    1000    timeout 8 nvidia-smi -L
"""
PACKAGES = """\
4425    4377    1000    bash /usr/local/bin/devenv-packages watch
4450    4425    1000    sleep 30
"""


def row(pid: int, parent: int, line: str, user: str = "1000") -> str:
    return f"{pid}  {parent}  {user}  {line}\n"


@pytest.mark.parametrize(
    "top",
    [
        "",
        SERVES,
        SERVES + HEALTH,
        SERVES + PACKAGES,
        SERVES + row(5, 4415, "sshd-session: [accepted]"),
        SERVES + row(5, 4342, "[bash] <defunct>"),
        "Error response from daemon: container 1 is not running\n",
    ],
)
def test_services_are_nobodys_work(top: str) -> None:
    assert jobs(top) == []


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        # a login over ssh: the last process of the chain is named, and its words are not
        (row(1, 4415, "sshd-session: dev@pts/0") + row(2, 1, "-bash"), "bash (pid 2, user 1000)"),
        (
            row(1, 4415, "sshd-session: dev@pts/0") + row(2, 1, "-bash") + row(3, 2, "python train.py --token geheim"),
            "python (pid 3, user 1000)",
        ),
        # a kernel of a notebook
        (row(1, 4409, "/opt/venv/bin/python -m ipykernel_launcher -f x.json"), "python (pid 1, user 1000)"),
        # left behind by a login, and now a child of the first process
        (row(1, 4342, "tmux new -s night"), "tmux (pid 1, user 1000)"),
        (row(1, 4320, "bash"), "bash (pid 1, user 1000)"),  # docker exec
    ],
)
def test_work_is_named(rows: str, named: str) -> None:
    assert jobs(SERVES + HEALTH + rows) == [named]


def test_a_container_without_our_first_process_is_all_work() -> None:
    assert jobs(row(10, 1, "sleep infinity")) == ["sleep (pid 10, user 1000)"]


def test_only_containers_with_work_are_named() -> None:
    busy = {"item": "bob", "stdout": SERVES + row(10, 1, "sleep infinity")}
    looked = [{"item": "dev", "stdout": SERVES}, busy, {"item": "eve", "skipped": True}]
    assert work(looked) == ["bob: sleep (pid 10, user 1000)"]
    assert work(looked, "zh") == ["bob：sleep（pid 10，用户 1000）"]


def test_nothing_found_is_no_refusal() -> None:
    assert refusal({"unread": "", "unseen": [], "work": []}, "nothing") == ""
    assert refusal({"work": ["a: x", "b: y"], "unread": ""}, "nothing").startswith(
        "Somebody works in containers that would be"
    )
    assert "a: x; b: y." in refusal({"work": ["a: x", "b: y"]}, "nothing") and "a；b。" in refusal(
        {"unseen": "ab"}, "files", "zh"
    )


def test_many_are_counted() -> None:
    many = "".join(row(100 + number, 4409, f"python {number}") for number in range(11))
    assert len(jobs(SERVES + many)) == 9 and jobs(SERVES + many)[-1] == "3 more"
    assert jobs(SERVES + many, "zh")[-1] == "另有 3 个"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(isinstance(one, str) for one in jobs(text))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=9))
def test_any_tree_is_walked_to_its_end(pairs: list[tuple[int, int]]) -> None:
    """Loops included, which no kernel makes."""
    jobs("".join(row(pid, parent, "x") for pid, parent in pairs))


@given(st.none() | st.integers(), st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_any_answer_is_read(code: int | None, said: str | None, error: str | None, reason: str | None) -> None:
    """Only Docker's own word that it has ended lets a container go unnamed."""
    top = {"item": "dev", "stderr": reason}
    ended = unseen([{"rc": code, "stdout": said, "stderr": error, "item": top}]) == []
    assert (
        not ended or (code == 0 and (said or "").strip() == "false") or (code == 1 and "no such" in str(error).lower())
    )
