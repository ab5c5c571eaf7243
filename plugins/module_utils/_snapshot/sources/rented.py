# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that somebody rents out: whose is this one?

The signs come from the providers' documentation and from public scripts that run there. Only names of variables are
told, never their values: some are tokens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host


class Provider(NamedTuple):
    """What tells a provider. `prefixes`: of variables that only this provider sets; `paths`: that only it makes."""

    name: str
    variables: tuple[str, ...]
    prefixes: tuple[str, ...]
    paths: tuple[str, ...]


PROVIDERS = (
    Provider(
        "autodl", (), ("AutoDL",), ("/root/autodl-tmp", "/root/autodl-pub", "/root/autodl-fs", "/init/others/help")
    ),
    # docs.cnb.cool: the environment of builds and workspaces
    Provider("cnb", ("CNB_BUILD_ID", "CNB_PIPELINE_ID", "CNB_REPO_SLUG", "CNB_VSCODE_WEB_URL"), (), ()),
    Provider(
        "colab",
        ("COLAB_RELEASE_TAG", "COLAB_GPU", "COLAB_BACKEND_VERSION", "COLAB_JUPYTER_IP"),
        (),
        ("/content/sample_data", "/opt/google/drive"),
    ),
    Provider(
        "kaggle", ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE", "KAGGLE_CONTAINER_NAME"), (), ("/kaggle/working",)
    ),
    Provider(
        "vast.ai", ("VAST_CONTAINERLABEL", "VAST_TCP_PORT_22"), ("VAST_TCP_PORT_",), ("/root/.vast_containerlabel",)
    ),
    Provider("runpod", ("RUNPOD_POD_ID", "RUNPOD_DC_ID", "RUNPOD_GPU_COUNT"), (), ("/runpod-volume",)),
    Provider("gpushare", (), (), ("/hy-tmp", "/hy-public")),
    Provider("featurize", ("FEATURIZE_INSTANCE_ID",), (), ("/home/featurize",)),
    Provider("modelscope", ("MODELSCOPE_ENVIRONMENT",), (), ()),
    Provider("paperspace", ("PAPERSPACE_FQDN", "PAPERSPACE_CLUSTER_ID"), (), ()),
    Provider("lightning", ("LIGHTNING_CLOUD_PROJECT_ID", "LIGHTNING_CLOUDSPACE_ID"), (), ("/teamspace/studios",)),
    Provider(
        "sagemaker",
        ("SAGEMAKER_INTERNAL_IMAGE_URI", "SM_CURRENT_HOST"),
        (),
        ("/opt/ml/metadata/resource-metadata.json",),
    ),
)

EMPTY: dict[str, Any] = {"provider": None, "markers": []}


def telling(names: Iterable[str]) -> list[str]:
    """Return the variables that only a rented container has; some of them run without /.dockerenv."""
    return sorted(name for name in names for provider in PROVIDERS if _of(provider, name))


def _of(provider: Provider, name: str) -> bool:
    return name in provider.variables or (bool(provider.prefixes) and name.startswith(provider.prefixes))


def find(host: Host, names: Iterable[str]) -> dict[str, Any]:
    """Return {provider, markers}. `names`: the variables of the first process and of ours."""
    known = set(names)
    found: dict[str, list[str]] = {}
    for provider in PROVIDERS:
        markers = [f"environment: {name}" for name in sorted(known) if _of(provider, name)]
        markers += [path for path in provider.paths if host.exists(path)]
        if markers:
            found[provider.name] = markers
    if not found:
        return {"provider": None, "markers": []}
    # the one with the most signs; on a tie the first of the table
    name = max(found, key=lambda name: len(found[name]))
    return {"provider": name, "markers": found[name][:20]}


def variables(host: Host, first: dict[str, str]) -> set[str]:
    """Return the names in the environment of process 1, and of our own if this is the live machine."""
    return {*first, *(os.environ if host.live else ())}
