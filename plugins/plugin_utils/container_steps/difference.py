# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container as it is wanted, held against what the machine shows. Only what is shown to be right is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.found import Found
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.wanted import LEAST, Wanted, digest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose

# "compose up" leaves a container in these states as it is
_STUCK = ("restarting", "removing", "dead")
# Processes live in them: those of a paused one wait
ALIVE = ("running", "paused")


class Difference:
    """What is not right with one container."""

    def __init__(self, wanted: Wanted, found: Found, rebuild: bool = False, replace_held: bool = False) -> None:
        self.wanted, self.found = wanted, found
        self.there = found.container(wanted.name)
        self.seen = found.seen(wanted.folder)
        self.rebuild, self.replace_held = rebuild, replace_held

    # -- files ---------------------------------------------------------------------------------------------------------
    @property
    def files_right(self) -> bool:
        wanted = self.wanted.files()
        return all(self.found.file_is(path, digest(text), "0644", 0) for path, text in wanted.items())

    def stray(self) -> list[str]:
        """Files of an earlier specification, such as the token where there is a password now."""
        known = {*self.wanted.access_secrets(), *self.wanted.build_secrets(), f"{self.wanted.access}/authorized_keys"}
        return [path for path in self._below(self.wanted.access, self.wanted.network) if path not in known]

    def _below(self, *folders: str) -> list[str]:
        return sorted(path for path in self.found.files if any(path.startswith(f"{one}/") for one in folders))

    def build_secrets(self) -> list[dict[str, Any]]:
        """Secrets of the build that are not as wanted."""
        found = self.wanted.build_secrets().items()
        return [
            {"path": path, "content": text, "owner": 0, "mode": "0600"}
            for path, text in found
            if not self.found.file_is(path, digest(text), "0600", 0)
        ]

    def access_secrets(self) -> list[dict[str, Any]]:
        """Secrets of the services that are not as wanted. content None: to be made. keep: only its mode differs."""
        made = []
        for path, text in self.wanted.access_secrets().items():
            keep = self._content_right(path, text)
            one = self.found.files.get(path) or {}
            if not keep or (one.get("mode"), one.get("uid")) != ("0400", self.wanted.uid):
                made.append({"path": path, "content": text, "keep": keep, "owner": self.wanted.uid, "mode": "0400"})
        return made

    def _content_right(self, path: str, text: str | None) -> bool:
        one = self.found.files.get(path) or {}
        if text is None:
            return int(one.get("size") or 0) >= LEAST.get(path.rpartition("/")[2], 1)
        return bool(one.get("sha256") == digest(text))

    # -- image and container -------------------------------------------------------------------------------------------
    @property
    def image_right(self) -> bool:
        return self.wanted.image in self.found.tags and not self.rebuild

    @property
    def _as_wanted(self) -> bool:
        return (self.there.get("labels") or {}).get(compose.LABEL) == self.wanted.label

    @property
    def _outdated(self) -> bool:
        """Made of an image that another one has taken the tag from: a rebuild whose run was not let replace it."""
        ids = self.there.get("image_id"), self.found.images.get(self.wanted.image)
        return all(ids) and ids[0] != ids[1]

    @property
    def _edited(self) -> bool:
        """Whether the compose file is somebody's, who may have made the container by it: our label is the same."""
        one = self.found.files.get(self.wanted.compose_file)
        if one is None or one.get("as_written"):
            return False
        return bool(one.get("sha256") != digest(self.wanted.files()[self.wanted.compose_file]))

    @property
    def held(self) -> bool:
        """As it is wanted, but paused by somebody, or with a service that does not answer: jobs may live in it."""
        state, health = self.there.get("state"), self.there.get("health")
        if state != "paused" and (state, health) != ("running", "unhealthy"):
            return False
        return self._as_wanted and not self._outdated and not self._edited

    @property
    def stuck(self) -> bool:
        return self.there.get("state") in _STUCK or self.held

    @property
    def container_right(self) -> bool:
        there = self.there
        return (
            self.image_right
            and there.get("image") == self.wanted.image
            and self._as_wanted
            and not self._outdated
            and there.get("state") == "running"
            and there.get("health") == "healthy"
        )

    @property
    def reads_anew(self) -> bool:
        """Whether services must be started anew because they read their secrets once.

        The container goes before the secret comes, so that a run that is killed in between leaves a state that shows.
        """
        changed = any(not one["keep"] for one in self.access_secrets())
        return bool(self.there) and self.seen and (changed or any("/secrets/" in path for path in self.stray()))

    @property
    def _same(self) -> bool:
        """Whether nothing shows that it was made of something else. A directory made anew is not the one it sees."""
        same = self.image_right and self.there.get("image") == self.wanted.image and self._as_wanted and self.seen
        return same and not self._outdated and not self._edited

    @property
    def ends(self) -> bool:
        """Whether a run ends the container. One that has stopped may run again, and be worked in, when it comes to it.

        A held one is a person's to let go (dev_container_replace_unhealthy), unless its secrets change.
        """
        if not self.there or self.there.get("state") in _STUCK:
            return False
        return self.reads_anew or (self.replace_held if self.held else not self._same)

    @property
    def replaces(self) -> bool:
        """Whether a run ends what lives in the container now."""
        return self.there.get("state") in ALIVE and self.ends

    @property
    def recreate(self) -> str:
        """What Compose may do with a container that is there.

        It has reasons of its own to make one anew, such as a hash that its next version reckons otherwise, and asks
        nobody: "never" for one that is not shown to be different.
        """
        if self.stuck or (self.there and not self.seen):
            return "always"
        return "never" if self.there.get("state") in ALIVE and self._same else "auto"

    @property
    def starts(self) -> bool:
        """Whether Compose has anything to do: some versions stop what they were to leave to renew its network."""
        return self.reads_anew or not self.container_right or self.recreate != "never"

    @property
    def right(self) -> bool:
        return (
            self.container_right
            and self.files_right
            and not self.access_secrets()
            and not self.build_secrets()
            and not self.stray()
        )

    def predicted(self) -> list[str]:
        """What a run would do besides writing files, for check mode."""
        wanted = self.wanted
        found = [] if self.image_right else [f"build the image {wanted.image}"]
        made = [one for one in self.access_secrets() if one["content"] is None and not one["keep"]]
        found += [f"make {one['path']}" for one in made]
        if not self.container_right:
            found.append(f"start the container {wanted.name} and wait until it is healthy")
        return found

    def taken(self) -> dict[int, Mapping[str, Any]]:
        """Published ports that somebody else listens on, and who. A container's own are Docker's doing."""
        own = {port.get("host_port") for port in self.there.get("ports") or []}
        service = next(iter(self.wanted.project["services"].values()))
        ports = {int(port["published"]): str(port["host_ip"]) for port in service["ports"]}
        return {
            one["port"]: one
            for one in self.found.listening
            if one["port"] in ports and one["port"] not in own and _meet(ports[one["port"]], str(one["address"]))
        }


def _meet(wanted: str, listening: str) -> bool:
    every = ("0.0.0.0", "::", "*", "")
    return wanted == listening or wanted in every or listening in every
