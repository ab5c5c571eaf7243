# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_facts
short_description: Read everything about a GPU host in one round trip
version_added: 0.1.0
author:
  - The gpuready authors (@gpuready)
description:
  - Reads the operating system, kernel and its log, firmware, boot loader, PCI devices, NVIDIA driver and what dkms
    built of it, GPUs, Docker Engine, NVIDIA Container Toolkit, CDI specifications, storage, network, remembered package
    mirrors and development environments, and returns one snapshot as C(ansible_facts.gpu_host).
  - Files are read first, commands are run second, and everything slow runs at the same time.
  - It never writes and never fails because of what it finds. It runs C(nvidia-smi), and calls C(cuInit) in a process of
    its own; after one NVIDIA call has timed out no other one is made. Only O(active) starts work on a GPU.
  - What could not be read is V(null), and C(gpu_host.probes) says for each probe whether it was C(ok), C(missing),
    C(denied), C(timeout), C(failed) or C(unparsable), why, and how many milliseconds it took.
  - No secret leaves the host. Passwords in URLs are masked. Of a container's environment only variables without
    secrets are returned, where an ssh session lacks them or differs; of its labels only those of this collection and
    of Compose.
  - The snapshot does name the machine (UUIDs, addresses), and with O(raw) it holds serial numbers. The support bundle
    of M(gpuready.bootstrap.gpu_readiness) is without them.
options:
  subset:
    description:
      - Sections to read, or with C(!) before the name those not to read. One that is not read is missing in the answer,
        and what needs it is judged as unknown, never as right.
      - The operating system, the kind of machine and what is simulated are always read.
    type: list
    elements: str
    default: [all]
    choices:
      - all
      - kernel
      - firmware
      - packages
      - files
      - services
      - storage
      - memory
      - cpu
      - selinux
      - time
      - environment
      - network
      - pci
      - driver
      - gpus
      - topology
      - cuda
      - kernel_log
      - processes
      - docker
      - daemon_json
      - toolkit
      - cdi
      - mirrors
      - mirror_addresses
      - dev
      - raw
      - "!kernel"
      - "!firmware"
      - "!packages"
      - "!files"
      - "!services"
      - "!storage"
      - "!memory"
      - "!cpu"
      - "!selinux"
      - "!time"
      - "!environment"
      - "!network"
      - "!pci"
      - "!driver"
      - "!gpus"
      - "!topology"
      - "!cuda"
      - "!kernel_log"
      - "!processes"
      - "!docker"
      - "!daemon_json"
      - "!toolkit"
      - "!cdi"
      - "!mirrors"
      - "!mirror_addresses"
      - "!dev"
      - "!raw"
  root:
    description:
      - Read the tree below this folder in place of the machine, for tests.
      - With any value but V(/) no command is run and no socket or network is used. The one exception is a
        stand-in C(bin/nvidia-smi) below it, which is run.
    type: path
    default: /
  watch:
    description: More files, or folders with all files below them, whose digests belong in C(gpu_host.files).
    type: list
    elements: path
    default: []
  repositories:
    description:
      - Repositories that the host must be able to reach. All are asked at the same time, for 5 seconds at most.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What to call it in the answer.
        type: str
        required: true
      url:
        description: What to GET, for example the C(InRelease) file of a repository.
        type: str
        required: true
  endpoints:
    description: Services that the host must be able to reach, one of each kind. Asked like O(repositories).
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: What is got from there.
        type: str
        required: true
        choices: [apt, pypi, conda, docker, registry, hf, nvidia]
      name:
        description: What to call it in the answer; by default its address.
        type: str
      url:
        description: What to GET, a small file.
        type: str
        required: true
  dev:
    description: Running dev containers to look at as their user does.
    type: list
    elements: dict
    default: []
    suboptions:
      container:
        description: Name of the container. Without it only the ports are tried.
        type: str
      host:
        description: Address where its ports are published.
        type: str
        default: 127.0.0.1
      ssh_port:
        description: Published port of its ssh server.
        type: int
      jupyter_port:
        description: Published port of its Jupyter server.
        type: int
      token_file:
        description: File on the host with the Jupyter token. It is used for one request and never returned.
        type: path
      code_port:
        description: Published port of its code-server.
        type: int
      user:
        description: Whose environment is looked at; by default that of the container's own user.
        type: str
      torch_cpu_accepted:
        description: Not read here. M(gpuready.bootstrap.gpu_readiness) accepts a torch for the CPU in this container.
        type: bool
        default: false
  dev_here:
    description: Look at this machine as at a dev container. In a container, such as a rented one, it is always done.
    type: bool
    default: false
  exec_probe:
    description:
      - Ask C(nvidia-smi) inside the running containers that use a GPU, at most eight. Only so is it seen that a
        container has lost its GPU.
    type: bool
    default: false
  active:
    description:
      - What to try, beyond looking. V(smoke) runs a container with a GPU from O(smoke_image), V(torch) multiplies
        matrices on each GPU in the dev containers, V(nccl) lets all their GPUs talk to each other. Each takes 120
        seconds at most, and disturbs other work on the GPUs.
    type: list
    elements: str
    default: []
    choices: [smoke, torch, nccl]
  smoke_image:
    description: An image that is on the host. Nothing is pulled.
    type: str
    default: ""
  raw:
    description:
      - Keep the documents behind the facts in C(gpu_host.raw), such as the output of C(nvidia-smi). They hold serial
        numbers.
    type: bool
    default: false
  timeout:
    description: How long one command may take, in seconds.
    type: int
    default: 20
attributes:
  check_mode:
    description: Can run in check mode and return the same facts.
    support: full
  diff_mode:
    description: Will return details on what has changed when in diff mode.
    support: none
    details: Nothing is ever changed.
notes:
  - A Docker that is down is not asked where C(docker.socket) listens in its place, because systemd starts it for who
    connects. C(gpu_host.docker.error) says so then, and C(gpu_host.docker.orphans) names the containers that live on
    while C(docker.service) is down.
  - C(gpu_host.driver.dkms) says V(broken) of a module whose last build for a kernel failed or was stopped, with the
    first lines of its log that say why; also while another program is building it.
  - C(gpu_host.kernel.cmdline_next) is what the boot loader's default entry gives the kernel at the next boot, without
    what the boot loader itself puts in. It is V(null) where another entry than the first or newest one is the default.
  - C(gpu_host.mirrors) is what M(gpuready.bootstrap.mirror_info) remembers, V(null) if nothing was measured. It may
    have expired; compare its C(expires_at).
  - Run it with privileges. Without them the engine, device rules, lock files, the kernel log and some configuration
    cannot be read; their probes then say C(denied).
"""

EXAMPLES = r"""
- name: Look at the host once
  gpuready.bootstrap.gpu_facts:

- name: Look at the host, a repository and a dev container
  gpuready.bootstrap.gpu_facts:
    repositories:
      - name: docker
        url: https://mirror.example.org/docker-ce/linux/debian/dists/trixie/InRelease
    dev:
      - container: dev-alice
        ssh_port: 2222
        jupyter_port: 8888
        token_file: /opt/gpuready/dev/alice/token

- name: Look only at the GPUs
  gpuready.bootstrap.gpu_facts:
    subset: [pci, driver, gpus, topology]

- name: Say which GPUs the bus shows
  ansible.builtin.debug:
    msg: "{{ ansible_facts['gpu_host'].pci.gpus | map(attribute='bdf') | list }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    gpu_host:
      description:
        - The snapshot. Its JSON Schema is C(docs/snapshot.schema.json). Unknown values are V(null), units are in
          the names.
      returned: always
      type: dict
      sample:
        schema: gpuready.snapshot/1
        scope: host
        os: {id: debian, version: "13", codename: trixie, family: debian}
        pci: {gpus: [{bdf: "0000:01:00.0", vendor: 10de, device: "2684", driver: nvidia}], nvswitches: []}
        kernel: {running: 6.12.48+deb13-amd64, cmdline_next: root=/dev/sda1 ro quiet, newest: 6.12.48+deb13-amd64}
        firmware: {secure_boot: true, mok: {tool: true, key: /var/lib/dkms/mok.pub, enrolled: true, pending: false}}
        driver:
          module: {loaded: true, version: 580.95.05, flavour: open}
          dkms:
            - name: nvidia
              version: 580.95.05
              kernel: 6.12.48+deb13-amd64
              arch: x86_64
              status: installed
              log: null
        probes: {os: {status: ok, ms: 0, rc: null, source: /etc/os-release, error: null}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot import subset
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.collector import Wishes, collect

REPOSITORY = {"name": {"type": "str", "required": True}, "url": {"type": "str", "required": True}}
ENDPOINT = {
    "kind": {
        "type": "str",
        "required": True,
        "choices": ["apt", "pypi", "conda", "docker", "registry", "hf", "nvidia"],
    },
    "name": {"type": "str"},
    "url": {"type": "str", "required": True},
}
DEV = {
    "container": {"type": "str"},
    "host": {"type": "str", "default": "127.0.0.1"},
    "ssh_port": {"type": "int"},
    "jupyter_port": {"type": "int"},
    "token_file": {"type": "path", "no_log": False},
    "code_port": {"type": "int"},
    "user": {"type": "str"},
    "torch_cpu_accepted": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "subset": {"type": "list", "elements": "str", "default": ["all"], "choices": list(subset.CHOICES)},
            "root": {"type": "path", "default": "/"},
            "watch": {"type": "list", "elements": "path", "default": []},
            "repositories": {"type": "list", "elements": "dict", "default": [], "options": REPOSITORY},
            "endpoints": {"type": "list", "elements": "dict", "default": [], "options": ENDPOINT},
            "dev": {"type": "list", "elements": "dict", "default": [], "options": DEV},
            "dev_here": {"type": "bool", "default": False},
            "exec_probe": {"type": "bool", "default": False},
            "active": {"type": "list", "elements": "str", "default": [], "choices": ["smoke", "torch", "nccl"]},
            "smoke_image": {"type": "str", "default": ""},
            "raw": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    runner = Runner(module.run_command, given.pop("timeout"))
    snapshot = collect(runner, given.pop("root"), Wishes(**given))
    module.exit_json(changed=False, ansible_facts={"gpu_host": snapshot})


if __name__ == "__main__":
    main()
