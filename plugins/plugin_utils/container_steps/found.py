# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine shows of its Docker Engine, its containers and the files of our projects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CDI_KIND = "nvidia.com/gpu"
# CDI, and start_interval of health checks (Docker Engine's release notes, 25.0)
LEAST_ENGINE = 25


class Found:
    """The facts of one host, with nothing missing."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.docker: Mapping[str, Any] = facts.get("docker") or {}
        self.files: Mapping[str, Mapping[str, Any]] = facts.get("files") or {}
        self.containers: list[Mapping[str, Any]] = list(self.docker.get("containers") or [])
        images = self.docker.get("images") or []
        # ids by tag
        self.images = {tag: image.get("id") for image in images for tag in image.get("tags") or []}
        self.tags = set(self.images)
        specs = (facts.get("cdi") or {}).get("specs") or []
        named = (str(one) for spec in specs if spec.get("kind") == CDI_KIND for one in spec.get("devices") or [])
        self.cdi_devices = list(dict.fromkeys(named))
        self.machine = str((facts.get("os") or {}).get("machine") or "x86_64")
        self.listening: list[Mapping[str, Any]] = list((facts.get("network") or {}).get("listening") or [])

    def container(self, name: str) -> Mapping[str, Any]:
        return next((one for one in self.containers if one.get("name") == name), {})

    def seen(self, folder: str) -> bool:
        """Whether the files below a folder were looked at, and there are some."""
        return any(path.startswith(f"{folder}/") for path in self.files)

    def file_is(self, path: str, sha256: str, mode: str, uid: int) -> bool:
        one = self.files.get(path) or {}
        return (one.get("sha256"), one.get("mode"), one.get("uid")) == (sha256, mode, uid)

    def has_image(self, name: str) -> bool:
        """Whether the engine has an image; Docker's own registry is left out of its names."""
        return re.sub(r"^docker\.io/(library/)?", "", name) in self.tags

    @property
    def cdi_ready(self) -> bool:
        return bool(self.docker.get("cdi_spec_dirs")) and bool(self.cdi_devices)

    @property
    def runtime_ready(self) -> bool:
        return "nvidia" in (self.docker.get("runtimes") or {})

    def gpu_mode(self, wanted: str) -> str:
        """How GPUs come into containers: cdi, runtime, none; undecided where the engine knows no way yet."""
        if wanted != "auto":
            return wanted
        return "cdi" if self.cdi_ready else "runtime" if self.runtime_ready else "undecided"


def major(version: Any) -> int:
    """The first number of a version, 0 where there is none."""
    match = re.match(r"\d+", str(version or ""))
    return int(match.group()) if match else 0
