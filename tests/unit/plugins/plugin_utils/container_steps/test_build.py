# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed build said, as buildx 0.13 and 0.21 print it."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.container_steps.build import excerpt

STEP = """#9 [4/9] RUN --mount=type=bind …
#9 12.3 E: Unable to locate package nosuch
#9 ERROR: process "/bin/bash -o pipefail -c …" did not complete successfully: exit code: 100
------
 > [4/9] RUN --mount=type=bind …:
12.3 E: Unable to locate package nosuch
------
Dockerfile:6
ERROR: failed to solve: process "/bin/bash -o pipefail -c …" did not complete successfully: exit code: 100
"""
GONE = """#2 [internal] load metadata for docker.io/nvidia/cuda:0.0-base
------
 > [internal] load metadata for docker.io/nvidia/cuda:0.0-base:
------
Dockerfile:4
ERROR: failed to solve: nvidia/cuda:0.0-base: docker.io/nvidia/cuda:0.0-base: not found
"""


def test_the_words_of_the_step_come_first() -> None:
    assert excerpt(STEP).splitlines()[0] == "12.3 E: Unable to locate package nosuch"


def test_a_base_that_is_gone_is_named() -> None:
    assert excerpt(GONE) == "failed to solve: nvidia/cuda:0.0-base: docker.io/nvidia/cuda:0.0-base: not found"


def test_anything_else_is_shown_from_its_end() -> None:
    assert excerpt("a\nb\nc\nd\ne\nf") == "b c d e f"
    assert excerpt("") == ""
