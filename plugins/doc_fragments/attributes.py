# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules promise of check mode and diff mode. A module says beside it what is otherwise with it."""

from __future__ import annotations


class ModuleDocFragment:
    # What runs on the target. validate-modules holds check_mode against the module's supports_check_mode, and diff_mode
    # against nothing: a module that shows no difference has to give its own `support`.
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
"""

    # What answers on the controller. What its check mode gives, each says itself.
    NO_CHANGE = r"""
attributes:
  diff_mode:
    description: Will return details on what has changed, or what would change in check mode.
    support: none
    details: It changes nothing on the host.
"""
