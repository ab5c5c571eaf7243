# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that people read exists in English and Chinese, with the same values in it."""

from __future__ import annotations

import ast
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import text
from helpers import ROOT

SOURCES = sorted((ROOT / "plugins" / "plugin_utils").rglob("*.py")) + sorted(
    path for folder in ("action", "callback") for path in (ROOT / "plugins" / folder).glob("*.py")
)
CATALOGUES = sorted((text.MESSAGES / "zh").glob("*.yml"))
# constructors of findings and remedies: what they get as text must come from say()
PEOPLE = {"ok", "fail", "warn", "skip", "unknown", "by_hand", "reboot", "policy_remedy", "Nearest"}
# those whose text is not their first argument: its place
LATER = {"Choice": (1, 3), "RefusedError": (1,)}
ROOMS = ("readiness", "plan")


PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# what judges or plans has both languages, and is told which one to speak
SPEAKING = ("gpuready.bootstrap.gpu_plan", "gpuready.bootstrap.gpu_readiness")


def tasks(found: Any) -> Iterator[Any]:
    """All mappings in a playbook, tasks in blocks among them."""
    for part in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from tasks(part)
    if isinstance(found, dict):
        yield found


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_that_judges_or_plans_does_so_in_the_wished_language(path: Path) -> None:
    spoken = [
        task[name] for task in tasks(yaml.safe_load(path.read_text("utf-8"))) for name in SPEAKING if name in task
    ]
    assert all("gpuready_language" in arguments.get("language", "") for arguments in spoken)


ROLE_FILES = sorted(path for folder in ("tasks", "vars") for path in (ROOT / "roles").glob(f"*/{folder}/*.yml"))


@pytest.mark.parametrize("path", sorted((ROOT / "roles").iterdir()), ids=lambda path: path.name)
def test_a_role_that_judges_or_plans_does_so_in_its_language(path: Path) -> None:
    found = [task for file in path.glob("tasks/*.yml") for task in tasks(yaml.safe_load(file.read_text("utf-8")))]
    spoken = [task[name] or {} for task in found for name in SPEAKING if name in task]
    assert all(f"{path.name}_language" in arguments.get("language", "") for arguments in spoken)


FILTERS = {path.stem: path.read_text("utf-8") for path in (ROOT / "plugins" / "filter").glob("*.py")}
# filters whose texts are in both languages, by what their documentation lists
BILINGUAL = [name for name, source in FILTERS.items() if "\n  language:\n" in source]
# filters that tell users in a sentence what cannot be, by what their documentation says they return
REFUSING = [name for name, source in FILTERS.items() if re.search(r"refusal|sentence", source.partition("RETURN")[2])]
# what speaks English only as yet
ENGLISH = {"driver_set", "gpu_heal_report"}


@pytest.mark.parametrize("name", sorted({*REFUSING} - ENGLISH))
def test_a_filter_that_refuses_does_so_in_both_languages(name: str) -> None:
    assert name in BILINGUAL


@pytest.mark.parametrize("name", sorted(BILINGUAL))
def test_a_role_has_its_refusals_in_the_wished_language(name: str) -> None:
    for path in ROLE_FILES:
        # with its arguments, as a filter or in map('...'); bare, it would speak English
        for call in re.findall(
            rf"\| *(?:map\(')?gpuready\.bootstrap\.{name}\b(?:\(|', )?([^)]*)", path.read_text("utf-8")
        ):
            role = path.relative_to(ROOT / "roles").parts[0]
            assert call.endswith(f"{role}_language"), path
            default = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text("utf-8"))
            assert "gpuready_language" in default[f"{role}_language"]


def said() -> Iterator[tuple[str, ast.expr]]:
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        # text.py has texts of its own, and need not import itself
        if "readiness.text import" not in source and path.name != "text.py":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0]


SAID = list(said())
TEMPLATES = {str(node.value): where for where, node in SAID if isinstance(node, ast.Constant)}
CHINESE = text.catalogue("zh")


def fields(template: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(template) if name is not None}


def test_texts_are_literals() -> None:
    assert [where for where, node in SAID if not isinstance(node, ast.Constant)] == []
    assert len(TEMPLATES) > 150


def test_every_text_has_a_chinese_one() -> None:
    assert {template: where for template, where in TEMPLATES.items() if template not in CHINESE} == {}


def test_no_translation_is_left_over() -> None:
    # the tables of GPUs, Xids and tiers hold their English texts as data
    data = {
        str(value)
        for path in (ROOT / "plugins" / "plugin_utils" / "data").glob("*.yml")
        for value in leaves(yaml.safe_load(path.read_text(encoding="utf-8")))
    }
    assert [template for template in CHINESE if template not in TEMPLATES and template not in data] == []


def leaves(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        for value in node.values():
            yield from leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value)
    else:
        yield node


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translations_hold_the_same_values(path: Path) -> None:
    for english, chinese in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        assert isinstance(chinese, str) and chinese.strip(), english
        assert fields(english) == fields(chinese), english


def test_no_text_is_translated_twice() -> None:
    seen = Counter(
        english for path in CATALOGUES for english in (yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    )
    assert [english for english, number in seen.items() if number > 1] == []


def bare_texts(source: str) -> Iterator[int]:
    """Lines on which an f-string or a bare string would stay English."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        places = LATER.get(name, (0,) if name in PEOPLE else ())
        for place in places:
            if place < len(node.args) and isinstance(node.args[place], (ast.JoinedStr, ast.Constant)):
                yield node.lineno


def test_findings_remedies_and_plans_speak_through_say() -> None:
    bare = []
    for room in ROOMS:
        paths = sorted((ROOT / "plugins" / "plugin_utils" / room).rglob("*.py"))
        assert paths, f"plugin_utils/{room} is empty: the test would prove nothing"
        for path in paths:
            bare += [f"{room}/{path.name}:{line}" for line in bare_texts(path.read_text(encoding="utf-8"))]
    assert bare == []


@pytest.mark.parametrize(
    "source",
    ['fail("x", remedy)', 'Choice("id", "Title", 1, say("why"))', 'RefusedError("rung", f"{x}")', 'Nearest("x")'],
)
def test_a_bare_text_is_found(source: str) -> None:
    assert list(bare_texts(source)) == [1]


def test_the_texts_of_plans_are_among_those_looked_at() -> None:
    for room in ROOMS:
        assert any(f"plugin_utils/{room}/" in where for where in TEMPLATES.values()), room
