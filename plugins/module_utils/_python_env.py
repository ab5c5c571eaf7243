# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a Python environment, here or in a container, and what of it another machine can get."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._python_lock import canonical, pins

# Runs in the environment's own Python, which may have neither pip nor uv. -I keeps the user's directory out of it.
ASK = r"""
import glob, json, os, platform, sys
from importlib import metadata
found = []
for one in metadata.distributions():
    name = one.metadata["Name"]
    if name:
        found.append({"name": name, "version": one.version, "installer": (one.read_text("INSTALLER") or "").strip(),
            "wheel": one.read_text("WHEEL") or "", "direct": json.loads(one.read_text("direct_url.json") or "null")})
conda = []
for path in sorted(glob.glob(os.path.join(sys.prefix, "conda-meta", "*.json"))):
    with open(path, encoding="utf-8") as stream:
        row = json.load(stream)
    conda.append({key: row.get(key) or "" for key in ("name", "version", "build", "subdir", "fn", "channel", "sha256")})
print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "prefix": sys.prefix,
    "packages": found, "conda": conda}))
"""
# what every environment has by itself
_OWN = ("pip", "wheel", "uv")
_TORCH_FAMILY = ("torch", "torchvision", "torchaudio", "xformers", "torchao", "torchcodec")


class PlaceError(Exception):
    """The environment cannot be read or changed; the text is one sentence for the user."""


class Place(NamedTuple):
    """An environment: its directory, and the container that it is in (empty: this machine)."""

    prefix: str
    container: str
    docker: str

    def command(self, *argv: str, stdin: bool = False) -> list[str]:
        inside = [self.docker, "exec", *(["-i"] if stdin else []), self.container]
        return [*(inside if self.container else []), *argv]

    @property
    def python(self) -> str:
        return f"{self.prefix.rstrip('/')}/bin/python"

    @property
    def words(self) -> str:
        return f"{self.prefix} in container {self.container}" if self.container else self.prefix


def look(runner: Runner, place: Place) -> dict[str, Any]:
    """Ask the environment's Python. Raises PlaceError."""
    result = runner.run(place.command(place.python, "-I", "-c", ASK), timeout=60)
    if result.status != "ok":
        advice = "give the prefix of an environment with Python 3.8 or newer, and start its container"
        raise PlaceError(f"there is no Python to ask at {place.words} ({result.error}); {advice}")
    try:
        found: dict[str, Any] = json.loads(result.stdout)
    except ValueError as error:
        raise PlaceError(f"the Python at {place.words} did not answer as one ({error})") from error
    return found


def beside(runner: Runner, place: Place, uv: str) -> str:
    """The path of uv where it is there, else nothing: then the environment's own pip has to do."""
    return uv if runner.run(place.command(uv, "--version"), timeout=30).status == "ok" else ""


def install(
    run_command: Callable[..., tuple[int, str, str]],
    place: Place,
    uv: str,
    lock: str,
    options: Sequence[str],
    index_url: str,
    timeout: int,
) -> tuple[int, str, str]:
    """Install a lock, each file by its hash and nothing else. uv: its path, or empty for pip."""
    common = ["install", "--no-deps", "--require-hashes", *options]
    if uv:
        argv = place.command(uv, "pip", *common, "--python", place.python, "-r", "-", stdin=True)
    else:
        argv = place.command(place.python, "-m", "pip", *common, "-r", "/dev/stdin", stdin=True)
    # the address may hold a password: not on a command line, which everybody can read
    names = {"UV_INDEX": index_url, "PIP_EXTRA_INDEX_URL": index_url} if index_url else {}
    if place.container:
        argv[2:2] = [word for name in names for word in ("-e", name)]
    return run_command(
        ["timeout", "-k", "1", str(timeout), *argv],
        data=lock,
        environ_update={"LC_ALL": "C", "UV_NO_PROGRESS": "1", **names},
        expand_user_and_vars=False,
    )


def transfer(found: Mapping[str, Any]) -> dict[str, Any]:
    """What another machine can get: requirements for a lock, torch's build, conda's packages; and what it cannot."""
    by_conda = {canonical(row["name"]) for row in found["conda"]}
    requirements, builds, left = [], [], []
    backends = set()
    for row in _imported(found):
        name, version = canonical(row["name"]), str(row["version"])
        public, _plus, local = version.partition("+")
        why = _stays(row, local, name)
        if name in _OWN or (row["installer"] == "conda" and by_conda):
            continue
        if why:
            left.append({"name": name, "version": version, "why": why})
        elif _built_here(row["wheel"]):
            builds.append(f"{name}=={public}")
        else:
            requirements.append(f"{name}=={public}")
            backends |= {local} if local and name in _TORCH_FAMILY else set()
    return {
        "python": str(found["python"]),
        "machine": str(found["machine"]),
        "requirements": sorted(set(requirements)),
        "torch_backend": backends.pop() if len(backends) == 1 else "auto",
        "source_builds": sorted(set(builds)),
        "conda": conda_names(found),
        "conda_explicit": _explicit(found["conda"]),
        "left_out": left,
    }


def conda_names(found: Mapping[str, Any]) -> list[str]:
    """Packages of conda, as match specifications."""
    return [f"{row['name']}={row['version']}={row['build']}" for row in found["conda"]]


def _imported(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of each name the first on Python's path: a package under edit tells of itself a second time."""
    rows: dict[str, Mapping[str, Any]] = {}
    for row in found["packages"]:
        rows.setdefault(canonical(row["name"]), row)
    return [rows[name] for name in sorted(rows)]


def _stays(row: Mapping[str, Any], local: str, name: str) -> str:
    """Why a package cannot be had from an index; empty where it can."""
    direct = row["direct"] or {}
    if (direct.get("dir_info") or {}).get("editable"):
        return "installed for editing from a directory of this machine; copy or clone that directory"
    if "vcs_info" in direct:
        return "installed from a repository; install it there from the same commit"
    if direct:
        return "installed from a file or an address, and not from an index"
    if local and not (name in _TORCH_FAMILY and re.fullmatch(r"cpu|cu\d{2,3}", local)):
        return f"a version with the local part +{local}, which the usual indexes do not have"
    return ""


def _built_here(wheel: str) -> bool:
    """A wheel for linux_x86_64, and not for manylinux, was compiled on this machine: indexes refuse such ones."""
    return re.search(r"^Tag: \S+-linux_\w+$", wheel, re.MULTILINE) is not None


def _explicit(rows: Sequence[Mapping[str, str]]) -> str:
    """A file for `conda create --file`: exact files with digests, at the channels' own address; empty without conda."""
    lines = []
    for row in rows:
        channel = re.sub(
            r"^.*/(?=[^/]+(/label/[^/]+)?$)", "", re.sub(rf"/{re.escape(row['subdir'])}/?$", "", row["channel"])
        )
        if row["fn"] and channel:
            digest = f"#{row['sha256']}" if row["sha256"] else ""
            lines.append(f"https://conda.anaconda.org/{channel}/{row['subdir']}/{row['fn']}{digest}")
    return "\n".join(["@EXPLICIT", *sorted(lines)]) + "\n" if lines else ""


def missing(found: Mapping[str, Any], lock: str) -> list[str]:
    """Pins of a lock that an environment has not. One under a condition may be absent, but not in another version."""
    there = {canonical(row["name"]): str(row["version"]) for row in _imported(found)}
    always = {
        canonical(name) for name in re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==[^\s;]+(?! ;)\s", lock, re.MULTILINE)
    }
    said = []
    for name, versions in sorted(pins(lock).items()):
        have = there.get(name)
        if (have is None and name in always) or (have is not None and have not in versions):
            said.append(f"{name} {' or '.join(versions)}" + (f" (has {have})" if have else ""))
    return said
