# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of inputs and tags that look like ours and are none, and the nearest right ones. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Set

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import SHARED_PREFIX

# tags that mean something to Ansible itself
SPECIAL_TAGS = ("all", "always", "never", "tagged", "untagged")


def nearest(wrong: object, known: Iterable[str]) -> str:
    """The question that ends a refusal; empty where nothing is near."""
    matches = difflib.get_close_matches(str(wrong), list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]}?" if matches else ""


def unknown_names(
    names: Iterable[str],
    options: Mapping[str, Iterable[str]],
    shared: Set[str],
    known: Set[str],
    of_playbooks: Mapping[str, Iterable[str]] | None = None,
) -> Iterable[tuple[str, str, str]]:
    """(name, role, why) for each name that looks like one of our inputs and is none.

    `options` by role name, `of_playbooks` by playbook.
    """
    of_playbooks = of_playbooks or {}
    known = known | {option for playbook in of_playbooks for option in of_playbooks[playbook]}
    inputs = {option for role in options for option in options[role]}
    by_length = sorted(options, key=len, reverse=True)  # docker_engine before docker
    for name in names:
        if name in inputs or name in shared or name in known:
            continue
        if name.startswith(SHARED_PREFIX):
            yield name, "", f"no role reads an input of this name{nearest(name, shared)}"
            continue
        role = next((role for role in by_length if name.startswith(f"{role}_")), None)
        if role:
            yield name, role, f"role {role} has no input of this name{nearest(name, options[role])}"
            continue
        playbook = next((one for one in of_playbooks if name.startswith(f"{one}_")), None)
        if playbook:
            yield name, "", f"no playbook reads an input of this name{nearest(name, of_playbooks[playbook])}"


def unknown_tags(given: Iterable[str], tags: Iterable[str], playbook: str) -> str:
    """A refusal of tags that no task of a playbook has; empty where all are right."""
    have = sorted(tags)
    wrong = [tag for tag in given if tag not in {*have, *SPECIAL_TAGS}]
    if not wrong:
        return ""
    named = " or ".join(repr(str(tag)) for tag in wrong)
    near = nearest(wrong[0], have) if len(wrong) == 1 else ""
    return f"no task of {playbook} has the tag {named}{near}; its tags are {', '.join(have)}"
