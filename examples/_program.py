# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs share on their command line and at their end: options, the job they describe, JSON, exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import yaml
from _drive import PROJECT, Job
from _outcome import SOFTWARE, USAGE


class Parser(argparse.ArgumentParser):
    """Ends with 64 where argparse would with 2, which is the exit status of a host that is not ready."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser(description: str) -> Parser:
    made = Parser(description=description)
    made.add_argument("-i", "--inventory", required=True)
    made.add_argument("-e", "--extra-var", action="append", default=[], metavar="KEY=VALUE, JSON or @FILE")
    made.add_argument("-l", "--limit", default="", help="hosts or groups, as ansible-playbook takes them")
    made.add_argument("--playbook", default="site.yml", help="another playbook of the project, or a path")
    made.add_argument("--check", action="store_true", help="predict changes, make none")
    made.add_argument("--forks", type=int, metavar="N", help="hosts at once (default: ansible.cfg's)")
    return made


def job(made: Parser, arguments: argparse.Namespace, **more: Any) -> Job:
    """The job that the arguments describe; ends the program where they are wrong."""
    if not Path(arguments.inventory).exists():
        made.error(f"inventory {arguments.inventory} does not exist")
    playbook = Path(arguments.playbook)
    if not (PROJECT / playbook).is_file():
        if not playbook.is_file():
            made.error(f"playbook {playbook} does not exist here or in {PROJECT}")
        playbook = playbook.resolve()
    try:
        extra, given = extra_vars(arguments.extra_var), origins(arguments.extra_var)
    except (OSError, ValueError, yaml.YAMLError) as error:
        made.error(f"--extra-var: {error}")
    return Job(
        inventory=str(Path(arguments.inventory).resolve()),
        playbook=str(playbook),
        extra_vars=extra,
        given=given,
        limit=arguments.limit,
        forks=arguments.forks,
        check=arguments.check,
        **more,
    )


def extra_vars(words: list[str]) -> dict[str, Any]:
    """As ansible-playbook reads -e: KEY=VALUE is text, JSON and files have types."""
    found: dict[str, Any] = {}
    for word in words:
        if word.startswith(("@", "{")):
            text = Path(word[1:]).read_text(encoding="utf-8") if word.startswith("@") else word
            values = yaml.safe_load(text)
            if not isinstance(values, dict):
                raise ValueError(f"{word} holds no mapping")
            found |= values
            continue
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(f"{word!r} is neither KEY=VALUE, nor JSON, nor @FILE")
        found[key] = value
    return found


def origins(words: list[str]) -> dict[str, str]:
    """Where each variable was given: `-e`, or `-e @FILE`. The last word wins, as it does for the values."""
    return {name: f"-e {word}" if word.startswith("@") else "-e" for word in words for name in extra_vars([word])}


def write_json(path: Path, document: dict[str, Any]) -> None:
    """All or nothing: a reader never sees half a file, and a full disk leaves the former one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(program: Callable[[], int]) -> NoReturn:
    """A fault of the program must not end with 1, which says that all is well but for warnings."""
    try:
        status = program()
    except Exception:
        traceback.print_exc()
        status = SOFTWARE
    sys.exit(status)
