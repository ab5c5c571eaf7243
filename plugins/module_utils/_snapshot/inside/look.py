# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's main part: one look into a container from inside, printed as one line of JSON. Python 3.6."""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.access import sshd_view
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.envs import find_envs, own_python
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.limits import (
    cgroup_limits,
    cuda_image,
    driver_version,
    libcuda,
    shm_mib,
    ulimits,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.login import (
    compare_environments,
    locale_of,
    package_indexes,
    quiet_login,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.passwords import known_passwords
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.places import persistent, work_mounts
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import (
    attempt,
    environ_of,
    program,
)

_LOOK_SECONDS = 20


def _account(name: Any) -> tuple[str, str, str]:
    """Return (name, home, shell) of a user, of this process's own without a name."""
    try:
        if name and not str(name).isdigit():
            entry = pwd.getpwnam(name)
        else:
            entry = pwd.getpwuid(int(name) if name else os.geteuid())
    except KeyError:
        # a container may run as a number that has no name
        return str(name or os.geteuid()), os.environ.get("HOME") or "/", "/bin/sh"
    return entry.pw_name, entry.pw_dir, entry.pw_shell or "/bin/sh"


def _first_environment() -> dict[str, str]:
    """Return the environment that the container was started with."""
    try:
        return environ_of(1)
    except OSError:
        # another user's; a process that the engine starts has the same
        return dict(os.environ)


def _look_at_access(wish: dict[str, Any], errors: dict[str, list[str]]) -> Any:
    users = [_account(name)[:2] for name in wish.get("users") or [None]]
    return attempt(errors, "sshd", sshd_view, wish.get("created"), users)


def _look_as_user(found: dict[str, Any], errors: dict[str, list[str]]) -> None:
    user = _account(None)
    env = _first_environment() if found["first"] else dict(os.environ)
    login = quiet_login(user, (found["sshd"] or {}).get("login"), errors)
    session = env if login is None else dict(env, **login)
    found["capabilities"] = env.get("NVIDIA_DRIVER_CAPABILITIES")
    found["smi"] = program("nvidia-smi", env.get("PATH") or os.defpath) is not None
    found["cuda_image"] = attempt(errors, "cuda_image", cuda_image, env)
    found["libcuda"] = attempt(errors, "libcuda", libcuda, env)
    found["driver_version"] = attempt(errors, "driver_version", driver_version)
    found["envs"] = attempt(errors, "envs", find_envs, env, user[1])
    found["python"] = attempt(errors, "python", own_python)
    found["shm_mib"] = attempt(errors, "shm", shm_mib)
    found["ulimits"] = attempt(errors, "ulimits", ulimits)
    found["cgroup"] = attempt(errors, "cgroup", cgroup_limits)
    found["ssh_environment"] = None if login is None else compare_environments(env, login)
    found["mounts"] = attempt(errors, "mounts", work_mounts)
    found["persistent"] = attempt(errors, "persistent", persistent, session, user[1])
    found["indexes"] = attempt(errors, "indexes", package_indexes, session, user[1])
    found["locale"] = attempt(errors, "locale", locale_of, env if login is None else login)


def look(wish: dict[str, Any]) -> dict[str, Any]:
    """Look as far as this process may. `wish`: parts ("user", "root"), users, created (seconds), first (bool)."""
    errors: dict[str, list[str]] = {}
    found: dict[str, Any] = {"errors": errors, "name": _account(None)[0], "first": bool(wish.get("first"))}
    found["sshd"] = _look_at_access(wish, errors)
    if "root" in wish["parts"]:
        found["known_passwords"] = attempt(errors, "known_passwords", known_passwords)
    if "user" in wish["parts"]:
        _look_as_user(found, errors)
    if found["sshd"] is not None:
        # it holds values of SetEnv
        del found["sshd"]["login"]
    return found


def main() -> None:
    """Run in the container: the wish is the first argument."""
    # nobody outside can end a process in a container that hangs
    signal.alarm(_LOOK_SECONDS)
    # pylint: disable-next=ansible-bad-function  # this is a program in the container, not a module
    print(json.dumps(look(json.loads(sys.argv[1]))))
