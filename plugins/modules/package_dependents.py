# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: package_dependents
short_description: Say which other packages the removal of packages would take along
version_added: 0.1.0
description:
  - Package managers remove what depends on a package together with it, and Ansible's modules do not ask.
  - Asks C(apt-get --simulate remove), or C(rpm --erase --test) where there is no apt. Changes nothing.
  - Where the package manager cannot tell, as in a state that it refuses to work on, the answer is empty.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.command
options:
  names:
    description: Names of packages that are to be removed. Those that are not installed are passed over.
    type: list
    elements: str
    required: true
attributes:
  diff_mode:
    support: N/A
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: What else would go with the engine
  gpuready.bootstrap.package_dependents:
    names: [docker-ce, containerd.io]
  register: along

- name: Refuse to take packages of somebody else along
  ansible.builtin.fail:
    msg: "{{ along.dependents | join(', ') }}"
  when: along.dependents | length > 0
"""

RETURN = r"""
dependents:
  description: Packages that are not among O(names) and would go with them, in the order of the alphabet.
  returned: success
  type: list
  elements: str
  sample: [nvidia-docker2]
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
_APT = re.compile(r"(?:Remv|Purg) ([^\s:]+)", re.MULTILINE)
# "libcuda is needed by (installed) cuda-samples-12.8-1.x86_64"
_RPM = re.compile(r"is needed by \(installed\) (\S+)-[^-\s]+-[^-\s]+$", re.MULTILINE)


def apt_removals(text: str) -> set[str]:
    """Names in what apt-get --simulate remove prints; architectures are cut off."""
    return set(_APT.findall(text))


def rpm_needs(text: str) -> set[str]:
    """Names of the packages for which rpm --erase --test refuses."""
    return set(_RPM.findall(text))


def dependents(runner: Runner, names: list[str]) -> list[str]:
    if runner.which("apt-get"):
        known = runner.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *names]).stdout
        there = [line.partition(" ")[2] for line in known.splitlines() if not line.startswith(("not-inst", "config-"))]
        found = apt_removals(runner.run(["apt-get", "--simulate", "remove", *there]).stdout) if there else set()
    else:
        known = runner.run(["rpm", "-q", "--qf", "%{NAME}\n", *names]).stdout
        there = [name for name in names if name in known.split("\n")]
        found = rpm_needs(runner.run(["rpm", "--erase", "--test", *there]).stderr) if there else set()
    return sorted(found - set(names))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    names: list[str] = list(dict.fromkeys(module.params["names"]))
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong:
        module.fail_json(
            msg=f"Package dependents: {wrong[0]!r} in names is not the name of a package. Nothing was changed."
        )
    found = dependents(Runner(module.run_command, module.params["timeout"]), names) if names else []
    module.exit_json(changed=False, dependents=found)


if __name__ == "__main__":
    main()
