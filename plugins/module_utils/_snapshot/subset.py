# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sections of the snapshot are read. A section that is left out is missing there, which never counts as good."""

from __future__ import annotations

from collections.abc import Iterable

# cheap, and everything else builds on them
ALWAYS = ("simulated", "os", "virt", "scope")
NAMES = (
    "kernel",
    "firmware",
    "packages",
    "files",
    "services",
    "storage",
    "memory",
    "cpu",
    "selinux",
    "time",
    "environment",
    "network",
    "pci",
    "driver",
    "gpus",
    "topology",
    "cuda",
    "kernel_log",
    "processes",
    "docker",
    "daemon_json",
    "toolkit",
    "cdi",
    "mirrors",
    "mirror_addresses",
    "dev",
    "raw",
)
CHOICES = ("all", *NAMES, *(f"!{name}" for name in NAMES))


def chosen(words: Iterable[str]) -> frozenset[str]:
    """The sections that `words` name: names add, "!name" takes away; with nothing added it is taken from all."""
    wanted = [word for word in words if not word.startswith("!")]
    without = {word[1:] for word in words if word.startswith("!")}
    named = set(NAMES) if not wanted or "all" in wanted else set(wanted)
    return frozenset(named - without)
