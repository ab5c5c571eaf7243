# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One self-contained HTML page for a run: no network, no other file, both languages.

Names, messages and snapshots come from machines that may be hostile. Python writes them only as escaped text, as JSON
without `<`, or as base64; the script writes them only as text nodes. The content security policy allows the page's own
style and script by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from string import Template
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import (
    Host,
    Silence,
    compact,
    pack,
    visible,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_words import words
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import xid
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import LANGUAGES

SCRIPTS = ("page.js", "fleet.js", "host.js", "hardware.js", "start.js")
# A page is mailed and opened on phones. The frame, style, script and table take what is above it, up to 3 MB.
BLOB_BUDGET = 2_100_000
_HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}
# kind of silence -> the word for what to do
_SILENT_STEPS = {"unreachable": "step_login", "failed": "step_failed", "not_begun": "step_again"}
_VERDICTS = ("ready", "ready_with_warnings", "not_ready", "unknown")


def page(
    hosts: Sequence[Host],
    *,
    title: str = "",
    language: str = "en",
    generated_at: str | None = None,
    stopped: Mapping[str, str] | None = None,
    silent: Mapping[str, Silence] | None = None,
    snapshot_files: Mapping[str, str] | None = None,
    budget: int = BLOB_BUDGET,
) -> str:
    """The whole page. `hosts`: (report, its snapshot or None) in the order of the inventory.

    `language` is shown first. `stopped`: host -> what ended the run on it after it was judged; `silent`: hosts without
    a report, and why. `snapshot_files`: host -> file name, told where a snapshot is left out. `budget`: characters for
    packed data.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it must be one of {', '.join(LANGUAGES)}")
    packed = pack(hosts, budget=budget, meanings=xid_meanings(hosts))
    fleet = {
        **packed.fleet,
        "title": title,
        "language": language,
        "words": words(),
        "generated_at": generated_at,
        "stopped": dict(stopped or {}),
        "silent": [_silent(host, silence) for host, silence in (silent or {}).items()],
        "files": dict(snapshot_files or {}),
    }
    style, script = asset("page.css"), "(function () {\n'use strict';\n" + "".join(map(asset, SCRIPTS)) + "})();\n"
    said = words()[language]
    text = Template(asset("page.html")).substitute(
        language=_HTML_LANGUAGES[language],
        policy=content_security_policy(style, script),
        title=_text(title or said["title"]),
        style=style,
        script=script,
        no_script=escape(said["no_script"]),
        table=_table(fleet, said, language),
        fleet=embedded_json(fleet),
        blobs="".join(_blobs(packed.shared, packed.hosts, packed.snapshots)),
    )
    # half a surrogate pair in a machine's string could not be written to a file
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def asset(name: str) -> str:
    return read(f"report/{name}")


def content_security_policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def embedded_json(value: Any) -> str:
    """JSON that no HTML parser takes for a tag and no script parser for a line end."""
    text = compact(value)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def xid_meanings(hosts: Sequence[Host]) -> dict[str, dict[str, str]]:
    """code -> what the table of Xids says on it, for the codes that these hosts logged."""
    codes: set[int] = set()
    for _report, snapshot in hosts:
        log = (snapshot or {}).get("kernel_log")
        hits = log.get("hits") if isinstance(log, Mapping) else None
        for hit in hits if isinstance(hits, list) else []:
            if isinstance(hit, Mapping) and isinstance(hit.get("code"), int):
                codes.add(hit["code"])
    known = [found for found in map(xid, sorted(codes)) if found is not None]
    return {
        str(found.code): {
            "action": found.action,
            "meaning": found.meaning.into("en"),
            "meaning_zh": found.meaning.into("zh"),
        }
        for found in known
    }


def _silent(host: str, silence: Silence) -> dict[str, Any]:
    key, said = _SILENT_STEPS[silence.kind], words()
    step = {"command": silence.command, "text": said["en"][key], "text_zh": said["zh"][key]}
    return {"name": host, "why": silence.kind, "reason": silence.reason, "next": step}


def _blobs(shared: str, hosts: Sequence[str], snapshots: Sequence[str | None]) -> list[str]:
    named = [("shared", shared), *((f"host-{number}", text) for number, text in enumerate(hosts))]
    named += [(f"snapshot-{number}", text) for number, text in enumerate(snapshots) if text is not None]
    return [f'<script type="text/plain" id="{name}">{text}</script>\n' for name, text in named]


def _table(fleet: Mapping[str, Any], said: Mapping[str, str], language: str) -> str:
    """The main thing without any script: host, verdict, next command."""
    rows = [_table_row(host, fleet["stopped"], said, language) for host in fleet["hosts"]]
    rows += [_silent_row(host, said, language) for host in fleet["silent"]]
    heads = "".join(f'<th scope="col">{escape(said[key])}</th>' for key in ("host", "verdict", "next"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{''.join(rows)}</tbody></table>"


def _table_row(host: Mapping[str, Any], stopped: Mapping[str, str], said: Mapping[str, str], language: str) -> str:
    step, name, verdict = host["next"], host["name"], str(host["verdict"])
    text = step.get("text_zh" if language == "zh" else "text") or ""
    word = said["unknown_verdict" if verdict not in _VERDICTS or verdict == "unknown" else verdict]
    if name in stopped:
        verdict, word = "stopped", said["stopped_text"].replace("{text}", stopped[name])
    if host["simulated"]:
        word = f"{word} [{said['simulated']}]"
    if step["judges"]:
        text = f"{text} {said['judge_again']}"
    return _row(verdict if verdict in (*_VERDICTS, "stopped") else "unknown", name, word, text, step.get("command"))


def _silent_row(host: Mapping[str, Any], said: Mapping[str, str], language: str) -> str:
    step = host["next"]
    word = " ".join(filter(None, (said["silent"] + ":", said["silent_" + host["why"]], host["reason"])))
    return _row("silent", host["name"], word, step["text_zh" if language == "zh" else "text"], step["command"])


def _row(kind: str, name: str, word: str, text: str, command: str | None) -> str:
    code = f"<code>{_text(command)}</code>" if command else ""
    return (
        f'<tr><th scope="row">{_text(name)}</th><td class="v-{kind}">{_text(word)}</td>'
        f"<td>{_text(text)} {code}</td></tr>\n"
    )


def _text(text: str) -> str:
    return escape(visible(text))
