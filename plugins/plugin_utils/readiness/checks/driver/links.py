# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How GPUs reach each other: NVSwitch fabric, NVLink, peer access, NUMA, ACS."""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    board,
    has_mig,
    in_vm,
    is_vgpu,
    label,
    not_in_wsl,
    not_simulated,
    text_if_any,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import role_keeps
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import Gpu
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import gpu as board_of
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

MANAGER = "nvidia-fabricmanager.service"
# boards with a socket of their own reach each other through NVSwitch or a full mesh; cards need a bridge to buy
_CARD = re.compile(r"PCIe|NVL\b")
_NO_LINKS = re.compile(r"all links are inactive", re.IGNORECASE)


@after_module
@not_in_wsl
def fabric(ctx: Context) -> list[Finding]:
    """NVSwitch systems give CUDA error 802 until the fabric manager has set the switches up."""
    switches, gpus = ctx.facts.views("pci.nvswitches"), usable(ctx)
    joined = [gpu for gpu in gpus if not gpu.is_null("fabric")]
    if not switches and not joined and not _nvlink5(ctx):
        return [skip(say("there is no NVSwitch fabric"))]
    # A100 and H100 systems have their switches on the PCI bus, and need the manager on the same machine. In a virtual
    # machine, and on GB200 compute nodes, it runs elsewhere.
    if switches or _nvlink5(ctx) or (_has_manager(ctx) and any(_member(ctx, gpu) for gpu in joined)):
        findings = _manager(ctx)
        if findings:
            return findings
    findings = [finding for gpu in joined for finding in _member(ctx, gpu)]
    return findings or [ok(say("the NVLink fabric is ready"))]


def _nvlink5(ctx: Context) -> bool:
    """The switches of B200 and B300 are behind an adapter; null: no adapter, or nobody lets us ask it."""
    rows = [board_of(text_if_any(gpu, "device")) for gpu in ctx.facts.views("pci.gpus")]
    if not any(row is not None and row.architecture == "blackwell" and row.nvlink_links for row in rows):
        return False
    return not ctx.facts.is_null("pci.nvlink5") and ctx.facts.flag("pci.nvlink5")


def _install_manager(ctx: Context, version: str) -> Remedy:
    text = say("Install the fabric manager of the driver's version, and hold both.")
    if role_keeps(ctx):
        return ctx.run.play("nvidia_driver", text, None, nvidia_driver_fabric_manager="present")
    if ctx.facts.text_or_none("packages.manager") == "dnf":
        return ctx.run.adhoc("dnf", f"name=nvidia-fabricmanager-{version} state=present", text)
    return ctx.run.adhoc("apt", f"name=nvidia-fabricmanager={version}-* state=present", text)


def _has_manager(ctx: Context) -> bool:
    """B200 systems show no NVSwitch on the PCI bus; there the unit tells that the manager belongs on this machine."""
    service = ctx.facts.mapping("services").get(MANAGER)
    return isinstance(service, dict) and service.get("load") == "loaded"


def _manager(ctx: Context) -> list[Finding]:
    services = ctx.facts.mapping("services")
    if MANAGER not in services:
        raise UnmeasuredError(f"services.{MANAGER}")
    service = View(services[MANAGER], f"services.{MANAGER}", ctx.facts.trace)
    version = ctx.facts.text("driver.module.version")
    evidence = (*service.show("load", "active"), *ctx.facts.show("driver.module.version"))
    if service.text_or_none("load") in (None, "not-found"):
        message = say("NVSwitch system without fabric manager: CUDA ends with error 802")
        return [fail(message, _install_manager(ctx, version), evidence=evidence)]
    installed = _package_version(ctx)
    if installed is not None and installed != version:
        remedy = _install_manager(ctx, version)
        message = say("fabric manager {installed} refuses driver {version}", installed=installed, version=version)
        return [fail(message, remedy, observed=installed, expected=version, evidence=evidence)]
    if service.text("active") != "active":
        text = say("Start the fabric manager, and have it started at boot.")
        remedy = ctx.run.adhoc("systemd_service", f"name={MANAGER} state=started enabled=true", text, "restart_service")
        message = say("the fabric manager is {state}: CUDA ends with error 802", state=service.text("active"))
        return [fail(message, remedy, observed=service.text("active"), expected="active", evidence=evidence)]
    return []


def _package_version(ctx: Context) -> str | None:
    """nvidia-fabricmanager 580.159.03-1, or nvidia-fabricmanager-580 of Ubuntu. None: it came without a package."""
    for name, version in ctx.facts.mapping("packages.installed").items():
        if name.startswith(("nvidia-fabricmanager", "nvidia-fabric-manager")) and isinstance(version, str):
            match = re.search(r"\d{3,}\.\d+(?:\.\d+)?", version)
            return match.group() if match else None
    return None


def _member(ctx: Context, gpu: View) -> list[Finding]:
    state = gpu.text("fabric.state")
    # "N/A" becomes null: no status while the state says nothing, no health on H100 and H200
    status = None if gpu.is_null("fabric.status") else gpu.text("fabric.status")
    health = None if gpu.is_null("fabric.health") else gpu.text("fabric.health")
    ready = state.lower() == "completed" and status is not None and status.lower() in ("success", "n/a")
    if ready and (health is None or health.lower() in ("healthy", "n/a")):
        return []
    details = {"entity": label(gpu), "evidence": gpu.show("fabric")}
    if not ready:
        text = say("Start the fabric manager again; if the state stays, look at /var/log/fabricmanager.log.")
        remedy = ctx.run.adhoc("systemd_service", f"name={MANAGER} state=restarted", text, "restart_service")
        message = say(
            "the GPU has not joined the NVLink fabric: {state}, {status}",
            state=state,
            status=status or say("no status"),
        )
        return [fail(message, remedy, observed=state, expected="Completed", **details)]
    remedy = ctx.by_hand(say("Send nvidia-bug-report and fabricmanager.log to the vendor."), "contact_provider")
    message = say("the GPU's place in the NVLink fabric is {health}", health=health)
    return [fail(message, remedy, observed=health, expected="Healthy", **details)]


@after_module
def nvlink(ctx: Context) -> list[Finding]:
    gpus = usable(ctx)
    if len(ctx.facts.views("gpus")) < 2:
        return [skip(say("there is only one GPU"))]
    if any(has_mig(gpu) for gpu in gpus):
        return [skip(say("with MIG on, links are not reported"))]
    meshed = [(gpu, row, links) for gpu, row, links in ((g, *_links(ctx, g)) for g in gpus) if links]
    if not meshed:
        return [skip(say("these boards have no NVLink of their own"))]
    if ctx.facts.is_null("topology.nvlink"):
        said = None if ctx.facts.is_null("topology.nvlink_message") else ctx.facts.text("topology.nvlink_message")
        if said is None or not _NO_LINKS.search(said):
            return [skip(say("nvidia-smi does not report links: {said}", said=said or say("no message")))]
        active = {}
    else:
        active = {it.integer("index"): it.integer("active") for it in ctx.facts.views("topology.nvlink")}
    findings = []
    for gpu, row, links in meshed:
        have = active.get(gpu.integer("index"), 0)
        if have < links:
            text = say("Reset all GPUs or reboot; if links stay away, send the kernel log to the vendor.")
            message = say("{have} of {links} NVLinks are active on {name}", have=have, links=links, name=row.name)
            details = {"entity": label(gpu), "observed": have, "expected": links}
            evidence = ctx.facts.show("topology.nvlink", "topology.nvlink_message")
            findings.append(fail(message, ctx.run.reboot(text), evidence=evidence, **details))
    return findings or [ok(say("all NVLinks are active"))]


def _links(ctx: Context, gpu: View) -> tuple[Gpu, int] | tuple[None, None]:
    """The board and the links it must have. A card's bridge is optional: only the policy can ask for it."""
    row = board(ctx, gpu)
    name = gpu.text_or_none("name") or (row.name if row else "")
    wish = next((count for model, count in ctx.policy.nvlink_links.items() if model.lower() in name.lower()), None)
    if row is None or is_vgpu(gpu):
        return None, None
    own = None if _CARD.search(name) or row.board != "datacenter" else row.nvlink_links
    links = wish if wish is not None else own
    return (row, int(links)) if links else (None, None)


@after_module
def peer_access(ctx: Context) -> list[Finding]:
    """GeForce boards have no peer access (CNS, chipset or NS, not supported): that is how they are sold."""
    if len(ctx.facts.views("gpus")) < 2:
        return [skip(say("there is only one GPU"))]
    rows = [board(ctx, gpu) for gpu in usable(ctx)]
    if not rows or not all(row is not None and row.nvlink_links for row in rows):
        return [skip(say("these boards promise no peer access"))]
    if ctx.facts.is_null("topology.p2p"):
        return [skip(say("nvidia-smi shows no matrix of peer access"))]
    labels, rows_read = ctx.facts.strings("topology.p2p.labels"), ctx.facts.views("topology.p2p.read")
    if not labels or len(rows_read) != len(labels):
        raise UnmeasuredError("topology.p2p.read")
    bad = []
    for row_label, row in zip(labels, rows_read):
        if not isinstance(row.data, list) or len(row.data) != len(labels):
            raise UnmeasuredError(row.path)
        bad += [f"{row_label}-{label}: {cell}" for label, cell in zip(labels, row.data) if cell not in ("X", "OK")]
    if not bad:
        return [ok(say("every GPU reads the memory of every other"))]
    text = say("Nothing stops working: NCCL goes through host memory. Look at ACS, IOMMU and NVLink.")
    evidence = ctx.facts.show("topology.p2p")
    return [fail(say("no peer access: {pairs}", pairs=names(bad)), ctx.by_hand(text), evidence=evidence)]


@not_in_wsl
@not_simulated
def numa(ctx: Context) -> list[Finding]:
    sockets = ctx.facts.integer("cpu.sockets")
    if sockets < 2:
        return [skip(say("there is one processor socket"))]
    gpus = ctx.facts.views("pci.gpus")
    # the collector reads -1 of sysfs as null: the firmware does not say
    homeless = [gpu.text("bdf") for gpu in gpus if gpu.is_null("numa_node") or gpu.integer("numa_node") < 0]
    if not homeless:
        return [ok(say("each GPU knows its NUMA node"))]
    text = say("Switch on NUMA in the firmware setup; until then, pin processes by hand (numactl).")
    evidence = tuple(item for gpu in gpus[:4] for item in gpu.show("bdf", "numa_node"))
    message = say(
        "{sockets} sockets, but the firmware names no NUMA node for {gpus}", sockets=sockets, gpus=names(homeless)
    )
    return [fail(message, ctx.by_hand(text, "firmware_setup"), evidence=evidence)]


@after_module
@not_in_wsl
def acs(ctx: Context) -> list[Finding]:
    """Access control sends traffic between GPUs up to the root complex; it only hurts where they could be direct."""
    gpus = ctx.facts.views("pci.gpus")
    if in_vm(ctx):
        return [skip(say("in a virtual machine the host decides this"))]
    if len(gpus) < 2:
        return [skip(say("there is only one GPU"))]
    # boards that reach each other over NVLink do not care, GeForce boards have no peer access
    if not any(_direct(ctx, gpu) for gpu in usable(ctx)):
        return [skip(say("these GPUs do not talk to each other over PCIe"))]
    known = [gpu for gpu in gpus if not gpu.is_null("acs")]
    if not known:
        return [skip(say("nothing tells whether ACS is on"))]
    redirected = [gpu.text("bdf") for gpu in known if gpu.flag("acs")]
    if not redirected:
        return [ok(say("ACS does not redirect traffic between GPUs"))]
    text = say("Switch ACS off in the firmware setup (or with setpci on the bridges), and use iommu=pt.")
    evidence = tuple(item for gpu in known[:4] for item in gpu.show("bdf", "acs", "bridge"))
    message = say("PCIe ACS slows traffic between GPUs down: {gpus}", gpus=names(redirected))
    return [fail(message, ctx.by_hand(text, "firmware_setup"), evidence=evidence)]


def _direct(ctx: Context, gpu: View) -> bool:
    row = board(ctx, gpu)
    return row is None or (row.board in ("datacenter", "workstation") and not row.nvlink_links)
