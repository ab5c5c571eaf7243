# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CNB (cnb.cool): `.cnb.yml` and the build context in `.ide`.

Keys and limits: docs.cnb.cool/zh/build/grammar.html, build-node.html, timeout.html, workspaces/workspace-recycling.html
(2026). An image build there sees the Dockerfile and the files named under `by`, with paths from the repository's root.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import yaml

FOLDER = ".ide"
MODELS = "https://cnb.cool/ai-models"
DEFAULTS: dict[str, Any] = {
    "path": ".cnb.yml",
    "branch": "$",
    "runner_tag": "cnb:arch:amd64:gpu",
    "cpus": 0,
    "services": ["vscode", "docker"],
    "keep_alive": "20m",
    "imports": [],
    "env": {},
    "models": [],
    "models_dir": "/workspace/models",
    "model_timeout": "6h",
    "volumes": [],
    "stages": [],
    "end_stages": [],
    "gpu_check": True,
}
_NOT_LISTED = ("Dockerfile", ".dockerignore")
_NEEDED = ("ca-certificates", "git", "git-lfs", "openssh-server")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_DURATION = re.compile(r"[1-9][0-9]*[mh]")
SECRET = re.compile(r"(?i)(token|passwo?r?d|secret|credential|(^|_)(api|access)?_?key)$")
# instructions that belong to a container of our own
_START = re.compile(r"(?m)^(?:ENTRYPOINT|CMD|HEALTHCHECK|EXPOSE)\b(?:[^\n]*\\\n)*[^\n]*\n?")

_TORCH = (
    "import importlib.util as u, sys; u.find_spec('torch') or sys.exit(); "
    "import torch; assert torch.cuda.is_available(), torch.version.cuda"
)

HEAD = """\
# Written by the role workspace_files; `$` stands for every branch.
# A workspace ends {idle} after its last heartbeat, after 18 hours, and in the small hours if it is older than 8.
# What was not pushed by then is only in refs/stashes: push often. Models and data are not part of that.
# A Dockerfile that does not build is replaced by CNB's default image without an error: look into the log of `prepare`.
# GPU quota: https://cnb.cool/<your organisation>/-/settings/charge
"""


def specification(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification for CNB: one container, with code-server, git and an ssh server in it, and root in it."""
    found: dict[str, Any] = copy.deepcopy(dict(spec))
    found["code_server"]["enabled"] = True
    found["user"]["profile"] = "root"
    found["apt_packages"] = [*found["apt_packages"], *(name for name in _NEEDED if name not in found["apt_packages"])]
    found["containers"] = []
    return found


def problems(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with workspace_files_cnb: one sentence each."""
    unknown = sorted(set(given) - set(DEFAULTS))
    found = [f"workspace_files_cnb has no {name}; it knows {', '.join(DEFAULTS)}." for name in unknown]
    wish = {**DEFAULTS, **{name: value for name, value in given.items() if name in DEFAULTS}}
    tag, cpus = str(wish["runner_tag"]), wish["cpus"]
    if not re.fullmatch(r"[A-Za-z0-9:._-]+", tag):
        found.append(f"workspace_files_cnb.runner_tag {tag!r} is no tag, such as cnb:arch:amd64:gpu.")
    if not isinstance(cpus, int) or isinstance(cpus, bool) or not 0 <= cpus <= 64:
        found.append(
            f"workspace_files_cnb.cpus {cpus!r} must be a whole number from 1 to 64, or 0 for CNB's own choice."
        )
    elif cpus and ":gpu" in tag:
        found.append(f"workspace_files_cnb.cpus {cpus} cannot be chosen on {tag}: GPU runners have a fixed number.")
    found += _lists(wish)
    for name in ("keep_alive", "model_timeout"):
        if wish[name] and not _DURATION.fullmatch(str(wish[name])):
            found.append(f"workspace_files_cnb.{name} {wish[name]!r} is no duration such as 20m or 2h.")
    for name, value in (wish["env"] if isinstance(wish["env"], Mapping) else {}).items():
        if SECRET.search(str(name)) and str(value):
            found.append(
                f"workspace_files_cnb.env.{name} would be in the repository for all to read: put it into a file of a "
                "secret repository, and name that under imports."
            )
    for model in wish["models"] if isinstance(wish["models"], list) else []:
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            found.append(f"workspace_files_cnb.models {model!r} is not organisation/repository, as on Hugging Face.")
    return found


def _lists(wish: Mapping[str, Any]) -> list[str]:
    found = []
    for name, default in DEFAULTS.items():
        if isinstance(default, (list, dict)) and not isinstance(wish[name], (list, dict)[isinstance(default, dict)]):
            found.append(f"workspace_files_cnb.{name} must be a {'mapping' if isinstance(default, dict) else 'list'}.")
    stages = [stage for name in ("stages", "end_stages") if isinstance(wish[name], list) for stage in wish[name]]
    if any(not isinstance(stage, Mapping) or "name" not in stage for stage in stages):
        found.append("workspace_files_cnb.stages and end_stages hold mappings with name, and script or type.")
    for item in wish["imports"] if isinstance(wish["imports"], list) else []:
        if not re.fullmatch(r"https://cnb\.cool/\S+|\./\S+|\$\w+", str(item)):
            found.append(
                f"workspace_files_cnb.imports {item!r} is no file on cnb.cool, and no ./path in the repository."
            )
    services = wish["services"] if isinstance(wish["services"], list) else ["vscode"]
    if "vscode" not in [service.get("name") if isinstance(service, Mapping) else service for service in services]:
        found.append("workspace_files_cnb.services lacks vscode, without which there is no workspace.")
    return found


def files(spec: Mapping[str, Any], given: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, str]:
    """All files of this target. context: of the image for `specification(spec)`, whose layers look below FOLDER."""
    wish = {**DEFAULTS, **given}
    inside = {f"{FOLDER}/{path}": text for path, text in sorted(context.items()) if path not in _NOT_LISTED}
    return {
        str(wish["path"]): pipeline(spec, wish, list(inside)),
        f"{FOLDER}/Dockerfile": dockerfile(context["Dockerfile"]),
        **inside,
    }


def dockerfile(text: str) -> str:
    """The Dockerfile without what starts a container of our own: CNB starts the image with a command of its own."""
    return _START.sub("", text).rstrip("\n") + "\n"


def pipeline(spec: Mapping[str, Any], wish: Mapping[str, Any], by: Sequence[str]) -> str:
    """The text of .cnb.yml."""
    body: dict[str, Any] = {"docker": {"build": {"dockerfile": f"{FOLDER}/Dockerfile", "by": list(by)}}}
    if wish["volumes"]:
        body["docker"]["volumes"] = list(wish["volumes"])
    body["runner"] = {"tags": wish["runner_tag"], **({"cpus": wish["cpus"]} if wish["cpus"] else {})}
    body["services"] = [_service(name, str(wish["keep_alive"])) for name in wish["services"]]
    if wish["imports"]:
        body["imports"] = list(wish["imports"])
    # the repository is for many to read: what sounds like a secret comes from `imports` only
    own = {name: value for name, value in spec["env"].items() if not SECRET.search(name)}
    env = {"HF_HOME": "/workspace/.cache/huggingface", **own, **wish["env"]}
    body["env"] = {name: str(value) for name, value in env.items()}
    body["stages"] = [*_checks(spec, wish), *_models(wish), *wish["stages"]]
    body["endStages"] = [*wish["end_stages"], _reminder()]
    shown = yaml.dump(
        {wish["branch"]: {"vscode": [body]}}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120
    )
    return HEAD.format(idle=wish["keep_alive"] or "10m") + shown


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, scripts of several lines as blocks: as people write such a file."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _service(name: str, keep_alive: str) -> Any:
    return {"name": name, "options": {"keepAliveTimeout": keep_alive}} if name == "vscode" and keep_alive else name


def _checks(spec: Mapping[str, Any], wish: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not wish["gpu_check"] or ":gpu" not in str(wish["runner_tag"]):
        return []
    lines = ["set -eu", "nvidia-smi -L"]
    python = quote(f"{spec['python']['prefix']}/bin/python")
    lines += [f"[ -x {python} ] || exit 0", f'{python} -c "{_TORCH}"']
    return [{"name": "GPU is there", "script": "\n".join(lines) + "\n"}]


def _models(wish: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One stage a model. dash runs it; git's progress keeps it from being taken for dead after 10 silent minutes."""
    found = []
    for model in wish["models"]:
        target, part = (quote(f"{wish['models_dir']}/{model}{end}") for end in ("", ".part"))
        lines = ["set -eu", f"if [ -d {target} ]; then exit 0; fi"]
        inside = str(wish["models_dir"]).removeprefix("/workspace")
        if inside != wish["models_dir"]:
            exclude = "/workspace/.git/info/exclude"
            lines.append(f"grep -qxF {quote(inside + '/')} {exclude} || echo {quote(inside + '/')} >> {exclude}")
        lines += [f"rm -rf {part}", f"git clone --progress --depth 1 {MODELS}/{model} {part}", f"mv {part} {target}"]
        stage = {"name": f"model {model}", "script": "\n".join(lines) + "\n"}
        found.append({**stage, "timeout": wish["model_timeout"]} if wish["model_timeout"] else stage)
    return found


def _reminder() -> dict[str, Any]:
    lines = ["git status --short | head -20", "git log --branches --not --remotes --oneline | head -20"]
    return {"name": "not pushed yet", "script": "\n".join(lines) + "\n"}
