# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: what must hold before anything is changed. Needs no driver."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    UnmeasuredError,
    View,
    fail,
    names,
    ok,
    skip,
    warn,
)


def supported_os(ctx: Context) -> list[Finding]:
    table = ctx.policy.os_supported
    # a rolling release (Arch, Debian sid) has no VERSION_ID in os-release
    name, version = ctx.facts.text("os.id"), ctx.facts.text_or_none("os.version") or "(rolling)"
    listed = "; ".join(f"{key} {', '.join(releases)}" for key, releases in table.items())
    if any(version == release or version.startswith(f"{release}.") for release in table.get(name, ())):
        return [ok(f"{name} {version} is supported", observed=f"{name} {version}")]
    remedy = ctx.by_hand(
        f"Install one of the supported systems ({listed}), or add this one to os_supported in the policy."
    )
    details = {"observed": f"{name} {version}", "expected": listed}
    if name not in table and any(parent in table for parent in ctx.facts.strings("os.id_like")):
        return [warn(f"{name} {version} is only a relative of a supported system ({listed})", remedy, **details)]
    return [fail(f"{name} {version} is not in the supported list ({listed})", remedy, **details)]


def architecture(ctx: Context) -> list[Finding]:
    machine, known = ctx.facts.text("os.machine"), ctx.policy.architectures
    if machine in known:
        return [ok(f"CPU architecture {machine}")]
    remedy = ctx.by_hand(f"Use a host with one of these CPU architectures: {', '.join(known)}.")
    return [fail(f"CPU architecture {machine} has no NVIDIA driver packages", remedy, observed=machine)]


def privilege(ctx: Context) -> list[Finding]:
    euid = ctx.facts.integer("collector.euid")
    if euid == 0:
        return [ok("the facts were read as root")]
    remedy = ctx.run.play("preflight", "Let Ansible become root on this host.", ansible_become=True)
    return [fail(f"not root: the facts were read with user id {euid}", remedy, observed=euid, expected=0)]


def scope(ctx: Context) -> list[Finding]:
    place = ctx.facts.text("scope")
    if ctx.policy.profile == "rented":
        return [skip("the policy's profile is rented: the driver belongs to the owner of the machine")]
    wsl = ctx.facts.flag("virt.wsl")
    if place == "host" and not wsl:
        return [ok("a host whose driver and Docker are ours")]
    what = "WSL" if wsl else f"a container ({ctx.facts.text_or_none('virt.technology') or 'kind unknown'})"
    remedy = ctx.policy_remedy("Judge it as a rented machine: the driver and Docker are its owner's.", profile="rented")
    return [fail(f"this is {what}; the kernel driver belongs to the machine around it", remedy, observed=place)]


def systemd(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("os.systemd.running"):
        return [ok("systemd is running")]
    remedy = ctx.by_hand("Boot this machine with systemd as init; Docker and the driver services need it.")
    return [fail("systemd is not PID 1: Docker and the driver services cannot be managed", remedy)]


def cgroup(ctx: Context) -> list[Finding]:
    version = ctx.facts.text("os.cgroup")
    if version == "v2":
        return [ok("cgroup v2")]
    remedy = ctx.by_hand("Remove systemd.unified_cgroup_hierarchy=0 from the kernel command line and reboot.")
    return [warn(f"cgroup {version} is in use; v2 is what current engines are made for", remedy, observed=version)]


def gpu_on_pci(ctx: Context) -> list[Finding]:
    gpus, expected = ctx.facts.views("pci.gpus"), ctx.policy.expected_gpus
    details = {"observed": len(gpus), "expected": "at least 1" if expected is None else expected}
    if gpus and expected in (None, len(gpus)):
        return [ok(f"{len(gpus)} NVIDIA GPU on the PCI bus: {names([gpu.text('bdf') for gpu in gpus], 8)}", **details)]
    if gpus:
        remedy = ctx.policy_remedy(
            "Correct the number, or find the missing GPU (power, riser, slot).", expected_gpus=len(gpus)
        )
        return [fail(f"{len(gpus)} GPUs on the PCI bus, {expected} expected", remedy, **details)]
    remedy = ctx.policy_remedy("Seat the GPU or ask the provider; for a CPU-only host expect no GPU.", expected_gpus=0)
    return [fail("no NVIDIA GPU on the PCI bus", remedy, **details)]


def gpu_answers(ctx: Context) -> list[Finding]:
    gpus = ctx.facts.views("pci.gpus")
    dead = [gpu.text("bdf") for gpu in gpus if not gpu.flag("config_readable")]
    if not gpus:
        return [skip("no GPU on the PCI bus")]
    remedy = ctx.run.adhoc("reboot", "", "Reboot; a GPU that stays silent has to be reseated or replaced.")
    return [
        fail(f"GPU {bdf} does not answer on PCIe (its config space reads ff)", remedy, entity=bdf) for bdf in dead
    ] or [ok(f"all {len(gpus)} GPUs answer on PCIe")]


def gpu_binding(ctx: Context) -> list[Finding]:
    remedy = ctx.by_hand("Take the GPU back from the virtual machine (unbind it from vfio-pci).")
    gpus = ctx.facts.views("pci.gpus")
    if not gpus:
        return [skip("no GPU on the PCI bus")]
    found = [(gpu.text("bdf"), "none" if gpu.is_null("driver") else gpu.text("driver")) for gpu in gpus]
    return [
        fail(f"GPU {bdf} is bound to {driver}: it is given to a virtual machine", remedy, entity=bdf)
        for bdf, driver in found
        if driver.startswith("vfio")
    ] or [ok(f"no GPU is given away (bound to: {names(sorted({driver for _bdf, driver in found}))})")]


def driver_packages(ctx: Context) -> bool:
    """Is a driver installed by packages, loaded or not."""
    installed = ctx.facts.mapping("packages.installed")
    return any(name.startswith(("nvidia-driver", "nvidia-open", "nvidia-kernel", "nvidia-dkms")) for name in installed)


def nouveau(ctx: Context) -> list[Finding]:
    loaded, blacklisted = ctx.facts.flag("driver.nouveau.loaded"), ctx.facts.flag("driver.nouveau.blacklisted")
    installed = driver_packages(ctx)
    remedy = ctx.run.play("nvidia_driver", "Install the driver, which blacklists nouveau, and reboot.")
    if loaded and installed:
        reboot = ctx.run.adhoc("reboot", "", "Reboot: nouveau leaves the GPU only then.")
        return [fail("nouveau is loaded and keeps the GPU from the NVIDIA driver", reboot)]
    if loaded:
        return [warn("nouveau is loaded; installing the driver will need a reboot", remedy)]
    if installed and not blacklisted:
        return [warn("nouveau is not blacklisted and may take the GPU at the next boot", remedy)]
    return [ok("nouveau is not loaded" + (" and blacklisted" if blacklisted else ""))]


def secure_boot(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("firmware.efi"):
        return [ok("legacy boot: modules need no signature")]
    if not ctx.facts.flag("firmware.secure_boot"):
        return [ok("Secure Boot is off")]
    if ctx.facts.is_true("driver.module.loaded"):
        return [ok("Secure Boot is on and the kernel accepted the NVIDIA module")]
    text = "Turn Secure Boot off in the firmware setup, or enrol a machine owner key (mokutil) at the console."
    return [fail("Secure Boot is on and would refuse an unsigned NVIDIA module", ctx.by_hand(text))]


def runfile(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("driver.runfile"):
        return [ok("no driver from a .run installer")]
    remedy = ctx.run.shell_line("nvidia-uninstall --silent", "Remove it with its own uninstaller, then run again.")
    return [fail("a driver from the .run installer is present; packages would clash with it", remedy)]


def kernel_headers(ctx: Context) -> list[Finding]:
    if ctx.facts.is_true("simulated.host"):
        return [skip("the kernel belongs to the machine around the simulated host")]
    release = ctx.facts.text("kernel.running")
    if ctx.facts.flag("kernel.headers"):
        return [ok(f"headers of the running kernel {release} are installed")]
    installed = ctx.facts.mapping("packages.installed")
    if any(name.startswith("linux-modules-nvidia-") and release in name for name in installed):
        return [ok(f"kernel {release} has a precompiled NVIDIA module; no headers needed")]
    line = f"name=linux-headers-{release} update_cache=true"
    remedy = ctx.run.adhoc("apt", line, "Install them; if the archive has them no more, upgrade the kernel and reboot.")
    if ctx.facts.is_true("driver.module.loaded"):
        return [warn(f"no headers for kernel {release}: the next driver update cannot be built", remedy)]
    say = fail if ctx.policy.headers_missing == "fail" else warn
    return [say(f"no headers for the running kernel {release}: the driver cannot be built", remedy, observed=release)]


def _disk_needs(ctx: Context) -> dict[str, int]:
    """MiB by path, less where the software is there already."""
    installed = {"/": ctx.facts.is_true("driver.module.loaded")}
    installed["/boot"] = installed["/"]
    docker_root = ctx.facts.text_or_none("docker.root_dir") or "/var/lib/docker"
    installed["/var/lib/docker"] = bool(ctx.facts.is_true("docker.reachable") and ctx.facts.views("docker.images"))
    needs: dict[str, int] = {}
    for path, size in ctx.policy.disk_needs_mib.items():
        place = docker_root if path == "/var/lib/docker" else path
        needs[place] = min(size, ctx.policy.disk_floor_mib) if installed.get(path) else size
    return needs


def _filesystem_of(path: str, filesystems: list[View]) -> View:
    holds = [fs for fs in filesystems if f"{path}/".startswith(fs.text("mount").rstrip("/") + "/")]
    if not holds:
        raise UnmeasuredError(f"storage.fs: the filesystem of {path}")
    return max(holds, key=lambda fs: len(fs.text("mount")))


def disk(ctx: Context) -> list[Finding]:
    filesystems = ctx.facts.views("storage.fs")
    together: dict[str, tuple[View, list[str], int]] = {}
    for path, size in _disk_needs(ctx).items():
        fs = _filesystem_of(path, filesystems)
        _fs, paths, total = together.get(fs.text("mount"), (fs, [], 0))
        together[fs.text("mount")] = (fs, [*paths, path], total + size)
    findings: list[Finding] = []
    for mount, (fs, paths, needed) in together.items():
        free, inodes = fs.integer("free_mib"), None if fs.is_null("inodes_free_pct") else fs.number("inodes_free_pct")
        remedy = ctx.by_hand(f"Free space on {mount}, enlarge it, or lower disk_needs_mib in the policy.")
        details = {"entity": mount, "observed": free, "expected": needed}
        if fs.flag("ro"):
            findings.append(fail(f"{mount} is mounted read-only", remedy, entity=mount))
        elif free < needed:
            message = f"{mount} has {free} MiB free, {needed} MiB are needed (for {', '.join(paths)})"
            findings.append(fail(message, remedy, **details))
        elif inodes is not None and inodes < ctx.policy.inodes_min_percent:
            findings.append(fail(f"{mount} has only {inodes:g} % of its inodes free", remedy, entity=mount))
    return findings or [ok(f"enough space on {names(list(together))}")]


def memory(ctx: Context) -> list[Finding]:
    total, needed = ctx.facts.integer("memory.total_mib"), ctx.policy.ram_min_mib
    if total < needed:
        remedy = ctx.by_hand("Use a host with more memory, or lower ram_min_mib in the policy.")
        return [fail(f"{total} MiB of memory, {needed} MiB are needed", remedy, observed=total, expected=needed)]
    listed = ctx.facts.data.get("gpus") if isinstance(ctx.facts.data, Mapping) else None
    gpus = ctx.facts.views("gpus") if listed is not None else []
    gpu_memory = sum(gpu.integer_or_none("memory_total_mib") or 0 for gpu in gpus)
    advised = gpu_memory * ctx.policy.ram_per_gpu_memory_percent // 100
    if total < advised:
        remedy = ctx.by_hand("Load checkpoints in shards, or give the host more memory.")
        return [warn(f"{total} MiB of memory beside {gpu_memory} MiB of GPU memory", remedy, expected=advised)]
    return [ok(f"{total} MiB of memory", observed=total)]


def package_lock(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("packages.lock.held"):
        return [ok("the package manager is free")]
    lock = ctx.facts.view("packages.lock")
    holder = f"{lock.text_or_none('comm') or 'unknown program'}, pid {lock.integer_or_none('pid') or 'unknown'}"
    installed = ctx.facts.is_true("driver.module.loaded") and ctx.facts.is_true("docker.reachable")
    remedy = ctx.by_hand("Wait until it has finished, then run again.")
    severity = Severity.INFO if installed else None  # nothing left to install: it is in nobody's way
    return [fail(f"the package manager is busy ({holder})", remedy, severity=severity, observed=holder)]


def package_state(ctx: Context) -> list[Finding]:
    broken = ctx.facts.strings("packages.broken")
    if not broken:
        return [ok("no package is half installed")]
    remedy = ctx.run.shell_line(
        "dpkg --configure -a", "Let dpkg finish what was interrupted; read its error if it cannot."
    )
    return [fail(f"half-installed packages: {names(broken)}", remedy, observed=broken)]


def reboot_pending(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("kernel.reboot_required"):
        return [ok("no reboot is pending")]
    reasons = ctx.facts.data["kernel"].get("reboot_packages") or []
    message = f"a reboot is pending{' (' + names([str(item) for item in reasons]) + ')' if reasons else ''}"
    return [fail(message, ctx.run.adhoc("reboot", "", "Reboot when no job is running."), observed=list(reasons))]


_REPOSITORY_VARIABLES = (
    # (word in the repository's name, role, variable that holds its address)
    ("toolkit", "nvidia_container_toolkit", "nvidia_container_toolkit_repo_url"),
    ("driver", "nvidia_driver", "nvidia_driver_repo_url"),
    ("cuda", "nvidia_driver", "nvidia_driver_repo_url"),
    ("docker", "docker_engine", "docker_engine_repo_url"),
)


def repositories(ctx: Context) -> list[Finding]:
    findings: list[Finding] = []
    listed = ctx.facts.views("network.repositories")
    if not listed:
        return [skip("no repositories were given to look at")]
    for repository in listed:
        name, url, status = repository.text("name"), repository.text("url"), repository.text("status")
        if status == "ok":
            continue
        known = [(role, var) for word, role, var in _REPOSITORY_VARIABLES if word in name.lower()]
        role, variable = known[0] if known else ("mirrors", "mirrors_apt_url")
        code = repository.integer_or_none("http_status")
        error = repository.text_or_none("error") or (f"HTTP status {code}" if code else status)
        wish = {variable: "https://REACHABLE-MIRROR/PATH"}
        remedy = ctx.run.play(role, f"Set {variable} to a repository that this host can reach.", **wish)
        message = f"repository {name} cannot be reached: {url}: {error}"
        findings.append(fail(message, remedy, entity=name, observed=error))
    return findings or [ok(f"all {len(listed)} repositories answer: {names([item.text('name') for item in listed])}")]


def apt_sources(ctx: Context) -> list[Finding]:
    if ctx.facts.text("packages.manager") != "apt":
        return [skip("not an apt system")]
    keys: dict[tuple[str, str], dict[str, str]] = {}
    for source in ctx.facts.views("packages.sources"):
        if not source.flag("enabled"):
            continue
        signed_by = "" if source.is_null("signed_by") else source.text("signed_by")
        for uri in source.strings("uris"):
            for suite in source.strings("suites"):
                keys.setdefault((uri.rstrip("/"), suite), {})[signed_by] = source.text("file")
    clashes = {uri: files for (uri, _suite), files in keys.items() if len(files) > 1}
    return [
        fail(
            f"conflicting Signed-By for {uri} in {', '.join(sorted(set(files.values())))}: apt refuses to update",
            ctx.by_hand("Keep one of the entries and remove the others."),
            entity=uri,
        )
        for uri, files in clashes.items()
    ] or [ok("no apt source contradicts another")]
