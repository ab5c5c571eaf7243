# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's registry mirrors and proxies in daemon.json: one owner more of the record that docker_daemon keeps.

The record of the file (owned, owners, pending) is the same, so that the two modules never take each other's keys, and
docker_restart knows what is due. `present` and `absent` are pure; `apply` writes and has the daemon read the file.

registry-mirrors is taken over at SIGHUP where it is set; where it vanishes from the file, and for proxies, the daemon
has to be restarted (moby daemon/reload.go). proxies needs Docker Engine 23.0: an older one, such as Debian 12's
docker.io 20.10, does not start with it and cannot judge the file beforehand either. There (see `knows_proxies`) the
addresses go to a drop-in file of the service instead (`service_files`), for which systemd has to be told
(daemon-reload, restart).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _docker_pending as pending
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _json_merge as json_merge
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import (
    Daemon,
    DaemonError,
    needed_action,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PATH = "/etc/docker/daemon.json"
DROP_IN_PATH = "/etc/systemd/system/docker.service.d/gpuready-proxy.conf"
VARIABLES_PATH = "/etc/docker/gpuready-proxy.env"
VARIABLES_MODE = 0o600
OWNER = "package_mirrors"
Data = dict[str, Any]


class DockerConfigError(ValueError):
    """daemon.json cannot be read or cannot take the keys; the text names the line or the key."""


@dataclass(frozen=True)
class Known:
    """daemon.json as it is, and what the record says of it. raw, original: None for no file."""

    raw: bytes | None
    original: bytes | None = None
    recorded: bool = False
    restorable: bool = False
    owned: Data = field(default_factory=dict)
    owners: Data = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What shall be. content: None for no file. demand: what a running daemon needs, none, reload or restart."""

    content: bytes | None
    data: Data
    meta: Data
    keys: list[str]
    left: list[str]
    demand: str
    forget: bool = False


def settings(wish: Mapping[str, Any]) -> Data:
    """The keys of daemon.json for a wish: registry_mirrors (addresses), proxies {http-proxy, https-proxy, no-proxy}."""
    found: Data = {}
    if wish.get("registry_mirrors"):
        found["registry-mirrors"] = [str(url) for url in wish["registry_mirrors"]]
    if wish.get("proxies"):
        found["proxies"] = dict(wish["proxies"])
    return found


def knows_proxies(runner: Runner) -> bool:
    """Whether the installed dockerd, if there is one, knows `proxies` in daemon.json."""
    match = re.search(r"version (\d+)\.", runner.run(["dockerd", "--version"]).stdout)
    return match is None or int(match.group(1)) >= 23


def service_files(wish: Mapping[str, str]) -> dict[str, str]:
    """Both files of our own for {http-proxy, https-proxy, no-proxy}: path -> text, empty texts without a wish.

    VARIABLES_PATH is for root alone (VARIABLES_MODE); what stands in Environment= every user could ask systemd for.
    """
    values = keyed.filled(wish)
    lines = "".join(f'{key.upper().replace("-", "_")}="{value}"\n' for key, value in values.items())
    unit = f"# Written by gpuready\n[Service]\nEnvironmentFile=-{VARIABLES_PATH}\n" if lines else ""
    return {VARIABLES_PATH: f"# Written by gpuready\n{lines}" if lines else "", DROP_IN_PATH: unit}


def known(gate: pending.DaemonGate) -> Known:
    """What is there, and what is remembered of it."""
    record = gate.record(PATH)
    meta = record.meta if record is not None else {}
    owned, owners = meta.get("owned", {}), meta.get("owners", {})
    return Known(gate.read(PATH), gate.original(PATH), record is not None, gate.restorable(PATH), owned, owners)


def change(before: Known, wish: Mapping[str, Any]) -> Change | None:
    """What a wish makes of the file; an empty wish gives back what we set. None: nothing of ours is there or wished."""
    wanted = settings(wish)
    if wanted:
        return present(before, wanted)
    return absent(before) if OWNER in before.owners else None


def present(before: Known, wanted: Data) -> Change:
    """The file with our keys set, and those that we set before and do not set any more as they were."""
    current, original = _load(before.raw, ""), _load(before.original, "the kept original, ")
    owned, owners = before.owned, before.owners
    stale = _of_owner_only(json_merge.subtract(owners.get(OWNER, {}), wanted), owners)
    base = json_merge.revert(current, stale, original)
    clashes = json_merge.clashes(base, wanted)
    if clashes:
        raise DockerConfigError(
            f"{', '.join(clashes)} is no object, so it cannot take keys of ours beside those of others"
        )
    data = json_merge.merge(base, wanted)
    meta = {
        "owned": json_merge.combine(json_merge.subtract(owned, stale), wanted),
        "owners": {**owners, OWNER: wanted},
    }
    keys = json_merge.changed_keys(current, data)
    content = json_merge.dumps(data) if keys else before.raw  # the user's own formatting stays
    return Change(content, data, meta, keys, [], needed_action(current, data, keys))


def absent(before: Known) -> Change:
    """The file without our keys; byte for byte the original, if no other owner is left and nobody edited it."""
    current, original = _load(before.raw, ""), _load(before.original, "the kept original, ")
    owned, owners = before.owned, before.owners
    rest = json_merge.subtract(owned, _of_owner_only(owners.get(OWNER, {}), owners))
    ours = json_merge.subtract(owned, rest)
    others = {name: value for name, value in owners.items() if name != OWNER and rest}
    meta = {"owned": rest, "owners": others}
    if not rest and before.restorable:
        keys = json_merge.changed_keys(current, original)
        return Change(before.original, original, meta, keys, [], needed_action(current, original, keys), True)
    data = json_merge.revert(current, ours, original)
    keys = json_merge.changed_keys(current, data)
    content = json_merge.dumps(data) if keys else before.raw
    if not (rest or data) and before.original is None and keys:
        content = None  # somebody edited it, but nothing of theirs is left in a file that was not there
    left = json_merge.foreign_keys(current, ours, original)
    return Change(content, data, meta, keys, left, needed_action(current, data, keys), not rest)


def refuse(new: Change, daemon: Daemon, folder: str, runner: Runner | None = None) -> None:
    """Raise DaemonError where dockerd would not start with the new file.

    folder: for a temporary copy. runner: how dockerd is asked for its version, else as the daemon itself is asked.
    """
    runner = runner or getattr(daemon, "_runner", None)
    if "proxies" in new.keys and "proxies" in new.data and runner is not None and not knows_proxies(runner):
        raise DaemonError(
            f"proxies cannot be set in {PATH}: this dockerd is older than 23.0 and would not start with it; "
            "update Docker, or set the proxy in its service"
        )
    named = daemon.config_file()
    if named is not None and named != PATH:
        raise DaemonError(f"docker.service reads {named} ({daemon.flag_source()}) and not {PATH}; remove that flag")
    for key, flag in daemon.conflicts(new.data).items():
        raise DaemonError(
            f"{key} cannot be set in {PATH}: docker.service already gives it as the flag {flag} "
            f"(in {daemon.flag_source()}), and dockerd does not start with both; remove one of them"
        )
    if new.keys and new.content is not None:
        daemon.validate(new.content, folder)


def apply(module: AnsibleModule, gate: pending.DaemonGate, new: Change, before: Known, daemon: Daemon | None) -> str:
    """Write, and have a running daemon read it; what is still due: none, reload or restart.

    daemon: None where none can run, as below another root.
    """
    record = gate.record(PATH)
    now = pending.of(record)
    if daemon is not None:
        now = pending.due(now, daemon.running, daemon.began)
    meta = dict(new.meta)
    demand = new.demand if daemon is not None and daemon.running else ("restart" if new.keys else "none")
    if new.keys:
        now = pending.begin(now, demand, before.raw, before.owned, before.owners)
        meta.update(now.meta())
    with gate.undone_on_failure(PATH):
        gate.remember_meta(PATH, meta)
        if new.content is None:
            gate.remove(PATH)
        elif new.keys or new.content != before.raw:
            gate.write(PATH, new.content, shared=True, meta=meta)
    if new.keys and not module.check_mode and _settled(module, gate, daemon, now):
        now = None
    if new.forget and (now is None or not new.keys):
        gate.forget(PATH)
    return demand if now is not None and new.keys else "none"


def _settled(
    module: AnsibleModule, gate: pending.DaemonGate, daemon: Daemon | None, due: pending.Pending | None
) -> bool:
    """Whether the daemon has taken the file over, or will at its first start."""
    if daemon is not None and daemon.running:
        failed = daemon.reload()
        if failed:
            module.warn(f"{PATH} is written, but {failed}")
        if failed or due is None or due.action != "reload":
            return False
    elif daemon is not None and daemon.installed:
        return False
    gate.remember_meta(PATH, pending.SETTLED)
    return True


def _of_owner_only(keys: Data, owners: Data) -> Data:
    """Without what another owner set, too."""
    for name, theirs in owners.items():
        if name != OWNER:
            keys = json_merge.subtract(keys, theirs)
    return keys


def _load(raw: bytes | None, what: str) -> Data:
    try:
        return json_merge.loads(raw or b"")
    except json_merge.JsonError as error:
        raise DockerConfigError(f"{what}{error}") from error
