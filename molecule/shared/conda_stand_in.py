# SPDX-License-Identifier: GPL-3.0-or-later
"""conda_stand_in.py PREFIX: an environment as conda leaves one, of this system's Python, where no channel is in reach.

Files and conda-meta as conda lays them out (https://docs.conda.io/projects/conda-build, "Package metadata"): a Python
that runs from any directory, a program with the prefix in its first line, and a file of settings that names the prefix.
"""

import json
import os
import shutil
import sys
import sysconfig

LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "idlelib", "lib2to3", "ensurepip", "config-*", "pydoc_data")


def write(path: str, text: str, mode: int = 0o644) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)


def record(prefix: str, name: str, version: str, files: list[str]) -> None:
    """What conda writes down of a package; the cache that it came from is gone, as in an image."""
    row = {
        "name": name,
        "version": version,
        "build": "stand_in_0",
        "subdir": "linux-64",
        "fn": f"{name}-{version}-stand_in_0.conda",
        "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        "url": f"https://conda.anaconda.org/conda-forge/linux-64/{name}-{version}-stand_in_0.conda",
        "link": {"source": f"/nowhere/pkgs/{name}", "type": 1},
        "files": files,
    }
    write(f"{prefix}/conda-meta/{name}-{version}-stand_in_0.json", json.dumps(row))


def listed(prefix: str, *folders: str) -> list[str]:
    found = []
    for folder in folders:
        for root, _folders, names in os.walk(f"{prefix}/{folder}"):
            found += [os.path.relpath(f"{root}/{name}", prefix) for name in names]
    return sorted(found)


def main(prefix: str) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    shutil.copytree(sysconfig.get_path("stdlib"), f"{prefix}/lib/python{version}", symlinks=False, ignore=LEFT_OUT)
    os.makedirs(f"{prefix}/bin")
    shutil.copy2(os.path.realpath(sys.executable), f"{prefix}/bin/python{version}")
    os.symlink(f"python{version}", f"{prefix}/bin/python")
    record(prefix, "python", sys.version.split()[0], listed(prefix, "bin", "lib"))
    write(f"{prefix}/bin/hello", f"#!{prefix}/bin/python\nimport sys\nprint('hello from', sys.prefix)\n", 0o755)
    write(f"{prefix}/etc/hello.conf", f"data={prefix}/share/hello\n")
    record(prefix, "hello", "1.0", ["bin/hello", "etc/hello.conf"])
    write(f"{prefix}/conda-meta/history", "")


if __name__ == "__main__":
    main(sys.argv[1])
