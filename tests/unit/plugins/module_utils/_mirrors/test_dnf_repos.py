# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _yum_repos as yum
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import dnf_repos
from hypothesis import example, given
from hypothesis import strategies as st

NEAR, NEXT = "https://near.example.org/rocky", "https://next.example.org/rocky/"
WISH = {"rocky": [NEAR]}
BASE = """[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever
#baseurl=http://dl.rockylinux.org/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9
"""
PATH = "/$releasever/BaseOS/$basearch/os/"


def repo(lines: str, key: str = "Rocky-9", name: str = "x") -> str:
    return f"[{name}]\n{lines}\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-{key}\n"


def baseurl(text: str) -> str:
    return next(iter(yum.read_ini(text).values())).get("baseurl", "")


def test_what_dnf_reads_then() -> None:
    text = dnf_repos.update(BASE, WISH)
    values = yum.read_ini(text)["baseos"]
    assert values["baseurl"] == NEAR + PATH and "mirrorlist" not in values and values["gpgcheck"] == "1"
    assert dnf_repos.update(text, WISH) == text
    assert baseurl(dnf_repos.update(text, {"rocky": [NEXT, NEAR]})) == f"{NEXT[:-1]}{PATH} {NEAR}{PATH}"


@pytest.mark.parametrize(
    ("line", "key", "service", "path"),
    [
        ("baseurl=https://mirrors.aliyun.com/rockylinux/$releasever/AppStream/$basearch/os/", "Rocky-9", "rocky",
         "/$releasever/AppStream/$basearch/os/"),
        ("baseurl = http://10.0.0.1/r/9.4/AppStream/x86_64/os/", "rockyofficial", "rocky", "/9.4/AppStream/x86_64/os/"),
        ("baseurl=https://a.example.org/x/$releasever/os/,https://b.example.org/x/$releasever/os/", "AlmaLinux-9",
         "almalinux", None),
        ("#baseurl=https://download.example/pub/epel/testing/9/Everything/$basearch/", "EPEL-9", "epel",
         "/testing/9/Everything/$basearch/"),
        ("baseurl=http://lab.example.org/e/next/$releasever/Everything/$basearch", "EPEL-9", "epel",
         "/next/$releasever/Everything/$basearch"),
        ("baseurl=https://vault.example.org/pub/${releasever}/BaseOS/", "Rocky-9", "rocky", "/${releasever}/BaseOS/"),
    ],
)  # fmt: skip
def test_the_path_of_the_file_stays(line: str, key: str, service: str, path: str | None) -> None:
    text = dnf_repos.update(repo(line, key), {service: [NEAR]})
    assert dnf_repos.services(repo(line, key)) == {service}
    assert baseurl(text) == NEAR + (path or "/$releasever/os/")


@pytest.mark.parametrize(
    "text",
    [
        repo("baseurl=https://far.example.org/9/os/", key="other"),
        repo("metalink=https://mirrors.example.org/metalink?repo=epel-9", key="EPEL-9"),
        repo("#baseurl=https://far.example.org/epel/9/x", key="EPEL-9", name="epel-cisco-openh264"),
        repo("#baseurl=https://vault.example.org/9/BaseOS/Source/", key="AlmaLinux-9", name="baseos-source"),
        repo("baseurl=https://far.example.org/9/os/", key="Rocky-SIG-Cloud"),
        repo("baseurl=https://far.example.org/somewhere/", key="Rocky-9"),
        repo("baseurl=https://far.example.org/9/os/", key="Rocky-9 file:///etc/pki/other"),
        "[x]\nbaseurl=https://dl.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os/\n",
    ],
)
def test_what_is_not_theirs_or_has_no_known_path_is_left_alone(text: str) -> None:
    assert dnf_repos.update(text, {name: [NEAR] for name in dnf_repos.SERVICES}) == text


def test_a_service_that_is_not_wished_stays() -> None:
    assert dnf_repos.update(BASE, {"epel": [NEAR]}) == BASE
    assert dnf_repos.update(BASE, {}) == BASE


def test_values_over_several_lines() -> None:
    text = BASE.replace(
        "#baseurl=http://dl.rockylinux.org/$contentdir",
        "baseurl=https://a.example.org/r/$releasever/a/\n  https://b/c\n#",
    )
    assert baseurl(dnf_repos.update(text, WISH)) == NEAR + "/$releasever/a/"
    assert "https://b/c" not in dnf_repos.update(text, WISH)


def test_undo_takes_back_what_is_still_ours() -> None:
    there = dnf_repos.update(BASE, WISH)
    assert dnf_repos.undo(there, WISH, BASE) == BASE
    edited = there.replace("gpgcheck=1", "gpgcheck=1\nenabled=0")
    assert dnf_repos.undo(edited, WISH, BASE) == BASE.replace("gpgcheck=1", "gpgcheck=1\nenabled=0")
    theirs = there.replace(NEAR, "https://human.example.org/rocky")
    assert dnf_repos.undo(theirs, WISH, BASE) == theirs
    assert dnf_repos.undo(there + "\n[mine]\nbaseurl=https://x\n", WISH, BASE) == BASE + "\n[mine]\nbaseurl=https://x\n"


@pytest.mark.parametrize("text", ["nonsense\n", "[a]\nnonsense\n", "[a]\n\n=b\n"])
def test_broken_files_are_named_by_line(text: str) -> None:
    with pytest.raises(dnf_repos.RepoError, match=f"line {len(text.splitlines())}"):
        dnf_repos.update(text, WISH)


LINE = st.sampled_from(
    [
        "[baseos]", "[x]", "", "# note", "mirrorlist=https://m", "#mirrorlist=https://m", "metalink = https://l",
        "baseurl=https://far.example.org/9/os/", "#baseurl=http://dl/$contentdir/$releasever/a/", "  https://more/9/",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9", "gpgkey=other", "enabled=0", "name : x", "; note", "\tx",
    ]
)  # fmt: skip


def others(lines: list[str]) -> list[str]:
    """The lines that are no addresses; a line that begins with a space goes on with the setting before it."""
    found, of_address = [], False
    for line in filter(None, lines):
        if line[0] in " \t":
            found += [] if of_address else [line]
            continue
        address = line.lstrip("# ").startswith(("baseurl", "mirror", "metalink"))
        of_address = address if line[0] not in "#;" else of_address
        found += [] if address else [line]
    return found


def test_lines_that_go_on_with_another_setting_stay() -> None:
    lines = ["[a]", "baseurl=x", "  more", "# note", "  more", "gpgkey=x", "  stays", "#baseurl=y", "  stays"]
    assert others(lines) == ["[a]", "# note", "gpgkey=x", "  stays", "  stays"]


@given(st.lists(LINE, max_size=12), st.booleans())
@example(
    [
        "[baseos]",
        "baseurl=https://far.example.org/9/os/",
        "  https://more/9/",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9",
    ],
    False,
)
def test_any_file_twice_is_once_and_all_else_stays(lines: list[str], end: bool) -> None:
    text = "\n".join(lines) + ("\n" if end else "")
    try:
        once = dnf_repos.update(text, WISH)
    except dnf_repos.RepoError:
        return
    assert dnf_repos.update(once, WISH) == once
    assert [line for line in others(lines) if line not in once.splitlines()] == []
