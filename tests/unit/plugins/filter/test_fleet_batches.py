# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.filter.fleet_batches import FilterModule


def test_sizes_of_batches() -> None:
    batches = FilterModule().filters()["fleet_batches"]
    assert batches("2,50%", True) == ["1", "2", "50%"]
    with pytest.raises(AnsibleFilterError, match="'few' cannot be used"):
        batches("few")
