# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: where packages come from."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


def apt_sources(ctx: Context) -> list[Finding]:
    if ctx.facts.text("packages.manager") != "apt":
        return [skip(say("not an apt system"))]
    sources = [source for source in ctx.facts.views("packages.sources") if source.flag("enabled")]
    findings = [*_clashes(ctx, sources), *_two_drivers(ctx, sources)]
    trusted = ctx.facts.strings("packages.trusted_sources")
    if trusted:
        remedy = ctx.by_hand(say("Take trusted=yes out and give the source its key (Signed-By)."))
        message = say("packages of these sources are taken without a signature: {trusted}", trusted=trusted)
        findings.append(warn(message, remedy, observed=trusted, evidence=ctx.facts.show("packages.trusted_sources")))
    return findings or [ok(say("no apt source contradicts another"))]


def _clashes(ctx: Context, sources: list[View]) -> list[Finding]:
    """apt refuses to update where one archive is named with two keys."""
    keys: dict[tuple[str, str], dict[str, View]] = {}
    for source in sources:
        signed_by = "" if source.is_null("signed_by") else source.text("signed_by")
        for uri in source.strings("uris"):
            for suite in source.strings("suites"):
                keys.setdefault((uri.rstrip("/"), suite), {})[signed_by] = source
    findings = []
    for uri, found in {uri: found for (uri, _suite), found in keys.items() if len(found) > 1}.items():
        files = sorted({source.text("file") for source in found.values()})
        message = say("conflicting Signed-By for {uri} in {files}: apt refuses to update", uri=uri, files=files)
        remedy = ctx.by_hand(say("Keep one of the entries and remove the others."))
        evidence = tuple(item for source in found.values() for item in source.show("file", "signed_by"))
        findings.append(fail(message, remedy, entity=uri, evidence=evidence))
    return findings


def _two_drivers(ctx: Context, sources: list[View]) -> list[Finding]:
    """The graphics-drivers PPA and NVIDIA's CUDA repository cut the driver into packages differently."""
    marks = ("graphics-drivers/ppa", "/cuda/repos/")
    found = [next((s for s in sources if any(mark in uri for uri in s.strings("uris"))), None) for mark in marks]
    if any(source is None for source in found):
        return []
    files = [source.text("file") for source in found if source is not None]
    message = say("the driver comes from two repositories whose packages do not fit together: {files}", files=files)
    remedy = ctx.by_hand(say("Remove the entry of the graphics-drivers PPA, or that of the CUDA repository."))
    evidence = tuple(item for source in found if source is not None for item in source.show("file", "uris"))
    return [fail(message, remedy, observed=files, evidence=evidence)]
