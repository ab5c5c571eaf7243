# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gpuready-doctor: look at this machine and judge it, without Ansible.

One file that any Python >= 3.9 runs (`make doctor` builds it): for rented containers, for a node health check, for a
host that nobody manages yet. It reads and changes nothing; the files named on its command line are all it writes.
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.collector import Wishes, collect
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import readiness_files, whole_file
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import bundle, diff, terminal
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.junit import junit
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.nhc import nhc
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.prometheus import prometheus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import LANGUAGES

USAGE = 64  # EX_USAGE of sysexits.h
# what stands for a sign of the report where the terminal's encoding lacks it
PLAINER = {"✓": "+", "✗": "x", "–": "-", "—": "-", "─": "-", "·": "-", "→": "->", "…": "..."}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.exit(USAGE, f"{self.prog}: {message}\n")


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="gpuready-doctor", description="Is this GPU machine really ready, and if not, what to do?")
    parser.add_argument("--stages", default=None, help="comma-separated: preflight, driver, container, dev")
    parser.add_argument(
        "--policy", metavar="FILE", help="JSON file with policy values (readiness_policy.yml names them)"
    )
    parser.add_argument("--snapshot", metavar="FILE", help="judge a saved snapshot or bundle in place of this machine")
    parser.add_argument("--language", choices=LANGUAGES, default=_language(), help="of terminal, page and JUnit")
    parser.add_argument("--all", action="store_true", help="show what passed, too, and the evidence")
    parser.add_argument("--nhc", action="store_true", help="one line for Slurm's node health check; exits 0 or 1")
    parser.add_argument("--diff", metavar="FILE", help="say what has changed since this saved snapshot, and end")
    parser.add_argument("--raw", action="store_true", help="keep the raw documents in the snapshot")
    for name, what in (
        ("save", "the snapshot as JSON"),
        ("json", "the report as JSON"),
        ("html", "the report as a page"),
        ("junit", "the report as JUnit XML"),
        ("prometheus", "the report as a textfile for node_exporter"),
        ("bundle", "a support bundle (tar.gz) without secrets and serial numbers"),
    ):
        there = "" if name in ("html", "bundle") else "; - for the terminal"
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write {what}{there}")
    return parser.parse_args(list(argv))


def _language() -> str:
    words = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    wants_chinese = next((word for word in words if word), "").lower().startswith("zh")
    return "zh" if wants_chinese and _can_show("就绪") else "en"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def plainer(error: UnicodeError) -> tuple[str, int]:
    """What is written in place of characters that the terminal's encoding lacks; see codecs.register_error."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAINER.get(char, "?") for char in error.object[error.start : error.end]), error.end


def tell(text: str, document: bool = False) -> None:
    """Write to the standard output. `document`: for a program, thus UTF-8 in any locale."""
    try:
        if document:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has enough (`| head`), which changes no verdict; Python flushes the rest at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_command(args: Sequence[str], environ_update: Mapping[str, str], **_ignored: Any) -> tuple[int, bytes, bytes]:
    """What AnsibleModule.run_command does for the collector."""
    done = subprocess.run(
        list(args), env={**os.environ, **environ_update}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def snapshot_of(options: argparse.Namespace) -> dict[str, Any]:
    if options.snapshot:
        return readiness_files.load_snapshot(Path(options.snapshot))
    return collect(Runner(run_command), wishes=Wishes(raw=options.raw or bool(options.bundle), exec_probe=True))


def policy_of(options: argparse.Namespace, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    # without a word about it, a container is judged as what it is: a rented one
    given = {"profile": "rented"} if snapshot.get("scope") == "container" else {}
    if options.policy:
        try:
            read = json.loads(Path(options.policy).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"the policy {options.policy} is not valid JSON: {error}") from error
        if not isinstance(read, dict):
            raise ValueError(f"the policy {options.policy} is no mapping of keys and values")
        given.update(read)
    return given


def write_outputs(options: argparse.Namespace, report: Mapping[str, Any], snapshot: Mapping[str, Any]) -> None:
    makers: dict[str, Callable[[], str]] = {
        "save": partial(readiness_files.as_json, snapshot),
        "json": partial(readiness_files.as_json, report),
        "junit": partial(junit, [report], options.language),
        "prometheus": partial(prometheus, report),
    }
    for name, make in makers.items():
        target = getattr(options, name)
        if target == "-":
            tell(make(), document=True)
        elif target:
            whole_file.write(Path(target), make())
    if options.html:
        readiness_files.write_page(Path(options.html), [(report, snapshot)], language=options.language)
    if options.bundle:
        whole_file.write(Path(options.bundle), bundle.build(report, snapshot))


def show(report: Mapping[str, Any], show_all: bool) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, 160)
    tell(terminal.plain(terminal.report_lines(report, width=width, show_all=show_all)) + "\n")


def again(options: argparse.Namespace) -> str:
    """The command that judges the same thing by the same measure once more."""
    given = {name: getattr(options, name) for name in ("snapshot", "policy", "stages")}
    return shlex.join(
        ["python3", sys.argv[0], *(word for name in given if given[name] for word in (f"--{name}", given[name]))]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 ready, 1 with warnings, 2 not ready, 3 unknown, 64 bad input; with --nhc 0 or 1."""
    codecs.register_error("plainer", plainer)
    # others than a text file stand here in tests
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="plainer")
    options = arguments(sys.argv[1:] if argv is None else argv)
    try:
        snapshot = snapshot_of(options)
        if options.diff:
            for item in diff.changes(readiness_files.load_snapshot(Path(options.diff)), snapshot):
                tell(f"{item['path']}: {item['was']} -> {item['now']}\n")
            return 0
        stages = options.stages.split(",") if options.stages else list(map(str, Stage))
        report = judge(
            snapshot,
            host=os.uname().nodename if not options.snapshot else Path(options.snapshot).name.split(".")[0],
            stages=stages,
            policy=policy_of(options, snapshot),
            language=options.language,
            again=again(options),
        )
        write_outputs(options, report, snapshot)
    except (OSError, ValueError) as error:
        print(f"gpuready-doctor: {error}", file=sys.stderr)
        return USAGE
    if options.nhc:
        line, status = nhc(report)
        tell(line)
        return status
    if "-" not in (options.save, options.json, options.junit, options.prometheus):
        show(report, options.all)
    return int(report["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
