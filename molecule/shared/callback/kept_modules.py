# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the archives of modules that Ansible builds, from one run to the next: for the scenarios only.

Ansible builds the archive of a module once a run, from the same sources each time; a scenario runs Ansible dozens of
times. Building them was half of the processor time of a run's workers. Here the folder in which a run keeps them is one
of .cache, named after all that goes into an archive: paths, sizes and times of the sources, and the version of Ansible.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ansible import constants as C  # noqa: N812 - the name that all of Ansible gives it
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__

DOCUMENTATION = """
name: kept_modules
type: aggregate
short_description: keep the archives of modules from one run to the next
description: [For the scenarios of this project only.]
author: [gpuready authors]
"""
CACHE = Path(__file__).resolve().parents[3] / ".cache" / "ansiballz"
DAY = 86400.0


def sources(paths: list[str]) -> Iterator[str]:
    """One line for each file that an archive may hold."""
    for folder in map(Path, paths):
        for collection in sorted(folder.glob("ansible_collections/*/*")):
            for part in ("modules", "module_utils"):
                for path in sorted((collection / "plugins" / part).rglob("*.py")):
                    stat = path.stat()
                    yield f"{path} {stat.st_size} {stat.st_mtime_ns}"


def key(paths: list[str]) -> str:
    said = "\n".join([__version__, sys.version, C.__file__, *sources(paths)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def forget(now: float) -> None:
    """Take away what no run has used for a day: each change of a source leaves a folder behind."""
    for folder in CACHE.iterdir():
        if now - folder.stat().st_mtime > DAY:
            shutil.rmtree(folder, ignore_errors=True)  # another run may take it away, too


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no type information
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kept_modules"

    def v2_playbook_on_start(self, playbook: object) -> None:
        kept = CACHE / key(C.COLLECTIONS_PATHS)
        kept.mkdir(parents=True, exist_ok=True)
        os.utime(kept)
        forget(time.time())
        # Ansible removes its folder at the end, and of this one the link
        place = Path(C.DEFAULT_LOCAL_TMP) / "ansiballz_cache"
        if not place.exists():
            os.symlink(kept, place)
