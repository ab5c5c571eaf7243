# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what Python compiles out of zip archives: on sandbox hosts only.

Ansible sends each module as an archive of its sources, and Python compiles them anew at each task: half of a module's
processor time. Byte code is kept by the content of its source, so that the code that runs is the same. Only where
host-init or plain-init made the folder for it: hosts of tests. Those that are measured compile, as machines do.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from types import CodeType

ROOT = "/var/cache/sandbox-python"
FOLDER = f"{ROOT}/{sys.implementation.cache_tag}"
compile_source = zipimport._compile_source


def keep(place: str, code: CodeType) -> None:
    """Whole or not at all, whoever is killed; who may not write there compiles the next time, too."""
    try:
        os.makedirs(FOLDER, exist_ok=True)
        with open(f"{place}.{os.getpid()}", "xb") as stream:
            stream.write(marshal.dumps(code))
        os.replace(stream.name, place)
    except OSError:
        return


def compiled(path: str, source: bytes) -> CodeType:
    place = f"{FOLDER}/{_imp.source_hash(0, source).hex()}-{len(source)}"
    try:
        with open(place, "rb") as stream:
            code: CodeType = marshal.loads(stream.read())
    except OSError:
        code = compile_source(path, source)
        keep(place, code)
        return code
    _imp._fix_co_filename(code, path)  # tracebacks name the archive of this task
    return code


if os.path.isdir(ROOT):
    zipimport._compile_source = compiled
