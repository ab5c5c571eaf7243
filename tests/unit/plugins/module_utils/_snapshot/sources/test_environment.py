# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables for everybody, and stub libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import environment

MakeHost = Callable[[dict[str, Any]], Host]


def test_variables_and_where_they_come_from(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/etc/environment": 'PATH="/bin"\nCUDA_VISIBLE_DEVICES=0\n',
            "/etc/profile.d/cuda.sh": "export LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH\n",
            "/etc/profile.d/cuda.csh": "setenv CUDA_PROFILE 1\n",
            "/etc/systemd/system.conf.d/x.conf": '[Manager]\nDefaultEnvironment="CUDA_AUTO_BOOST=1" X=2\n',
            "/etc/systemd/system.conf": "#DefaultEnvironment=CUDA_PROFILE=1\n",
        }
    )
    found = environment.section(host)
    assert [(entry["name"], entry["value"], entry["file"]) for entry in found["variables"]] == [
        ("CUDA_VISIBLE_DEVICES", "0", "/etc/environment"),
        ("LD_LIBRARY_PATH", "/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH", "/etc/profile.d/cuda.sh"),
        ("CUDA_AUTO_BOOST", "1", "/etc/systemd/system.conf.d/x.conf"),
    ]
    assert found["stub_dirs"] == ["/usr/local/cuda/lib64/stubs"]


def test_stubs_in_the_configuration_of_the_loader(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
            "/etc/ld.so.conf.d/cuda.conf": "/usr/local/cuda/lib64\n/usr/local/cuda/lib64/stubs/ # why\n# /a/stubs\n",
            "/etc/ld.so.conf.d/cuda.conf.bak": "/b/stubs\n",
            "/etc/ld.so.conf.d/z.conf": "/opt/mystubs\n",
        }
    )
    assert environment.section(host) == {"variables": [], "stub_dirs": ["/usr/local/cuda/lib64/stubs/"]}


def test_an_empty_machine(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    assert environment.section(host) == environment.EMPTY
    assert host.probes.status("environment") == "ok"
