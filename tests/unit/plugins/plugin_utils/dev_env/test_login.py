# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines by which a login starts the services of a rented machine: in a real shell on a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.inplace import LOGIN

# As the real one in what matters here: it refuses to run beside another one, takes a moment where there is a socket of
# an earlier life, and goes to the background as soon as it has its own.
SUPERVISORD = """\
#!/bin/sh
cd {root}
[ ! -e socket ] || exit 2
sleep 0.3
touch socket
sh -c 'echo $$ >> started; echo $$ > run/supervisord.pid; while sleep 1; do :; done' supervisord "$@" &
"""


class Rented:
    """A machine: a supervisord that runs nothing, and a login with our lines."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program("supervisord", SUPERVISORD.format(root=root))
        lines = LOGIN.format(run=root / "run", config=root / "supervisord.conf", supervisord=root / "bin/supervisord")
        (root / "profile").write_text(lines)

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def login(self, times: int = 1) -> None:
        """A login, whose shell reads our lines so many times; it ends at once, and its terminal with it."""
        child, terminal = pty.fork()
        if child == 0:
            os.environ["PATH"] = f"{self.root}/bin:{os.environ['PATH']}"
            os.execvp("bash", ["bash", "--noprofile", "--norc", "-c", f". {self.root}/profile;" * times])
        while select.select([terminal], [], [], 10)[0]:
            try:
                if not os.read(terminal, 1024):
                    break
            except OSError:  # Linux's end of file of a terminal
                break
        os.close(terminal)
        os.waitpid(child, 0)

    def started(self, number: int, wait: float = 5) -> list[int]:
        """The processes that logins have started, as soon as there are so many, and a moment after."""
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and len(self._started()) < number:
            time.sleep(0.02)
        time.sleep(0.3)
        return self._started()

    def _started(self) -> list[int]:
        noted = self.root / "started"
        return [int(line) for line in noted.read_text().split()] if noted.exists() else []


@pytest.fixture
def rented(tmp_path: Path) -> Iterator[Rented]:
    machine = Rented(tmp_path)
    yield machine
    subprocess.run(["pkill", "-f", f"{tmp_path}/supervisord.conf"], check=False)


def test_a_login_starts_the_services_once(rented: Rented) -> None:
    rented.login()
    (first,) = rented.started(1)
    os.kill(first, 0)
    assert os.getsid(first) != os.getsid(0)
    rented.login()
    assert rented.started(1) == [first]


def test_a_login_that_ends_before_they_have_a_session_does_not_end_them(rented: Rented) -> None:
    """Seen in Molecule: the terminal's hangup reached the shell's children, one login in five."""
    rented.program("setsid", f'#!/bin/sh\nsleep 0.5\nPATH={os.environ["PATH"]}\nexec setsid "$@"\n')
    rented.login()
    (first,) = rented.started(1)
    os.kill(first, 0)


def test_a_busy_machine_does_not_lose_that_race(rented: Rented) -> None:
    """Seen in CI: the login had ended before a child of it had come as far as its trap."""
    lines = rented.root / "profile"
    lines.write_text('trap() { sleep 0.5; builtin trap "$@"; }\n' + lines.read_text())
    rented.login()
    (first,) = rented.started(1)
    os.kill(first, 0)


def test_a_shell_that_reads_the_lines_twice_starts_one(rented: Rented) -> None:
    """As Debian's login shell: /etc/profile reads bash.bashrc, and then profile.d. Two ran, and fought over a port."""
    rented.login(times=2)
    assert len(rented.started(2, wait=2)) == 1


@pytest.mark.parametrize("of", ["another program", "nobody", "no number"])
def test_the_number_of_an_earlier_life_is_no_proof(of: str, rented: Rented) -> None:
    """A container's /run is kept while the machine is stopped; whoever has the number now is not asked to be ours."""
    numbers = {"another program": os.getpid(), "nobody": 2**22 + 1, "no number": ""}
    (rented.root / "run").mkdir()
    (rented.root / "run/supervisord.pid").write_text(f"{numbers[of]}\n")
    rented.login()
    assert len(rented.started(1)) == 1
