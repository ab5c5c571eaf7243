# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit XML, which CI systems show: a suite a stage, a case a result.

Format: the schema that Jenkins and GitLab read (testsuites/testsuite/testcase with failure, error and skipped).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import said

_FORBIDDEN = {code: " " for code in range(32) if code not in (9, 10, 13)}


def junit(reports: Sequence[Mapping[str, Any]], language: str = "en") -> str:
    """The reports as one XML document. A warning passes: it is told in the case's output."""
    root = ET.Element("testsuites", name="gpuready")
    for report in reports:
        for stage in report["stages"]:
            root.append(_suite(report, stage, language))
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Mapping[str, Any], stage: str, language: str) -> ET.Element:
    results = [result for result in report["results"] if result["stage"] == stage]
    counted = {"failures": "fail", "errors": "unknown", "skipped": "skip"}
    suite = ET.Element("testsuite", name=_clean(f"{report['host']}.{stage}"), tests=str(len(results)))
    for key, status in counted.items():
        suite.set(key, str(sum(result["status"] == status for result in results)))
    if report.get("collected_at"):
        suite.set("timestamp", _clean(report["collected_at"]).rstrip("Z"))
    for name, result in zip(_names(results), results):
        suite.append(_case(report, name, result, language))
    return suite


def _names(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each case, each once: CI systems keep one of two cases that are named alike.

    Such are findings on several environments of one container; the later ones are numbered, in the order of the checks.
    """
    names: list[str] = []
    for result in results:
        name = _clean(f"{result['id']}[{result['entity']}]" if result["entity"] else result["id"])
        number, unique = 1, name
        while unique in names:
            number += 1
            unique = f"{name} #{number}"
        names.append(unique)
    return names


def _case(report: Mapping[str, Any], name: str, result: Mapping[str, Any], language: str) -> ET.Element:
    case = ET.Element("testcase", name=name, classname=_clean(report["host"]), time="0")
    message = said(result, "message", language)
    detail = _clean("\n".join([message, *remedy_lines(result, language)]))
    if result["status"] == "fail":
        ET.SubElement(case, "failure", type=_action(result), message=_clean(message)).text = detail
    elif result["status"] == "unknown":
        ET.SubElement(case, "error", type="unknown", message=_clean(message)).text = detail
    elif result["status"] == "skip":
        ET.SubElement(case, "skipped", message=_clean(message))
    else:
        ET.SubElement(case, "system-out").text = detail
    return case


def remedy_lines(result: Mapping[str, Any], language: str) -> list[str]:
    remedy = result.get("remedy")
    return [] if not remedy else [said(remedy, "text", language), f"$ {remedy['command']}"]


def _action(result: Mapping[str, Any]) -> str:
    return str((result.get("remedy") or {}).get("action") or "none")


def _clean(value: Any) -> str:
    """XML 1.0 has no control characters, not even escaped ones, and no lone surrogates."""
    return (
        str(value)
        .translate(_FORBIDDEN)
        .encode("utf-8", "replace")
        .decode("utf-8")
        .replace("\ufffe", " ")
        .replace("\uffff", " ")
    )
