# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for torch's wheels, which are gigabytes: what tells a build for the CPU from one with CUDA, and no more.

An index of them as PyTorch's is laid out (PEP 503), one folder a build, served by a sandbox host.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

from machine import Machine

RELEASE = "2.11.0"
CPU, CUDA = f"{RELEASE}+cpu", f"{RELEASE}+cu126"
# what each index has: that of cu126 both builds, and that of cu128 the wrong one only, as a careless mirror would
FOLDERS = {"cpu": [CPU], "cu126": [CUDA, CPU], "cu128": [CPU]}
UNIT, PORT = "torch-stand-in", 8106
INIT = """\
from .version import __version__, cuda as _built_for


class cuda:
    is_available = staticmethod(lambda: _built_for is not None)
"""


def wheel(version: str) -> bytes:
    """The same bytes each time."""
    cuda = "12.6" if version == CUDA else None
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


def page(wheels: dict[str, bytes]) -> bytes:
    """The page of a package: PEP 503 asks for a link to each file, with its sum."""
    links = [
        f'<a href="{name.replace("+", "%2B")}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
        for name, data in wheels.items()
    ]
    return f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>\n".encode()


def serve(machine: Machine) -> str:
    """Start the index on the host; its address, with {cuda} for the build. stop() ends it."""
    for folder, versions in FOLDERS.items():
        wheels = {f"torch-{version}-py3-none-any.whl": wheel(version) for version in versions}
        for name, data in {**wheels, "index.html": page(wheels)}.items():
            path = f"/srv/torch-stand-in/{folder}/torch/{name}"
            encoded = base64.b64encode(data).decode()
            machine.sh(f"mkdir -p $(dirname {path}) && echo {encoded} | base64 -d > {path}")
    stop(machine)
    machine.sh(f"systemd-run -q --collect --unit={UNIT} python3 -m http.server {PORT} -d /srv/torch-stand-in")
    machine.sh(f"timeout 30 sh -c 'until ss -Hltn sport = :{PORT} | grep -q .; do sleep 0.2; done'")
    # not that of its engine: the controller locks with it, too
    address = machine.sh("ip -4 -o route get 192.0.2.1 | sed -E 's/.* src ([0-9.]+).*/\\1/'").strip()
    return f"http://{address}:{PORT}/{{cuda}}"


def stop(machine: Machine) -> None:
    machine.sh(f"systemctl stop {UNIT}.service 2>/dev/null; true")
