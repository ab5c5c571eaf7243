# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the builder of images says when it fails, in a few lines."""

from __future__ import annotations

import re


def excerpt(stderr: str) -> str:
    """Of what a build said: the words of the step that failed, and the builder's last error.

    buildx repeats the output of that step between two rulers, and ends with a line "ERROR: ..." (0.13, 0.21).
    """
    step = re.search(r"(?s)------\n > [^\n]*\n(.*?)\n?------", stderr)
    said = step.group(1).strip() if step else ""
    errors = [line[len("ERROR:") :].strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    return "\n".join(part for part in (said, *errors[-1:]) if part) or " ".join(stderr.splitlines()[-5:])
