# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a line for Slurm's node health check (LBNL Node Health Check, "ERROR:  nhc:  Health check failed:")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import blocking


def nhc(report: Mapping[str, Any]) -> tuple[str, int]:
    """(what to print, exit status): nothing and 0 for a usable node, else the first failure and 1."""
    bad = blocking(report)
    if not bad:
        return "", 0
    # failures first: what could not be measured is often their consequence
    first = min(bad, key=lambda r: (r["status"] != "fail", r["severity"] != "blocker"))
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    message = " ".join(str(first["message"]).split())
    return f"ERROR:  gpuready:  Health check failed:  {first['id']}: {message}{more}\n", 1
