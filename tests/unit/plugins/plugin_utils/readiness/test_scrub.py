# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves a machine names neither it nor its doors, and still fits together."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.scrub import HIDDEN, scrub
from hypothesis import given, settings
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"

uuids = st.uuids(version=4).map(lambda value: f"GPU-{value}")
macs = st.binary(min_size=5, max_size=5).map(lambda raw: "3c:" + ":".join(f"{byte:02x}" for byte in raw))
ips = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
serials = st.from_regex(r"[1-9][0-9]{11,13}", fullmatch=True)
words = st.sampled_from(
    ["ok", "N/A", "eth0", "595.91.07", "0000:53:00.0", "", "GPU is lost", "97.00.FA.00.09", "96 MiB"]
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, list[str]]:
    """Return a document and the values in it that name a machine."""
    named = [draw(uuids), draw(macs), str(draw(ips)), draw(serials)]
    uuid, mac, address, serial = named
    body = {
        "gpus": [{"uuid": uuid, "serial": serial, "state": draw(words)}, {"uuid": uuid, "count": draw(st.integers())}],
        "listening": [{"address": address, "port": 22}, {"address": "0.0.0.0", "ok": True}],
        "raw": {
            "nvidia_smi_xml": f"<gpu><serial>{serial}</serial><uuid>{uuid}</uuid></gpu>",
            "nvidia_smi_text": f"    Serial Number                         : {serial}\n    GPU UUID      : {uuid}\n",
            "log": f"eth0: link up, mac {mac}, board {serial}, from {address}\n",
        },
        "extra": draw(st.recursive(words | st.none() | st.booleans(), st.lists, max_leaves=5)),
    }
    return body, named


def shape(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: shape(value) for key, value in data.items()}
    if isinstance(data, list):
        return [shape(value) for value in data]
    return type(data).__name__ if isinstance(data, str) else data


@given(documents())
@settings(max_examples=60)
def test_names_go_structure_stays_twice_is_once(case: tuple[Any, list[str]]) -> None:
    body, named = case
    before = copy.deepcopy(body)
    clean = scrub(body)
    assert body == before
    assert shape(clean) == shape(body)
    assert scrub(clean) == clean
    text = json.dumps(clean)
    for value in named:
        assert value not in text, value
    # the same value is the same placeholder, wherever it stands
    assert clean["gpus"][0]["uuid"] == clean["gpus"][1]["uuid"]
    assert clean["gpus"][0]["uuid"] in clean["raw"]["nvidia_smi_xml"]
    assert clean["gpus"][0]["serial"] in clean["raw"]["log"]


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_anything_goes_through(data: Any) -> None:
    clean = scrub(data)
    assert shape(clean) == shape(data)
    assert scrub(clean) == clean


@pytest.mark.parametrize("path", sorted((FIXTURES / "snapshots").rglob("*.json")), ids=lambda path: path.stem)
def test_snapshots_keep_what_they_say(path: Path) -> None:
    data = json.loads(path.read_text())
    clean = scrub(data)
    assert scrub(clean) == clean
    assert shape(clean) == shape(data)
    if not data.get("gpus"):
        return
    for old, new in zip(data["gpus"], clean["gpus"], strict=True):
        assert {**old, "uuid": None} == {**new, "uuid": None}
    assert clean["driver"] == data["driver"]
    assert clean["packages"]["installed"] == data["packages"]["installed"]
    assert clean["pci"] == data["pci"]


@pytest.mark.parametrize(
    "text",
    [
        "N/A",
        "GPU-00000000-0000-0000-0000-000000000000",
        "<serial>N/A</serial>",
        "<serial>0</serial>",
        "Serial Number : N/A",
        "0.0.0.0:22 and 127.0.0.1:8888 and ::1",
        "00:00:00:00:00:00",
        "vbios 90.04.7A.40.73 and 96.00.99.00.01",
        "6.8.0-87-generic, 550.163.01, 5:29.2.1-1~ubuntu.24.04~noble",
        "0000:53:00.0 00000000:8F:00.0 PCI:0000:53:00",
        "JupyterLab answers without a token: set one",
        "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "08:54:01",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert scrub({"text": text}) == {"text": text}


def test_versions_with_four_parts_are_no_addresses() -> None:
    data = {"packages": {"nvidia-cublas-cu13": "13.0.2.14"}, "version": "12.8.4.1", "sources": [{"uri": "10.9.8.7"}]}
    clean = scrub(data)
    assert (clean["packages"], clean["version"]) == (data["packages"], "12.8.4.1")
    assert clean["sources"] == [{"uri": "198.18.0.1"}]
    # the section of the same name holds addresses, too
    assert scrub({"packages": {"sources": [{"uris": ["http://10.9.8.7/x"]}]}}) != {
        "packages": {"sources": [{"uris": ["http://10.9.8.7/x"]}]}
    }


HF = "hf_" + "aBcDeFgHiJkLmNoPqRsT"
GH = "ghp_" + "0123456789abcdefghij"
KEY = "-----BEGIN {0}PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END {0}PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        ({"url": "https://alice:pa55word@mirror.example.com/simple"}, "pa55word"),
        ({"proxy": "http://bob:s3cret@proxy.example.com:3128"}, "s3cret"),
        ({"proxy": "http://bob:s3/cr@et@proxy.example.com:3128"}, "cr@et"),
        ({"proxy": "http://bob:s3/cr@et@proxy.example.com:3128"}, "s3/"),
        ({"token": "0123456789abcdef"}, "0123456789abcdef"),
        ({"dev_container_password": "hunter2"}, "hunter2"),
        ({"env": "HF_TOKEN=" + HF + " LANG=C"}, HF),
        ({"log": "cloning with " + GH}, GH),
        ({"daemon": '{"api_key": "v3ry"}'}, "v3ry"),
        ({"header": "Authorization: Bearer abcdef0123456789"}, "abcdef0123456789"),
        ({"yaml": "user: me\npassword: opensesame\n"}, "opensesame"),
        ({"file": KEY.format("RSA ")}, "MIIEvQIBADANBg"),
        ({"file": KEY.format("OPENSSH ").partition("-----END")[0]}, "MIIEvQIBADANBg"),
        ({"url": "http://localhost:8888/lab?token=5ee7"}, "5ee7"),
    ],
)
def test_secrets_go(data: dict[str, str], secret: str) -> None:
    clean = scrub(data)
    assert secret not in json.dumps(clean)
    assert HIDDEN in json.dumps(clean)
    assert scrub(clean) == clean


@pytest.mark.parametrize("host", ["mirror.example.com", "mirror.example.com:8443", "[2001:db8::5]:8443"])
def test_a_sign_of_the_path_is_no_secret(host: str) -> None:
    assert "/npm/@scope" in json.dumps(scrub({"url": f"https://{host}/npm/@scope"}))


def test_numbers_and_booleans_named_like_secrets_stay() -> None:
    data = {"no_token": 403, "with_token": 200, "password_authentication": False, "known_passwords": ["root"]}
    assert scrub(data) == data


def test_host_names_by_key_and_by_name() -> None:
    data = {"host": "trainer-7", "command": "ansible-playbook site.yml -l trainer-7,n1", "note": "trainer-70"}
    clean = scrub(data, hosts=("n1",))
    assert clean == {"host": "host-1", "command": "ansible-playbook site.yml -l host-1,host-2", "note": "trainer-70"}
    assert scrub(clean) == clean


def test_two_values_stay_two() -> None:
    clean = scrub(["10.0.0.1", "10.0.0.2", "10.0.0.1", "fe80::1", "fe80::2"])
    assert clean == ["198.18.0.1", "198.18.0.2", "198.18.0.1", "2001:db8::1", "2001:db8::2"]
