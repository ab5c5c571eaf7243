# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from mirror_lab import Lab
from testinfra.host import Host


@pytest.fixture
def lab(host: Host) -> Lab:
    return Lab(host)
