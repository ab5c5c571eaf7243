# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._initramfs import (
    MIB,
    Boot,
    Image,
    Stamp,
    current,
    read_stamp,
    render_stamp,
    room_needed,
    stale,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
IMAGES = st.builds(Image, st.integers(0, 2**40), st.integers(0, 2**33))
INPUTS = st.dictionaries(NAMES, st.one_of(st.none(), NAMES), max_size=4)
STAMPS = st.builds(Stamp, INPUTS, st.dictionaries(NAMES, IMAGES, max_size=4))


def boot(root: Path) -> Boot:
    module: Any = None  # reading needs none
    return Boot(FileGate(module, str(root)))


@given(STAMPS)
def test_a_stamp_is_read_as_it_was_written(stamp: Stamp) -> None:
    assert read_stamp(render_stamp(stamp).encode()) == stamp


@given(st.binary(max_size=60))
def test_other_bytes_are_no_stamp(raw: bytes) -> None:
    assert read_stamp(raw) is None


PARTS = st.recursive(st.none() | st.integers() | st.floats() | st.text(), lambda x: st.dictionaries(st.text(), x))


@given(PARTS, PARTS)
def test_a_stamp_of_another_shape_never_raises(inputs: Any, kernels: Any) -> None:
    raw = json.dumps({"schema": "gpuready.initramfs/1", "inputs": inputs, "kernels": kernels}).encode()
    found = read_stamp(raw)
    assert found is None or (isinstance(inputs, dict) and isinstance(kernels, dict))


@given(STAMPS)
def test_what_was_stamped_is_not_stale(stamp: Stamp) -> None:
    images = {name: image for name, image in stamp.kernels.items() if image.size}
    assert stale(stamp.inputs, images, stamp) == ([], "")


@given(STAMPS, st.data())
def test_any_other_input_makes_all_images_stale(stamp: Stamp, data: st.DataObject) -> None:
    path = data.draw(NAMES)
    now = {**stamp.inputs, path: "another digest than any"}
    todo, reason = stale(now, dict(stamp.kernels), stamp)
    assert todo == list(stamp.kernels) and (path in reason or not todo)


@pytest.mark.parametrize(
    ("image", "right"),
    [
        (None, False),
        (Image(0, 200), False),
        (Image(5, 100), True),
        (Image(6, 100), False),
        (Image(6, 101), True),
        (Image(5, 99), False),
    ],
)
def test_current(image: Image | None, right: bool) -> None:
    assert current(image, "k", Stamp({}, {"k": Image(5, 100)})) is right


def test_an_unknown_kernel_needs_an_image_newer_than_all_that_are_known() -> None:
    stamp = Stamp({}, {"a": Image(5, 100), "b": Image(5, 200)})
    assert not current(Image(5, 150), "c", stamp) and current(Image(5, 200), "c", stamp)
    assert not current(Image(5, 150), "c", Stamp({}, {}))


def test_room() -> None:
    assert room_needed([Image(40 * MIB, 0), Image(60 * MIB, 0)], 10) == 70 * MIB
    assert room_needed([None, Image(60 * MIB, 0), None], 10) == 370 * MIB
    assert room_needed([None], 0) == 150 * MIB


def test_the_newest_kernel_is_sorted_by_number_and_has_modules(tmp_path: Path) -> None:
    assert boot(tmp_path).newest() is None
    (tmp_path / "boot").mkdir()
    for name in ("vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-50-amd64", "vmlinuz-0-rescue-abc", "vmlinuz-6.9.0.old", "x"):
        (tmp_path / "boot" / name).touch()
    assert boot(tmp_path).newest() == "6.9.0.old"
    for release in ("6.1.0-9-amd64", "6.1.0-50-amd64"):
        (tmp_path / "lib/modules" / release).mkdir(parents=True)
    assert boot(tmp_path).newest() == "6.1.0-50-amd64"


def test_the_running_kernel_is_that_of_the_file_then_of_uname(tmp_path: Path) -> None:
    assert boot(tmp_path).running() == os.uname().release
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.1.0-50-cloud-amd64\n")
    assert boot(tmp_path).running() == "6.1.0-50-cloud-amd64"


def test_where_the_image_of_a_kernel_is(tmp_path: Path) -> None:
    found, machine = boot(tmp_path), "0123456789abcdef" * 2
    assert found.image_path("1", "update-initramfs") == "/boot/initrd.img-1"
    assert found.image_path("1", "dracut") == "/boot/initramfs-1.img"
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/initrd.img-1").touch()
    assert found.image_path("1", "dracut") == "/boot/initrd.img-1"  # Debian's dracut
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text(machine + "\n")
    (tmp_path / f"boot/efi/{machine}/2").mkdir(parents=True)
    assert found.image_path("2", "dracut") == f"/boot/efi/{machine}/2/initrd"


def test_free_room_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert boot(tmp_path).free("/boot/efi/x/initrd") == boot(tmp_path).free("/x") > 0
