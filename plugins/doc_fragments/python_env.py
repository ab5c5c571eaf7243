# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that ask a Python environment, here or in a container (module_utils/_python_env.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  container:
    description: Name of a running container that the environment is in. Empty is this machine.
    type: str
    default: ""
  docker:
    description: The program of the container engine.
    type: str
    default: docker
  uv:
    description: Path of uv beside the environment. Where it is not there, the environment's own pip is taken.
    type: str
    default: /opt/tools/bin/uv
"""
