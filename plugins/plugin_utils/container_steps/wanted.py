# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one dev container is to be: its folder on the host, with files for the build, for compose and for services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose, image
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import proxy

MANAGED = "# Managed by Ansible (gpuready.bootstrap.dev_container); changes made by hand are undone by the next run.\n"
# made where nobody gives them; what is there is kept if it is long enough
LEAST = {"jupyter_token": 24, "code_server_password": 16}
KEYS = "authorized_keys"


@dataclass(frozen=True)
class World:
    """What containers need besides their specification."""

    root: str
    machine: str = "x86_64"
    # addresses of mirrors by service
    addresses: Mapping[str, str] = field(default_factory=dict)
    # the lock of each container's Python packages, by its name
    locks: Mapping[str, str] = field(default_factory=dict)
    # texts of pyproject.toml and uv.lock by container
    projects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Wanted:
    """One container. ValueError, in one sentence, where its image cannot be described."""

    def __init__(self, spec: Mapping[str, Any], gpu: str, world: World) -> None:
        self.spec, self.gpu, self.world = spec, gpu, world
        self.name: str = spec["name"]
        self.folder = f"{world.root.rstrip('/')}/{self.name}"
        self.build, self.access, self.network = (f"{self.folder}/{one}" for one in ("build", "secrets", "network"))
        self.compose_file = f"{self.folder}/compose.yaml"
        self.base = image.base(spec)
        self.context = image.context(
            spec, world.locks.get(self.name, ""), project=world.projects.get(self.name), machine=world.machine
        )
        self.image = image.tag(self.context)
        self.project = compose.compose(spec, {"name": self.name, "image": self.image}, gpu)

    @property
    def uid(self) -> int:
        return int(self.spec["user"]["uid"])

    @property
    def label(self) -> str:
        """The value of the label by which a container is known to be as wanted; keys and passwords are not in it."""
        service = next(iter(self.project["services"].values()))
        return str(service["labels"][compose.LABEL])

    def files(self) -> dict[str, str]:
        """Texts by path: root's, and not secret."""
        text: str = yaml.safe_dump(self.project, sort_keys=False, width=200, allow_unicode=True)
        keys = compose.access_files(self.spec)[KEYS]
        return {
            **{f"{self.build}/{path}": content for path, content in self.context.items()},
            f"{self.access}/{KEYS}": keys,
            self.compose_file: MANAGED + text,
        }

    def build_secrets(self) -> dict[str, str]:
        """Texts by path: what the build needs to reach the world. Addresses may hold passwords."""
        addresses = self.world.addresses
        found = image.build_secrets(addresses, proxy.shared(self.spec["proxy"], list(addresses.values())))
        return {f"{self.network}/{name}": text for name, text in found.items()}

    def access_secrets(self) -> dict[str, str | None]:
        """Texts by path: what the services read at their start; None: made by chance, once."""
        given = compose.access_files(self.spec, self.world.addresses)
        made = dict.fromkeys(compose.made_files(self.spec))
        return {f"{self.access}/{name}": text for name, text in {**given, **made}.items() if name != KEYS}


def digest(text: str) -> str:
    """SHA-256, as facts show it of a file."""
    return sha256(text.encode()).hexdigest()
