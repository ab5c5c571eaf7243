# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: storage_mounts
short_description: Mounts for models and data, at once and at each boot
version_added: 0.2.0
description:
  - Writes entries of C(/etc/fstab) for NFS, CephFS, S3 (s3fs), disks and bind mounts, with options that never hold up a
    boot, and mounts them. Lines of others stay byte for byte.
  - First everything is looked at, and tried; if one mount fails, nothing is changed. Nothing is mounted over a folder
    that holds files.
  - Keys lie in files that only root may read, never in C(/etc/fstab) and never on a command line.
  - Makes the folders of O(layout), and compares free space with O(budget). Data is never deleted.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  mounts:
    description: The mounts. Ignored with O(state=absent).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A short name; it names the entry, its secret, and errors.
        type: str
        required: true
      type:
        description: What is mounted.
        type: str
        choices: [nfs, cephfs, s3, disk, bind]
        required: true
      source:
        description:
          - Of V(nfs) SERVER:/EXPORT; of V(cephfs) MONITOR[,MONITOR]:/PATH; of V(s3) BUCKET or BUCKET:/PREFIX.
          - Of V(disk) UUID=, LABEL=, PARTUUID= or a path below C(/dev/disk); of V(bind) a folder.
        type: str
        required: true
      path:
        description: Where it is mounted.
        type: str
        required: true
      options:
        description: More options; one takes the place of the default of its name. C(fail) takes C(nofail) away.
        type: list
        elements: str
        default: []
      read_only:
        description: Whether it is mounted read only.
        type: bool
        default: false
      automount:
        description: Whether systemd mounts it at its first use after a boot. Only for the network.
        type: bool
        default: true
      timeout:
        description: Seconds that a mount may take.
        type: int
        default: 30
      requires:
        description: Units of systemd that must run first.
        type: list
        elements: str
        default: []
      user:
        description: Of V(cephfs) the name of the user (V(admin) by default), of V(s3) the access key.
        type: str
        default: ""
      secret_key:
        description: Of V(cephfs) the user's key, of V(s3) the secret key.
        type: str
        default: ""
      url:
        description: Of V(s3) the address of the service.
        type: str
        default: ""
      filesystem:
        description: Of V(disk) its file system.
        type: str
        default: ext4
      device:
        description: Of V(disk) the device to make a file system on, if O(may_format) names the mount.
        type: str
        default: ""
      format:
        description: Of V(disk) whether a file system is made where C(device) holds nothing at all.
        type: bool
        default: false
  may_format:
    description: Names of mounts that may be formatted; said a second time, because it cannot be undone.
    type: list
    elements: str
    default: []
  on_unreachable:
    description: What to do about a server that does not answer. V(report) writes its entry all the same.
    type: str
    choices: [fail, report]
    default: fail
  layout:
    description: Folders to make, such as models, data, cache and checkpoints below one path.
    type: dict
    suboptions:
      path:
        description: The folder above them; empty makes none.
        type: str
        default: ""
      folders:
        description: Their names.
        type: list
        elements: str
        default: []
      owner:
        description: Account that owns them, by name or number.
        type: str
        default: root
      group:
        description: Group that owns them, by name or number; empty is the owner's.
        type: str
        default: ""
      mode:
        description: Permissions in quotes.
        type: str
        default: "0755"
  budget:
    description: How much room is planned for which folder. Files that are there already count as their share.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The folder.
        type: str
        required: true
      gb:
        description: Room in GB (1000^3 bytes).
        type: float
        required: true
  on_shortage:
    description: What to do about too little room.
    type: str
    choices: [warn, fail]
    default: warn
  packages:
    description:
      - Whether missing packages are only named in RV(needs), and nothing else done, so that a role can install them.
    type: str
    choices: [ask, assume]
    default: assume
  state:
    description: V(absent) unmounts what is idle and gives C(/etc/fstab) back.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Never reloads systemd, which would take GPUs from some containers. Automounts therefore begin at the next boot.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Models from a server
  gpuready.bootstrap.storage_mounts:
    mounts:
      - name: models
        type: nfs
        source: nas.example.org:/export/models
        path: /data/models
        read_only: true
"""

RETURN = r"""
mounted:
  description: Paths that were mounted by this call.
  returned: success
  type: list
  elements: str
  sample: [/data/models]
unmounted:
  description: Paths that were unmounted by this call.
  returned: success
  type: list
  elements: str
  sample: []
needs:
  description: Names of packages that are missing, with O(packages=ask).
  returned: success
  type: list
  elements: str
  sample: [nfs-common]
notes:
  description: What a person should know, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/fstab]
"""

import grp
import json
import os
import pwd
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files, _fstab, _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import (
    PACKAGES,
    SECRETS,
    Built,
    EntryError,
    build,
)

FSTAB = "/etc/fstab"


class MountError(Exception):
    """The mounts cannot be what was asked for; the text is one sentence for the user."""


class Mounts:
    """The mounts as they are, and as they shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner, self.params = module, gate, runner, module.params
        self.text = (gate.read(FSTAB) or b"").decode("utf-8", "surrogateescape")
        self.there = _storage_host.mounted()
        record = gate.record(FSTAB)
        self.made: list[str] = list(record.meta.get("made", [])) if record else []
        self.notes: list[str] = []
        self.mounted: list[str] = []
        self.unmounted: list[str] = []

    # -- looking -----------------------------------------------------------------------------------------------------
    def described(self) -> list[Built]:
        """The mounts, those above others first."""
        found: list[Built] = []
        for mount in self.params["mounts"]:
            try:
                built = build(mount)
            except EntryError as error:
                raise MountError(f"mount {mount['name']}: {error}") from error
            twins = [other for other in found if built.name == other.name or built.entry.path == other.entry.path]
            if twins:
                raise MountError(f"mount {built.name}: {twins[0].name} has the same name or path already")
            for number, line in _fstab.others_at(self.text, built.entry.path):
                said = f"line {number} of {FSTAB} is about the same path ({_files.redact_url(line)})"
                raise MountError(f"mount {built.name}: {said}; take it out, or leave {built.name} out")
            found.append(built)
        return sorted(found, key=lambda built: built.entry.path.count("/"))

    def needs(self, wanted: list[Built]) -> list[str]:
        family = "debian" if self.runner.which("dpkg") else "rhel"
        kinds = [built.kind for built in wanted if _storage_host.lacks_helper(built.kind, self.runner)]
        return sorted({PACKAGES[family][kind] for kind in kinds})

    def look(self, built: Built) -> str:
        """Whether a mount is 'right', 'new', or its server 'silent'. Raises MountError for what must not be done."""
        entry = built.entry
        there = self.there.get(entry.path)
        if there is not None:
            if _storage_host.right(built, there, self.runner):
                return "right"
            raise MountError(f"mount {built.name}: {there.source} is mounted on {entry.path} already; unmount it first")
        name = _storage_host.holds_files(entry.path)
        if name and not self._above_changes(entry.path):
            raise MountError(
                f"mount {built.name}: {entry.path} holds files ({name}), which it would hide; move them away"
            )
        reason = _storage_host.knows(built.kind, self.runner) or self._no_source(built)
        if reason:
            raise MountError(f"mount {built.name}: {reason}")
        reason = _storage_host.silent(built)
        if reason and self.params["on_unreachable"] == "fail":
            raise MountError(f"mount {built.name}: {reason}; nothing else was tried")
        if reason:
            self.notes.append(f"{built.name} is not mounted: {reason}. Its entry is there, and no boot waits for it.")
        return "silent" if reason else "new"

    def _above_changes(self, path: str) -> bool:
        """A folder below a mount that is not there yet will be another one afterwards."""
        above = [mount["path"] for mount in self.params["mounts"] if path.startswith(mount["path"] + "/")]
        return any(parent not in self.there for parent in above)

    def _no_source(self, built: Built) -> str:
        spec = built.entry.spec
        if built.kind == "bind" and not os.path.isdir(spec):
            return f"there is no folder {spec}"
        if built.kind != "disk" or _storage_host.device_of(spec, self.runner):
            return ""
        mount = next(mount for mount in self.params["mounts"] if mount["name"] == built.name)
        if not mount["format"]:
            return f"there is no disk {spec} here (`lsblk -o NAME,UUID,LABEL` shows those there are)"
        if built.name not in self.params["may_format"]:
            return f"there is no disk {spec}, and it is formatted only if may_format names {built.name}, too"
        device = mount["device"]
        if not device or not os.path.exists(device):
            return f"there is no device {device or '(device is empty)'} to format"
        probe = self.runner.run(["blkid", "-p", device])
        if probe.status == "ok" or probe.rc != 2 or self._in_use(device):
            said = first_line(probe.stdout) or probe.error or "it is in use"
            return f"{device} is not empty ({said}), and is not formatted"
        return ""

    def _in_use(self, device: str) -> bool:
        info = os.stat(device).st_rdev
        return f"{os.major(info)}:{os.minor(info)}" in {there.device for there in self.there.values()}

    # -- changing ----------------------------------------------------------------------------------------------------
    def present(self, wanted: list[Built]) -> None:
        looks = {built.name: self.look(built) for built in wanted}
        entries = {built.name: built.entry for built in wanted}
        old = _fstab.ours(self.text)
        text = _fstab.with_entries(self.text, entries)
        secrets = {built.secret[0]: built.secret[1] for built in wanted if built.secret}
        again = [b for b in wanted if looks[b.name] == "right" and old.get(b.name) not in (None, b.entry.line)]
        new = [built for built in wanted if looks[built.name] == "new"]
        gone = {name: _fstab.parse(line) for name, line in old.items() if name not in entries}
        made = list(self.made)
        written = []
        try:
            for path, content in secrets.items():
                if self.gate.write(path, content, mode=0o600, secret=True):
                    written.append(path)
            for entry in gone.values():
                self._unmount(entry.path if entry else "")
            self._renew(again, text)
            for built in wanted:
                self._point(built.entry.path)
                if built in new:
                    self._mount(built, text)
        except MountError:
            self._undo(written, made)
            raise
        if text != self.text:
            self.gate.write(FSTAB, text.encode("utf-8", "surrogateescape"), shared=True, meta={"made": self.made})
        self.gate.remember_meta(FSTAB, {"made": self.made})
        self._forget_secrets(secrets)

    def _undo(self, written: list[str], made: list[str]) -> None:
        """After a failed mount: what this call has mounted and made goes again."""
        for path in reversed(self.mounted):
            self.runner.run(["umount", path])
        for path in written:
            self.gate.restore(path, ours=True)
        for path in reversed([path for path in self.made if path not in made]):
            _rmdir(path)

    def _forget_secrets(self, secrets: dict[str, str]) -> None:
        index = json.loads(self.gate.read(f"{_files.STORE}/index.json") or b'{"files": {}}')["files"]
        for path in [path for path in index if path.startswith(f"{SECRETS}/") and path not in secrets]:
            self.gate.restore(path, ours=True, secret=True)

    def _point(self, path: str) -> None:
        """The folder to mount on, and those above it; remembered, so that they go when they are empty."""
        missing = []
        while path != "/" and not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            self.gate.changed = True
            if not self.module.check_mode:
                os.mkdir(folder, 0o755)
                self.made.append(folder)

    def _mount(self, built: Built, text: str) -> None:
        self.mounted.append(built.entry.path)
        self.gate.changed = True
        if self.module.check_mode:
            return
        self._format(built)
        handle, table = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
        try:
            done = self.runner.run(["mount", "-T", table, built.entry.path], timeout=built.timeout)
        finally:
            os.unlink(table)
        if done.status == "ok" and built.entry.path in _storage_host.mounted():
            return
        self.mounted.remove(built.entry.path)
        said = f"it did not end within {built.timeout} s" if done.status == "timeout" else ""
        said = said or first_line(done.stderr) or done.error or "it was gone at once; run `systemctl daemon-reload`"
        raise MountError(f"mount {built.name}: {built.entry.spec} cannot be mounted on {built.entry.path}: {said}")

    def _format(self, built: Built) -> None:
        mount = next(mount for mount in self.params["mounts"] if mount["name"] == built.name)
        if built.kind != "disk" or not mount["format"] or _storage_host.device_of(built.entry.spec, self.runner):
            return
        key, _equals, value = built.entry.spec.partition("=")
        flags = {"UUID": ["-U", value], "LABEL": ["-L", value]}
        if built.entry.type != "ext4" or key not in flags:
            raise MountError(f"mount {built.name}: only ext4 with UUID= or LABEL= is made here")
        done = self.runner.run(["mkfs.ext4", "-q", *flags[key], mount["device"]], timeout=600)
        if done.status != "ok":
            raise MountError(f"mount {built.name}: mkfs.ext4 failed: {first_line(done.stderr) or done.error}")

    def _renew(self, again: list[Built], text: str) -> None:
        """Mounted, but with former options: anew where nobody uses it."""
        for built in again:
            if self._unmount(built.entry.path):
                self._mount(built, text)

    def _unmount(self, path: str) -> bool:
        """Unmount what is idle; True where that was done."""
        if not path or path not in self.there:
            return False
        if not self.module.check_mode:
            done = self._take_off(path)
            if done.status != "ok":
                said = first_line(done.stderr) or done.error
                self.notes.append(f"{path} stays mounted as it is, because it is in use ({said}).")
                return False
        self.gate.changed = True
        self.unmounted.append(path)
        return True

    def _take_off(self, path: str) -> CommandResult:
        """What is mounted first, then systemd's automount below it."""
        waiting = path in _storage_host.automounts()
        if not waiting or self.there[path].type != "autofs":
            done = self.runner.run(["umount", path], timeout=60)
            if done.status != "ok" or not waiting:
                return done
        unit = self.runner.run(["systemd-escape", "--path", "--suffix=automount", path]).stdout.strip()
        return self.runner.run(["systemctl", "stop", unit], timeout=60)

    def absent(self) -> None:
        entries = [_fstab.parse(line) for line in _fstab.ours(self.text).values()]
        paths = sorted((entry.path for entry in entries if entry), key=lambda path: -path.count("/"))
        for path in paths:
            self._unmount(path)
        if not self.gate.restorable(FSTAB):
            text = _fstab.without(self.text)
            if text != self.text:
                self.gate.write(FSTAB, text.encode("utf-8", "surrogateescape"))
            self.gate.forget(FSTAB)
        else:
            self.gate.restore(FSTAB)
        self._forget_secrets({})
        if not self.module.check_mode:
            for path in sorted(self.made, key=len, reverse=True):
                _rmdir(path)

    # -- folders and room --------------------------------------------------------------------------------------------
    def lay_out(self, wanted: list[Built]) -> None:
        layout = self.params["layout"] or {}
        if not layout.get("path"):
            return
        uid, gid = _owner(layout["owner"], layout["group"])
        now = _storage_host.mounted() if not self.module.check_mode else self.there
        for folder in [layout["path"], *(f"{layout['path']}/{name}" for name in layout["folders"])]:
            below = [b for b in wanted if (folder + "/").startswith(b.entry.path + "/") and b.entry.path not in now]
            if below and not self.module.check_mode:
                self.notes.append(f"{folder} was not made, because {below[0].name} is not mounted.")
                continue
            if os.path.isdir(folder):
                continue
            self.gate.changed = True
            if not self.module.check_mode:
                os.makedirs(os.path.dirname(folder), exist_ok=True)
                os.mkdir(folder)
                os.chown(folder, uid, gid)
                os.chmod(folder, int(layout["mode"], 8))

    def room(self) -> list[str]:
        return _storage_host.shortages([(item["path"], item["gb"]) for item in self.params["budget"]])


def _rmdir(path: str) -> None:
    """Remove a folder that we made, if it is empty and nothing is mounted there."""
    try:
        os.rmdir(path)
    except OSError:
        return


def _owner(owner: str, group: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwuid(int(owner)) if owner.isdigit() else pwd.getpwnam(owner)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError as error:
        if not owner.isdigit():
            raise MountError(f"there is no account {owner}, which should own the folders of the layout") from error
        uid = gid = int(owner)
    try:
        return uid, (int(group) if group.isdigit() else grp.getgrnam(group).gr_gid) if group else gid
    except KeyError as error:
        raise MountError(f"there is no group {group}, which should own the folders of the layout") from error


def specification() -> dict[str, Any]:
    text = {"type": "str", "default": ""}
    mount = {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["nfs", "cephfs", "s3", "disk", "bind"], "required": True},
        "source": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "options": {"type": "list", "elements": "str", "default": []},
        "read_only": {"type": "bool", "default": False},
        "automount": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 30},
        "requires": {"type": "list", "elements": "str", "default": []},
        "user": text,
        "secret_key": {**text, "no_log": True},
        "url": text,
        "filesystem": {"type": "str", "default": "ext4"},
        "device": text,
        "format": {"type": "bool", "default": False},
    }
    layout = {
        "path": text,
        "folders": {"type": "list", "elements": "str", "default": []},
        "owner": {"type": "str", "default": "root"},
        "group": text,
        "mode": {"type": "str", "default": "0755"},
    }
    budget = {"path": {"type": "str", "required": True}, "gb": {"type": "float", "required": True}}
    return {
        "mounts": {"type": "list", "elements": "dict", "options": mount, "default": []},
        "may_format": {"type": "list", "elements": "str", "default": []},
        "on_unreachable": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        "layout": {"type": "dict", "options": layout},
        "budget": {"type": "list", "elements": "dict", "options": budget, "default": []},
        "on_shortage": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
        "packages": {"type": "str", "choices": ["ask", "assume"], "default": "assume"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def reach(mounts: Mounts, params: dict[str, Any]) -> list[str]:
    """Do all of it; names of packages that have to be there first."""
    if params["state"] == "absent":
        mounts.absent()
        return []
    wanted = mounts.described()
    needs = mounts.needs(wanted)
    if needs and params["packages"] == "ask":
        return needs
    if needs and not mounts.module.check_mode:
        raise MountError(f"the packages {', '.join(needs)} are missing; install them first")
    layout = params["layout"] or {}
    if not re.fullmatch(r"0[0-7]{3}", layout.get("mode", "0755")):
        raise MountError(f"mode {layout['mode']!r} of layout is not four octal digits in quotes, such as '0755'")
    mounts.present(wanted)
    mounts.lay_out(wanted)
    short = mounts.room()
    if short and params["on_shortage"] == "fail":
        raise MountError("; ".join(short))
    mounts.notes += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in short]
    return []


def main() -> None:
    module = AnsibleModule(argument_spec=specification(), supports_check_mode=True)
    gate = FileGate(module)
    try:
        mounts = Mounts(module, gate, Runner(module.run_command))
        needs = reach(mounts, module.params)
    except (MountError, FileGateError, OSError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if FSTAB in gate.paths else "Nothing was changed."
        module.fail_json(msg=f"{str(error).rstrip('.')}. {done}")
    lists = {"mounted": mounts.mounted, "unmounted": mounts.unmounted, "needs": needs, "notes": mounts.notes}
    module.exit_json(**lists, **gate.result())


if __name__ == "__main__":
    main()
