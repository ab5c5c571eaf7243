# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An index of a few wheels (PEP 503), served by a sandbox host: for its containers, and for the controller."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from machine import Machine

UNIT, PORT, FOLDER = "wheel-index", 8106, "/srv/wheel-index"
# where there is no systemd
PID = "/run/wheel-index.pid"


def page(wheels: Mapping[str, bytes]) -> bytes:
    """The page of a package: a link to each file, with its sum."""
    links = [
        f'<a href="{name.replace("+", "%2B")}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
        for name, data in wheels.items()
    ]
    return f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>\n".encode()


def serve(machine: Machine, packages: Mapping[str, Mapping[str, bytes]]) -> str:
    """Start it; its address. packages: wheels by the path of their page, such as "cpu/torch". stop() ends it."""
    for folder, wheels in packages.items():
        for name, data in {**wheels, "index.html": page(wheels)}.items():
            path = f"{FOLDER}/{folder}/{name}"
            encoded = base64.b64encode(data).decode()
            machine.sh(f"mkdir -p $(dirname {path}) && echo {encoded} | base64 -d > {path}")
    stop(machine)
    server = f"python3 -m http.server {PORT} -d {FOLDER}"
    if machine.rc("test -d /run/systemd/system") == 0:
        machine.sh(f"systemd-run -q --collect --unit={UNIT} {server}")
    else:
        machine.sh(f"setsid -f sh -c 'echo $$ > {PID}; exec {server}' >/dev/null 2>&1 </dev/null")
    machine.sh(f"timeout 30 sh -c 'until ss -Hltn sport = :{PORT} | grep -q .; do sleep 0.2; done'")
    # not that of its engine: the controller asks it, too
    address = machine.sh("ip -4 -o route get 192.0.2.1 | sed -E 's/.* src ([0-9.]+).*/\\1/'").strip()
    return f"http://{address}:{PORT}"


def stop(machine: Machine) -> None:
    """One that does not run is as good as stopped."""
    machine.sh(f"systemctl stop {UNIT}.service 2>/dev/null; kill $(cat {PID} 2>/dev/null) 2>/dev/null; rm -f {PID}")
