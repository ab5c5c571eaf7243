# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A development environment in place, on a rented container: where it lies, its stages, files and programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import services as run_time
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import INPLACE, paths
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.stages import stages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load, read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say

# A file system in memory or the system disk: sockets do not work on every network disk
RUN = "/run/gpuready-env"
# Run-time files that only a container needs: in place supervisord is started by the module dev_services
NOT_HERE = ("entrypoint.sh", "supervisord.conf", "program-jupyter.conf", "program-code-server.conf", "settings")
# JupyterLab's own port is often the provider's (reference documents: 8888 there, 8889 for one's own)
JUPYTER, OURS = 8888, 8889
# GiB that an environment with torch for CUDA takes while it is installed, cache included
ROOM_GIB = 2
CODE_SERVER = """\
bind-addr: {bind}:{port}
auth: password
{key}: "{{secret}}"
cert: false
disable-telemetry: true
disable-update-check: true
"""
LOGIN = """\
# started anew, the machine has none of our services: the first one to log in starts them. The number in the file is no
# proof: the file outlives a stop of the machine, and another program may have the number then
if [ -t 0 ] && [ -x {supervisord} ] &&
  ! grep -qsF {config} "/proc/$(cat {run}/supervisord.pid 2> /dev/null)/cmdline"; then
  # a session of its own, which outlives the login; until it has that, the terminal's end must not end it: the trap is
  # before the &, and the login waits for it. One after the other (a login shell may read this twice): the second finds
  # the socket of the first one and ends, but two that find the socket of an earlier life at the same moment would both
  # remove it and run
  (trap '' HUP; mkdir -p -m 0700 {run} &&
    setsid flock -o {run} {supervisord} -c {config} < /dev/null > /dev/null 2>&1 &)
fi
"""


def jupyter_port(spec: Mapping[str, Any]) -> int:
    """Where JupyterLab of a rented machine listens, unless dev_inplace_port says otherwise."""
    port = int(spec["jupyter"]["port"])
    return OURS if port == JUPYTER else port


def place(facts: Mapping[str, Any]) -> dict[str, Any]:
    """{dir, disk, provider, keeps}: the folder for everything of ours. disk and keeps are None off the table."""
    table = load("rented")
    rented = (facts.get("virt") or {}).get("rented") or {}
    provider, markers = rented.get("provider"), rented.get("markers") or []
    mounts = {entry.get("mount"): entry for entry in (facts.get("storage") or {}).get("fs") or []}
    known = table["providers"]
    # one that the facts do not know may still have a disk that tells
    for name in [provider] if provider in known else [name for name in known if not known[name]["always"]]:
        for disk in known[name]["disks"]:
            there = disk in markers or (disk in mounts and not mounts[disk].get("ro"))
            if there or (name == provider and known[name]["always"]):
                return {
                    "dir": f"{disk}/{table['folder']}",
                    "disk": disk,
                    "provider": name,
                    "keeps": known[name]["keeps"],
                }
    return {"dir": table["elsewhere"], "disk": None, "provider": provider, "keeps": None}


def steps(
    facts: Mapping[str, Any], spec: Mapping[str, Any], inputs: Mapping[str, Any], language: str = "en"
) -> dict[str, Any]:
    """Everything that the role does, by task. inputs: dir, lock (text), services, start_at_login, and others of it.

    language: of the refusal. Raises ValueError, in one sentence, where a download has no sum for the machine.
    """
    folder = str(inputs["dir"]).rstrip("/")
    wanted = _spec(spec, facts, folder, int(inputs.get("jupyter_port") or 0))
    where = paths(wanted, INPLACE, {"run": RUN})
    machine = (facts.get("os") or {}).get("machine") or "x86_64"
    made = stages(wanted, INPLACE, str(inputs.get("lock") or ""), where=where, machine=machine)
    programs = _programs(wanted, where) if inputs.get("services", True) else []
    return {
        "refusal": str(render(refusal(facts, folder, bool(inputs.get("anywhere"))) or "", language)),
        "where": where,
        "stages": [_stage(one, wanted, where) for one in made if one["name"] != "services"],
        "files": _files(wanted, where, inputs, bool(programs)),
        "programs": programs,
        "secrets": _secrets(wanted, where, inputs) if programs else [],
        "bashrc": f"[ ! -r {where['profile']} ] || . {where['profile']}",
        "supervisord": ["/usr/bin/supervisord", f"{where['tools']}/bin/supervisord"],
        "jupyter_port": wanted["jupyter"]["port"],
        "token_file": f"{where['access']}/jupyter_token",
        "data": [
            where[name] for name in ("prefix", "tools", "python_dir", "conda", "rust", "code_server", "extensions")
        ],
    }


def refusal(facts: Mapping[str, Any], folder: str, anywhere: bool) -> Text | None:
    """Why this machine is not one to work on in place; None if it is."""
    if not facts:
        return None
    if (facts.get("scope") or "container") != "container" and not anywhere:
        return say(
            "This machine is no rented container but a machine of its own: there the role dev_container gives users "
            "the same environment without mixing it with the system. Set dev_inplace_anywhere to true to install in "
            "place all the same."
        )
    if folder in ("", "/") or not folder.startswith("/"):
        return say(
            "dev_inplace_dir is {folder}, which is not an absolute path of a folder of its own; choose one.",
            folder=repr(folder),
        )
    return _no_room(facts, folder)


def _no_room(facts: Mapping[str, Any], folder: str) -> Text | None:
    entries = [entry for entry in (facts.get("storage") or {}).get("fs") or [] if entry.get("mount")]
    holding = [one for one in entries if f"{folder}/".startswith(f"{one['mount'].rstrip('/')}/")]
    disk = max(holding, key=lambda one: len(one["mount"]), default=None)
    if disk is None:
        return None
    if disk.get("ro"):
        return say(
            "dev_inplace_dir is {folder}, and {mount} is mounted read-only; choose another folder.",
            folder=folder,
            mount=disk["mount"],
        )
    free = disk.get("free_mib")
    if free is not None and free < ROOM_GIB * 1024:
        return say(
            "{mount} has {free} MiB left and the environment in {folder} needs at least {least}; make room, or choose "
            "another folder (dev_inplace_dir).",
            mount=disk["mount"],
            free=free,
            folder=folder,
            least=ROOM_GIB * 1024,
        )
    return None


def workers(facts: Mapping[str, Any]) -> int | None:
    """Processors that the container may use; None where it may use all that it sees."""
    cpu = facts.get("cpu") or {}
    limit, count = cpu.get("limit"), cpu.get("count")
    if not limit or (count and limit >= count):
        return None
    return max(1, math.floor(float(limit)))


def jobs(facts: Mapping[str, Any]) -> int:
    """Compilers at once: one for each processor and each 4 GiB of memory; 0 where facts say neither."""
    cpu, memory = facts.get("cpu") or {}, facts.get("memory") or {}
    seen = [
        workers(facts) or cpu.get("count"),
        (memory.get("limit_mib") or memory.get("total_mib") or 0) // 4096 or None,
    ]
    if not any(seen):
        return 0
    return max(1, min(number for number in seen if number))


def _spec(spec: Mapping[str, Any], facts: Mapping[str, Any], folder: str, port: int) -> dict[str, Any]:
    """The specification with what differs in place: folders, JupyterLab's port, no sshd of ours, worker counts."""
    jupyter = {
        **spec["jupyter"],
        "port": port or jupyter_port(spec),
    }
    changed = {**spec, "data_dir": folder, "jupyter": jupyter}
    if not spec.get("max_jobs"):
        changed["max_jobs"] = jobs(facts)
    where = paths(changed, INPLACE, {"run": RUN})
    env = {
        "VIRTUAL_ENV": where["prefix"],
        "UV_PYTHON_INSTALL_DIR": where["python_dir"],
        "CONDA_PKGS_DIRS": f"{where['cache']}/conda",
        "CONDA_ENVS_PATH": f"{folder}/envs",
    }
    count = workers(facts)
    if count is not None:
        # libraries count the processors of the whole machine
        env |= {name: str(count) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "UV_CONCURRENT_BUILDS")}
        env["MAX_JOBS"] = str(changed["max_jobs"])
    return {**changed, "env": {**env, **spec["env"]}}


def _stage(stage: Mapping[str, Any], spec: Mapping[str, Any], where: Mapping[str, str]) -> dict[str, Any]:
    """A stage with what shows that its result is there, and with what a killed run makes necessary."""
    name = stage["name"]
    before = read("dev_inplace/mend.sh") if name in ("packages", "source_builds") else ""
    return {**stage, "script": before + stage["script"], "creates": _creates(name, spec, where)}


def _creates(name: str, spec: Mapping[str, Any], where: Mapping[str, str]) -> list[str]:
    """What shows that a stage's result is there."""
    found = {
        "apt": [f"{where['share']}/apt.txt"],
        "uv": [f"{where['tools']}/bin/uv"],
        "conda": [f"{where['conda']}/bin/conda"],
        "rust": [f"{where['rust']}/cargo/bin/cargo"],
        "code_server": [f"{where['bin']}/code-server"],
        "python": [f"{where['prefix']}/bin/python"],
        "packages": [f"{where['share']}/python.txt"],
    }
    more = [f"{where['prefix']}/bin/jupyter"] if name == "packages" and _has_jupyter(spec) else []
    return found.get(name, []) + more


def _has_jupyter(spec: Mapping[str, Any]) -> bool:
    return bool(spec["jupyter"]["enabled"]) and "notebook" in spec["python"]["groups"]


def _files(
    spec: Mapping[str, Any], where: Mapping[str, str], inputs: Mapping[str, Any], services: bool
) -> list[dict[str, str]]:
    """For managed_files."""
    made = []
    for one in run_time.files(spec, where, INPLACE):
        if one.name in NOT_HERE or (one.name == "health.sh" and not services):
            continue
        text = one.text
        if one.name == "profile.sh" and services and inputs.get("start_at_login", True):
            config = f"{service_dir(where)}/supervisord.conf"
            text += "".join(_login(where, config, inputs))
        made.append({"path": one.path, "mode": one.mode, "content": text})
    return made


def _login(where: Mapping[str, str], config: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    yield LOGIN.format(run=where["run"], config=config, supervisord=inputs.get("supervisord") or "/usr/bin/supervisord")


def service_dir(where: Mapping[str, str]) -> str:
    return f"{where['data']}/services"


def _programs(spec: Mapping[str, Any], where: Mapping[str, str]) -> list[dict[str, Any]]:
    """For dev_services."""
    settings = run_time.settings(spec, where, INPLACE, False)
    path = ":".join(
        [*run_time.session_path(spec, where), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    )
    env = {
        "HOME": where["home"],
        "USER": "root",
        "SHELL": "/bin/bash",
        **run_time.session_env(spec, where),
        "PATH": path,
    }
    made: list[dict[str, Any]] = []
    if spec["jupyter"]["enabled"]:
        made.append(_jupyter(spec, where, settings, env))
    if spec["code_server"]["enabled"]:
        made.append(_code_server(spec, where, settings, env))
    return made


def _jupyter(
    spec: Mapping[str, Any], where: Mapping[str, str], settings: Mapping[str, str], env: Mapping[str, str]
) -> dict[str, Any]:
    base = "/" + str(spec["jupyter"]["base_url"]).strip("/")
    config = f"{where['etc']}/jupyter_server_config.py"
    names = [name for name in settings if name.startswith("DEVENV_JUPYTER_")] + ["JUPYTER_TOKEN_FILE"]
    return {
        "name": "jupyter",
        "command": [f"{where['prefix']}/bin/jupyter", "lab", f"--config={config}"],
        "directory": settings["DEVENV_WORKDIR"],
        "environment": {**env, **{name: settings[name] for name in names}},
        "watch": [config, f"{where['access']}/jupyter_token", f"{where['access']}/jupyter_password_hash"],
        "port": int(spec["jupyter"]["port"]),
        "ready": f"{base.rstrip('/')}/api",
        "closed": f"{base.rstrip('/')}/api/contents",
    }


def _code_server(
    spec: Mapping[str, Any], where: Mapping[str, str], settings: Mapping[str, str], env: Mapping[str, str]
) -> dict[str, Any]:
    begin = settings["DEVENV_WORKDIR"]
    config = f"{where['access']}/code-server.yaml"
    return {
        "name": "code-server",
        "command": [f"{where['bin']}/code-server", "--config", config, "--extensions-dir", where["extensions"], begin],
        "directory": begin,
        "environment": env,
        "watch": [config],
        "port": int(spec["code_server"]["port"]),
        "ready": "/healthz",
        "closed": "/",
    }


def _secrets(spec: Mapping[str, Any], where: Mapping[str, str], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For dev_services: a secret that is empty is made by chance, once."""
    made: list[dict[str, Any]] = []
    if spec["jupyter"]["enabled"]:
        hashed = str(spec["jupyter"]["hashed_password"])
        made.append({"path": f"{where['access']}/jupyter_token", "value": str(spec["jupyter"]["token"])})
        made.append({"path": f"{where['access']}/jupyter_password_hash", "value": hashed, "generate": False})
    if spec["code_server"]["enabled"]:
        hashed = str(spec["code_server"]["hashed_password"])
        key = "hashed-password" if hashed else "password"
        bind = run_time.listening(spec["code_server"], INPLACE)
        text = CODE_SERVER.format(bind=bind, port=spec["code_server"]["port"], key=key)
        made.append({"path": f"{where['access']}/code-server.yaml", "value": hashed, "text": text})
    return made


def lines(pairs: Mapping[str, Any]) -> str:
    """Lines "SERVICE ADDRESS", as the stages read mirrors."""
    return "".join(
        f"{name} {address}\n" for name, address in sorted(pairs.items()) if isinstance(address, str) and address
    )


def network_secrets(inputs: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, str]:
    """What the stages need to reach others, as files: see data/dev_env/stages/network.sh."""
    given: Mapping[str, Any] = spec.get("proxy") or {}
    proxy = {key: ",".join(value) if isinstance(value, list) else value for key, value in given.items()}
    pairs: Sequence[tuple[str, str]] = [("http", "http_proxy"), ("https", "https_proxy"), ("no_proxy", "no_proxy")]
    found = {
        "pip_index_url": str(inputs.get("pip_index_url") or ""),
        "build_mirrors": lines(inputs.get("mirrors") or {}),
        "build_proxy": "".join(f"{name}={proxy[key]}\n" for key, name in pairs if proxy.get(key)),
    }
    return {name: text for name, text in found.items() if text}
