# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: storage_mounts
short_description: Mounts for models and data, at once and at each boot
version_added: 0.1.0
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
import os
import pwd
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _fstab, _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_changes import Changes, NotBackError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import Built
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_look import MountError, described, needs


def lay_out(mounts: Changes, layout: dict[str, Any], wanted: list[Built]) -> None:
    """The folders of the layout, but for those below a mount that is not there."""
    if not layout.get("path"):
        return
    uid, gid = _owner(layout["owner"], layout["group"])
    now = _storage_host.mounted() if not mounts.module.check_mode else mounts.there
    for folder in [layout["path"], *(f"{layout['path']}/{name}" for name in layout["folders"])]:
        below = [b for b in wanted if (folder + "/").startswith(b.entry.path + "/") and b.entry.path not in now]
        if below and not mounts.module.check_mode:
            mounts.notes.append(f"{folder} was not made, because {below[0].name} is not mounted.")
            continue
        if os.path.isdir(folder):
            continue
        mounts.gate.changed = True
        if not mounts.module.check_mode:
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.mkdir(folder)
            os.chown(folder, uid, gid)
            os.chmod(folder, int(layout["mode"], 8))


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


def reach(mounts: Changes, params: dict[str, Any]) -> list[str]:
    """Do all of it; names of packages that have to be there first."""
    if params["state"] == "absent":
        mounts.absent()
        return []
    wanted = described(params["mounts"], mounts.text)
    missing = needs(wanted, mounts.runner)
    if missing and params["packages"] == "ask":
        return missing
    if missing and not mounts.module.check_mode:
        raise MountError(f"the packages {', '.join(missing)} are missing; install them first")
    layout = params["layout"] or {}
    if not re.fullmatch(r"0[0-7]{3}", layout.get("mode", "0755")):
        raise MountError(f"mode {layout['mode']!r} of layout is not four octal digits in quotes, such as '0755'")
    mounts.present(wanted)
    lay_out(mounts, layout, wanted)
    short = _storage_host.shortages([(item["path"], item["gb"]) for item in params["budget"]])
    if short and params["on_shortage"] == "fail":
        raise MountError("; ".join(short))
    mounts.notes += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in short]
    return []


def main() -> None:
    module = AnsibleModule(argument_spec=specification(), supports_check_mode=True)
    gate = FileGate(module)
    try:
        mounts = Changes(module, gate, Runner(module.run_command))
        missing = reach(mounts, module.params)
    except (MountError, FileGateError, OSError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if _fstab.PATH in gate.paths else "Nothing was changed."
        done = "" if isinstance(error, NotBackError) else f" {done}"
        module.fail_json(msg=f"{str(error).rstrip('.')}.{done}")
    lists = {"mounted": mounts.mounted, "unmounted": mounts.unmounted, "needs": missing, "notes": mounts.notes}
    module.exit_json(**lists, **gate.result())


if __name__ == "__main__":
    main()
