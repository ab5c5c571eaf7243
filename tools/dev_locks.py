# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the locks that the collection brings, with the module python_lock and the index that uv is set up for.

tools/dev_locks.py             those whose inputs have changed
tools/dev_locks.py --refresh   all, with the newest of every package
tools/dev_locks.py --groups    resolve each group alone and all together into a scratch folder, and show the words
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import packages, spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER, load

OPTIONS = ("requirements", "python_version", "python_below", "platform", "torch_backend", "torch_packages")


def lock(groups: Sequence[str], dest: Path, refresh: bool) -> dict[str, Any]:
    """Lock a set of groups into a file; the result of the module."""
    wanted = packages.requirements(spec.normalise({"python": {"groups": list(groups)}}))
    arguments = {"dest": str(dest), "refresh": refresh, **{name: wanted[name] for name in OPTIONS}}
    argv = ["ansible", "localhost", "-c", "local", "-m", "gpuready.bootstrap.python_lock", "-a", json.dumps(arguments)]
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "false",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
    }
    run = subprocess.run(argv, env={**os.environ, **settings}, capture_output=True, text=True, check=False, cwd=ROOT)
    start = run.stdout.find("{")
    if start < 0:
        return {"msg": (run.stdout + run.stderr).strip(), "failed": True}
    result: dict[str, Any] = json.JSONDecoder().raw_decode(run.stdout[start:])[0]
    return result


def tell(groups: Sequence[str], result: dict[str, Any]) -> bool:
    """One line on a lock; whether there is one."""
    name = "+".join(groups)
    if result.get("failed"):
        print(f"{name}: FAILED: {result['msg']}")
        return False
    state = "changed" if result["changed"] else "unchanged"
    print(f"{name}: {state}, {result['packages']} packages, torch for CUDA {result['torch_cuda']}")
    for package, versions in result["moved"].items() if len(result["moved"]) < 50 else ():
        print(f"    {package} {versions}")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refresh", action="store_true", help="take the newest of every package")
    parser.add_argument("--groups", action="store_true", help="only try each group, and all at once")
    args = parser.parse_args()
    table = load("dev_packages")
    if args.groups:
        sets = [*([name] for name in table["groups"]), list(table["groups"])]
        with tempfile.TemporaryDirectory() as scratch:
            results = [tell(one, lock(one, Path(scratch) / "-".join(one), False)) for one in sets]
        return 0 if all(results) else 1
    folder = FOLDER / "dev_env" / "locks"
    results = [tell(one, lock(one, folder / f"{'-'.join(one)}.txt", args.refresh)) for one in table["shipped"]]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
