# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd itself says of settings: whether it takes them, and what would be in force for an account."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _sshd_config
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import Session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_config import Tree
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_service import Daemon


class SettingsError(Exception):
    """The settings cannot be what was asked for; the text is one sentence for the user."""


def lists(settings: dict[str, Any]) -> dict[str, list[str]]:
    """Values as lists of texts. YAML makes booleans of yes and no, which sshd writes so."""
    words = {True: "yes", False: "no"}
    found = {}
    for keyword, value in settings.items():
        items = value if isinstance(value, list) else [value]
        found[keyword] = [words[item] if isinstance(item, bool) else str(item) for item in items]
        if not keyword.isalnum() or keyword.lower() in ("match", "include") or any("\n" in i for i in found[keyword]):
            raise SettingsError(f"{keyword!r} in settings is not a keyword with one line for a value")
        if len(found[keyword]) > 1 and keyword.lower() not in _sshd_config.CUMULATIVE:
            raise SettingsError(f"{keyword} has several values, but sshd takes only the first; write them in one text")
    return {keyword: items for keyword, items in found.items() if items}


class Sshd:
    """The program, with the options of the daemon's command line."""

    def __init__(self, runner: Runner, daemon: Daemon) -> None:
        self.runner, self.daemon = runner, daemon

    def ask(self, flag: str, main: str, extra: list[str] | None = None) -> str:
        """What it prints with these arguments. Raises SettingsError in its words."""
        done = self.runner.run(["sshd", flag, "-f", main, *self.daemon.options, *(extra or [])])
        if done.status == "missing":
            raise SettingsError("there is no sshd on this host; install openssh-server")
        if done.status != "ok":
            raise SettingsError(first_line(done.stderr) or str(done.error))
        return done.stdout

    def effective(
        self, tree: Tree, names: Sequence[str], session: Session, tmpdir: str
    ) -> dict[str, dict[str, list[str]]]:
        """What is in force for accounts with the tree's settings. Raises SettingsError in sshd's words."""
        folder = tempfile.mkdtemp(dir=tmpdir)
        try:
            for name, content in tree.copies(folder).items():
                with open(name, "wb") as stream:
                    stream.write(content)
            main = f"{folder}/0"
            return {name: _sshd_config.effective(self.ask("-T", main, _for(name, session))) for name in names}
        except SettingsError as error:
            raise SettingsError(f"sshd does not take this: {tree.real_names(str(error), folder)}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def release(self) -> tuple[int, int]:
        """OpenSSH's version; (0, 0) where nothing says it."""
        shown = self.runner.run(["ssh", "-V"])
        asked = shown if shown.status == "ok" else self.runner.run(["sshd", "-V"])
        return _sshd_config.version(asked.stderr + asked.stdout)


def _for(name: str, session: Session) -> list[str]:
    """The connection that sshd is asked about: what Match looks at."""
    who = {"user": name, "host": session.address or "localhost", "addr": session.address or "127.0.0.1"}
    if session.port:
        who.update(laddr=session.local_address, lport=session.port)
    return ["-C", ",".join(f"{key}={value}" for key, value in who.items())]
