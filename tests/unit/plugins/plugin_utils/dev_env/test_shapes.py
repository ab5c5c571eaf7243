# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of values: each one takes what is meant, refuses what is not, and the schema names no other."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import schema, shapes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import problems
from hypothesis import given
from hypothesis import strategies as st

HEX = "0123456789abcdef" * 4
ED25519 = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"


def key(kind, size):
    blob = len(kind).to_bytes(4, "big") + kind.encode() + bytes(size)
    return f"{kind} {base64.b64encode(blob).decode()}"


RIGHT = {
    "project": ["gpuready-dev", "a", "0_x"],
    "image": ["debian:13", "nvidia/cuda:13.0.3-base-ubuntu24.04", "registry.example.org:5000/a/b:1"],
    "digest": [f"sha256:{HEX}"],
    "sha256": [HEX, ""],
    "registry": ["registry.example.org", "registry.example.org:5000/mirror/nvidia"],
    "path": ["/", "/srv/models", "/srv/my models/x..y", "/a/"],
    "prefix": ["/data", "/opt/venv", "/root/autodl-tmp/gpuready"],
    "deb": ["git", "g++", "python3.12", "git:amd64", "git=1:2.47.3-0+deb13u1"],
    "snapshot": ["20261101T000000Z"],
    "proxy": ["http://proxy.example.org:3128", "socks5h://u:p@proxy.example.org"],
    "url": ["https://files.example.org/code-server.tar.gz"],
    "user": ["dev", "_x", "li-wei"],
    "locale": ["C.UTF-8", "zh_CN.UTF-8", "en_US.utf8", "de_DE@euro"],
    "timezone": ["Asia/Shanghai", "Etc/UTC", "Etc/GMT+8", "America/Argentina/Buenos_Aires", "UTC"],
    "python": ["3.12", "3.13.1"],
    "version": ["25.11.0-1", "2.11.0"],
    "toolchain": ["1.90.0", "nightly-2026-10-01"],
    "word": ["gpu", "llm_x.1"],
    "requirement": ["polars", "polars>=1.30", "flash-attn==2.8.3", "a[b,c] >=1,<2 ; python_version < '3.13'", "x==1.*"],
    "backend": ["auto", "cpu", "cu130"],
    "base_url": ["/", "/lab-a/"],
    "extension": ["redhat.vscode-yaml", "ms-python.python"],
    "gpu": ["all", "0", "0:1", "GPU-5fd4ec3a-1b2c", "MIG-5fd4ec3a"],
    "size": ["8gb", "64m", "1073741824", "1.5G"],
    "cpus": ["4", "3.5", "0.5"],
    "capability": ["SYS_PTRACE", "CAP_NET_RAW"],
    "port": [1, 65535],
    "publish": [0, 40022],
    "id": [1, 1000],
    "seconds": [1, 30],
    "count": [0, 3],
    "address": ["127.0.0.1", "::1", "192.0.2.7"],
    "public_key": [
        ED25519,
        f"{ED25519} me@example.org",
        f'from="192.0.2.0/24" {ED25519} me',
        key("ssh-rsa", 270),
        key("ecdsa-sha2-nistp256", 80),
        key("sk-ssh-ed25519@openssh.com", 60),
    ],
    "ulimit": [-1, 0, 65536, {"soft": 1024, "hard": 4096}, {"soft": 1024, "hard": -1}, {"soft": -1, "hard": -1}],
}
WRONG = {
    "project": ["", "-a", "A", "a b", "a.b", "ä", "a\n"],
    "image": ["", "debian", "debian:13@sha256:ab", "https://debian:13", "Debian:13", "a b:1"],
    "digest": ["", HEX, "sha256:abc", f"sha256:{HEX.upper()}"],
    "sha256": [HEX[1:], f"sha256:{HEX}", f"{HEX}\n"],
    "registry": ["", "https://registry.example.org", "a b"],
    "path": ["", "srv", "./a", "/a/../b", "/a/..", "/a:b", "/a\nb", "~", "/a//b", "C:\\x"],
    "prefix": ["", "/", "/a b", "/a/../b", "/a/", "a", "/$HOME"],
    "deb": ["", "Git", "-y", "git vim", "git;rm"],
    "snapshot": ["", "2026-11-01"],
    "proxy": ["", "proxy.example.org:3128", "ftp://x", "http://a b"],
    "url": ["", "ftp://x", "https://u:p@x/y", "https://a b"],
    "user": ["", "Dev", "1a", "a b", "a" * 33],
    "locale": ["", "utf8", "zh_CN UTF-8", "C;x"],
    "timezone": ["", "Asia/shanghai", "asia/Shanghai", "../etc", "Asia/", "Asia Shanghai"],
    "python": ["", "3", "2.7", "3.12-dev", "python3"],
    "version": ["", "latest", "v1.2", "1.2 3"],
    "toolchain": ["", "stable", "nightly", "1.90"],
    "word": ["", "a b", "-a", "../a"],
    "requirement": [
        "",
        "-r x.txt",
        "--index-url=x",
        "git+https://example.org/a",
        "a @ https://example.org/a",
        "./a",
        "a b",
    ],
    "backend": ["", "cuda", "cu13.0", "13.0", "rocm6"],
    "base_url": ["", "lab", "/a b"],
    "extension": ["", "yaml", "a.b c", "a/b"],
    "gpu": ["", "first", "-1", "GPU", "0,1", "nvidia.com/gpu=0"],
    "size": ["", "8 gb", "gb", "-1", "0", "8tb", "0gb"],
    "cpus": ["", "0", "many", "-1", "1."],
    "capability": ["", "ALL", "CAP_ALL", "sys_ptrace"],
    "port": [0, -1, 65536],
    "publish": [-1, 65536],
    "id": [0, -1, 2**31],
    "seconds": [0, 86401],
    "count": [-1],
    "address": ["", "localhost", "0.0.0", "127.0.0.1:80", "*"],
    "public_key": [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        ED25519[:60],
        ED25519.replace("AAAAC3", "AAAAC4"),
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        key("ssh-dss", 400),
        f"{ED25519}\n{ED25519}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        ED25519.partition(" ")[2],
    ],
    "ulimit": [
        -2,
        True,
        "1",
        1.5,
        None,
        {},
        {"soft": 1},
        {"soft": 2, "hard": 1},
        {"soft": -1, "hard": 1},
        {"soft": "1", "hard": 2},
    ],
}


def used(known):
    for option in known.values():
        yield from [option["shape"]] if "shape" in option else []
        yield from used(option.get("options") or {})
        yield from used({"value": option["values"]} if "values" in option else {})


def test_each_shape_is_used_and_tried():
    there = {*shapes.TEXTS, *shapes.NUMBERS, *shapes.CHECKS}
    assert there == set(used(schema.options())) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize(("shape", "value"), [(shape, value) for shape in RIGHT for value in RIGHT[shape]])
def test_what_is_meant_is_taken(shape, value):
    assert shapes.wanted(shape, value) == ""


@pytest.mark.parametrize(("shape", "value"), [(shape, value) for shape in WRONG for value in WRONG[shape]])
def test_what_is_not_meant_is_refused(shape, value):
    assert shapes.wanted(shape, value) != ""


@given(st.sampled_from(sorted([*shapes.TEXTS, "address", "public_key"])), st.text())
def test_any_text_is_judged(shape, value):
    assert isinstance(shapes.wanted(shape, value), str)


@pytest.mark.parametrize("shape", sorted([*shapes.TEXTS, "address", "public_key"]))
def test_nothing_hides_behind_a_line_break(shape):
    for value in RIGHT[shape]:
        assert shapes.wanted(shape, f"{value}\nPermitRootLogin yes")


@pytest.mark.parametrize(
    ("given_", "path"),
    [
        ({"ssh": {"authorized_keys": [ED25519, "x"]}}, "dev_ssh.authorized_keys[1]"),
        ({"code_server": {"extensions": [{"id": "yaml"}]}}, "dev_code_server.extensions[0].id"),
        ({"volumes": {"m": {"source": "a", "target": "/b"}}}, "dev_volumes.m.source"),
        ({"ulimits": {"nofile": "many"}}, "dev_ulimits.nofile"),
        ({"ulimits": {"memlock": -1, "nofile": -5}}, "dev_ulimits.nofile"),
        ({"containers": [{"name": "a", "ssh": {"bind": "x"}}]}, "dev_containers[0].ssh.bind"),
        ({"name": ""}, "dev_name"),
    ],
)
def test_the_place_is_named(given_, path):
    (found,) = problems(given_, "inplace")
    assert found.startswith(f"{path}: ")


@pytest.mark.parametrize("given_", [{"base": {"image": ""}}, {"workdir": ""}, {"memory": ""}])
def test_what_may_be_open_may_be_empty(given_):
    assert problems(given_, "inplace") == []


def test_what_a_container_takes_out_has_no_shape():
    volumes = {"m": {"source": "/srv/m", "target": "/data/m"}}
    given_ = {"volumes": volumes, "containers": [{"name": "a", "volumes": {"m": None}}]}
    assert problems(given_, "files") == []
