# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the clock of this host kept right, and by whom?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

# the file that systemd-timesyncd(8) touches at each synchronization
_TIMESYNCD = "/run/systemd/timesync/synchronized"
# names of daemons, their pid files and units
_SERVICES = (
    ("chrony", ("/run/chrony/chronyd.pid", "/run/chronyd.pid"), ("chrony.service", "chronyd.service")),
    ("ntpsec", ("/run/ntpsec/ntpd.pid",), ("ntpsec.service",)),
    ("ntpd", ("/run/ntpd.pid", "/var/run/ntpd.pid"), ("ntp.service", "ntpd.service")),
    ("openntpd", ("/run/openntpd.pid",), ("openntpd.service",)),
    ("systemd-timesyncd", (), ("systemd-timesyncd.service",)),
)
# struct timex of 64-bit Linux is 208 bytes; the field maxerror (microseconds) begins at byte 24
_TIMEX_SIZE, _MAXERROR_AT = 208, 24
# systemd calls a clock synchronized while its error is below 16 s (src/basic/time-util.c, ntp_synced)
_MAXERROR_US = 16_000_000

EMPTY: dict[str, Any] = {"ntp_synchronized": None, "ntp_service": None, "controller_skew_s": None}


def section(host: Host, services: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Return {ntp_synchronized, ntp_service, controller_skew_s}. `services`: the snapshot's section, if at hand.

    The skew against the controller is filled in there: this host cannot know it.
    """
    found = dict(EMPTY)
    with host.probes.watch("time", f"{_TIMESYNCD}, adjtimex"):
        service = _service(host, services or {})
        kernel = _kernel_synchronized() if host.live else None
        if kernel is None and service == "systemd-timesyncd":
            kernel = host.exists(_TIMESYNCD)
        found.update(ntp_synchronized=kernel, ntp_service=service)
    return found


def _service(host: Host, services: Mapping[str, Mapping[str, Any]]) -> str | None:
    for name, _files, units in _SERVICES:
        if any((services.get(unit) or {}).get("active") == "active" for unit in units):
            return name
    for name, files, _units in _SERVICES:
        if any(_alive(host, path) for path in files):
            return name
    # the folder goes when the service stops (RuntimeDirectory=)
    return "systemd-timesyncd" if host.is_dir("/run/systemd/timesync") else None


def _alive(host: Host, path: str) -> bool:
    pid = host.text(path) or ""
    return pid.isdigit() and (not host.live or host.is_dir(f"/proc/{pid}"))


def _kernel_synchronized() -> bool | None:
    """Ask the kernel, as timedatectl does; null where a container may not."""
    import sys

    if sys.maxsize < 2**32:
        return None
    import ctypes

    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    # modes 0 (the first field): read only
    if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
        return None
    return int.from_bytes(timex.raw[_MAXERROR_AT : _MAXERROR_AT + 8], sys.byteorder, signed=True) < _MAXERROR_US
