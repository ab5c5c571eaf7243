# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user asks for. An empty wish leaves the choice to the plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

SOURCES = ("auto", "nvidia", "distribution", "none")
MODULES = ("auto", "open", "proprietary")
FABRIC = ("auto", "present", "absent")
SECURE_BOOT = ("stop", "enrol")


@dataclass(frozen=True)
class Wishes:
    """Inputs of a plan; `None` and the empty string mean: choose.

    driver_branch: '580'. driver_version: '580.159.03', exact. driver_packages: names in place of the plan's own.
    cuda_image: an image reference ('nvidia/cuda:12.1.1-devel-ubuntu22.04') or a CUDA version ('12.8', 'cu128').
    torch: a release ('2.11'). torch_cuda: the CUDA of its wheel ('13.0', 'cu130', 'cpu'). python: '3.12'.
    toolkit_version: of the container toolkit's packages ('1.20.0-1'), which its role judges.
    secure_boot: what happens where modules built here would be refused ('enrol': a key of this machine is enrolled).
    driver_allow_change: whether a driver that works may be replaced by another branch.
    """

    driver_source: str = "auto"
    driver_branch: str = ""
    driver_version: str = ""
    driver_modules: str = "auto"
    driver_packages: tuple[str, ...] = ()
    driver_allow_change: bool = False
    driver_repo_url: str = ""
    driver_repo_base_url: str = ""
    fabric_manager: str = "auto"
    secure_boot: str = "stop"
    cuda_image: str = ""
    torch: str = ""
    torch_cuda: str = ""
    python: str = ""
    toolkit_version: str = ""


_CHOICES = {"driver_source": SOURCES, "driver_modules": MODULES, "fabric_manager": FABRIC, "secure_boot": SECURE_BOOT}
_PATTERNS = {
    "driver_branch": (r"\d{3}", "a branch such as 580"),
    "driver_version": (r"\d{3}\.\d+(\.\d+)?", "a version such as 580.159.03"),
    "torch": (r"\d+\.\d+(\.\d+)?", "a release such as 2.11"),
    "torch_cuda": (r"cpu|cu\d{2,3}|\d+\.\d+", "cpu, cu130 or 13.0"),
    "python": (r"3\.\d+(\.\d+)?", "a version such as 3.12"),
}


def make_wishes(given: Mapping[str, Any]) -> Wishes:
    """Check and take the user's wishes. Raises ValueError that names the wish, its value and what it may be."""
    known = {field.name for field in fields(Wishes)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown wish {unknown[0]!r}; there are {', '.join(sorted(known))}")
    taken: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == "":
            continue
        taken[name] = _checked(name, value)
    wishes = Wishes(**taken)
    version, branch = wishes.driver_version, wishes.driver_branch
    if version and branch and not version.startswith(f"{branch}."):
        raise ValueError(f"driver_version {version} is not of driver_branch {branch}; set one of the two")
    return wishes


def _checked(name: str, value: Any) -> Any:
    if name == "driver_allow_change":
        if not isinstance(value, bool):
            raise ValueError(f"the wish driver_allow_change is {value!r}; it must be true or false")
        return value
    if name == "driver_packages":
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"the wish driver_packages is {value!r}; it must be a list of names")
        return tuple(value)
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int)):
        raise ValueError(f"the wish {name} is {value!r}; it must be text: write it in quotes (YAML takes 2.10 for 2.1)")
    text = str(value)
    if name in _CHOICES and text not in _CHOICES[name]:
        raise ValueError(f"the wish {name} is {text!r}; it must be one of {', '.join(_CHOICES[name])}")
    if name in _PATTERNS and not re.fullmatch(_PATTERNS[name][0], text):
        raise ValueError(f"the wish {name} is {text!r}; it must be {_PATTERNS[name][1]}")
    return text
