# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._yum_repos import (
    IniError,
    enabled_repos,
    module_state,
    read_ini,
    render,
    same_url,
    with_stream,
)
from hypothesis import given
from hypothesis import strategies as st

WORD = st.from_regex(r"[A-Za-z][A-Za-z0-9.+_-]{0,12}", fullmatch=True)
VALUE = st.from_regex(r"[A-Za-z0-9/$.:_-]{1,20}", fullmatch=True)
KEYS = st.sampled_from(["stream", "state", "profiles", "name", "other"])
FILES = st.dictionaries(WORD.filter(lambda w: w != "DEFAULT"), st.dictionaries(KEYS, VALUE, max_size=4), max_size=3)


def written(sections: dict[str, dict[str, str]]) -> str:
    return "".join(f"[{n}]\n" + "".join(f"{k}={v}\n" for k, v in s.items()) for n, s in sections.items())


@given(WORD.filter(lambda w: w != "DEFAULT"), st.dictionaries(WORD.map(str.lower), VALUE, max_size=5))
def test_what_is_rendered_is_read_back(name: str, fields: dict[str, str]) -> None:
    assert read_ini(render("header", name, fields)) == {name: fields}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0"])
def test_a_value_over_lines_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="baseurl"):
        render("header", "x", {"baseurl": value})


@given(FILES, WORD.filter(lambda w: w != "DEFAULT"), WORD)
def test_a_stream_changes_only_its_own_keys(files: dict[str, dict[str, str]], module: str, stream: str) -> None:
    text = with_stream(written(files), module, stream)
    after = read_ini(text)
    ours, before = after.pop(module), files.get(module, {})
    assert (ours["stream"], ours["state"]) == (stream, "enabled")
    assert {key: ours.get(key) for key in before if key not in ("stream", "state", "name")} == {
        key: value for key, value in before.items() if key not in ("stream", "state", "name")
    }
    assert after == {name: values for name, values in files.items() if name != module}
    assert with_stream(text, module, stream) == text


def test_a_new_module_file_is_as_dnf_writes_it() -> None:
    text = "[nvidia-driver]\nname=nvidia-driver\nstream=580-open\nprofiles=\nstate=enabled\n"
    assert with_stream("", "nvidia-driver", "580-open") == text
    assert module_state(text, "nvidia-driver")["stream"] == "580-open" and module_state(text, "perl") == {}


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        list(enabled_repos(text, "/x", True, "x86_64"))
    except IniError as error:
        assert "\n" not in str(error)


def test_repositories_of_a_file() -> None:
    text = (
        "[a]\nbaseurl=https://x.example/$basearch/\n  https://y.example/${basearch}\ngpgkey=file:///k\n"
        "[b]\nenabled=no\n[c]\nenabled=True\ngpgcheck=0\n"
    )
    first, third = enabled_repos(text, "/x", True, "x86_64")
    assert first.urls == ("https://x.example/x86_64", "https://y.example/x86_64")
    assert first.keys == ("file:///k",) and first.gpgcheck and (third.name, third.gpgcheck) == ("c", False)


def test_same_url() -> None:
    assert same_url("https://X.example/$basearch/", "aarch64") == same_url("https://x.example/aarch64", "aarch64")
