# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live area as lines, for one host or hundreds, on a terminal of any size; and the lines that scroll above it."""

from __future__ import annotations

import re
from collections import Counter

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import (
    Line,
    fit_line,
    fit_middle,
    line_width,
    pad,
    spread,
    width,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import (
    DONE,
    FAILED,
    IDLE,
    RUNNING,
    UNREACHABLE,
    WAITING,
    Host,
    Run,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.titles import clean

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
# pictures of the spinner a second
SPEED = 5
FULL, HALF, EMPTY = "━", "╸", "─"
COLOURS = {FAILED: "red", UNREACHABLE: "red", DONE: "green", WAITING: "dim", IDLE: "cyan", RUNNING: "cyan"}
SIGNS = {FAILED: "✗", UNREACHABLE: "✗", DONE: "✓", WAITING: "·", IDLE: "·"}
MAX_BAR = 24
MAX_NAME = 24
# lines that stay free for what scrolls
FREE_LINES = 8
# a task is timed on the screen after so many seconds, against earlier runs if they took as long
TIMED_AFTER = 2.0
WORTH_EXPECTING = 3.0

# Names of our long tasks say in the end what they wait for
WAITS = re.compile(r"^(.*\S)\s*\(((?:[^()]*; )?waits for [^()]*)\)$")


def split_title(title: str) -> tuple[str, str]:
    """A title and what its task waits for, if it says so."""
    found = WAITS.match(title)
    return (found[1], found[2]) if found else (title, "")


def clock(seconds: float) -> str:
    """0:07, 12:30, 1:02:03."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """0.4 s, 34 s, 2 min 10 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """An estimate looks like one: no more digits than it deserves."""
    if seconds < 10:
        return "a few s"
    if seconds < 55:
        return f"~{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    return f"~{minutes} min" if minutes < 60 else f"~{minutes // 60} h {minutes % 60} min"


def gauge(fraction: float, room: int, style: str) -> Line:
    """Halves of a cell; full only at the end."""
    halves = int(max(0.0, min(1.0, fraction)) * room * 2)
    full, half = halves // 2, halves % 2
    return [(FULL * full + HALF * half, style), (EMPTY * (room - full - half), "dim")]


def frame(run: Run, now: float, columns: int, rows: int, moving: bool = True) -> list[Line]:
    """The live area: at most `rows` lines of at most `columns` cells."""
    room = max(1, columns)
    budget = max(1, min(rows - 1, max(3, rows - FREE_LINES)))
    lines = [_header(run, now, room, moving)]
    hosts = [host for name in run.plan.hosts if (host := run.hosts.get(name))] or list(run.hosts.values())
    space = budget - 1
    if 2 * len(hosts) <= space:
        for host in hosts:
            lines += _full(run, host, hosts, now, room, moving, roomy=3 * len(hosts) <= space)
    elif len(hosts) <= space:
        lines += [_one_line(run, host, hosts, now, room, moving) for host in hosts]
    elif space >= 1:
        lines += _many(run, hosts, now, room, space, moving)
    lines = lines[:budget]
    # air between what scrolls and what stays
    lines = [[], *lines] if len(lines) < budget else lines
    return [fit_line(line, room) for line in lines]


def _header(run: Run, now: float, room: int, moving: bool) -> Line:
    plan = run.plan
    left: Line = [(clean(plan.name) or "play", "bold")]
    if plan.of > 1:
        left.append((f"  play {plan.number} of {plan.of}", "dim"))
    if len(plan.all_hosts) > len(plan.hosts):
        places = {name: number for number, name in enumerate(plan.all_hosts, start=1)}
        here = [places[name] for name in plan.hosts if name in places]
        if here:
            last = f"-{max(here)}" if max(here) > min(here) else ""
            left.append((f"  hosts {min(here)}{last} of {len(plan.all_hosts)}", "dim"))
    if run.check:
        left.append(("  check mode", "yellow"))
    right = _figures(run, now, room, moving)
    # of a failure must be read, whatever else gives way
    return spread(left, right, room, share=room if any(style == "bold red" for _text, style in right) else room // 2)


def _figures(run: Run, now: float, room: int, moving: bool) -> Line:
    """Failures, changes, time so far and time ahead; on a narrow terminal the last ones go first, failures never."""
    # hosts, not tasks: one that a rescue block has saved goes on
    lost = sum(host.lost for host in run.hosts.values())
    failed = (f"{lost} failed", "bold red") if lost else ("", "")
    word = "would change" if run.check else "changed"
    changed = (f"{run.changed} {word}", "yellow") if run.changed else ("", "")
    time = (clock(run.elapsed(now)), "bold")
    remaining = run.remaining(now) if moving else None
    left = (f"{about(remaining)} left", "dim") if remaining is not None and remaining > 1 else ("", "")
    for parts in (
        (failed, changed, time, left),
        (failed, changed, time),
        (failed, time),
        (failed,) if lost else (time,),
    ):
        line: Line = []
        for text, style in filter(lambda part: part[0], parts):
            line += [*([("  ", "")] if line else []), (text, style)]
        if line_width(line) <= room // 2:
            break
    return line


def _name_room(hosts: list[Host], room: int) -> int:
    longest = max((width(clean(host.name)) for host in hosts), default=1)
    return max(1, min(longest, MAX_NAME, max(6, room // 4)))


def _head(run: Run, host: Host, hosts: list[Host], now: float, room: int, moving: bool) -> Line:
    """Sign, name and bar."""
    colour = COLOURS[host.status]
    sign = (
        SPINNER[int(now * SPEED) % len(SPINNER)] if host.status == RUNNING and moving else SIGNS.get(host.status, "·")
    )
    names = _name_room(hosts, room)
    bars = max(4, min(MAX_BAR, (room - names) // 3))
    name_style = "bold" if host.status in (RUNNING, FAILED, UNREACHABLE) else ""
    line: Line = [(f"{sign} ", colour), (pad(fit_middle(clean(host.name), names), names), name_style), (" ", "")]
    number, of, _name = run.step(host)
    line += gauge(run.fraction(host, now), bars, colour)
    if of > 1:
        line.append((f" {number:>{len(str(of))}}/{of}", "" if number else "dim"))
    return [*line, (" ", "")]


def _state(run: Run, host: Host, now: float) -> Line:
    """What there is to say of a host that runs no task."""
    if host.status == FAILED:
        return [("failed  ", "bold red"), (split_title(host.title)[0], "red")]
    if host.status == UNREACHABLE:
        return [("unreachable", "bold red")]
    if host.status == DONE:
        changes = f"{host.changed} {'would change' if run.check else 'changed'}" if host.changed else "nothing changed"
        return [("done", "green"), (f"  {changes}", "dim")]
    if host.status == WAITING:
        return [("waits for its turn" if run.task.title else "waits", "dim")]
    return [("waits for the others", "dim")] if len(run.plan.hosts) > 1 else []


def _timing(run: Run, host: Host, now: float) -> Line:
    going = now - host.since
    if host.status != RUNNING or going < TIMED_AFTER:
        return []
    expected = run.expected(host)
    known = expected is not None and expected >= WORTH_EXPECTING
    return [(clock(going), ""), (f" of ~{clock(expected)}" if known and expected is not None else "", "dim")]


def _particulars(host: Host) -> list[str]:
    """What a task waits for, as far as it is known."""
    _title, waits = split_title(host.title)
    items = ""
    if host.items:
        items = f"{host.items} item{'s' if host.items > 1 else ''} done, last {clean(host.item)}" if host.item else ""
        items = items or f"{host.items} item{'s' if host.items > 1 else ''} done"
    return [part for part in (host.attempt, clean(host.detail), items, waits) if part]


def _without_role(title: str) -> str:
    """The step above says which role it is."""
    return title.partition(" : ")[2] or title


def _full(run: Run, host: Host, hosts: list[Host], now: float, room: int, moving: bool, roomy: bool) -> list[Line]:
    """Two lines for a host; three where there is room for them, and what its task waits for needs it."""
    head = _head(run, host, hosts, now, room, moving)
    _number, of, step = run.step(host)
    named: Line = [(clean(step), "")] if of > 1 else []
    if host.status != RUNNING:
        state = _state(run, host, now)
        return [fit_line([*head, *(state or named)], room)]
    title, _waits = split_title(host.title)
    first = fit_line([*head, *named], room)
    details = [(part, "dim") for part in _particulars(host)]
    doing: Line = [("  ", ""), (_without_role(title) if named else title, "cyan")]
    timing = _timing(run, host, now)
    together = [*doing, *((f" · {part}", style) for part, style in details)]
    if not details or line_width(together) + line_width(timing) < room or not roomy:
        return [first, spread(together, timing, room)]
    below: Line = [(" · " if number else "    ", "dim") for number in range(len(details))]
    below = [part for pair in zip(below, details) for part in pair]
    return [first, spread(doing, timing, room), fit_line(below, room)]


def _one_line(
    run: Run, host: Host, hosts: list[Host], now: float, room: int, moving: bool, named: bool = False
) -> Line:
    head = _head(run, host, hosts, now, room, moving)
    if host.status != RUNNING:
        return fit_line([*head, *_state(run, host, now)], room)
    title, _waits = split_title(host.title)
    # the line above the rows names the task that all hosts are at
    said: Line = [(clean(run.step(host)[2]) if named else title, "")]
    if host.attempt:
        said.append((f" · {host.attempt}", "dim"))
    return spread([*head, *said], _timing(run, host, now), room)


def _many(run: Run, hosts: list[Host], now: float, room: int, space: int, moving: bool) -> list[Line]:
    """Failed hosts first, then the slowest; the rest as a count."""
    lost = sorted((host for host in hosts if host.lost), key=lambda host: host.since)
    going = [host for host in hosts if host.status == RUNNING]
    # who is behind, and among them who has been at it for longest
    going.sort(key=lambda host: (host.slot, host.since))
    lines: list[Line] = []
    if space >= 2 and not run.plan.free and run.task.title:
        title, _waits = split_title(run.task.title)
        lines.append(
            spread([(title, "cyan")], [(f"{run.task.ended} of {max(run.task.of, run.task.ended)} hosts", "dim")], room)
        )
    rows = space - len(lines) - 1
    # those that failed last, and more of them where few are at work
    most = max(1, rows // 2, rows - len(going)) if rows > 0 else 0
    shown = lost[-most:] if most else []
    shown += going[: max(0, rows - len(shown))]
    for host in shown:
        lines.append(_one_line(run, host, shown, now, room, moving, bool(lines) and host.title == run.task.title))
    named = {host.name for host in shown}
    rest = [host for host in hosts if host.name not in named]
    return [*lines, _counts(run, rest, "and " if shown else "", room)]


def _counts(run: Run, hosts: list[Host], prefix: str, room: int) -> Line:
    order = (
        (FAILED, "failed", "red"),
        (UNREACHABLE, "unreachable", "red"),
        (RUNNING, "running", ""),
        (WAITING, "waiting", ""),
        (IDLE, "idle", ""),
        (DONE, "done", "green"),
    )
    parts: Line = []
    counted = Counter(host.status for host in hosts)
    for status, word, style in order:
        if count := counted[status]:
            # in lock-step an idle host has done the task, and waits for the others
            said = "finished it" if status == IDLE and not run.plan.free else word
            parts += [(", " if parts else "", "dim"), (f"{count} {said}", style or "dim")]
    many = f"{len(hosts)}{' more' if prefix else ''} host{'s' if len(hosts) != 1 else ''}"
    return fit_line([(f"  {prefix}{many}: ", "dim"), *parts], room) if parts else []


# --- lines that scroll ----------------------------------------------------------------------------------------------


def play_line(run: Run) -> Line:
    plan = run.plan
    hosts = len(plan.hosts)
    said = plan.hosts[0] if hosts == 1 else f"{hosts} hosts"
    return [(clean(plan.name) or "play", "bold"), (f"  {clean(said)}", "dim")]


def event_line(word: str, style: str, host: str, title: str, seconds: float, extra: str = "") -> Line:
    """changed  gpu01  docker_engine : Install the engine  34 s."""
    line: Line = [(word, style), (f"  {clean(host)}", "bold"), (f"  {split_title(title)[0]}", "")]
    if extra:
        line.append((f"  {clean(extra)}", ""))
    if seconds >= TIMED_AFTER:
        line.append((f"  {duration(seconds)}", "dim"))
    return line


# as many hosts are named in one line
NAMED = 4


def some(names: list[str], of: int) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} of {of} hosts"


def changes_line(run: Run, title: str, changed: list[tuple[str, float]]) -> Line:
    """One line for a task that has changed several of many hosts."""
    hosts = some([name for name, _seconds in changed], len(run.plan.hosts))
    longest = max((seconds for _name, seconds in changed), default=0.0)
    word = "would change" if run.check else "changed"
    line: Line = [(word, "yellow"), (f"  {clean(hosts)}", "bold"), (f"  {split_title(title)[0]}", "")]
    if longest >= TIMED_AFTER:
        line.append((f"  {'up to ' if len(changed) > 1 else ''}{duration(longest)}", "dim"))
    return line


def recap(run: Run, counts: dict[str, dict[str, int]], now: float, rows: int) -> list[Line]:
    """The end of a run: hosts that failed, then the others, as many as `rows` allow."""

    def lost(name: str) -> int:
        return counts[name].get("failures", 0) + counts[name].get("unreachable", 0)

    order = sorted(counts, key=lambda name: (not lost(name), name))
    shown = order if len(order) <= rows else order[: rows - 1]
    names = max((width(clean(name)) for name in shown), default=0)
    total = sum(entry.get("changed", 0) for entry in counts.values())
    word = "would change" if run.check else "changed"
    bad = sum(1 for name in order if lost(name))
    head: Line = [
        (f"{clock(run.elapsed(now))}  ", "bold"),
        (f"{len(order)} host{'s' if len(order) != 1 else ''}", "bold"),
    ]
    head.append((f", {total} {word}", "yellow" if total else "dim"))
    head.append((f", {bad} failed" if bad else "", "bold red"))
    return [
        [],
        head,
        *(_recap_line(name, counts[name], names, word) for name in shown),
        *_rest(order[len(shown) :], counts),
    ]


def _recap_line(name: str, count: dict[str, int], names: int, word: str) -> Line:
    bad = [
        (f"  {count[key]} {said}", "bold red")
        for key, said in (("failures", "failed"), ("unreachable", "unreachable"))
        if count.get(key)
    ]
    others = [(f"  {count[key]} {key}", "dim") for key in ("rescued", "ignored") if count.get(key)]
    sign = ("✗ ", "red") if bad else ("✓ ", "green")
    changed = count.get("changed", 0)
    return [
        sign,
        (pad(fit_middle(clean(name), min(names, 40)), min(names, 40)), ""),
        *bad,
        (f"  {changed} {word}", "yellow" if changed else "dim"),
        *others,
    ]


def _rest(names: list[str], counts: dict[str, dict[str, int]]) -> list[Line]:
    if not names:
        return []
    bad = sum(1 for name in names if counts[name].get("failures") or counts[name].get("unreachable"))
    said = f"{bad} of them failed" if bad else "none of them failed"
    return [[(f"  and {len(names)} more, {said}", "dim")]]
