# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of the Python packages of an environment: one's own, one of the collection, or one still to make."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dev_lock
short_description: The lock of the Python packages of a development environment
version_added: 0.1.0
description:
  - Says for each specification where its lock is. The user's own (C(dev_python.lock)) goes first, then a lock of the
    collection that was made from the same inputs, then the file that M(gpuready.bootstrap.python_lock) makes of them.
  - Reads files of the controller, and writes none.
author:
  - The gpuready authors (@gpuready)
options:
  _terms:
    description: Whole specifications, as P(gpuready.bootstrap.dev_spec#lookup) returns them.
    type: list
    elements: dict
    required: true
  folder:
    description: Folder on the controller for the locks that are made.
    type: path
    required: true
  plan:
    description: A plan of M(gpuready.bootstrap.gpu_plan), for the release and build of torch.
    type: dict
"""

EXAMPLES = r"""
- name: Say which locks are missing
  ansible.builtin.debug:
    msg: "{{ locks | rejectattr('text') | map(attribute='path') }}"
  vars:
    specs: "{{ query('gpuready.bootstrap.dev_spec', each=true) }}"
    locks: "{{ query('gpuready.bootstrap.dev_lock', *specs, folder='locks') }}"
"""

RETURN = r"""
_raw:
  description:
    - For each specification C(name), C(path), C(text) (empty where the file is still to be made), and C(inputs), the
      options of M(gpuready.bootstrap.python_lock) that make it; C(project), the texts of C(pyproject.toml) and
      C(uv.lock) where C(dev_python.project) names a repository.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import packages

PROJECT = ("pyproject.toml", "uv.lock")
INPUTS = ("requirements", "python_version", "python_below", "platform", "torch_backend", "torch_packages")
# enough to tell two locks apart in a folder
DIGITS = 16


def lock_of(spec: Mapping[str, Any], folder: Path, plan: Mapping[str, Any] | None) -> dict[str, Any]:
    """Where the lock of one specification is. Raises ValueError or OSError, PackagesError."""
    python = spec["python"]
    found: dict[str, Any] = {"name": spec["name"], "path": "", "text": "", "inputs": {}, "project": {}}
    if python["project"]:
        return {**found, "project": {name: _read(Path(python["project"]) / name) for name in PROJECT}}
    if python["lock"]:
        return {**found, "path": python["lock"], "text": _read(Path(python["lock"]))}
    shipped = packages.shipped_lock(spec)
    if shipped is not None:
        return {**found, "text": shipped}
    inputs = packages.requirements(spec, plan)
    path = folder / f"{inputs['digest'][:DIGITS]}.txt"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {**found, "path": str(path), "text": text, "inputs": {name: inputs[name] for name in INPUTS}}


def _read(path: Path) -> str:
    text = path.expanduser().read_text(encoding="utf-8")
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text


class LookupModule(LookupBase):
    """Runs on the controller."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        folder, plan = Path(self.get_option("folder")), self.get_option("plan")
        found = []
        for spec in terms:
            try:
                found.append(lock_of(spec, folder, plan))
            except (OSError, ValueError, packages.PackagesError) as error:
                why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
                raise AnsibleLookupError(f"The Python packages of {spec['name']} have no lock: {why}") from error
        return found
