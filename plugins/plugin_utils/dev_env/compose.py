# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose project of one container, and the files that it reads at its start.

Nothing here holds a secret: token, passwords, keys and addresses of proxies come in through a directory of the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import checksum
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.image import proxy_lines
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, owners, paths
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.services import SERVICES, session_env, settings
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.proxy import shared

LABEL = "io.gpuready.spec-sha256"
# what sshd of root needs: a session (SETUID, SETGID, SYS_CHROOT), its terminal (CHOWN), its end (KILL), its record
# (AUDIT_WRITE)
ROOT_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "KILL", "SETGID", "SETUID", "SYS_CHROOT")
GPU_MODES = ("cdi", "runtime", "none", "undecided")


def compose(spec: Mapping[str, Any], container: Mapping[str, Any], gpu: str) -> dict[str, Any]:
    """The compose project of one container.

    spec: that of this container (`containers.expand`). container: its `image`, and its `name` where that is another.
    gpu: how GPUs come in, one of GPU_MODES. The directory ./secrets beside the file holds `access_files`.
    """
    if gpu not in GPU_MODES:
        raise ValueError(f'the way of the GPUs is "{gpu}"; it must be one of {", ".join(GPU_MODES)}.')
    name, image = str(container.get("name") or spec["name"]), str(container["image"])
    service = {**_service(spec, name, gpu), **_gpu(spec["gpu"], gpu)}
    labels = {LABEL: checksum([image, service])}
    # compose would expand a dollar; two are a plain one
    doubled: dict[str, Any] = _plain({"image": image, "labels": labels, **service})
    return {"name": name, "services": {"dev": doubled}, "volumes": _named(spec)}


def access_files(spec: Mapping[str, Any], addresses: Mapping[str, str] | None = None) -> dict[str, str]:
    """Texts of the files under ./secrets that the specification gives, by name. Secret, except for the keys.

    What `made_files` names is missing here and must be made. addresses: of mirrors by service, for dev_keep_mirrors.
    """
    keys = "".join(f"{str(key).strip()}\n" for key in spec["ssh"]["authorized_keys"])
    texts = {
        "authorized_keys": keys,
        "jupyter_token": spec["jupyter"]["token"],
        "jupyter_password_hash": spec["jupyter"]["hashed_password"],
        "code_server_password_hash": spec["code_server"]["hashed_password"],
        # the environment itself is reached past it, as are mirrors nearby
        "proxy": proxy_lines(shared(spec["proxy"], list((addresses or {}).values()))),
    }
    if spec.get("keep_mirrors"):
        index = (addresses or {}).get("pypi", "")
        texts["pip.conf"] = f"[global]\nindex-url = {index}\n" if index else "# no index of its own\n"
        texts["uv.toml"] = f'[[index]]\nurl = "{index}"\ndefault = true\n' if index else "# no index of its own\n"
    return {name: str(text) for name, text in texts.items() if text or name == "authorized_keys"}


def made_files(spec: Mapping[str, Any]) -> list[str]:
    """Secrets that must be made because the specification gives none."""
    jupyter, code_server = spec["jupyter"], spec["code_server"]
    token = jupyter["enabled"] and not jupyter["token"] and not jupyter["hashed_password"]
    password = code_server["enabled"] and not code_server["hashed_password"]
    return (["jupyter_token"] if token else []) + (["code_server_password"] if password else [])


def _service(spec: Mapping[str, Any], name: str, gpu: str) -> dict[str, Any]:
    _user, first = owners(spec, IMAGE)
    root = first == "0:0"
    health = spec.get("health") or {}
    capabilities = sorted({*(ROOT_CAPABILITIES if root else ()), *(spec.get("cap_add") or ())})
    sudo = root and spec["user"].get("sudo", "none") != "none"
    service: dict[str, Any] = {
        # built beforehand: a missing image is an error, never a reason to ask a registry
        "pull_policy": "never",
        "container_name": name,
        "hostname": name,
        "user": first,
        "restart": spec["restart"],
        "stop_grace_period": "30s",
        "cap_drop": ["ALL"],
        "shm_size": spec["shm_size"],
        "environment": _environment(spec, gpu),
        "ports": _ports(spec),
        "volumes": _volumes(spec),
        # passwords that the entrypoint hands to services stay in memory
        "tmpfs": [f"/run/devenv:mode=0755,uid={first.replace(':', ',gid=')}"],
        "healthcheck": {
            "test": ["CMD", f"{paths(spec, IMAGE)['bin']}/devenv-health"],
            "interval": f"{health.get('interval', 30)}s",
            "timeout": f"{health.get('timeout', 10)}s",
            "retries": health.get("retries", 3),
            "start_period": f"{health.get('start_period', 90)}s",
            "start_interval": "2s",
        },
    }
    optional = {
        "cap_add": capabilities,
        "ulimits": dict(spec["ulimits"]),
        "cpus": spec["cpus"],
        "mem_limit": spec["memory"],
        # without it sudo could not gain anything
        "security_opt": [] if sudo else ["no-new-privileges:true"],
    }
    return {**service, **{key: value for key, value in optional.items() if value}}


def _environment(spec: Mapping[str, Any], gpu: str) -> dict[str, str]:
    where = paths(spec, IMAGE)
    wanted = chosen(spec["gpu"])
    found = {**session_env(spec, where), **settings(spec, where, IMAGE, gpu in ("cdi", "runtime"))}
    if spec.get("keep_mirrors"):
        kept = {"PIP_CONFIG_FILE": f"{where['access']}/pip.conf", "UV_CONFIG_FILE": f"{where['access']}/uv.toml"}
        found |= {**kept, "DEVENV_SSH_ENV": " ".join([found["DEVENV_SSH_ENV"], *kept])}
    return {
        **found,
        # void: also where nvidia is the engine's default runtime, nothing comes in beside the chosen way
        "NVIDIA_VISIBLE_DEVICES": ",".join(wanted) if gpu == "runtime" else "void",
        "NVIDIA_DRIVER_CAPABILITIES": ",".join(spec["gpu"].get("capabilities") or ["compute", "utility"]),
    }


def chosen(gpu: Mapping[str, Any]) -> list[str]:
    """The GPUs of a container: "all", or the first so many."""
    devices = [str(one) for one in gpu["devices"]]
    count = int(gpu["count"])
    if not count:
        return devices
    return [str(number) for number in range(count)] if devices == ["all"] else devices[:count]


def _gpu(wanted: Mapping[str, Any], gpu: str) -> dict[str, Any]:
    if gpu == "runtime":
        return {"runtime": "nvidia"}
    if gpu != "cdi":
        return {}
    ids = [f"nvidia.com/gpu={one}" for one in chosen(wanted)]
    device = {"driver": "cdi", "device_ids": ids, "capabilities": ["gpu"]}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


def _ports(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = [spec[option] for option, _name in SERVICES if spec[option]["enabled"]]
    found = [(one["port"], one["publish"], one["bind"]) for one in own if one["publish"]]
    found += [(one["container"], one["publish"], one.get("bind") or "127.0.0.1") for one in spec["ports"]]
    return [
        {"target": inside, "published": str(outside), "host_ip": bind, "protocol": "tcp", "mode": "host"}
        for inside, outside, bind in found
    ]


def _named(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Volumes of the project: what outlives the container."""
    data = paths(spec, IMAGE)["data"]
    own = any(one["target"].rstrip("/") == data for one in spec["volumes"].values())
    return {"home": {}, "hostkeys": {}, **({} if own else {"data": {}})}


def _volumes(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    where = paths(spec, IMAGE)
    targets = {"home": where["home"], "hostkeys": f"{where['state']}/ssh", "data": where["data"]}
    found: list[dict[str, Any]] = [{"type": "volume", "source": name, "target": targets[name]} for name in _named(spec)]
    # the directory, not its files: a replaced file is seen at once, and adding a key restarts nothing
    found.append(_bind("./secrets", where["access"], True))
    users = [one for _name, one in sorted(spec["volumes"].items())]
    return found + [_bind(one["source"], one["target"], one["read_only"]) for one in users]


def _bind(source: str, target: str, read_only: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "bind", "source": source, "target": target}
    if read_only:
        made["read_only"] = True
    # a storage that is not mounted is an error, not an empty directory of root's on the system disk
    return {**made, "bind": {"create_host_path": False}}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
