# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A readiness report as metrics."""

from __future__ import annotations

import typing as t

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.prometheus import prometheus

DOCUMENTATION = r"""
name: readiness_metrics
author: The gpuready authors (@gpuready)
version_added: 0.1.0
short_description: A readiness report as a textfile for node_exporter
description:
  - Returns the metrics C(gpuready_check_status), C(gpuready_verdict), C(gpuready_last_run_timestamp_seconds) and
    C(gpuready_info) of a report of M(gpuready.bootstrap.gpu_readiness).
options:
  _input:
    description: The report.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Leave the metrics where node_exporter reads them
  ansible.builtin.copy:
    content: "{{ readiness_result.report | gpuready.bootstrap.readiness_metrics }}"
    dest: /var/lib/prometheus/node-exporter/gpuready.prom
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The text.
  type: string
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return them by name."""
        return {"readiness_metrics": prometheus}
