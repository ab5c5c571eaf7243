# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record machines with GPUs as fixtures: snapshot, raw documents and timings, without what names the machine.

    make capture INVENTORY=inventories/mine ARGS="--persistence"
    python3 tools/capture.py --here

Nothing on the machine changes, unless --persistence is given: then every probe is timed with persistence mode off and
on, and the mode is put back as it was. Needs root there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_BASE = "ansible_collections.gpuready.bootstrap.plugins"
_XML = "nvidia_smi_xml"
# round -> argument of `nvidia-smi -pm`; None leaves the mode alone
ROUNDS: dict[str, str | None] = {"as_found": None}
PERSISTENCE_ROUNDS: dict[str, str | None] = {"persistence_off": "0", "persistence_on": "1"}


def playbook(folder: Path, persistence: bool) -> list[dict[str, Any]]:
    """Return a play that leaves FOLDER/HOST.ROUND.json on this machine."""
    tasks: list[dict[str, Any]] = []
    for name, mode in {**ROUNDS, **(PERSISTENCE_ROUNDS if persistence else {})}.items():
        if mode is not None:
            tasks.append(_persistence(mode))
        tasks.append({"name": f"Read the host, {name}", "gpuready.bootstrap.gpu_facts": {"raw": name == "as_found"}})
        tasks.append(
            {
                "name": f"Keep the answer, {name}",
                "ansible.builtin.copy": {
                    "content": "{{ ansible_facts.gpu_host | to_json }}",
                    "dest": f"{folder}/{{{{ inventory_hostname }}}}.{name}.json",
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "become": False,
            }
        )
        if mode is None and persistence:
            tasks.append(
                {
                    "name": "Note the persistence mode",
                    "ansible.builtin.set_fact": {
                        "capture_was": "{{ '1' if ansible_facts.gpu_host.driver.persistence else '0' }}"
                    },
                }
            )
    play: dict[str, Any] = {"name": "Capture", "hosts": "all", "gather_facts": False, "become": True}
    if not persistence:
        return [{**play, "tasks": tasks}]
    return [{**play, "tasks": [{"name": "Time it", "block": tasks, "always": [_persistence("{{ capture_was }}")]}]}]


def _persistence(mode: str) -> dict[str, Any]:
    return {
        "name": "Set the persistence mode",
        "ansible.builtin.command": {"argv": ["nvidia-smi", "-pm", mode]},
        "changed_when": True,
    }


def captured(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the snapshots in a folder, by host and round."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        host, _dot, name = path.name[: -len(".json")].rpartition(".")
        found.setdefault(host, {})[name] = json.loads(path.read_text())
    return found


def bundle(host: str, rounds: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of one host's fixture, scrubbed: the same machine has the same placeholders in all of them."""
    scrub = importlib.import_module(f"{_BASE}.plugin_utils.readiness.scrub").scrub
    clean = scrub(dict(rounds), hosts=(host,))
    snapshot = dict(clean["as_found"])
    raw = snapshot.pop("raw", None) or {}
    files = {
        "snapshot.json": _json(snapshot),
        "timings.json": _json({name: timings(one) for name, one in clean.items()}),
    }
    for name, text in raw.items():
        suffix = "xml" if name == _XML else "txt"
        files[f"raw/{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.{suffix}"] = text
    return files


def timings(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a collect cost: in all, our own part, and each probe, in ms."""
    collector = snapshot.get("collector") or {}
    probes = snapshot.get("probes") or {}
    return {
        "total_ms": collector.get("total_ms"),
        "own_ms": collector.get("own_ms"),
        "persistence": (snapshot.get("driver") or {}).get("persistence"),
        "probes_ms": {name: probe.get("ms") for name, probe in probes.items()},
    }


def title(snapshot: Mapping[str, Any]) -> str:
    """Return a folder's name that says what the machine is: model, count and driver."""
    gpus = snapshot.get("gpus") or []
    model = str(gpus[0].get("name") or "gpu") if gpus else "no-gpu"
    driver = ((snapshot.get("driver") or {}).get("module") or {}).get("version") or "no-driver"
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    return f"{slug}-x{len(gpus)}-{driver}"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write a bundle into a new folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def here(persistence: bool) -> dict[str, Any]:
    """Return the rounds of this machine, read without Ansible."""
    if not persistence:
        return {"as_found": _collect(raw=True)}
    rounds = {"as_found": _collect(raw=True)}
    was = "1" if (rounds["as_found"].get("driver") or {}).get("persistence") else "0"
    try:
        for name, mode in PERSISTENCE_ROUNDS.items():
            subprocess.run(["nvidia-smi", "-pm", str(mode)], check=True, stdout=subprocess.DEVNULL)
            rounds[name] = _collect(raw=False)
    finally:
        subprocess.run(["nvidia-smi", "-pm", was], check=False, stdout=subprocess.DEVNULL)
    return rounds


def _collect(raw: bool) -> dict[str, Any]:
    runner = importlib.import_module(f"{_BASE}.module_utils._command").Runner(_run_command, 60)
    collector = importlib.import_module(f"{_BASE}.module_utils._snapshot.collector")
    found: dict[str, Any] = collector.collect(runner, wishes=collector.Wishes(raw=raw))
    return found


def _run_command(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
    done = subprocess.run(argv, env={**os.environ, **options["environ_update"]}, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def over_ansible(inventory: str, limit: str | None, persistence: bool) -> dict[str, dict[str, Any]]:
    """Return the rounds of the hosts of an inventory, by host."""
    with tempfile.TemporaryDirectory(prefix="gpuready-capture-") as name:
        folder = Path(name)
        play = folder / "capture.yml"
        # JSON is YAML
        play.write_text(json.dumps(playbook(folder, persistence)))
        argv = ["ansible-playbook", "-i", inventory, str(play), *(["-l", limit] if limit else [])]
        done = subprocess.run(argv, cwd=ROOT, check=False)
        found = captured(folder)
    if done.returncode != 0:
        print(f"capture: ansible-playbook ended with {done.returncode}", file=sys.stderr)
    return {host: rounds for host, rounds in found.items() if "as_found" in rounds}


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-i", "--inventory", help="hosts to record over Ansible")
    parser.add_argument("-l", "--limit", help="only these of its hosts")
    parser.add_argument("--here", action="store_true", help="record this machine, without Ansible")
    parser.add_argument("--persistence", action="store_true", help="time the probes without and with persistence mode")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "reports" / "captures", help="folder for the bundles")
    options = parser.parse_args(argv)
    if options.here == bool(options.inventory):
        parser.error("give either --inventory or --here")
    sys.path.insert(0, str(ROOT / ".collections"))
    if options.here:
        hosts = {os.uname().nodename: here(options.persistence)}
    else:
        hosts = over_ansible(options.inventory, options.limit, options.persistence)
    for number, (host, rounds) in enumerate(sorted(hosts.items()), start=1):
        folder = options.out / (title(rounds["as_found"]) + (f"-{number}" if len(hosts) > 1 else ""))
        write(folder, bundle(host, rounds))
        print(f"capture: {folder}: look at it before you share it")
    return 0 if hosts else 1


if __name__ == "__main__":
    sys.exit(main())
