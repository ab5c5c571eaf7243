# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: package_candidates
short_description: Say which versions of packages the sources offer, and which are installed
version_added: 0.1.0
description:
  - Asks C(apt-cache madison) and C(dpkg-query), or C(dnf repoquery --showduplicates) and C(rpm).
  - Changes nothing. Does not run C(apt-get update); dnf reads its lists anew when they are too old for it.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.command
options:
  names:
    description: Names of packages. No glob patterns.
    type: list
    elements: str
    required: true
  manager:
    description:
      - Whom to ask. V(auto) asks dnf on systems of Red Hat's family (C(ID) and C(ID_LIKE) of C(/etc/os-release)), else
        apt, else dnf where there is no apt.
    type: str
    choices: [auto, apt, dnf]
    default: auto
attributes:
  diff_mode:
    support: N/A
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Which drivers does the repository have
  gpuready.bootstrap.package_candidates:
    names: [nvidia-open, nvidia-driver-pinning-580]
  register: driver_candidates

- name: Show the newest
  ansible.builtin.debug:
    msg: "{{ driver_candidates.versions['nvidia-open'] | first | default('none') }}"
"""

RETURN = r"""
versions:
  description: Versions by name, the newest first. A name that no source knows has an empty list.
  returned: success
  type: dict
  sample: {nvidia-open: [580.178.04-1, 580.159.03-1], nvidia-driver-pinning-580: []}
installed:
  description: The installed version by name. Packages that are not installed, or not whole, are left out.
  returned: success
  type: dict
  sample: {nvidia-open: 580.159.03-1}
manager:
  description: Who was asked.
  returned: success
  type: str
  sample: apt
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _package_versions as parse
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner

OS_RELEASE = "/etc/os-release"


class AskError(Exception):
    """The package manager gave no answer; the text is one sentence for the user."""


class Candidates:
    """Asks one package manager about some names."""

    def __init__(self, runner: Runner, names: list[str]) -> None:
        self.runner = runner
        self.names = list(dict.fromkeys(names))
        for name in self.names:
            if not parse.NAME.fullmatch(name):
                raise AskError(f"{name!r} in names is not the name of a package; patterns are not allowed")

    def manager(self, wish: str, os_release: str) -> str:
        programs = {"apt": "apt-cache", "dnf": "dnf"}
        if wish != "auto":
            if self.runner.which(programs[wish]) is None:
                raise AskError(f"manager is {wish}, but there is no {programs[wish]} on this host")
            return wish
        order = ("dnf", "apt") if parse.prefers_dnf(os_release) else ("apt", "dnf")
        found = next((name for name in order if self.runner.which(programs[name])), None)
        if found is None:
            raise AskError("neither apt-cache nor dnf is on this host; only systems with apt or dnf are supported")
        return found

    def apt(self) -> dict[str, Any]:
        asked = self.runner.run(["apt-cache", "madison", *self.names])
        # newer releases end with 100 when they know none of the names
        if asked.status != "ok" and "Unable to locate package" not in asked.stderr:
            raise AskError(f"apt-cache madison failed: {_why(asked)}; see whether apt-get update runs")
        known = self.runner.run(["dpkg-query", "-W", "-f", parse.DPKG_FORMAT, *self.names])
        if known.rc not in (0, 1):  # 1: some names are not known
            raise AskError(f"dpkg-query failed: {_why(known)}")
        installed = parse.dpkg_installed(known.stdout)
        return {"versions": parse.madison(asked.stdout, self.names), "installed": installed}

    def dnf(self) -> dict[str, Any]:
        argv = ["dnf", "--quiet", "repoquery", "--showduplicates", "--qf", parse.DNF_FORMAT, *self.names]
        asked, machine = self.runner.run(argv), os.uname().machine
        if asked.status != "ok":
            raise AskError(f"dnf repoquery failed: {_why(asked)}; see whether dnf makecache runs")
        known = self.runner.run(["rpm", "-q", "--qf", parse.RPM_FORMAT, *self.names])
        if known.rc is None:  # the number of names that are not installed is no error
            raise AskError(f"rpm -q failed: {_why(known)}")
        installed = parse.rpm_installed(known.stdout, machine)
        return {"versions": parse.repoquery(asked.stdout, self.names, machine), "installed": installed}


def _why(result: CommandResult) -> str:
    """The line that names the error; warnings come before it."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Error", "error:", "Failed"))]
    return (errors or lines or [str(result.error)])[0].rstrip(".")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "manager": {"type": "str", "choices": ["auto", "apt", "dnf"], "default": "auto"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    try:
        with open(OS_RELEASE, encoding="utf-8", errors="replace") as handle:
            os_release = handle.read()
    except OSError:
        os_release = ""
    try:
        ask = Candidates(Runner(module.run_command, module.params["timeout"]), module.params["names"])
        manager = ask.manager(module.params["manager"], os_release)
        found: dict[str, Any] = {"versions": {}, "installed": {}}
        if ask.names:
            found = ask.apt() if manager == "apt" else ask.dnf()
    except AskError as error:
        module.fail_json(msg=f"Package candidates: {error}.")
    module.exit_json(changed=False, manager=manager, **found)


if __name__ == "__main__":
    main()
