# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import whole_file


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="directory"):
        whole_file.write(tmp_path / "x", "data")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
