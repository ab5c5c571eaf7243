# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heat, power and clocks."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    each,
    integer_if_any,
    label,
    minutes_up,
    no_gpu,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

_BY_DRIVER = "sw_thermal_slowdown"
# reasons for a lower clock that are faults; the others are the GPU's normal work (idle, power cap, settings)
_FAULTS: dict[str, Text] = {
    "hw_thermal_slowdown": say("heat (hardware)"),
    _BY_DRIVER: say("heat (driver)"),
    "hw_power_brake_slowdown": say("the power supply (power brake)"),
}


@after_module
def power(ctx: Context) -> list[Finding]:
    gpus = usable(ctx)
    known = [gpu for gpu in gpus if not (gpu.is_null("power_limit_w") or gpu.is_null("power_default_w"))]
    if not known:
        return [skip(say("these GPUs report no power limit"))] if gpus else [no_gpu()]
    return each(known, lambda gpu: _power(ctx, gpu), say("no power limit is lowered"))


def _power(ctx: Context, gpu: View) -> list[Finding]:
    limit, default = gpu.number("power_limit_w"), gpu.number("power_default_w")
    # the firmware of a laptop shares its power between processor and GPU, from moment to moment
    laptop = "laptop" in (gpu.text_or_none("name") or "").lower()
    if laptop or limit * 100 >= default * ctx.policy.power_limit_min_percent:
        return []
    text = say("Set the limit back, or lower power_limit_min_percent in the policy if it is meant.")
    remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -pl {default:.0f}", text)
    message = say(
        "power limit {limit} W, the board's own is {default} W", limit=f"{limit:.0f}", default=f"{default:.0f}"
    )
    details = {"observed": limit, "expected": default, "evidence": gpu.show("power_limit_w", "power_default_w")}
    return [fail(message, remedy, entity=label(gpu), **details)]


@after_module
def thermal(ctx: Context) -> list[Finding]:
    return each(usable(ctx), lambda gpu: _thermal(ctx, gpu), say("no GPU is slowed by heat or its power supply"))


def _thermal(ctx: Context, gpu: View) -> list[Finding]:
    active = gpu.strings("throttle.active")
    reasons = [text for name, text in _FAULTS.items() if name in active]
    shown = gpu.show("throttle.active", "temperature_c", "temperature_slowdown_c", "temperature_margin_c")
    details = {"entity": label(gpu), "evidence": shown}
    temperature = integer_if_any(gpu, "temperature_c") if not gpu.is_null("temperature_c") else None
    if reasons:
        text = say("Look at fans, air flow, dust and the power supply; then ask the vendor.")
        at = temperature if temperature is not None else say("unknown")
        message = say("slowed down by {reasons} at {temperature} °C", reasons=reasons, temperature=at)
        # a GeForce under load holds its target temperature that way: worth a word
        grade = Severity.MINOR if reasons == [_FAULTS[_BY_DRIVER]] else None
        return [fail(message, ctx.by_hand(text, "replace_hardware"), observed=active, severity=grade, **details)]
    if not _hot(ctx, gpu):
        return []
    text = say("Look at fans, air flow and dust before the GPU slows down.")
    message = say("{temperature} °C: close to where the GPU slows down", temperature=temperature)
    return [fail(message, ctx.by_hand(text, "replace_hardware"), observed=temperature, **details)]


def _hot(ctx: Context, gpu: View) -> bool:
    """Boards report either a threshold (Ampere, GeForce) or the margin that is left (Hopper, L40S, B200)."""
    near = ctx.policy.thermal_margin_c
    if not gpu.is_null("temperature_margin_c"):
        # 0 and below was seen on cool H100: not a reading (leptonai/gpud)
        return 0 < gpu.number("temperature_margin_c") <= near
    if gpu.is_null("temperature_slowdown_c") or gpu.is_null("temperature_c"):
        return False
    return gpu.number("temperature_c") >= gpu.number("temperature_slowdown_c") - near


@after_module
def throttle_history(ctx: Context) -> list[Finding]:
    """Time that faults took since the driver was loaded. The power cap is how a GPU works at full load: not counted."""
    minutes = minutes_up(ctx)
    gpus = [gpu for gpu in usable(ctx) if gpu.mapping("throttle.counters_us")]
    if minutes is None or not gpus:
        return [skip(say("this driver does not count slowdowns, or the time of boot is not known"))]
    return each(gpus, lambda gpu: _history(ctx, gpu, minutes), say("hardly any slowdown since boot"))


def _history(ctx: Context, gpu: View, minutes: float) -> list[Finding]:
    counters = {name: value for name, value in gpu.mapping("throttle.counters_us").items() if "power_cap" not in name}
    total = sum(value for value in counters.values() if isinstance(value, int))
    percent = total / 1e6 / 60 / minutes * 100
    if percent < ctx.policy.throttle_percent_max:
        return []
    remedy = ctx.by_hand(say("Look at fans, air flow, dust and the power supply."))
    message = say("slowed down by heat or power for {percent} % of the time since boot", percent=f"{percent:.1f}")
    details = {"observed": round(percent, 1), "expected": ctx.policy.throttle_percent_max}
    return [fail(message, remedy, entity=label(gpu), evidence=gpu.show("throttle.counters_us"), **details)]


@after_module
def clocks(ctx: Context) -> list[Finding]:
    """Application clocks that somebody set.

    Data centre boards come with some that lie far below the maximum (T4: 585 of 1590 MHz) and boost over them, so the
    maximum is no measure; equal boards of one host are, or what the policy says for a model.
    """
    gpus = [gpu for gpu in usable(ctx) if not gpu.is_null("clocks.application_sm_mhz")]
    if not gpus:
        return [skip(say("these GPUs have no application clocks"))]
    wanted = [(gpu, _wanted_clock(ctx, gpu, gpus)) for gpu in gpus]
    if all(want is None for _gpu, want in wanted):
        return [skip(say("there is no other GPU to compare the clocks with"))]
    judged = [gpu for gpu, want in wanted if want is not None]
    return each(judged, lambda gpu: _clocks(ctx, gpu, gpus), say("no application clock is lowered"))


def _wanted_clock(ctx: Context, gpu: View, gpus: list[View]) -> int | None:
    name = gpu.text("name")
    wish = next(
        (int(mhz) for model, mhz in ctx.policy.application_clock_mhz.items() if model.lower() in name.lower()), None
    )
    alike = [other.integer("clocks.application_sm_mhz") for other in gpus if other.text("name") == name]
    return wish if wish is not None else max(alike) if len(alike) > 1 else None


def _clocks(ctx: Context, gpu: View, gpus: list[View]) -> list[Finding]:
    have, want = gpu.integer("clocks.application_sm_mhz"), _wanted_clock(ctx, gpu, gpus)
    # 5 %: steps of the clock differ between boards
    if want is None or have * 100 >= want * 95:
        return []
    remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -rac", say("Set the application clocks back."))
    message = say("application clock {have} MHz in place of {want} MHz", have=have, want=want)
    details = {"observed": have, "expected": want, "evidence": gpu.show("clocks")}
    return [fail(message, remedy, entity=label(gpu), **details)]
