# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup with Ansible's real loader and templar."""

from __future__ import annotations

import json

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.gpuready.bootstrap.plugins.action.validate_inputs import THIRD_PARTY
from ansible_collections.gpuready.bootstrap.plugins.lookup import dev_spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise

NAME = "gpuready.bootstrap.dev_spec"
KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
RIGHT = {"inventory_hostname": "box", "dev_ssh": {"authorized_keys": [KEY]}}
HEX = "0123456789abcdef" * 4
PLAN = {"choices": [{"id": "cuda_image", "value": "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04"}]}


def trusted(value):
    """Texts as those of an inventory, which Ansible evaluates."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.fixture
def look(documentation):
    # what Ansible's loader of plugins does: the options are those of the documentation
    definitions = documentation(dev_spec)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", NAME, definitions)

    def run(variables, **options):
        loader = DataLoader()
        plugin = dev_spec.LookupModule(loader=loader, templar=Templar(loader=loader, variables=variables))
        plugin._load_name = NAME
        return plugin.run([], variables=variables, **options)

    return run


def test_the_variables_of_the_host_become_one_specification(look):
    (found,) = look({**RIGHT, "dev_python": {"groups": ["notebook"]}})
    assert found == normalise({"ssh": {"authorized_keys": [KEY]}, "python": {"groups": ["notebook"]}})
    assert json.loads(json.dumps(found)) == found


def test_templates_are_worked_out(look):
    variables = {**RIGHT, "port": 2222, "dev_jupyter": {"publish": trust_as_template("{{ port }}")}}
    assert look(variables)[0]["jupyter"]["publish"] == 2222


def test_inputs_of_roles_are_left_alone(look):
    variables = {**RIGHT, "dev_container_name": "x", "dev_inplace_dir": "/x", "dev_container_probes": []}
    assert look(variables) == look(RIGHT)


def test_an_unknown_name_is_refused_with_the_nearest(look):
    with pytest.raises(AnsibleError, match=r"dev_pyhton: there is no such variable; did you mean dev_python\?"):
        look({**RIGHT, "dev_pyhton": {}})


def test_all_problems_come_in_one_message(look):
    with pytest.raises(AnsibleError) as caught:
        look({**RIGHT, "dev_tmux": "perhaps", "dev_restart": "never"})
    assert "2 values of the development environment cannot be used for box; nothing was done:" in str(caught.value)
    assert "\n  - dev_tmux: 'perhaps' must be true or false" in str(caught.value)
    assert "\n  - dev_restart: 'never' must be one of no, always, on-failure, unless-stopped" in str(caught.value)


def test_a_secret_never_shows(look):
    with pytest.raises(AnsibleError) as caught:
        look(
            {**RIGHT, "dev_jupyter": {"token": "hunter2 hunter2"}, "dev_code_server": {"hashed_password": ["hunter2"]}}
        )
    assert "dev_code_server.hashed_password: the value (not shown)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_origin_is_the_file_and_line(look, tmp_path):
    path = tmp_path / "all.yml"
    path.write_text("---\ndev_python:\n  groups:\n    - core\n    - hff\n", encoding="utf-8")
    with pytest.raises(AnsibleError, match=rf"dev_python.groups\[1\]: 'hff' .* \[{path}:5\]"):
        look({**RIGHT, **DataLoader().load_from_file(str(path))})


def test_a_template_that_cannot_be_worked_out_is_named(look):
    with pytest.raises(AnsibleError, match=r"dev_tmux: its value cannot be computed: 'hve_it' is undefined"):
        look({**RIGHT, "dev_tmux": trust_as_template("{{ hve_it }}")})


NO_KEY = "{{ lookup('file', '/nowhere/id.pub') }}"


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({"dev_ssh_authorized_keys": [NO_KEY]}, {}),
        ({"dev_ssh": {"authorized_keys": [KEY, NO_KEY], "publish": 2200}}, {"authorized_keys": [KEY], "publish": 2200}),
        ({"dev_ssh_authorized_keys": NO_KEY, "dev_ssh_publish": 2200}, {"publish": 2200}),
    ],
)
def test_a_key_that_cannot_be_read_is_left_out_where_nothing_is_changed(look, monkeypatch, variables, left):
    said = []
    monkeypatch.setattr(dev_spec.display, "warning", said.append)
    given = trusted(variables)
    assert look(given, target="files", unreadable="leave_out") == [normalise({"ssh": left})]
    (text,) = said
    assert "the public key /nowhere/id.pub cannot be read on the machine that runs Ansible" in text
    assert text.endswith("Nothing is changed, so it is left out.")
    with pytest.raises(AnsibleError, match=r"^dev_ssh\w*: the public key /nowhere/id\.pub cannot be read "):
        look(given, target="files")


def test_another_mistake_is_never_left_out(look):
    given = trusted({"dev_ssh_authorized_keys": [NO_KEY, "{{ nobody }}"]})
    with pytest.raises(AnsibleError, match="'nobody' is undefined"):
        look(given, target="files", unreadable="leave_out")


@pytest.mark.parametrize("target", ["inplace", "files"])
def test_without_a_container_no_key_is_needed(look, target):
    with pytest.raises(AnsibleError, match=r"dev_ssh.authorized_keys: there is no key"):
        look({})
    assert look({}, target=target) == [normalise({})]


def test_the_plan_is_used(look):
    assert look(RIGHT, plan=PLAN)[0]["base"]["image"] == "nvidia/cuda:13.0.3-base-ubuntu24.04"


def test_each_container_has_its_own(look):
    variables = {
        **RIGHT,
        "dev_containers": [{"name": "a"}, {"name": "b", "ssh": {"publish": 1}, "jupyter": {"publish": 2}}],
    }
    assert [one["name"] for one in look(variables, each=True)] == ["a", "b"]
    assert [one["name"] for one in look(RIGHT, each=True, plan=PLAN)] == ["gpuready-dev"]


@pytest.mark.parametrize(
    ("shared", "own", "expected"),
    [
        ({"http": "http://a.example.org", "more": 1}, {}, {"http": "http://a.example.org"}),
        (
            {"https": "http://a.example.org", "for_mirrors": True},
            {},
            {"https": "http://a.example.org", "for_mirrors": True},
        ),
        ({"http": "", "no_proxy": "a, b"}, {}, {"no_proxy": ["a", "b"]}),
        ({"https": "http://a.example.org"}, {"dev_proxy": {}}, {}),
        (trust_as_template("{{ the_proxy }}"), {"the_proxy": {"no_proxy": ["c"]}}, {"no_proxy": ["c"]}),
        ({}, {}, {}),
        (None, {}, {}),
    ],
)
def test_the_proxies_of_the_mirrors_are_taken_where_there_are_no_own(look, shared, own, expected):
    assert look({**RIGHT, "gpuready_mirror_proxy": shared, **own})[0]["proxy"] == expected


@pytest.mark.parametrize("name", THIRD_PARTY)
@pytest.mark.parametrize("value", [True, "yes"])
def test_registry_mirrors_of_others_need_a_digest(look, name, value):
    with pytest.raises(AnsibleError, match=r"dev_base.digest: images come from registry mirrors of others"):
        look({**RIGHT, name: value})
    assert look({**RIGHT, name: value, "dev_base": {"digest": f"sha256:{HEX}"}})
    assert look({**RIGHT, name: value}, target="files")
    assert look({**RIGHT, name: "false"})


def test_what_is_probably_not_meant_is_warned_about(look, monkeypatch):
    told = []
    monkeypatch.setattr(dev_spec.display, "warning", told.append)
    look({**RIGHT, "dev_env": {"HF_TOKEN": "hunter2"}})
    (text,) = told
    assert text.startswith("dev_env.HF_TOKEN")
    assert "hunter2" not in text
