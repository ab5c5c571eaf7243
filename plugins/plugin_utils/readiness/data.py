# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and catalogues in `plugin_utils/data`: YAML in the collection, JSON in the stand-alone doctor."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

NUMBERED = "__numbered__"
FOLDER = Path(__file__).resolve().parent.parent / "data"


@cache
def load(name: str) -> Any:
    """A table by its name, such as "gpus", or all files of a folder merged, such as "messages/zh". Do not change it."""
    folder, single = FOLDER / name, FOLDER / f"{name}.yml"
    if folder.is_dir():
        merged: dict[str, Any] = {}
        for path in sorted(folder.glob("*.yml")):
            merged.update(_yaml(path) or {})
        return merged
    if single.is_file():
        return _yaml(single)
    # inside the doctor's archive there are no files, and on a GPU host no PyYAML: its builder left JSON there
    return json.loads(read(f"{name}.json"), object_hook=_whole_numbers)


def _whole_numbers(node: dict[str, Any]) -> dict[Any, Any]:
    """JSON has no numbers as keys: the builder marks such a mapping."""
    numbered = node.get(NUMBERED)
    return {int(key): value for key, value in numbered.items()} if isinstance(numbered, dict) else node


def read(name: str) -> str:
    """The text of a data file, such as "report/page.css"."""
    path = FOLDER / name
    if path.is_file():
        return path.read_text(encoding="utf-8")
    loader: Any = globals()["__loader__"]
    text: str = loader.get_data(str(path)).decode("utf-8")
    return text


def _yaml(path: Path) -> Any:
    import yaml  # not on every GPU host, see load()

    # libyaml where PyYAML has it: ten times faster on the large tables
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
