# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/checks.md: every readiness check, what fails it and what mends it.

What fails a check is not kept in a list: the machines of tests/fixtures/cases are judged, and a test demands that they
show every message there is. `--check` changes nothing and exits 1 if the file is stale.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import generated

TARGET = ROOT / "docs" / "checks.md"
CASES_READER = ROOT / "tests" / "unit" / "plugins" / "plugin_utils" / "readiness"
# a template with fewer letters of its own says nothing without the texts in it
TELLING = 6
# what the engine puts around the message of a check
WRAPPERS = ("{message} [simulated GPU]", "{message} ({remark})")
HEAD = """# Readiness checks

<!-- made by tools/check_reference.py; do not edit -->

{total} checks, in the order of the report. `readiness.md` explains statuses, verdicts and policy.

- **Severity**: a failed blocker or major check makes the host not ready. A minor or info check only warns. The policy
  can change the severity of each check (`severity`), leave it out (`skip`), or waive it until a day (`waive`).
- **What fails it**: the messages, with `{{}}` around what is filled in. *warn* in front: this one only warns.
- **What mends it**: a role of the road, a playbook, or what a person does. Each report names the whole command.
- ◦ behind an id: the check looks at a GPU, and is skipped where the policy expects none. ▫: it belongs to the host, and
  is skipped in a rented container.
"""
ABOUT = {
    "preflight": "Can the road be walked on this machine? It is the only stage that is judged before anything changes.",
    "driver": "Do driver, GPUs and links work, now and after the next boot?",
    "container": "Do containers get the GPU, and keep it?",
    "dev": "Does the work run: login, Jupyter, Python, CUDA, torch? In a rented container it judges that container.",
}
TABLE = ["| Id | Severity | Check | What fails it | What mends it |", "| --- | --- | --- | --- | --- |"]


@dataclass
class Seen:
    """What the cases have shown of one check; in the order in which it was met."""

    complaints: dict[str, None] = field(default_factory=dict)
    remedies: dict[str, None] = field(default_factory=dict)


def _module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.{name}")


def judged() -> Iterator[tuple[Any, bool]]:
    """(result, whether it was judged inside a rented container) of every case."""
    # the tests read the cases, too: there is one reader
    sys.path.insert(0, str(CASES_READER))
    saved = importlib.import_module("saved")
    engine, checks = _module("evaluate"), _module("registry").CHECKS
    for case in saved.cases():
        snapshot = saved.case_snapshot(case)
        for result in engine.evaluate(saved.case_context(case, snapshot), checks):
            yield result, snapshot.get("scope") == "container"


def seen() -> dict[str, Seen]:
    """What fails each check and what mends it, by id."""
    found: dict[str, Seen] = {check.id: Seen() for check in _module("registry").CHECKS}
    for result, rented in judged():
        if str(result.status) not in ("fail", "warn") or result.waived:
            continue
        found[result.id].complaints.setdefault(complaint(result))
        # in a rented container everything that belongs to the host is asked for
        if result.remedy is not None and not rented:
            found[result.id].remedies.setdefault(remedy(result.remedy))
    return found


def complaint(result: Any) -> str:
    """The message's template, marked where it only warns in a check that can fail."""
    text = result.message
    while text.template in WRAPPERS:
        text = text.args["message"]
    serious = str(result.severity) in ("blocker", "major")
    return f"*warn* {template(text)}" if serious and str(result.status) == "warn" else template(text)


def template(text: Any) -> str:
    """A text's template. One that hardly says anything itself, such as "{path}: {error}", with the texts put in."""
    said = str(text.template)
    if len(re.sub(r"{\w+}|\W", "", said)) >= TELLING:
        return said
    for name, value in text.args.items():
        inner = value[0] if isinstance(value, list) and value else value
        if hasattr(inner, "template"):
            said = said.replace(f"{{{name}}}", inner.template)
    return said


def remedy(given: Any) -> str:
    """A role of the road, a playbook of its own, or in words what a person does."""
    judges = _module("commands").JUDGES
    if given.role is not None and given.role not in judges:
        return f"`{given.role}`"
    for playbook in (_module("commands").UPGRADE, _module("commands").HEAL):
        if playbook in given.command:
            return f"`{playbook}`"
    if given.action == "set_var":
        return "policy" if all(name.endswith("_policy") for name in given.vars) else "a setting"
    return "by hand" if given.action == "none" else str(given.action).replace("_", " ")


def cell(text: str) -> str:
    """As a cell of a Markdown table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def row(check: Any, found: Seen) -> str:
    """The line of one check."""
    marks = " ◦" * bool(check.gpu) + " ▫" * bool(check.host_only)
    english, chinese = (check.title.into(language) for language in ("en", "zh"))
    title = english if english == chinese else f"{english} / {chinese}"
    complaints = "<br>".join(cell(text) for text in found.complaints)
    # roles first: they mend without a person
    remedies = sorted(found.remedies, key=lambda name: not name.startswith("`"))
    # the guides point at single checks; GitHub gives headings an anchor, not rows
    anchor = f'<a id="{check.id.lower()}"></a>'
    return f"| `{check.id}`{anchor}{marks} | {check.severity} | {cell(title)} | {complaints} | {', '.join(remedies)} |"


def reference() -> str:
    """The whole document."""
    checks, found = _module("registry").CHECKS, seen()
    parts = [HEAD.format(total=len(checks))]
    for stage, about in ABOUT.items():
        rows = [row(check, found[check.id]) for check in checks if str(check.stage) == stage]
        parts.append("\n".join([f"## {stage}: {len(rows)} checks", "", about, "", *TABLE, *rows, ""]))
    return "\n".join(parts)


def main(argv: list[str] | None = None) -> int:
    """Run the program."""
    sys.path.insert(0, str(ROOT / ".collections"))
    return generated.keep(lambda: {TARGET: reference()}, ROOT, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
