# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as lines for a terminal. A line is a list of (text, style); colours are left to whoever prints it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import judges_only
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, said, say

Line = list[tuple[str, str]]

CHANGES_SHOWN = 12
# columns that the names of a table are padded to, at most
NAME_MAX = 40
# of so many judged snapshots each is shown in full
FEW = 3
# the entity of checks that look at a rented container itself
THIS_MACHINE = "this machine"

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✗", "skip": "–", "unknown": "?"}
STYLES = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim", "unknown": "magenta"}
VERDICTS = {
    "ready": (say("READY"), "bold green"),
    "ready_with_warnings": (say("READY, with warnings"), "bold yellow"),
    "not_ready": (say("NOT READY"), "bold red"),
    "unknown": (say("NOT KNOWN TO BE READY"), "bold magenta"),
}
STAGES = {
    "preflight": say("preflight"),
    "driver": say("driver"),
    "container": say("container"),
    "dev": say("dev"),
}
INDENT = "  "
REMEDY_INDENT = "      "


def cells(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining ones none."""
    width = 0
    for char in text:
        if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn", "Me"):
            continue
        width += 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
    return width


def pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def _pieces(text: str) -> list[str]:
    """What may stand at a line's end: words, and every wide character by itself."""
    pieces: list[str] = []
    for char in text:
        wide = unicodedata.east_asian_width(char) in ("W", "F")
        if char.isspace():
            pieces.append(" ")
        elif wide or not pieces or pieces[-1] == " " or unicodedata.east_asian_width(pieces[-1][-1]) in ("W", "F"):
            pieces.append(char)
        else:
            pieces[-1] += char
    return pieces


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns; a longer word stands alone on its line, whole."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and cells(line) + cells(piece) > width:
            lines.append(line.rstrip())
            line = ""
        if line or piece != " ":
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def folded(line: Line, width: int, indent: str) -> list[Line]:
    """A line as lines of at most `width` columns; styles stay, later lines are indented, a longer word stays whole."""
    lines: list[Line] = [[]]
    used = 0
    for text, style in line:
        for piece in _pieces(text):
            if piece != " " and used > len(indent) and used + cells(piece) > width:
                lines[-1] = _stripped(lines[-1])
                lines.append([(indent, "")])
                used = len(indent)
            if piece != " " or used > len(indent) or len(lines) == 1:
                lines[-1].append((piece, style))
                used += cells(piece)
    return [*lines[:-1], _stripped(lines[-1])]


def _one_line(text: Any) -> str:
    """Terminal control characters of a foreign message must not reach the terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text)).strip()


def stage_lines(report: Mapping[str, Any], columns: int) -> list[Line]:
    lines: list[Line] = []
    language = _language(report)
    width = max(cells(STAGES[stage].into(language)) for stage in STAGES) + 2
    for stage in report["stages"]:
        results = [r for r in report["results"] if r["stage"] == stage]
        counts = {status: sum(r["status"] == status for r in results) for status in SYMBOLS}
        worst = next((s for s in ("fail", "unknown", "warn", "pass", "skip") if counts[s]), "skip")
        judged = len(results) - counts["skip"]
        line: Line = [(f"{INDENT}{SYMBOLS[worst]} ", STYLES[worst]), (pad(STAGES[stage].into(language), width), "bold")]
        told = say("{passed} of {judged} passed", passed=counts["pass"], judged=judged) if judged else say("not judged")
        line.append((pad(told.into(language), 20), ""))
        line.append((_joined(_counted(counts), language), STYLES[worst]))
        if not judged:
            reasons = dict.fromkeys(said(r, "skip_reason", language) for r in results if r["skip_reason"])
            reason = next(iter(reasons), say("nothing to judge").into(language))
            line.append((("：" if language == "zh" else ": ") + reason, "dim"))
        lines += folded(_stripped(line), columns, REMEDY_INDENT)
    return lines


def _language(report: Mapping[str, Any]) -> str:
    return str(report.get("language") or "en")


def _counted(counts: Mapping[str, int]) -> list[Text]:
    """What is not a pass, in numbers."""
    texts = {
        "fail": say("{count} failed", count=counts["fail"]),
        "unknown": say("{count} unknown", count=counts["unknown"]),
        "warn": say("{count} warned", count=counts["warn"]),
        "skip": say("{count} skipped", count=counts["skip"]),
    }
    return [text for status, text in texts.items() if counts[status]]


def _joined(texts: Sequence[Text], language: str) -> str:
    return ("，" if language == "zh" else ", ").join(text.into(language) for text in texts)


def _stripped(line: Line) -> Line:
    """Without blanks at the end, so that a saved log has none."""
    while line and not line[-1][0].strip():
        line = line[:-1]
    return [*line[:-1], (line[-1][0].rstrip(), line[-1][1])] if line else line


def _result_lines(
    result: Mapping[str, Any], others: Sequence[str], id_width: int, width: int, language: str, evidence: bool
) -> list[Line]:
    style = STYLES[result["status"]]
    head = f"{INDENT}{SYMBOLS[result['status']]} {pad(result['id'], id_width)}  "
    message, entity = _one_line(said(result, "message", language)), _one_line(result["entity"] or "")
    # "this machine" stands for itself, in any language
    if entity not in message and entity != THIS_MACHINE:
        message = f"{entity}: {message}"
    if others:
        message = say("{message} (also {others})", message=message, others=list(others)).into(language)
    texts = wrap(message, max(30, width - cells(head)))
    lines: list[Line] = [[(head, style), (texts[0], "")]]
    lines += [[(" " * cells(head), ""), (text, "")] for text in texts[1:]]
    if evidence:
        lines += [
            [(f"{REMEDY_INDENT}{item['path']} = {_one_line(item['value'])}", "dim")] for item in result["evidence"]
        ]
    remedy = result.get("remedy")
    if remedy:
        label = say("do:").into(language) + ("" if language == "zh" else " ")
        indent = " " * cells(label)
        told = wrap(_one_line(said(remedy, "text", language)), max(30, width - len(REMEDY_INDENT) - len(indent)))
        lines += [[(REMEDY_INDENT + (label if not n else indent) + text, "dim")] for n, text in enumerate(told)]
        if judges_only(remedy):
            lines.append([(f"{REMEDY_INDENT}{say('then judge again:').into(language)}", "dim")])
        # never wrapped: a command is there to be copied
        lines.append([(f"{REMEDY_INDENT}    $ {_one_line(remedy['command'])}", "cyan")])
    return lines


def grouped(results: Sequence[Mapping[str, Any]], language: str) -> list[tuple[Mapping[str, Any], list[str]]]:
    """The same finding on several GPUs as one, with the other GPUs' names."""
    groups: dict[tuple[str, str, str], tuple[Mapping[str, Any], list[str]]] = {}
    for number, result in enumerate(results):
        entity = result["entity"] or ""
        shape = said(result, "message", language)
        key = (result["id"], result["status"], shape.replace(entity, "*") if entity else f"{shape}#{number}")
        if key in groups:
            groups[key][1].append(entity)
        else:
            groups[key] = (result, [])
    return list(groups.values())


def _skip_lines(results: Sequence[Mapping[str, Any]], width: int, language: str) -> list[Line]:
    """Checks that fell with another one, by what caused it. What does not apply to a machine is only counted."""
    groups: dict[str, list[str]] = {}
    for result in results:
        reason = say("while {cause} fails", cause=result["caused_by"]).into(language)
        if result["id"] not in groups.setdefault(reason, []):
            groups[reason].append(result["id"])
    lines: list[Line] = []
    for reason, ids in groups.items():
        text = say("not judged ({reason}): {ids}", reason=_one_line(reason), ids=ids).into(language)
        for number, part in enumerate(wrap(text, max(30, width - 4))):
            lines.append([(f"{INDENT}{SYMBOLS['skip'] if not number else ' '} {part}", "dim")])
    return lines


def _plural(number: int, one: Text, many: Text) -> Text:
    return one if number == 1 else many


def verdict_line(report: Mapping[str, Any], stopped: str | None = None) -> Line:
    """`stopped`: what ended the run on this host after it was judged well."""
    counts, language = report["counts"], _language(report)
    words, style = VERDICTS[report["verdict"]]
    if stopped is not None:
        words, style = say("STOPPED: {reason}", reason=_one_line(stopped)), "bold red"
    blockers = sum(r["status"] == "fail" and r["severity"] == "blocker" for r in report["results"])
    others, warned = counts["fail"] - blockers, counts["warn"]
    told = [
        (blockers, _plural(blockers, say("1 blocker"), say("{count} blockers", count=blockers))),
        (others, _plural(others, say("1 other failure"), say("{count} other failures", count=others))),
        (warned, _plural(warned, say("1 warning"), say("{count} warnings", count=warned))),
        (counts["unknown"], say("{count} unknown", count=counts["unknown"])),
        (counts["skip"], say("{count} skipped", count=counts["skip"])),
        (1, say("{count} passed", count=counts["pass"])),
    ]
    line: Line = [(f"{report['host']}: {words.into(language)}", style)]
    line.append((f" — {_joined([text for number, text in told if number], language)}", ""))
    if report["simulated"]:
        line.append((" " + say("[simulated GPU]").into(language), "bold magenta"))
    return line


def report_lines(
    report: Mapping[str, Any], *, width: int, show_all: bool = False, stopped: str | None = None
) -> list[Line]:
    host, language = report["host"], _language(report)
    title = f"{host} · {_joined([STAGES[stage] for stage in report['stages']], language)}"
    lines: list[Line] = [[(f"── {title} " + "─" * max(0, width - cells(title) - 4), "bold")]]
    lines += stage_lines(report, width)
    open_results = [r for r in report["results"] if r["status"] in ("fail", "unknown", "warn")]
    shown = list(report["results"]) if show_all else open_results
    if shown:
        lines.append([])
        id_width = max(len(r["id"]) for r in shown)
        for result, others in grouped(shown, language):
            lines += _result_lines(result, others, id_width, width, language, show_all)
    judged_stages = {r["stage"] for r in report["results"] if r["status"] != "skip"}
    skipped = [r for r in report["results"] if r["caused_by"] and r["stage"] in judged_stages]
    if not show_all and skipped:
        lines += [*([] if shown else [[]]), *_skip_lines(skipped, width, language)]
    lines += _changed_lines(report, width, language)
    closing = _closing_lines(report, width, language)
    return [*lines, [], *folded(verdict_line(report, stopped), width, INDENT), *closing]


def _changed_lines(report: Mapping[str, Any], width: int, language: str) -> list[Line]:
    since = report.get("since_ready")
    if not since or not since["changes"]:
        return []
    head = say("changed since it was ready ({when}):", when=since["collected_at"]).into(language)
    lines: list[Line] = [[], [(f"{INDENT}{head}", "bold")]]
    for change in since["changes"][:CHANGES_SHOWN]:
        text = f"{change['path']}: {_one_line(change['was'])} → {_one_line(change['now'])}"
        lines += [[(f"{REMEDY_INDENT}{part}", "")] for part in wrap(text, max(30, width - 6))[:2]]
    rest = len(since["changes"]) - CHANGES_SHOWN
    if rest > 0:
        lines.append([(f"{REMEDY_INDENT}{say('and {count} more, in the report', count=rest).into(language)}", "dim")])
    return lines


def _closing_lines(report: Mapping[str, Any], width: int, language: str) -> list[Line]:
    lines: list[Line] = []

    def tell(text: str, style: str = "") -> None:
        lines.extend(folded([(INDENT + _one_line(text), style)], width, REMEDY_INDENT))

    if report.get("gpus"):
        marked = " " + say("(simulated)").into(language) if report["simulated"] else ""
        tell(f"GPU: {', '.join(report['gpus'])}{marked}")
    tier = report.get("tier")
    if tier:
        text = say(
            "tier: {title}; good for: {use}", title=said(tier, "title", language), use=said(tier, "good_for", language)
        )
        tell(text.into(language))
    if report["simulated"] and report.get("simulated_text"):
        tell(say("simulated: {what}", what=report["simulated_text"]).into(language), "magenta")
    command = report["next"]["command"]
    if command:
        tell(say("next: {text}", text=said(report["next"], "text", language)).into(language))
        remedies = [result["remedy"] for result in report["results"] if result.get("remedy")]
        if any(judges_only(remedy) for remedy in remedies if remedy["command"] == command):
            lines.append([(f"{REMEDY_INDENT}{say('then judge again:').into(language)}", "")])
        lines.append([(f"{INDENT}      $ {_one_line(command)}", "bold cyan")])
    return lines


def page_line(path: str, language: str) -> Line:
    return [(say("page: {path}", path=path).into(language), "bold")]


def table_lines(hosts: Sequence[Mapping[str, Any]]) -> list[Line]:
    """A line for each host of a judged folder: the worst first, with what failed, or else warned."""
    order = {"not_ready": 0, "unknown": 1, "ready_with_warnings": 2, "ready": 3}
    # one long name moves its own row only
    name_width = min(NAME_MAX, max((cells(_one_line(host["host"])) for host in hosts), default=0))
    lines: list[Line] = []
    for host in sorted(hosts, key=lambda item: (order[item["verdict"]], item["host"])):
        words, style = VERDICTS[host["verdict"]]
        ids = host["failed"] or host["open"]
        told = ", ".join(ids[:4]) + (" …" if len(ids) > 4 else "")
        line: Line = [(pad(_one_line(host["host"]), name_width) + "  ", "")]
        line.append((pad(words.into(_language(host)), 22), style))
        lines.append(_stripped([*line, (told, "")]))
    return lines


def fleet_line(
    reports: Sequence[Mapping[str, Any]],
    stopped: Sequence[str],
    silent: Sequence[str],
    unreachable: Sequence[str] = (),
    untouched: Sequence[str] = (),
) -> Line:
    """One line for all hosts, each counted once.

    `stopped` were judged well but did not finish; `silent` have no report at all; `unreachable` could not be reached,
    at first or later; `untouched` did not have their turn, because the run ended before.
    """
    language = _language(reports[0]) if reports else "en"
    total = len({str(report["host"]) for report in reports}.union(silent, unreachable, untouched))
    head = say("fleet: {count} host —", count=total) if total == 1 else say("fleet: {count} hosts —", count=total)
    line: Line = [(head.into(language) + " ", "bold")]
    parts: list[tuple[str, str]] = []
    for verdict, (words, style) in VERDICTS.items():
        hosts = [r["host"] for r in reports if r["verdict"] == verdict and r["host"] not in {*stopped, *unreachable}]
        if hosts:
            shown = words.into(language).lower()
            text = say("{count} {verdict}", count=len(hosts), verdict=shown)
            if verdict != "ready":
                text = say("{count} {verdict} ({hosts})", count=len(hosts), verdict=shown, hosts=hosts)
            parts.append((text.into(language), style))
    halted = [host for host in stopped if host not in unreachable]
    mute = [host for host in silent if host not in unreachable]
    for named_hosts, text in (
        (halted, say("{count} stopped ({hosts})", count=len(halted), hosts=halted)),
        (unreachable, say("{count} unreachable ({hosts})", count=len(unreachable), hosts=list(unreachable))),
        (mute, say("{count} without a report ({hosts})", count=len(mute), hosts=mute)),
        (untouched, say("{count} not begun ({hosts})", count=len(untouched), hosts=list(untouched))),
    ):
        if named_hosts:
            parts.append((text.into(language), "bold red"))
    for number, part in enumerate(parts):
        line += [("；" if language == "zh" else "; ", "")] * bool(number) + [part]
    return line


def plain(lines: Sequence[Line]) -> str:
    return "\n".join("".join(text for text, _style in line) for line in lines)
