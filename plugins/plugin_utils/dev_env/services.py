# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run-time files: first process, health check, programs, settings of sshd, JupyterLab, shells and tmux."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import fill, template
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, INPLACE, workdir

CUDA = ("/usr/local/nvidia/bin", "/usr/local/cuda/bin")
# options of the specification, and the names of the services in settings and health check
SERVICES = (("ssh", "sshd"), ("jupyter", "jupyter"), ("code_server", "code-server"))


@dataclass(frozen=True)
class File:
    """A run-time file. name: of the stage's input, without folders."""

    name: str
    path: str
    mode: str
    text: str


def services(spec: Mapping[str, Any], target: str) -> list[str]:
    """The services of an environment. In place the provider's sshd stays, and ours does not run."""
    wanted = [name for option, name in SERVICES if spec[option]["enabled"]]
    return [name for name in wanted if not (target == INPLACE and name == "sshd")]


def session_path(spec: Mapping[str, Any], where: Mapping[str, str]) -> list[str]:
    """Directories in front of PATH."""
    found = [f"{where['prefix']}/bin", f"{where['tools']}/bin"]
    if spec["python"]["manager"] == "conda":
        found.append(f"{where['conda']}/condabin")
    if spec["rust"]["enabled"]:
        found.append(f"{where['rust']}/cargo/bin")
    if where["bin"] != "/usr/local/bin":
        found.append(where["bin"])
    return [*found, *CUDA]


def tool_env(spec: Mapping[str, Any], where: Mapping[str, str]) -> dict[str, str]:
    """Variables by which tools find the environment. An image has them itself."""
    found = {
        "PYTHONUNBUFFERED": "1",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_INSTALL_DIR": where["user_python"],
        "VIRTUAL_ENV": where["prefix"],
    }
    return {**found, "RUSTUP_HOME": f"{where['rust']}/rustup"} if spec["rust"]["enabled"] else found


def session_env(spec: Mapping[str, Any], where: Mapping[str, str]) -> dict[str, str]:
    """Variables of all services and sessions. The specification's own come last and win."""
    cache = f"{where['data']}/cache"
    found = {
        "LANG": spec["locale"],
        "TZ": spec["timezone"],
        "HF_HOME": f"{cache}/huggingface",
        "UV_CACHE_DIR": f"{cache}/uv",
        "PIP_CACHE_DIR": f"{cache}/pip",
    }
    return {**found, **{name: str(value) for name, value in spec["env"].items()}}


def settings(spec: Mapping[str, Any], where: Mapping[str, str], target: str, gpu: bool) -> dict[str, str]:
    """What first process and health check read: in a container from its environment, in place from a file."""
    inside = {name: listening(spec[name], target) for name in ("jupyter", "code_server")}
    begin = workdir(spec, where)
    owner = spec["user"] if target == IMAGE else {"uid": 0, "gid": 0}
    return {
        "DEVENV_SERVICES": " ".join([*services(spec, target), *(["gpu"] if gpu else [])]),
        "DEVENV_SSH_ENV": " ".join(sorted(session_env(spec, where))),
        "DEVENV_UID": str(owner["uid"]),
        "DEVENV_GID": str(owner["gid"]),
        "DEVENV_WORKDIR": begin,
        "DEVENV_SSH_PORT": str(spec["ssh"]["port"]),
        "DEVENV_SSH_ALIVE_INTERVAL": str(spec["ssh"]["client_alive_interval"]),
        "DEVENV_SSH_ALIVE_COUNT_MAX": str(spec["ssh"]["client_alive_count_max"]),
        "DEVENV_SSH_FORWARDING": str(spec["ssh"]["forwarding"]),
        "DEVENV_JUPYTER_IP": inside["jupyter"],
        "DEVENV_JUPYTER_PORT": str(spec["jupyter"]["port"]),
        "DEVENV_JUPYTER_ROOT": str(spec["jupyter"]["root_dir"]) or begin,
        "DEVENV_JUPYTER_BASE_URL": str(spec["jupyter"]["base_url"]),
        "DEVENV_CODE_SERVER_IP": inside["code_server"],
        "DEVENV_CODE_SERVER_PORT": str(spec["code_server"]["port"]),
        "JUPYTER_TOKEN_FILE": f"{where['access']}/jupyter_token",
    }


def listening(service: Mapping[str, Any], target: str) -> str:
    """Address inside: a published port reaches a container's own address only. In place it is the address itself."""
    if target == IMAGE:
        return "0.0.0.0" if service["publish"] else "127.0.0.1"
    return str(service["bind"])


def files(spec: Mapping[str, Any], where: Mapping[str, str], target: str, gpu: bool = False) -> list[File]:
    """All run-time files. gpu: whether the health check asks for the GPU, in place only."""
    words = _words(spec, where, target)
    etc, programs = where["etc"], f"{where['etc']}/programs"

    def made(name: str, path: str, mode: str = "0644") -> File:
        return File(name, path, mode, fill(template(name), words))

    found = [
        made("entrypoint.sh", f"{where['bin']}/devenv-entrypoint", "0755"),
        made("health.sh", f"{where['bin']}/devenv-health", "0755"),
        made("supervisord.conf", f"{etc}/supervisord.conf"),
        made("program-jupyter.conf", f"{programs}/jupyter.conf"),
        made("program-code-server.conf", f"{programs}/code-server.conf"),
        made("jupyter_server_config.py", f"{etc}/jupyter_server_config.py"),
        made("profile.sh", where["profile"]),
        File("bashrc.sh", f"{etc}/bashrc", "0644", fill(_bashrc(spec), words)),
    ]
    if target == IMAGE:
        found += [
            made("sshd_config", f"{etc}/sshd_config"),
            made("program-sshd.conf", f"{programs}/sshd.conf"),
            # in place the environment lies on the data disk and is changed, not replaced
            made("packages.sh", f"{where['bin']}/devenv-packages", "0755"),
            made("program-packages.conf", f"{etc}/programs.d/packages.conf"),
        ]
    else:
        session = {**tool_env(spec, where), **session_env(spec, where)}
        values = {**session, **settings(spec, where, target, gpu)}
        found += [
            File("settings", f"{etc}/settings", "0600", _assignments(values)),
            File(
                "session.sh", f"{etc}/session.sh", "0644", "# shellcheck shell=sh\n" + _assignments(session, "export ")
            ),
        ]
    if spec["tmux"]:
        found.append(made("tmux.conf", where["tmux"]))
    return found


def _bashrc(spec: Mapping[str, Any]) -> str:
    parts = ["bashrc.sh"]
    if spec["python"]["manager"] == "conda":
        parts.append("bashrc-conda.sh")
    if spec["tmux"]:
        parts.append("bashrc-tmux.sh")
    return "".join(template(part) if part == "bashrc.sh" else "\n" + template(part) for part in parts)


def _assignments(values: Mapping[str, str], before: str = "") -> str:
    return "".join(f"{before}{name}={quote(value)}\n" for name, value in values.items())


def _words(spec: Mapping[str, Any], where: Mapping[str, str], target: str) -> dict[str, str]:
    user, root = spec["user"]["name"], spec["user"]["profile"] == "root"
    image = target == IMAGE
    log = "/dev/fd/1" if image else f"{where['state']}/%(program_name)s.log"
    session = "" if image else f"if [ -r {where['etc']}/session.sh ]; then\n  . {where['etc']}/session.sh\nfi\n"
    return {
        **{f"DEV_{name.upper()}": path for name, path in where.items()},
        "LOGFILE": "/dev/null" if image else f"{where['state']}/supervisord.log",
        "LOGFILE_BYTES": "0" if image else "10MB",
        "LOG": log,
        "LOG_BYTES": "0" if image else "10MB",
        "SUPERVISOR_USER": "user=root" if root or not image else "; runs as the user of the container",
        "PROGRAM_USER": _program_user(user, where["home"]) if root and image else "; runs as supervisord itself",
        "USER_PROGRAMS": "" if root or not image else f" {where['home']}/.config/devenv/programs/*.conf",
        "SSHD_WORDS": "It runs as root." if root else "It runs unprivileged and so can serve only its own user.",
        "ROOT_LOGIN": "prohibit-password" if root else "no",
        "ALLOWED": f"root {user}" if root else user,
        "SESSION_PATH": ":".join(session_path(spec, where)),
        "SESSION_FILE": session,
    }


def _program_user(user: str, home: str) -> str:
    return f'user={user}\nenvironment=HOME="{home}",USER="{user}",LOGNAME="{user}"'


def manifest(found: Sequence[File]) -> str:
    """Lines "MODE NAME PATH", as the stage reads them."""
    return "".join(f"{one.mode} {one.name} {one.path}\n" for one in found)
