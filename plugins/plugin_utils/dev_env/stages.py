# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that make a development environment: the same scripts are layers of an image and run in place.

A stage reads DEV_* variables, files under DEV_INPUTS, secrets and downloads; see data/dev_env/stages. The order is from
what seldom changes to what often does: one Python package changed runs the packages and what follows them, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import places
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import services as run_time
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import checksum, needed, script, uv_lock
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.downloads import Download, archives, listed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, INPLACE, paths

NETWORK = "network.sh"


class Stage(TypedDict):
    """One step. env: DEV_* variables; inputs: texts by file name; after: stages whose result it works on."""

    name: str
    script: str
    env: dict[str, str]
    inputs: dict[str, str]
    downloads: list[Download]
    after: list[str]
    run_as: str


class _Job:
    """What the stages are made of."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        target: str,
        lock: str,
        where: Mapping[str, str],
        project: Mapping[str, str],
        machine: str,
        gpu: bool,
    ) -> None:
        self.spec, self.target, self.lock, self.where = spec, target, lock, where
        self.project, self.machine, self.gpu = project, machine, gpu
        self.owner, self.service_owner = places.owners(spec, target)

    def stage(
        self,
        name: str,
        env: Mapping[str, str],
        after: Sequence[str],
        inputs: Mapping[str, str] | None = None,
        downloads: Sequence[Download] = (),
        network: bool = True,
    ) -> Stage:
        """With the variables and inputs that many stages have."""
        all_inputs = dict(inputs or {})
        if network:
            all_inputs[NETWORK] = script(NETWORK)
        if downloads:
            all_inputs["downloads"] = listed(downloads)
        return {
            "name": name,
            "script": script(f"{name}.sh"),
            "env": {"DEV_TARGET": self.target, **env},
            "inputs": dict(sorted(all_inputs.items())),
            "downloads": list(downloads),
            "after": list(after),
            "run_as": "root",
        }

    def places(self, *names: str) -> dict[str, str]:
        """Paths as DEV_* variables."""
        return {f"DEV_{name.upper()}": self.where[name] for name in names}

    @property
    def manager(self) -> str:
        return str(self.spec["python"]["manager"])


def stages(
    spec: Mapping[str, Any],
    target: str,
    lock: str = "",
    *,
    where: Mapping[str, str] | None = None,
    project: Mapping[str, str] | None = None,
    machine: str = "x86_64",
    gpu: bool = False,
) -> list[Stage]:
    """The stages of a normalised specification, in their order.

    target: "image" or "inplace". lock: text of the requirements with sums; empty: no packages. where: paths that lie
    elsewhere than `places.paths` says. project: texts of pyproject.toml and uv.lock, where there is no repository.
    machine: as `uname -m` says. gpu: whether the health check asks for it, in place only.
    Raises ValueError, in one sentence, where a download has no sum for the machine.
    """
    if target not in (IMAGE, INPLACE):
        raise ValueError(f'target is "{target}"; it must be "{IMAGE}" or "{INPLACE}".')
    job = _Job(spec, target, lock, paths(spec, target, where), project or {}, machine, gpu)
    makers: list[tuple[bool, Callable[[_Job], Stage]]] = [
        (True, _apt),
        (target == IMAGE, _user),
        (job.manager == "conda", _conda),
        (bool(spec["rust"]["enabled"]), _rust),
        (bool(spec["code_server"]["enabled"]), _code_server),
        (job.manager != "venv" or _has_project(job), _uv),
        (True, _python),
        (True, _packages),
        (bool(spec["source_builds"]), _source_builds),
        (True, _services),
    ]
    made = [make(job) for wanted, make in makers if wanted]
    names = {one["name"] for one in made}
    return [{**one, "after": [name for name in one["after"] if name in names]} for one in made]


def digest(stage: Stage, digests: Mapping[str, str]) -> str:
    """The stamp of a stage: of all that it reads, and of the stages whose result it works on (digests, by name)."""
    before = {name: digests[name] for name in stage["after"]}
    return checksum([{key: value for key, value in stage.items() if key != "after"}, before])


def digests(found: Sequence[Stage]) -> dict[str, str]:
    """The stamps of all stages, by name."""
    made: dict[str, str] = {}
    for stage in found:
        made[stage["name"]] = digest(stage, made)
    return made


def apt_packages(spec: Mapping[str, Any], target: str) -> list[str]:
    """Packages of the distribution: the wanted ones and those that the environment needs."""
    wanted = {*needed(target), *spec["apt_packages"]}
    conditions = {
        "fetch": spec["rust"]["enabled"] or spec["code_server"]["enabled"] or spec["python"]["manager"] == "conda",
        "locale": spec["locale"].partition(".")[0] not in ("C", "POSIX"),
        "tmux": spec["tmux"],
        "sudo": spec["user"].get("sudo", "none") != "none" and target == IMAGE,
        "project": bool(spec["python"]["project"]),
    }
    return sorted(wanted.union(*(needed(what) for what, holds in conditions.items() if holds)))


def _apt(job: _Job) -> Stage:
    env = {"DEV_LOCALE": str(job.spec["locale"]), **job.places("share")}
    return job.stage("apt", env, [], {"packages": _lines(apt_packages(job.spec, job.target))})


def _user(job: _Job) -> Stage:
    spec, where = job.spec, job.where
    user = spec["user"]
    env = {
        "DEV_USER": user["name"],
        "DEV_UID": str(user["uid"]),
        "DEV_GID": str(user["gid"]),
        "DEV_HOME": where["home"],
        "DEV_OWNER": job.owner,
        "DEV_SUDO": str(user.get("sudo", "none")),
    }
    data = [where["data"], *(f"{where['data']}/{name}" for name in ("models", "cache", "checkpoints"))]
    own = [path for path in (spec.get("workdir", ""), spec["jupyter"]["root_dir"]) if path]
    directories = [*data, *own, where["prefix"], where["python_dir"], where["extensions"]]
    return job.stage("user", env, ["apt"], {"directories": _lines(dict.fromkeys(directories))}, network=False)


def _conda(job: _Job) -> Stage:
    conda = job.spec["conda"]
    env = {
        **job.places("conda"),
        "DEV_CONDA_VERSION": str(conda["version"]),
        "DEV_ANACONDA_TERMS": "yes" if conda["accept_anaconda_terms"] else "no",
        "DEV_OWNER": job.owner,
    }
    condarc = [
        "channels:",
        *(f"  - {name}" for name in conda["channels"]),
        f"auto_activate_base: {'true' if conda.get('auto_activate_base') else 'false'}",
        "channel_priority: strict",
        "show_channel_urls: true",
    ]
    if job.target == INPLACE:
        condarc += ["pkgs_dirs:", f"  - {job.where['cache']}/conda"]
    else:
        # environments that users make lie in the volume of their home, and outlive the container
        condarc += ["envs_dirs:", "  - ~/.conda/envs", f"  - {job.where['conda']}/envs"]
    return job.stage("conda", env, ["apt"], {"condarc": _lines(condarc)}, archives(job.spec, "conda", job.machine))


def _rust(job: _Job) -> Stage:
    env = {**job.places("rust"), "DEV_RUST_TOOLCHAIN": str(job.spec["rust"]["toolchain"]), "DEV_OWNER": job.owner}
    return job.stage("rust", env, ["apt"], downloads=archives(job.spec, "rust", job.machine))


def _code_server(job: _Job) -> Stage:
    wanted = job.spec["code_server"]
    env = {
        **job.places("code_server", "extensions", "bin"),
        "DEV_CODE_SERVER_VERSION": str(wanted["version"]),
        "DEV_OWNER": job.owner,
    }
    extensions = [f"{one['id']}@{one['version']}" if one.get("version") else one["id"] for one in wanted["extensions"]]
    downloads = archives(job.spec, "code_server", job.machine)
    return job.stage("code_server", env, ["apt"], {"extensions": _lines(extensions)}, downloads)


def _uv(job: _Job) -> Stage:
    return job.stage("uv", job.places("tools"), ["apt"], {"uv.txt": uv_lock()})


def _python(job: _Job) -> Stage:
    python, conda = job.spec["python"], job.spec["conda"]
    env = {
        **job.places("prefix", "tools", "python_dir", "cache"),
        "DEV_PYTHON_MANAGER": job.manager,
        "DEV_PYTHON_VERSION": str(python["version"]),
        "DEV_ENV_NAME": str(python.get("env_name") or "main"),
        "DEV_OWNER": job.owner,
    }
    inputs = {}
    if job.manager == "conda":
        env |= {
            **job.places("conda"),
            "DEV_TORCH_BACKEND": str(job.spec["torch"]["backend"]),
            "DEV_ANACONDA_TERMS": "yes" if conda["accept_anaconda_terms"] else "no",
        }
        inputs = {"channels": _lines(conda["channels"]), "conda-packages": _lines(conda["packages"])}
    return job.stage("python", env, ["uv", "conda"], inputs)


def _packages(job: _Job) -> Stage:
    torch, python = job.spec["torch"], job.spec["python"]
    env = {
        **job.places("prefix", "tools", "python_dir", "cache", "share"),
        "DEV_PYTHON_MANAGER": job.manager,
        "DEV_OWNER": job.owner,
        "DEV_TORCH_BACKEND": str(torch["backend"]),
        "DEV_CPU_ACCEPTED": "true" if torch["cpu_accepted"] else "false",
        "DEV_EXTRAS": " ".join(python["extras"]) if _has_project(job) else "",
        "DEV_PROJECT": str(python["project"]) if job.target == INPLACE else "",
    }
    inputs = {"requirements.txt": job.lock, "torch_check.py": script("torch_check.py")}
    return job.stage("packages", env, ["python"], {**inputs, **job.project})


def _source_builds(job: _Job) -> Stage:
    env = {
        **job.places("prefix", "tools", "cache", "share"),
        "DEV_PYTHON_MANAGER": job.manager,
        "DEV_OWNER": job.owner,
        "DEV_TORCH_BACKEND": str(job.spec["torch"]["backend"]),
        "DEV_MAX_JOBS": str(job.spec.get("max_jobs") or 0),
    }
    return job.stage("source_builds", env, ["packages"], {"source_builds": _lines(job.spec["source_builds"])})


def _services(job: _Job) -> Stage:
    found = run_time.files(job.spec, job.where, job.target, job.gpu)
    env = {
        **job.places("etc", "run", "state", "bashrc"),
        "DEV_SERVICE_OWNER": job.service_owner,
    }
    inputs = {one.name: one.text for one in found}
    return job.stage("services", env, ["user"], {**inputs, "manifest": run_time.manifest(found)}, network=False)


def _has_project(job: _Job) -> bool:
    return bool(job.project) or (job.target == INPLACE and bool(job.spec["python"]["project"]))


def _lines(words: Any) -> str:
    return "".join(f"{word}\n" for word in words)
