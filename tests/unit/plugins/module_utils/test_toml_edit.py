# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import DateText, TomlError
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 11):
    import tomllib

# The file that nvidia-ctk 1.20.0 writes, shortened, with a user's comments
CONFIG = """#accept-nvidia-visible-devices-as-volume-mounts = false
disable-require = false
#swarm-resource = "DOCKER_RESOURCE_GPU"

[nvidia-container-cli]
#debug = "/var/log/nvidia-container-toolkit.log"
environment = []
ldconfig = "@/sbin/ldconfig" # host path
#no-cgroups = false

# about the runtime
[nvidia-container-runtime]
mode = "auto"
runtimes = ["runc",
  "crun", # second
]

[nvidia-container-runtime.modes.cdi]
spec-dirs = ["/etc/cdi", '/var/run/cdi']
"""
KEYS = st.sampled_from(["a", "b", "no-cgroups", "x y", "q.r", "é"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(KEYS, v, max_size=2)), max_leaves=4
)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(tuple)


def put(text: str, key: str, value: Any) -> str:
    return toml.loads(text).set(toml.split_key(key), value).text


def nest(path: tuple[str, ...], value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


def merged(one: Any, two: Any) -> Any:
    if isinstance(one, dict) and isinstance(two, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in two.items()}}
    return two


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("nvidia-container-cli.no-cgroups", False, "#no-cgroups = false\n", "no-cgroups = false\n"),
        ("nvidia-container-cli.ldconfig", "@/x", '"@/sbin/ldconfig" # host', '"@/x" # host'),
        ("nvidia-container-runtime.mode", "cdi", 'mode = "auto"', 'mode = "cdi"'),
        ("nvidia-container-runtime.runtimes", ["crun"], '["runc",\n  "crun", # second\n]', '["crun"]'),
        ("swarm-resource", "A", '#swarm-resource = "DOCKER_RESOURCE_GPU"', 'swarm-resource = "A"'),
        ("disable-require", False, "disable", "disable"),
        ("new-one", 1, "require = false\n", "require = false\nnew-one = 1\n"),
        ("nvidia-container-cli.user", "root", "path\n#no", 'path\nuser = "root"\n#no'),
        ("features.x", True, "\"/var/run/cdi']\n", "\"/var/run/cdi']\n"),
    ],
)
def test_only_the_key_changes(key: str, value: Any, old: str, new: str) -> None:
    if key == "features.x":
        assert put(CONFIG, key, value) == CONFIG + "\n[features]\nx = true\n"
    else:
        assert old in CONFIG and put(CONFIG, key, value) == CONFIG.replace(old, new, 1)


def test_get() -> None:
    document = toml.loads(CONFIG)
    assert document.get(("nvidia-container-runtime", "runtimes")) == ["runc", "crun"]
    assert document.get(("nvidia-container-cli", "no-cgroups"), "unset") == "unset"
    assert document.get(("nvidia-container-runtime", "modes")) == {"cdi": {"spec-dirs": ["/etc/cdi", "/var/run/cdi"]}}
    assert toml.loads("a = {b = {c = 1}}").get(("a", "b", "c")) == 1


def test_empty_file_and_file_without_last_newline() -> None:
    assert put("", "a.b", True) == "[a]\nb = true\n"
    assert put("", "a", True) == "a = true\n"
    assert put("[a]\nx = 1", "a.y", 2) == "[a]\nx = 1\ny = 2\n"
    assert put("# head\n\n# about a\n[a]\n", "top", 1) == "# head\n\ntop = 1\n# about a\n[a]\n"


def test_dotted_keys_and_inline_tables() -> None:
    assert put("[r]\nmodes.cdi.x = 1\n", "r.modes.cdi.y", 2) == "[r]\nmodes.cdi.x = 1\nmodes.cdi.y = 2\n"
    with pytest.raises(TomlError, match="line 2: a is no table"):
        toml.loads("\na = {b = 1}").set(("a", "c"), 1)
    with pytest.raises(TomlError, match="line 1: a is a table"):
        toml.loads("[a]\nb = 1").set(("a",), 1)


def test_unset() -> None:
    document = toml.loads(CONFIG)
    assert document.unset(("nope",)) is document
    path = ("nvidia-container-runtime", "mode")
    assert document.unset(path).text == CONFIG.replace('mode = "auto"\n', "")
    assert document.unset(path, "#mode\n").text == CONFIG.replace('mode = "auto"', "#mode")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb\n", 2),
        ("a = \n", 1),
        ("a = yes\n", 1),
        ("a = 'x\n", 1),
        ('a = "\\q"\n', 1),
        ('a = """x\n\n', 1),
        ("a = [1\n\n", 3),
        ("a = {b = 1,}\n", 1),
        ("a = 1 b\n", 1),
        ("a = 1\n\na = 2\n", 3),
        ("[a]\n[a]\n", 2),
        ("a = 1\n[a]\n", 2),
        ("[a]\nb.c = 1\n[a.b]\n", 3),
        ("[a.b]\n[a]\nb = 1\n", 3),
        ("= 1\n", 1),
        ("[a\n", 1),
        ("a = 01\n", 1),
        ("a = 1.\n", 1),
        ("a = " + "[" * 100, 1),
    ],
)
def test_unparsable_files_are_refused_with_the_line(text: str, line: int) -> None:
    with pytest.raises(TomlError) as error:
        toml.loads(text)
    assert error.value.line == line
    if sys.version_info >= (3, 11) and "[[[" not in text:
        with pytest.raises(tomllib.TOMLDecodeError):
            tomllib.loads(text)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="compares with tomllib of Python 3.11")
@pytest.mark.parametrize(
    "text",
    [
        CONFIG,
        'a = 0x1F\nb = 1_000\nc = -0.5e3\nd = [\n 1, # x\n 2,\n]\n"q.r".\'s\' = """\nx\\\n   y"""\n',
        "a = '''\nl1\n\\n'''\nb = 'it'\nc = \"\\u00e9\\t\\\\\"\r\n[t]\r\nd = {x = 1, y.z = [true]}\r\n",
        "a = \"\"\"x\"\"\"\"\nb = ''''y'''\n",
        "[a.b]\nx = 1\n[a]\ny = 2\n",
        "",
    ],
)
def test_reads_what_tomllib_reads(text: str) -> None:
    found: Any = {}
    for item in toml.loads(text).items:
        found = merged(found, nest(item.path, item.value))
    wanted = tomllib.loads(text)
    assert merged(wanted, found) == wanted and merged(found, wanted) == found


def test_dates_and_table_arrays_are_left_alone() -> None:
    text = "d = 1979-05-27T07:32:00Z # x\nt = 07:32:00\n[[p]]\nx = 1\n[[p]]\nx = 2\n[p.q]\ny = 1\n[z]\n"
    assert isinstance(toml.loads(text).get(("d",)), DateText)
    assert put(text, "z.a", 1) == text + "a = 1\n"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="compares with tomllib of Python 3.11")
@settings(deadline=None)
@given(st.lists(st.tuples(PATHS, VALUES), min_size=1, max_size=4))
def test_set_gives_the_value_and_spares_everything_else(edits: list[tuple[tuple[str, ...], Any]]) -> None:
    document, data = toml.loads(CONFIG), tomllib.loads(CONFIG)
    for path, value in edits:
        try:
            new = document.set(path, value)
        except TomlError:
            continue  # a table where a value stands, or the other way round
        data = _with(data, path, value)
        assert tomllib.loads(new.text) == data
        assert new.set(path, value).text == new.text
        comments = [line for line in document.text.splitlines() if line.startswith("# about")]
        assert all(line in new.text.splitlines() for line in comments)
        document = new


def _with(data: Any, path: tuple[str, ...], value: Any) -> Any:
    if len(path) == 1:
        return {**data, path[0]: value}
    return {**data, path[0]: _with(data.get(path[0], {}), path[1:], value)}


@settings(deadline=None)
@given(st.text(alphabet="ab=[]{}\"'#.,\\\n 01-", max_size=30))
def test_rubbish_is_read_like_tomllib_or_refused(text: str) -> None:
    try:
        items = toml.loads(text).items
    except TomlError as error:
        assert error.line >= 1
        return
    if sys.version_info >= (3, 11) and "[[" not in text:
        found: Any = {}
        for item in items:
            found = merged(found, nest(item.path, item.value))
        wanted = tomllib.loads(text)
        assert merged(wanted, found) == wanted


def test_split_key() -> None:
    assert toml.split_key('a-b."c.d".e') == ("a-b", "c.d", "e")
    for bad in ("", "a..b", "a b", "a."):
        with pytest.raises(TomlError):
            toml.split_key(bad)


def test_render_refuses_what_toml_cannot_hold() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        toml.render_value(None)


TABLES = "top = 1\n\n[[p]]\nx = 1 # one\n\n[p.q]\ny = [\n 2,\n]\n# about z\n[z]\n[[p]]\n[[r]]\nx = 3\n"


def test_entries_of_an_array_of_tables() -> None:
    document = toml.loads(TABLES)
    first, second = document.entries(("p",))
    assert first.values == {"x": 1, "q": {"y": [2]}} and second.values == {}
    assert TABLES[first.start : first.end] == "[[p]]\nx = 1 # one\n\n[p.q]\ny = [\n 2,\n]\n"
    assert document.replaced(first, "").text == TABLES.replace(TABLES[first.start : first.end], "")
    assert document.entries(("top",)) == [] and document.entries(("z",)) == []


def test_a_new_entry() -> None:
    values = {"u": "x\ny", "d e": True}
    new = toml.loads("[p]\na = 1").with_entry(("r",), values, "why")
    assert new.text == '[p]\na = 1\n\n[[r]]  # why\nu = "x\\ny"\n"d e" = true\n'
    assert [entry.values for entry in new.entries(("r",))] == [values]
    assert toml.loads("").with_entry(("r",), {}).text == "[[r]]\n"
    with pytest.raises(TomlError, match="line 2: r is no array"):
        toml.loads("\nr = [{}]").with_entry(("r",), values)
    with pytest.raises(TomlError, match="line 3"):
        toml.loads("\n\nr.a = 1").with_entry(("r",), values)


def test_a_value_and_a_table_of_one_name_in_an_entry() -> None:
    with pytest.raises(TomlError, match="line 4"):
        toml.loads("[[p]]\nx = 1\n[p.x]\ny = 1\n").entries(("p",))
