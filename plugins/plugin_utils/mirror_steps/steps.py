# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role mirrors does on a machine: the settings of all tools, what to measure, what is refused and said.

Pure: snapshot and inputs in, plain data out. There is no clock but the snapshot's own time. Nothing here raises on a
damaged snapshot, and no address comes out that is neither in the catalogue nor the user's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import candidates as offered
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import catalogue as catalogues
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import images, policy, proxy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import machine as machines
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import wishes as asked
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import Offer
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.choice import PENDING, Choice, Chooser
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.schema import CatalogueError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.settings import Settings
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say


def steps(snapshot: Any, inputs: Any, language: str = "en") -> dict[str, Any]:
    """inputs: those of the role, with or without its name in front; see the role's vars/main.yml."""
    wishes, machine = asked.read(inputs), machines.read(snapshot)
    problems: list[Text] = []
    table = catalogues.builtin()
    try:
        table = catalogues.merged(wishes.catalogue)
    except CatalogueError as error:
        problems.append(error.text)
    if not problems:
        problems += policy.refusals(wishes, table)
    if wishes.state != "present":
        problems = []
    if problems:
        wishes = asked.Wishes()
    chooser = Chooser(table, machine, wishes)
    choices = chooser.choose()
    refusal, warnings = _refusal(problems, language), _said(policy.warnings(wishes, chooser, choices), language)
    return {
        "todo": bool(refusal or warnings or chooser.measure),
        "refusal": refusal,
        "warnings": warnings,
        "measure": chooser.measure,
        "key": chooser.key,
        "candidates": chooser.candidates,
        "settings": Settings(wishes, chooser, choices, _no_proxy(wishes, chooser)).as_dict(),
        "choices": _shown(choices),
        "leaving": [] if problems or wishes.state != "present" else _leaving(chooser, choices),
        "addresses": {
            **images.addresses(chooser, choices),
            **{one.service: one.urls[0] for one in choices if one.urls},
        },
    }


def _refusal(problems: Iterable[Text], language: str) -> str:
    reasons = ("。" if language == "zh" else ". ").join(_said(problems, language))
    return str(render(say("{reasons}. Nothing was changed.", reasons=reasons), language)) if reasons else ""


def _said(texts: Iterable[Text], language: str) -> list[str]:
    return list(dict.fromkeys(str(render(text, language)) for text in texts))


def _leaving(chooser: Chooser, choices: Iterable[Choice]) -> list[str]:
    """Addresses that other roles go by now, and will not after this run: measured later, or chosen otherwise before.

    What such an address answers says nothing about the one that takes its place.
    """
    found = set()
    for choice in choices:
        entries = offered.entries(chooser.catalogue, choice.service, chooser.machine)
        official = (entries.get(catalogues.OFFICIAL) or {}).get("url")
        now = chooser.machine.addresses.get(choice.service) or official
        if isinstance(now, str) and (choice.why == PENDING or now != (choice.urls[0] if choice.urls else official)):
            found.add(now)
    return sorted(found)


def _shown(choices: Iterable[Choice]) -> dict[str, dict[str, Any]]:
    """What was chosen and why, for those services about which something was wished."""
    return {
        one.service: {"site": one.site, "urls": list(one.urls), "why": one.why, "wished": one.wished}
        for one in choices
        if one.wished
    }


def _no_proxy(wishes: asked.Wishes, chooser: Chooser) -> list[str]:
    if not any(wishes.proxy.values()):
        return []
    offers: list[Offer] = []
    for name, wish in chooser.wanted.items():
        if wish.kind == asked.AUTO:
            offers += chooser.offers(name)
        elif wish.kind == asked.SITE:
            offers += chooser.desk.offers(name, [wish.site], ("alive", "campus"))
    always: Mapping[str, Any] = chooser.catalogue
    own = [url for _where, url in wishes.addresses()]
    mirrors = [] if wishes.mirrors_by_proxy else offers
    return proxy.no_proxy(always["never_by_proxy"], mirrors, own, wishes.no_proxy)
