# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._openpgp import dearmor
from ansible_collections.gpuready.bootstrap.plugins.module_utils._pinned_key import PinnedKey, SourceError, primaries
from hypothesis import given
from hypothesis import strategies as st

KEYS = Path(__file__).parents[3] / "fixtures" / "keys"
ARCHIVE = "0C60716EFB39782D702F667DA415A6C3E9A67E86"
OTHER = "4A452AB4EDCE8724E173C03BA6BB0A094094A386"
ON_DISK = "/etc/key.asc"


class Module:
    """The part of AnsibleModule that a key needs."""

    def __init__(self, check_mode: bool = False, **params: Any) -> None:
        usual = {"key_url": "", "key_path": "", "key_content": "", "fingerprints": [ARCHIVE], "timeout": 1}
        self.params = {**usual, "hint": "my_key_url", **params}
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def pinned(root: Path, module: Module) -> PinnedKey:
    real: Any = module
    key = PinnedKey(real, FileGate(real, str(root)), ON_DISK)
    key.read_fingerprints()
    return key


def test_a_key_from_each_place_is_the_same(tmp_path: Path) -> None:
    path = KEYS / "archive.asc"
    for place in ({"key_path": str(path)}, {"key_url": f"file://{path}"}, {"key_content": path.read_text()}):
        key = pinned(tmp_path, Module(**place))
        assert primaries(key.content(), "x") == [ARCHIVE] and key.downloaded == ("key_url" in place)


def test_a_binary_key_is_armored(tmp_path: Path) -> None:
    raw = dearmor((KEYS / "archive.asc").read_bytes())
    (tmp_path / "key.gpg").write_bytes(raw)
    content = pinned(tmp_path, Module(key_path=str(tmp_path / "key.gpg"))).content()
    assert content.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") and dearmor(content) == raw


def test_the_key_on_disk_spares_the_download(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / ON_DISK[1:]).write_bytes((KEYS / "archive.asc").read_bytes())
    key = pinned(tmp_path, Module(key_url="http://127.0.0.1:9/key"))
    assert key.content() == (KEYS / "archive.asc").read_bytes() and not key.downloaded
    (tmp_path / ON_DISK[1:]).write_bytes((KEYS / "other.asc").read_bytes())
    with pytest.raises(SourceError, match="my_key_url"):
        pinned(tmp_path, Module(key_url="http://127.0.0.1:9/key")).content()


def test_another_key_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"{OTHER}.*{ARCHIVE}"):
        pinned(tmp_path, Module(key_path=str(KEYS / "other.asc"))).content()


def test_no_fingerprint_no_key(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="fingerprints is empty"):
        pinned(tmp_path, Module(key_path=str(KEYS / "archive.asc"), fingerprints=[])).content()
    with pytest.raises(SourceError, match="not a full key fingerprint"):
        pinned(tmp_path, Module(fingerprints=["E9A67E86"]))


def test_check_mode_goes_on_without_a_key_that_cannot_be_fetched(tmp_path: Path) -> None:
    module = Module(key_url="http://me:hush@127.0.0.1:9/key", check_mode=True)
    content = pinned(tmp_path, module).content()
    assert b"hush" not in content and b"***" in content and "hush" not in module.warnings[0]


@given(st.binary(max_size=200))
def test_other_bytes_are_no_key(data: bytes) -> None:
    try:
        assert primaries(data, "x")
    except SourceError as error:
        assert "no usable OpenPGP public key" in str(error)
