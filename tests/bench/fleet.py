# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second run of the whole road costs the controller, against the number of hosts (docs/fleet.md, "Measured").

One sandbox host is converged by the real road. Its file system becomes an image and its Docker a tar archive; N hosts
are started of them, each a converged machine with systemd, sshd, Docker Engine and a running dev container of its own.
Then, for each N and by turns: a second run of the road, and a playbook with as many no-op modules
(`ansible.builtin.ping`) as the road executes on a host. Compared are the slopes per host. Prints `bench NAME NUMBER
UNIT` lines and a table; --write puts the table into docs/fleet.md.

All hosts share this machine's processors with the controller: wall times hold the work of the hosts, too, which a real
fleet does on its own processors. The controller's processor seconds are those of ansible-playbook and all processes
that it started.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "integration"))

import fleet_lab
from lab import play

SLOPE_GOAL = 1.2
STATE = PROJECT / ".sandbox"
ARCHIVE = STATE / "images" / f"{fleet_lab.PREFIX}.tar"
# what the road is told besides the sandbox's inventory: a smaller image of the dev container
EXTRA = ["-e", '{"dev_apt_packages": []}']
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# systemd, udev, D-Bus, Docker's and the driver's path units; 10 were counted on a converged host
INSTANCES_PER_HOST = 32
# hosts that mend themselves at the same time, after the start
TOGETHER = 4
# Docker's folders are volumes, which an image does not hold. Beside sshd and not before it: a minute for twenty hosts
UNIT = f"""\
[Unit]
Before=docker.service containerd.service
ConditionPathExists=!/var/lib/docker/image

[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/usr/bin/tar --xattrs --xattrs-include=* -xf /srv/images/{ARCHIVE.name} -C /

[Install]
RequiredBy=docker.service
"""
MARKS = ("<!-- below: made by tests/bench/fleet.py -->", "<!-- above: made by tests/bench/fleet.py -->")
DOCKER_READY = "docker info >/dev/null 2>&1"
CONTAINER_READY = "docker inspect --format '{{.State.Health.Status}}' gpuready-dev 2>/dev/null | grep -qx healthy"


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float  # user and system, of the controller and all its children
    peak_mib: float  # proportional share of memory, summed over them


class Point(NamedTuple):
    hosts: int
    site: Cost
    ping: Cost


class BenchError(Exception):
    """A command that is measured failed; the text says which, and what it printed."""


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def descendants(root: int) -> list[int]:
    """Process ids of a process and of all that it started, and those started, and so on."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def shared_memory(pid: int) -> float:
    """Proportional share of a process in MiB; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    match = re.search(r"^Pss: +(\d+)", text, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def measured(argv: Sequence[str]) -> tuple[Cost, str]:
    """Run a command of the project; what it cost, and what it printed."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "GPUREADY_PROGRESS": "off"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak, done = [0.0], threading.Event()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(argv, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT)

        def watch() -> None:
            while not done.wait(0.5):
                peak[0] = max(peak[0], sum(shared_memory(pid) for pid in descendants(process.pid)))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        returncode = process.wait()
        wall = time.monotonic() - started
        done.set()
        watcher.join()
        output.seek(0)
        text = output.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if returncode != 0:
        raise BenchError(f"{' '.join(argv)} ended with {returncode}:\n{text[-4000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak[0]), text


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Least squares: by how much the second number grows with the first."""
    x, y = statistics.mean(point[0] for point in points), statistics.mean(point[1] for point in points)
    across = sum((point[0] - x) ** 2 for point in points)
    return sum((point[0] - x) * (point[1] - y) for point in points) / across if across else 0.0


def linearity(points: Sequence[tuple[int, float]]) -> float:
    """Share of the variance that a straight line explains, 0 to 1."""
    return statistics.correlation(*map(list, zip(*points, strict=True))) ** 2 if len(points) > 2 else 1.0


def site(inventory: Path, *extra: str) -> list[str]:
    return ["ansible-playbook", "playbooks/site.yml", "-i", str(inventory), *EXTRA, *extra]


def converge(host: str, image: str) -> None:
    """Walk the road on one host, and keep what it has become as an image and an archive."""
    inventory = fleet_lab.write_inventory("bench", {host: {}})
    run = play("sandbox/fleet.yml", "-i", str(inventory))
    if run.rc != 0:
        raise BenchError(run.output[-4000:])
    cost, _output = measured(site(inventory))
    print(f"one host converged in {cost.wall_s:.0f} s; making {image} of it", flush=True)
    keep(host, image)


def keep(host: str, image: str) -> None:
    """The image and the archive of a converged host, which is stopped for it."""
    shell = (
        "docker builder prune -af >/dev/null; systemctl stop docker.socket docker containerd;"
        f" cat > /etc/systemd/system/fleet-docker.service <<'EOF'\n{UNIT}EOF\nsystemctl enable -q fleet-docker.service"
    )
    docker("exec", host, "sh", "-c", shell)
    with ARCHIVE.open("wb") as stream:
        pack = ["docker", "exec", host, "tar", "--xattrs", "--xattrs-include=*", "-cf", "-", "-C", "/"]
        subprocess.run([*pack, "var/lib/docker", "var/lib/containerd"], stdout=stream, check=True)
    docker("commit", host, image)
    (STATE / f"image-{fleet_lab.PREFIX}").write_text(f"{image}\n")


def executions(inventory: Path, host: str) -> int:
    """Modules that a second run sends to a host."""
    _cost, output = measured([*site(inventory, "-l", host), "-vvv"])
    return output.count("\nUsing module file")


def write_pings(count: int) -> Path:
    """A playbook of as many no-op modules."""
    path = PROJECT / ".cache" / f"{fleet_lab.PREFIX}-pings.yml"
    tasks = [{"name": f"Ping {number}", "ansible.builtin.ping": None} for number in range(1, count + 1)]
    play = {"name": "Nothing", "hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}
    path.write_text(json.dumps([play]), encoding="utf-8")
    return path


def wait(hosts: Sequence[str], command: str) -> None:
    """Until a command succeeds on each host."""
    until = time.monotonic() + 900
    for host in hosts:
        while subprocess.run(["docker", "exec", host, "sh", "-c", command], check=False).returncode != 0:
            if time.monotonic() > until:
                raise BenchError(f"{host}: this does not succeed within 15 minutes: {command}")
            time.sleep(2)


def settle() -> None:
    """Until the machine has done what starting so many hosts began: the load is that of idle hosts."""
    until = time.monotonic() + 900
    while os.getloadavg()[0] > (os.cpu_count() or 1):
        if time.monotonic() > until:
            raise BenchError(f"the load is still {os.getloadavg()[0]:.1f} after 15 minutes")
        time.sleep(5)


def mend(inventory: Path) -> None:
    """Bring hosts that have just started to where nothing is to do, few at a time."""
    cost, _output = measured(site(inventory, "-e", "readiness_enforce=false", "-e", f"gpuready_serial={TOGETHER}"))
    print(f"first run of all: {cost.wall_s:.0f} s", flush=True)


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """inotify instances for so many systemds, which all belong to one root: path units fail without (inotify(7))."""
    before = INSTANCES.read_text(encoding="ascii")
    if int(before) >= (needed := count * INSTANCES_PER_HOST):
        yield
        return
    try:
        INSTANCES.write_text(f"{needed}\n", encoding="ascii")
    except OSError as error:
        raise BenchError(
            f"{count} hosts need fs.inotify.max_user_instances={needed}, this machine has {before.strip()}, "
            f"and it cannot be set for the run ({error}); as root: sysctl fs.inotify.max_user_instances={needed}"
        ) from error
    try:
        yield
    finally:
        INSTANCES.write_text(before, encoding="ascii")


def plain_variables(inventory: Path, host: str) -> dict[str, Any]:
    """The sandbox's variables as values: a lab's inventory holds no lookups, which the controller would pay for."""
    text = (PROJECT / "inventories" / "sandbox" / "group_vars" / "all.yml").read_text(encoding="utf-8")
    names = [name for name in yaml.safe_load(text) if not name.startswith("sandbox_image")]
    asked = json.dumps({"msg": {name: f"{{{{ {name} }}}}" for name in names}})
    done = subprocess.run(
        ["ansible", host, "-i", str(inventory), "-m", "ansible.builtin.debug", "-a", asked],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.partition(" => ")[2])["msg"]
    return found


def measure(inventory: Path, hosts: Sequence[str], sizes: Sequence[int], pings: Path, repeat: int) -> list[Point]:
    points = []
    for size in sizes:
        limit = ["-l", ",".join(hosts[:size])]
        turns: list[tuple[Cost, Cost]] = []
        for _turn in range(repeat):  # by turns, so that a busy moment of the machine hits both
            cost, output = measured(site(inventory, *limit))
            changed = sum(int(number) for number in re.findall(r"changed=(\d+)", output))
            if changed or output.count(" changed=0 ") != size:
                raise BenchError(f"not converged: {changed} changes with {size} hosts:\n{output[-3000:]}")
            turns.append((cost, measured(["ansible-playbook", str(pings), "-i", str(inventory), *limit])[0]))
        points.append(Point(size, median([turn[0] for turn in turns]), median([turn[1] for turn in turns])))
        print(f"{size} hosts: {points[-1].site} against {points[-1].ping}", flush=True)
    return points


def ratios(points: Sequence[Point]) -> dict[str, float]:
    """Slope of the road by slope of the pings, which are as many as the road's executions."""
    found = {}
    for field in ("wall_s", "cpu_s"):
        road = slope([(point.hosts, getattr(point.site, field)) for point in points])
        pings = slope([(point.hosts, getattr(point.ping, field)) for point in points])
        found[field] = road / pings if pings else 0.0
    return found


def table(points: Sequence[Point], count: int, load: float) -> str:
    """The results as Markdown."""
    lines = [
        "| Hosts | Second run, s | Controller, CPU s | Peak memory, MiB | Pings, s | Pings, CPU s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for point in points:
        numbers = [f"{value:.1f}" for value in (*point.site[:2], *point.ping[:2])]
        numbers.insert(2, f"{point.site.peak_mib:.0f}")
        lines.append(f"| {point.hosts} | {' | '.join(numbers)} |")
    wall = [(point.hosts, point.site.wall_s) for point in points]
    cpu = [(point.hosts, point.site.cpu_s) for point in points]
    found = ratios(points)
    lines += [
        "",
        f"Executions on a host: {count}, and as many pings. A host more costs {slope(wall):.2f} s of wall time",
        f"(R² {linearity(wall):.3f}) and {slope(cpu):.2f} s of the controller's processor (R² {linearity(cpu):.3f});",
        f"by the pings': {found['wall_s']:.2f} (wall) and {found['cpu_s']:.2f} (processor); wanted: {SLOPE_GOAL}.",
        f"Load average when it began: {load:.1f} on {os.cpu_count()} processors.",
    ]
    return "\n".join(lines)


def write(text: str) -> None:
    path = PROJECT / "docs" / "fleet.md"
    head, _mark, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    tail = rest.partition(MARKS[1])[2]
    path.write_text(f"{head}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def bench(arguments: argparse.Namespace) -> int:
    load = os.getloadavg()[0]
    image = f"gpuready-sandbox/fleet:{fleet_lab.PREFIX}"
    hosts = fleet_lab.names(max(arguments.hosts), start=51)
    known = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
    base = f"{fleet_lab.PREFIX}-50"
    try:
        if not (arguments.keep and known and ARCHIVE.exists()):
            fleet_lab.remove([base])
            converge(base, image)
            fleet_lab.remove([base])
        plain = plain_variables(fleet_lab.write_inventory("bench", {base: {}}), base)
        started = {host: {"sandbox_image": fleet_lab.PREFIX} for host in hosts}
        with room_for(len(hosts)), fleet_lab.running("bench", started, plain) as inventory:
            wait(hosts, DOCKER_READY)
            settle()
            print(
                f"{len(hosts)} hosts run; the first run mends what starting changed (the driver and the dev container)",
                flush=True,
            )
            mend(inventory)
            wait(hosts, CONTAINER_READY)
            settle()
            count = executions(inventory, hosts[0])
            points = measure(inventory, hosts, arguments.hosts, write_pings(count), arguments.repeat)
    finally:
        fleet_lab.remove([base])
        if not arguments.keep:
            subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True, check=False)
            ARCHIVE.unlink(missing_ok=True)
    text = table(points, count, load)
    print(text)
    for name, value in ratios(points).items():
        print(f"bench fleet_slope_{name} {value:.2f} ratio")
    print(f"bench fleet_executions {count} calls")
    if arguments.write:
        write(text)
    return int(arguments.enforce and ratios(points)["cpu_s"] > SLOPE_GOAL)


def main() -> int:
    # hosts compile what Ansible sends, as machines do
    os.environ["SANDBOX_KEEP_COMPILED"] = ""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hosts", nargs="*", type=int, default=[1, 5, 10, 20])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--keep", action="store_true", help="keep the converged host's image and archive for the next time"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/fleet.md")
    parser.add_argument("--enforce", action="store_true", help="exit status 1 when the goal is missed")
    return bench(parser.parse_args())


if __name__ == "__main__":
    # a run that is ended from outside removes its hosts, too
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"ERROR: {error}")
