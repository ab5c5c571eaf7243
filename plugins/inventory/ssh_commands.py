# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rented machines from their pasted login commands."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh_commands
short_description: Rented machines from the login commands that their owners show
version_added: 0.1.0
author:
  - The gpuready authors (@gpuready)
description:
  - Makes an inventory of pasted lines such as C(ssh -p 910 root@12.34.56.78). The file's name ends in
    C(.ssh_commands.yml).
  - A line may hold the options of ssh(1) (C(-p), C(-l), C(-i), C(-J), C(-o) and others), C(user@host:port), C(ssh://),
    IPv6 with or without brackets, and a name behind C(#). Empty lines and comments are passed over. Forwardings are for
    people at a terminal and left out.
  - Each host gets C(ansible_host), and where the line says so C(ansible_port), C(ansible_user) and
    C(ansible_ssh_private_key_file). C(ansible_ssh_common_args) holds the host key policy, machines on the way and
    further options. C(gpuready_platform) is V(rented), C(gpuready_provider) the provider where it is known.
  - All hosts are in the group C(rented), those of a provider in C(rented_autodl), C(rented_vast_ai) and so on, too.
  - A host is called as the name behind C(#) says, else by its address and port, whatever the other lines are.
  - One bad line, and no host of the file is loaded. All of them are named, with their number and what is wrong.
  - Passwords are refused and never shown, wherever they stand. What is said of a bad line holds its number and
    its address, and no other value. Log in with a key, or with C(--ask-pass).
  - A name without a domain is written with the word C(ssh) before it (C(ssh gpu01)), since alone it may be a password.
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [gpuready.bootstrap.ssh_commands]
  lines:
    description:
      - The pasted lines, as one text or as a list.
      - One of O(lines) and O(file) is needed.
    type: raw
  file:
    description: A text file with the lines. A relative path starts from the folder of the inventory file.
    type: str
  provider:
    description:
      - Who rents them out, for the group and for what is known of a provider.
      - V(auto) asks the addresses, which works where they are names. V(other) is any provider that is not in the list.
      - Known are V(autodl), V(luchen), V(runpod), V(vast.ai), V(gpushare), V(cnb), V(lightning) and V(paperspace).
    type: str
    default: auto
  host_key_checking:
    description:
      - What ssh makes of the keys of the hosts.
      - V(accept-new) notes an unknown key and refuses a changed one.
      - V(strict) refuses an unknown key, too.
      - V(off) takes any key, and anyone on the way can be the host. Only for a network that you trust.
      - Machines on the way (C(-J)) are checked by your own C(~/.ssh/config) and C(~/.ssh/known_hosts).
    type: raw
    default: accept-new
  known_hosts:
    description:
      - The file for the keys of the hosts. A relative path starts from the folder of the inventory file.
      - It is not your usual one, since rented machines use addresses and ports of former ones.
    type: str
    default: ~/.ssh/known_hosts_rented
  names:
    description: Names of hosts by address (C(host), C(host:port) or C(user@host:port)), for lines without a name.
    type: dict
    default: {}
"""

EXAMPLES = r"""
# rented.ssh_commands.yml
plugin: gpuready.bootstrap.ssh_commands
lines: |
  ssh -p 910 root@12.34.56.78            # train-1
  ssh -p 22016 -i ~/.ssh/id_ed25519 root@192.0.2.7
  ssh -J me@gate.example.org root@[2001:db8::1]:2222

---
# A file of lines that a program writes, all from one provider, and groups by the port
plugin: gpuready.bootstrap.ssh_commands
file: boxes.txt
provider: runpod
host_key_checking: strict
names:
  192.0.2.7:22016: eval-1
keyed_groups:
  - key: ansible_port | string
    prefix: port
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.rented_hosts import (
    HOST_KEY_CHECKING,
    Options,
    RentedHost,
    hosts,
    numbers_in_file,
    providers,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import Problem

if TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

ENDINGS = (".ssh_commands.yml", ".ssh_commands.yaml")
# YAML 1.1 reads off, no and yes as truth values
AS_WORDS = {True: "strict", False: "off"}


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "gpuready.bootstrap.ssh_commands"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        folder = Path(path).resolve().parent
        lines, source = self._lines(folder)
        found, problems, total = hosts(lines, self._settings(folder))
        if problems:
            numbers = None if source else _numbers(loader, path)
            said = [_said(problem, source or path, numbers) for problem in problems]
            what = f"{len(said)} of {total} lines are wrong" if total else "there are no lines"
            raise AnsibleParserError(f"{path}: {what}, and no host was loaded:\n  " + "\n  ".join(said))
        for host in found:
            self._add(host)

    def _lines(self, folder: Path) -> tuple[Any, str]:
        """The lines, and the file that they stand in where it is another one."""
        lines, name = self.get_option("lines"), self.get_option("file")
        if (lines is None) == (not name):
            raise AnsibleParserError(
                "lines or file: one of the two is needed, with lines such as ssh -p 910 root@12.34.56.78."
            )
        if not name:
            if not isinstance(lines, (str, list)):
                raise AnsibleParserError(
                    f"lines is of type {type(lines).__name__}; expected a text (lines: |) or a list."
                )
            return lines, ""
        path = folder / Path(name).expanduser()
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise AnsibleParserError(f"file {path} cannot be read: {why}.") from error

    def _settings(self, folder: Path) -> Options:
        checking = self.get_option("host_key_checking")
        checking = AS_WORDS[checking] if isinstance(checking, bool) else checking
        if checking not in HOST_KEY_CHECKING:
            raise AnsibleParserError(
                f"host_key_checking is {checking!r}; expected one of {', '.join(HOST_KEY_CHECKING)}."
            )
        provider = self.get_option("provider")
        if provider not in providers():
            raise AnsibleParserError(f"provider is {provider!r}; expected one of {', '.join(providers())}.")
        known_hosts = folder / Path(self.get_option("known_hosts")).expanduser()
        return Options(str(known_hosts), checking, provider, self.get_option("names"))

    def _add(self, host: RentedHost) -> None:
        self.inventory.add_host(host.name)
        for group in host.groups:
            self.inventory.add_group(group)
            self.inventory.add_child(group, host.name)
        for name, value in host.variables.items():
            self.inventory.set_variable(host.name, name, value)
        strict, variables = self.get_option("strict"), dict(host.variables)
        self._set_composite_vars(self.get_option("compose"), variables, host.name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host.name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host.name, strict=strict)


def _said(problem: Problem, where: str, numbers: list[int] | int | None) -> str:
    """One problem as compilers say it: file:line, what stands there, and what is wrong with it."""
    if not problem.number:
        return f"{where}: {problem.shown + ': ' if problem.shown else ''}{problem.why}."
    why = (
        problem.why.replace(f"line {problem.like}", f"line {_in_file(problem.like, numbers)}")
        if problem.like
        else problem.why
    )
    return f"{where}:{_in_file(problem.number, numbers)} ({problem.shown}): {why}."


def _in_file(number: int, numbers: list[int] | int | None) -> int:
    """The number in the file of a line of `lines`."""
    if isinstance(numbers, int):
        return number + numbers
    return numbers[number - 1] if numbers and number <= len(numbers) else number


def _numbers(loader: DataLoader, path: str) -> list[int] | int | None:
    """Where `lines` stand in the inventory file; None where it cannot be told, such as in an encrypted one."""
    try:
        return numbers_in_file(loader.get_text_file_contents(path), "lines")
    except AnsibleError:
        return None
