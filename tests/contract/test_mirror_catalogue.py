# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of mirrors: its shape, that its parts fit together, and that no address in it is a forbidden one."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import schema
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host, is_web
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import builtin
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.machine import VENDORS, Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import network
from helpers import ROOT

CATALOGUE = builtin()
RAW = data.load("mirrors")
SITES, SERVICES, PRESETS = CATALOGUE["sites"], CATALOGUE["services"], CATALOGUE["presets"]
ENTRIES = [(name, site, one) for name, service in SERVICES.items() for site, one in service["sites"].items()]
# sha256 of the default hosts of Python's, Debian's and npm's registries: "official" needs none of them
DEFAULTS = {
    "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41",
    "c899567ee906851741bf7f3bde17a33777859ff9f53ff54d6f0ea54cf31ad636",
    "e680c440a2e92079ab1bf7a927e8d3920f1bcd173c0487e28e020110b2e59efc",
    "1ba4e37997a2e986efa6cd844e43fd25b9e816359d31612baa9c18b71e3b5294",
    "0dc11026ac75c015aaa1deafff4a7a54ef6d0cf6b3c7f9b1d2c8f3502929aa9e",
}
NAMED = [
    "ustc",
    "tuna",
    "cernet",
    "aliyun",
    "tencent",
    "huaweicloud",
    "sjtu",
    "nju",
    "bfsu",
    "sustech",
]
WANTED = [
    "ubuntu",
    "ubuntu-ports",
    "ubuntu-security",
    "debian",
    "debian-security",
    "docker-ce",
    "cuda",
    "libnvidia-container",
    "rocky",
    "almalinux",
    "epel",
    "pypi",
    "torch",
    "conda",
    "miniforge",
    "miniconda",
    "uv-python",
    "rustup",
    "crates",
    "npm",
    "node",
    "huggingface",
    "cnb-models",
    "docker-registry",
    "open-vsx",
    "github-release",
]


def urls(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from urls(value)
    elif isinstance(node, list):
        for value in node:
            yield from urls(value)
    elif isinstance(node, str) and "://" in node:
        yield node


def test_sites_and_services_are_complete() -> None:
    assert set(NAMED) <= set(SITES) and set(WANTED) <= set(SERVICES)


def test_every_key_is_written_once() -> None:
    pending: list[Any] = [yaml.compose(data.read("mirrors.yml"))]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.MappingNode):
            counted = Counter(str(key.value) for key, _value in node.value)
            assert [key for key, number in counted.items() if number > 1] == []
            pending += [value for _key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value


def test_every_entry_says_how_it_is_where_that_was_read_and_when() -> None:
    rows = [(f"{name}.{site}", one) for name, site, one in ENTRIES]
    rows += [(one["url"], one) for one in [*CATALOGUE["registry_mirrors"], *CATALOGUE["gone"]]]
    rows += list(SITES.items())
    assert len(rows) > 200
    for where, one in rows:
        assert one["state"] in schema.STATES, where
        assert one["source"] in RAW["sources"], where
        assert datetime.date.fromisoformat(one["verified"]) <= datetime.date.fromisoformat(RAW["date"]), where


def test_every_entry_was_read_somewhere() -> None:
    """An entry that nobody documents is for an inventory: here it would be one that nobody can check."""
    assert [(name, site) for name, site, one in ENTRIES if one.get("unconfirmed")] == []
    assert [name for name, source in RAW["sources"].items() if not is_web(source["url"])] == []


def test_what_is_gone_or_odd_has_a_note() -> None:
    rows = [one for _name, _site, one in ENTRIES] + [*CATALOGUE["registry_mirrors"], *CATALOGUE["gone"]]
    assert [one for one in rows if one["state"] in ("gone", "campus") and not one.get("note")] == []
    assert sum(one["state"] == "gone" for one in rows) >= 12


def test_every_site_has_a_base_but_the_systems_own() -> None:
    for name, site in SITES.items():
        assert ("base" not in site) == (name == "official"), name
        if name != "official":
            assert is_web(site["base"]) and not site["base"].endswith("/"), name
            assert site["base"].startswith("https://") and site["name"], name
    for vendor in VENDORS:
        assert SITES[vendor]["intranet"]["base"].startswith("http://")


def test_every_entry_of_a_service_is_at_a_known_site_and_is_a_path_or_an_address() -> None:
    for name, site, one in ENTRIES:
        assert site in SITES, (name, site)
        assert ("path" in one) != ("url" in one), (name, site)
        if "path" in one:
            assert one["path"] == "" or one["path"].startswith("/"), (name, site)


def test_every_service_can_be_asked() -> None:
    for name, service in SERVICES.items():
        assert service["kind"] in schema.KINDS, name
        assert isinstance(service["probe"]["path"], str) and "path" in service["sample"], name
        assert "max_age_hours" in service, name
        # freshness is read from an InRelease or from repodata only
        assert service["max_age_hours"] is None or service["kind"] in ("inrelease", "repodata"), name


@pytest.mark.parametrize("part", ["probe", "probe_rhel", "sample"])
def test_fields_of_addresses_are_known(part: str) -> None:
    known = Machine("ubuntu", "Ubuntu", "24.04", "noble", "debian", "amd64").words()
    known |= Machine("rocky", "Rocky", "9.6", "", "rhel", "amd64").words() | {"cuda": "cpu"}
    for name, service in SERVICES.items():
        path = (service.get(part) or {}).get("path") or ""
        path.format(**known)
        assert "{cuda}" not in path or name == "torch"


def test_publishers_that_lead_to_a_preset_are_official_and_the_preset_has_others() -> None:
    """PRE-REPOS names gpuready_mirror_preset where one of these is out of reach."""
    services = ("docker-ce", "cuda", "libnvidia-container")
    assert tuple(host(SERVICES[name]["sites"]["official"]["url"]) for name in services) == network.PUBLISHERS
    assert set(services) <= set(PRESETS["china"]["services"])
    assert all(set(SERVICES[name]["sites"]) & set(PRESETS["china"]["sites"]) for name in services)


def test_every_address_is_one() -> None:
    found = list(urls({name: part for name, part in RAW.items() if name not in ("sources", "source")}))
    assert len(found) > 80
    assert [url for url in found if not is_web(url.replace("{cuda}", "cpu").replace("<code>.", ""))] == []


def test_no_default_host_of_a_registry_is_written() -> None:
    text = data.read("mirrors.yml") + (ROOT / "docs" / "mirrors.md").read_text(encoding="utf-8")
    words = {word.strip(".") for word in re.findall(r"[a-z0-9.-]+", text.lower())}
    words |= {host(url) for url in urls(RAW)}
    assert len(words) > 500
    assert [word for word in words if hashlib.sha256(word.encode("utf-8")).hexdigest() in DEFAULTS] == []
    for name in ("debian", "debian-security", "pypi", "npm"):
        assert "official" not in SERVICES[name]["sites"]


def test_presets_name_sites_and_services_that_there_are() -> None:
    assert set(PRESETS) == {"none", "china", "campus", "offline", *(f"cloud:{vendor}" for vendor in VENDORS)}
    for name, preset in PRESETS.items():
        assert set(preset["sites"]) <= set(SITES) and set(preset["services"]) <= set(SERVICES), name
        for service in preset["services"]:
            assert not SERVICES[service].get("opt_in"), service
            offered = {site for site, one in SERVICES[service]["sites"].items() if one["state"] == "alive"}
            assert offered & set(preset["sites"]), f"{name} switches {service} on, but none of its sites has it"
        vendor = preset.get("vendor")
        assert vendor is None or (vendor in VENDORS and preset["sites"][0] == vendor)
    assert not PRESETS["none"]["services"] and not PRESETS["offline"]["sites"]


def test_china_switches_on_what_was_agreed() -> None:
    archives = {"ubuntu", "ubuntu-ports", "debian", "rocky", "almalinux", "epel"}
    tools = {"docker-ce", "libnvidia-container", "cuda", "pypi", "conda", "uv-python", "rustup", "crates", "npm"}
    assert set(PRESETS["china"]["services"]) == archives | tools


def test_shared_security_tables_lead_somewhere() -> None:
    for name, service in SERVICES.items():
        assert set((service.get("of") or {}).values()) <= set(SERVICES), name


def test_the_builtin_catalogue_would_pass_as_an_extension() -> None:
    parts = {name: RAW[name] for name in schema.PARTS}
    parts["sites"] = {name: site for name, site in parts["sites"].items() if name != "official"}
    read = schema.read(parts)
    schema.refuse_strangers(read, SITES, SERVICES)
