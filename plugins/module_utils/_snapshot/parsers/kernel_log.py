# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the kernel log that say something about a GPU.

Read are the forms of `journalctl -o short-unix`, `dmesg`, `dmesg --time-format iso`, and kern.log with either kind of
time stamp. The messages are those of the kernel modules (open-gpu-kernel-modules: kernel-open/nvidia/nv.c, nv-pci.c,
osapi.c) and of Linux (drivers/pci/pci.c, drivers/pci/pcie/aer.c, kernel/module/signing.c, mm/oom_kill.c).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

LIMIT = 200
_TEXT = 400

# every pattern below holds one of these words; finding a word costs a hundredth of matching patterns line by line
_WORDS = (
    "NVRM:",
    "SXid",
    "No NVIDIA GPU",
    "unavailable key",
    "Key was rejected",
    "unsigned module",
    "available PCIe bandwidth",
    "PCIe Bus Error",
    "Out of memory: Killed",
)


class Signature(NamedTuple):
    """One kind of message. `lines`: how many lines after the first belong to the message."""

    name: str
    pattern: re.Pattern[str]
    lines: int = 0


_PID = r"(?:, pid=(?:'?<[^>]*>'?|(?P<pid>\d+)))?(?:, name=(?:<[^>]*>|(?P<process>[^,]+)))?"
# the first that matches names the line
SIGNATURES = (
    Signature("xid", re.compile(r"NVRM: Xid \((?:PCI:)?(?P<bdf>[0-9a-fA-F:.]+)\): (?P<code>\d{1,5})" + _PID)),
    Signature("sxid", re.compile(r"SXid \((?:PCI:)?(?P<bdf>[0-9a-fA-F:.]+)\): (?P<code>\d{1,9})")),
    Signature("probe", re.compile(r"NVRM: The NVIDIA probe routine was not called for \d+ device")),
    Signature("none", re.compile(r"None of the NVIDIA (?:graphics adapters|devices) were initialized|No NVIDIA GPU")),
    Signature("bar", re.compile(r"This PCI I/O region assigned to your NVIDIA device is invalid"), 1),
    Signature(
        "api",
        re.compile(r"NVRM: API mismatch(?:: the client(?: '(?P<process>[^']{1,64})')?(?: \(pid (?P<pid>\d+)\))?)?"),
        2,
    ),
    Signature("rminit", re.compile(r"RmInitAdapter failed!")),
    Signature("gsp", re.compile(r"Cannot initialize GSP firmware RM")),
    Signature("bus", re.compile(r"fallen off the bus")),
    Signature(
        "key",
        re.compile(
            r"Loading of (?:unsigned )?module (?:with unavailable key )?is rejected|Key was rejected by service"
            r"|Lockdown: .*unsigned module"
        ),
    ),
    Signature("limit", re.compile(r"available PCIe bandwidth, limited by .* at \S+ \(capable of")),
    Signature("aer", re.compile(r"PCIe Bus Error: severity=(?:Correct|Uncorrect)")),
    Signature(
        "oom",
        re.compile(
            r"Out of memory: Killed process (?P<pid>\d+) "
            r"\((?P<process>(?:python|jupyter|dockerd|containerd|nvidia)[^)]*)"
        ),
    ),
)

# their meaning depends on the lines around
_CONTEXT = frozenset({signature.name for signature in SIGNATURES if signature.lines} | {"bus"})

_DEVICE = re.compile(r"\b([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?)(?!:?[0-9a-fA-F])")
_BDF = re.compile(r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})(?:\.([0-7])|:[0-7])?")
_UNIX = re.compile(r"(\d{9,11})(?:\.\d+)? (?:\S+ )?kernel: (.*)")
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?:? (?:(?:\S+ )?kernel: )?(.*)")
_SYSLOG = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ (?:kernel: )?(.*)")
_UPTIME = re.compile(r"\[ *(\d{1,9})\.\d+\](?:\[[^\]]*\])? ?(.*)")
_BOOT = re.compile(r"Linux version \d")


def bdf(value: str | None) -> str | None:
    """Bring the addresses of kernel messages ("PCI:0000:53:00" has no function) to the form of sysfs."""
    match = _BDF.fullmatch((value or "").strip())
    if match is None:
        return None
    domain, bus, slot, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{int(bus, 16):02x}:{int(slot, 16):02x}.{function or '0'}"


def split(line: str, boot: float | None = None) -> tuple[str | None, str]:
    """Return the time (ISO 8601 in UTC) and the message of a line. `boot`: seconds since 1970 of this boot's start.

    A stamp without a year or a zone tells no time.
    """
    when: str | None = None
    message = line
    match = _UNIX.fullmatch(line)
    if match:
        when, message = systemctl.iso(int(match.group(1))), match.group(2)
    else:
        match = _ISO.fullmatch(line)
        if match:
            when, message = _utc(match.group(1), match.group(2)), match.group(3)
        else:
            match = _SYSLOG.fullmatch(line)
            message = match.group(1) if match else line
    match = _UPTIME.fullmatch(message)
    if match:
        message = match.group(2)
        if when is None and boot is not None:
            when = systemctl.iso(boot + int(match.group(1)))
    return when, message.strip()


def _utc(stamp: str, zone: str | None) -> str | None:
    seconds = systemctl.seconds(stamp)
    if seconds is None or zone is None:
        return None
    if zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        seconds -= 60 * (minutes if zone[0] == "+" else -minutes)
    return systemctl.iso(seconds)


def this_boot(text: str) -> str:
    """Cut off what a log file holds of earlier boots."""
    start = 0
    for match in _BOOT.finditer(text):
        start = match.start()
    return text[text.rfind("\n", 0, start) + 1 :] if start else text


def start(text: str, boot: float | None = None) -> str | None:
    """Return the time of the first line that has one."""
    for line in text[:20000].splitlines():
        when, _message = split(line, boot)
        if when is not None:
            return when
    return None


def parse(text: str, boot: float | None = None) -> dict[str, Any]:
    """Return {hits, truncated} of a log, oldest first. Identical hits are one with a count and the last time."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    # a bus that fails says the same thing thousands of times: such lines are counted without a look inside
    seen: dict[str, dict[str, Any]] = {}
    last: dict[int, int] = {}
    kinds: dict[str, int] = {}
    truncated = False
    for position in _candidates(text):
        words = _words(text, position)
        known = seen.get(words)
        if known is not None:
            known["count"] += 1
            last[id(known)] = position
            continue
        hit = _hit(text, position, boot)
        if hit is None:
            continue
        name = hit["signature"]
        # an Xid's text holds channel numbers and addresses: who and where make it the same, not the words
        rest = (hit["pid"], hit["process"]) if name == "xid" else (hit["text"],)
        key = (name, hit["bdf"], hit["code"], *rest)
        if key in found:
            found[key].update(count=found[key]["count"] + 1, time=hit["time"] or found[key]["time"], text=hit["text"])
            last.pop(id(found[key]), None)
        elif kinds.get(name, 0) >= LIMIT:
            truncated = True
        else:
            kinds[name] = kinds.get(name, 0) + 1
            found[key] = hit
        if key in found and name not in _CONTEXT:
            seen[words] = found[key]
    for hit in found.values():
        if id(hit) in last:
            hit["time"] = split(_lines(text, last[id(hit)], 1)[0][:4096], boot)[0] or hit["time"]
    return {"hits": list(found.values()), "truncated": truncated}


def _words(text: str, position: int) -> str:
    """Return a line without its stamps, quickly; a stamp that stays makes lines differ, no more."""
    end = text.find("\n", position)
    line = text[position : len(text) if end < 0 else end]
    start = line.find("kernel: ")
    line = line[start + 8 :] if start >= 0 else line.partition(" ")[2]
    return line.partition("] ")[2] if line.startswith(("[", " ")) else line


def _candidates(text: str) -> list[int]:
    """Return where the lines start that hold one of the words, in order."""
    starts: set[int] = set()
    for word in _WORDS:
        position = text.find(word)
        while position >= 0:
            starts.add(text.rfind("\n", 0, position) + 1)
            end = text.find("\n", position)
            position = text.find(word, end) if end >= 0 else -1
    return sorted(starts)


def _lines(text: str, position: int, count: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < count and 0 <= position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        lines.append(text[position:end])
        position = end + 1
    return lines


def _hit(text: str, position: int, boot: float | None) -> dict[str, Any] | None:
    line = _lines(text, position, 1)[0][:4096]
    when, message = split(line, boot)
    for signature in SIGNATURES:
        match = signature.pattern.search(message)
        if match is not None:
            break
    else:
        return None
    groups = match.groupdict()
    if signature.lines:
        more = _lines(text, position, signature.lines + 1)[1:]
        message = " ".join([message, *_continued(more, boot)])
    process = groups.get("process")
    return {
        "signature": signature.name,
        "time": when,
        "bdf": bdf(groups.get("bdf")) or _address(text, position, message),
        "code": _integer(groups.get("code")),
        "text": str(mask(message))[:_TEXT],
        "pid": _integer(groups.get("pid")),
        "process": process.strip()[:64] if process else None,
        "count": 1,
    }


def _continued(lines: list[str], boot: float | None) -> list[str]:
    found = []
    for line in lines:
        message = split(line[:4096], boot)[1]
        if not message.startswith("NVRM:") or "NVRM: Xid" in message or "NVRM: loading" in message:
            break
        found.append(message[5:].strip())
    return found


def _address(text: str, position: int, message: str) -> str | None:
    match = _DEVICE.search(message)
    if match:
        return bdf(match.group(1))
    if "fallen off the bus" not in message:
        return None
    # the module breaks this message into three lines; the first one names the GPU
    before = text[max(0, position - 600) : position].splitlines()[-3:]
    for line in reversed(before):
        match = _DEVICE.search(line) if "NVRM: The NVIDIA GPU" in line else None
        if match:
            return bdf(match.group(1))
    return None


def _integer(value: str | None) -> int | None:
    return int(value) if value and len(value) < 10 else None


def boot_time(stat: str) -> int | None:
    """Return when this boot began, of /proc/stat, in seconds since 1970."""
    match = re.search(r"^btime (\d{1,11})$", stat, re.MULTILINE)
    return int(match.group(1)) if match else None
