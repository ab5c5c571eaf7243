# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring code and tables into Ansible's main process, whose memory each worker inherits.

Ansible forks a worker for each task of each host, and each of them compiles a collection's Python anew. Here it is done
once: 0.4 s of the processor, in place of a part of it in each worker (five hosts: a sixth of the whole run).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import role_inputs
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

HERE = "ansible_collections.gpuready.bootstrap.plugins.plugin_utils"
# What filters, lookups and actions of the road import, and the tables that these read
MODULES = (
    "as_written",
    "container_steps.steps",
    "dev_env.spec",
    "docker_steps.steps",
    "driver_steps.steps",
    "mirror_steps.steps",
    "nvml_steps.steps",
    "plan.plan",
    "plan_files",
    "readiness_files",
    "toolkit_steps.steps",
)
TABLES = (
    "cuda",
    "dev_packages",
    "dev_spec",
    "driver_sources",
    "drivers",
    "gpus",
    "images",
    "mirrors",
    "readiness_policy",
    "tiers",
    "toolkit",
    "toolkit_config",
    "toolkit_setup",
    "torch",
    "xid",
    "messages/zh",
)
# Plugins of ansible-core that the road uses; of ours all filters and lookups
PLUGINS = (
    ("become", "ansible.builtin.sudo"),
    ("connection", "ansible.builtin.ssh"),
    ("filter", "ansible.builtin.combine"),
    ("lookup", "ansible.builtin.env"),
    ("lookup", "ansible.builtin.file"),
    ("shell", "ansible.builtin.sh"),
    ("test", "ansible.builtin.changed"),
)
OURS = ("filter", "lookup")


def warm(loader: Any, get: Callable[[str, str], object]) -> None:
    """Import and read all of it; a second time costs nothing.

    loader: the run's DataLoader, which keeps files. get: loads a plugin by its kind and name, and keeps it.
    """
    for name in MODULES:
        importlib.import_module(f"{HERE}.{name}")
    for table in TABLES:
        load(table)
    role_inputs.roles(role_inputs.ROOT, loader)
    role_inputs.shared(role_inputs.ROOT)
    role_inputs.given_out(role_inputs.ROOT)
    role_inputs.of_playbooks(role_inputs.ROOT)
    for kind, name in PLUGINS:
        get(kind, name)
    for kind in OURS:
        for path in sorted((role_inputs.ROOT / "plugins" / kind).glob("*.py")):
            get(kind, f"gpuready.bootstrap.{path.stem}")
