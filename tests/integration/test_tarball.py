# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built collection, installed in a bare directory without this checkout's configuration, runs the road."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import PROJECT, Host, environment


def run(argv: list[str], folder: Path, collections: str) -> str:
    bare = {key: value for key, value in environment().items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        argv,
        cwd=folder,
        env={
            **bare,
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(folder),
            "PWD": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_tarball_runs_from_a_bare_directory(host: Host, tmp_path: Path) -> None:
    run(
        ["ansible-galaxy", "collection", "build", str(PROJECT), "--output-path", str(tmp_path)], tmp_path, str(tmp_path)
    )
    tarball = next(tmp_path.glob("gpuready-bootstrap-*.tar.gz"))
    run(
        ["ansible-galaxy", "collection", "install", str(tarball), "-p", "own", "--no-deps", "--offline"],
        tmp_path,
        "own",
    )
    # the declared dependencies, as make unpacked them, without the link to the working tree
    own = tmp_path / "own" / "ansible_collections"
    for name in ("ansible", "community"):
        os.symlink(PROJECT / ".collections" / "ansible_collections" / name, own / name)
    inventory = str(PROJECT / "inventories" / "sandbox")
    output = run(["ansible-playbook", "-vv", "gpuready.bootstrap.site", "-i", inventory], tmp_path, str(own.parent))
    assert "changed=0" in output
    # a second run includes no file: the path of each task tells
    assert f"task path: {own / 'gpuready' / 'bootstrap' / 'roles'}" in output, (
        "the installed roles ran, not the working tree's"
    )
    assert (tmp_path / "reports" / f"{host.name}.report.json").exists()
