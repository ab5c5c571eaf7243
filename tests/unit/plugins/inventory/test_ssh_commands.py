# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin as Ansible runs it: a real InventoryManager on files."""

from __future__ import annotations

import pytest
from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible_collections.gpuready.bootstrap.plugins.inventory import ssh_commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.rented_hosts import providers

NAME = "gpuready.bootstrap.ssh_commands"
PLUGIN = f"plugin: {NAME}\n"


@pytest.fixture(autouse=True)
def plugin(monkeypatch, documentation):
    """What Ansible's loader of plugins does: the options are those of the documentation and its fragment."""
    options = documentation(ssh_commands)["options"]
    constants.config.initialize_plugin_configuration_definitions("inventory", NAME, options)

    def fetch(self):
        found = ssh_commands.InventoryModule()
        found._load_name = NAME
        found._redirected_names = []
        return [found]

    monkeypatch.setattr(InventoryManager, "_fetch_inventory_plugins", fetch)


@pytest.fixture
def warnings(monkeypatch):
    said = []

    def note(self, msg, exception):
        said.append(str(exception))

    monkeypatch.setattr(Display, "error_as_warning", note)
    # our ansible.cfg makes the run stop there
    monkeypatch.setattr(constants, "INVENTORY_ANY_UNPARSED_IS_FAILED", False)
    return said


@pytest.fixture
def load(tmp_path, warnings):
    def run(text, name="my.ssh_commands.yml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return InventoryManager(loader=DataLoader(), sources=[str(path)])

    return run


def test_lines_become_hosts_with_groups(load, warnings):
    manager = load(
        PLUGIN
        + """
lines: |
  # mine
  ssh -p 910 root@12.34.56.78  # train-1

  ssh -p 20544 root@ssh5.vast.ai
keyed_groups: [{key: ansible_port | string, prefix: port}]
groups: {training: inventory_hostname.startswith('train')}
compose: {login: ansible_user ~ '@' ~ ansible_host}
"""
    )
    assert warnings == []
    assert sorted(host.name for host in manager.get_hosts("all")) == ["ssh5.vast.ai-20544", "train-1"]
    groups = {name: sorted(host.name for host in group.get_hosts()) for name, group in manager.groups.items()}
    assert groups["rented"] == ["ssh5.vast.ai-20544", "train-1"]
    assert groups["rented_vast_ai"] == ["ssh5.vast.ai-20544"]
    assert groups["training"] == groups["port_910"] == ["train-1"]
    variables = manager.get_host("train-1").vars
    assert (variables["ansible_port"], variables["gpuready_platform"]) == (910, "rented")
    assert variables["login"] == "root@12.34.56.78"


def test_a_list_is_as_good_as_a_text(load):
    assert load(PLUGIN + "lines: ['ssh a.example.org', 'ssh b.example.org']\n").hosts.keys() == {
        "a.example.org",
        "b.example.org",
    }


def test_a_file_of_lines_lies_beside_the_inventory(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (tmp_path / "boxes.txt").write_text("\ufeffssh -p 910 root@12.34.56.78\r\n", encoding="utf-8")
    manager = load(PLUGIN + "file: boxes.txt\nknown_hosts: keys\nprovider: luchen\n")
    (host,) = manager.get_hosts("rented_luchen")
    assert host.name == "12.34.56.78-910"
    assert f"UserKnownHostsFile={tmp_path}/keys" in host.vars["ansible_ssh_common_args"]


def test_one_bad_line_and_nothing_is_loaded(load, warnings, tmp_path):
    manager = load(PLUGIN + "lines: |\n  ssh root@a\n\n  zX9k+PwQ2/ab\n  ssh -p 0 root@b\n  ssh root@a\n")
    assert not manager.hosts
    said = warnings[0]
    path = tmp_path / "my.ssh_commands.yml"
    assert f"{path}: 3 of 4 lines are wrong, and no host was loaded:\n" in said
    assert [line.strip().split(" ")[0] for line in said.splitlines()[1:]] == [
        f"{path}:{number}" for number in (5, 6, 7)
    ]
    assert "zX9k" not in "".join(warnings)


def test_a_line_that_is_like_another_one_names_its_number_in_the_file(load, warnings):
    load(PLUGIN + "lines: |\n  ssh root@a # box\n  ssh root@b # box\n  ssh root@a\n")
    said = warnings[0].splitlines()
    assert ":4 (" in said[1] and "called box like line 3;" in said[1]
    assert ":5 (" in said[2] and "the machine of line 3 once more" in said[2]


def test_a_bad_line_of_a_file_is_named_there(load, warnings, tmp_path):
    (tmp_path / "boxes.txt").write_text("ssh root@a\nssh root@b c\n", encoding="utf-8")
    load(PLUGIN + "file: boxes.txt\n")
    assert f"{tmp_path}/boxes.txt:2 (ssh ... root@b): behind the address" in warnings[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "lines or file: one of the two is needed"),
        ("lines: ssh a\nfile: b\n", "lines or file: one of the two is needed"),
        ("lines: {a: b}\n", "lines is of type"),
        ("file: missing.txt\n", "missing.txt cannot be read: No such file or directory"),
        ("lines: '# none'\n", "there are no lines"),
        ("lines: ssh a\nprovider: autold\n", "provider is 'autold'; expected one of auto, autodl, "),
        (
            "lines: ssh a\nhost_key_checking: ask\n",
            "host_key_checking is 'ask'; expected one of accept-new, strict, off",
        ),
        ("lines: ssh a\nnames: {b: c}\n", "names: b: it is the address of no line"),
        ("lines: ssh a\nkeyed_groups: [{key: nothing}]\nstrict: true\n", "nothing"),
    ],
)
def test_what_is_refused(load, warnings, text, why):
    load(PLUGIN + text)
    assert why in warnings[0]


@pytest.mark.parametrize(("value", "expected"), [("off", "no"), ("false", "no"), ("true", "yes"), ("strict", "yes")])
def test_truth_values_of_yaml_are_understood(load, value, expected):
    manager = load(PLUGIN + f"lines: ssh root@a\nhost_key_checking: {value}\n")
    assert f"StrictHostKeyChecking={expected} " in manager.get_host("a").vars["ansible_ssh_common_args"]


def test_a_file_with_another_ending_is_not_ours(load, warnings):
    assert not load(PLUGIN + "lines: ssh a\n", name="hosts.yml").hosts
    assert warnings == []


def test_the_documentation_names_all_providers(documentation):
    text = " ".join(documentation(ssh_commands)["options"]["provider"]["description"])
    assert [name for name in providers() if f"V({name})" not in text] == []
