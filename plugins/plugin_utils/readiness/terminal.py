# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as lines for a terminal. A line is a list of (text, style); colours are left to whoever prints it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

Line = list[tuple[str, str]]

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✗", "skip": "–", "unknown": "?"}
STYLES = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim", "unknown": "magenta"}
VERDICTS = {
    "ready": ("READY", "bold green"),
    "ready_with_warnings": ("READY, with warnings", "bold yellow"),
    "not_ready": ("NOT READY", "bold red"),
    "unknown": ("NOT KNOWN TO BE READY", "bold magenta"),
}
STAGE_COUNT_WORDS = {"warn": "warned", "fail": "failed", "unknown": "unknown", "skip": "skipped"}
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


def _one_line(text: Any) -> str:
    """Terminal control characters of a foreign message must not reach the terminal."""
    return "".join(char if char.isprintable() else " " for char in str(text)).strip()


def stage_lines(report: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    for stage in report["stages"]:
        results = [r for r in report["results"] if r["stage"] == stage]
        counts = {status: sum(r["status"] == status for r in results) for status in SYMBOLS}
        worst = next((s for s in ("fail", "unknown", "warn", "pass", "skip") if counts[s]), "skip")
        judged = len(results) - counts["skip"]
        extras = [f"{counts[s]} {STAGE_COUNT_WORDS[s]}" for s in ("fail", "unknown", "warn", "skip") if counts[s]]
        line: Line = [(f"{INDENT}{SYMBOLS[worst]} ", STYLES[worst]), (pad(stage, 11), "bold")]
        line.append((pad(f"{counts['pass']} of {judged} passed", 18) if judged else pad("not judged", 18), ""))
        line.append((", ".join(extras), STYLES[worst]))
        lines.append(_stripped(line))
        if not judged:
            reasons = dict.fromkeys(r["skip_reason"] for r in results if r["skip_reason"])
            lines[-1] = _stripped([*line, (f": {next(iter(reasons), 'nothing to judge')}", "dim")])
    return lines


def _stripped(line: Line) -> Line:
    """Without blanks at the end, so that a saved log has none."""
    while line and not line[-1][0].strip():
        line = line[:-1]
    return [*line[:-1], (line[-1][0].rstrip(), line[-1][1])] if line else line


def _result_lines(result: Mapping[str, Any], id_width: int, width: int) -> list[Line]:
    style = STYLES[result["status"]]
    head = f"{INDENT}{SYMBOLS[result['status']]} {pad(result['id'], id_width)}  "
    message, entity = _one_line(result["message"]), _one_line(result["entity"] or "")
    if entity not in message:
        message = f"{entity}: {message}"
    texts = wrap(message, max(30, width - cells(head)))
    lines: list[Line] = [[(head, style), (texts[0], "")]]
    lines += [[(" " * cells(head), ""), (text, "")] for text in texts[1:]]
    remedy = result.get("remedy")
    if remedy:
        label = "do: "
        told = wrap(_one_line(remedy["text"]), max(30, width - len(REMEDY_INDENT) - len(label)))
        lines += [
            [(REMEDY_INDENT + (label if not n else " " * len(label)) + text, "dim")] for n, text in enumerate(told)
        ]
        # never wrapped: a command is there to be copied
        lines.append([(f"{REMEDY_INDENT}    $ {_one_line(remedy['command'])}", "cyan")])
    return lines


def _skip_lines(results: Sequence[Mapping[str, Any]], width: int) -> list[Line]:
    """Skipped checks, gathered by what caused it; whole stages that were not judged are told in the stage table."""
    groups: dict[str, list[str]] = {}
    for result in results:
        reason = f"while {result['caused_by']} fails" if result["caused_by"] else result["skip_reason"] or "no reason"
        if result["id"] not in groups.setdefault(reason, []):
            groups[reason].append(result["id"])
    lines: list[Line] = []
    for reason, ids in groups.items():
        text = f"not judged ({_one_line(reason)}): {', '.join(ids)}"
        for number, part in enumerate(wrap(text, max(30, width - 4))):
            lines.append([(f"{INDENT}{SYMBOLS['skip'] if not number else ' '} {part}", "dim")])
    return lines


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def verdict_line(report: Mapping[str, Any], stopped: str | None = None) -> Line:
    """`stopped`: what ended the run on this host after it was judged well."""
    counts = report["counts"]
    words, style = VERDICTS[report["verdict"]]
    if stopped is not None:
        words, style = f"STOPPED: {_one_line(stopped)}", "bold red"
    blockers = sum(r["status"] == "fail" and r["severity"] == "blocker" for r in report["results"])
    said = [_many(blockers, "blocker")] if blockers else []
    said += [_many(counts["fail"] - blockers, "other failure" if blockers else "failure")]
    said += [_many(counts["warn"], "warning"), f"{counts['unknown']} unknown", f"{counts['skip']} skipped"]
    told = [part for part in said if not part.startswith("0 ")] + [f"{counts['pass']} passed"]
    line: Line = [(f"{report['host']}: {words}", style), (f" — {', '.join(told)}", "")]
    if report["simulated"]:
        line.append((" [simulated GPU]", "bold magenta"))
    return line


def report_lines(
    report: Mapping[str, Any], *, width: int, show_all: bool = False, stopped: str | None = None
) -> list[Line]:
    host = report["host"]
    title = f"{host} · {', '.join(report['stages'])}"
    lines: list[Line] = [[(f"── {title} " + "─" * max(0, width - cells(title) - 4), "bold")]]
    lines += stage_lines(report)
    open_results = [r for r in report["results"] if r["status"] in ("fail", "unknown", "warn")]
    shown = [r for r in report["results"] if show_all or r in open_results]
    if shown:
        lines.append([])
        id_width = max(len(r["id"]) for r in shown)
        for result in shown:
            lines += _result_lines(result, id_width, width)
    judged_stages = {r["stage"] for r in report["results"] if r["status"] != "skip"}
    skipped = [r for r in report["results"] if r["status"] == "skip" and r["stage"] in judged_stages]
    if not show_all and skipped:
        lines += [*([] if shown else [[]]), *_skip_lines(skipped, width)]
    lines += [[], verdict_line(report, stopped)]
    if report.get("gpus"):
        marked = " (simulated)" if report["simulated"] else ""
        lines.append([(f"{INDENT}GPU: {_one_line(', '.join(report['gpus']))}{marked}", "")])
    if report["simulated"] and report.get("simulated_text"):
        lines.append([(f"{INDENT}simulated: {_one_line(report['simulated_text'])}", "magenta")])
    if report["next"]["command"]:
        lines.append([(f"{INDENT}next: {_one_line(report['next']['text'])}", "")])
        lines.append([(f"{INDENT}      $ {_one_line(report['next']['command'])}", "bold cyan")])
    return lines


def fleet_line(reports: Sequence[Mapping[str, Any]], stopped: Sequence[str], silent: Sequence[str]) -> Line:
    """One line for all hosts. `stopped` were judged well but did not finish; `silent` have no report at all."""
    total = len(reports) + len(silent)
    line: Line = [(f"fleet: {total} hosts — ", "bold")]
    parts: list[tuple[str, str]] = []
    for verdict, (words, style) in VERDICTS.items():
        hosts = [r["host"] for r in reports if r["verdict"] == verdict and r["host"] not in stopped]
        if hosts:
            named = "" if verdict == "ready" else f" ({', '.join(hosts)})"
            parts.append((f"{len(hosts)} {words.lower()}{named}", style))
    if stopped:
        parts.append((f"{len(stopped)} stopped ({', '.join(stopped)})", "bold red"))
    if silent:
        parts.append((f"{len(silent)} without a report ({', '.join(silent)})", "bold red"))
    for number, part in enumerate(parts):
        line += [("; ", "")] * bool(number) + [part]
    return line


def plain(lines: Sequence[Line]) -> str:
    return "\n".join("".join(text for text, _style in line) for line in lines)
