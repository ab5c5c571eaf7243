# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for torch's wheels, which are gigabytes: what tells a build for the CPU from one with CUDA, and no more.

As in PyTorch's index there is one folder a build.
"""

from __future__ import annotations

import io
import zipfile

RELEASE = "2.11.0"
CPU, CUDA = f"{RELEASE}+cpu", f"{RELEASE}+cu126"
# a release whose build on the package index is for another CUDA (12.8) than a driver of branch 580 gets
OLDER = "2.10.0"
FOR_DRIVER = f"{OLDER}+cu130"
BUILT_FOR = {CUDA: "12.6", FOR_DRIVER: "13.0"}
# what each index has: that of cu126 both builds, and that of cu128 the wrong one only, as a careless mirror would
FOLDERS = {"cpu": [CPU], "cu126": [CUDA, CPU], "cu128": [CPU], "cu130": [FOR_DRIVER]}
INIT = """\
from .version import __version__, cuda as _built_for


class cuda:
    is_available = staticmethod(lambda: _built_for is not None)
"""


def wheel(version: str) -> bytes:
    """The same bytes each time."""
    cuda = BUILT_FOR.get(version)
    info = f"torch-{version}.dist-info"
    files = {
        "torch/__init__.py": INIT,
        "torch/version.py": f"__version__ = {version!r}\ncuda = {cuda!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def packages() -> dict[str, dict[str, bytes]]:
    """The wheels by the path of their page, for wheel_index."""
    return {
        f"{folder}/torch": {f"torch-{version}-py3-none-any.whl": wheel(version) for version in versions}
        for folder, versions in FOLDERS.items()
    }
