# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies, and the command lines that carry them out."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text

# In the order of the road: the remedy that comes first on it is the one to run first.
ROLES = (
    "preflight",
    "mirrors",
    "nvidia_driver",
    "docker_engine",
    "nvidia_container_toolkit",
    "nvml_stability",
    "dev_container",
    "readiness",
)
# these judge and change nothing
JUDGES = ("preflight", "readiness")
# the playbooks beside the road: one replaces a driver, one gives running containers their GPU back
UPGRADE = "upgrade_driver.yml"
HEAL = "heal_gpu.yml"
# the road of rented machines, which site.yml refuses, and what it has in place of roles of site.yml
RENTED = "dev_inplace.yml"
RENTED_TAGS = {"mirrors": "mirrors", "dev_container": "dev_inplace"}

# What kind of thing a remedy is. A program may do run_role and set_var by itself; the rest needs a person.
ACTIONS = (
    "none",
    "run_role",
    "set_var",
    "reboot",
    "reset_gpu",
    "restart_service",
    "recreate_container",
    "change_image",
    "free_space",
    "fix_network",
    "firmware_setup",
    "contact_provider",
    "replace_hardware",
    "check_app",
    "wait",
)
# a person must stand at the machine, or write to somebody
BY_PERSON = ("firmware_setup", "contact_provider", "replace_hardware")


@dataclass(frozen=True)
class Remedy:
    """What mends a failure: a text, and one command line. `action` is one of ACTIONS."""

    text: Text
    command: str
    role: str | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)
    action: str = "none"


def judges_only(remedy: Mapping[str, Any]) -> bool:
    """Of a remedy in a report: whether a person does what its text says, and the command only judges again.

    One that sets a policy does more. See Context.by_hand.
    """
    return remedy.get("role") in JUDGES and not remedy.get("vars")


@dataclass(frozen=True)
class Commands:
    """Writes the command lines of the remedies for one host."""

    host: str
    inventory: tuple[str, ...] = ()
    playbook: str = "site.yml"
    # a machine of somebody else: the driver and the engine are not ours to mend
    rented: bool = False
    # how to judge again where there is no Ansible; None: by the playbook
    again: str | None = None

    def _inventory(self) -> list[str]:
        return [word for source in self.inventory or ("<inventory>",) for word in ("-i", source)]

    def _join(self, words: Sequence[str]) -> str:
        # the placeholder stays readable; everything else is quoted for a POSIX shell
        return " ".join(word if word == "<inventory>" else shlex.quote(word) for word in words)

    def play_line(self, roles: Sequence[str], variables: Mapping[str, Any]) -> str:
        tags = [role for role in ROLES if role in roles]
        if self.rented:
            tags = [*(RENTED_TAGS[tag] for tag in tags if tag in RENTED_TAGS), "readiness"]
            return self._playbook(self._beside(RENTED), variables, "--tags", ",".join(tags))
        if "readiness" not in tags and tags != ["preflight"]:
            tags.append("readiness")
        return self._playbook(self.playbook, variables, "--tags", ",".join(tags))

    def _playbook(self, playbook: str, variables: Mapping[str, Any], *options: str) -> str:
        words = ["ansible-playbook", playbook, *self._inventory(), "-l", self.host, *options]
        for name, value in variables.items():
            plain = isinstance(value, str) and re.fullmatch(r"[^\s{}\[\]'\"=]+", value)
            words += ["-e", f"{name}={value}" if plain else json.dumps({name: value}, ensure_ascii=False)]
        return self._join(words)

    def play(self, role: str, text: Text, /, action: str | None = None, **variables: Any) -> Remedy:
        """Run one role of the road, with inputs of that role set."""
        kind = action or ("set_var" if variables else "run_role")
        return Remedy(text, self.play_line([role], variables), role, variables, kind)

    def upgrade_driver(self, text: Text, /, **variables: Any) -> Remedy:
        """Replace a driver that works: the playbook of its own waits for jobs, and goes back where that fails.

        No role: it cannot be joined with others into one run. `variables`: inputs of the role nvidia_driver.
        """
        line = self._playbook(self._beside(UPGRADE), variables)
        return Remedy(text, line, None, variables, "set_var" if variables else "run_role")

    def set_up_rented(self, text: Text) -> Remedy:
        """The whole playbook of rented machines, which also judges them as such."""
        return Remedy(text, self._playbook(self._beside(RENTED), {}), action="run_role")

    def heal(self, text: Text) -> Remedy:
        """Add the device rules that running containers lack; nothing is stopped."""
        return Remedy(text, self._playbook(self._beside(HEAL), {}), action="run_role")

    def _beside(self, name: str) -> str:
        folder = posixpath.dirname(self.playbook)
        # site.yml stands at the top of a checkout, too; the others do not
        return posixpath.join(folder, *([] if posixpath.basename(folder) == "playbooks" else ["playbooks"]), name)

    def adhoc(self, module: str, arguments: str, text: Text, action: str = "none") -> Remedy:
        words = ["ansible", *self._inventory(), self.host, "-b", "-m", f"ansible.builtin.{module}"]
        return Remedy(text, self._join([*words, "-a", arguments] if arguments else words), action=action)

    def ping(self) -> str:
        """Log in and run Python on the host, with all that ssh says on the way there."""
        return self._join(["ansible", *self._inventory(), self.host, "-m", "ansible.builtin.ping", "-vvv"])

    def once_more(self) -> str:
        """The playbook as a whole, on this host alone."""
        return self._playbook(self.playbook, {})

    def reboot(self, text: Text) -> Remedy:
        return self.adhoc("reboot", "", text, "reboot")

    def shell_line(self, line: str, text: Text, action: str = "none") -> Remedy:
        """One command on the host (no shell: no pipes, no variables)."""
        return self.adhoc("command", line, text, action)
