# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not go together: each rule is broken once and kept once."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import problems as rules
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise, problems, warnings

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
HEX = "0123456789abcdef" * 4
LONG = "abcdefghijklmnopqrstuvwx"
MIRROR = "docker.1ms.run"


def found(given_, target="container", **options):
    base = {"ssh": {"authorized_keys": [KEY]}}
    return problems({**base, **given_}, target, **options)


BROKEN = {
    "no key": ({"ssh": {}}, "dev_ssh.authorized_keys", "at least one public key"),
    "low port": ({"ssh": {"authorized_keys": [KEY], "port": 22}}, "dev_ssh.port", "below 1024"),
    "one port twice inside": (
        {"jupyter": {"port": 8022}},
        "dev_ssh",
        "port 8022 inside the container is that of dev_jupyter",
    ),
    "a further port twice inside": (
        {"ports": [{"name": "g", "container": 8888, "publish": 7860}]},
        "dev_ports (g)",
        "port 8888 inside the container is that of dev_jupyter",
    ),
    "one port of two pages": (
        {"code_server": {"enabled": True, "port": 8888}},
        "dev_code_server.port",
        "8888 is that of dev_jupyter",
    ),
    "short token": ({"jupyter": {"token": LONG[1:]}}, "dev_jupyter.token", "has 23 characters, and 24 or more"),
    "token with white space": ({"jupyter": {"token": f"{LONG} {LONG}"}}, "dev_jupyter.token", "white space"),
    "token with a line break": ({"jupyter": {"token": f"{LONG}\n"}}, "dev_jupyter.token", "white space"),
    "token and password": (
        {"jupyter": {"token": LONG, "hashed_password": "argon2:$argon2id$v=19$x"}},
        "dev_jupyter.token",
        "one of the two",
    ),
    "password as it is": (
        {"jupyter": {"hashed_password": LONG}},
        "dev_jupyter.hashed_password",
        "never write the password",
    ),
    "weak hash": (
        {"jupyter": {"hashed_password": f"sha1:{HEX[:12]}:{HEX[:40]}"}},
        "dev_jupyter.hashed_password",
        "no hash",
    ),
    "no notebook": ({"python": {"groups": ["core"]}}, "dev_python.groups", "needs the group notebook"),
    "password of code-server": (
        {"code_server": {"enabled": True, "hashed_password": LONG}},
        "dev_code_server.hashed_password",
        "no hash of argon2",
    ),
    "open to others": (
        {"ports": [{"name": "g", "container": 7860, "publish": 7860, "bind": "0.0.0.0"}]},
        "dev_ports (g)",
        "nothing is known of its credentials",
    ),
    "open to others by IPv6": (
        {"ports": [{"name": "g", "container": 7860, "publish": 7860, "bind": "::"}]},
        "dev_ports (g)",
        "nothing is known of its credentials",
    ),
    "old digest of code-server": (
        {"code_server": {"enabled": True, "version": "4.200.0"}},
        "dev_code_server.sha256",
        "a digest is still that of 4.139.1",
    ),
    "old digest of Miniforge": (
        {"python": {"manager": "conda"}, "conda": {"version": "26.1.0-0", "sha256": {"x86_64": HEX}}},
        "dev_conda.sha256",
        "a digest is still that of 25.11.0-1",
    ),
    "old digest of rustup": (
        {"rust": {"enabled": True, "rustup": {"version": "1.29.0"}}},
        "dev_rust.rustup.sha256",
        "a digest is still that of 1.28.2",
    ),
    "no digest": (
        {"rust": {"enabled": True, "rustup": {"sha256": {"x86_64": "", "aarch64": ""}}}},
        "dev_rust.rustup.sha256",
        "there is no digest for 1.28.2",
    ),
    "terms of Anaconda": (
        {"python": {"manager": "conda"}, "conda": {"channels": ["conda-forge", "defaults"]}},
        "dev_conda.channels",
        "defaults belongs to Anaconda",
    ),
    "address of Anaconda": (
        {"python": {"manager": "conda"}, "conda": {"channels": ["https://repo.anaconda.com/pkgs/main"]}},
        "dev_conda.channels",
        "belongs to Anaconda",
    ),
    "no channel": ({"python": {"manager": "conda"}, "conda": {"channels": []}}, "dev_conda.channels", "there is none"),
    "lock and packages": (
        {"python": {"lock": "a.txt", "packages": ["polars"]}},
        "dev_python.packages",
        "replaces them",
    ),
    "lock and project": ({"python": {"lock": "a.txt", "project": "/data/p"}}, "dev_python.lock", "one of the two"),
    "project without uv": ({"python": {"manager": "venv", "project": "/data/p"}}, "dev_python.project", "only uv"),
    "prefix of the system": ({"python": {"prefix": "/usr/local"}}, "dev_python.prefix", "directory of the system"),
    "prefix of the tools": ({"python": {"prefix": "/opt/tools/x"}}, "dev_python.prefix", "directory of the system"),
    "data of the system": ({"data_dir": "/etc"}, "dev_data_dir", "directory of the system"),
    "data in the environment": ({"data_dir": "/opt/venv/data"}, "dev_data_dir", "made anew at times"),
    "conda in the environment": (
        {"python": {"manager": "conda"}, "conda": {"prefix": "/opt/venv"}},
        "dev_conda.prefix",
        "each needs its own",
    ),
    "torch for the CPU": ({"torch": {"backend": "cpu"}}, "dev_torch.backend", "dev_torch.cpu_accepted"),
    "no such torch": ({"torch": {"backend": "cu125"}}, "dev_torch.backend", "there is cu118"),
    "version of no torch": ({"torch": {"version": "2.9.0", "packages": []}}, "dev_torch.version", "not among"),
    "compilers in the flavour": (
        {"source_builds": ["flash-attn"], "base": {"flavour": "runtime"}},
        "dev_source_builds",
        "take the flavour devel",
    ),
    "compilers in the image": (
        {"source_builds": ["flash-attn"], "base": {"image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}},
        "dev_source_builds",
        "take the flavour devel",
    ),
    "archive of what": ({"base": {"archive": "/srv/image.tar"}}, "dev_base.archive", "name the image"),
    "mirror of others": (
        {"base": {"image": f"{MIRROR}/nvidia/cuda:13.0.3"}},
        "dev_base.digest",
        "is a mirror of others",
    ),
    "registry of others": ({"base": {"registry": f"{MIRROR}/nvidia"}}, "dev_base.digest", "is a mirror of others"),
    "sudo without privileges": ({"user": {"sudo": "nopasswd"}}, "dev_user.sudo", "has no privileges"),
    "user root": ({"user": {"name": "root"}}, "dev_user.name", "user of the system"),
    "name of a variable": ({"env": {"1A": "x"}}, "dev_env", "1A is no name"),
    "own variable": ({"env": {"TZ": "UTC"}}, "dev_env.TZ", "use dev_timezone"),
    "own variable without another": ({"env": {"PATH": "/bin"}}, "dev_env.PATH", "leave it out"),
    "own prefix": ({"env": {"DEV_UID": "5"}}, "dev_env.DEV_UID", "sets it itself"),
    "line break": ({"env": {"A": "b\nPermitRootLogin yes"}}, "dev_env.A", "line breaks"),
    "name of a volume": ({"volumes": {"a b": {"source": "/srv/a", "target": "/data/a"}}}, "dev_volumes", "no name"),
    "hidden environment": (
        {"volumes": {"v": {"source": "/srv/a", "target": "/opt"}}},
        "dev_volumes.v.target",
        "would hide /opt/tools",
    ),
    "hidden home": (
        {"volumes": {"v": {"source": "/srv/a", "target": "/home/dev/"}}},
        "dev_volumes.v.target",
        "/home/dev",
    ),
    "hidden everything": (
        {"volumes": {"v": {"source": "/srv/a", "target": "/"}}},
        "dev_volumes.v.target",
        "would hide",
    ),
    "hidden system": (
        {"volumes": {"v": {"source": "/srv/a", "target": "/etc/x"}}},
        "dev_volumes.v.target",
        "hide /etc",
    ),
    "power over the host": (
        {"volumes": {"v": {"source": "/var/run/docker.sock", "target": "/data/s"}}},
        "dev_volumes.v.source",
        "power over the host",
    ),
    "the whole host": ({"volumes": {"v": {"source": "/", "target": "/data/s"}}}, "dev_volumes.v.source", "power over"),
    "no GPU": ({"gpu": {"devices": []}}, "dev_gpu.devices", "there is none"),
    "all and one": ({"gpu": {"devices": ["all", "0"]}}, "dev_gpu.devices", "beside others"),
    "one twice": ({"gpu": {"devices": ["0", "0"]}}, "dev_gpu.devices", "named twice"),
    "count of some": ({"gpu": {"devices": ["0"], "count": 1}}, "dev_gpu.count", "leave one of the two out"),
    "no such limit": ({"ulimits": {"files": 1}}, "dev_ulimits", "'files' is no limit"),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_what_does_not_go_together_is_one_sentence(case):
    given_, path, words = BROKEN[case]
    (text,) = found(given_)
    assert text.startswith(f"{path}: ")
    assert words in text


KEPT = {
    "no sshd": {"ssh": {"enabled": False}},
    "low port of root": {
        "ssh": {"authorized_keys": [KEY], "port": 22},
        "user": {"profile": "root", "sudo": "nopasswd"},
    },
    "token": {"jupyter": {"token": f"{LONG}.-_~"}},
    "hash": {"jupyter": {"hashed_password": "argon2:$argon2id$v=19$m=10240,t=10,p=8$abc$def"}},
    "salted hash": {"jupyter": {"hashed_password": f"sha512:{HEX[:12]}:{HEX}{HEX}"}},
    "no JupyterLab": {"jupyter": {"enabled": False}, "python": {"groups": []}},
    "JupyterLab of a lock": {"python": {"groups": [], "lock": "my.txt"}},
    "code-server": {"code_server": {"enabled": True, "hashed_password": "$argon2i$v=19$abc"}},
    "new digests": {"code_server": {"enabled": True, "version": "4.200.0", "sha256": {"x86_64": HEX, "aarch64": ""}}},
    "old digests of what is off": {"rust": {"rustup": {"version": "9"}}, "conda": {"version": "9", "channels": []}},
    "conda": {"python": {"manager": "conda"}, "conda": {"channels": ["nvidia", "conda-forge"]}},
    "terms": {"python": {"manager": "conda"}, "conda": {"channels": ["defaults"], "accept_anaconda_terms": True}},
    "torch for the CPU on purpose": {"torch": {"backend": "cpu", "cpu_accepted": True}},
    "no torch": {"torch": {"backend": "cpu", "packages": []}},
    "version of torch": {"torch": {"version": "2.9.0", "packages": ["torch==2.9.0", "torchvision"]}},
    "compilers": {"source_builds": ["flash-attn==2.8.3"]},
    "compilers of another image": {"source_builds": ["flash-attn"], "base": {"image": "registry.example.org/base:1"}},
    "digest": {"base": {"image": f"{MIRROR}/nvidia/cuda:13.0.3", "digest": f"sha256:{HEX}"}},
    "archive": {"base": {"image": "debian:13", "archive": "/srv/image.tar"}},
    "open on purpose": {"ports": [{"name": "g", "container": 1, "publish": 1, "bind": "0.0.0.0", "open": True}]},
    "env": {"env": {"HF_ENDPOINT": "https://hf-mirror.com", "A": "a b = c"}},
    "volumes": {
        "volumes": {
            "a": {"source": "/srv/a", "target": "/data"},
            "b": {"source": "/srv/b", "target": "/data/b"},
            "c": {"source": "/srv/c", "target": "/home/dev/c"},
        }
    },
    "no GPU on purpose": {"gpu": {"mode": "none", "devices": []}},
    "some GPUs": {"gpu": {"count": 2}},
    "no limits": {"ulimits": {}},
}


@pytest.mark.parametrize("case", sorted(KEPT))
def test_what_goes_together_is_right(case):
    assert found(KEPT[case]) == []


def test_two_pages_have_two_ports_in_place():
    (text,) = found(BROKEN["one port of two pages"][0], "inplace")
    assert text.startswith("dev_code_server.port")


def test_two_volumes_have_two_targets():
    one = {"source": "/srv/a", "target": "/data/a"}
    (text,) = found({"volumes": {"a": one, "b": {**one, "target": "/data/a/"}}})
    assert text.startswith("dev_volumes.b.target: /data/a is that of dev_volumes.a")


def test_a_registry_mirror_of_others_wants_a_digest():
    (text,) = found({}, third_party_registry=True)
    assert text.startswith("dev_base.digest: images come from registry mirrors of others")
    assert found({"base": {"digest": f"sha256:{HEX}"}}, third_party_registry=True) == []
    assert found({}, "inplace", third_party_registry=True) == []


@pytest.mark.parametrize(
    "case", ["no key", "user root", "no GPU", "hidden home", "compilers in the flavour", "one twice"]
)
def test_what_only_a_container_has_is_not_asked_for_in_place(case):
    assert found(BROKEN[case][0], "inplace") == []


def test_the_token_is_never_shown():
    for case in ("short token", "token with white space", "token and password", "password as it is", "weak hash"):
        given_, _path, _words = BROKEN[case]
        for value in given_["jupyter"].values():
            assert value not in "".join(found(given_))


def test_services_on_the_network_are_warned_about():
    (text,) = warnings({"ssh": {"authorized_keys": [KEY], "bind": "0.0.0.0"}, "jupyter": {"bind": "0.0.0.0"}})
    assert text.startswith("dev_jupyter.bind: on 0.0.0.0")


def test_latest_is_warned_about():
    (text,) = warnings({"ssh": {"authorized_keys": [KEY]}, "base": {"image": "debian:latest"}})
    assert text.startswith("dev_base.image: debian:latest changes by itself")


def test_the_mirrors_of_others_are_those_of_the_catalogue():
    assert MIRROR in rules.third_party_hosts()
    assert "mirror.ccs.tencentyun.com" not in rules.third_party_hosts()


@pytest.mark.parametrize("check", rules.COMMON + rules.CONTAINER, ids=lambda check: check.__name__)
def test_each_rule_stands_alone(check):
    texts = list(check(normalise({})))
    assert texts == ([] if check is not rules.ssh else texts[:1])
