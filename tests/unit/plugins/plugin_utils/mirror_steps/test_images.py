# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives for images of another distribution than the host's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps

DEBIAN = {"os": {"id": "debian", "codename": "trixie", "version": "13", "family": "debian", "machine": "x86_64"}}
USTC = "https://mirrors.ustc.edu.cn"


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, {}),
        ({"site": "ustc"}, {"debian": f"{USTC}/debian", "ubuntu": f"{USTC}/ubuntu"}),
        # the host's archive has an address of its own: nothing is known about others
        ({"apt_url": "https://lab.example.org/debian"}, {"debian": "https://lab.example.org/debian"}),
        (
            {"sites": {"debian": "https://lab.example.org/debian", "ubuntu": "https://lab.example.org/u"}},
            {"debian": "https://lab.example.org/debian", "ubuntu": "https://lab.example.org/u"},
        ),
        ({"site": "ustc", "state": "absent"}, {}),
        ({"site": "official"}, {}),
    ],
    ids=["nothing", "a site", "own archive", "own addresses", "absent", "official"],
)
def test_the_user_s_address_counts_else_the_site_of_the_host_s_archive(
    wishes: dict[str, Any], expected: dict[str, str]
) -> None:
    found = steps(DEBIAN, wishes)["addresses"]
    assert {name: url for name, url in found.items() if name in ("debian", "ubuntu", "ubuntu-ports")} == expected


def test_ports_are_for_other_architectures() -> None:
    arm = {"os": {**DEBIAN["os"], "machine": "aarch64"}}
    found = steps(arm, {"site": "ustc"})["addresses"]
    assert found["ubuntu-ports"] == f"{USTC}/ubuntu-ports" and "ubuntu" not in found
