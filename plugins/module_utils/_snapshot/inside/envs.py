# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments in a container, and the torch in each. Part of the probe (bundle.py): Python 3.6."""

from __future__ import annotations

import glob
import os
import re
import sys
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import (
    folder_names,
    program,
    read_text,
    text_or_none,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.torch_files import (
    conda_record,
    dist_info_version,
    pyvenv_config,
    torch_version_file,
)

ENVS_MAX = 32
_CONDA_NAMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", "conda")
_VENV_PLACES = ("/opt/venv", "/venv", "/workspace/.venv", "/workspace/venv", "/workspace/*/.venv", "/opt/*/.venv")


def find_envs(env: dict[str, str], home: str) -> list[dict[str, Any]]:
    """Return the environments at the usual places, each once."""
    found: dict[str, dict[str, Any]] = {}
    for prefix in _env_prefixes(env, home):
        if len(found) >= ENVS_MAX:
            break
        entry = _env_entry(prefix)
        if entry is not None:
            found.setdefault(os.path.realpath(prefix), entry)
    return [found[key] for key in sorted(found)]


def _env_prefixes(env: dict[str, str], home: str) -> list[str]:
    prefixes = [env.get("VIRTUAL_ENV", ""), env.get("CONDA_PREFIX", "")]
    for name in ("python", "python3"):
        path = program(name, env.get("PATH", ""))
        if path is not None:
            prefixes.append(os.path.dirname(os.path.dirname(path)))
    roots = [base + "/" + name for base in ("/opt", "/root", home) for name in _CONDA_NAMES]
    roots.append(env.get("MAMBA_ROOT_PREFIX", ""))
    for root in roots:
        if root:
            prefixes.append(root)
            prefixes += [root + "/envs/" + name for name in folder_names(root + "/envs")]
    # conda writes every environment that it makes here
    prefixes += (text_or_none(home + "/.conda/environments.txt") or "").splitlines()
    for pattern in (*_VENV_PLACES, home + "/.venv", home + "/venv", home + "/*/.venv", home + "/.virtualenvs/*"):
        prefixes += sorted(glob.glob(pattern))
    return [prefix.rstrip("/") for prefix in [*prefixes, "/usr/local", "/usr"] if prefix.startswith("/")]


def _env_entry(prefix: str) -> dict[str, Any] | None:
    records = folder_names(prefix + "/conda-meta")
    config = text_or_none(prefix + "/pyvenv.cfg")
    if config is not None:
        settings = pyvenv_config(config)
        manager = "uv" if "uv" in settings else "venv"
        version = settings.get("version_info") or settings.get("version")
        version = ".".join(version.split(".")[:3]) if version else None
    elif records:
        manager = "conda"
        version = (conda_record(records, "python") or [None])[0]
    elif prefix in ("/usr", "/usr/local") and os.path.exists(prefix + "/bin/python3"):
        manager, version = "system", None
    else:
        return None
    version = version or _env_version(prefix)
    return {"path": prefix, "manager": manager, "python": version, "torch": _env_torch(prefix, records)}


def _env_version(prefix: str) -> str | None:
    # the interpreter that runs this is the one that can say it to the last digit
    if os.path.realpath(prefix + "/bin/python3") == os.path.realpath(sys.executable or ""):
        return sys.version.split()[0]
    match = re.search(r"python(3\.\d+)$", os.path.realpath(prefix + "/bin/python3"))
    return match.group(1) if match else None


def _env_sites(prefix: str) -> list[str]:
    patterns = ["/lib/python3*/site-packages", "/lib64/python3*/site-packages", "/lib/python3*/dist-packages"]
    return [site for pattern in patterns for site in sorted(glob.glob(prefix + pattern))]


def _env_torch(prefix: str, records: list[str]) -> dict[str, Any] | None:
    for site in _env_sites(prefix):
        torch = torch_in(site)
        if torch is not None:
            # conda-forge and the former pytorch channel both call it "pytorch"
            record = conda_record(records, "pytorch")
            return dict(torch, archs=None, conda_build=record[1] if record else None)
    return None


def torch_in(site: str) -> dict[str, Any] | None:
    """Return version and CUDA of the torch in a folder; archs would need its libraries, hence not here."""
    if not os.path.isfile(site + "/torch/version.py"):
        return None
    found = torch_version_file(read_text(site + "/torch/version.py"))
    found["version"] = found["version"] or dist_info_version(folder_names(site), "torch")
    return found


def own_python() -> dict[str, Any]:
    """Return what the interpreter that runs this can import, by the folders of its path."""
    packages: dict[str, Any] = {"jupyterlab": None, "torch": None}
    torch = None
    for site in [path for path in sys.path if path.startswith("/")]:
        names = folder_names(site)
        for name in packages:
            packages[name] = packages[name] or dist_info_version(names, name)
        torch = torch if torch is not None or "torch" not in names else torch_in(site)
    return {"version": sys.version.split()[0], "packages": packages, "torch": torch}
