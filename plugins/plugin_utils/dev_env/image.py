# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context of an environment's image: each layer runs the script of one stage.

Everything used is in the frontend that is built into Docker Engine 20.10 and newer, so there is no "# syntax=" line,
which would make every build pull an image. Mirrors, proxies and certificates come as secrets: a change of them rebuilds
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import checksum
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.downloads import listed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, owners, paths, workdir
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.services import (
    SERVICES,
    session_path,
    tool_env,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.stages import NETWORK, Stage, stages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

REPOSITORY = "gpuready/dev"
# where a step finds what belongs to it; nothing of it stays in the layer
_STEP = "/run/devenv-stage"
_APT_SECRETS = ("apt_mirrors", "build_ca", "build_proxy")
_SECRETS = ("build_mirrors", "pip_index_url", "build_ca", "build_proxy")
# all that a build may be given
SECRETS = tuple(dict.fromkeys((*_APT_SECRETS, *_SECRETS)))
# stages that fill a cache which the next build finds again
_CACHED = ("python", "packages", "source_builds")
_IGNORE = "# no secrets in a context\nsecrets/\n"
# what apt reads; cuda: NVIDIA's repository, which the entries of its images name
_ARCHIVES = ("debian", "ubuntu", "ubuntu-ports", "cuda")
_NO_IMAGE = say(
    "dev_base.image is empty, and no plan has chosen an image; name one, such as nvidia/cuda:13.0.3-base-ubuntu24.04."
)
_HEADER = """\
# Made by gpuready.bootstrap; changes made by hand are undone by the next run.
# No "# syntax=" line: it would make every build pull a frontend image from a registry.
"""


@dataclass(frozen=True)
class _Network:
    """How layers learn of mirrors and proxies: by secrets, or by files of the context."""

    secrets: tuple[str, ...]
    plain: dict[str, str]
    under: str

    def mounts(self, wanted: tuple[str, ...]) -> list[str]:
        # apt reads the certificates as another user
        modes = {"build_ca": ",mode=0444"}
        secret = [f"type=secret,id={name}{modes.get(name, '')}" for name in wanted if name in self.secrets]
        files = [name for name in wanted if name in self.plain]
        return secret + [f"type=bind,source={self.under}network/{name},target=/run/secrets/{name}" for name in files]


def context(
    spec: Mapping[str, Any],
    lock: str,
    *,
    project: Mapping[str, str] | None = None,
    machine: str = "x86_64",
    secrets: bool = True,
    under: str = "",
    plain: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The files of the build context, by path.

    secrets: whether layers ask for build secrets; all of them are optional. under: folder of the files inside the
    context, such as ".ide/", where that is a whole repository. Downloads belong into dl/STAGE/NAME, where SHA256SUMS
    lists them; a layer whose download is not there fetches it itself. plain: texts of `SECRETS` that are none, such as
    addresses of public mirrors, by id; files of the context, for builders that know no secrets. ValueError, in one
    sentence, where there is no base image.
    """
    found = stages(spec, IMAGE, lock, project=project, machine=machine)
    network = _Network(
        tuple(name for name in SECRETS if secrets and name not in (plain or {})), dict(plain or {}), under
    )
    files = {"Dockerfile": _dockerfile(spec, found, network), ".dockerignore": _IGNORE}
    files |= {f"network/{name}": text for name, text in network.plain.items()}
    for stage in found:
        name = stage["name"]
        files[f"stages/{name}.sh"] = stage["script"]
        for part, text in stage["inputs"].items():
            files[f"stages/{NETWORK}" if part == NETWORK else f"inputs/{name}/{part}"] = text
        if stage["downloads"]:
            files[f"dl/{name}/SHA256SUMS"] = listed(stage["downloads"])
    return files


def tag(files: Mapping[str, str]) -> str:
    """The image's name: its tag is a digest of all that goes into it."""
    return f"{REPOSITORY}:{checksum(dict(files))[:12]}"


def base(spec: Mapping[str, Any]) -> str:
    """Reference of the base image: from one's own registry, by its digest, where these are given."""
    wanted = spec["base"]
    image = str(wanted["image"])
    if not image:
        raise ValueError(_NO_IMAGE)
    if wanted["registry"]:
        host, slash, rest = image.partition("/")
        foreign = bool(slash) and ("." in host or ":" in host or host == "localhost")
        image = f"{str(wanted['registry']).rstrip('/')}/{rest if foreign else image}"
    # an archive's image has no digest of a registry
    if wanted["digest"] and not wanted["archive"] and "@" not in image:
        image = f"{image}@{wanted['digest']}"
    return image


def build_secrets(addresses: Mapping[str, str], proxy: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the secrets of a build, by id; an empty one is left out. Never shown: addresses may hold passwords.

    addresses: of mirrors, by service. Those on the machine itself are not reached from a build and are left out.
    """
    near = {name: url for name, url in sorted(addresses.items()) if url and not _own(url)}
    texts = {
        "apt_mirrors": _pairs({name: url for name, url in near.items() if name in _ARCHIVES}),
        "build_mirrors": _pairs({name: url for name, url in near.items() if name not in _ARCHIVES}),
        "pip_index_url": near.get("pypi", ""),
        "build_proxy": proxy_lines(proxy),
    }
    return {name: text for name, text in texts.items() if text}


def proxy_lines(proxy: Mapping[str, Any]) -> str:
    """Lines NAME=value, as first process and stages read them."""
    hosts = proxy.get("no_proxy") or []
    if not (proxy.get("http") or proxy.get("https")):
        return ""
    values = {
        "http_proxy": proxy.get("http") or "",
        "https_proxy": proxy.get("https") or proxy.get("http") or "",
        "no_proxy": hosts if isinstance(hosts, str) else ",".join(hosts),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items() if value)


def _own(url: str) -> bool:
    host = url.partition("://")[2].rpartition("@")[2]
    return host.startswith(("localhost", "127.", "[::1"))


def _pairs(addresses: Mapping[str, str]) -> str:
    return "".join(f"{name} {url}\n" for name, url in addresses.items())


def _dockerfile(spec: Mapping[str, Any], found: list[Stage], network: _Network) -> str:
    layers = "\n\n".join(_layer(stage, network) for stage in found)
    return (
        f"{_HEADER}ARG BASE_IMAGE={base(spec)}\nFROM ${{BASE_IMAGE}}\n"
        f'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\n\n{layers}\n\n{_rest(spec)}'
    )


def _layer(stage: Stage, network: _Network) -> str:
    name, inputs, under = stage["name"], stage["inputs"], network.under
    mounts = [f"type=bind,source={under}stages/{name}.sh,target={_STEP}/{name}.sh"]
    if NETWORK in inputs:
        mounts += [_input(part, name, under) for part in inputs]
        mounts += network.mounts(_APT_SECRETS if name == "apt" else _SECRETS)
    else:
        mounts.append(f"type=bind,source={under}inputs/{name},target={_STEP}/inputs")
    if stage["downloads"]:
        mounts.append(f"type=bind,source={under}dl/{name},target={_STEP}/dl")
    if name in _CACHED:
        mounts.append(f"type=cache,target={stage['env']['DEV_CACHE']},sharing=locked")
    env = {"DEV_INPUTS": f"{_STEP}/inputs", "DEV_DOWNLOADS": f"{_STEP}/dl", **stage["env"]}
    words = [f"{key}={_one_line(key, value)}" for key, value in env.items()]
    lines = ["RUN " + " \\\n    ".join(f"--mount={one}" for one in mounts), *words, f"bash {_STEP}/{name}.sh"]
    return " \\\n    ".join(lines)


def _input(part: str, stage: str, under: str) -> str:
    source = f"stages/{NETWORK}" if part == NETWORK else f"inputs/{stage}/{part}"
    return f"type=bind,source={under}{source},target={_STEP}/inputs/{part}"


def _one_line(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError(say("{name} holds a line break; a layer of an image takes one line.", name=name))
    return quote(value)


def _rest(spec: Mapping[str, Any]) -> str:
    """What changes with every second specification and costs nothing: after all layers."""
    where = paths(spec, IMAGE)
    _user, first = owners(spec, IMAGE)
    ports = [str(spec[option]["port"]) for option, _name in SERVICES if spec[option]["enabled"]]
    env = {"LANG": spec["locale"], "TZ": spec["timezone"], **tool_env(spec, where)}
    lines = [
        "ENV " + " \\\n    ".join(f"{name}={_env_value(name, value)}" for name, value in env.items()) + " \\",
        f"    PATH={':'.join(session_path(spec, where))}:${{PATH}}",
        *(_ROOT_WORDS if first == "0:0" else ()),
        f"USER {first}",
        f"WORKDIR {workdir(spec, where)}",
        *([f"EXPOSE {' '.join(ports)}"] if ports else []),
        f'HEALTHCHECK --interval=30s --timeout=15s --start-period=90s CMD ["{where["bin"]}/devenv-health"]',
        f'ENTRYPOINT ["/usr/bin/tini", "-g", "--", "{where["bin"]}/devenv-entrypoint"]',
        f'CMD ["/usr/bin/supervisord", "-n", "-c", "{where["etc"]}/supervisord.conf"]',
    ]
    return "\n".join(lines) + "\n"


_ROOT_WORDS = ("# sshd serves several accounts; the programs of users run as the user", "# hadolint ignore=DL3002")


def _env_value(name: str, value: str) -> str:
    """A value of ENV: the builder would expand a dollar."""
    _one_line(name, value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
