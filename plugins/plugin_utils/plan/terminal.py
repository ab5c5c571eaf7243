# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines of text for a terminal: choice, value, reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import cells, pad, wrap
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import said, say

WIDTH = 80
# columns of the value, and of the choice's name at most
VALUE, NAME = 24, 16
# columns of the reason at least; where a terminal has fewer it stands below
REASON = 24
GAP = "  "


def table(plan: Mapping[str, Any], language: str = "en", width: int = WIDTH) -> list[str]:
    """The plan of one machine; no line is wider than `width` columns, but for a word that cannot be cut."""
    title = _clean(say("{host}: plan", host=plan["host"] or say("this machine")).into(language))
    lines = [f"── {title} " + "─" * max(0, width - cells(title) - 4)]
    lines += _wrapped(_of_machine(plan, language), "", width)
    if plan["choices"]:
        lines += ["", *_rows(plan["choices"], language, width)]
    for note in plan["notes"]:
        lines += _labelled(say("note:").into(language), said(note, "text", language), language, width)
    if plan["refusal"]:
        lines += ["", *_refused(plan["refusal"], language, width)]
    return [line.rstrip() for line in lines]


def folder(plans: Sequence[Mapping[str, Any]], language: str = "en", width: int = WIDTH) -> list[str]:
    """A line for each machine of a folder, the refused ones first, and one that counts."""
    ordered = sorted(plans, key=lambda plan: (plan["refusal"] is None, plan["host"]))
    name_width = max((cells(_clean(plan["host"])) for plan in ordered), default=0)
    words = {True: say("REFUSED").into(language), False: say("planned").into(language)}
    word_width = max(map(cells, words.values()))
    lines = []
    for plan in ordered:
        refused = plan["refusal"] is not None
        head = f"{pad(_clean(plan['host']), name_width)}{GAP}{pad(words[refused], word_width)}{GAP}"
        told = said(plan["refusal"], "reason", language) if refused else _brief(plan, language)
        lines += _hung(head, told, width)
    counts = Counter(plan["refusal"] is not None for plan in plans)
    total = say("{count} planned, {refused} refused", count=counts[False], refused=counts[True]).into(language)
    return [*lines, "", total]


def _brief(plan: Mapping[str, Any], language: str) -> str:
    """The choices that people ask for first, short enough for one line."""
    values = {item["id"]: item["value"] for item in plan["choices"]}
    driver = plan["driver"] or {}
    runs = say("no Linux driver").into(language)
    if driver.get("needed") or driver.get("branch"):
        runs = " ".join(str(driver[key]) for key in ("branch", "modules", "source") if driver.get(key))
    found = re.match(r"[^:]*:(\d[\d.]*)", str(values.get("cuda_image")))
    cuda = f"CUDA {found.group(1)}" if found else values.get("cuda_image")
    parts = [runs, f"torch {values.get('torch')} {values.get('torch_index')}", cuda, values.get("tier")]
    return " · ".join(str(part) for part in parts if part)


def _of_machine(plan: Mapping[str, Any], language: str) -> str:
    """What was planned for, in one sentence."""
    machine = plan["machine"]
    cards = machine["cards"]
    if cards is None:
        gpus = say("GPUs not known").into(language)
    else:
        counted = Counter(card["name"].removeprefix("NVIDIA ") for card in cards)
        gpus = ", ".join(f"{count} x {name}" for name, count in counted.items()) or say("no NVIDIA GPU").into(language)
    system = " ".join(str(machine[key]) for key in ("os_id", "os_version") if machine.get(key))
    loaded = say("driver {version} runs", version=machine["loaded"]).into(language) if machine.get("loaded") else ""
    platform = machine["platform"] if machine.get("platform") != "host" else ""
    parts = (gpus, system, machine.get("arch"), platform, loaded)
    return " · ".join(_clean(part) for part in parts if part)


def _rows(choices: Sequence[Mapping[str, Any]], language: str, width: int) -> list[str]:
    heads = [text.into(language) for text in (say("Choice"), say("Value"), say("Reason"))]
    names = [said(item, "title", language) for item in choices]
    name_width = min(NAME, max(cells(name) for name in (*names, heads[0])))
    rest = width - name_width - VALUE - 2 * len(GAP)
    if rest < REASON:
        return _stacked(choices, names, name_width, language, width)
    columns = (name_width, VALUE, rest)
    lines = [_row(heads, columns), GAP.join("─" * column for column in columns)]
    for item, name in zip(choices, names):
        cut = [
            _cut(name, name_width),
            _value_lines(item["value"]),
            wrap(_clean(said(item, "reason", language)), rest),
        ]
        lines += [_row([part[n] if n < len(part) else "" for part in cut], columns) for n in range(max(map(len, cut)))]
    return lines


def _stacked(
    choices: Sequence[Mapping[str, Any]], names: Sequence[str], name_width: int, language: str, width: int
) -> list[str]:
    """On a narrow terminal the reason stands below the value."""
    columns = (name_width, max(VALUE, width - name_width - len(GAP)))
    lines: list[str] = []
    for item, name in zip(choices, names):
        cut = [_cut(name, name_width), _value_lines(item["value"])]
        lines += [_row([part[n] if n < len(part) else "" for part in cut], columns) for n in range(max(map(len, cut)))]
        lines += _wrapped(said(item, "reason", language), GAP * 2, width)
    return lines


def _row(parts: Sequence[str], columns: Sequence[int]) -> str:
    return GAP.join(pad(part, column) for part, column in zip(parts, columns)).rstrip()


def _value_lines(value: Any) -> list[str]:
    """Each entry of a list on a line of its own, equal ones counted."""
    if not isinstance(value, (list, tuple)) or not value:
        return _cut(_value(value), VALUE)
    counted = Counter(map(_value, value))
    return [
        line for text, count in counted.items() for line in _cut(text if count == 1 else f"{count} x {text}", VALUE)
    ]


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(_value(item) for item in value) or "–"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_value(item)}" for key, item in value.items()) or "–"
    return str(value)


def _cut(text: str, width: int) -> list[str]:
    """As wrap(), but names of packages and images that are too long are cut behind a separator."""
    lines: list[str] = []
    for line in wrap(_clean(text), width):
        while cells(line) > width:
            head = re.match(rf".{{1,{width - 1}}}[-_/:.,]", line)
            size = head.end() if head else width
            lines.append(line[:size])
            line = line[size:]
        lines.append(line)
    return lines


def _refused(refusal: Mapping[str, Any], language: str, width: int) -> list[str]:
    label = say("refused ({rung}):", rung=refusal["rung"]).into(language)
    lines = _labelled(label, said(refusal, "reason", language), language, width)
    for nearest in refusal["nearest"]:
        lines += _labelled(say("what works:").into(language), said(nearest, "text", language), language, width)
        # never cut: it is there to be copied
        lines += [f"    -e {name}={_value(value)}" for name, value in nearest["vars"].items()]
    return lines


def _labelled(label: str, text: str, language: str, width: int) -> list[str]:
    return _hung(label + ("" if language == "zh" else " "), text, width)


def _hung(head: str, text: str, width: int) -> list[str]:
    """A head and the text beside it; further lines stand under the text, or near the margin where the head is long."""
    indent = " " * (cells(head) if cells(head) <= width // 3 else 4)
    room = max(24, width - cells(head))
    lines = wrap(_clean(text), room)
    first, rest = lines[0], " ".join(lines[1:])
    return [head + first, *_wrapped(rest, indent, width)] if rest else [head + first]


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return [indent + line for line in wrap(_clean(text), max(24, width - len(indent)))]


def _clean(text: Any) -> str:
    """Terminal control characters of a foreign name must not reach the terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text)).strip()
