# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages come from: NVIDIA's repository, or the system's own archive with more components."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import sources
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import Repository
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHIVE = Driver(True, "distribution", branch="535", components=("contrib", "non-free"))
VENDOR = Driver(
    True,
    "nvidia",
    branch="580",
    repository=Repository(
        "apt", "debian13/x86_64", "", "https://mirror.example.org/debian13/x86_64/", ("/",), (), "K.pub", ("AA",)
    ),
)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "enabled": True,
        "types": ["deb"],
        "uris": ["https://mirror.example.org/debian"],
        "suites": ["bookworm", "bookworm-updates"],
        "components": ["main"],
        "signed_by": KEYRING,
        **changes,
    }


def wanted(driver: Driver, *entries: dict[str, Any], **inputs: Any) -> list[dict[str, Any]]:
    return sources.wanted(View({"packages": {"sources": list(entries)}}), driver, inputs)


def test_the_archive_of_the_system_is_said_once_more_with_what_it_lacks() -> None:
    (source,) = wanted(
        ARCHIVE, entry(), entry(uris=["https://other.example.org/x"], signed_by="/etc/apt/keyrings/x.asc")
    )
    assert source["uris"] == ["https://mirror.example.org/debian"] and source["signed_by"] == KEYRING
    assert source["components"] == ["contrib", "non-free"] and source["suites"] == ["bookworm", "bookworm-updates"]


def test_only_components_that_are_missing() -> None:
    assert wanted(ARCHIVE, entry(components=["main", "contrib"]))[0]["components"] == ["non-free"]
    assert wanted(ARCHIVE, entry(components=["main", "contrib", "non-free"])) == []


def test_security_updates_come_from_their_own_archive() -> None:
    security = entry(uris=["https://security.example.org/debian-security"], suites=["bookworm-security"])
    assert [source["name"] for source in wanted(ARCHIVE, entry(), security)] == ["nvidia-driver", "nvidia-driver-1"]


def test_entries_that_cannot_be_said_once_more_are_left_alone() -> None:
    for unusable in (entry(signed_by=None), entry(enabled=False), entry(types=["deb-src"])):
        assert wanted(ARCHIVE, unusable) == []


def test_nvidias_key_is_beside_the_packages_unless_told_otherwise() -> None:
    (source,) = wanted(VENDOR)
    assert source["key_url"] == "https://mirror.example.org/debian13/x86_64/K.pub" and source["fingerprints"] == ["AA"]
    (own,) = wanted(VENDOR, repo_key_url="file:/srv/key", repo_fingerprints=["BB"])
    assert (own["key_url"], own["fingerprints"]) == ("file:/srv/key", ["BB"])
    assert own["stamp"] != source["stamp"]


def test_files_are_right_only_as_written_for_these_inputs() -> None:
    (source,) = wanted(VENDOR)
    good = {"as_written": True, "mode": "0644", "uid": 0, "stamp": source["stamp"]}
    paths = sources.files(source)
    assert sources.right(source, View({"files": dict.fromkeys(paths, good)}))
    for change in ({"as_written": False}, {"mode": "0600"}, {"stamp": "x"}):
        assert not sources.right(source, View({"files": {key: {**good, **change} for key in paths}}))
    assert not sources.right(source, View({"files": {paths[0]: good}}))


def test_a_stream_of_dnf_must_be_enabled_too() -> None:
    repository = Repository(
        "dnf", "rhel9/x86_64", "", "https://mirror.example.org/rhel9", stream="580-open", key_file="k"
    )
    (source,) = wanted(Driver(True, "nvidia", branch="580", repository=repository))
    good = {"as_written": True, "mode": "0644", "uid": 0, "stamp": source["stamp"]}
    files = dict.fromkeys(sources.files(source), good)
    assert sources.right(source, View({"files": files, "packages": {"streams": {"nvidia-driver": "580-open"}}}))
    assert not sources.right(source, View({"files": files, "packages": {"streams": {}}}))
