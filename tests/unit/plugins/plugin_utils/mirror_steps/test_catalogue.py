# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory lays over the catalogue, and the one sentence it gets for what cannot be."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import builtin, merged
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.schema import CatalogueError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps
from hypothesis import given
from hypothesis import strategies as st

LAB = "https://mirror.example.org"
NOBLE = {"os": {"id": "ubuntu", "version": "24.04", "codename": "noble", "family": "debian", "machine": "x86_64"}}


def test_without_an_extension_it_is_ours() -> None:
    nothing: Any
    for nothing in (None, {}, []):
        assert merged(nothing) is builtin()


def test_a_site_and_its_services_are_added() -> None:
    found = merged(
        {
            "sites": {"lab": {"base": LAB}},
            "services": {"pypi": {"sites": {"lab": "/simple"}}, "npm": {"sites": {"lab": f"{LAB}/npm"}}},
        }
    )
    assert found["sites"]["lab"]["direct"] is True and found["sites"]["lab"]["source"] == "inventory"
    assert found["services"]["pypi"]["sites"]["lab"] == {
        "state": "alive",
        "source": "inventory",
        "verified": "",
        "path": "/simple",
    }
    assert found["services"]["npm"]["sites"]["lab"]["url"] == f"{LAB}/npm"
    assert "lab" not in builtin()["sites"]
    assert found["services"]["pypi"]["sites"]["tuna"] == builtin()["services"]["pypi"]["sites"]["tuna"]


def test_an_entry_is_changed_key_by_key() -> None:
    found = merged({"services": {"crates": {"sites": {"nju": {"state": "alive"}}}}})["services"]["crates"]["sites"]
    assert found["nju"] == {**builtin()["services"]["crates"]["sites"]["nju"], "state": "alive"}
    # a path takes the place of an address, and the other way round
    found = merged({"services": {"pypi": {"sites": {"tuna": "/pypi/web/simple", "ustc": LAB}}}})["services"]["pypi"]
    assert found["sites"]["tuna"]["path"] == "/pypi/web/simple" and "url" not in found["sites"]["tuna"]
    assert found["sites"]["ustc"]["url"] == LAB and "path" not in found["sites"]["ustc"]


def test_null_takes_out_everywhere() -> None:
    found = merged({"sites": {"tuna": None}, "services": {"conda": {"sites": {"ustc": None}}, "npm": None}})
    assert "tuna" not in found["sites"]
    assert [name for name, one in found["services"].items() if "tuna" in one["sites"]] == []
    assert [name for name, one in found["presets"].items() if "tuna" in one["sites"] or "npm" in one["services"]] == []
    assert "ustc" not in found["services"]["conda"]["sites"]


def test_a_preset_and_a_registry_are_added() -> None:
    found = merged(
        {
            "presets": {"lab": {"sites": ["ustc"], "services": ["pypi"]}, "china": {"sites": ["tuna"]}},
            "registry_mirrors": [{"url": "https://docker.1ms.run", "state": "gone"}, {"url": LAB}],
        }
    )
    assert found["presets"]["lab"] == {"sites": ["ustc"], "services": ["pypi"]}
    assert found["presets"]["china"]["sites"] == ["tuna"]
    assert found["presets"]["china"]["services"] == builtin()["presets"]["china"]["services"]
    states = {one["url"]: one["state"] for one in found["registry_mirrors"]}
    assert states["https://docker.1ms.run"] == "gone" and states[LAB] == "alive"


REFUSED: list[tuple[Any, str]] = [
    ("text", "it must be a mapping"),
    ({"site": {}}, "it has the unknown key site; known are gone, presets"),
    ({"sites": []}, "sites must be a mapping"),
    ({"sites": ["x"]}, "sites must be a mapping"),
    ({"registry_mirrors": {"x": 1}}, "registry_mirrors must be a list"),
    ({"sites": {"lab": {}}}, "sites.lab has no base address"),
    ({"sites": {"lab": LAB}}, "sites.lab must be a mapping, or null"),
    ({"sites": {"Lab!": {"base": LAB}}}, "sites.Lab! is no name"),
    ({"sites": {"auto": {"base": LAB}}}, "sites.auto is no name"),
    ({"sites": {3: {"base": LAB}}}, "sites.3 is no name"),
    ({"sites": {"lab": {"base": "mirror.example.org"}}}, "sites.lab.base: mirror.example.org is no http"),
    ({"sites": {"lab": {"base": "https://u:secret@x.example.org"}}}, "https://***@x.example.org is no http"),
    ({"services": {"pypi": {"sites": {"ustc": "/{x}"}}}}, "path: /{x} is no path"),
    ({"services": {"ubuntu": {"of": {"amd64": ["ubuntu"]}}}}, "services.ubuntu.of is of the wrong kind"),
    ({"services": {"ubuntu": {"for": {"ids": "ubuntu"}}}}, "services.ubuntu.for is of the wrong kind"),
    ({"services": {"pypi": {"probe": {"kind": "x"}}}}, "services.pypi.probe.kind: x is none of"),
    ({"sites": {"lab": {"base": LAB, "colour": "red"}}}, "sites.lab has the unknown key colour"),
    ({"sites": {"lab": {"base": LAB, "also": "x"}}}, "sites.lab.also is of the wrong kind"),
    ({"sites": {"lab": {"base": LAB, "direct": "yes"}}}, "sites.lab.direct is of the wrong kind"),
    ({"sites": {"lab": {"base": LAB, "intranet": {}}}}, "sites.lab.intranet.base"),
    ({"sites": {"lab": {"base": LAB, "intranet": LAB}}}, "sites.lab.intranet.base"),
    ({"services": {"pypi": {"sites": {"lab": "/x"}}}}, "services.pypi.sites.lab names no site"),
    ({"services": {"pypi": {"sites": {"ustc": "x"}}}}, "services.pypi.sites.ustc.path: x is no path such as /ubuntu"),
    ({"services": {"pypi": {"sites": {"ustc": 3}}}}, "services.pypi.sites.ustc must be a path"),
    ({"services": {"pypi": {"sites": ["ustc"]}}}, "services.pypi.sites must be a mapping"),
    ({"services": {"pypi": {"sites": {"ustc": {"state": "well"}}}}}, "state: well is none of alive"),
    ({"services": {"pypi": {"sites": {"ustc": {"url": LAB, "path": "/x"}}}}}, "both a path and an address"),
    ({"services": {"pypi": {"sites": {"npmmirror": {"note": "x"}}}}}, "neither a path nor an address"),
    ({"services": {"pypi": {"kind": "simpel"}}}, "services.pypi.kind: simpel is none of inrelease"),
    ({"services": {"pypi": {"max_age_hours": -1}}}, "services.pypi.max_age_hours: -1 is no number"),
    ({"services": {"pypi": {"probe": "/pip"}}}, "services.pypi.probe is of the wrong kind"),
    ({"services": {"pypi": {"probe": {"path": 3}}}}, "services.pypi.probe is of the wrong kind"),
    ({"services": {"pypi": "x"}}, "services.pypi must be a mapping"),
    ({"services": {"mine": {}}}, "services.mine is new and needs a kind"),
    ({"presets": {"lab": {"sites": ["nowhere"]}}}, "presets.lab.sites names nowhere"),
    ({"presets": {"lab": {"services": ["pipi"]}}}, "presets.lab.services names pipi"),
    ({"presets": {"lab": {"sites": "ustc"}}}, "presets.lab.sites is of the wrong kind"),
    ({"registry_mirrors": ["x"]}, "registry_mirrors, entry 1 must be a mapping with url"),
    ({"registry_mirrors": [{"state": "gone"}]}, "registry_mirrors, entry 1.url: None is no http"),
    ({"gone": [{"url": "x"}]}, "gone, entry 1.url: x is no http"),
]


@pytest.mark.parametrize("extension, said", REFUSED, ids=[said for _extension, said in REFUSED])
def test_one_sentence_for_what_cannot_be(extension: Any, said: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        merged(extension)
    assert str(caught.value).startswith("mirrors_catalogue: ") and said in str(caught.value)
    assert "secret" not in str(caught.value)


# --- whatever an inventory holds

WORDS = st.sampled_from(
    [
        "ustc",
        "tuna",
        "lab",
        "pypi",
        "ubuntu",
        "sites",
        "services",
        "presets",
        "china",
        "url",
        "path",
        "base",
        "state",
        "probe",
        "sample",
        "for",
        "of",
        "intranet",
        "also",
        "gone",
        "registry_mirrors",
        "alive",
        "kind",
        "channels",
        "/x",
        LAB,
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers(0, 3), inner, max_size=4),
    max_leaves=14,
)
PLACES = st.sampled_from([(), ("sites",), ("sites", "ustc"), ("services",), ("services", "pypi"), ("presets",)])


def placed(place: tuple[str, ...], value: Any) -> Any:
    for name in reversed(place):
        value = {name: value}
    return value


@given(PLACES, ANYTHING)
def test_any_extension_is_merged_or_refused_and_ours_stays(place: tuple[str, ...], value: Any) -> None:
    before, given_ = copy.deepcopy(dict(builtin())), copy.deepcopy(placed(place, value))
    extension = placed(place, value)
    try:
        found = merged(extension)
    except CatalogueError as error:
        assert str(error).startswith("mirrors_catalogue: ")
    else:
        sites, services = set(found["sites"]), set(found["services"])
        for service in found["services"].values():
            assert set(service["sites"]) <= sites
        for preset in found["presets"].values():
            assert set(preset["sites"]) <= sites and set(preset["services"]) <= services
        for wishes in ({"preset": "china"}, {"site": "ustc"}, {"preset": "cloud:tencent", "security_policy": "mirror"}):
            assert set(steps(NOBLE, {**wishes, "catalogue": extension})) == set(steps(NOBLE, {}))
    assert dict(builtin()) == before and extension == given_


@given(
    st.dictionaries(st.sampled_from(["ustc", "tuna", "lab", "other"]), st.none() | st.just({"base": LAB}), max_size=4),
    st.dictionaries(st.sampled_from(["ustc", "tuna", "aliyun"]), st.none() | st.just("/x"), max_size=3),
)
def test_what_is_not_named_stays_as_it_is(sites: dict[str, Any], entries: dict[str, Any]) -> None:
    entries = {name: entry for name, entry in entries.items() if sites.get(name, True) is not None}
    found = merged({"sites": sites, "services": {"pypi": {"sites": entries}}})
    for name, site in builtin()["sites"].items():
        if name not in sites:
            assert found["sites"][name] == site
    gone = {name for name, site in sites.items() if site is None}
    for name, service in builtin()["services"].items():
        for site, entry in service["sites"].items():
            if site not in gone and not (name == "pypi" and site in entries):
                assert found["services"][name]["sites"][site] == entry
