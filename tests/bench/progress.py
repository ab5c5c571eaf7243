# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live display costs: processor time of a run with many hosts, against that with Ansible's default output.

python tests/bench/progress.py [--hosts 200] [--tasks 4] [--rounds 5]. All hosts are this machine (connection local),
and both runs have a pseudo-terminal. Processor time of all processes is compared: it depends least on others.
"""

from __future__ import annotations

import argparse
import os
import pty
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def play(tasks: int) -> str:
    head = "- name: Fleet\n  hosts: all\n  gather_facts: false\n  tasks:\n"
    return head + "".join(f"    - name: Task {n}\n      ansible.builtin.set_fact: {{a: 1}}\n" for n in range(tasks))


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(folder: Path, hosts: int, callback: str) -> tuple[float, float]:
    """Seconds of processor time and of waiting."""
    inventory = ",".join(f"gpu{n:03}" for n in range(hosts)) + ","
    argv = ["ansible-playbook", "-c", "local", "-i", inventory, "--forks", "20", str(folder / "play.yml")]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "XDG_CACHE_HOME": str(folder),
        "TERM": "xterm-256color",
    }
    before, began = spent(), time.monotonic()
    child, handle = pty.fork()
    if child == 0:
        try:
            os.chdir(ROOT)
            os.execvpe(argv[0], argv, environment)
        finally:
            os._exit(127)
    try:
        while os.read(handle, 65536):
            pass
    except OSError:
        # Linux's way to say that nobody has the other end open
        pass
    os.close(handle)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise SystemExit(f"ansible-playbook ended with {status}")
    return spent() - before, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("hosts", 200), ("tasks", 4), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    wanted = parser.parse_args()
    found: dict[str, list[float]] = {"ansible.builtin.default": [], "gpuready.bootstrap.progress": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "play.yml").write_text(play(wanted.tasks), encoding="utf-8")
        for _round in range(wanted.rounds):
            for callback, times in found.items():
                processor, waited = run(Path(folder), wanted.hosts, callback)
                times.append(processor)
                print(f"{callback:<28} {processor:6.2f} s processor, {waited:6.1f} s", flush=True)
    plain, live = (statistics.median(times) for times in found.values())
    print(f"live / default = {live / plain:.3f} (medians)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
