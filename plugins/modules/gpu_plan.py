# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name; nothing here runs on the target."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gpu_plan
short_description: Choose driver, CUDA image and torch for a GPU host, each with its reason
version_added: 0.1.0
description:
  - Plans from the facts of M(gpuready.bootstrap.gpu_facts) which driver a host gets (source, branch, kernel modules,
    packages, fabric manager), and which container toolkit, CUDA image and torch fit on it. Each choice carries its
    reason.
  - What is asked for and cannot work is refused before anything is changed, with the rung that breaks and the nearest
    choices that work.
  - What the facts do not tell is said in a reason, and the safest choice is made, or refused. It is never guessed in
    silence.
  - C(docs/plan.md) explains the rules and the JSON.
author:
  - The gpuready authors (@gpuready)
extends_documentation_fragment:
  - gpuready.bootstrap.attributes.no_change
options:
  snapshot:
    description:
      - A saved snapshot to plan for in place of the host. The host is then not contacted.
      - Without it the facts C(gpu_host) of an earlier task are used, or else the host is read.
      - Mutually exclusive with O(snapshots).
    type: dict
  snapshots:
    description:
      - A folder on the controller with saved snapshots, C(NAME.json), C(NAME.snapshot.json) or C(NAME.bundle.tar.gz),
        one a host. All are planned for and no host is contacted.
      - A refusal never fails the task; an unreadable file does, and then nothing is written.
      - O(report_dir) must be another folder.
    type: path
  report_dir:
    description:
      - Folder on the controller for C(NAME.json), the plan or the refusal. It is made if missing. Nothing is written
        in check mode.
    type: path
  wishes:
    description:
      - What is asked for. A wish that is empty leaves the choice to the plan. An unknown wish or an invalid value is
        an error.
      - C(driver_source) (C(auto), C(nvidia), C(distribution), C(none)), C(driver_branch) (C(580)), C(driver_version)
        (C(580.159.03)), C(driver_modules) (C(auto), C(open), C(proprietary)), C(driver_packages) (names in place of
        the plan's), C(driver_allow_change) (whether a driver that works may be replaced), C(driver_repo_url),
        C(driver_repo_base_url), C(fabric_manager) (C(auto), C(present), C(absent)), C(secure_boot) (C(stop), C(enrol)).
      - C(cuda_image), an image reference, C(12.8) or C(cu128); C(torch), a release; C(torch_cuda) (C(13.0), C(cu130),
        C(cpu)); C(python), the version that torch has to run on; C(toolkit_version) (C(1.20.0-1)).
    type: dict
    default: {}
  refusals:
    description:
      - Sentences in which roles say why their inputs cannot be what is wanted; empty ones say nothing. The task fails
        with the others, before it plans.
    type: list
    elements: str
    default: []
  enforce:
    description: Fail the task with one sentence where the wishes are refused.
    type: bool
    default: true
  language:
    description: Language of RV(table) and C(msg). The JSON holds both.
    type: str
    choices: [en, zh]
    default: en
  show:
    description: Let the callback C(gpuready.bootstrap.summary) print RV(table) when the run ends.
    type: bool
    default: false
  facts:
    description:
      - Options for M(gpuready.bootstrap.gpu_facts). With this the host is read, also where facts of it are known.
    type: dict
attributes:
  check_mode:
    description: Can run in check mode and give the same plan.
    support: full
seealso:
  - module: gpuready.bootstrap.gpu_facts
"""

EXAMPLES = r"""
- name: Plan the host
  gpuready.bootstrap.gpu_plan:

- name: Plan with wishes, and go on where they are refused
  gpuready.bootstrap.gpu_plan:
    wishes:
      driver_branch: "580"
      cuda_image: "12.8"
      torch: "2.11"
    enforce: false
  register: planned

- name: Plan for a folder of saved snapshots
  gpuready.bootstrap.gpu_plan:
    snapshots: collected
    report_dir: plans
"""

RETURN = r"""
plan:
  description: The plan of one machine. C(docs/plan.md) describes it. Texts are English, and Chinese under the name
    with C(_zh).
  returned: without O(snapshots)
  type: dict
  contains:
    schema:
      description: Name and version of the format.
      type: str
      sample: gpuready.plan/1
    host:
      description: Inventory name of the host.
      type: str
      sample: gpu01
    collected_at:
      description: When the facts were read.
      type: str
      sample: "2026-11-21T10:00:00Z"
    simulated:
      description: Whether the GPU or the host is a simulation.
      type: bool
      sample: false
    machine:
      description: What the plan is made from.
      type: dict
      sample: {platform: host, os_id: ubuntu, os_version: "24.04", arch: x86_64}
    driver:
      description: The chosen driver. V(null) where none could be chosen.
      type: dict
      sample: {needed: true, source: nvidia, branch: "580", modules: open}
    choices:
      description: The decisions in the order in which they were made. With a refusal, those before it.
      type: list
      elements: dict
      sample:
        - id: torch_index
          title: index of torch
          value: cu130
          reason: driver 580.178.04 brings CUDA 13.0, which is not older than 13.0 of the wheel
    refusal:
      description: Why there is no plan, and what works in its place. V(null) where there is one.
      type: dict
      sample: null
    notes:
      description: What else to know.
      type: list
      elements: dict
      sample: []
plans:
  description: The plans by host.
  returned: with O(snapshots), without O(report_dir)
  type: dict
  sample: {}
table:
  description: The plan as lines of text, 80 columns wide; with O(snapshots) a line for each machine.
  returned: always
  type: list
  elements: str
  sample: ["Choice  Value  Reason"]
show_table:
  description: The value of O(show).
  returned: always
  type: bool
  sample: false
language:
  description: The value of O(language).
  returned: always
  type: str
  sample: en
report_files:
  description: The files written on the controller, by host.
  returned: when O(report_dir) is set, not in check mode
  type: dict
  sample: {gpu01: plans/gpu01.json}
ansible_facts:
  description: The plan, as C(ansible_facts.gpu_plan).
  returned: without O(snapshots)
  type: dict
  sample: {gpu_plan: {schema: gpuready.plan/1}}
"""
