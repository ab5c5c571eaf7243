# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inputs the variables of a host reach, held against what Ansible's own templates make of them."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import Role, reads, touched
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["one_a", "one_b", "one_c", "one_d"]
GIVEN = ["gpuready_x", "gpuready_y", "other"]
TEMPLATES = st.one_of(
    st.just("plain"),
    st.sampled_from(NAMES + GIVEN).map(lambda name: f"{{{{ {name} | default('none') }}}}"),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(GIVEN)).map(
        lambda two: f"{{{{ [{two[0]} | default(1), {two[1]} | default(2)] }}}}"
    ),
    st.sampled_from(GIVEN).map(
        lambda name: f"{{{{ query('ansible.builtin.vars', '{name[:4]}' ~ '{name[4:]}', default=0) }}}}"
    ),
)


def role(defaults: dict[str, Any]) -> Role:
    trusted = {name: trust_as_template(text) for name, text in defaults.items()}
    return Role("one", {name: {} for name in NAMES}, trusted, reads(trusted))


def values(one: Role, variables: dict[str, Any]) -> dict[str, str]:
    """What the role sees; a template that cannot be computed (one that reads itself) is a value like others."""
    templar = Templar(loader=DataLoader(), variables={**one.defaults, **variables})
    found = {}
    for name in one.defaults:
        try:
            found[name] = repr(templar.template({**one.defaults, **variables}[name]))
        except AnsibleError:
            found[name] = "error"
    return found


@given(
    st.fixed_dictionaries(dict.fromkeys(NAMES, TEMPLATES)),
    st.dictionaries(st.sampled_from(NAMES + GIVEN), st.integers(5, 9), max_size=3),
)
def test_an_input_that_variables_change_is_touched(defaults: dict[str, str], variables: dict[str, int]) -> None:
    one = role(defaults)
    before, after = values(one, {}), values(one, dict(variables))
    assert {name for name in NAMES if before[name] != after[name]} <= touched(one, variables)


def test_a_default_that_nothing_reaches_is_not() -> None:
    computed = {"one_b": "{{ gpuready_x | default(1) }}", "one_c": "{{ one_b }}", "one_d": "{{ query('x') }}"}
    one = role({"one_a": "plain", **computed})
    assert touched(one, {"unrelated": 1}) == {"one_d"}
    assert touched(one, {"gpuready_x": 2}) == {"one_b", "one_c", "one_d"}
    # in a play with the role its defaults are variables, too
    assert touched(one, {**one.defaults, "one_a": "mine"}) == {"one_a", "one_d"}


def test_an_input_without_a_default_is_always_looked_at() -> None:
    one = Role("one", {"one_a": {"required": True}}, {}, {})
    assert touched(one, {}) == {"one_a"}
