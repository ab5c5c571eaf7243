# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of several kinds need: documentation with its fragments, programs outside of the collection."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.utils.plugin_docs import get_docstring
from hypothesis import settings

# Property tests have no time limit for one example: a busy machine is no fault of the code. `make unit` takes new
# examples each time, which finds old faults; CI, which judges a change, takes the same ones each time (.ci/run).
settings.register_profile("gpuready", deadline=None, derandomize=bool(os.environ.get("UNIT_SAME_EXAMPLES")))
settings.load_profile("gpuready")

PROJECT = Path(__file__).resolve().parents[2]


class Fragments:
    """Doc fragments, as Ansible's loader finds them. The loader itself takes over all imports of the process."""

    def get(self, name: str) -> Any:
        collection, _dot, last = name.rpartition(".")
        core = collection in ("", "ansible.builtin")
        package = "ansible.plugins" if core else f"ansible_collections.{collection}.plugins"
        try:
            fragment = importlib.import_module(f"{package}.doc_fragments.{last}").ModuleDocFragment
        except ModuleNotFoundError:
            return None  # the last part names a variant, and Ansible asks again for what stands before it
        fragment.ansible_name = name if collection else f"ansible.builtin.{name}"
        return fragment


@pytest.fixture(scope="session")
def documentation() -> Callable[[ModuleType], dict[str, Any]]:
    """The documentation of a module or plugin with that of its fragments, merged by Ansible."""

    def read(plugin: ModuleType) -> dict[str, Any]:
        kind = plugin.__name__.rsplit(".", 2)[1]
        plugin_type = "module" if kind == "modules" else kind
        merged: dict[str, Any] = get_docstring(plugin.__file__, Fragments(), plugin_type=plugin_type)[0]
        return merged

    return read


@pytest.fixture(scope="session")
def load_program() -> Callable[[str], ModuleType]:
    """Import a file of the project that stands in no package, by its path."""

    def load(path: str) -> ModuleType:
        name = f"program_{path.replace('/', '_').removesuffix('.py')}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, PROJECT / path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} cannot be imported")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # dataclasses look their own module up
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load
