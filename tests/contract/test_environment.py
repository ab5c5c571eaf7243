# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector and the check stand on two sides of a wall; what one judges the other must read."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.environment import NAMES
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.settings import DISTURBING


def test_every_variable_that_is_judged_is_read() -> None:
    assert set(DISTURBING) - set(NAMES) == set()
