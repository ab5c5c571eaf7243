# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A specification with a bit of everything, and the files that are made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.filter.workspace_files import workspace_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise

Spec = dict[str, Any]
Render = Callable[..., dict[str, str]]
HOST = {"name": "gpu01", "address": "10.0.0.7", "port": 22, "user": "admin", "jumps": ["me@gate.example.org:2222"]}


@pytest.fixture
def spec() -> Spec:
    return normalise(
        {
            "base": {"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"},
            "env": {"HF_TOKEN": "hf_secret", "PRICE": "a$b"},
            "volumes": {
                "models": {"source": "/srv/models", "target": "/data/models", "read_only": True},
                "cache": {"source": "cache", "target": "/data/cache"},
            },
            "ports": [{"name": "gradio", "container": 7860, "publish": 7860}],
            "jupyter": {"token": "t0psecret-t0psecret-t0psecret"},
        }
    )


@pytest.fixture
def render(spec: Spec) -> Render:
    """render(targets, **wishes): texts by path."""

    def made(*targets: str, **wishes: Any) -> dict[str, str]:
        all_wishes = {
            "host": HOST,
            "identity": "~/.ssh/id_ed25519",
            "client_dir": "/home/me/project",
            "lock": "six==1\n",
        }
        found = workspace_files(spec, {**all_wishes, "targets": list(targets), **wishes})
        return {file["path"]: file["content"] for file in found}

    return made
