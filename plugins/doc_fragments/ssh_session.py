# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account behind the running connection, for modules that could lock it out (module_utils/_ssh_session.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  session_user:
    description: The account that Ansible logs in with; only used where the host does not tell.
    type: str
    default: ""
"""
