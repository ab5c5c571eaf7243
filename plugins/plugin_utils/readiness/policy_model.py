# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy as the checks read it. Its values, their sources and their meaning are in data/readiness_policy.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Policy:
    """Thresholds and exceptions; the defaults and their sources are in data/readiness_policy.yml."""

    profile: str
    tier: str | None
    expected_gpus: int | None
    os_supported: Mapping[str, Sequence[str]]
    architectures: Sequence[str]
    driver_branch: str | None
    driver_modules: str | None
    driver_secure_boot: str | None
    driver_change_planned: bool
    driver_reboot_planned: bool
    cpus_min: int
    ports_wanted: Sequence[int]
    time_skew_max_s: int
    mirror_age_max_days: int
    ram_min_mib: int
    ram_per_gpu_memory_percent: int
    disk_needs_mib: Mapping[str, int]
    disk_floor_mib: int
    inodes_min_percent: int
    headers_missing: str
    driver_security_floor: Mapping[str, str]
    driver_below_floor: str
    cuda_wanted: str | None
    cuda_min_driver: Mapping[str, str]
    docker_min: str
    compose_min: str
    toolkit_min: str
    cdi_required: bool
    docker_free_min_mib: int
    restarts_max: int
    dev_shm_min_mib: int
    dev_nofile_min: int
    dev_stack_min_kib: int
    nccl_min_gbs: int
    dev_gpu_wanted: bool
    torch_wanted: bool
    torch_cpu_accepted: bool
    ecc: str
    ecc_sram_uncorrectable_max: int
    ecc_dram_correctable_max: int
    ecc_sram_correctable_max: int
    remapped_rows_max: int
    retired_pages_max: int
    retired_pages_warn: int
    xid_hours: int
    xid_actions: Mapping[Any, str]
    aer_correctable_max: int
    pcie_width: Mapping[str, int]
    pcie_replays_per_minute_max: int
    nvlink_links: Mapping[str, int]
    mig: str
    compute_mode: str
    power_limit_min_percent: int
    thermal_margin_c: int
    throttle_percent_max: int
    application_clock_mhz: Mapping[str, int]
    gpus_in_use_allowed: bool
    gpu_memory_used_max_mib: int
    severity: Mapping[str, str]
    skip: Sequence[str]
    waive: Sequence[Mapping[str, Any]]
