# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the hosts of a run have their turn: what a user may say about it, and what Ansible takes.

Ansible reads the keywords of a play before it knows a host. Values of the inventory are not there then, and a wrong one
ends ansible-core 2.21 with a traceback (`int()` of a text that is no number). Hence all of them are judged before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Variables that keywords of a play read: only -e, or `vars` of a playbook that imports ours, can set them
PLAY_VARIABLES = ("gpuready_hosts", "gpuready_serial", "gpuready_canary", "gpuready_max_fail_percentage")
ALL = "100%"
BOOLEANS = ("true", "yes", "on", "1", "y", "t", "false", "no", "off", "0", "n", "f")
BATCH = re.compile(r"[1-9][0-9]*|(?:100|[1-9][0-9]?)%")
SERIAL = "it must be a number of hosts such as 5, a share such as 20%, or several of them in turn, such as 1,5,50%"


def batches(serial: Any, canary: bool = False) -> list[str]:
    """Sizes of the batches as the keyword `serial` takes them; the last one repeats. Raises ValueError.

    Text (`-e gpuready_serial=1,5,50%`) and lists are the same. A canary is a batch of one before all others.
    """
    if isinstance(serial, str):
        items: list[Any] = [item.strip(" '\"") for item in serial.strip().strip("[]").split(",")]
    else:
        items = list(serial) if isinstance(serial, (list, tuple)) else [serial]
    sizes = [str(item).strip() for item in items]
    wrong = [
        size for item, size in zip(items, sizes, strict=True) if isinstance(item, bool) or not BATCH.fullmatch(size)
    ]
    if wrong or not sizes:
        raise ValueError(SERIAL)
    return ["1", *sizes] if canary else sizes


def problems(values: Mapping[str, Any], effective: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(variable, what is wrong with it) of a host's values; `effective` holds what the keywords of the play can see."""
    found: list[tuple[str, str]] = []
    for name in PLAY_VARIABLES:
        if name not in values:
            continue
        wrong = _wrong(name, values[name])
        if wrong:
            found.append((name, wrong))
        elif name not in effective:
            text = (
                f"it has no effect in the inventory, since it is read before there is a host; give it with -e {name}=…"
            )
            found.append((name, text))
    return found


def _wrong(name: str, value: Any) -> str:
    if name == "gpuready_serial":
        try:
            batches(value)
        except ValueError as error:
            return f"{value!r} cannot be used: {error}"
    elif name == "gpuready_canary":
        if not isinstance(value, bool) and str(value).lower() not in BOOLEANS:
            return f"{value!r} must be true or false"
    elif name == "gpuready_max_fail_percentage":
        text = str(value).strip().removesuffix("%")
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) > 100:
            return f"{value!r} must be a number from 0 to 100"
    return ""
