# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import environment
from hypothesis import given
from hypothesis import strategies as st

PROXY = {"http": "http://p.example.org:3128", "https": "http://p.example.org:3128", "no_proxy": "*.lab.example.org"}
USER = """# of the lab
PATH="/usr/bin:/bin"
export LANG='C.UTF-8'
http_proxy=http://old.example.org:1 # slow
odd line
"""


def test_the_variables_of_a_wish() -> None:
    found = environment.variables(
        {
            "rustup": {"dist_server": "https://r.example.org", "update_root": "https://r.example.org/rustup"},
            "huggingface": {"endpoint": "https://h.example.org"},
            "ca_bundle": "/etc/ca.pem",
            "proxy": PROXY,
            "environment": {"HF_HUB_DISABLE_XET": 0, "UV_LINK_MODE": "copy", "EMPTY": ""},
        }
    )
    assert found == {
        "RUSTUP_DIST_SERVER": "https://r.example.org",
        "RUSTUP_UPDATE_ROOT": "https://r.example.org/rustup",
        "HF_ENDPOINT": "https://h.example.org",
        "HF_HUB_DISABLE_XET": "0",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "REQUESTS_CA_BUNDLE": "/etc/ca.pem",
        "http_proxy": "http://p.example.org:3128",
        "HTTP_PROXY": "http://p.example.org:3128",
        "https_proxy": "http://p.example.org:3128",
        "HTTPS_PROXY": "http://p.example.org:3128",
        "no_proxy": ".lab.example.org,localhost,127.0.0.1,::1",
        "NO_PROXY": ".lab.example.org,localhost,127.0.0.1,::1",
        "UV_LINK_MODE": "copy",
    }
    assert environment.variables({}) == {}


def test_only_our_keys_change() -> None:
    changed = environment.update(USER, {"http_proxy": "http://p:1", "HF_ENDPOINT": "https://h.example.org"})
    assert changed == (
        USER.replace("http_proxy=http://old.example.org:1 # slow", 'http_proxy="http://p:1"')
        + 'HF_ENDPOINT="https://h.example.org"\n'
    )
    edited = changed.replace("odd line\n", "")
    undone = environment.undo(edited, {"http_proxy": "http://p:1", "HF_ENDPOINT": "https://h.example.org"}, USER)
    assert undone == USER.replace("http://old.example.org:1 # slow", '"http://old.example.org:1"').replace(
        "odd line\n", ""
    )


@pytest.mark.parametrize(
    ("text", "wish", "word"),
    [
        ("a=1\n\0\n", {"A": "1"}, "line 2"),
        ("A=1\nB=2 \\", {"C": "1"}, "line 2 ends with a backslash"),
        ("", {"A": "x#y"}, "holds #"),
        ("", {"A": 'x"y'}, 'holds "'),
        ("", {"A": "$HOME"}, "holds \\$"),
        ("", {"A": "x\ny"}, "line feed"),
        ("", {"A B": "x"}, "no name"),
        ("", {"A": "x" * 1001}, "1000 bytes"),
    ],
)
def test_what_pam_cannot_hold_is_refused(text: str, wish: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        environment.update(text, wish)


def test_a_line_that_goes_on_sets_nothing_else() -> None:
    text = "A=1 \\\nB=2\n"
    assert environment.get(text, "B") is None and environment.update(text, {"B": "3"}) == text + 'B="3"\n'


def test_a_password_is_never_in_the_script_that_everybody_reads() -> None:
    values = environment.variables(
        {"proxy": {"https": "http://me:s3cret@p.example.org:1"}, "environment": {"A": "b c"}}
    )
    script = environment.profile(values)
    assert "s3cret" not in script and "export A='b c'\n" in script and "export no_proxy=" in script
    assert "s3cret" in environment.update("", values) and environment.mode(values) == 0o600
    assert environment.mode({"A": "b"}) is None and environment.profile({}) == ""


def test_the_script_is_for_any_shell() -> None:
    script = environment.profile({"A": "b c~*", "URL": "https://h.example.org/?a=1&b=2"})
    done = subprocess.run(
        ["sh", "-c", script + 'printf "%s|%s" "$A" "$URL"'], capture_output=True, text=True, check=True, timeout=10
    )
    assert done.stdout == "b c~*|https://h.example.org/?a=1&b=2"


LINES = st.lists(
    st.sampled_from(["A=1", ' A="2" # c', "export B='3'", "# A=4", "", "junk", "C", "B=5\r", "D=x \\", "A=6"]),
    max_size=6,
)
WISHES = st.dictionaries(st.sampled_from("ABE"), st.sampled_from(["", "1", "x y", "http://p.example.org"]), max_size=3)


@given(LINES, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    lines: list[str], newline: bool, first: dict[str, str], second: dict[str, str], edited: bool
) -> None:
    original = "\n".join(lines) + ("\n" if newline and lines else "")
    try:
        text, other = environment.update(original, first), environment.update(original, second)
    except environment.EnvironmentFileError as error:
        assert "backslash" in str(error)
        return
    assert environment.update(text, first) == text
    assert all(environment.get(text, name) == value for name, value in first.items() if value)
    assert all(environment.get(text, n) == environment.get(original, n) for n in "ABCDE" if not first.get(n))
    if edited:
        undone = environment.undo("# late\n" + text, first, original)
        assert undone.startswith("# late\n")
        assert all(environment.get(undone, name) == environment.get(original, name) for name in "ABCDE")
        return
    assert environment.undo(text, first, original) == original
    assert environment.undo(other, second, original) == original
