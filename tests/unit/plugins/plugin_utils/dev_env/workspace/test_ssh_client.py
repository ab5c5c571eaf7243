# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snippet as ssh itself reads it, the files of VS Code, and the guide."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace import guide, ssh_client
from hypothesis import given, settings
from hypothesis import strategies as st

CLIENT = ("client/CLIENT.md", "client/CLIENT.zh.md")


def ssh(text: str, alias: str, folder: Path) -> dict[str, list[str]]:
    """What ssh would do for a name: keyword -> values."""
    path = folder / "ssh_config"
    path.write_text(text)
    done = subprocess.run(["ssh", "-G", "-F", str(path), alias], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _space, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def test_ssh_takes_the_snippet_of_a_host(render: Any, tmp_path: Path) -> None:
    text = render("client")["client/ssh_config"]
    dev = ssh(text, "gpu01-gpuready-dev", tmp_path)
    assert (dev["hostname"], dev["port"], dev["user"]) == (["127.0.0.1"], ["40022"], ["dev"])
    # through the host, which has a key and hops of its own; 127.0.0.1 is another machine on each
    assert dev["proxyjump"] == ["gpu01"] and dev["hostkeyalias"] == ["gpu01-gpuready-dev"]
    assert dev["identityfile"] == ["~/.ssh/id_ed25519"] and dev["identitiesonly"] == ["yes"]
    assert "localforward" not in dev
    tunnel = ssh(text, "gpu01-gpuready-dev-tunnel", tmp_path)
    assert tunnel["localforward"] == ["[127.0.0.1]:40888 [127.0.0.1]:8888"] and tunnel["hostname"] == ["127.0.0.1"]
    host = ssh(text, "gpu01", tmp_path)
    assert (host["hostname"], host["user"], host["proxyjump"]) == (
        ["10.0.0.7"],
        ["admin"],
        ["me@gate.example.org:2222"],
    )


def test_ssh_takes_the_snippet_of_pasted_lines(render: Any, tmp_path: Path) -> None:
    lines = [
        "ssh -p 910 root@12.34.56.78",
        "ssh -J a@gate.example.org:22 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        "root@[2001:db8::1]:2222 # six",
        'ssh -i "~/my keys/box" -L 6006:localhost:6006 -o ServerAliveInterval=5 me@fe80::1%eth0 # near',
    ]
    text = render("client", pasted=lines)["client/ssh_config"]
    box = ssh(text, "12.34.56.78-910", tmp_path)
    assert (box["hostname"], box["port"], box["user"]) == (["12.34.56.78"], ["910"], ["root"])
    six = ssh(text, "six-tunnel", tmp_path)
    assert (six["hostname"], six["port"], six["proxyjump"]) == (["2001:db8::1"], ["2222"], ["a@gate.example.org:22"])
    # a changed host key is never accepted, whatever was pasted
    assert six["stricthostkeychecking"] == ["accept-new"] and "/dev/null" not in text
    # two machines, two ports here
    assert six["localforward"] == ["[127.0.0.1]:40889 [127.0.0.1]:8889"]
    near = ssh(text, "near", tmp_path)
    assert near["hostname"] == ["fe80::1%eth0"] and near["identityfile"] == ["~/my keys/box"]
    assert near["localforward"] == ["6006 [localhost]:6006"] and near["serveraliveinterval"] == ["5"]


def test_a_container_that_is_published_needs_no_jump(spec: dict[str, Any], render: Any, tmp_path: Path) -> None:
    spec["ssh"]["bind"] = "0.0.0.0"
    dev = ssh(render("client")["client/ssh_config"], "gpu01-gpuready-dev", tmp_path)
    assert (dev["hostname"], dev["port"]) == (["10.0.0.7"], ["40022"])
    assert dev["proxyjump"] == ["me@gate.example.org:2222"]


def test_several_containers_and_none(spec: dict[str, Any], render: Any, tmp_path: Path) -> None:
    spec["containers"] = [{"name": "alice"}, {"name": "bob", "ssh": {"publish": 40023}, "user": {"name": "bob"}}]
    text = render("client")["client/ssh_config"]
    assert ssh(text, "gpu01-bob", tmp_path)["port"] == ["40023"] and ssh(text, "gpu01-bob", tmp_path)["user"] == ["bob"]
    assert ssh(text, "gpu01-alice", tmp_path)["port"] == ["40022"]
    spec["containers"], spec["ssh"]["enabled"] = [], False
    text = render("client")["client/ssh_config"]
    # without an ssh server in it, its services are reached through the host
    assert "gpuready-dev" not in text
    assert ssh(text, "gpu01-tunnel", tmp_path)["localforward"] == ["[127.0.0.1]:40888 [127.0.0.1]:40888"]


def test_commands_without_the_snippet(render: Any) -> None:
    text = render("client", pasted=["ssh -p 910 root@12.34.56.78"])["client/CLIENT.md"]
    assert "    ssh -p 910 root@12.34.56.78\n" in text
    assert "    ssh -N -L 40888:127.0.0.1:8889 -p 910 root@12.34.56.78\n" in text
    assert "    rsync -aP -e 'ssh -p 910' models/ root@12.34.56.78:/data/models/\n" in text
    assert "    ssh-copy-id -i ~/.ssh/id_ed25519.pub -p 910 root@12.34.56.78\n" in text
    assert '    ssh-keygen -R "[12.34.56.78]:910"\n' in text
    assert "http://127.0.0.1:40888/" in text


def test_keys_permissions_and_tmux_are_explained(render: Any) -> None:
    for path in CLIENT:
        text = render("client", identity="~/.ssh/gpu")[path]
        assert "ssh-keygen -t ed25519 -f ~/.ssh/gpu" in text
        assert r"icacls .\gpu /inheritance:r" in text and r'icacls .\gpu /grant:r "%USERNAME%:(R)"' in text
        assert '"${env:USERNAME}:(R)"' in text and "tmux new -A -s work" in text
        assert "ssh-copy-id" not in text  # the inventory has the keys
        # Python and Rust on the user's own computer, by the package managers there and by no script of the network
        assert "winget install --id astral-sh.uv" in text and "brew install uv rustup" in text
        assert "| sh" not in text and "iex" not in text
        assert "<!--" not in text


@pytest.mark.parametrize("pasted", [[], ["root@12.34.56.78:910"]])
def test_both_languages_have_the_same_commands(render: Any, pasted: list[str]) -> None:
    english, chinese = (render("client", pasted=pasted)[path] for path in CLIENT)
    assert re.findall(r"(?m)^    .*$", english) == re.findall(r"(?m)^    .*$", chinese)
    assert len(re.findall(r"(?m)^## ", english)) == len(re.findall(r"(?m)^## ", chinese)) == 8
    assert set(guide.LANGUAGES.values()) == {path.partition("/")[2] for path in CLIENT}
    assert re.search("[\u4e00-\u9fff]", chinese) and not re.search("[\u4e00-\u9fff]", english)


def test_vs_code_knows_no_password(render: Any) -> None:
    found = render(
        "client", extensions=["charliermarsh.ruff"], remote_dir="/root/notebook", pasted=["root@12.34.56.78:910"]
    )
    sftp = json.loads(found[".vscode/sftp.json"])
    assert (sftp["host"], sftp["port"], sftp["username"]) == ("12.34.56.78", 910, "root")
    assert sftp["remotePath"] == "/root/notebook" and sftp["uploadOnSave"] is True
    assert sftp["privateKeyPath"] == "~/.ssh/id_ed25519" and not {"password", "passphrase"} & set(sftp)
    assert {".git", ".venv", "__pycache__"} <= set(sftp["ignore"]) and "hop" not in sftp
    recommended = json.loads(found[".vscode/extensions.json"])["recommendations"]
    assert {"ms-vscode-remote.vscode-remote-extensionpack", "ms-toolsai.jupyter"} <= set(recommended)
    assert recommended[-1] == "charliermarsh.ruff"


def test_sftp_goes_the_same_way_as_ssh(render: Any) -> None:
    sftp = json.loads(render("client")[".vscode/sftp.json"])
    assert (sftp["host"], sftp["port"], sftp["username"]) == ("gate.example.org", 2222, "me")
    assert [(hop["host"], hop["port"], hop["username"]) for hop in sftp["hop"]] == [
        ("10.0.0.7", 22, "admin"),
        ("127.0.0.1", 40022, "dev"),
    ]


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"pasted": ["ssh -p x a@b", "c d"]}, "workspace_files_pasted: Line 1 (ssh ... a@b): its port is no"),
        ({"pasted": ["# nothing"]}, "workspace_files_pasted holds no line"),
        ({"host": {"name": "gpu01", "address": "10.0.0.7", "jumps": ["a:b:c"]}}, "The way to gpu01: its address is no"),
    ],
)
def test_wrong_ways_are_named(render: Any, wishes: dict[str, Any], why: str) -> None:
    with pytest.raises(Exception) as caught:
        render("client", **wishes)
    assert why in str(caught.value)


ADDRESSES = st.from_regex(r"[a-z0-9]{1,6}\.example\.org", fullmatch=True) | st.ip_addresses().map(str)


@settings(max_examples=25, deadline=None)
@given(address=ADDRESSES, port=st.integers(1, 65535), user=st.sampled_from(["", "root", "a.b-c"]), jump=ADDRESSES)
def test_ssh_takes_every_snippet(
    tmp_path_factory: pytest.TempPathFactory, address: str, port: int, user: str, jump: str
) -> None:
    host = {"name": "gpu01", "address": address, "port": port, "user": user, "jumps": [jump]}
    found, problems = ssh_client.machines(normalise({}), host, [], "~/.ssh/key")
    assert problems == []
    read = ssh(ssh_client.snippet(found, "x"), "gpu01", tmp_path_factory.mktemp("ssh"))
    assert read["port"] == [str(port)] and read["hostname"] == [address] and (not user or read["user"] == [user])
