# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the Chinese guides in step with the English ones.

Each Chinese page begins with the digest of the English page that it was written from. Who has changed an English page,
and looked at the Chinese one, stamps it anew:

    python3 tools/guides.py                    # which pages are stale; exit status 1 if there is one
    python3 tools/guides.py --stamp PAGE...    # the Chinese pages that were looked at; without a name all of them
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = re.compile(r"^<!-- en: sha256:([0-9a-f]{64}) -->\n")
FENCE = "```"
# In a code block: a comment that stands alone, or behind two spaces, may be translated
COMMENT = re.compile(r"(?:^|\s{2,})# .*$")
HEADING = re.compile(r"(#{1,6}) +(.*)")
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
CODE = re.compile(r"(`+)(.+?)\1")


@dataclass
class Page:
    """What a page of Markdown is made of. `parts` is the order of its blocks: heading, code, row, item."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def links(self) -> list[str]:
        return LINK.findall("\n".join(self.prose))

    @property
    def spans(self) -> list[str]:
        """What stands between backticks in the text."""
        return [text.strip() for line in self.prose for _ticks, text in CODE.findall(line)]


def parse(text: str) -> Page:
    """Read a page: fenced blocks, and blocks that are indented by four characters or more."""
    page, block, fenced, language = Page(), list[str](), False, ""

    def close() -> None:
        if block:
            page.blocks.append("\n".join(block).strip("\n"))
            page.languages.append(language)
            page.parts.append("code")
            block.clear()

    for line in STAMP.sub("", text).split("\n"):
        if line.lstrip().startswith(FENCE):
            close()
            fenced, language = not fenced, line.strip(" `")
        elif fenced or (line.startswith("    ") and line.strip()):
            block.append(line if fenced else line.strip())
        else:
            if block and line.strip():
                close()
            elif block:
                block.append("")
            if not block:
                language = ""
                _text(page, line)
    close()
    return page


def _text(page: Page, line: str) -> None:
    """A line that is no code."""
    heading = HEADING.match(line)
    if heading:
        page.headings.append((len(heading[1]), heading[2].strip()))
        page.parts.append(f"h{len(heading[1])}")
    elif line.startswith("|"):
        page.parts.append("row")
    elif re.match(r"(?:[-*]|\d+\.) ", line):
        page.parts.append("item")
    page.prose.append(line)


def commands(page: Page) -> list[str]:
    """The code blocks as both languages must have them: comments, which may be translated, are left out."""
    return ["\n".join(COMMENT.sub("", line).rstrip() for line in block.split("\n")) for block in page.blocks]


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda found: found[1] or "", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def pairs() -> Iterator[tuple[Path, Path]]:
    """(English, Chinese) of each page, whether it is there or not."""
    yield ROOT / "README.md", ROOT / "README.zh-CN.md"
    names = {path.name for folder in ("docs/guides", "docs/zh/guides") for path in (ROOT / folder).glob("*.md")}
    for name in sorted(names):
        yield ROOT / "docs" / "guides" / name, ROOT / "docs" / "zh" / "guides" / name


def digest(english: Path) -> str:
    return hashlib.sha256(english.read_bytes()).hexdigest()


def stamped(chinese: Path) -> str:
    """The digest at the beginning of a Chinese page; empty where it has none."""
    found = STAMP.match(chinese.read_text(encoding="utf-8"))
    return found[1] if found else ""


def stamp(english: Path, chinese: Path) -> bool:
    """Write the digest of the English page into the Chinese one. Says whether that changed it."""
    text = chinese.read_text(encoding="utf-8")
    wanted = f"<!-- en: sha256:{digest(english)} -->\n{STAMP.sub('', text)}"
    if wanted != text:
        chinese.write_text(wanted, encoding="utf-8")
    return wanted != text


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stamp", nargs="*", metavar="PAGE", help="Chinese pages that were looked at; none: all")
    options = parser.parse_args(argv)
    there = [(english, chinese) for english, chinese in pairs() if english.is_file() and chinese.is_file()]
    if options.stamp is None:
        stale = [chinese for english, chinese in there if stamped(chinese) != digest(english)]
        for path in stale:
            print(
                f"stale: {path.relative_to(ROOT)} (look at it, then: tools/guides.py --stamp {path.relative_to(ROOT)})"
            )
        return int(bool(stale))
    chosen = {Path(name).resolve() for name in options.stamp}
    unknown = chosen - {chinese for _english, chinese in there}
    if unknown:
        parser.error(f"no Chinese page with an English one: {', '.join(sorted(map(str, unknown)))}")
    for english, chinese in there:
        if (not chosen or chinese in chosen) and stamp(english, chinese):
            print(f"stamped: {chinese.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
