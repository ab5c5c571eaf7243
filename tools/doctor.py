# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build dist/gpuready-doctor.pyz from the collection's own files: collector, checks, texts and page.

The tables become JSON, since a GPU host may have no PyYAML. The archive is the same for the same sources.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections/gpuready/bootstrap/plugins"
NUMBERED = "__numbered__"
EPOCH = (1980, 1, 1, 0, 0, 0)


def sources() -> Iterator[tuple[str, str]]:
    """(name in the archive, text)."""
    for parent in (
        "ansible_collections",
        "ansible_collections/gpuready",
        "ansible_collections/gpuready/bootstrap",
        PACKAGE,
    ):
        yield f"{parent}/__init__.py", ""
    for folder in ("module_utils", "plugin_utils"):
        yield f"{PACKAGE}/{folder}/__init__.py", ""
    # the rest of module_utils writes, and belongs to the roles
    utils = PLUGINS / "module_utils"
    readers = ("_command.py", "_toml_edit.py", "_toml_reader.py")
    wanted = [*(utils / name for name in readers), *(utils / "_snapshot").rglob("*.py")]
    utils = PLUGINS / "plugin_utils"
    wanted += [utils / "readiness_files.py", utils / "whole_file.py", *(utils / "readiness").rglob("*.py")]
    # remedies say what the plan would do with a driver
    wanted += (utils / "plan").glob("*.py")
    for path in sorted(wanted):
        yield f"{PACKAGE}/{path.relative_to(PLUGINS).as_posix()}", path.read_text(encoding="utf-8")
    yield from data()
    yield "__main__.py", (ROOT / "tools" / "doctor_main.py").read_text(encoding="utf-8")


def data() -> Iterator[tuple[str, str]]:
    folder = PLUGINS / "plugin_utils" / "data"
    for path in sorted(folder.glob("*.yml")):
        yield f"{PACKAGE}/plugin_utils/data/{path.stem}.json", _json(yaml.safe_load(path.read_text(encoding="utf-8")))
    for language in sorted((folder / "messages").iterdir()):
        merged: dict[str, Any] = {}
        for path in sorted(language.glob("*.yml")):
            merged.update(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        yield f"{PACKAGE}/plugin_utils/data/messages/{language.name}.json", _json(merged)
    for path in sorted((folder / "report").iterdir()):
        yield f"{PACKAGE}/plugin_utils/data/report/{path.name}", path.read_text(encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(_marked(value), ensure_ascii=False, default=str, separators=(",", ":"))


def _marked(node: Any) -> Any:
    """Mappings with numbers as keys, marked as such: see plugin_utils/readiness/data.py."""
    if isinstance(node, list):
        return [_marked(item) for item in node]
    if not isinstance(node, dict):
        return node
    marked = {str(key): _marked(value) for key, value in node.items()}
    return {NUMBERED: marked} if node and all(isinstance(key, int) for key in node) else marked


def build(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        stream.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in sources():
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)
    target.chmod(0o755)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "gpuready-doctor.pyz")
    target = parser.parse_args().output
    build(target)
    print(f"{target} ({target.stat().st_size // 1024} KiB): python3 {target.name} --help")
    return 0


if __name__ == "__main__":
    sys.exit(main())
