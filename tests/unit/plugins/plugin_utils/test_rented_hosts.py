# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Login commands as hosts of an inventory: names, groups, variables, and what is said of bad ones."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.rented_hosts import (
    Options,
    group_of,
    hosts,
    numbers_in_file,
    provider_of,
    providers,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import hop_text, parse_lines, render
from hypothesis import given
from hypothesis import strategies as st

KNOWN = "/home/me/.ssh/known_hosts_rented"
PLAIN = Options(KNOWN)


def one(line, **options):
    (host,), problems, total = hosts([line], Options(KNOWN, **options))
    assert (problems, total) == ([], 1)
    return host


def why(lines, **options):
    return [(problem.number, problem.why) for problem in hosts(lines, Options(KNOWN, **options))[1]]


def arguments(host):
    return shlex.split(host.variables["ansible_ssh_common_args"])


def test_the_line_of_the_reference_documents():
    host = one("ssh root@12.34.56.78  -p 910")
    assert (host.name, host.groups) == ("12.34.56.78-910", ("rented",))
    assert dict(host.variables) == {
        "gpuready_platform": "rented",
        "ansible_host": "12.34.56.78",
        "ansible_port": 910,
        "ansible_user": "root",
        "ansible_ssh_common_args": f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={KNOWN}",
    }


def test_what_the_line_does_not_say_is_left_to_the_config_of_ssh():
    assert set(one("ssh box.example.org").variables) == {
        "gpuready_platform",
        "ansible_host",
        "ansible_ssh_common_args",
    }


def test_options_jump_hosts_and_keys_go_to_ssh():
    host = one(
        'ssh -J me@gate.example.org:2222,[2001:db8::9] -i ~/.ssh/a -i "/k y/b" -o ServerAliveInterval=30 -c aes root@h'
    )
    assert host.variables["ansible_ssh_private_key_file"] == "~/.ssh/a"
    assert arguments(host)[4:] == [
        "-o",
        'IdentityFile="/k y/b"',
        "-o",
        "ProxyJump=me@gate.example.org:2222,[2001:db8::9]",
        "-o",
        "ServerAliveInterval=30",
        "-o",
        "Ciphers=aes",
    ]


def test_the_inventorys_policy_stands_above_the_lines():
    host = one("ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o RequestTTY=yes -L 1:a:1 -t root@h")
    assert arguments(host) == ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={KNOWN}"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("accept-new", ["StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={KNOWN}"]),
        ("strict", ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={KNOWN}"]),
        ("off", ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]),
    ],
)
def test_host_key_policies(policy, expected):
    assert arguments(one("ssh root@h", host_key_checking=policy))[1::2] == expected


def test_a_known_hosts_file_with_blanks_stays_one_file():
    (host,), _problems, _total = hosts(["ssh root@h"], Options("/home/li lei/known"))
    assert arguments(host)[3] == 'UserKnownHostsFile="/home/li lei/known"'


@pytest.mark.parametrize(
    ("line", "provider", "name"),
    [
        ("ssh -p 43898 root@connect.westb.seetacloud.com", "autodl", "connect.westb.seetacloud.com-43898"),
        ("ssh -p 910 root@region-1.AutoDL.com", "autodl", "region-1.AutoDL.com-910"),
        ("ssh -p 20544 root@ssh5.vast.ai -L 8080:localhost:8080", "vast.ai", "ssh5.vast.ai-20544"),
        ("ssh -p 63260 root@i-1.gpushare.com", "gpushare", "i-1.gpushare.com-63260"),
        ("ssh s_01jgsqrd7t@ssh.lightning.ai", "lightning", "s-01jgsqrd7t-ssh.lightning.ai"),
        ("ssh root@192.0.2.7 -p 22016 -i ~/.ssh/id_ed25519", "", "192.0.2.7-22016"),
    ],
)
def test_providers_are_known_by_their_addresses(line, provider, name):
    host = one(line)
    assert (host.name, host.variables.get("gpuready_provider", "")) == (name, provider)
    assert host.groups == (("rented", group_of(provider)) if provider else ("rented",))


def test_a_provider_that_is_named_goes_above_the_address():
    assert one("ssh root@192.0.2.7", provider="vast.ai").groups == ("rented", "rented_vast_ai")
    assert one("ssh root@ssh5.vast.ai", provider="other").groups == ("rented",)


def test_an_address_that_ansible_cannot_work_through_is_refused():
    ((number, text),) = why(["ssh abc-64410d8a@ssh.runpod.io -i ~/.ssh/id_ed25519"])
    assert number == 1 and "SSH over exposed TCP" in text


def test_two_machines_of_one_name_are_refused():
    lines = ["ssh a@192.0.2.7  # box", "ssh b@192.0.2.8 # box", "ssh c@2001:db8::1", "ssh c@2001-db8-1"]
    assert why(lines) == [
        (2, "it would be called box like line 1; write a name of its own behind #"),
        (4, "it would be called 2001-db8-1 like line 3; write a name of its own behind #"),
    ]


@pytest.mark.parametrize("name", ["all", "rented", "rented_autodl"])
def test_a_name_is_no_groups_name(name):
    assert why([f"ssh root@h # {name}"]) == [(1, f"{name} is the name of a group; write another one behind #")]


@pytest.mark.parametrize("address", ["192.0.2.7", "192.0.2.7:22016", "root@192.0.2.7:22016"])
def test_names_by_address(address):
    assert one("ssh root@192.0.2.7 -p 22016", names={address: "eval"}).name == "eval"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"192.0.2.9": "a"}, "it is the address of no line"),
        ({"192.0.2.7": "a"}, "it is the address of 2 lines: add user and port"),
        ({"192.0.2.7:1": "two words"}, "'two words' is no name: letters, digits, dots, - and _"),
        ({"root@": "a"}, "it holds no name or address of a machine"),
        ({"192.0.2.7:1": 5}, "5 is no name: letters, digits, dots, - and _"),
    ],
)
def test_names_that_cannot_be_meant(names, text):
    assert why(["ssh -p 1 root@192.0.2.7", "ssh -p 2 root@192.0.2.7"], names=names) == [(0, text)]


@pytest.mark.parametrize("lines", ["", "# nothing\n\n", []])
def test_no_machine_at_all(lines):
    assert why(lines) == [(0, "it names no machine; expected a line such as ssh -p 910 root@12.34.56.78")]


def test_all_problems_at_once_in_their_order():
    found, problems, total = hosts("ssh -p x a@h\nssh root@192.0.2.7\npass\nssh root@192.0.2.7\n", PLAIN)
    assert ([host.name for host in found], total) == (["192.0.2.7"], 4)
    assert [problem.number for problem in problems] == [1, 3, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plugin: x\nlines: |\n  ssh a\n", 2),
        ("lines: |2-\n\n   ssh a\n", 1),
        ("a: 1\nlines:\n  - ssh a\n\n  # b\n  - ssh c\n", [3, 6]),
        ('lines: "ssh a"\n', None),
        ("lines: >\n  ssh a\n", None),
        ("file: x\n", None),
        ("- a\n", None),
        ("a: [", None),
        ("", None),
    ],
)
def test_where_the_lines_stand_in_the_file(text, expected):
    assert numbers_in_file(text, "lines") == expected


LINES = st.lists(
    st.builds(
        "ssh {}-p {} {}@{}".format,
        st.sampled_from(["", "-i ~/.ssh/k ", "-J gate.example.org ", "-o ServerAliveInterval=3 "]),
        st.integers(1, 65535),
        st.sampled_from(["root", "ubuntu", "s_01abc"]),
        st.ip_addresses().map(str) | st.sampled_from(["ssh5.vast.ai", "ssh.lightning.ai", "a.example.org"]),
    ),
    min_size=1,
    max_size=6,
)


@given(LINES, st.sampled_from(["accept-new", "strict", "off"]))
def test_each_line_is_a_host_or_a_problem_and_says_the_same_to_ansible(lines, policy):
    found, problems, total = hosts(lines, Options(KNOWN, policy))
    assert total == len(lines) == len(found) + len(problems)
    assert len({host.name for host in found}) == len(found)
    for host in found:
        value = host.variables
        words = arguments(host)
        assert words[0::2] == ["-o"] * (len(words) // 2)
        jump = next((word.partition("=")[2] for word in words if word.startswith("ProxyJump=")), "")
        line = f"ssh -p {value['ansible_port']} {value['ansible_user']}@{value['ansible_host']}"
        (target,), _none = parse_lines([f"{line} -J {jump}" if jump else line])
        assert any(render(target).partition(" -o")[0] in known for known in _without_keys(lines))


def _without_keys(lines):
    targets, _problems = parse_lines(
        [line.replace("-i ~/.ssh/k ", "").replace("-o ServerAliveInterval=3 ", "") for line in lines]
    )
    return [render(target) for target in targets]


@given(LINES, st.randoms())
def test_names_do_not_depend_on_other_lines(lines, random):
    found, problems, _total = hosts(lines, PLAIN)
    if problems:
        return
    alone = [hosts([line], PLAIN)[0][0].name for line in lines]
    assert [host.name for host in found] == alone
    mixed = random.sample(lines, len(lines))
    assert {host.name for host in hosts(mixed, PLAIN)[0]} == set(alone)


@given(st.text(max_size=200), st.sampled_from(providers()))
def test_any_text_gives_hosts_or_sentences(text, provider):
    found, problems, total = hosts(text, Options(KNOWN, provider=provider))
    assert found or problems
    assert all("\n" not in problem.shown + problem.why for problem in problems)
    assert total >= len(found)
    for host in found:
        assert "\n" not in host.variables["ansible_ssh_common_args"]


@given(st.text(max_size=30))
def test_any_address_has_one_provider_or_none(text):
    assert provider_of(text) in ("", *providers())


def test_hops_read_as_they_are_written():
    (target,), _problems = parse_lines(["ssh -J a@b:1,c d"])
    assert ",".join(map(hop_text, target.jumps)) == "a@b:1,c"
