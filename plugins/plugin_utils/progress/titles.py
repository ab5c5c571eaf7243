# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task is called: in a line, and in the file of durations. Every run imports this, without a live area, too."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

COLLECTION = "gpuready.bootstrap."
# what programs colour their messages with: CSI and OSC sequences, and other escapes of two characters
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")


# the same few names and titles are asked for with every picture
@functools.lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """One line without anything that moves a cursor: a message of a host must not paint over the display."""
    text = ESCAPES.sub("", text)
    kept = [" " if char in "\t\n\r\v\f\u2028\u2029" else char for char in text]
    return "".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn"))


def task_title(name: str) -> str:
    return clean(name).strip().removeprefix(COLLECTION)


def key_of(task: Any) -> str:
    """role|name, under which durations are kept."""
    return f"{task._role.get_name() if task._role else ''}|{task.name or task.action}"
