# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container toolkit and CDI of trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import toolkit

MakeHost = Callable[[dict[str, Any]], Host]
CONFIG = "/etc/nvidia-container-runtime/config.toml"


def test_ready(root_of: Callable[[str], Path], runner: Runner) -> None:
    host = Host(str(root_of("debian13_ready")), runner)
    found = toolkit.section(host, {"nvidia-container-toolkit-base": "1:1.20.0-1"})
    config = found.pop("config")
    assert found == {"present": True, "version": "1.20.0", "mode": "cdi", "no_cgroups": True, "config_present": True}
    assert config["nvidia-container-runtime.mode"] == "cdi"
    assert config["nvidia-container-cli.no-cgroups"] is True
    assert config["nvidia-container-cli.environment"] == []


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (None, None),
        ("", {}),
        ("nonsense", None),
        ('a = "1"\na = "2"\n', None),
        (
            'x = 5\n[a.b]\n"c-d" = true\nruntimes = [\n  "runc", # one\n  "crun",\n]\n',
            {
                "x": 5,
                "a.b.c-d": True,
                "a.b.runtimes": ["runc", "crun"],
            },
        ),
        (
            '[cli]\nenvironment = ["https_proxy=http://me:secret@proxy:3128"]\n',
            {
                "cli.environment": ["https_proxy=http://***@proxy:3128"],
            },
        ),
    ],
)
def test_the_whole_config(host_of: MakeHost, text: str | None, config: Any) -> None:
    files = {"/x": ""} if text is None else {CONFIG: text}
    assert toolkit.section(host_of(files), {})["config"] == config


@pytest.mark.parametrize(
    ("files", "mode", "no_cgroups"),
    [
        ({}, None, None),
        ({CONFIG: '[nvidia-container-runtime]\nmode = "auto"\n'}, "auto", False),
        ({CONFIG: "#[nvidia-container-cli]\n#no-cgroups = true\n"}, None, False),
        ({CONFIG: "nonsense"}, None, None),
    ],
)
def test_config(host_of: MakeHost, files: dict[str, str], mode: str | None, no_cgroups: bool | None) -> None:
    found = toolkit.section(host_of({"/x": "", **files}), {})
    assert (found["mode"], found["no_cgroups"], found["present"]) == (mode, no_cgroups, False)


def test_cdi_below_a_link(root_of: Callable[[str], Path], runner: Runner) -> None:
    host = Host(str(root_of("debian13_ready")), runner)
    section, documents = toolkit.cdi_section(host)
    specs = {spec["path"]: spec for spec in section["specs"]}
    assert set(specs) == {"/etc/cdi/vendor.json", "/var/run/cdi/nvidia.yaml"}
    spec = specs["/var/run/cdi/nvidia.yaml"]
    assert (spec["driver_version"], spec["cdi_version"]) == ("580.95.05", "0.5.0")
    assert spec["missing_paths"] == ["/usr/lib/x86_64-linux-gnu/libgone.so.580.95.05"]
    assert {"path": "/dev/nvidiactl", "host_path": None} in spec["device_nodes"]
    assert len(documents["nvidia.com/gpu"]) == 1
    assert host.probes.status("cdi") == "ok"


def test_one_bad_specification_does_not_hide_the_good_one(host_of: MakeHost) -> None:
    host = host_of({"/etc/cdi/a.yaml": "a: *b\n", "/etc/cdi/b.json": '{"kind": "a/b"}', "/etc/cdi/c.txt": "x"})
    section, _documents = toolkit.cdi_section(host)
    assert [spec["kind"] for spec in section["specs"]] == ["a/b"]
    probe = host.probes.as_dict()["cdi"]
    assert probe["status"] == "unparsable"
    assert "/etc/cdi/a.yaml" in probe["error"]


def test_version_from_the_program_where_no_package_tells(tmp_path: Path) -> None:
    def run(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        return 0, b"NVIDIA Container Toolkit CLI version 1.20.0\ncommit: abc\n", b""

    program = tmp_path / "nvidia-ctk"
    program.write_text("")
    program.chmod(0o755)

    class Present(Host):
        def which(self, name: str, folders: tuple[str, ...] = ()) -> str | None:
            return "/usr/bin/nvidia-ctk"

    assert toolkit.section(Present("/", Runner(run, 5, search=[str(tmp_path)])), {})["version"] == "1.20.0"
