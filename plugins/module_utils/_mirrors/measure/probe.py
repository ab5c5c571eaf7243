# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask for one candidate, and what its answer says about it. Pure.

A probe reads the head of a small real file: dates and architectures of an InRelease stand in its first lines, before
the list of files. Any page can come with status 200 (a captive portal, a "moved" notice), so each kind looks
for what only the genuine file holds.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import Candidate, host_of
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.http import (
    Answer,
    Question,
    one_line,
)

HEAD_BYTES = 16384
FILE_BYTES = 1024
# dpkg's names of the machines that uname knows
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "ppc64le": "ppc64el",
    "i686": "i386",
    "armv7l": "armhf",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_ARCHIVES = r"\.(?:whl|tar\.gz|tar\.bz2|tar\.xz|tar\.zst|tgz|zip|egg|conda|deb|rpm|sh|pkg|exe)"
_FILE_LINK = re.compile(rf"href\s*=\s*[\"']?[^\"'>\s]+{_ARCHIVES}(?=[#?\"'>\s])", re.I)
_FOLDER_LINK = re.compile(r"href\s*=\s*[\"']?[^\"'>\s:]+/(?=[\"'>\s])", re.I)
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html|<head|<body|<script|<meta|<!--)", re.I)
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIMPLE = "text/html, application/vnd.pypi.simple.v1+html;q=0.9, application/vnd.pypi.simple.v1+json;q=0.5, */*;q=0.1"


@dataclass(frozen=True)
class Verdict:
    """date, valid_until: seconds of the epoch. arch_path: a file below the InRelease's folder that must be there."""

    state: str
    reason: str = ""
    date: float | None = None
    valid_until: float | None = None
    arch_path: str = ""


def question(candidate: Candidate) -> Question:
    """The small real artefact of a candidate's kind."""
    accepted = candidate.accept_redirect_to
    if candidate.kind == "file":
        return Question("HEAD", FILE_BYTES, accepted=accepted)
    accept = _SIMPLE if candidate.kind == "simple" else "*/*"
    return Question("GET", HEAD_BYTES, ranged=candidate.kind != "registry", accept=accept, accepted=accepted)


def needs_get(answer: Answer) -> bool:
    """A few servers know no HEAD."""
    return answer.status in (405, 501)


def judge(candidate: Candidate, answer: Answer, machine: str = "") -> Verdict:
    """What a probe says. machine: as in uname, for the kinds that are made for one."""
    bad = refused(answer, registry=candidate.kind == "registry")
    if bad is not None:
        return bad
    if candidate.kind == "registry":
        return _registry(answer)
    if candidate.kind == "file":
        return _file(candidate, answer)
    if answer.ended == "time":
        return Verdict("timeout", f"sent {len(answer.body)} bytes in {answer.seconds:.1f} s and no more")
    if answer.ended == "broken":
        return Verdict("truncated", f"the answer ended after {len(answer.body)} bytes, before its end")
    verdict = _READERS[candidate.kind](candidate, answer, machine)
    return verdict if verdict.state != "ok" else _said(verdict, redirected(candidate.probe_url, answer))


def refused(answer: Answer, registry: bool = False) -> Verdict | None:
    """The verdict that a status gives by itself; None where the content decides."""
    status = answer.status
    if status in (200, 206) or (registry and status == 401):
        return None
    if status in (404, 410):
        return Verdict("not_found", f"HTTP {status}: not on this mirror")
    if status in (401, 403, 429, 451):
        line = first_line(answer.body)
        return Verdict("forbidden", one_line(f"HTTP {status}: {line}" if line else f"HTTP {status}"))
    if status == 511:
        return Verdict("html", "HTTP 511: the network asks for a login first")
    line = first_line(answer.body)
    return Verdict("error", one_line(f"HTTP {status}: {line}" if line else f"HTTP {status}"))


def first_line(body: bytes) -> str:
    """The first line with words of a text or page."""
    text = body.decode("utf-8", "replace")
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<!--.*?(-->|$)", " ", text)
    text = re.sub(r"<[^>]{0,500}>", "\n" if "<" in text else " ", text)
    lines = (" ".join(html.unescape(line).split()) for line in text.splitlines())
    return one_line(next((line for line in lines if line), ""))


def redirected(asked: str, answer: Answer) -> str:
    """Who answered, if that was another host."""
    there = host_of(answer.url)
    return "" if there == host_of(asked) else f"answered by {there}"


def sampled(answer: Answer, expect_page: bool = False) -> Verdict:
    """What a timed sample says about the site."""
    bad = refused(answer)
    if bad is not None:
        return bad
    if answer.ended == "broken":
        return Verdict("truncated", f"a larger file ended after {len(answer.body)} bytes, before its end")
    if not expect_page and is_page(answer):
        return Verdict("html", _page_reason(answer))
    return Verdict("ok")


def is_page(answer: Answer) -> bool:
    """An HTML page, by its content; a type alone is often wrong."""
    return bool(_PAGE.match(answer.body[:512]))


def _page_reason(answer: Answer) -> str:
    return one_line(f"a page in place of the file: {first_line(answer.body)}")


def _said(verdict: Verdict, reason: str) -> Verdict:
    return Verdict(verdict.state, reason, verdict.date, verdict.valid_until, verdict.arch_path) if reason else verdict


def epoch(text: str | None) -> float | None:
    """An RFC 5322 or HTTP date."""
    try:
        parsed = parsedate_tz(text) if text else None
        found = None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return found if found is not None and 0 <= found < 2**33 else None


def _inrelease(candidate: Candidate, answer: Answer, machine: str) -> Verdict:
    if is_page(answer):
        return Verdict("html", _page_reason(answer))
    text = answer.body.decode("utf-8", "replace")
    fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*?)\s*$", text, re.MULTILINE))
    signed = _SIGNED in answer.body[:512]
    if not signed and not candidate.probe_url.endswith("/Release"):
        return Verdict("error", one_line(f"no signed InRelease: {first_line(answer.body)}"))
    date, until = epoch(fields.get("Date")), epoch(fields.get("Valid-Until"))
    if date is None:
        return Verdict("error", "the InRelease has no Date that can be read")
    architecture = candidate.architecture or ARCHITECTURES.get(machine, machine)
    known = fields.get("Architectures", "").split()
    if architecture and known and architecture not in known and "all" not in known:
        return Verdict("wrong_architecture", one_line(f"has {' '.join(known)}, not {architecture}"), date, until)
    # Ubuntu's archive and its ports share one InRelease that names all architectures: one file of ours must be there
    listed = re.search(rf"^ [0-9a-f]+ +\d+ (\S*binary-{re.escape(architecture)}/Packages\.[xg]z)$", text, re.MULTILINE)
    return Verdict("ok", "", date, until, listed.group(1) if architecture and listed else "")


def _simple(candidate: Candidate, answer: Answer, machine: str) -> Verdict:
    text = answer.body.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        known = '"files"' in text or '"projects"' in text
        return Verdict("ok") if known else Verdict("error", "JSON that is no simple index")
    top = urlsplit(candidate.probe_url).path.rstrip("/").rpartition("/")[2] in ("simple", "")
    if _FILE_LINK.search(text) or (top and "href" in text.lower()):
        return Verdict("ok")
    return Verdict("html", one_line(f"a page without any file of a package: {first_line(answer.body)}"))


def _listing(candidate: Candidate, answer: Answer, machine: str) -> Verdict:
    text = answer.body.decode("utf-8", "replace")
    if _FILE_LINK.search(text) or _FOLDER_LINK.search(text):
        return Verdict("ok")
    return Verdict("html", one_line(f"a page without any file: {first_line(answer.body)}"))


def _json(candidate: Candidate, answer: Answer, machine: str) -> Verdict:
    if is_page(answer):
        return Verdict("html", _page_reason(answer))
    text = answer.body.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        return Verdict("error", one_line(f"no JSON: {first_line(answer.body)}"))
    if answer.ended == "whole" and answer.status == 200:
        try:
            json.loads(text)
        except ValueError:
            return Verdict("error", "JSON that cannot be read")
    return Verdict("ok", "", epoch(answer.headers.get("last-modified")) if candidate.kind == "repodata" else None)


def _repodata(candidate: Candidate, answer: Answer, machine: str) -> Verdict:
    """repomd.xml of dnf, or repodata.json of conda."""
    if b"<repomd" not in answer.body[:1024]:
        return _json(candidate, answer, machine)
    # createrepo numbers revisions by the time
    revision = re.search(rb"<revision>(\d{9,10})</revision>", answer.body[:4096])
    date = float(revision.group(1)) if revision else epoch(answer.headers.get("last-modified"))
    return Verdict("ok", "", date)


def _registry(answer: Answer) -> Verdict:
    asks = "www-authenticate" in answer.headers or "docker-distribution-api-version" in answer.headers
    body = answer.body.strip()
    if is_page(answer) or not (asks or (answer.status == 200 and (not body or body.startswith(b"{")))):
        return Verdict("html", _page_reason(answer))
    return Verdict("ok")


def _file(candidate: Candidate, answer: Answer) -> Verdict:
    kind = answer.headers.get("content-type", "").lower()
    page = urlsplit(candidate.probe_url).path.endswith((".html", ".htm", "/"))
    if not page and (kind.startswith("text/html") or is_page(answer)):
        return Verdict("html", _page_reason(answer) if answer.body else "a page in place of the file")
    if answer.headers.get("content-length") == "0":
        return Verdict("truncated", "the file is empty there")
    return Verdict("ok", redirected(candidate.probe_url, answer))


_READERS = {"inrelease": _inrelease, "simple": _simple, "html": _listing, "json": _json, "repodata": _repodata}
