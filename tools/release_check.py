# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the version in galaxy.yml can be released: its changes are written down, and none is left over."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def problems(root: Path) -> list[str]:
    """What stands in the way, one sentence each."""
    version = str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append(f"galaxy.yml: {version} is no version for a release; it must be three numbers, such as 1.2.0.")
    fragments = sorted(path.name for path in (root / "changelogs" / "fragments").glob("*.y*ml"))
    if fragments:
        found.append(f"Changes that are in no release: {', '.join(fragments)}. Run: antsibull-changelog release")
    history = root / "changelogs" / "changelog.yaml"
    releases = (yaml.safe_load(history.read_text(encoding="utf-8")) if history.is_file() else None) or {}
    if version not in (releases.get("releases") or {}):
        found.append(f"changelogs/changelog.yaml has no release {version}. Run: antsibull-changelog release")
    escaped = version.replace(".", r"\.")
    if not re.search(rf"^## v{re.escape(escaped)}$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE):
        found.append(f"CHANGELOG.md has no section for {version}. Run: antsibull-changelog generate")
    return found


def main() -> int:
    found = problems(ROOT)
    for problem in found:
        print(f"ERROR: {problem}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
