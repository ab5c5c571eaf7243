# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CDI specifications."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import cdi
from hypothesis import given
from hypothesis import strategies as st

DOCUMENT: dict[str, Any] = {
    "cdiVersion": "0.5.0",
    "kind": "nvidia.com/gpu",
    "devices": [
        {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}},
        {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/nvidia1"}]}},
    ],
    "containerEdits": {
        "deviceNodes": [{"path": "/dev/nvidiactl"}],
        "mounts": [{"hostPath": "/usr/lib/libcuda.so.580.95.05", "containerPath": "/x"}],
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["devices", "name", "containerEdits", "deviceNodes", "path", "hostPath", "mounts", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


def test_nodes_of_a_device_are_the_common_and_its_own() -> None:
    assert cdi.nodes_of(DOCUMENT, ["0"]) == ["/dev/nvidiactl", "/dev/nvidia0"]
    assert cdi.nodes_of(DOCUMENT, ["1"]) == ["/dev/nvidiactl", "/dev/nvidia1"]
    assert cdi.nodes_of(DOCUMENT, ["0", "7"]) is None


def test_summary_and_host_paths() -> None:
    found = cdi.summary(DOCUMENT, "/etc/cdi/nvidia.json")
    assert (found["devices"], found["driver_version"], found["cdi_version"]) == (["0", "1"], "580.95.05", "0.5.0")
    assert {"path": "/dev/nvidiactl", "host_path": None} in found["device_nodes"]
    assert "/usr/lib/libcuda.so.580.95.05" in cdi.host_paths(DOCUMENT)
    assert "/dev/nvidia1" in cdi.host_paths(DOCUMENT)


@given(st.dictionaries(st.sampled_from(["cdiVersion", "devices", "containerEdits"]), JSON))
def test_odd_documents_never_raise(part: dict[str, Any]) -> None:
    document = {"kind": "a/b", **part}
    json.dumps([cdi.summary(document, "/x"), cdi.host_paths(document), cdi.nodes_of(document, ["0"])])


@pytest.mark.parametrize(("text", "name"), [("[]", "a.json"), ("{}", "a.json"), ("- a", "a.yaml"), ("", "a.yaml")])
def test_what_is_no_specification_is_refused(text: str, name: str) -> None:
    with pytest.raises(ValueError):
        cdi.load(text, name)
