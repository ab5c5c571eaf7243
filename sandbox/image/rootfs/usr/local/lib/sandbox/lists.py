# SPDX-License-Identifier: GPL-3.0-or-later
"""Shorten the package lists of the image, while it is built: to what hosts install, and all that this needs.

Each program of APT reads all packages that it knows: nearly 70,000, for half a second to two of the processor. Lists
of an archive stay short until its release file changes, or until a source has another address: then APT fetches whole
ones. Kept are the sections below with what they depend on and recommend, and all outside of Debian's main section.
"""

from __future__ import annotations

from pathlib import Path

import apt_pkg

LISTS = Path("/var/lib/apt/lists")
SECTIONS = {"admin", "editors", "kernel", "net", "shells", "utils", "vcs"}
# what roles and tests install besides: all words of roles, plugins and tests that are names of packages were looked at
NAMES = {"build-essential", "hello", "python3-pip", "python3-venv", "rootlesskit", "tinyproxy", "virtualenv"}
RELATIONS = ("PreDepends", "Depends", "Recommends")


def is_root(package: apt_pkg.Package) -> bool:
    return (
        package.name in NAMES
        or package.current_ver is not None
        or any(version.section in SECTIONS or "/" in version.section for version in package.version_list)
    )


def targets(package: apt_pkg.Package) -> set[str]:
    """Whatever can satisfy a relation of one of its versions."""
    return {
        target.parent_pkg.name
        for version in package.version_list
        for relation in RELATIONS
        for alternatives in version.depends_list.get(relation, [])
        for dependency in alternatives
        for target in dependency.all_targets()
    }


def needed(cache: apt_pkg.Cache) -> set[str]:
    todo = [package.name for package in cache.packages if is_root(package)]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += targets(cache[name]) - found
    return found


def shorten(path: Path, names: set[str]) -> None:
    paragraphs = path.read_text().split("\n\n")
    kept = [text for text in paragraphs if text.removeprefix("Package: ").split("\n", 1)[0] in names]
    path.write_text("".join(f"{text}\n\n" for text in kept))
    print(f"{path.name}: {len(kept)} of {len(paragraphs)} packages")


def main() -> None:
    apt_pkg.init()
    names = needed(apt_pkg.Cache(None))
    for path in LISTS.glob("*_main_binary-*_Packages"):
        shorten(path, names)


main()
