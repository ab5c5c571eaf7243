# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: the CUDA of its image and the libcuda it loads, held against the driver of the host."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.running import (
    BY_COMPAT,
    BY_LIBRARY,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    without_gpu,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
    version_at_least,
    version_key,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import (
    max_cuda_for_driver,
    min_driver_for_cuda,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say


def cuinit_code(target: Target) -> int | None:
    """The result of cuInit inside; None where it was not tried."""
    return None if target.inside.is_null("cuinit") else target.inside.integer_or_none("cuinit.rc")


def cuda_of_image(target: Target) -> str | None:
    """The newest CUDA that the image says it needs: its version, or the first choice of NVIDIA_REQUIRE_CUDA."""
    inside = target.inside
    said = [] if inside.is_null("cuda_image.version") else [inside.text("cuda_image.version")]
    if not inside.is_null("cuda_image.require"):
        said += re.findall(r"^cuda>=(\d+\.\d+)", inside.text("cuda_image.require").strip())
    return max(said, key=version_key, default=None)


def driver_of(ctx: Context, target: Target) -> str:
    """The loaded kernel module: /proc shows it inside, too; there is one for the host and all its containers."""
    inside = target.inside
    if inside.is_null("driver_version"):
        return ctx.facts.text("driver.module.version")
    return inside.text("driver_version")


def uses_compat(target: Target) -> bool:
    """The image's own, newer libcuda is in use and starts (package cuda-compat; only on some boards)."""
    return target.inside.is_true("libcuda.compat") and cuinit_code(target) == 0


def _other_image(ctx: Context, target: Target, driver: str) -> Remedy:
    """Whichever is easier: an image for this driver, or a driver for this image."""
    most = max_cuda_for_driver(driver) or "?"
    text = say("Build on an image of CUDA {cuda} or older (dev_base_image), or update the driver.", cuda=most)
    own = say("Choose an image of CUDA {cuda} or older: the driver here is {driver}.", cuda=most, driver=driver)
    return target.remedy(ctx.run.play("dev_container", text, "change_image"), ctx.by_hand(own, "change_image"))


def image_fits_driver(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _image_fits(ctx, target))


def _image_fits(ctx: Context, target: Target) -> Finding:
    inside, name = target.inside, target.name
    nothing = without_gpu(ctx, target)
    if nothing is not None:
        return nothing
    if cuinit_code(target) == BY_COMPAT:
        driver = driver_of(ctx, target)
        message = say("{name} loads compatibility libraries that its GPU does not allow (cuInit 804)", name=name)
        seen = inside.show("cuinit.rc", "libcuda.path", "cuda_image.version", "driver_version")
        return fail(message, _other_image(ctx, target, driver), entity=target.entity, observed=BY_COMPAT, evidence=seen)
    cuda = cuda_of_image(target)
    if cuda is None:
        return skip(say("the image of {name} brings no CUDA", name=name), entity=target.entity)
    driver, floor = driver_of(ctx, target), min_driver_for_cuda(cuda)
    seen = inside.show("cuda_image.version", "cuda_image.require", "driver_version")
    details = {"entity": target.entity, "observed": driver, "expected": floor, "evidence": seen}
    if floor is None:
        return unknown(say("no driver is known for CUDA {cuda} ({name})", cuda=cuda, name=name), entity=target.entity)
    values = {"name": name, "cuda": cuda, "driver": driver}
    if not version_at_least(driver, floor):
        if uses_compat(target):
            return ok(say("{name} runs CUDA {cuda} on driver {driver} by compatibility libraries", **values), **details)
        message = say(
            "the image of {name} has CUDA {cuda}, which needs driver {floor}; the host has {driver}",
            floor=floor,
            **values,
        )
        return fail(message, _other_image(ctx, target, driver), **details)
    # 12.4.1 needs nothing that 12.4 does not have
    most, minor = max_cuda_for_driver(driver), ".".join(cuda.split(".")[:2])
    if most is not None and not version_at_least(most, minor) and not uses_compat(target):
        message = say(
            "the image of {name} has CUDA {cuda}, driver {driver} brings {most}: code made at run time (PTX) fails",
            most=most,
            **values,
        )
        return warn(message, _other_image(ctx, target, driver), severity=Severity.MINOR, **details)
    return ok(say("CUDA {cuda} of {name} runs on driver {driver}", **values), **details)


def libcuda(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _libcuda(ctx, target))


def _libcuda(ctx: Context, target: Target) -> Finding:
    inside, name, entity = target.inside, target.name, target.entity
    nothing = without_gpu(ctx, target)
    if nothing is not None:
        return nothing
    if ctx.facts.is_true("simulated.gpu"):
        return skip(say("a simulated driver has no libraries"), entity=entity)
    if inside.view("libcuda").is_null("path"):
        return skip(say("there is no libcuda in {name}", name=name), entity=entity, caused_by="DEV-CAPS")
    code = cuinit_code(target)
    if code == BY_COMPAT:
        reason = say("{name} loads compatibility libraries", name=name)
        return skip(reason, entity=entity, caused_by="DEV-CUDA-DRIVER")
    library = inside.view("libcuda")
    path = library.text("path")
    text = say(
        "Take what shadows the driver's library out of the image: LD_LIBRARY_PATH, ld.so.conf, a copy of libcuda."
    )
    remedy = target.remedy(ctx.run.play("dev_container", text, "change_image"), ctx.by_hand(text, "change_image"))
    seen = (*library.show("path", "version", "stub", "compat", "copies"), *inside.show("driver_version", "cuinit.rc"))
    details = {"entity": entity, "evidence": seen}
    if library.flag("stub") or code == BY_LIBRARY[0]:
        message = say("{name} loads a stub of libcuda ({path}): CUDA does not start", name=name, path=path)
        return fail(message, remedy, observed=path, **details)
    if library.flag("compat") and code == 0:
        return ok(say("{name} loads compatibility libraries, and CUDA starts", name=name), **details)
    if library.is_null("version") and code == 0:
        # WSL's has no version in its name
        return ok(say("{name} loads {path}, and CUDA starts", name=name, path=path), **details)
    return _against_the_driver(ctx, target, remedy, details)


def _against_the_driver(ctx: Context, target: Target, remedy: Remedy, details: dict[str, Any]) -> Finding:
    name, library, code = target.name, target.inside.view("libcuda"), cuinit_code(target)
    path = library.text("path")
    version, driver = library.text("version"), driver_of(ctx, target)
    if version != driver or code == BY_LIBRARY[1]:
        message = say(
            "{name} loads libcuda {version} from {path}, the driver is {driver}",
            name=name,
            version=version,
            path=path,
            driver=driver,
        )
        return fail(message, remedy, observed=version, expected=driver, **details)
    others = _other_copies(path, library.strings("copies"))
    if others:
        message = say(
            "{name} has more than one libcuda: {path}, {others}", name=name, path=path, others=names(others, 3)
        )
        return fail(message, remedy, observed=others, severity=Severity.MINOR, **details)
    return ok(say("{name} loads the driver's libcuda ({version})", name=name, version=version), **details)


def _other_copies(path: str, copies: list[str]) -> list[str]:
    """Copies that could be loaded in its place; not links in the same tree, 32-bit, stubs, compat and WSL's own."""

    def place(name: str) -> str:
        folder = str(PurePosixPath(name).parent)
        return folder if folder.startswith("/usr/") else f"/usr{folder}"

    return sorted(
        {
            copy
            for copy in copies
            if place(copy) != place(path) and not re.search(r"/(stubs|compat|wsl|i386-linux-gnu|lib32)(/|$)", copy)
        }
    )
