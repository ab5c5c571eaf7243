# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in addresses, in whatever form: hidden, masked, and known for the mode of a file."""

from __future__ import annotations

import string

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _secrets
from hypothesis import given
from hypothesis import strategies as st

SIGNS = string.ascii_letters + string.digits + "@/:%$!#?&=+,;._~-"


@given(st.text(string.ascii_letters, min_size=1), st.text(SIGNS, min_size=3))
def test_no_password_is_left_and_all_are_found(user: str, password: str) -> None:
    url = f"http://{user}:{password}@h.example.org:3128/"
    assert _secrets.redact_url(f"a {url} b") == "a http://***@h.example.org:3128/ b"
    assert _secrets.found_in({"a": [url]}) and password in _secrets.secrets_in({"a": [url]})


def test_tokens_are_found_and_short_names_not_masked() -> None:
    assert _secrets.secrets_in("https://ghp_token@h") == {"ghp_token"}
    assert _secrets.secrets_in("https://git@h") == set() and _secrets.found_in("https://git@h")
    assert _secrets.secrets_in("http://me:p%40ss@h") == {"me:p%40ss", "p%40ss", "p@ss"}


@pytest.mark.parametrize(
    "text",
    [
        "gpgkey=https://h/RPM-GPG-KEY",
        "gpgcheck=1",
        '"auths": {"h": {}}',
        "Signed-By: /usr/share/keyrings/x.gpg",
        "PasswordAuthentication no",
        'GRUB_CMDLINE_LINUX="iommu=pt"',
        "author = me",
        "credential-provider-x",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@h",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert _secrets.redact(text) == text


@given(st.sampled_from(["HF_TOKEN", "_auth", "password", "x-api-key", "WANDB_API_KEY"]), st.text(SIGNS, min_size=3))
def test_the_value_of_such_a_name_is_never_shown(name: str, value: str) -> None:
    for line in (f"{name}={value}", f'{name} = "{value}"', f'"{name}": "{value}"'):
        assert _secrets.redact(f"a=b\n{line}\nc=d").splitlines()[1] in (line.replace(value, "***"),)


@pytest.mark.parametrize("text", ["https://x.example.org/@scope:1", "http://h:1", "me@h", "a: https://h and me@h"])
def test_what_holds_no_password_is_left(text: str) -> None:
    assert _secrets.redact_url(text) == text and not _secrets.found_in(text)
