# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""grub.cfg, grubenv and boot entries."""

from __future__ import annotations

import time

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot
from hypothesis import given
from hypothesis import strategies as st

ONCE = 'if [ "${next_entry}" ] ; then\n  set default="${next_entry}"\nelse\n  set default="%s"\nfi\n'


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (ONCE % "0", {}, "0"),
        (ONCE % "2", {}, "2"),
        (ONCE % "1>3", {}, "1>3"),
        (ONCE % "${saved_entry}", {"saved_entry": "gnulinux-simple"}, "gnulinux-simple"),
        # nobody saved one yet
        (ONCE % "${saved_entry}", {}, "0"),
        (ONCE % "0", {"next_entry": "windows"}, "windows"),
        (ONCE % "0", {"next_entry": "", "saved_entry": "x"}, "0"),
        ("set default=1\n", {}, "1"),
        ("set default='My entry'\n", {}, "My entry"),
        ("menuentry 'a' {\n}\n", {}, "0"),
        ("# set default=7\n", {}, "0"),
    ],
)
def test_the_default(text: str, environment: dict[str, str], expected: str) -> None:
    assert boot.default(text, environment) == expected


ENTRY = """menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-x' {
\tload_video
\techo\t'Loading Linux ...'
\tlinux%s
\tinitrd\t/boot/initrd.img-6.1
}
menuentry 'second' {
\tlinux\t/boot/other wrong
}
"""


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("\t/boot/vmlinuz-6.1 root=LABEL=root ro  quiet", "root=LABEL=root ro  quiet"),
        ("efi /vmlinuz-6.1 ro", "ro"),
        ("16\t/vmlinuz-6.1 ro", "ro"),
        ("\t/boot/vmlinuz-6.1", ""),
    ],
)
def test_the_first_entry(line: str, options: str) -> None:
    found = boot.first_entry(ENTRY % line)
    assert found == boot.Entry("gnulinux-simple-x", "Debian GNU/Linux", "", options)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "submenu 'Advanced' {\n\tmenuentry 'a' {\n\tlinux /x y\n\t}\n}\n",
        "menuentry 'Windows' {\n\tchainloader /EFI/x.efi\n}\nmenuentry 'a' {\n\tlinux /x y\n}\n",
        "menuentry 'Xen' {\n\tmultiboot2 /xen.gz\n\tmodule2 /vmlinuz ro\n}\n",
        'menuentry_id_option="--id"\nlinux /x y\n',
    ],
)
def test_an_entry_that_does_not_start_linux(text: str) -> None:
    assert boot.first_entry(text) is None


def test_variables() -> None:
    settings = boot.settings("set a=1\n set b=\"two words\"\nset c=x\nset c=\nset kernelopts='ro $a'\n")
    assert settings == {"a": "1", "b": "two words", "kernelopts": "ro $a"}
    assert boot.expand("x $a ${b}  $c $unknown y", settings) == "x 1 two words y"
    # one level only: nothing runs in circles
    assert boot.expand("$kernelopts", {"kernelopts": "ro $kernelopts"}) == "ro"


def test_the_environment_block() -> None:
    text = "# GRUB Environment Block\n# WARNING\nsaved_entry=a=b\nkernelopts=root=x \\\\y\nnoise\n" + "#" * 900
    assert boot.grubenv(text) == {"saved_entry": "a=b", "kernelopts": "root=x \\y"}


def test_entries_of_the_specification() -> None:
    text = "# a comment\ntitle\tRocky Linux\nversion   5.14\nlinux /vmlinuz\noptions root=x ro\noptions quiet\n\nbare\n"
    assert boot.entry("id-5.14", text) == boot.Entry("id-5.14", "Rocky Linux", "5.14", "root=x ro quiet")
    assert boot.entry("empty", "") == boot.Entry("empty", "", "", "")


def test_the_newest_entry_comes_first() -> None:
    versions = ["0-rescue-0123", "5.14.0-70.el9", "5.14.0-503.el9", ""]
    found = boot.newest_first([boot.Entry(f"m-{version}", "", version, "") for version in versions])
    assert [entry.version for entry in found] == ["5.14.0-503.el9", "5.14.0-70.el9", "0-rescue-0123", ""]


WORDS = st.sampled_from(
    ["menuentry 'a' {", "submenu x", "linux /a b", "}", "set default=", "blscfg", "options $a", "set a=${a}", "a=b"]
)


@given(st.lists(st.one_of(st.text(), WORDS)).map("\n".join))
def test_anything_is_a_configuration(text: str) -> None:
    values = {**boot.settings(text), **boot.grubenv(text)}
    assert boot.default(text, values)
    found = boot.first_entry(text) or boot.entry("x", text)
    expanded = boot.expand(found.options, values)
    assert expanded == " ".join(expanded.split())
    boot.uses_entries(text)
    boot.newest_first([found, boot.entry("y", text)])


@pytest.mark.parametrize("text", ["\n" * 100000, " " * 100000, "set a" * 20000, "menuentry " + "'" * 100000])
def test_time_grows_with_the_length_and_not_with_its_square(text: str) -> None:
    began = time.process_time()
    boot.settings(text)
    boot.default(text, {})
    boot.first_entry("menuentry 'a' {\n" + text)
    boot.uses_entries(text)
    boot.entry("x", text)
    # with "^\\s*" the first text took a minute
    assert time.process_time() - began < 2
