# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock of Python packages with hashes: what it is made from, its text, and the resolver's words in short.

The text names neither a host nor a date: the same inputs and the same packages give the same bytes behind each mirror.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

SCHEMA = "gpuready.lock/1"
PLATFORMS = {"linux": ("x86_64", "aarch64"), "x86_64": ("x86_64",), "aarch64": ("aarch64",)}
AUTO = "auto"
PROJECT = "gpuready-lock"
_HEAD = "# Locked with hashes by gpuready.bootstrap.python_lock. Not to be edited: change the inputs and lock again."
_WORDS_MAX = 900
_IDLE_HINTS = ("While the active", "The resolution failed")


class Inputs(NamedTuple):
    """All that decides about a lock, but for what the index has. No address is among it."""

    requirements: tuple[str, ...]
    python_version: str  # the oldest Python that it serves, "3.11"
    python_below: str  # the first that it does not serve, "3.15"; empty: no limit
    platform: str  # linux: x86_64 and aarch64
    torch_backend: str  # auto: the index of all other packages, too
    torch_packages: tuple[str, ...]  # names that come from the index of the backend


class Head(NamedTuple):
    """What the first lines of a lock say."""

    inputs: str
    packages: str


def make_inputs(
    requirements: Sequence[str],
    python_version: str,
    python_below: str = "",
    platform: str = "linux",
    torch_backend: str = AUTO,
    torch_packages: Sequence[str] = (),
) -> Inputs:
    """The inputs in one spelling: order, double entries and blanks make no other lock."""
    wanted = tuple(sorted({" ".join(item.split()) for item in requirements if item.strip()}))
    names = () if torch_backend == AUTO else tuple(sorted({canonical(name) for name in torch_packages}))
    return Inputs(wanted, python_version, python_below, platform, torch_backend, names)


def canonical(name: str) -> str:
    """The name of a package as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def name_of(requirement: str) -> str:
    """'Torch_Vision[x]>=1; marker' -> 'torch-vision'; empty where it begins with no name."""
    found = re.match(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)", requirement)
    return canonical(found.group(1)) if found else ""


def digest(inputs: Inputs) -> str:
    """sha256 of the inputs, in hexadecimal."""
    text = json.dumps([SCHEMA, *inputs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# --- what uv reads


def marker(inputs: Inputs) -> tuple[str, str]:
    """The conditions that all environments of a lock meet, as uv writes them: Python's limit, and the platform."""
    machines = sorted(PLATFORMS[inputs.platform])
    parts = [f"platform_machine == '{name}' and sys_platform == 'linux'" for name in machines]
    platform = parts[0] if len(parts) == 1 else "(" + " or ".join(f"({part})" for part in parts) + ")"
    limit = f"python_full_version < '{inputs.python_below}'" if inputs.python_below else ""
    return limit, platform


def project(inputs: Inputs, index_url: str = "", torch_url: str = "") -> str:
    """The pyproject.toml that uv resolves. It may hold credentials in addresses: for a private file only."""
    limit, _platform = marker(inputs)
    environments = [
        f"sys_platform == 'linux' and platform_machine == '{machine}'" + (f" and {limit}" if limit else "")
        for machine in PLATFORMS[inputs.platform]
    ]
    lines = [
        "[project]",
        f'name = "{PROJECT}"',
        'version = "0"',
        f'requires-python = ">={inputs.python_version}"',
        f"dependencies = {_toml(inputs.requirements)}",
        "[tool.uv]",
        "package = false",
        f"environments = {_toml(environments)}",
    ]
    if torch_url:
        name = f"pytorch-{inputs.torch_backend}"
        lines += ["[[tool.uv.index]]", f'name = "{name}"', f"url = {_toml(torch_url)}", "explicit = true"]
    if index_url:
        lines += ["[[tool.uv.index]]", 'name = "packages"', f"url = {_toml(index_url)}", "default = true"]
    if torch_url:
        direct = {name_of(item) for item in inputs.requirements} & set(inputs.torch_packages)
        lines += ["[tool.uv.sources]", *(f'{each} = {{index = "{name}"}}' for each in sorted(direct))]
    return "\n".join(lines) + "\n"


def _toml(value: str | Sequence[str]) -> str:
    """A TOML string or array: that of JSON, with characters outside the basic plane as they are."""
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def torch_url(template: str, backend: str) -> str:
    """The index of a backend: {cuda} in an address is replaced; without it, the backend's folder below the address."""
    url = template.replace("{cuda}", backend).rstrip("/")
    return url if not url or backend == AUTO or url.endswith(f"/{backend}") else f"{url}/{backend}"


# --- the lock's text


def render(inputs: Inputs, resolved: str) -> str:
    """The lock of what uv resolved."""
    body = tidy(inputs, resolved)
    python = f">={inputs.python_version}" + (f",<{inputs.python_below}" if inputs.python_below else "")
    head = [
        _HEAD,
        f"# inputs: sha256:{digest(inputs)}",
        f"# packages: sha256:{hashlib.sha256(body.encode('utf-8')).hexdigest()}",
        f"# python: {python}; machines: {', '.join(PLATFORMS[inputs.platform])}; torch: {inputs.torch_backend}",
        *(f"#   {item}" for item in inputs.requirements),
    ]
    return "\n".join(head) + "\n\n" + body


def head_of(text: str) -> Head | None:
    """What a lock says of itself; None for a file of another kind."""
    lines = text.splitlines()
    if not lines or lines[0] != _HEAD:
        return None
    found = dict(re.findall(r"^# (inputs|packages): sha256:([0-9a-f]{64})$", "\n".join(lines[1:4]), re.MULTILINE))
    return Head(found["inputs"], found["packages"]) if len(found) == 2 else None


def body_of(text: str) -> str:
    """A lock without its head."""
    return text.partition("\n\n")[2] if head_of(text) else text


def current(text: str, inputs: Inputs) -> bool:
    """Whether a text is a lock of these inputs that nobody has edited."""
    head = head_of(text)
    if head is None:
        return False
    return head == Head(digest(inputs), hashlib.sha256(body_of(text).encode("utf-8")).hexdigest())


def tidy(inputs: Inputs, resolved: str) -> str:
    """Without the conditions that hold wherever the lock serves; elsewhere it shall fail, not install nothing."""
    lines = []
    for line in resolved.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            line = _without_common(inputs, line)
        elif PROJECT in line:
            line = line.replace(f"{PROJECT} (pyproject.toml)", "the requirements")
        elif line.startswith("#") or not line.strip():
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def _without_common(inputs: Inputs, line: str) -> str:
    limit, platform = marker(inputs)
    match = re.fullmatch(r"(\S+)(?: ; (.*?))?( \\)?", line)
    if match is None or not match.group(2):
        return line
    rest = match.group(2)
    for common in (platform, platform[1:-1] if platform.startswith("(") else platform):
        rest = re.sub(rf"(^| and ){re.escape(common)}$", "", rest)
    if limit and " or " not in rest:
        rest = " and ".join(part for part in rest.split(" and ") if part and part != limit)
    return match.group(1) + (f" ; {rest}" if rest else "") + (match.group(3) or "")


def pins(text: str) -> dict[str, list[str]]:
    """Versions by package; several where they differ by Python or machine."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(canonical(name), []).append(version)
    return found


def torch_cuda(text: str) -> str | None:
    """The CUDA of the torch in a lock, "13.2"; "cpu"; None without torch, or where it does not tell."""
    found = pins(text)
    versions = found.get("torch", [])
    local = {version.partition("+")[2] for version in versions}
    if not versions or len(local) > 1:
        return None
    said = local.pop()
    if said == "cpu":
        return "cpu"
    match = re.fullmatch(r"cu(\d+)(\d)", said)
    if match:
        return f"{match.group(1)}.{match.group(2)}"
    kits = {".".join(version.split(".")[:2]) for version in found.get("cuda-toolkit", [])}
    return kits.pop() if len(kits) == 1 else None


def leaks(text: str) -> str:
    """The first line of a lock that names an address, or none."""
    return next((redact_url(line.strip()) for line in text.splitlines() if "://" in line), "")


# --- the resolver's words


def words(stderr: str) -> str:
    """Why there is no lock, in at most a few sentences: the first cause, the last one, and what uv advises."""
    text = redact_url(re.sub(r"\x1b\[[0-9;]*m", "", stderr))
    text = text.replace(f"{PROJECT} depends on", "the requirements ask for").replace(PROJECT, "the requirements")
    text = re.sub(r" \(markers: [^\n]*\)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(error: No solution found) when resolving dependencies.*", r"\1", text)
    error, _mark, rest = text.partition("\n")
    causes, hints = _parts(rest)
    said = [error.removeprefix("error: ").strip(), *_shortened(causes), *hints]
    joined = " ".join(part if part.endswith((".", "!", "?", ":", "…")) else f"{part}." for part in said if part)
    return joined if len(joined) <= _WORDS_MAX else f"{joined[: _WORDS_MAX - 1]}…"


def _parts(text: str) -> tuple[list[str], list[str]]:
    """Sentences of the causes, and the hints that help: those about versions of Python do not, it is given."""
    causes, hints = [], []
    for block in re.split(r"\n(?=\s*(?:cause|hint):)|\n\n", "\n" + text):
        flat = " ".join(block.split())
        if flat.startswith("cause:"):
            causes += _sentences(flat.removeprefix("cause:").strip())
        elif flat.startswith("hint:"):
            hint = flat.removeprefix("hint:").strip()
            hints += [] if hint.startswith(_IDLE_HINTS) else [hint]
        elif flat:
            causes += _sentences(flat)
    return causes, hints[:2]


def _sentences(text: str) -> list[str]:
    """uv numbers a sentence that it comes back to: "(1)" behind it tells nothing without the sentences between."""
    parts = re.split(r"(?<=[.\w)`]) (?=And because |Because )", re.sub(r" \(\d\)(?= |$)", "", text))
    return [part.strip() for part in parts if part.strip()]


def _shortened(causes: list[str]) -> list[str]:
    """A network fault is in the first and the last cause, a conflict in the first and the last two sentences."""
    return causes if len(causes) <= 3 else [causes[0], "…", *causes[-2:]]
