# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`.devcontainer`: devcontainer.json, in the form of an image or of Compose, and the build context beside it.

The reference implementation recognises GPUs by Docker's runtime `nvidia` only (devcontainers/cli#319) and loses driver
and count with Compose (devcontainers/spec#469): with CDI the device is therefore named by ourselves.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import places, services
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace.cnb import SECRET

FOLDER = ".devcontainer"
WORKSPACE = "/workspace"
SERVICE = "dev"
FORMS = ("image", "compose")
# without services, the first process reads no more
_READ = ("DEVENV_SERVICES", "DEVENV_UID", "DEVENV_GID", "DEVENV_WORKDIR")
EXTENSIONS = ("ms-python.python", "ms-toolsai.jupyter")


def specification(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification for an editor's container: the editor brings its own way in, so no service listens."""
    found: dict[str, Any] = copy.deepcopy(dict(spec))
    for name in ("ssh", "jupyter", "code_server"):
        found[name]["enabled"] = False
    found["user"]["profile"] = "user"
    found["containers"] = []
    found["workdir"] = WORKSPACE
    return found


def files(spec: Mapping[str, Any], form: str, context: Mapping[str, str]) -> dict[str, str]:
    """All files of this target. context: of the image, made for `specification(spec)`."""
    found = {f"{FOLDER}/{path}": text for path, text in context.items()}
    found[f"{FOLDER}/devcontainer.json"] = json.dumps(configuration(spec, form), indent=2, ensure_ascii=False) + "\n"
    if form == "compose":
        head = "# Written by the role workspace_files, for devcontainer.json\n"
        found[f"{FOLDER}/compose.yaml"] = head + yaml.safe_dump(compose(spec), sort_keys=False, width=120)
    return found


def configuration(spec: Mapping[str, Any], form: str) -> dict[str, Any]:
    """The content of devcontainer.json."""
    found: dict[str, Any] = {"name": spec["name"]}
    if form == "compose":
        found |= {"dockerComposeFile": ["compose.yaml"], "service": SERVICE, "shutdownAction": "stopCompose"}
    else:
        found |= _single(spec)
    prefix = spec["python"]["prefix"]
    found |= {
        "workspaceFolder": WORKSPACE,
        "remoteUser": spec["user"]["name"],
        # Files of the image belong to the specification's uid, and would not follow
        "updateRemoteUserUID": False,
        # true, the default of the image form, would put a sleep in the place of the image's own first process
        "overrideCommand": False,
        "customizations": {
            "vscode": {
                "extensions": list(EXTENSIONS),
                "settings": {"python.defaultInterpreterPath": f"{prefix}/bin/python"},
            }
        },
    }
    if spec["gpu"]["mode"] == "runtime":
        found["hostRequirements"] = {"gpu": True}
    ports = {port["container"]: port["name"] for port in spec["ports"]}
    found["forwardPorts"] = list(ports)
    labels = {str(number): {"label": name} for number, name in ports.items()}
    own = str(spec["jupyter"]["port"])
    found["portsAttributes"] = {**labels, own: {"label": "JupyterLab", "onAutoForward": "silent"}}
    return found


def compose(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The Compose project beside devcontainer.json: one service, with the project folder in it."""
    service: dict[str, Any] = {
        "build": {"context": "."},
        "environment": environment(spec, "compose"),
        "volumes": [f"..:{WORKSPACE}", *(_volume(volume) for volume in spec["volumes"].values())],
        "security_opt": ["no-new-privileges:true"],
        "shm_size": spec["shm_size"],
        "ulimits": dict(spec["ulimits"]),
    }
    mode = spec["gpu"]["mode"]
    if mode == "runtime":
        device: dict[str, Any] = {"driver": "nvidia", "capabilities": ["gpu"]}
        chosen = [str(name) for name in spec["gpu"]["devices"]]
        device |= {"count": "all"} if chosen == ["all"] else {"device_ids": chosen}
        service["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
    elif mode != "none":
        service["devices"] = devices(spec)
    sources = [volume["source"] for volume in spec["volumes"].values()]
    named: dict[str, Any] = {source: {} for source in sources if not _is_path(source)}
    found: dict[str, Any] = {"name": f"{spec['name']}-devcontainer", "services": {SERVICE: service}}
    return {**found, "volumes": named} if named else found


def devices(spec: Mapping[str, Any]) -> list[str]:
    """CDI names. A number of GPUs is no CDI name: the first ones are taken."""
    count = int(spec["gpu"]["count"])
    chosen = [str(number) for number in range(count)] if count else [str(name) for name in spec["gpu"]["devices"]]
    return [name if "=" in name else f"nvidia.com/gpu={name}" for name in chosen]


def environment(spec: Mapping[str, Any], form: str) -> dict[str, str]:
    """What the image's first process reads, and the specification's own variables.

    The files are for many to read: what sounds like a secret comes from the environment of the editor.
    """
    where = places.paths(spec, places.IMAGE)
    settings = services.settings(spec, where, places.IMAGE, gpu=False)
    found = {**services.session_env(spec, where), **{name: settings[name] for name in _READ}}
    secret = "${{{}:-}}" if form == "compose" else "${{localEnv:{}}}"
    shown = {name: value.replace("$", "$$") if form == "compose" else value for name, value in found.items()}
    return {name: secret.format(name) if name in spec["env"] and SECRET.search(name) else shown[name] for name in found}


def _single(spec: Mapping[str, Any]) -> dict[str, Any]:
    mode = spec["gpu"]["mode"]
    gpu = [] if mode in ("none", "runtime") else [f"--device={name}" for name in devices(spec)]
    limits = [f"--ulimit={name}={value}" for name, value in spec["ulimits"].items()]
    mounts = [_mount(volume) for volume in spec["volumes"].values()]
    return {
        "build": {"dockerfile": "Dockerfile", "context": "."},
        "workspaceMount": f"source=${{localWorkspaceFolder}},target={WORKSPACE},type=bind",
        "runArgs": [*gpu, f"--shm-size={spec['shm_size']}", *limits],
        "securityOpt": ["no-new-privileges"],
        "containerEnv": environment(spec, "image"),
        **({"mounts": mounts} if mounts else {}),
        "shutdownAction": "stopContainer",
    }


def _is_path(source: str) -> bool:
    return source.startswith(("/", "./", "~"))


def _volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    kind = "bind" if _is_path(volume["source"]) else "volume"
    found: dict[str, Any] = {"type": kind, "source": volume["source"], "target": volume["target"]}
    if volume.get("read_only"):
        found["read_only"] = True
    # a path that is not mounted must fail, and not fill the root disk
    return {**found, "bind": {"create_host_path": False}} if kind == "bind" else found


def _mount(volume: Mapping[str, Any]) -> str:
    kind = "bind" if _is_path(volume["source"]) else "volume"
    end = ",readonly" if volume.get("read_only") else ""
    return f"source={volume['source']},target={volume['target']},type={kind}{end}"
