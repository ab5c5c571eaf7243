# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.filter.as_written_for import as_written_for

PATHS = ["/etc/a.sources", "/etc/a.pin"]
RIGHT: dict[str, Any] = {"as_written": True, "mode": "0644", "uid": 0, "stamp": None}


def files(path: str = "", **difference: Any) -> dict[str, Any]:
    found = {PATHS[0]: {**RIGHT, "stamp": "abc"}, PATHS[1]: dict(RIGHT)}
    if path:
        found[path].update(difference)
    return found


def test_all_as_written_for_the_same_inputs() -> None:
    assert as_written_for(files(), PATHS, "abc") is True


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("difference", [{"as_written": False}, {"mode": "0600"}, {"uid": 1000}])
def test_any_difference_of_any_file_is_seen(path: str, difference: dict[str, Any]) -> None:
    assert as_written_for(files(path, **difference), PATHS, "abc") is False


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_file_and_one_that_we_never_wrote_are_seen(path: str) -> None:
    missing, foreign = files(), files()
    del missing[path]
    del foreign[path]["as_written"]
    assert as_written_for(missing, PATHS, "abc") is False
    assert as_written_for(foreign, PATHS, "abc") is False


def test_other_inputs_are_seen() -> None:
    assert as_written_for(files(), PATHS, "abd") is False
    assert as_written_for(files(PATHS[0], stamp=None), PATHS, "") is False
