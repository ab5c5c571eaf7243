# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version ladder: kernel, driver, libraries, container and torch, each rung held against the one below it.

The ladder only shows: the verdict is the checks' work. What the snapshot does not tell is `unknown`, never `ok`; what
a kind of machine does not have (the kernel of a container, a fabric manager without NVSwitch) has no rung.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tiers import NVIDIA, found_gpus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

OK = "ok"
MISMATCH = "mismatch"
MISSING = "missing"
UNKNOWN = "unknown"
STATUSES = (OK, MISMATCH, MISSING, UNKNOWN)

CDI_KIND = "nvidia.com/gpu"
SMI_MISMATCH = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH


@dataclass(frozen=True)
class Rung:
    id: str
    label: Text
    value: str | None
    status: str
    note: Text | None = None
    entity: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "label": render(self.label, "en"),
            "label_zh": render(self.label, "zh"),
            "value": self.value,
            "status": self.status,
            "note": None if self.note is None else render(self.note, "en"),
            "note_zh": None if self.note is None else render(self.note, "zh"),
            "entity": self.entity,
        }


@dataclass(frozen=True)
class Machine:
    """What several rungs are held against. `driver`: the version that runs, None where it is not known."""

    facts: View
    driver: str | None
    container: bool
    wsl: bool
    has_gpus: bool | None

    def is_a(self, need: str) -> bool:
        """The kernel and the driver on disk are a host's; WSL2 runs on the driver of Windows."""
        return {"gpu": self.has_gpus is not False, "host": not self.container, "linux": not self.wsl}[need]

    def held(self, rung: Make, value: str, entity: str | None = None) -> Rung:
        """A rung that must have the version of the running driver."""
        if self.driver is None:
            return rung(value, UNKNOWN, say("the version of the running driver is not known"), entity)
        if _same(value, self.driver):
            return rung(value, OK, None, entity)
        return rung(value, MISMATCH, say("the running driver is {driver}", driver=self.driver), entity)


# makes a rung of one kind from its value, status, note and entity
Make = Callable[..., Rung]
Builder = Callable[[Machine, Make], list[Rung]]


def ladder(facts: View) -> list[dict[str, Any]]:
    """The rungs from the kernel up, as the report holds them. Never raises, whatever the snapshot lacks."""
    machine = _machine(facts)
    rungs: list[Rung] = []
    for rung_id, label, needs, builder in _RUNGS:
        if not all(machine.is_a(need) for need in needs):
            continue
        try:
            rungs += builder(machine, partial(Rung, rung_id, label))
        except UnmeasuredError as error:
            rungs.append(Rung(rung_id, label, None, UNKNOWN, say("the snapshot does not hold {path}", path=error.path)))
    return [rung.as_dict() for rung in rungs]


def _machine(facts: View) -> Machine:
    loaded = facts.is_true("driver.module.loaded")
    driver = facts.text_or_none("driver.module.version") if loaded else None
    wsl = facts.is_true("virt.wsl")
    if wsl and driver is None:
        # the kernel half of the driver is Windows'; nvidia-smi says its version
        driver = facts.text_or_none("driver.smi.driver_version")
    try:
        has_gpus: bool | None = loaded or bool(found_gpus(facts))
    except UnmeasuredError:
        has_gpus = None
    return Machine(facts, driver, facts.text_or_none("scope") == "container", wsl, has_gpus)


# --- kernel and driver


def _kernel(machine: Machine, rung: Make) -> list[Rung]:
    running = machine.facts.text("kernel.running")
    newest = machine.facts.text_or_none("kernel.newest")
    if newest is None:
        return [rung(running, UNKNOWN, say("the newest installed kernel is not known"))]
    if newest == running:
        return [rung(running, OK)]
    note = say("{newest} is installed and starts at the next reboot", newest=newest)
    return [rung(running, MISMATCH, note)]


def _module(machine: Machine, rung: Make) -> list[Rung]:
    if not machine.facts.flag("driver.module.loaded"):
        return [rung(None, MISSING, say("the module nvidia is not loaded"))]
    version = machine.facts.text("driver.module.version")
    flavour = machine.facts.text("driver.module.flavour")
    branch = tables.branch_of(version)
    boards = [tables.gpu(gpu.text_or_none("device")) for gpu in _bus(machine.facts)]
    value = f"{version} ({flavour})"
    if branch is None or not boards or None in boards:
        note = say("whether it fits the GPUs is not known: the table does not hold all of them")
        return [rung(value, UNKNOWN, note)]
    for board in boards:
        wrong = _misfit(board, branch, flavour) if board else None
        if wrong is not None:
            return [rung(value, MISMATCH, wrong)]
    return [rung(value, OK)]


def _misfit(board: tables.Gpu, branch: int, flavour: str) -> Text | None:
    """Why a driver does not fit a board."""
    if branch < board.first_branch:
        return say("{gpu} needs a driver from branch {branch} on", gpu=board.name, branch=board.first_branch)
    if board.last_branch is not None and branch > board.last_branch:
        return say("branch {branch} is the last one for {gpu}", gpu=board.name, branch=board.last_branch)
    if board.modules not in ("either", flavour):
        if board.modules == "open":
            return say("{gpu} needs the open kernel modules", gpu=board.name)
        return say("{gpu} needs the proprietary kernel modules", gpu=board.name)
    return None


def _on_disk(machine: Machine, rung: Make) -> list[Rung]:
    """The module that the running kernel would load, and that of the newest kernel where it is another one."""
    facts = machine.facts
    running, newest = facts.text("kernel.running"), facts.text_or_none("kernel.newest")
    rungs = []
    for release in dict.fromkeys([running, newest]):
        if release is None:
            continue
        kernel = [item for item in facts.views("kernel.installed") if item.text_or_none("release") == release]
        if not kernel:
            note = say("the modules of kernel {kernel} are not known", kernel=release)
            rungs.append(rung(None, UNKNOWN, note, release))
        elif kernel[0].is_null("nvidia"):
            note = say("kernel {kernel} has no module nvidia", kernel=release)
            rungs.append(rung(None, MISSING, note, release))
        else:
            rungs.append(machine.held(rung, kernel[0].text("nvidia.version"), release))
    return rungs


def _library(name: str) -> Builder:
    def build(machine: Machine, rung: Make) -> list[Rung]:
        path = f"driver.libraries.{name}"
        if machine.facts.is_null(path):
            return [rung(None, MISSING, say("the library was not found"))]
        return [machine.held(rung, machine.facts.text(path))]

    return build


def _smi(machine: Machine, rung: Make) -> list[Rung]:
    facts = machine.facts
    if not facts.flag("driver.smi.present"):
        return [rung(None, MISSING, say("nvidia-smi was not found"))]
    code = facts.integer("driver.smi.rc")
    if code == SMI_MISMATCH:
        return [rung(None, MISMATCH, say("the kernel module and the library differ in version"))]
    if code != 0:
        return [rung(None, UNKNOWN, say("nvidia-smi ended with code {code}", code=code))]
    return [machine.held(rung, facts.text("driver.smi.driver_version"))]


def _fabric_manager(machine: Machine, rung: Make) -> list[Rung]:
    """Only where there are NVSwitches: they do nothing until the manager of the same version has set them up."""
    if not machine.facts.views("pci.nvswitches"):
        return []
    installed = machine.facts.mapping("packages.installed")
    found = [name for name in installed if "fabricmanager" in str(name) and "dev" not in str(name)]
    if not found:
        note = say("the NVSwitches of this machine need the fabric manager of the driver's version")
        return [rung(None, MISSING, note)]
    return [machine.held(rung, str(installed[name])) for name in found[:1]]


def _gsp(machine: Machine, rung: Make) -> list[Rung]:
    """Only where the driver reports it: the proprietary modules run many GPUs without this firmware."""
    by_version: dict[str, list[str]] = {}
    for gpu in machine.facts.views("gpus"):
        if not gpu.is_null("gsp_firmware"):
            where = f"GPU {gpu.integer('index')}" if gpu.is_null("bdf") else gpu.text("bdf")
            by_version.setdefault(gpu.text("gsp_firmware"), []).append(where)
    entities = {version: ", ".join(gpus) if len(by_version) > 1 else None for version, gpus in by_version.items()}
    return [machine.held(rung, version, entity) for version, entity in entities.items()]


# --- containers


def _toolkit(machine: Machine, rung: Make) -> list[Rung]:
    if not machine.facts.flag("toolkit.present"):
        return [rung(None, MISSING, say("the NVIDIA Container Toolkit is not installed"))]
    version = machine.facts.text("toolkit.version")
    if not _is_version(version):
        return [rung(version, UNKNOWN)]
    holes = tables.toolkit_holes(version)
    if holes:
        return [rung(version, MISMATCH, say("open holes: {cves}", cves=names(holes)))]
    return [rung(version, OK)]


def _cdi(machine: Machine, rung: Make) -> list[Rung]:
    specs = [spec for spec in machine.facts.views("cdi.specs") if spec.text("kind") == CDI_KIND]
    if not specs:
        return [rung(None, MISSING, say("no CDI file describes the GPUs"))]
    rungs = []
    for spec in specs:
        path, version = spec.text("path"), spec.text_or_none("driver_version")
        if version is None:
            note = say("the file does not name the driver that it was made for")
            rungs.append(rung(None, UNKNOWN, note, path))
        else:
            rungs.append(machine.held(rung, version, path))
    return rungs


# --- inside the dev containers, or here


def _places(facts: View) -> list[View]:
    """The dev containers that were looked into, and this machine where the work is done here."""
    places = facts.views("dev.containers")
    return [*places, facts.view("dev.here")] if not facts.is_null("dev.here") else places


def _image(machine: Machine, rung: Make) -> list[Rung]:
    rungs = []
    for place in _places(machine.facts):
        # no CUDA in the image is in order: the wheels bring their own
        if place.is_null("cuda_image") or place.is_null("cuda_image.version"):
            continue
        rungs.append(_cuda_rung(machine, rung, place, place.text("cuda_image.version")))
    return rungs


def _cuda_rung(machine: Machine, rung: Make, place: View, cuda: str) -> Rung:
    """A CUDA version held against the driver, by the compatibility within a major version."""
    entity, floor = place.text("name"), tables.min_driver_for_cuda(cuda)
    driver = machine.driver if place.is_null("driver_version") else place.text("driver_version")
    if driver is None:
        return rung(cuda, UNKNOWN, say("the version of the running driver is not known"), entity)
    if floor is None or not _is_version(driver):
        return rung(cuda, UNKNOWN, say("which driver it needs is not known"), entity)
    if version_at_least(driver, floor):
        return rung(cuda, OK, None, entity)
    if place.is_true("libcuda.compat"):
        note = say(
            "the running driver is {driver}; the image brings a newer libcuda, for data-centre GPUs", driver=driver
        )
        return rung(cuda, UNKNOWN, note, entity)
    note = say("needs driver {floor} or newer, the running one is {driver}", floor=floor, driver=driver)
    return rung(cuda, MISMATCH, note, entity)


def _torches(facts: View) -> list[tuple[View, View, str]]:
    """(where, what torch, name of the environment) for each torch that was found."""
    found = []
    for place in _places(facts):
        name = place.text("name")
        envs = [env for env in place.views("envs") if not env.is_null("torch")]
        found += [(place, env.view("torch"), f"{name}: {env.text('path')}") for env in envs]
        if not envs and not place.is_null("torch"):
            found.append((place, place.view("torch"), name))
    return found


def _torch(machine: Machine, rung: Make) -> list[Rung]:
    rungs = []
    for place, torch, entity in _torches(machine.facts):
        version = torch.text("version")
        if torch.is_null("cuda"):
            note = say("built without CUDA")
            status = {True: MISMATCH, False: OK, None: UNKNOWN}[machine.has_gpus]
            rungs.append(rung(version, status, note, entity))
            continue
        cuda = torch.text("cuda")
        held = _cuda_rung(machine, rung, place, cuda)
        status = UNKNOWN if machine.has_gpus is None and held.status == OK else held.status
        rungs.append(rung(f"{version} (CUDA {cuda})", status, held.note, entity))
    return rungs


def _archs(machine: Machine, rung: Make) -> list[Rung]:
    """The machine code in torch against the compute capability of each GPU."""
    rungs = []
    for place, torch, entity in _torches(machine.facts):
        if torch.is_null("cuda"):
            continue
        archs = _targets(torch)
        if archs is None:
            note = say("which GPUs this build of torch serves is not known")
            rungs.append(rung(None, UNKNOWN, note, entity))
            continue
        value = " ".join(archs)
        capabilities = _capabilities(machine.facts, place)
        left_out = [cc for cc in capabilities if not any(tables.arch_covers(arch, cc) for arch in archs)]
        if left_out:
            note = say("holds no code for sm_{sm}", sm=", sm_".join(cc.replace(".", "") for cc in left_out))
            rungs.append(rung(value, MISMATCH, note, entity))
        else:
            rungs.append(rung(value, OK, None, entity))
    return rungs


def _targets(torch: View) -> list[str] | None:
    """What the build says of itself, or what the official wheel of that version holds."""
    if torch.is_null("archs"):
        official = tables.torch_archs(torch.text("version"), torch.text("cuda"))
        return None if official is None else list(official)
    return torch.strings("archs") or None


def _capabilities(facts: View, place: View) -> list[str]:
    """Compute capabilities of the GPUs, each once: as CUDA says them in that place, on the host, or by PCI id."""
    for view, path in ((place, "cuinit.devices"), (facts, "cuda.devices")):
        try:
            seen = [device.text("compute_capability") for device in view.views(path)]
        except UnmeasuredError:
            continue
        if seen and all(_is_version(cc) for cc in seen):
            return sorted(set(seen))
    boards = [tables.gpu(gpu.text("device")) for gpu in _bus(facts)]
    known = sorted({board.compute_capability for board in boards if board is not None})
    if not known or None in boards:
        raise UnmeasuredError("cuda.devices")
    return known


def _bus(facts: View) -> list[View]:
    return [gpu for gpu in facts.views("pci.gpus") if gpu.text("vendor") == NVIDIA]


def _same(one: str, other: str) -> bool:
    """'580.159.03-1ubuntu1' and '580.159.03' are one version; '580.159' and '580.159.03' are not."""
    return _is_version(one) and _is_version(other) and version_key(one) == version_key(other)


def _is_version(value: str) -> bool:
    try:
        return bool(version_key(value))
    except ValueError:
        return False


# (id, label, what the machine must be to have it, what makes the rungs), from the ground up
_RUNGS: tuple[tuple[str, Text, tuple[str, ...], Builder], ...] = (
    ("kernel", say("Kernel"), ("host",), _kernel),
    ("module", say("Kernel module, loaded"), ("gpu", "linux"), _module),
    ("module_disk", say("Kernel module, on disk"), ("gpu", "host", "linux"), _on_disk),
    ("nvidia_ml", say("libnvidia-ml"), ("gpu", "linux"), _library("nvidia_ml")),
    ("cuda", say("libcuda"), ("gpu", "linux"), _library("cuda")),
    ("smi", say("nvidia-smi"), ("gpu",), _smi),
    ("fabric_manager", say("Fabric manager"), ("gpu", "host"), _fabric_manager),
    ("gsp", say("GSP firmware"), ("gpu",), _gsp),
    ("toolkit", say("Container toolkit"), ("gpu", "host"), _toolkit),
    ("cdi", say("CDI file"), ("gpu", "host"), _cdi),
    ("image", say("CUDA of the image"), ("gpu",), _image),
    ("torch", say("torch"), (), _torch),
    ("torch_archs", say("GPU code in torch"), ("gpu",), _archs),
)
