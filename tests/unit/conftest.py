# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of programs outside of the collection need."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Property tests have no time limit for one example: a busy machine is no fault of the code
settings.register_profile("gpuready", deadline=None)
settings.load_profile("gpuready")

PROJECT = Path(__file__).resolve().parents[2]


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
