# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pasted ssh lines: what is read, what is refused and named, and that writing and reading agree."""

from __future__ import annotations

import ipaddress
import string

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import (
    Hop,
    LineError,
    Target,
    hop_text,
    parse,
    parse_hop,
    parse_lines,
    read_lines,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

BOX = Hop("12.34.56.78", 910, "root")


@pytest.mark.parametrize(
    "line",
    [
        "ssh -p 910 root@12.34.56.78",
        "ssh root@12.34.56.78 -p 910",
        "ssh root@12.34.56.78  -p910",
        "$ ssh -l root -p 910 12.34.56.78",
        "ssh -CNp910 root@12.34.56.78",
        "root@12.34.56.78 -p 910",
        "root@12.34.56.78:910",
        "ssh://root@12.34.56.78:910/",
        "ssh root@12.34.56.78:910",
        "ssh -o Port=910 -oUser=root 12.34.56.78",
        "/usr/bin/ssh -T -v -p 910 -- root@12.34.56.78",
    ],
)
def test_all_ways_to_write_one_machine(line: str) -> None:
    assert parse(line).hop == BOX


@pytest.mark.parametrize(
    ("line", "hop"),
    [
        ("ssh -p 22 root@2001:db8::1", Hop("2001:db8::1", 22, "root")),
        ("root@[2001:db8::1]:2222", Hop("2001:db8::1", 2222, "root")),
        ("ssh [2001:DB8:0::1]", Hop("2001:db8::1")),
        ("ssh root@fe80::1%eth0", Hop("fe80::1%eth0", None, "root")),
        ("gpu-01.example.org", Hop("gpu-01.example.org")),
        ("ssh pod-6441@ssh.example.org", Hop("ssh.example.org", None, "pod-6441")),
        ("ssh me@corp@bastion.example.org", Hop("bastion.example.org", None, "me@corp")),
    ],
)
def test_addresses(line: str, hop: Hop) -> None:
    assert parse(line).hop == hop


def test_options_are_kept() -> None:
    target = parse(
        r'ssh -i "C:\Users\Li Lei\.ssh\id_ed25519" -J admin@gate.example.org:2222,[2001:db8::9] '
        "-o ServerAliveInterval=30 -L 8889:localhost:8889 -D 1080 "
        "-o 'LocalForward 6006 localhost:6006' root@12.34.56.78 -p 910  # box1"
    )
    assert target == Target(
        BOX,
        jumps=(Hop("gate.example.org", 2222, "admin"), Hop("2001:db8::9")),
        identities=(r"C:\Users\Li Lei\.ssh\id_ed25519",),
        options=(("ServerAliveInterval", "30"),),
        forwards=(
            ("LocalForward", "8889:localhost:8889"),
            ("DynamicForward", "1080"),
            ("LocalForward", "6006:localhost:6006"),
        ),
        name="box1",
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ssh", "names no machine"),
        ("ssh -p 910", "names no machine"),
        ("ssh -p 0 root@12.34.56.78", "its port is no whole number from 1 to 65535"),
        ("ssh -p 70000 root@12.34.56.78", "its port is no whole number from 1 to 65535"),
        ("ssh -p", "option -p needs a value"),
        ("ssh root@300.1.1.1", "its address is no IPv4 address"),
        ("ssh root@12.34.56.78 -p 910 nvidia-smi", "no command and no password"),
        ("ssh -p 910 root@12.34.56.78:911", "two ports"),
        ("ssh -l admin root@12.34.56.78", "two users"),
        ("ssh root@2001:db8::1:zz", "no IPv6 address"),
        ("ssh root@", "no name or address"),
        ("ssh root@-oProxyCommand=x", "no name or address"),
        ("ssh root@$(reboot)", "no name or address"),
        ("ssh -W a:1 root@12.34.56.78", "option -W does something else"),
        ("ssh -Z root@12.34.56.78", "no option -Z"),
        ("ssh -o ProxyCommand='nc %h %p' root@12.34.56.78", "runs a program"),
        ("ssh -o LocalCommand=reboot root@12.34.56.78", "runs a program"),
        ("ssh -o PKCS11Provider=/tmp/x.so root@12.34.56.78", "runs a program"),
        ("ssh -oSecurityKeyProvider=/tmp/x.so root@12.34.56.78", "runs a program"),
        ("ssh -o XAuthLocation=/tmp/x -X root@12.34.56.78", "runs a program"),
        ("ssh -I /tmp/x.so root@12.34.56.78", "loads a library"),
        ("ssh -o HostName=1.2.3.4 root@12.34.56.78", "HostName cannot stand"),
        ("ssh -o Keyword root@12.34.56.78", "needs Keyword=value"),
        ("ssh -i 'key root@12.34.56.78", "quote is not closed"),
        ("ssh -L 8889 root@12.34.56.78", "no forwarding"),
        ("ssh -D a:b:c root@12.34.56.78", "no forwarding"),
        ("ssh root@12.34.56.78 # two words", "is no name"),
    ],
)
def test_refused(line: str, why: str) -> None:
    with pytest.raises(LineError) as caught:
        parse(line)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["sshpass -p s3cret ssh root@12.34.56.78", "ssh root:s3cret@12.34.56.78", "ssh://root:s3cret@12.34.56.78:22"],
)
def test_passwords_are_refused_and_never_shown(line: str) -> None:
    targets, problems = parse_lines([line])
    assert targets == [] and "password" in problems[0] and "s3cret" not in problems[0]


def test_bad_lines_are_named_with_their_number() -> None:
    text = "# mine\nssh -p 910 root@12.34.56.78 # a\n\nssh -p x root@b\nb.example.org:22\nssh root@12.34.56.78 -p 910\n"
    targets, problems = parse_lines(text)
    assert [target.alias for target in targets] == ["a", "b.example.org"]
    assert problems == [
        "Line 4 (ssh ... root@b): its port is no whole number from 1 to 65535.",
        "Line 6 (ssh ... root@12.34.56.78): it is the machine of line 2 once more.",
    ]
    assert parse_lines([910])[1] == ["Line 1 (int): it is no text: put quotes around it."]  # type: ignore[list-item]


def test_numbers_are_those_of_an_editor() -> None:
    targets, problems = read_lines("a.example.org\x0c\r\n\u2028\rb.example.org\nssh -p x c.example.org\r\n")
    assert [(number, target.hop.host) for number, target in targets] == [(1, "a.example.org"), (3, "b.example.org")]
    assert [problem.number for problem in problems] == [4]


def test_port_22_is_the_port_that_nobody_names() -> None:
    targets, problems = read_lines(["root@a.example.org", "ssh -p 22 root@a.example.org"])
    assert len(targets) == 1 and problems[0].why == "it is the machine of line 1 once more"


def test_blanks_of_web_pages_are_blanks() -> None:
    assert parse("\ufeffssh\u00a0-p\u3000910 root@12.34.56.78\u200b").hop == BOX


# The shape of AutoDL's passwords: twelve letters of base64
@pytest.mark.parametrize(
    "line",
    [
        "zX9k+PwQ2/ab",
        "密码: zX9k+PwQ2/ab",
        "登录密码：zX9k+PwQ2/ab",
        "密码 zX9k+PwQ2/ab",
        "Password: zX9k+PwQ2/ab",
        "SSH password = zX9k+PwQ2/ab",
        "ssh -p 910 root@12.34.56.78 zX9k+PwQ2/ab",
        "ssh -p 910 root@12.34.56.78   密码:zX9k+PwQ2/ab",
        "root@12.34.56.78 zX9k+PwQ2/ab -p 910",
    ],
)
def test_a_password_that_was_pasted_along_is_refused_and_never_shown(line: str) -> None:
    targets, problems = parse_lines(f"ssh -p 911 root@12.34.56.78\n{line}\n")
    assert len(targets) == 1 and len(problems) == 1
    assert problems[0].startswith("Line 2 (") and "password" in problems[0] and "zX9k" not in problems[0]


@given(st.from_regex(r"[A-Za-z0-9+/]{12}", fullmatch=True))
def test_no_password_of_that_shape_becomes_a_machine_or_is_shown(word: str) -> None:
    targets, problems = parse_lines(["ssh -p 910 root@12.34.56.78", word])
    assert len(targets) == 1 and len(problems) == 1 and word not in problems[0]


@pytest.mark.parametrize(
    "line",
    [
        "ssh -p 910 root@1.2.3.4，密码：hunter2",
        "ssh -p 910 root@1.2.3.4;密码hunter2",
        "ssh -p 910 root@1.2.3.4,password:hunter2",
        "ssh -p 910 root@1.2.3.4，hunter2",
        "ssh -p 910 root@1.2.3.4 # 密码hunter2",
        "ssh -p 910 root@1.2.3.4 # train pw=hunter2",
        "ssh -p 910 root@1.2.3.4 # hunter2!",
        "ssh -p 910 root@1.2.3.4 -pw hunter2",
        "ssh -pw hunter2 root@1.2.3.4",
        "plink -ssh root@1.2.3.4 -P 910 -pw hunter2",
        "ssh root@1.2.3.4:hunter2",
        "root@1.2.3.4:910:hunter2",
        "ssh root@1.2.3.4 -p 910/hunter2",
        "ssh root@1.2.3.4 -p hunter2",
        "ssh -l 'hunter2 x' root@1.2.3.4",
        'ssh root@1.2.3.4 -p 910 x"hunter2',
        "ssh -J u:hunter2@gate root@1.2.3.4",
        "ssh -o 'ProxyJump=u:hunter2@gate' root@1.2.3.4",
        "ssh -o Password=hunter2 root@1.2.3.4",
        "ssh -o hunter2 root@1.2.3.4",
        "ssh -L hunter2 root@1.2.3.4",
        "SSHPASS=hunter2 sshpass -e ssh root@1.2.3.4",
        "sshpass -p 'correct horse hunter2' ssh root@1.2.3.4",
        "sshpass -p P@hunter2.org ssh root@1.2.3.4",
        "ssh root@1.2.3.4 P@hunter2.org",
        "P@hunter2",
        "hun@hunter2",
        "my.pass-hunter2",
        "root@hunter2!",
        "hunter2 root",
        "root / hunter2",
        "用户名 root 密码 hunter2",
        "echo hunter2 | ssh root@1.2.3.4",
    ],
)
def test_no_value_of_a_bad_line_is_shown(line: str) -> None:
    targets, problems = parse_lines([line])
    assert targets == [] and len(problems) == 1 and "hunter2" not in problems[0], problems


@given(
    st.sampled_from(["ssh -p 910 root@1.2.3.4", "root@1.2.3.4", "ssh -i ~/.ssh/k root@a.example.org"]),
    st.sampled_from([" ", "，密码：", "；", " password: ", " # pw=", " -pw ", " -o Password=", " # 密码", "，", "/"]),
    st.text(string.ascii_letters + string.digits + string.punctuation, min_size=6),
)
def test_nothing_behind_the_address_of_a_bad_line_is_shown(start: str, mark: str, word: str) -> None:
    _targets, problems = parse_lines([start + mark + word])
    heads = ["(...)", *(f"({form})" for form in (start, "ssh ...", "... root@1.2.3.4"))]
    heads += [f"(ssh ... {start.rpartition(' ')[2]})"]
    assert all(any(problem.startswith(f"Line 1 {head}: ") for head in heads) for problem in problems), problems


@pytest.mark.parametrize(
    "line",
    [
        "ssh gpu01",
        "ssh me@gpu01",
        "root@gpu01",
        "gpu01:22",
        "me@gpu01 -p 22",
        "12.34.56.78",
        "me@a.example.org",
        "2001:db8::1",
        "ssh -o PreferredAuthentications=publickey,password root@12.34.56.78",
        "ssh -o PasswordAuthentication=no -o NumberOfPasswordPrompts=0 root@12.34.56.78",
        "ssh -i ~/.ssh/password.key root@12.34.56.78 # compass",
        "ssh root@pass.example.org",
        "C:\\Windows\\System32\\OpenSSH\\ssh.exe root@gpu01",
    ],
)
def test_what_is_no_password_is_read(line: str) -> None:
    targets, problems = parse_lines([line])
    assert len(targets) == 1 and problems == []


def test_aliases() -> None:
    assert parse("root@12.34.56.78:910").alias == "12.34.56.78-910"
    assert parse("root@[2001:db8::1]:22").alias == "2001-db8-1"


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,4}){0,2}", fullmatch=True).filter(
    lambda name: not name.replace(".", "").isdigit()
)
HOSTS = NAMES | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
HOPS = st.builds(
    Hop,
    HOSTS,
    st.none() | st.integers(1, 65535),
    st.just("") | st.from_regex(r"[a-z_][a-z0-9_.-]{0,8}", fullmatch=True),
)
VALUES = st.text(string.ascii_letters + string.digits + r"/\._:~%#-" + " ", min_size=1, max_size=20).filter(
    lambda text: text == text.strip()
)
KEYWORDS = st.sampled_from(["Compression", "ServerAliveInterval", "IdentitiesOnly", "Ciphers"])
FORWARDS = st.sampled_from(["8889:localhost:8889", "127.0.0.1:1:[::1]:22", "[::1]:65535:a.example.org:80"])
TARGETS = st.builds(
    Target,
    HOPS,
    st.lists(HOPS, max_size=2).map(tuple),
    st.lists(VALUES, max_size=2).map(tuple),
    st.lists(st.tuples(KEYWORDS, VALUES), max_size=2).map(tuple),
    st.lists(st.tuples(st.sampled_from(["LocalForward", "RemoteForward"]), FORWARDS), max_size=2).map(tuple),
    st.just("") | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True),
)


@given(TARGETS)
def test_what_is_written_is_read_again(target: Target) -> None:
    assert parse(render(target)) == target


@given(HOPS)
def test_hops_survive(hop: Hop) -> None:
    assert parse_hop(hop_text(hop)) == hop


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_sentence(text: str) -> None:
    targets, problems = parse_lines([text])
    assert len(targets) + len(problems) <= 1
    for target in targets:
        assert ipaddress.ip_address(target.hop.host.partition("%")[0]) if ":" in target.hop.host else target.hop.host
        assert "\n" not in render(target) and not target.hop.host.startswith("-")
        assert parse(render(target)) == target
