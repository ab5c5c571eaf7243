# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: package_mirrors
short_description: Point every tool that fetches packages at mirrors, and back
version_added: 0.1.0
description:
  - Sets the addresses of the distribution's own entries in C(/etc/apt/sources.list) and C(/etc/apt/sources.list.d),
    in both formats. They are known by keyring, suites, components and archive path, not by host. Suites, components,
    options and comments stay; entries of others stay untouched. Where such an entry names a list of mirrors, as in
    cloud images, the list is changed.
  - Sets the addresses of Rocky Linux, AlmaLinux and EPEL in C(/etc/yum.repos.d); they are known by the key that signs
    them.
  - Sets single keys in the files of pip, uv, conda, npm, cargo, git, dnf and Docker, and variables for logins. What
    else stands in these files stays.
  - Whatever is empty means the system's own setting; what this module changed before is then given back, byte for byte
    where nobody else has changed the file since.
  - All files are computed before the first one is written. A file that cannot be read is an error, and nothing changes.
  - Does not run C(apt-get update).
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.root
options:
  apt:
    description:
      - Addresses of the distribution's archive.
      - The word V(official) in a list stands for the system's own address.
    type: dict
    default: {}
    suboptions:
      archive:
        description: Addresses of the archive, the best first.
        type: list
        elements: str
        default: []
      security:
        description:
          - Addresses of the security updates. They are left at the distribution's own address without any, because a
            mirror that lags behind is time without fixes.
        type: list
        elements: str
        default: []
      failover:
        description:
          - Whether several addresses become a list that apt tries in order, with the system's own address at its end.
            apt falls through at a refused connection, a missing file and a wrong hash. Else only the first counts,
            unless that is V(official).
        type: bool
        default: true
  repositories:
    description: Addresses for dnf, tried in order. A distribution that the host does not use is passed over.
    type: dict
    default: {}
    suboptions:
      rocky:
        description: Addresses that stand for C(https://dl.rockylinux.org/$contentdir).
        type: list
        elements: str
        default: []
      almalinux:
        description: Addresses that stand for C(https://repo.almalinux.org/almalinux).
        type: list
        elements: str
        default: []
      epel:
        description: Addresses that stand for C(pub/epel) of Fedora's servers. Cisco's codec repository is left alone.
        type: list
        elements: str
        default: []
  pip:
    description: The section C([global\]) of C(/etc/pip.conf).
    type: dict
    default: {}
    suboptions:
      index_url:
        description: Address of the Python package index, in the end usually C(/simple).
        type: str
        default: ""
      trusted_host:
        description: Host that pip may use without https.
        type: str
        default: ""
      extra:
        description: Further keys, such as C(timeout).
        type: dict
        default: {}
  uv:
    description: C(/etc/uv/uv.toml).
    type: dict
    default: {}
    suboptions:
      index_url:
        description: Address of the default index.
        type: str
        default: ""
      python_mirror:
        description: Address from which uv fetches its Python builds.
        type: str
        default: ""
      indexes:
        description: Further indexes.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the index.
            type: str
            required: true
          url:
            description: Address of the index.
            type: str
            required: true
          explicit:
            description: Whether only packages that ask for this index come from it.
            type: bool
            default: true
          format:
            description: V(flat) for a plain listing of files, as for C(--find-links) of pip.
            type: str
            choices: [simple, flat]
            default: simple
  conda:
    description: C(/etc/conda/condarc.d/10-gpuready.yml), for conda and mamba.
    type: dict
    default: {}
    suboptions:
      channels:
        description: The address above a channel, by the name of the channel.
        type: dict
        default: {}
      mirrored:
        description: Whole addresses of a channel by its name, tried in order. mamba understands it, conda does not.
        type: dict
        default: {}
      anaconda:
        description: Anaconda's own channels, which larger organisations need a licence for.
        type: dict
        default: {}
        suboptions:
          default_channels:
            description: What C(defaults) means.
            type: list
            elements: str
            default: []
  npm:
    description: npm's file for the whole machine.
    type: dict
    default: {}
    suboptions:
      registry:
        description: Address of the registry.
        type: str
        default: ""
  cargo:
    description: cargo's file in the homes of O(user_files), since it has none for the machine.
    type: dict
    default: {}
    suboptions:
      registry:
        description: Address of the index, C(sparse+https://...), with a slash at the end.
        type: str
        default: ""
  rustup:
    description: Variables of rustup for logins.
    type: dict
    default: {}
    suboptions:
      dist_server:
        description: Value of E(RUSTUP_DIST_SERVER).
        type: str
        default: ""
      update_root:
        description: Value of E(RUSTUP_UPDATE_ROOT).
        type: str
        default: ""
  huggingface:
    description: Variables of the Hugging Face libraries for logins.
    type: dict
    default: {}
    suboptions:
      endpoint:
        description: Value of E(HF_ENDPOINT).
        type: str
        default: ""
      disable_xet:
        description: Whether E(HF_HUB_DISABLE_XET) is set. Files in Xet storage go past the endpoint else.
        type: bool
  environment:
    description: Further variables for logins.
    type: dict
    default: {}
  docker:
    description:
      - C(/etc/docker/daemon.json). A running daemon is told to read it, but never restarted; see RV(restart_needed).
      - O(proxy) goes there, too, if it holds no password and an engine is installed that knows the key (23.0); else
        into a drop-in file of the service.
    type: dict
    default: {}
    suboptions:
      registry_mirrors:
        description: Mirrors of Docker Hub.
        type: list
        elements: str
        default: []
      proxy:
        description: Whether Docker's daemon gets O(proxy), too. V(false) where something else sees to that.
        type: bool
        default: true
  proxy:
    description:
      - Proxy for apt, dnf, npm, git, Docker and for logins. Credentials go only into files that root alone reads, and
        are not printed.
    type: dict
    default: {}
    suboptions:
      http:
        description: Address for http.
        type: str
        default: ""
      https:
        description: Address for https.
        type: str
        default: ""
      no_proxy:
        description: Hosts and networks that need no proxy, parted by commas.
        type: str
        default: ""
  ca_bundle:
    description: File with certificates that the tools shall trust in place of their own.
    type: str
    default: ""
  addresses:
    description:
      - Addresses by service that other roles set, such as V(docker-ce). They are kept in
        C(/var/lib/gpuready/mirror-addresses.json), and M(gpuready.bootstrap.gpu_facts) shows them.
    type: dict
    default: {}
  user_files:
    description: Accounts in whose homes files may be written.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) gives back all that this module changed.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Mirrors nearby
  gpuready.bootstrap.package_mirrors:
    apt:
      archive: [https://mirror.example.org/ubuntu, https://other.example.org/ubuntu]
    pip:
      index_url: https://mirror.example.org/pypi/simple

- name: Security updates from the distribution first, and from a mirror where it cannot be reached
  gpuready.bootstrap.package_mirrors:
    apt:
      archive: [https://mirror.example.org/ubuntu]
      security: [official, https://mirror.example.org/ubuntu]

- name: The system's own settings
  gpuready.bootstrap.package_mirrors:
    state: absent
"""

RETURN = r"""
update_cache:
  description: Whether apt must read its lists anew (C(apt-get update)).
  returned: success
  type: bool
  sample: true
restart_needed:
  description: Whether Docker must be restarted (M(gpuready.bootstrap.docker_restart)) to take a change over.
  returned: success
  type: bool
  sample: false
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/sources.list.d/debian.sources, /etc/pip.conf]
kept:
  description:
    - Files that are not as they were before, because somebody else changed them since. What was ours is undone.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import DaemonError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import tools
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.apt_plan import AptPlan, AptWish
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.docker_plan import DockerPlan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.options import SPEC, options_of
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import MirrorError, MirrorGate, Plan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import secrets_in


def plan_all(plan: Plan, params: dict[str, Any], module: AnsibleModule) -> tuple[DockerPlan, list[str]]:
    """Compute every file. Also returns what is worth saying if one changes."""
    options = options_of(params)
    pair = {"archive": [], "security": [], "failover": True, **options.of("apt")}
    if "apt" in options.values:
        pair["failover"] = options.values["apt"].get("failover", True)
    users = tools.accounts(plan, params["user_files"]) if options.values else []
    wish = AptWish.of(pair["archive"], pair["security"], pair["failover"], options.ca_bundle)
    apt = AptPlan(plan, wish, module.warn)
    apt.add()
    tools.add_repositories(plan, options.of("repositories"), module.warn)
    tools.add(plan, options)
    tools.add_cargo(plan, options, users)
    tools.add_addresses(plan, options)
    docker = DockerPlan(plan, module)
    docker.add(options)
    return docker, apt.advice


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
    )
    # Ansible takes them out of all that it prints, the arguments of this call included
    module.no_log_values.update(secrets_in({key: value for key, value in module.params.items() if key != "root"}))
    gate = MirrorGate(module, module.params["root"])
    try:
        plan = Plan(gate)
        docker, advice = plan_all(plan, module.params, module)
        plan.apply()
    except (MirrorError, FileGateError, DaemonError) as error:
        module.fail_json(msg=f"Package mirrors: {str(error).rstrip('.')}. Nothing was changed.", **gate.result())
    for text in advice if gate.changed else []:
        module.warn(text)
    if gate.changed and docker.restart_needed:
        module.warn(
            "Docker takes its new settings over when it starts next; the role docker_engine restarts it, or restart "
            "docker.service when no container must go on"
        )
    if gate.kept:
        module.warn(f"not as before, since somebody else changed them: {', '.join(gate.kept)}")
    module.exit_json(
        update_cache=any(path.startswith(("/etc/apt/sources.list", "/etc/apt/mirrors/")) for path in gate.paths),
        restart_needed=docker.restart_needed,
        **gate.result(),
    )


if __name__ == "__main__":
    main()
