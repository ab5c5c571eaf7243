# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories that a run will need, out of those that it may need."""

from __future__ import annotations

import typing as t

DOCUMENTATION = r"""
name: needed_repositories
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: Repositories of which a package is not installed yet
description:
  - Chooses from a list of repositories those that a run will need, because one of their packages is not installed, and
    returns what the O(gpuready.bootstrap.gpu_facts#module:repositories) option takes. A second run needs none.
options:
  _input:
    description: Repositories as V({name, url, variable, packages}). One with an empty V(url) is passed over.
    type: list
    elements: dictionary
    required: true
  installed:
    description: Installed packages, name to version.
    type: dictionary
    required: true
  machine:
    description: Machine as C(uname -m) names it. Replaces V($(ARCH\)) in the address by dpkg's name of it.
    type: string
    required: true
  later:
    description:
      - Beginnings of addresses that this run will replace. A repository below one of them is passed over.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Ask the repositories that are needed
  gpuready.bootstrap.gpu_facts:
    repositories: >-
      {{ repositories | gpuready.bootstrap.needed_repositories(facts.packages.installed, facts.os.machine) }}
"""

RETURN = r"""
_value:
  description: Repositories to ask, as V({name, url}); V(name) ends with the variable that sets the address.
  type: list
  elements: dictionary
"""

# `uname -m` -> `dpkg --print-architecture`
DEB_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def needed_repositories(
    repositories: t.Sequence[t.Mapping[str, t.Any]],
    installed: t.Mapping[str, str],
    machine: str,
    later: t.Sequence[str] = (),
) -> list[dict[str, str]]:
    """Return the repositories with a package that is not installed, as {name, url}, ready to be asked."""
    architecture = DEB_ARCHITECTURES.get(machine, machine)
    return [
        {
            "name": f"{repository['name']} ({repository['variable']})",
            "url": repository["url"].replace("$(ARCH)", architecture),
        }
        for repository in repositories
        if repository["url"]
        and any(package not in installed for package in repository["packages"])
        and not any(f"{repository['url']}/".startswith(f"{base.rstrip('/')}/") for base in later)
    ]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"needed_repositories": needed_repositories}
