# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read before Ansible forks: all that is named exists, and is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import role_inputs, warm

COLLECTIONS = Path(__file__).resolve().parents[4] / ".collections"


# In a process of its own: Ansible's loader of collections takes over the imports of the process that asks for it
ASKS = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
from ansible_collections.gpuready.bootstrap.plugins.callback.summary import load_plugin
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.warm import warm
asked = []
warm(DataLoader(), lambda kind, name: asked.append([kind, name, load_plugin(kind, name) is not None]))
print(json.dumps(asked))
"""


def test_each_name_is_a_plugin() -> None:
    argv = [sys.executable, "-c", ASKS, str(COLLECTIONS)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    asked = json.loads(done.stdout)
    assert [name for _kind, name, found in asked if not found] == []
    ours = {path.stem for path in (role_inputs.ROOT / "plugins" / "filter").glob("*.py")}
    assert len(ours) > 10 and {f"gpuready.bootstrap.{name}" for name in ours} <= {name for _kind, name, _found in asked}
    assert {(kind, name) for kind, name, _found in asked} >= {*warm.PLUGINS, ("lookup", "gpuready.bootstrap.dev_spec")}


def test_roles_are_read_once(tmp_path: Path) -> None:
    for name, text in {
        "meta/argument_specs.yml": "argument_specs: {main: {options: {one_value: {type: int}}}}",
        "defaults/main.yml": 'one_value: "{{ gpuready_value | default(1) }}"',
        "vars/main.yml": "one_output: 1\n__one_own: 2\n",
    }.items():
        path = tmp_path / "roles" / "one" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    loader: Any = DataLoader()
    first = role_inputs.roles(tmp_path, loader)
    assert first["one"].options == {"one_value": {"type": "int"}}
    assert (role_inputs.shared(tmp_path), role_inputs.given_out(tmp_path)) == (
        {"gpuready_value"},
        {"one_output", "__one_own"},
    )
    (tmp_path / "roles" / "one" / "meta" / "argument_specs.yml").write_text("{}", encoding="utf-8")
    again = role_inputs.roles(tmp_path, loader)
    assert again["one"].options is first["one"].options and again["one"].defaults is first["one"].defaults
