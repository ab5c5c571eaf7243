# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kernel_cmdline
short_description: Own some parameters of the kernel's command line
version_added: 0.1.0
description:
  - Makes the command line of the next boot hold some parameters, or not hold them. All others stay, in their order.
  - With GRUB (Debian, Ubuntu) it writes a file of its own below C(/etc/default/grub.d), which sorts behind those of
    cloud images, and never C(/etc/default/grub). The new menu is made beside the old one by C(grub-mkconfig), and takes
    its place only if GRUB can read it, every installed kernel still has an entry with a root, and the parameters are as
    wanted. Recovery entries are left without them, as a way back.
  - With entries of the Boot Loader Specification (GRUB on Fedora and RHEL 8 and newer, systemd-boot) it edits the
    entries, but rescue entries, and C(/etc/kernel/cmdline), from which later kernels get theirs. All files are written,
    or none.
  - Refuses where there is no boot loader that it can write, such as in a container, and where the kernels are unified
    images.
  - Does not reboot. A run that was killed in the middle is mended by the next one.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  parameters:
    description:
      - The parameters. A name may come several times with different values, such as C(console); they then stand in
        this order.
      - Names are compared as the kernel does, which takes C(-) and C(_) for the same.
      - None at all gives back what O(name) had.
      - With O(state=absent) only their names are used, for RV(running) and RV(next).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the parameter. V(root), V(initrd) and V(BOOT_IMAGE) belong to the boot loader.
        type: str
        required: true
      value:
        description:
          - Its value. Without one it is a bare flag, or, with V(absent), every one of that name.
          - Blanks are quoted. Quotes and backslashes are refused, since no boot loader hands them on unchanged.
        type: str
      state:
        description:
          - V(present) makes it the last one of its name, which wins. A line that already ends so is left alone.
          - V(absent) makes it not be there. See O(absent_from).
        type: str
        choices: [present, absent]
        default: present
  name:
    description: Who owns the parameters. Each name has its own, and its own file with GRUB.
    type: str
    default: gpuready
  state:
    description:
      - V(present) brings the parameters.
      - V(absent) gives back all that O(name) has ever changed.
    type: str
    choices: [present, absent]
    default: present
  absent_from:
    description:
      - What an absent parameter is taken out of. V(any) takes it out of what other files set, too. With GRUB our file
        does that while the line of those files begins as it was seen; when somebody changes it, it counts until
        the next run.
      - V(ours) only sees that this O(name) does not set it.
    type: str
    choices: [any, ours]
    default: any
  loader:
    description:
      - The boot loader. V(grub) is one whose menu C(grub-mkconfig) makes, V(grubby) one that reads entries from files
        as C(grubby) edits them. V(auto) looks.
    type: str
    choices: [auto, grub, grubby, systemd-boot]
    default: auto
  timeout:
    description: Seconds that making the menu may take.
    type: int
    default: 120
  root:
    description: Folder below which all paths lie, for tests. With another one than V(/) no command is run.
    type: path
    default: /
attributes:
  check_mode:
    details:
      - The settings of GRUB are shell scripts. They are run in check mode, too, as C(grub-mkconfig) runs them.
  diff_mode:
    details:
      - Of GRUB's menu the arguments of each entry are shown. Where the menu is older than the files that it is made
        from, a real run brings the rest up to date, too.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Boot with cgroup v1
  gpuready.bootstrap.kernel_cmdline:
    parameters:
      - name: systemd.unified_cgroup_hierarchy
        value: "0"
  register: cmdline

- name: Say that a boot is due
  ansible.builtin.debug:
    msg: "A reboot is due for {{ cmdline.pending | join(', ') }}"
  when: cmdline.reboot_needed

- name: Give everything back
  gpuready.bootstrap.kernel_cmdline:
    state: absent
"""

RETURN = r"""
loader:
  description: The boot loader; V(null) where there is none and nothing was ever set.
  returned: success
  type: str
  sample: grub
running:
  description: The parameters as the running kernel got them. V(null) is a bare flag; one that is missing was not given.
  returned: success
  type: dict
  sample: {}
next:
  description: The same for the next boot.
  returned: success
  type: dict
  sample: {systemd.unified_cgroup_hierarchy: "0"}
pending:
  description: Names whose values differ between the two.
  returned: success
  type: list
  elements: str
  sample: [systemd.unified_cgroup_hierarchy]
reboot_needed:
  description: Whether there are any such.
  returned: success
  type: bool
  sample: true
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/default/grub.d/zz-gpuready.cfg, /boot/grub/grub.cfg]
"""

import re
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _cmdline as cmdline
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders import detect
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.base import (
    Job,
    Loader,
    LoaderError,
    Notebook,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import Wish, Word
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
LOADERS_OWN = ("root", "initrd", "BOOT_IMAGE")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:,/@-]*")
_VALUE = re.compile(r"[ !#-&(-\[\]-~]*")  # printable, without " ' and \
_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]*")


class WishError(Exception):
    """The parameters cannot be meant; the text is one sentence for the user."""


def checked(label: str, parameters: Sequence[dict[str, Any]]) -> list[Wish]:
    """The parameters as wishes. Raises WishError for what no command line can hold, and for contradictions."""
    if not _LABEL.fullmatch(label):
        raise WishError(f"name {label!r} may only hold lower case letters, digits, - and _")
    wishes: list[Wish] = []
    for entry in parameters:
        name, value = entry["name"], entry["value"]
        if not _NAME.fullmatch(name):
            raise WishError(f"{name!r} in parameters is no name of a parameter: the value belongs into 'value'")
        if cmdline.canonical(name) in LOADERS_OWN:
            raise WishError(f"{name} belongs to the boot loader, which says itself what to boot from")
        if value is not None and not _VALUE.fullmatch(value):
            raise WishError(
                f"the value {value!r} of {name} has a quote, a backslash or a character outside of ASCII, which boot "
                "loaders do not hand on unchanged"
            )
        wish = Wish(name, value, entry["state"] == "present")
        if wish in wishes:
            raise WishError(f"{name} stands twice in parameters, with the same value and state")
        if wish._replace(present=not wish.present) in wishes and value is not None:
            raise WishError(f"{name} shall be both present and absent")
        wishes.append(wish)
    return wishes


def told(words: Sequence[Word], names: Sequence[str]) -> dict[str, str | None]:
    """The last value of each name that is there."""
    found = {name: cmdline.values(words, name) for name in names}
    return {name: values[-1] for name, values in found.items() if values}


def pending(running: Sequence[Word], following: Sequence[Word], names: Sequence[str]) -> list[str]:
    return [name for name in names if cmdline.values(running, name) != cmdline.values(following, name)]


class KernelCmdline:
    """The command line as it is, and as it shall be."""

    def __init__(self, module: AnsibleModule, job: Job) -> None:
        self.job, self.params = job, module.params
        self.wishes = checked(job.label, self.params["parameters"])
        note = Notebook(job).read()
        former = [wish.name for wish in note.wishes] if note else []
        unique = {cmdline.canonical(name): name for name in [*former, *(wish.name for wish in self.wishes)]}
        self.names = list(unique.values())
        self.gives_back = self.params["state"] == "absent" or not self.wishes
        self.idle = self.gives_back and note is None
        self.loader: Loader | None = None

    def work(self) -> None:
        try:
            self.loader = detect.find(self.job, self.params["loader"])
        except LoaderError:
            # nothing was ever set, and there is nothing that could be given back
            if self.idle:
                return
            raise
        if self.gives_back:
            self.loader.absent()
        else:
            ours_only = self.params["absent_from"] == "ours"
            self.loader.present([wish for wish in self.wishes if wish.present or not ours_only])

    def result(self) -> dict[str, Any]:
        running = cmdline.kernel_words(self.job.host.text("/proc/cmdline") or "")
        following = self.loader.next_words() if self.loader else running
        differ = pending(running, following, self.names)
        return {
            "loader": self.loader.name if self.loader else None,
            "running": told(running, self.names),
            "next": told(following, self.names),
            "pending": differ,
            "reboot_needed": bool(differ),
        }


def make_runner(module: AnsibleModule) -> Runner:
    """The real one; tests put another in its place."""
    root = module.params["root"].rstrip("/")

    def refuse(*_args: Any, **_options: Any) -> tuple[int, Any, Any]:
        raise RuntimeError(f"no command is run for root {root}")

    return Runner(refuse if root else module.run_command, search=[root + folder for folder in SBIN])


def main() -> None:
    parameters = {
        "name": {"type": "str", "required": True},
        "value": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    module = AnsibleModule(
        argument_spec={
            "parameters": {"type": "list", "elements": "dict", "options": parameters, "default": []},
            "name": {"type": "str", "default": "gpuready"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "absent_from": {"type": "str", "choices": ["any", "ours"], "default": "any"},
            "loader": {"type": "str", "choices": ["auto", "grub", "grubby", "systemd-boot"], "default": "auto"},
            "timeout": {"type": "int", "default": 120},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    root, runner = module.params["root"], make_runner(module)
    gate = FileGate(module, root)
    job = Job(module, gate, runner, Host(root, runner), module.params["name"], module.params["timeout"])
    try:
        wanted = KernelCmdline(module, job)
        wanted.work()
        result = wanted.result()
    except (WishError, LoaderError, FileGateError, OSError) as error:
        left = "" if "could not be given back" in str(error) else " Nothing was changed."
        module.fail_json(msg=f"kernel_cmdline: {str(error).rstrip('.')}.{left}", **gate.result())
    for text in job.warnings:
        module.warn(text)
    module.exit_json(**result, **gate.result())


if __name__ == "__main__":
    main()
