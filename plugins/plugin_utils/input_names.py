# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of inputs and tags that look like ours and are none, and the nearest right ones. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import SHARED_PREFIX

# tags that mean something to Ansible itself
SPECIAL_TAGS = ("all", "always", "never", "tagged", "untagged")
# how like an input of a playbook a name must be for a misspelling of it (difflib): two letters of four changed places
SLIP = 0.75
# where tasks stand in a play or a block
TASKS = ("pre_tasks", "roles", "tasks", "post_tasks", "handlers", "block", "rescue", "always")


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

    The prefixes of roles and the shared one are ours; those of playbooks are words that users may take, too.
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
        meant = _slip(name, f"{playbook}_", of_playbooks[playbook]) if playbook else ""
        if meant:
            yield name, "", f"no playbook reads an input of this name; did you mean {meant}?"


def _slip(name: str, prefix: str, known: Iterable[str]) -> str:
    """The input that was misspelt; empty where there is none so near: `plan_` may well begin a name of the user's own.

    The prefix, which all of them have, makes none nearer.
    """
    ends = [one.removeprefix(prefix) for one in known]
    matches = difflib.get_close_matches(name.removeprefix(prefix), ends, n=1, cutoff=SLIP)
    return f"{prefix}{matches[0]}" if matches else ""


def tags_of(tasks: object) -> set[str]:
    """All tags of a playbook or a list of tasks, as written; not those that only included tasks get."""
    found: set[str] = set()
    for one in tasks if isinstance(tasks, list) else []:
        if isinstance(one, Mapping):
            tags = one.get("tags") or []
            words = tags.split(",") if isinstance(tags, str) else tags
            found |= {str(word).strip() for word in words}.union(*(tags_of(one.get(part)) for part in TASKS))
    return found - set(SPECIAL_TAGS)


class Tags(NamedTuple):
    """What --tags and --skip-tags may name in a playbook. `always`: roles without a tag, which run with each one."""

    playbook: str
    have: set[str]
    always: set[str]

    def refusal(self, asked: Iterable[str]) -> str:
        """Of tags to run; empty where all are right. Nothing, or not what is meant, would run."""
        return self._unknown(asked)

    def warnings(self, skipped: Iterable[str]) -> list[str]:
        """Of tags to skip: somebody may skip them in all playbooks (ANSIBLE_SKIP_TAGS)."""
        names = [str(tag) for tag in skipped]
        unknown = self._unknown(names)
        said = [f"{unknown}. Nothing is skipped for it."] if unknown else []
        stay = [tag for tag in names if tag in self.always]
        return said + [f"{tag} cannot be skipped: in {self.playbook} it always runs." for tag in stay]

    def _unknown(self, tags: Iterable[str]) -> str:
        wrong = [tag for tag in tags if tag not in {*self.have, *self.always, *SPECIAL_TAGS}]
        if not wrong:
            return ""
        named = " or ".join(repr(str(tag)) for tag in wrong)
        near = nearest(wrong[0], self.have) if len(wrong) == 1 else ""
        others = f"; {', '.join(sorted(self.always))} always runs" if self.always else ""
        return (
            f"no task of {self.playbook} has the tag {named}{near}; its tags are {', '.join(sorted(self.have))}{others}"
        )
