# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that bring a repository's key and compare its fingerprints (module_utils/_pinned_key.py)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  key_url:
    description: Where to fetch the key (http, https or file). An empty string counts as not given.
    type: str
  key_path:
    description: A file on the target that holds the key.
    type: path
    aliases: [key_file]
  key_content:
    description: The public key itself, ASCII armored.
    type: str
  timeout:
    description: Seconds that fetching the key may take.
    type: int
    default: 30
  hint:
    description: Name of the variable a user would change to use another key address; errors name it.
    type: str
    default: key_url
"""
