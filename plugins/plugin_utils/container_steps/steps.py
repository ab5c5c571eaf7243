# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the dev containers of one machine: conditions and values for the tasks of the role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps import jobs
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.difference import Difference
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.found import LEAST_ENGINE, Found, major
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.wanted import Wanted, World
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import compose, image
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import reason

# state absent removes folders below it
_ROOT = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")


def steps(
    facts: Mapping[str, Any], specs: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any], language: str = "en"
) -> dict[str, Any]:
    """refusal, and what is to do for each container; all of it data, nothing is asked or changed.

    facts: gpu_host. specs: one whole specification a container. inputs: root, addresses, locks, projects, rebuild,
    replace_unhealthy.
    language: of the refusals.
    """
    found = Found(facts)
    names = [spec["name"] for spec in specs]
    world = World(
        root=inputs["root"],
        machine=found.machine,
        addresses=inputs.get("addresses") or {},
        locks=inputs.get("locks") or {},
        projects=inputs.get("projects") or {},
    )
    try:
        wanted = [Wanted(spec, found.gpu_mode(spec["gpu"]["mode"]), world) for spec in specs]
    except ValueError as error:
        return {
            "refusal": reason(error, language),
            "host_refusal": "",
            "todo": [],
            "right": False,
            "names": names,
        }
    rebuild, held = bool(inputs.get("rebuild")), bool(inputs.get("replace_unhealthy"))
    different = [Difference(one, found, rebuild, held) for one in wanted]
    todo = [one for one in different if not one.right]
    return {
        "refusal": "",
        "host_refusal": _said(next(_refusals(found, todo), None), language),
        "names": names,
        "right": not todo,
        "builds": _builds(todo),
        "todo": [_todo(one, language) for one in todo],
        "predicted": [text for one in todo for text in one.predicted()],
    }


def input_error(inputs: Mapping[str, Any], language: str = "en") -> str:
    """One sentence for an input that no machine can follow; '' otherwise. For a playbook that asks before all else.

    inputs: root; names, of the containers that are specified; unknown, those asked for beside them.
    """
    return _said(_input_error(inputs), language)


def _input_error(inputs: Mapping[str, Any]) -> Text | None:
    if not _ROOT.fullmatch(str(inputs["root"])):
        return say(
            'dev_container_root is "{root}"; it must be an absolute path of letters, digits, ".", "_" and "-", because '
            "state absent removes folders in it.",
            root=inputs["root"],
        )
    if inputs["unknown"]:
        return say(
            "dev_container_only names {unknown}; there is {names}.",
            unknown=list(inputs["unknown"]),
            names=list(inputs["names"]),
        )
    return None


def _said(text: Any, language: str) -> str:
    return "" if text is None else str(render(text, language))


def _builds(todo: Sequence[Difference]) -> list[dict[str, Any]]:
    """One build an image, though several containers may share it."""
    made: dict[str, dict[str, Any]] = {}
    for one in todo:
        wanted = one.wanted
        if one.image_right or wanted.image in made:
            continue
        secrets = [
            {"id": path.rpartition("/")[2], "type": "file", "src": path} for path in sorted(wanted.build_secrets())
        ]
        if wanted.spec["ca_bundle"]:
            secrets.append({"id": "build_ca", "type": "file", "src": wanted.spec["ca_bundle"]})
        archive = wanted.spec["base"]["archive"]
        made[wanted.image] = {
            "image": wanted.image,
            "base": wanted.base,
            "folder": wanted.build,
            "secrets": secrets,
            "archive": archive if archive and not one.found.has_image(wanted.base) else "",
            "pull": one.rebuild and not archive,
        }
    return list(made.values())


def _todo(one: Difference, language: str) -> dict[str, Any]:
    wanted = one.wanted
    volumes = wanted.spec["volumes"].values()
    return {
        "name": wanted.name,
        "folder": wanted.folder,
        "folders": [
            # only root gets in here, so the files below need no protection from other users of the host
            {"path": wanted.folder, "mode": "0700"},
            {"path": wanted.build, "mode": "0755"},
            {"path": wanted.access, "mode": "0755"},
            {"path": wanted.network, "mode": "0700"},
        ],
        "seen": one.seen,
        "files": [] if one.files_right else [{"path": path, "content": text} for path, text in wanted.files().items()],
        "stray": one.stray(),
        "build_secrets": one.build_secrets(),
        "access_secrets": one.access_secrets(),
        "reads_anew": one.reads_anew,
        "replaces": one.replaces,
        "ends": one.ends,
        "held": one.held,
        "held_because": jobs.held(wanted.name, one.there.get("state")).into(language) if one.held else "",
        "recreate": one.recreate,
        "state": one.there.get("state") or "",
        "uid": wanted.uid,
        "gid": int(wanted.spec["user"]["gid"]),
        "sources": [{"path": volume["source"], "read_only": bool(volume["read_only"])} for volume in volumes],
        "start": one.starts,
    }


def _refusals(found: Found, todo: Sequence[Difference]) -> Iterator[Text]:
    """Why the machine cannot have these containers now, in the order in which it is told."""
    if not todo:
        return
    yield from _engine(found)
    for one in todo:
        yield from _gpu(found, one)
        for port, who in sorted(one.taken().items()):
            by = who.get("comm") or say("another program")
            yield say(
                "Port {port} of the host, which the container {name} is to publish, is taken by {by}; give the "
                "container another one, or stop that.",
                port=port,
                name=one.wanted.name,
                by=say("{comm} (pid {pid})", comm=by, pid=who["pid"]) if who.get("pid") else by,
            )


def _engine(found: Found) -> Iterator[Text]:
    docker = found.docker
    if not docker.get("present"):
        yield say("Docker Engine is not installed; run the role gpuready.bootstrap.docker_engine first.")
    elif not docker.get("reachable"):
        yield say(
            "Docker Engine does not answer ({error}); start it, or run the role gpuready.bootstrap.docker_engine.",
            error=docker.get("error") or say("no reason given"),
        )
    elif major(docker.get("version")) < LEAST_ENGINE:
        yield say(
            "Docker Engine is {version}, and this role needs {least} or newer (CDI, start interval of health checks); "
            "upgrade it.",
            version=docker.get("version"),
            least=LEAST_ENGINE,
        )
    elif not docker.get("compose_version"):
        yield say("The compose v2 plugin of Docker is missing; run the role gpuready.bootstrap.docker_engine first.")


def _gpu(found: Found, one: Difference) -> Iterator[Text]:
    mode, wanted = one.wanted.gpu, one.wanted.spec["gpu"]["mode"]
    if mode == "undecided":
        yield say(
            "dev_gpu.mode is auto, but Docker shows neither CDI with a specification for nvidia.com/gpu nor a runtime "
            "named nvidia; run the role gpuready.bootstrap.nvidia_container_toolkit, or set dev_gpu.mode to none."
        )
    elif mode == "cdi" and not found.cdi_ready:
        yield say(
            "dev_gpu.mode is {mode}, but Docker shows no CDI directories or no specification for nvidia.com/gpu in "
            "them; run the role gpuready.bootstrap.nvidia_container_toolkit.",
            mode=wanted,
        )
    elif mode == "cdi":
        missing = [gpu for gpu in compose.chosen(one.wanted.spec["gpu"]) if gpu not in found.cdi_devices]
        if missing:
            yield say(
                "dev_gpu.devices of the container {name} asks for {missing}, but the CDI specification has only "
                "{devices}.",
                name=one.wanted.name,
                missing=missing,
                devices=found.cdi_devices,
            )
    elif mode == "runtime" and not found.runtime_ready:
        yield say(
            "dev_gpu.mode is runtime, but Docker has no runtime named nvidia; run the role "
            "gpuready.bootstrap.nvidia_container_toolkit."
        )


def own_images(facts: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Our images that no container but these uses."""
    found = Found(facts)
    used = {str(one.get("image")) for one in found.containers if one.get("name") not in names}
    return sorted(tag for tag in found.tags if tag.startswith(f"{image.REPOSITORY}:") and tag not in used)


def folder_error(looked: Mapping[str, Any], language: str = "en") -> str:
    """Why a container's user could not work in a folder of the host; empty where nothing speaks against it.

    looked: a result of ansible.builtin.stat with its item {path, name, uid, gid, read_only}. Access lists are not known
    here: a folder that has some is believed.
    """
    return _said(_folder_error(looked["item"], looked.get("stat") or {}), language)


def _folder_error(item: Mapping[str, Any], stat: Mapping[str, Any]) -> Text | None:
    path, name = item["path"], item["name"]
    if not stat.get("exists"):
        return say(
            "{path}, which the container {name} is to see, does not exist on the host; make it, mount it (role "
            "storage_mounts), or leave it out.",
            path=path,
            name=name,
        )
    if not stat.get("isdir"):
        return say(
            "{path}, which the container {name} is to see, is not a directory; dev_volumes takes directories.",
            path=path,
            name=name,
        )
    if item["read_only"] or not stat.get("mode"):
        return None
    mode, uid, gid = int(stat["mode"], 8), stat.get("uid"), stat.get("gid")
    bits = mode >> 6 if uid == item["uid"] else mode >> 3 if gid == item["gid"] else mode
    if bits & 0o3 == 0o3:
        return None
    return say(
        "{path}, which the container {name} is to see, is not writable for uid {uid} (it belongs to {owner} with mode "
        "{mode}); give it to that uid, or set read_only.",
        path=path,
        name=name,
        uid=item["uid"],
        owner=f"{uid}:{gid}",
        mode=stat["mode"],
    )
