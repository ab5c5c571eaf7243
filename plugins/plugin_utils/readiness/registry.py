# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check there is, in the order of the report: the tables of the four stages, one after the other."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container import registry as container
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev import registry as dev
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver import registry as driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import registry as preflight
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Check

CHECKS: tuple[Check, ...] = (*preflight.CHECKS, *driver.CHECKS, *container.CHECKS, *dev.CHECKS)

CHECK_IDS = tuple(check.id for check in CHECKS)
