# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name; nothing here runs on the target."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gpu_readiness
short_description: Judge whether a GPU host is ready, and say what to do if not
version_added: 0.1.0
description:
  - Reads the host once with M(gpuready.bootstrap.gpu_facts), judges the snapshot on the controller by the
    registered readiness checks and a policy, and returns a report.
  - Each result is C(pass), C(warn), C(fail), C(skip) or C(unknown). What could not be measured is C(unknown), never
    C(pass). What follows from another failure is C(skip) and names it in C(caused_by).
  - Every failure and warning carries a remedy, a text and one command line. Where a role mends it, the remedy names the
    role and its variables, too.
  - All checks are listed in C(docs/checks.md); C(docs/readiness.md) explains policy, tiers, waivers and outputs.
author:
  - The gpuready authors (@gpuready)
extends_documentation_fragment:
  - gpuready.bootstrap.attributes.no_change
options:
  stages:
    description: The stages to judge.
    type: list
    elements: str
    choices: [preflight, driver, container, dev]
    default: [preflight, driver, container, dev]
  base_policy:
    description:
      - The inventory's policy, laid over the built-in one and that of the tier, and under O(policy).
    type: dict
    default: {}
  policy:
    description:
      - Values laid over the built-in policy in C(plugins/plugin_utils/data/readiness_policy.yml), that of the tier, and
        O(base_policy), such as C(tier), C(expected_gpus), C(cuda_wanted), C(severity), C(skip), C(waive).
      - Mappings are merged by key, everything else is replaced. An unknown key, check or value is an error, and so is a
        waiver without C(id), C(until) (its last day) or C(reason).
    type: dict
    default: {}
  snapshot:
    description:
      - A saved snapshot to judge in place of the host. The host is then not contacted and no facts are set.
      - Mutually exclusive with O(snapshots).
    type: dict
  snapshots:
    description:
      - A folder on the controller with saved snapshots, C(NAME.json), C(NAME.snapshot.json) or C(NAME.bundle.tar.gz),
        one a host. All are judged, no host is contacted, and RV(hosts) is returned in place of RV(report).
      - What is found never fails the task; an unreadable file does, and then nothing is written.
      - O(report_dir) must be another folder.
    type: path
  facts:
    description:
      - Options for M(gpuready.bootstrap.gpu_facts), such as C(endpoints) and C(active).
      - The containers in C(dev) are those that must run; without any, no dev container is expected.
    type: dict
    default: {}
  enforce:
    description:
      - Fail the task when the host is not ready, or when a blocking check could not be measured. The report is written
        and returned all the same.
    type: bool
    default: true
  report_dir:
    description:
      - Folder on the controller for the files of O(formats). It is made if missing. Nothing is written in check mode.
      - With V(json) in O(formats), when all stages were judged and the host is ready, its snapshot is also kept as
        C(<host>.last_ready.json); a later report that is not ready says in C(since_ready) what has changed since.
    type: path
  formats:
    description:
      - What to write. V(json) is C(<host>.report.json) and C(<host>.snapshot.json); with O(snapshots), C(<host>.json).
      - V(html) is one page for all hosts, C(readiness.html); in a run over hosts the callback
        C(gpuready.bootstrap.summary) writes it when the run ends.
      - V(junit) is C(<host>.junit.xml); V(prometheus) is C(<host>.prom), a textfile for node_exporter; V(nhc) is
        C(<host>.nhc), the line that Slurm's node health check shows, empty for a usable node.
      - V(bundle) is C(<host>.bundle.tar.gz) for support, without secrets, serial numbers, host names and addresses. The
        raw documents are in it if O(facts) asked for them (C(raw)).
    type: list
    elements: str
    choices: [json, html, junit, prometheus, nhc, bundle]
    default: [json, html]
  language:
    description: Language of terminal, page and JUnit. The JSON holds both.
    type: str
    choices: [en, zh]
    default: en
attributes:
  check_mode:
    description: Can run in check mode and give the same report.
    support: full
seealso:
  - module: gpuready.bootstrap.gpu_facts
"""

EXAMPLES = r"""
- name: Judge the host, fail when it is not ready
  gpuready.bootstrap.gpu_readiness:
    report_dir: reports
    policy:
      expected_gpus: 8
      severity:
        DRV-IDLE: info
      waive:
        - id: DRV-PERSIST
          until: "2027-01-31"
          reason: the daemon is being packaged

- name: Judge the driver only, with a product of matrices on each GPU of a dev container
  gpuready.bootstrap.gpu_readiness:
    stages: [driver, dev]
    facts:
      active: [torch]
      dev:
        - container: dev-alice
    language: zh

- name: Judge a folder of saved snapshots
  gpuready.bootstrap.gpu_readiness:
    snapshots: collected
    report_dir: judged
    formats: [json, html, junit]

- name: Judge a saved snapshot again
  gpuready.bootstrap.gpu_readiness:
    snapshot: "{{ lookup('ansible.builtin.file', 'reports/gpu01.snapshot.json') | from_json }}"
    enforce: false
"""

RETURN = r"""
report:
  description: The judged host. Its JSON schema is C(docs/report.schema.json).
  returned: when the host could be read
  type: dict
  contains:
    schema:
      description: Name and version of the format.
      type: str
      sample: gpuready.report/1
    host:
      description: Inventory name of the host.
      type: str
      sample: gpu01
    collected_at:
      description: When the snapshot was taken.
      type: str
      sample: "2026-11-21T10:00:00Z"
    simulated:
      description: Whether the GPU or the host is a simulation.
      type: bool
      sample: false
    simulated_text:
      description: What is simulated, in words.
      type: str
      sample: null
    gpus:
      description: The GPUs by the driver's names, counted.
      type: list
      elements: str
      sample: ["8 x NVIDIA H100 80GB HBM3"]
    stages:
      description: The stages that were judged.
      type: list
      elements: str
      sample: [preflight, driver, container, dev]
    verdict:
      description: C(ready), C(ready_with_warnings), C(not_ready) or C(unknown).
      type: str
      sample: not_ready
    exit_code:
      description: 0 ready, 1 ready with warnings, 2 not ready, 3 unknown.
      type: int
      sample: 2
    language:
      description: Language of terminal, page and JUnit. Texts are English here, and Chinese under the name with C(_zh).
      type: str
      sample: en
    tier:
      description: The row of the tier table that the GPUs make, and what it is good for. V(null) where none fits.
      type: dict
      sample: null
    ladder:
      description: Versions from the kernel up to torch, each held against the others.
      type: list
      elements: dict
      sample: [{id: libraries, value: 580.159.03, status: ok, entity: null}]
    snapshot_sha256:
      description: Digest of the judged snapshot.
      type: str
      sample: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
    policy_sha256:
      description: Digest of the policy it was judged by.
      type: str
      sample: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
    since_ready:
      description: What has changed since the host was last ready.
      returned: when that is known and it is not ready now
      type: dict
      sample: {collected_at: "2026-11-20T10:00:00Z", changes: []}
    counts:
      description: Number of results by status.
      type: dict
      sample: {pass: 48, warn: 0, fail: 1, skip: 1, unknown: 0}
    results:
      description: One entry for each check, more where it judges several things.
      type: list
      elements: dict
      sample:
        - id: CTR-RUNTIME
          stage: container
          status: fail
          severity: major
          title: Runtime nvidia
          message: runtime nvidia is not registered in Docker
          entity: null
          observed: [runc]
          expected: null
          evidence: [{path: docker.runtimes, value: {runc: runc}}]
          waived: false
          remedy:
            action: run_role
            role: nvidia_container_toolkit
            vars: {}
            command: ansible-playbook site.yml -i hosts -l gpu01 --tags nvidia_container_toolkit,readiness
            text: Register the runtime in daemon.json and restart Docker.
          caused_by: null
          skip_reason: null
    next:
      description:
        - The next thing to do. In the first stage that has something open, remedies by roles are joined into one line.
        - C(needs_reboot) and C(blocked_by_human) tell whether a remedy of any result is a reboot, or a person's work.
      type: dict
      sample:
        command: ansible-playbook site.yml -i hosts -l gpu01 --tags nvidia_container_toolkit,readiness
        text: Register the runtime in daemon.json and restart Docker.
        needs_reboot: false
        blocked_by_human: []
report_files:
  description: The files written on the controller, by kind; with O(snapshots) by host, and C(page).
  returned: when O(report_dir) is set, not in check mode
  type: dict
  sample:
    report: reports/gpu01.report.json
    snapshot: reports/gpu01.snapshot.json
    last_ready: reports/gpu01.last_ready.json
report_page:
  description: Where the page of the run belongs.
  returned: when O(report_dir) is set and O(formats) has V(html), not in check mode
  type: str
  sample: reports/readiness.html
hosts:
  description: What is most needed of each judged snapshot. C(open) are failures, warnings and what is unknown.
  returned: with O(snapshots)
  type: list
  elements: dict
  sample:
    - host: gpu01
      verdict: not_ready
      exit_code: 2
      failed: [CTR-RUNTIME]
      open: [CTR-RUNTIME, DRV-PERSIST]
verdicts:
  description: Number of hosts by verdict.
  returned: with O(snapshots)
  type: dict
  sample: {ready: 198, not_ready: 2}
reports:
  description: The whole reports by host.
  returned: with O(snapshots), without O(report_dir) or of at most three hosts
  type: dict
  sample: {}
ansible_facts:
  description: The fresh snapshot, as C(ansible_facts.gpu_host).
  returned: when the host was read and the task did not fail
  type: dict
  sample: {gpu_host: {schema: gpuready.snapshot/1}}
"""
