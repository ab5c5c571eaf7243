# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several preflight checks ask first: is this ours to judge, and which GPUs are there."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Context, Finding, skip
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# PCI vendor id -> maker, of the GPUs that are named as not supported
MAKERS = {"1002": "AMD", "8086": "Intel"}
# display controllers, and the class that AMD Instinct boards have (PCI code and id assignment specification)
_GPU_CLASSES = ("03", "12")
# PCI drivers that hold a device for a virtual machine (kernel drivers/vfio/pci, drivers/xen/xen-pciback)
_FOR_GUESTS = ("vfio", "nvgrace_gpu_vfio", "pci-stub", "pciback", "xen-pciback")


def not_ours(ctx: Context) -> list[Finding] | None:
    """Why nothing is said about kernel and driver of this machine; None where they are ours."""
    if ctx.policy.expected_gpus == 0:
        return [skip(say("a host without a GPU needs no driver"))]
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("under WSL kernel and driver belong to Windows"))]
    return None


def kernel_not_ours(ctx: Context) -> list[Finding] | None:
    """The same, and also where the kernel is that of the machine around a simulated host."""
    if ctx.facts.flag("simulated.host"):
        return [skip(say("the kernel belongs to the machine around the simulated host"))]
    return not_ours(ctx)


def foreign_gpus(ctx: Context) -> list[View]:
    """GPUs of AMD and Intel. Intel's on bus 0 are part of the processor and no reason to say anything."""
    found = []
    for device in ctx.facts.views("pci.others"):
        maker = MAKERS.get(device.text("vendor"))
        built_in = maker == "Intel" and device.text("bdf").split(":")[1] == "00"
        if maker and not built_in and device.text("class").startswith(_GPU_CLASSES):
            found.append(device)
    return found


def given_away(gpu: View) -> bool:
    """Held for a virtual machine by a driver that does nothing else."""
    return not gpu.is_null("driver") and gpu.text("driver").startswith(_FOR_GUESTS)


def no_gpu(ctx: Context) -> list[Finding] | None:
    """Why there is no GPU to look at; None where there is one. The missing GPU itself is one red line, not ten."""
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("WSL shows the GPU through /dev/dxg, not on the PCI bus"))]
    if ctx.facts.is_true("virt.jetson"):
        return [skip(say("the GPU of a Jetson is no PCI device"), caused_by="PRE-SCOPE")]
    if ctx.facts.views("pci.gpus"):
        return None
    cause = "PRE-AMD" if foreign_gpus(ctx) else "PRE-GPU-PCI"
    return [skip(say("no NVIDIA GPU to look at"), caused_by=cause)]
