# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may know of whom: imports of the plugins, variables and modules of the roles, words in any file."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import ROLES, ROOT, RoleFiles, load_yaml, role_files

PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.gpuready.bootstrap.plugins"

# Variables that Ansible itself sets; facts come only from ansible_facts['gpu_host'] and ['gpu_plan'].
MAGIC = re.compile(
    r"ansible_(facts|check_mode|diff_mode|managed|version|loop|loop_var|failed_task|failed_result|host|port|user|"
    r"connection|become\w*|python_interpreter|playbook_python|run_tags|skip_tags|role_name|parent_role_names|play_\w+)\b"
)
CONDITIONS = {"when", "that", "until", "changed_when", "failed_when", "loop", "var"}
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield str(node.module)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def sources(folder: str) -> list[Path]:
    found = sorted((PLUGINS / folder).rglob("*.py"))
    assert found, f"plugins/{folder} is empty: the test would prove nothing"
    return found


def test_what_runs_on_the_target_needs_only_python_and_ansible() -> None:
    allowed = ("ansible.module_utils", f"{COLLECTION}.module_utils", *sys.stdlib_module_names)
    for path in sources("module_utils") + sources("modules"):
        assert [name for name in imported(path) if not within(name, *allowed)] == [], path


# What modules compute or refuse and the controller has to know before: one pure part for both
SHARED = {
    "dev_env/packages.py": "_python_lock",
    "dev_env/shapes.py": "_proxy_url",
    "docker_steps/configuration.py": "_proxy_url",
    "input_values.py": "_proxy_url",
    "mirror_steps/wishes.py": "_proxy_url",
}


def test_judging_needs_no_ansible() -> None:
    for path in sources("plugin_utils"):
        foreign = [name for name in imported(path) if within(name, "ansible", f"{COLLECTION}.module_utils")]
        part = SHARED.get(str(path.relative_to(PLUGINS / "plugin_utils")))
        assert foreign == ([f"{COLLECTION}.module_utils"] if part else []), path
        assert part is None or f"from {COLLECTION}.module_utils import {part} as " in path.read_text(encoding="utf-8")


def test_what_both_sides_share_is_pure() -> None:
    """Neither reads, asks nor runs anything: nothing of Ansible, of the system or of ours, but the rule for secrets."""
    secrets = f"{COLLECTION}.module_utils._secrets"
    for part in {*SHARED.values(), "_secrets"}:
        names = set(imported(PLUGINS / "module_utils" / f"{part}.py")) - {secrets}
        assert [name for name in names if within(name, "ansible", COLLECTION, "os", "subprocess", "socket")] == [], part


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, text) of every text in a YAML document; an item of a list has the list's key."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, key)
    elif isinstance(node, str):
        yield key, node


def expressions(path: Path) -> list[str]:
    """All that Jinja evaluates in a file of a role."""
    if path.suffix == ".j2":
        return JINJA.findall(re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    found: list[str] = []
    for key, value in leaves(load_yaml(path)):
        found += [value] if key in CONDITIONS else JINJA.findall(value)
    return found


ALL_FOLDERS = ("defaults", "vars", "tasks", "handlers", "templates")


def test_a_role_reads_no_other_roles_variables(role: RoleFiles) -> None:
    others = [name for name in ROLES if name != role.name and not role.name.startswith(f"{name}_")]
    foreign = {option for name in others for option in role_files(name).options}
    private = re.compile(rf"\b__(?:{'|'.join(others)})_\w+")
    for path in role.files(*ALL_FOLDERS):
        for expression in expressions(path):
            read = set(re.findall(r"\w+", expression))
            assert not read & foreign, path
            assert private.findall(expression) == [], path


def test_shared_inputs_are_read_only_in_defaults(role: RoleFiles) -> None:
    for path in role.files("vars", "tasks", "handlers", "templates"):
        found = [text for text in expressions(path) if re.search(r"\bgpuready_\w+", text)]
        assert found == [], path


def test_the_only_facts_are_our_own(role: RoleFiles) -> None:
    for path in role.files(*ALL_FOLDERS):
        for expression in expressions(path):
            read = re.findall(r"\bansible_\w+", expression)
            injected = [name for name in read if not MAGIC.fullmatch(name) and not name.startswith(f"{role.name}_")]
            assert injected == [], path
            other = re.findall(r"(?<!in )(?<![.])\bansible_facts\b(?!\['gpu_(host|plan)'\])", expression)
            assert other == [], f"{path}: {expression}"


def test_a_role_knows_no_groups_and_no_other_hosts(role: RoleFiles) -> None:
    for path in role.files(*ALL_FOLDERS):
        assert [text for text in expressions(path) if re.search(r"\b(groups|hostvars|group_names)\b", text)] == [], path


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    for task in node or []:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part))


def test_no_task_hides_a_failure_or_uses_a_shell(role: RoleFiles) -> None:
    for path in role.files("tasks", "handlers", suffixes=(".yml",)):
        for task in tasks(load_yaml(path)):
            banned = {"shell", "raw", "ansible.builtin.shell", "ansible.builtin.raw", "ignore_errors"} & set(task)
            assert not banned, f"{path}: {task.get('name')}"


HIDES = re.compile(r"^\s*(changed_when|failed_when): *false\b(?!.*#)")


def unexplained(text: str) -> list[int]:
    """Numbers of lines that make a result constant without a reason: a comment on the line or above the lines."""
    bare: list[int] = []
    above = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if HIDES.match(line):
            if not above.strip().startswith("#"):
                bare.append(number)
        else:
            above = line
    return bare


def test_constant_results_have_their_reason_beside_them(role: RoleFiles) -> None:
    for path in role.files("tasks", "handlers", suffixes=(".yml",)):
        assert unexplained(path.read_text(encoding="utf-8")) == [], path


def test_the_main_task_file_is_a_table_of_contents(role: RoleFiles) -> None:
    content = [
        line
        for line in (role.path / "tasks" / "main.yml").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    assert len(content) <= 120


# Put together here, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a package index by its default name (name the setting instead)": [
        "pypi" + ".org",
        "python" + "hosted.org",
        *(f"{host}." + "debian.org" for host in ("deb", "security", "ftp", "snapshot")),
        "registry." + "npmjs.org",
    ],
    "a path of the machine it was written on": ["/work" + "/main", "/work" + "/lab", "/root/" + ".pyenv"],
    "a private key": ["PRIVATE " + "KEY-----\nb3Bl", "BEGIN PGP " + "PRIVATE KEY BLOCK"],
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, known_files: list[Path]) -> None:
    found = []
    for path in known_files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN[what] if word in text]
    assert found == []


SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"


def test_every_python_file_names_its_license(known_files: list[Path]) -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in known_files
        if path.suffix == ".py" and path.stat().st_size and SPDX not in path.read_text(encoding="utf-8")[:400]
    ]
    assert bare == []
