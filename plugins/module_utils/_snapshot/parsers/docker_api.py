# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON of the Docker Engine API, reduced to what the snapshot says. Secrets stay behind: of a container's
environment only NVIDIA_VISIBLE_DEVICES is looked at, and of its labels only ours and Compose's are kept."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

LABELS = ("io.gpuready.", "com.docker.compose.")
_CDI_NAME = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[\w.:-]+")
# of the listing: "Up 2 hours (healthy)", "Up 3 seconds (health: starting)"
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
# 29.2.0: --gpus asks for CDI devices first (moby 9095698a5c, 86f122af27)
_GPUS_BY_CDI = (29, 2)


def as_dict(value: Any) -> dict[str, Any]:
    """Return a dict as it is, anything else as an empty one: the API writes null for empty."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def engine(version: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """Return the engine's own part of the section."""
    runtimes = as_dict(info.get("Runtimes"))
    return {
        "version": _text(version.get("Version")) or _text(info.get("ServerVersion")),
        "api_version": _text(version.get("ApiVersion")),
        "cgroup_driver": _text(info.get("CgroupDriver")),
        "cgroup_version": _text(info.get("CgroupVersion")),
        "live_restore": info.get("LiveRestoreEnabled") if isinstance(info.get("LiveRestoreEnabled"), bool) else None,
        "storage_driver": _text(info.get("Driver")),
        "root_dir": _text(info.get("DockerRootDir")),
        "runtimes": {str(name): _runtime_path(runtimes[name]) for name in sorted(runtimes)},
        "default_runtime": _text(info.get("DefaultRuntime")),
        "cdi_spec_dirs": [str(item) for item in as_list(info.get("CDISpecDirs"))],
        "security_options": [str(item) for item in as_list(info.get("SecurityOptions"))],
        "runc_version": _component(version, "runc"),
        "containerd_version": _component(version, "containerd"),
        "rootless": _rootless(info),
        "discovered_devices": _discovered(info),
    }


def _component(version: dict[str, Any], name: str) -> str | None:
    for component in as_list(version.get("Components")):
        component = as_dict(component)
        if component.get("Name") == name:
            return _text(component.get("Version"))
    return None


def _rootless(info: dict[str, Any]) -> bool | None:
    if not isinstance(info.get("SecurityOptions"), list):
        return None
    return any(str(item).partition(",")[0] == "name=rootless" for item in info["SecurityOptions"])


def _discovered(info: dict[str, Any]) -> list[str] | None:
    """Return the CDI devices that the engine found; engines before 29 do not say."""
    if not isinstance(info.get("DiscoveredDevices"), list):
        return None
    names = [_text(as_dict(item).get("ID")) for item in info["DiscoveredDevices"]]
    return sorted(name for name in names if name is not None)


def _runtime_path(runtime: Any) -> str | None:
    runtime = as_dict(runtime)
    return _text(runtime.get("path")) or _text(runtime.get("runtimeType"))


def images(listing: Any) -> list[dict[str, Any]]:
    """Return the images, those without a tag included."""
    found = []
    for image in as_list(listing):
        image = as_dict(image)
        tags = [str(tag) for tag in as_list(image.get("RepoTags")) if tag != "<none>:<none>"]
        found.append({"id": _text(image.get("Id")), "tags": tags})
    return found


def container(inspect: dict[str, Any], engine_version: str | None) -> dict[str, Any]:
    """Return one container; `gpu.rules_ok` is null until someone looked at the device rules."""
    config, host = as_dict(inspect.get("Config")), as_dict(inspect.get("HostConfig"))
    state = as_dict(inspect.get("State"))
    labels = as_dict(config.get("Labels"))
    shm = host.get("ShmSize")
    started = _text(state.get("StartedAt"))
    return {
        "id": _text(inspect.get("Id")),
        "name": str(inspect.get("Name") or "").lstrip("/"),
        "image": _text(config.get("Image")),
        "image_id": _text(inspect.get("Image")),
        "state": _text(state.get("Status")),
        "health": _text(as_dict(state.get("Health")).get("Status")),
        # the zero time of Go stands for "never"
        "started_at": None if started is None or started.startswith("0001-") else started,
        "restart_count": inspect.get("RestartCount") if isinstance(inspect.get("RestartCount"), int) else None,
        "labels": {str(key): mask(str(labels[key])) for key in sorted(labels) if str(key).startswith(LABELS)},
        "ports": _ports(as_dict(as_dict(inspect.get("NetworkSettings")).get("Ports"))),
        "shm_mib": shm // (1024 * 1024) if isinstance(shm, int) else None,
        "gpu": gpu_request(config, host, engine_version),
        "privileged": host.get("Privileged") if isinstance(host.get("Privileged"), bool) else None,
        "mounts": _mounts(inspect.get("Mounts")),
        # docker_gpu.probe_containers, only on request
        "probe": None,
    }


def listed_container(item: dict[str, Any]) -> dict[str, Any]:
    """Return a container as the listing tells of it. Whether it has a GPU is not said there: null, and not false."""
    # the other names are those that linked containers have for it: "/web/db"
    names = [str(name) for name in as_list(item.get("Names"))]
    health = _HEALTH.search(str(item.get("Status") or ""))
    told = {
        "Id": item.get("Id"),
        "Name": next((name for name in names if name.count("/") == 1), "".join(names[:1])),
        "Image": item.get("ImageID"),
        "Config": {"Image": item.get("Image"), "Labels": item.get("Labels")},
        "State": {"Status": item.get("State"), "Health": {"Status": health.group(1) if health else None}},
        "NetworkSettings": {"Ports": _listed_ports(item.get("Ports"))},
        "Mounts": item.get("Mounts"),
    }
    found = container(told, None)
    # a container that nobody can name is there all the same
    found["name"] = found["name"] or str(item.get("Id") or "unknown")[:12]
    found["gpu"]["requested"] = None
    return found


def _listed_ports(ports: Any) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for port in map(as_dict, as_list(ports)):
        if port.get("PublicPort") is not None:
            binding = {"HostIp": port.get("IP"), "HostPort": port["PublicPort"]}
            found.setdefault(f"{port.get('PrivatePort')}/{port.get('Type')}", []).append(binding)
    return found


def _mounts(mounts: Any) -> list[dict[str, Any]]:
    found = []
    for mount in as_list(mounts):
        mount = as_dict(mount)
        if _text(mount.get("Destination")) is None:
            continue
        found.append(
            {
                "type": _text(mount.get("Type")),
                "source": mask(_text(mount.get("Source"))),
                "destination": str(mount["Destination"]),
                "rw": mount.get("RW") if isinstance(mount.get("RW"), bool) else None,
            }
        )
    return sorted(found, key=lambda item: str(item["destination"]))


def _ports(ports: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name in sorted(ports):
        for binding in as_list(ports[name]):
            binding = as_dict(binding)
            host_port = str(binding.get("HostPort") or "")
            found.append(
                {
                    # "22/tcp", as Docker writes it
                    "container": str(name),
                    "host_ip": _text(binding.get("HostIp")),
                    "host_port": int(host_port) if host_port.isdigit() else None,
                }
            )
    return found


def visible_devices(config: dict[str, Any]) -> list[str]:
    """Return what NVIDIA_VISIBLE_DEVICES asks for; nothing for void, none and empty."""
    value = ""
    for entry in as_list(config.get("Env")):
        if str(entry).startswith("NVIDIA_VISIBLE_DEVICES="):
            value = str(entry).partition("=")[2]
    names = [name.strip() for name in value.split(",") if name.strip()]
    return [] if names in (["void"], ["none"]) else names


def gpu_request(config: dict[str, Any], host: dict[str, Any], engine_version: str | None) -> dict[str, Any]:
    """Say whether, and by which way, a container asks for GPUs."""
    requests = [as_dict(item) for item in as_list(host.get("DeviceRequests"))]
    by_cdi = [name for item in requests for name in _cdi_names(item)]
    by_gpus = [name for item in requests for name in _gpus_names(item)]
    nodes = [str(as_dict(item).get("PathOnHost")) for item in as_list(host.get("Devices"))]
    nodes = [node for node in nodes if node.startswith("/dev/nvidia")]
    visible = visible_devices(config)
    # the nvidia runtime takes the hook of --gpus out of config.json and does the work itself
    by_runtime = (by_gpus or visible) if host.get("Runtime") == "nvidia" else []
    gpus_way = "cdi" if _version(engine_version) >= _GPUS_BY_CDI else "hook"
    for way, devices in (("cdi", by_cdi), ("runtime", by_runtime), (gpus_way, by_gpus), ("devices", nodes)):
        if devices:
            return {"requested": True, "via": way, "devices": devices, "rules_ok": None, "missing": [], "scope": None}
    return {"requested": False, "via": None, "devices": [], "rules_ok": None, "missing": [], "scope": None}


def _cdi_names(request: dict[str, Any]) -> list[str]:
    names = [str(name) for name in as_list(request.get("DeviceIDs"))]
    if request.get("Driver") == "cdi":
        return names
    return [name for name in names if _CDI_NAME.fullmatch(name)]


def _gpus_names(request: dict[str, Any]) -> list[str]:
    capabilities = [str(name) for group in as_list(request.get("Capabilities")) for name in as_list(group)]
    if request.get("Driver") not in (None, "", "nvidia") or "gpu" not in capabilities:
        return []
    count = request.get("Count")
    if isinstance(count, int) and count > 0:
        return [f"count={count}"]
    return [str(name) for name in as_list(request.get("DeviceIDs"))] or ["all"]


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text or "0")[:2])
