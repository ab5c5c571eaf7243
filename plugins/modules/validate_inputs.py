# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does all the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_inputs
short_description: Judge the inputs of several roles at once before anything runs
version_added: 0.1.0
description:
  - Validates everything that inventory and extra variables define for the named roles of this collection against the
    argument specifications of these roles, and reports all problems of all roles in one message.
  - Refuses names that begin like an input of a role of this collection (C(<role>_), C(gpuready_)) and are none, and
    names the nearest one that exists. Names that begin like an input of a playbook (C(plan_), C(export_env_),
    C(import_env_), C(upgrade_driver_)) may be your own; they are refused where they are all but the same as an input.
  - Judges the specification of the development environment, the variables C(dev_*), in the same way, with all that must
    go together in it, where a named role reads it. What only a container or only a rented machine needs is asked for if
    a named role makes one. Where no role reads it, its names are judged and no value is computed, so that no vault has
    to be opened.
  - Runs on the controller only and opens no connection. Values that need facts of the host are left to the role itself.
author:
  - The gpuready authors (@gpuready)
options:
  roles:
    description:
      - Roles of this collection whose inputs are judged, with or without the name of the collection. Where the list
        is empty, names only are judged.
    type: list
    elements: str
    required: true
  known:
    description:
      - Further names that may begin like inputs of this collection without being any, for example facts of your own.
    type: list
    elements: str
    default: []
  rented:
    description:
      - What becomes of a host of which the inventory says V(rented) in C(gpuready_platform), as the inventory plugin
        P(gpuready.bootstrap.ssh_commands#inventory) does. V(refused) ends its run with a sentence that names the
        playbook for it, before any input is judged.
    type: str
    choices: [allowed, refused]
    default: allowed
  tagged:
    description:
      - Whether tags are judged, where one of the playbooks of this collection that do so was started and no other. One
        that C(--tags) names and no task has is refused; one that C(--skip-tags) names gives a warning, since it may be
        for other playbooks, and so does a role of O(roles) without a tag, which always runs.
    type: bool
    default: false
  dev_spec:
    description:
      - Whether the playbook reads the variables C(dev_*) in another way than by the defaults of a role in O(roles), so
        that their values are judged, too.
    type: bool
    default: false
attributes:
  action:
    description: The plugin runs on the controller.
    support: full
  check_mode:
    description: Can run in check mode and returns the same result as without.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Refuse a wrong inventory before anything is changed
  gpuready.bootstrap.validate_inputs:
    roles:
      - mirrors
      - gpuready.bootstrap.docker_engine
"""

RETURN = r"""
checked_roles:
  description: Names of the roles whose inputs were judged.
  returned: always
  type: list
  elements: str
  sample: [mirrors, docker_engine]
count:
  description: How many inputs were judged, which are those that the inventory gives and those whose default reads it.
  returned: always
  type: int
  sample: 17
errors:
  description: What is wrong, one entry a problem.
  returned: on failure
  type: list
  elements: dict
  contains:
    variable:
      description: Name of the variable that was set.
      type: str
      sample: docker_engine_state
    role:
      description: Role that reads it. Empty for an unknown name with the prefix C(gpuready_), and for C(dev_*).
      type: str
      sample: docker_engine
    text:
      description: What is wrong with it and what is allowed. The value of a secret is not part of it.
      type: str
      sample: "'presnt' must be one of present, absent; did you mean present? (role docker_engine)"
    origin:
      description: File and line where it was written down, if Ansible knows.
      type: str
      sample: inventories/lab/group_vars/all.yml:7
"""
