# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python packages an environment gets: groups, wishes and torch of a specification as requirements for a lock.

The facts about groups and names are in data/dev_packages.yml, those about torch's builds in data/torch.yml.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER, load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key

TORCH = "torch"


class PackagesError(Exception):
    """The specification cannot be locked; the text is one sentence for the user."""


def requirements(spec: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The inputs of a lock for a normalised specification: the options of the module python_lock, and `notes`.

    requirements, python_version, python_below, platform, torch_backend, torch_packages; notes: sentences on names that
    have changed; digest: of the inputs, as it stands in the lock's head. torch_backend is auto where the wheels of the
    default index are that build already. plan (`gpuready.plan/1`): release of torch and machine. Raises PackagesError.
    """
    groups = _groups(spec)
    wanted = _merged([*_of_groups(groups), *_asked(spec)])
    backend, platform = locks.AUTO, "linux"
    if _torch_wanted(spec, groups):
        release = _release(spec, plan)
        backend, platform, pin = _build(spec, plan, release)
        wanted = _merged([*_as_pairs(wanted), *_torch_lines(spec, pin)])
    inputs = locks.make_inputs(
        [line for lines in wanted.values() for line in lines],
        *_pythons(spec, groups),
        platform,
        backend,
        family(wanted),
    )
    return {**inputs._asdict(), **_lists(inputs), "digest": locks.digest(inputs), "notes": _notes(spec)}


def _lists(inputs: locks.Inputs) -> dict[str, list[str]]:
    """Ansible's options are lists."""
    return {"requirements": list(inputs.requirements), "torch_packages": list(inputs.torch_packages)}


def shipped_lock(spec: Mapping[str, Any]) -> str | None:
    """The lock of the collection for a normalised specification; None where it has none that is as asked for."""
    if spec["python"]["lock"]:
        return None
    for name in shipped():
        text = lock_text(name)
        try:
            inputs = requirements(_for_shipped(spec, text))
        except PackagesError:
            return None
        head = locks.head_of(text)
        if head is not None and head.inputs == inputs["digest"]:
            return text
    return None


@cache
def shipped() -> tuple[str, ...]:
    """Names of the locks that the collection brings, such as notebook-core."""
    return tuple(sorted(path.stem for path in (FOLDER / "dev_env" / "locks").glob("*.txt")))


@cache
def lock_text(name: str) -> str:
    return (FOLDER / "dev_env" / "locks" / f"{name}.txt").read_text(encoding="utf-8")


def _for_shipped(spec: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The specification as a shipped lock was made from it, where that lock has the build and serves the Python."""
    python, torch = dict(spec["python"]), dict(spec["torch"])
    limits = load("dev_packages")["python"]
    version = python["version"]
    if version and _at_least(version, limits["floor"]) and not _at_least(version, limits["below"]):
        python["version"] = limits["floor"]
    if torch["backend"].startswith("cu") and _dotted(torch["backend"]) == locks.torch_cuda(text):
        torch["backend"] = locks.AUTO
    there = locks.pins(text).get(TORCH, [])
    if torch["version"] and there and all(f"{one}.".startswith(f"{torch['version']}.") for one in there):
        torch["version"] = ""
    return {**spec, "python": python, "torch": torch}


# --- groups and names


def _groups(spec: Mapping[str, Any]) -> list[str]:
    known = list(load("dev_packages")["groups"])
    chosen = list(dict.fromkeys(spec["python"]["groups"]))
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise PackagesError(f"dev_python.groups: there is no group {name!r}; {hint}")
    return chosen


def _of_groups(groups: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, line) of all items that do not come with torch."""
    for group in groups:
        for item in load("dev_packages")["groups"][group]["items"]:
            if item.get("by") != TORCH:
                yield item["name"], item["name"] + item.get("version", "")


def _asked(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, line) of the user's own requirements. Raises PackagesError for what a lock cannot hold."""
    for line in spec["python"]["packages"]:
        name = locks.name_of(line)
        if name in load("dev_packages")["compile"]:
            row = load("dev_packages")["compile"][name]
            raise PackagesError(
                f"dev_python.packages: {name} has no wheels and is compiled against torch; "
                f"move it to dev_source_builds, such as {row['example']}."
            )
        if name in family_names() and name in {locks.name_of(one) for one in spec["torch"]["packages"]}:
            raise PackagesError(
                f"dev_python.packages: {name} comes with dev_torch.packages; "
                f"give its version {'in dev_torch.version' if name == TORCH else 'there'}, and take it out here."
            )
        yield name, line


def _merged(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Lines by package: a bare name adds nothing to one with a version. Raises PackagesError for two exact versions."""
    found: dict[str, list[str]] = {}
    for name, line in pairs:
        lines = found.setdefault(locks.canonical(name), [])
        if _tight(line) not in map(_tight, lines):
            lines.append(line)
    for name, lines in found.items():
        exact = [line for line in lines if re.search(r"===?(?!.*\*)", line) and ";" not in line]
        if len({_version(line) for line in exact}) > 1:
            raise PackagesError(f"{name} is asked for in two versions ({' and '.join(exact)}); keep one of them.")
        telling = [line for line in lines if _tight(line) != name and locks.canonical(line.strip()) != name]
        found[name] = telling or lines[:1]
    return found


def _as_pairs(lines: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(name, line) for name, found in lines.items() for line in found]


def _tight(line: str) -> str:
    return re.sub(r"\s+", "", line)


def _version(line: str) -> str:
    """'x==1.0' -> '1': one version may be written in several ways."""
    text = re.split(r"===?", line, maxsplit=1)[1].split(",")[0].strip()
    return re.sub(r"(\.0)+$", "", text)


def _notes(spec: Mapping[str, Any]) -> list[str]:
    """What the user should know about names among the packages."""
    table = load("dev_packages")
    notes = []
    for line in spec["python"]["packages"]:
        name = locks.name_of(line)
        for kind, verb in (("renamed", "is {to} today"), ("dropped", "is better left out")):
            row = table[kind].get(name)
            if row is not None:
                notes.append(f"dev_python.packages: {name} {verb.format(**row)}: {row['why']} ({row['date']}).")
    return notes


def compiled(spec: Mapping[str, Any]) -> list[str]:
    """What is compiled in a last layer, behind the lock."""
    return list(spec["source_builds"])


# --- torch


@cache
def family_names() -> tuple[str, ...]:
    return tuple(load("dev_packages")["torch_family"])


def family(wanted: Mapping[str, Any]) -> list[str]:
    """Those of the packages that torch's own indexes have."""
    return [name for name in wanted if name in family_names()]


def _torch_wanted(spec: Mapping[str, Any], groups: Sequence[str]) -> bool:
    """Without packages that use it, torch would be 3 GB for nothing."""
    asked = bool(spec["torch"]["version"] or spec["source_builds"])
    return bool(spec["torch"]["packages"]) and (
        asked or any(load("dev_packages")["groups"][group].get("torch") for group in groups)
    )


def _torch_lines(spec: Mapping[str, Any], pin: str) -> list[tuple[str, str]]:
    lines = []
    for line in spec["torch"]["packages"]:
        name = locks.name_of(line)
        if name == TORCH and pin:
            if _tight(line) != TORCH and _tight(line) != TORCH + _tight(pin):
                raise PackagesError(
                    f"torch is asked for in two versions ({line} in dev_torch.packages, and torch{pin} by "
                    "dev_torch.version or the plan); keep one of them."
                )
            line = TORCH + pin
        lines.append((name, line))
    return lines


def _release(spec: Mapping[str, Any], plan: Mapping[str, Any] | None) -> str:
    """The release that is asked for, or that the plan chose together with this backend; empty: the newest."""
    asked = str(spec["torch"]["version"])
    backend = spec["torch"]["backend"]
    if asked or plan is None or backend not in (locks.AUTO, _chosen(plan, "torch_index")):
        return asked
    return _chosen(plan, TORCH)


def _build(spec: Mapping[str, Any], plan: Mapping[str, Any] | None, release: str) -> tuple[str, str, str]:
    """(backend, platform, pin of torch). Raises PackagesError where nothing is that build."""
    backend = spec["torch"]["backend"]
    if backend == locks.AUTO:
        backend = _chosen(plan, "torch_index") or locks.AUTO
    if backend == "cpu" and spec["source_builds"]:
        raise PackagesError(
            f"dev_source_builds: {spec['source_builds'][0]} is compiled for CUDA, and dev_torch.backend is cpu; "
            "choose a CUDA backend, or take it out."
        )
    pin = _pin(release)
    if backend == locks.AUTO:
        return _without_backend(release, pin)
    usual = _usual(backend, release)
    if usual:
        return locks.AUTO, _platform_of(usual), _pin(usual)
    _hold_index(backend, release)
    machine = (plan or {}).get("machine") or {}
    return backend, "aarch64" if machine.get("arch") == "aarch64" else "x86_64", pin


def _without_backend(release: str, pin: str) -> tuple[str, str, str]:
    """The default index. Its wheels for aarch64 were builds without CUDA once, and must not come by accident."""
    return locks.AUTO, _platform_of(release), pin


def _platform_of(release: str) -> str:
    since = load("dev_packages")["aarch64_cuda_since"]
    return "linux" if not release or _at_least(release, since) else "x86_64"


def _usual(backend: str, release: str) -> str:
    """The release whose wheels on the default index are this build; empty where none are, or not in that release."""
    cuda = _dotted(backend)
    rows: Mapping[str, Mapping[str, Any]] = tables.table("torch")["releases"]
    fitting = [name for name, row in rows.items() if row["pypi"] == cuda]
    if release:
        return release if _minor(release) in fitting else ""
    newest = max(rows, key=version_key)
    return newest if newest in fitting else ""


def _hold_index(backend: str, release: str) -> None:
    """A release that is known has an index for few versions of CUDA only."""
    row = tables.torch_release(release) if release else None
    if row is None or backend == "cpu" or _dotted(backend) in row["cuda"]:
        return
    there = ", ".join(f"cu{cuda.replace('.', '')}" for cuda in row["cuda"])
    raise PackagesError(f"dev_torch: torch {release} has no wheels for {backend}; it has {there}.")


def _pin(release: str) -> str:
    """'2.11' -> '==2.11.*', '2.11.0' -> '==2.11.0'."""
    if not release:
        return ""
    return f"=={release}" if release.count(".") > 1 else f"=={release}.*"


def _chosen(plan: Mapping[str, Any] | None, name: str) -> str:
    """The value of a choice of the plan, or nothing."""
    for choice in (plan or {}).get("choices") or []:
        if isinstance(choice, Mapping) and choice.get("id") == name and isinstance(choice.get("value"), str):
            return str(choice["value"])
    return ""


def _dotted(backend: str) -> str:
    match = re.fullmatch(r"cu(\d+)(\d)", backend)
    return f"{match.group(1)}.{match.group(2)}" if match else backend


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


# --- Python


def _pythons(spec: Mapping[str, Any], groups: Sequence[str]) -> tuple[str, str]:
    """The oldest Python of the lock, and the first that it does not serve. Raises PackagesError where none is left."""
    table = load("dev_packages")
    asked = _minor(str(spec["python"]["version"]))
    system = next((old for name, old in table["system_python"].items() if name in str(spec["base"]["image"])), "")
    floor = asked or min([table["python"]["floor"], *([system] if system else [])], key=version_key)
    limits = {
        table["groups"][group]["python_below"]: group for group in groups if "python_below" in table["groups"][group]
    }
    below = min([table["python"]["below"], *limits], key=version_key)
    if _at_least(floor, below):
        group = limits.get(below)
        why = (
            f"of the group {group}: {table['groups'][group]['why']}"
            if group
            else "of torch, which has no wheels for it"
        )
        raise PackagesError(f"dev_python.version: Python {floor} must be below {below} because {why}.")
    return floor, below


def _at_least(version: str, floor: str) -> bool:
    return bool(version_at_least(version, floor))
