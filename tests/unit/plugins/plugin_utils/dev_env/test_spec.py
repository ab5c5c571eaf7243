# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification as a whole: defaults, types, merging, and that nothing given makes it fall."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import schema
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import (
    expand,
    flavour,
    mistakes,
    normalise,
    problems,
    warnings,
    with_flavour,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} me@example.org"
HIDDEN = "hunter2hunter2hunter2"
PLAN = {
    "choices": [
        {"id": "cuda_image", "value": "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04"},
        {"id": "torch_index", "value": "cu130"},
    ]
}
DEFAULT = normalise({})


def leaves(known, path=()):
    """(path, option) of each option with a value of its own, as far as keys are known."""
    for name, option in known.items():
        parts = option.get("options") or {}
        if option["type"] == "dict" and parts:
            yield from leaves(parts, (*path, name))
        else:
            yield (*path, name), option


def at(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


def put(spec, path, value):
    changed = copy.deepcopy(spec)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return changed


LEAVES = list(leaves(schema.options()))
SIMPLE = [
    (path, option) for path, option in LEAVES if option["type"] in ("str", "int", "bool") and "sparse" not in option
]
SIMPLE = [(path, option) for path, option in SIMPLE if path[0] != "proxy"]
# what is no value of a type, and cannot be taken for one
STRANGE = {
    "str": [True, 1.5, ["a"], {"a": "b"}],
    "int": [True, 1.5, "many", [1], {"a": 1}],
    "bool": ["perhaps", 2, [True], {"a": True}],
    "list": ["text", 3, True, {"a": "b"}],
    "dict": ["text", 3, True, ["a"]],
}


def right(option):
    """Values that fit an option."""
    if "choices" in option and option["type"] == "str":
        return st.sampled_from(option["choices"])
    return {"str": st.text(), "int": st.integers(-(10**9), 10**9), "bool": st.booleans()}[option["type"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def anything(draw):
    """A specification with all sorts of things in places that there are."""
    given_ = {}
    for path, _option in draw(st.lists(st.sampled_from(LEAVES), max_size=5)):
        depth = draw(st.integers(1, len(path)))
        if depth > 1 and isinstance(given_.get(path[0]), dict):
            given_[path[0]].update(at(path[1:depth], draw(JSON)))
        else:
            given_.update(at(path[:depth], draw(JSON)))
    return given_


def test_the_defaults_are_those_of_the_schema():
    assert DEFAULT["python"] == {
        "manager": "uv",
        "version": "",
        "prefix": "/opt/venv",
        "env_name": "main",
        "groups": ["notebook", "core"],
        "packages": [],
        "lock": "",
        "project": "",
        "extras": ["gpu"],
    }
    assert DEFAULT["ssh"]["bind"] == DEFAULT["jupyter"]["bind"] == DEFAULT["code_server"]["bind"] == "127.0.0.1"
    assert DEFAULT["proxy"] == DEFAULT["env"] == DEFAULT["volumes"] == {}
    assert DEFAULT["user"]["profile"] == "user"


def test_of_the_defaults_only_the_key_is_missing():
    assert [text.partition(":")[0] for text in problems({})] == ["dev_ssh.authorized_keys"]
    assert problems({}, "inplace") == problems({}, "files") == problems({"ssh": {"authorized_keys": [KEY]}}) == []


def test_names_have_the_prefix_or_not():
    assert normalise({"dev_tmux": False}) == normalise({"tmux": False}) == put(DEFAULT, ("tmux",), False)


def test_a_result_is_nobody_elses():
    normalise({})["python"]["groups"].append("llm")
    normalise({})["code_server"]["extensions"][0]["id"] = "changed"
    assert normalise({}) == DEFAULT


def test_texts_of_the_command_line_become_what_they_mean():
    found = normalise({"tmux": "no", "ssh": {"port": "2222"}, "gpu": {"devices": [0, 1]}, "cpus": 4})
    assert (found["tmux"], found["ssh"]["port"], found["gpu"]["devices"], found["cpus"]) == (
        False,
        2222,
        ["0", "1"],
        "4",
    )


def test_mappings_with_free_keys_replace_the_default():
    assert normalise({"ulimits": {}})["ulimits"] == {}
    assert normalise({"ulimits": {"nofile": 1024, "stack": None}})["ulimits"] == {"nofile": 1024}


def test_a_sparse_mapping_holds_what_was_given_only():
    assert normalise({"proxy": {"http": "http://proxy.example.org"}})["proxy"] == {"http": "http://proxy.example.org"}


@pytest.mark.parametrize("value", [None, 3, "text", ["a"]])
def test_what_is_no_mapping_at_all(value):
    assert normalise(value) == DEFAULT
    assert mistakes(value) == ["dev_*: the value (not shown) must be a mapping"]


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        (
            {"python": {"manager": "vnev"}},
            "dev_python.manager: 'vnev' must be one of uv, venv, conda; did you mean venv?",
        ),
        ({"pyton": {}}, "dev_pyton: there is no such variable; did you mean dev_python?"),
        ({"ssh": {"prot": 1}}, "dev_ssh.prot: there is no such key; did you mean port?"),
        ({"python": {"version": 3.1}}, "dev_python.version: 3.1 must be a text; put it in quotes"),
        ({"restart": False}, "dev_restart: False must be a text; put it in quotes"),
        ({"apt_packages": "git"}, "dev_apt_packages: 'git' must be a list; write it in brackets"),
        ({"apt_packages": ["git", None]}, "dev_apt_packages[1]: nothing is there; take the item out, or write a value"),
        ({"python": {"groups": ["hff"]}}, "dev_python.groups[0]: 'hff' must be one of"),
        ({"ports": [{"name": "a", "container": 1}]}, "dev_ports[0].publish: it is missing; each entry must have it"),
        ({"volumes": {"m": {"source": "/a"}}}, "dev_volumes.m.target: it is missing; each entry must have it"),
        ({"env": {3: "a"}}, "dev_env: the key 3 must be a text; put it in quotes"),
        ({"containers": [{"name": "a", "ssh": {"prot": 1}}]}, "dev_containers[0].ssh.prot: there is no such key"),
        ({"containers": [{"name": "a", "containers": []}]}, "dev_containers[0].containers: there is no such key"),
    ],
)
def test_one_clear_sentence(given_, sentence):
    (found,) = mistakes(given_)
    assert found.startswith(sentence)
    assert problems(given_) == [found]


def test_all_wrong_values_come_at_once():
    found = mistakes({"tmux": 5, "shm_size": "much", "jupyter": {"port": 0}})
    assert [text.partition(":")[0] for text in found] == ["dev_tmux", "dev_jupyter.port", "dev_shm_size"]


def test_the_plan_fills_in_what_is_open():
    found = normalise({}, PLAN)
    assert found["base"]["image"] == "nvidia/cuda:13.0.3-base-ubuntu24.04"
    assert found["torch"]["backend"] == "cu130"
    assert normalise(found, PLAN) == found


def test_what_was_said_stands_against_the_plan():
    given_ = {"base": {"image": "debian:13"}, "torch": {"backend": "cu128"}}
    found = normalise(given_, PLAN)
    assert (found["base"]["image"], found["torch"]["backend"]) == ("debian:13", "cu128")


@pytest.mark.parametrize("plan", [{}, {"choices": None}, {"choices": [{"id": "cuda_image", "value": None}, 3]}])
def test_a_plan_without_a_choice_leaves_it_open(plan):
    assert normalise({}, plan)["base"]["image"] == ""


def test_compilers_need_the_flavour_devel():
    given_ = {"source_builds": ["flash-attn==2.8.3"]}
    assert normalise(given_, PLAN)["base"]["image"] == "nvidia/cuda:13.0.3-devel-ubuntu24.04"
    assert flavour(normalise(given_)) == "devel"
    assert flavour(DEFAULT) == "base"


def test_each_container_gets_its_own_flavour():
    given_ = {"containers": [{"name": "a"}, {"name": "b", "source_builds": ["flash-attn==2.8.3"]}]}
    assert [one["base"]["image"].split("-")[1] for one in expand(given_, PLAN)] == ["base", "devel"]


@pytest.mark.parametrize("image", ["debian:13", "registry.example.org:5000/cuda", "nvidia/cuda@sha256:ab", "a/base"])
def test_an_image_without_a_flavour_is_left(image):
    assert with_flavour(image, "devel") == image


def test_secrets_in_env_and_shared_gpus_are_warned_about():
    given_ = {"ssh": {"authorized_keys": [KEY]}, "env": {"HF_TOKEN": HIDDEN}}
    (found,) = warnings(given_)
    assert found.startswith("dev_env.HF_TOKEN")
    assert HIDDEN not in found


@given(anything())
@settings(max_examples=150, deadline=None)  # the first one reads the tables
@example({"ulimits": {"\n": False}})
def test_nothing_makes_it_fall(given_):
    found = normalise(given_)
    assert normalise(found) == found
    assert json.loads(json.dumps(found)) == found
    assert set(found) == set(DEFAULT)
    for texts in (mistakes(given_), problems(given_), problems(given_, "inplace"), warnings(given_)):
        assert all(text.startswith("dev_") and "\n" not in text for text in texts)
    assert bool(mistakes(given_)) <= bool(problems(given_))


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_no_foreign_keys_make_it_fall(given_):
    assert set(normalise(given_)) == set(DEFAULT)
    assert all(isinstance(text, str) for text in problems(given_))


@given(st.sampled_from(SIMPLE).flatmap(lambda leaf: st.tuples(st.just(leaf[0]), right(leaf[1]))))
@settings(max_examples=150, deadline=None)  # the first one reads the tables
def test_one_key_changes_only_itself(change):
    path, value = change
    assert normalise(at(path, value)) == put(DEFAULT, path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, option in LEAVES for value in STRANGE.get(option["type"], [])],
    ids=lambda part: ".".join(part) if isinstance(part, tuple) else str(part),
)
def test_any_wrong_type_is_one_sentence(path, value):
    (found,) = problems(at(path, value), "inplace") or [""]
    assert found.startswith(f"dev_{'.'.join(path)}")
    if path[0] != "proxy" and not isinstance(value, dict):
        assert normalise(at(path, value)) == DEFAULT


SECRETS = [path for path, option in LEAVES if schema.is_secret(path[-1], option)]


def test_the_secrets_are_found():
    assert {
        ("jupyter", "token"),
        ("jupyter", "hashed_password"),
        ("code_server", "hashed_password"),
        ("ssh", "authorized_keys"),
        ("containers",),
    } == set(SECRETS)


def test_no_log_is_enough_to_hide_a_value():
    assert schema.is_secret("pin", {"no_log": True})
    assert not schema.is_secret("pin", {})


@given(
    st.sampled_from(SECRETS),
    st.integers(1, 2),
    st.sampled_from(["{0}", "{0} x", "x\n{0}", "-----BEGIN OPENSSH PRIVATE KEY-----{0}"]),
    st.sampled_from([lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: [[x]], lambda x: [{"other": x}]]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)  # the first one reads the tables
def test_a_secret_is_in_no_sentence(path, depth, form, wrap, inside):
    given_ = at(path[:depth], wrap(form.format(HIDDEN)))
    if inside and path[0] != "containers":
        given_ = {"containers": [{"name": "a", **given_}]}
    assert HIDDEN not in "".join(problems(given_) + mistakes(given_) + warnings(given_))


@pytest.mark.parametrize("url", [f"http://me:{HIDDEN}@proxy.example.org:x y", f"ftp://{HIDDEN}@proxy.example.org"])
def test_credentials_of_a_proxy_are_in_no_sentence(url):
    found = problems({"proxy": {"http": url}})
    assert found
    assert HIDDEN not in "".join(found)
