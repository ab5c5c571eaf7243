# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break each managed thing by hand on a converged host: the next run mends it, and reports just that.

This is what shows that tasks gated on facts hide no drift.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from lab import Host

LIVE = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' gpuready-dev"


class Drift(NamedTuple):
    """A breakage, a command that is true when it is mended, and the roles that may report a change."""

    name: str
    damage: str
    mended: str
    roles: set[str]
    container_lives: bool = True


def edited(path: str, roles: set[str], container_lives: bool = True) -> Drift:
    """A line added by hand to a managed file; mended means: the same bytes as before."""
    damage = f"cp -p {path} /run/before-drift && echo '# a hand edit' >> {path}"
    return Drift(f"edited {path}", damage, f"cmp {path} /run/before-drift", roles, container_lives)


DAEMON = "/etc/docker/daemon.json"
SOURCES = "/etc/apt/sources.list /etc/apt/sources.list.d"
TOKEN = "/opt/gpuready/gpuready-dev/secrets/jupyter_token"
TOOLKIT_CONFIG = "/etc/nvidia-container-runtime/config.toml"
HEALTHY = "docker inspect -f '{{.State.Health.Status}}' gpuready-dev | grep -qx healthy"
OLD_TOOLKIT = " ".join(
    f"{package}=1.19.1-1"
    for package in (
        "nvidia-container-toolkit",
        "nvidia-container-toolkit-base",
        "libnvidia-container-tools",
        "libnvidia-container1",
    )
)
WITHOUT_RUNTIMES = f"import json; p = '{DAEMON}'; d = json.load(open(p)); del d['runtimes']; json.dump(d, open(p, 'w'))"
DRIFTS = [
    Drift(
        "toolkit package removed",
        "dpkg --remove --force-depends nvidia-container-toolkit",
        "dpkg -s nvidia-container-toolkit | grep -q '^Status: install ok installed'",
        {"nvidia_container_toolkit"},
    ),
    Drift(
        "toolkit package of another version",
        f"apt-get install -y -qq --allow-downgrades {OLD_TOOLKIT}",
        "nvidia-ctk --version | grep -q 1.20.0",
        {"nvidia_container_toolkit"},
    ),
    Drift(
        "driver package removed",
        "dpkg --remove --force-depends nvidia-driver-cuda",
        "nvidia-smi -L | grep -q 4090",
        {"nvidia_driver"},
    ),
    Drift(
        "persistence daemon stopped",
        "systemctl stop nvidia-persistenced",
        "systemctl is-active -q nvidia-persistenced",
        {"nvidia_driver"},
    ),
    Drift(
        "Docker stopped",
        "systemctl stop docker.socket docker.service",
        "docker info >/dev/null",
        {"docker_engine", "dev_container"},
    ),
    Drift(
        "Docker disabled",
        "systemctl disable -q docker.service",
        "systemctl is-enabled -q docker.service",
        {"docker_engine"},
    ),
    Drift(
        "CDI refresh stopped",
        "systemctl stop nvidia-cdi-refresh.path",
        "systemctl is-active -q nvidia-cdi-refresh.path",
        {"nvidia_container_toolkit"},
    ),
    Drift(
        "CDI specification deleted",
        "rm /var/run/cdi/nvidia.yaml",
        "test -s /var/run/cdi/nvidia.yaml",
        {"nvidia_container_toolkit"},
    ),
    edited("/etc/apt/sources.list.d/gpuready-nvidia-driver.sources", {"nvidia_driver"}),
    edited("/etc/apt/preferences.d/gpuready-nvidia-driver-hold", {"nvidia_driver"}),
    edited("/etc/apt/apt.conf.d/51gpuready-nvidia-driver", {"nvidia_driver"}),
    edited("/etc/modprobe.d/gpuready-nouveau.conf", {"nvidia_driver"}),
    edited("/etc/apt/keyrings/gpuready-nvidia-driver.asc", {"nvidia_driver"}),
    edited("/etc/apt/keyrings/gpuready-nvidia-container-toolkit.asc", {"nvidia_container_toolkit"}),
    edited("/etc/apt/sources.list.d/gpuready-nvidia-container-toolkit.sources", {"nvidia_container_toolkit"}),
    edited("/etc/apt/preferences.d/gpuready-nvidia-container-toolkit", {"nvidia_container_toolkit"}),
    edited("/etc/systemd/system/docker.service.d/10-gpuready-cdi.conf", {"nvidia_container_toolkit"}),
    Drift(
        "our key of daemon.json changed",
        f'sed -i \'s/"live-restore": true/"live-restore": false/\' {DAEMON}',
        f"grep -q '\"live-restore\": true' {DAEMON}",
        {"docker_engine"},
    ),
    Drift(
        "the runtime taken out of daemon.json",
        f'python3 -c "{WITHOUT_RUNTIMES}"',
        f"grep -q nvidia-container-runtime {DAEMON}",
        {"nvidia_container_toolkit"},
    ),
    Drift(
        "CDI switched off",
        f'sed -i \'s/"cdi": true/"cdi": false/\' {DAEMON}',
        f"grep -q '\"cdi\": true' {DAEMON}",
        {"nvml_stability"},
    ),
    Drift(
        "no-cgroups switched on",
        rf"sed -i 's/^#\?no-cgroups = .*/no-cgroups = true/' {TOOLKIT_CONFIG}",
        f"grep -q '^no-cgroups = false' {TOOLKIT_CONFIG}",
        {"nvml_stability"},
    ),
    Drift(
        "apt mirror taken out",
        f"grep -rls 127.0.0.1:8098 {SOURCES}"
        " | xargs sed -i 's#http://127.0.0.1:8098/debian#'$(cat /etc/gpuready/sandbox-archive)'#'",
        f"grep -rqs 127.0.0.1:8098 {SOURCES}",
        {"mirrors"},
    ),
    edited("/opt/gpuready/gpuready-dev/build/Dockerfile", {"dev_container"}),
    edited("/opt/gpuready/gpuready-dev/compose.yaml", {"dev_container"}),
    edited("/opt/gpuready/gpuready-dev/secrets/authorized_keys", {"dev_container"}),
    Drift(
        "token readable by all",
        f"chmod 0644 {TOKEN}",
        f"test $(stat -c %a {TOKEN}) = 400",
        {"dev_container"},
    ),
    Drift("container stopped", "docker stop -t 5 gpuready-dev", HEALTHY, {"dev_container"}, False),
    Drift("container removed", "docker rm -f gpuready-dev", HEALTHY, {"dev_container"}, False),
]


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_the_next_run_mends_it_and_reports_just_that(host: Host, drift: Drift) -> None:
    before = host.ssh(LIVE)
    host.ssh(drift.damage)
    assert host.ssh(f"{drift.mended} && echo mended", check=False) != "mended", "the damage did nothing"
    run = host.site()
    assert run.rc == 0, run.output[-4000:]
    assert host.ssh(f"{drift.mended} && echo mended", check=False) == "mended", run.changed
    roles = {task.split(" : ")[0] for task in run.changed}
    assert roles and roles <= drift.roles, run.changed
    if drift.container_lives:
        assert host.ssh(LIVE) == before, "a repair must not restart the dev container"


def test_after_the_tour_a_run_changes_nothing(host: Host) -> None:
    run = host.site()
    assert (run.rc, run.changed) == (0, ())


def test_an_unhealthy_container_is_left_alone_because_jobs_may_live_in_it(host: Host) -> None:
    host.ssh("docker exec -d gpuready-dev bash -c 'exec -a a-running-job sleep 3600'")
    # a server that hangs: alive, but without an answer
    host.ssh("docker exec gpuready-dev pkill -STOP -x sshd")
    before = host.ssh(LIVE)
    try:
        health = "docker inspect -f '{{.State.Health.Status}}' gpuready-dev"
        host.ssh(f"for i in $(seq 200); do {health} | grep -qx unhealthy && exit 0; sleep 1; done; exit 1")
        run = host.site()
        assert run.rc != 0 and "dev_container_replace_unhealthy" in run.errors, run.output[-3000:]
        assert host.ssh(LIVE) == before
        assert host.ssh("docker exec gpuready-dev pgrep -f a-running-job")
        # nor does the word that it may be replaced end the job
        run = host.site("-e", "dev_container_replace_unhealthy=true")
        assert run.rc != 0 and "a-running-job (pid" in run.errors, run.output[-3000:]
        assert host.ssh(LIVE) == before
    finally:
        words = ("dev_container_replace_unhealthy=true", "dev_container_on_running_jobs=proceed")
        assert host.site(*(part for word in words for part in ("-e", word))).rc == 0
    assert host.ssh("docker inspect -f '{{.State.Health.Status}}' gpuready-dev") == "healthy"
