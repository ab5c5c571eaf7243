# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: memory that is shared, limits, what is mounted, what survives, and where packages come from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import Target, each
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

UNLIMITED = -1
# program -> kind of endpoint that it talks to
INDEX_KINDS = {"pip": "pypi", "uv": "pypi"}


def shared_memory(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        name, size = target.name, target.inside.integer("shm_mib")
        needed = min(ctx.policy.dev_shm_min_mib, ctx.facts.integer("memory.total_mib") // 2)
        details = {"entity": target.entity, "observed": size, "expected": needed}
        if size >= needed:
            return ok(say("/dev/shm of {name} has {size} MiB", name=name, size=size), **details)
        text, own = (
            say("Give it more shared memory."),
            say("Ask for a larger /dev/shm; until then work with num_workers=0."),
        )
        remedy = target.remedy(
            ctx.run.play("dev_container", text, dev_shm_size=f"{needed}m"),
            ctx.by_hand(own, "contact_provider"),
        )
        message = say(
            "/dev/shm of {name} has {size} MiB of {needed}: DataLoader workers die with a bus error",
            name=name,
            size=size,
            needed=needed,
        )
        return fail(message, remedy, evidence=target.inside.show("shm_mib"), **details)

    return each(ctx, one)


def limits(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        if ctx.facts.is_true("simulated.host"):
            # its limits are those of the container that it is itself
            return skip(say("a simulated host cannot raise limits"), entity=target.entity)
        wanted = {
            "memlock_kib": UNLIMITED,
            "nofile": ctx.policy.dev_nofile_min,
            "stack_kib": ctx.policy.dev_stack_min_kib,
        }
        have = {key: target.inside.integer(f"ulimits.{key}") for key in wanted}
        low = [f"{key} {have[key]}" for key in wanted if not _enough(have[key], wanted[key])]
        details = {"entity": target.entity, "observed": have, "expected": wanted}
        if not low:
            return ok(say("the limits of {name} are wide enough", name=target.name), **details)
        asked = {"memlock": UNLIMITED, "nofile": wanted["nofile"], "stack": wanted["stack_kib"] * 1024}
        text = say("Raise the limits (dev_ulimits).")
        own = say("Raise them for your session (`ulimit -n`, as far as the hard limit goes), or ask for higher ones.")
        remedy = target.remedy(
            ctx.run.play("dev_container", text, dev_ulimits=asked), ctx.by_hand(own, "contact_provider")
        )
        message = say("limits of {name} are low: {limits}", name=target.name, limits=low)
        seen = target.inside.show("ulimits.memlock_kib", "ulimits.nofile", "ulimits.stack_kib")
        # rented machines have the defaults, and most work runs with them
        grade = Severity.INFO if target.engine is None else None
        return fail(message, remedy, severity=grade, evidence=seen, **details)

    return each(ctx, one)


def _enough(have: int, wanted: int) -> bool:
    return have == UNLIMITED or (wanted != UNLIMITED and have >= wanted)


def processors(ctx: Context) -> list[Finding]:
    """nproc counts what the machine has; numpy and torch start that many threads, which then share a few CPUs."""

    def one(target: Target) -> Finding:
        inside, name = target.inside, target.name
        if inside.is_null("cgroup") or inside.is_null("cgroup.cpus"):
            return skip(say("{name} has no CPU limit", name=name), entity=target.entity)
        cpus, seen = inside.number("cgroup.cpus"), inside.integer("cgroup.nproc")
        details = {"entity": target.entity, "observed": seen, "expected": cpus}
        if cpus >= seen:
            return ok(say("{name} may use all CPUs that it counts ({number})", name=name, number=seen), **details)
        threads = max(1, int(cpus))
        text = say("Set OMP_NUM_THREADS={number} there.", number=threads)
        remedy = target.remedy(
            ctx.run.play("dev_container", text, dev_env={"OMP_NUM_THREADS": str(threads)}), ctx.by_hand(text)
        )
        message = say(
            "{name} may use {cpus} CPUs and counts {seen}: too many threads", name=name, cpus=f"{cpus:g}", seen=seen
        )
        return fail(message, remedy, evidence=inside.show("cgroup.cpus", "cgroup.nproc"), **details)

    return each(ctx, one)


def mounts(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding | list[Finding]:
        if target.inside.is_null("mounts") or not target.inside.views("mounts"):
            return skip(say("nothing is mounted in {name}", name=target.name), entity=target.entity)
        return [_mount(ctx, target, mount) for mount in target.inside.views("mounts")]

    return each(ctx, one)


def _mount(ctx: Context, target: Target, mount: View) -> Finding:
    path, name = mount.text("path"), target.name
    details: dict[str, Any] = {
        "entity": path,
        "evidence": mount.show("path", "source", "type", "rw", "writable", "free_mib", "error"),
    }
    if not mount.is_null("error"):
        text = say("See whether its server answers; a hung NFS mount is freed by `umount -f -l` on the host.")
        message = say("{path} in {name} does not answer: {error}", path=path, name=name, error=mount.text("error"))
        return fail(message, ctx.by_hand(text), **details)
    if not mount.flag("rw"):
        if _meant_so(target, path):
            return skip(say("{path} in {name} is mounted read-only on purpose", path=path, name=name), entity=path)
        text = say("Mount it read-write; if it was, the kernel log says which error made it read-only.")
        # rented machines have shelves of data that are read-only for everyone
        grade = Severity.INFO if target.engine is None else None
        message = say("{path} in {name} is read-only", path=path, name=name)
        return fail(message, ctx.by_hand(text), severity=grade, **details)
    if not mount.flag("writable"):
        text = say("Give the directory to the container's user on the host (chown to dev_user_uid).")
        own = say("Give the directory to your user (chown), or work in another one.")
        message = say("{path} in {name} cannot be written by its user", path=path, name=name)
        return fail(message, target.remedy(ctx.by_hand(text), ctx.by_hand(own)), **details)
    free = mount.integer("free_mib")
    if free < ctx.policy.disk_floor_mib:
        text = say("Make room there: old checkpoints and caches (pip, conda, Hugging Face) first.")
        message = say("{path} in {name} has {free} MiB free", path=path, name=name, free=free)
        details.update(observed=free, expected=ctx.policy.disk_floor_mib)
        return fail(message, ctx.by_hand(text, "free_space"), **details)
    return ok(say("{path} in {name} can be written, {free} MiB free", path=path, name=name, free=free), entity=path)


def _meant_so(target: Target, path: str) -> bool:
    """Docker was told to mount it read-only."""
    if target.engine is None:
        return False
    return any(
        item.text("destination") == path and not item.is_null("rw") and not item.flag("rw")
        for item in target.engine.views("mounts")
    )


def persistence(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        if target.inside.is_null("persistent"):
            return skip(say("not known what of {name} survives its removal", name=target.name), entity=target.entity)
        kept = target.inside.mapping("persistent")
        lost = sorted(path for path, stays in kept.items() if stays is not True)
        details = {"entity": target.entity, "observed": lost, "evidence": target.inside.show("persistent")}
        if lost:
            text = say("Keep work and caches in the home directory, which is a volume, or mount a directory there.")
            own = say("Keep work and caches on the data disk of the machine: the rest is gone when it is released.")
            message = say(
                "{paths} in {name} are part of the container: lost when it is made anew",
                paths=names(lost),
                name=target.name,
            )
            # a rented machine with a data disk: as it is meant
            grade = Severity.INFO if target.engine is None and len(lost) < len(kept) else None
            return fail(message, target.remedy(ctx.by_hand(text), ctx.by_hand(own)), severity=grade, **details)
        if not kept:
            return skip(say("nothing of {name} was looked at", name=target.name), entity=target.entity)
        return ok(
            say("{paths} in {name} survive its removal", paths=names(sorted(kept)), name=target.name),
            entity=target.entity,
        )

    return each(ctx, one)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def indexes(ctx: Context) -> list[Finding]:
    """The package indexes that are configured inside, held against the endpoints that were asked from the host."""

    def one(target: Target) -> Finding:
        name, inside = target.name, target.inside
        if inside.is_null("indexes"):
            return skip(say("no package index is configured in {name}", name=name), entity=target.entity)
        configured = {tool: str(url) for tool, url in inside.mapping("indexes").items() if url}
        if not configured:
            return skip(say("no package index is configured in {name}", name=name), entity=target.entity)
        asked = {(item.text("kind"), _host(item.text("url"))): item for item in ctx.facts.views("network.endpoints")}
        places = {tool: (INDEX_KINDS.get(tool, tool), _host(url)) for tool, url in configured.items()}
        known = {tool: asked[place] for tool, place in places.items() if place in asked}
        if not known:
            return skip(say("no endpoint of the indexes in {name} was asked for", name=name), entity=target.entity)
        silent = sorted(tool for tool, item in known.items() if item.text("status") != "ok")
        if silent:
            said = [say("{tool} ({host})", tool=tool, host=_host(configured[tool])) for tool in silent]
            evidence = tuple(entry for tool in silent for entry in known[tool].show("url", "status", "error"))
            by_role = ctx.run.play(
                "dev_container",
                say("Name an index that answers, in mirrors_pip_index_url and dev_env."),
            )
            own = ctx.by_hand(say("Point the tool to a mirror that answers."), "fix_network")
            message = say("package indexes of {name} do not answer: {indexes}", name=name, indexes=said)
            return fail(message, target.remedy(by_role, own), entity=target.entity, observed=silent, evidence=evidence)
        return ok(
            say("the package indexes of {name} answer: {tools}", name=name, tools=names(sorted(known))),
            entity=target.entity,
        )

    return each(ctx, one)


def locale(ctx: Context) -> list[Finding]:
    """Without UTF-8, Python and terminals stumble over Chinese file names and output."""

    def one(target: Target) -> Finding:
        name, inside = target.name, target.inside
        if inside.is_null("locale"):
            return unknown(say("the locale of {name} is not known", name=name), entity=target.entity)
        lang = "" if inside.is_null("locale.lang") else inside.text("locale.lang")
        seen = inside.show("locale.lang", "locale.tz")
        if "utf-8" in lang.lower() or "utf8" in lang.lower():
            return ok(say("{name} speaks UTF-8 ({lang})", name=name, lang=lang), entity=target.entity)
        text = say("Set LANG=C.UTF-8 there.")
        by_role = ctx.run.play("dev_container", text, dev_env={"LANG": "C.UTF-8"})
        message = say("the locale of {name} is no UTF-8 one", name=name)
        remedy = target.remedy(by_role, ctx.by_hand(text))
        return fail(message, remedy, entity=target.entity, observed=lang or None, expected="C.UTF-8", evidence=seen)

    return each(ctx, one)
