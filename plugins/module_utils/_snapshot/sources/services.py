# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and container scopes, by one call of `systemctl show`."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl

UNITS = (
    "docker.service",
    "docker.socket",
    "containerd.service",
    "crio.service",
    "nvidia-persistenced.service",
    "nvidia-fabricmanager.service",
    "nvidia-cdi-refresh.service",
    "nvidia-cdi-refresh.path",
    "nvidia-dcgm.service",
    "nvidia-imex.service",
    # the name that every display manager takes
    "display-manager.service",
    "ssh.service",
    "unattended-upgrades.service",
    "apt-daily-upgrade.timer",
    "dnf-automatic.timer",
    "dnf-automatic-install.timer",
    "systemd-timesyncd.service",
    "chrony.service",
    "chronyd.service",
)
_PROPERTIES = "Id,Names,LoadState,ActiveState,SubState,UnitFileState,ActiveEnterTimestamp,DevicePolicy,DeviceAllow"

Blocks = dict[str, systemctl.Block]


def read(host: Host) -> Blocks:
    """Return the blocks by unit name. A pattern stands for the scopes that systemd has loaded now."""
    source = "systemctl show"
    if not host.live or not host.is_dir("/run/systemd/system"):
        reason = "systemd does not run here" if host.live else f"no command is run for root {host.root}"
        host.probes.record("services", "missing", source, error=reason)
        return {}
    argv = ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", *UNITS, "docker-*.scope"]
    # in UTC the timestamps need no time zone table to be read
    result = host.runner.run(argv, env={"TZ": "UTC"})
    host.probes.command("services", source, result)
    return systemctl.by_name(systemctl.show(result.stdout))


def section(blocks: Blocks) -> dict[str, Any]:
    """Return the state of each unit; nulls where it is not known."""
    return {name: systemctl.unit(blocks.get(name)) for name in UNITS}
