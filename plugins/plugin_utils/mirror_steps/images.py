# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the archives of other distributions than the host's: an image that is built there may be of another one.

Nothing is measured for them: the user's own address counts, else the site that the host's own archive has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.choice import ARCHIVES, Choice, Chooser
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.wishes import CUSTOM, SITE

_DISTRIBUTIONS = {"ubuntu": "ubuntu", "ubuntu-ports": "ubuntu", "debian": "debian"}


def addresses(chooser: Chooser, choices: Sequence[Choice]) -> dict[str, str]:
    """By service, for those archives that the host does not use itself."""
    if chooser.wishes.state != "present":
        return {}
    chosen = {one.service: one for one in choices if one.service in ARCHIVES and one.urls}
    site = next((one.site for one in chosen.values()), "")
    if not site and chooser.wishes.site.kind == SITE and any(map(chooser.switched, ARCHIVES)):
        site = chooser.wishes.site.site
    found = {}
    for name in ARCHIVES:
        url = "" if name in chosen else _own(chooser, name) or _of_site(chooser, name, site)
        if url:
            found[name] = url
    return found


def _own(chooser: Chooser, name: str) -> str:
    said = chooser.wishes.sites.get(name)
    return said.urls[0] if said is not None and said.kind == CUSTOM and said.urls else ""


def _of_site(chooser: Chooser, name: str, site: str) -> str:
    # the image's release is not known: an entry for certain releases only is none
    there = dataclasses.replace(chooser.machine, id=_DISTRIBUTIONS[name], family="debian", codename="", version="")
    desk = dataclasses.replace(chooser.desk, machine=there)
    offers = desk.offers(name, [site.removesuffix("-intranet")]) if site and site != CUSTOM else []
    return next((offer.url for offer in offers if not offer.unconfirmed), "")
