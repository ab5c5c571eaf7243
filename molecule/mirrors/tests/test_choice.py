# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The best of several mirrors is measured, remembered and used, and another one stands in when it dies."""

from __future__ import annotations

import json

import pytest
from machine import DIGEST
from mirror_lab import Lab

SITES = {
    # 128 KiB a second: slower than the fast one however busy this machine is
    "slow": ("127.0.0.3", ("slow", "0.25")),
    "fast": ("127.0.0.2", ()),
    "walled": ("127.0.0.4", ("forbidden",)),
    "portal": ("127.0.0.5", ("portal",)),
}
DEAD = "127.0.0.6"
PORT = 8110
CATALOGUE = {
    "sites": {
        name: {"base": f"http://{address}:{PORT}"}
        for name, address in [*((name, address) for name, (address, _fault) in SITES.items()), ("dead", DEAD)]
    },
    "services": {"debian": {"sites": dict.fromkeys([*SITES, "dead"], "/debian")}},
    "presets": {"lab": {"sites": ["slow", "dead", "walled", "portal", "fast"], "services": ["debian"]}},
}
WISH = {
    "mirrors_catalogue": CATALOGUE,
    "mirrors_preset": "lab",
    "mirrors_apt_url": "",
    "mirrors_pip_index_url": "",
    "mirrors_sites": {},
    "mirrors_measure": {
        # test hosts may see an archive that is frozen at a date
        "max_age_hours": 8784,
        # all relays wait for one archive, which may take more than 3 s to begin with a large file
        "seconds": 6,
        "bytes": 524288,
    },
}


@pytest.fixture
def choice(lab: Lab) -> Lab:
    for name, (address, fault) in SITES.items():
        lab.relay(name, address, PORT, "/debian", lab.archive(), *fault)
    return lab


def test_the_best_one_is_chosen_remembered_and_replaced_when_it_dies(choice: Lab) -> None:
    run = choice.converge(**WISH)
    assert run.rc == 0, run.output[-3000:]
    memory = json.loads(choice.sh("cat /var/lib/gpuready/mirrors.json"))["services"]["debian"]
    states = {one["site"]: one["state"] for one in memory["measured"]}
    assert memory["site"] == "fast" and memory["urls"] == [
        f"http://127.0.0.2:{PORT}/debian",
        f"http://127.0.0.3:{PORT}/debian",
    ]
    assert states == {"fast": "ok", "slow": "ok", "walled": "forbidden", "portal": "html", "dead": "unreachable"}
    listed = choice.sh("cat /etc/apt/mirrors/gpuready-archive.list")
    assert listed.index("127.0.0.2") < listed.index("127.0.0.3") < listed.index("priority:3")

    before = {name: len(choice.asked(name)) for name in SITES}
    again = choice.converge(**WISH)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
    assert {name: len(choice.asked(name)) for name in SITES} == before, "the second run asks nobody"

    # it answers the first question of an update, and then it is gone; the next one need no longer be slow
    choice.relay("slow", "127.0.0.3", PORT, "/debian", choice.archive())
    choice.relay("fast", "127.0.0.2", PORT, "/debian", choice.archive(), "dies", "1")
    choice.sh("rm -rf /var/lib/apt/lists/* && apt-get -o APT::Update::Error-Mode=any update -qq")
    assert choice.host.run("systemctl is-active relay-fast").stdout.strip() == "inactive"
    assert len(choice.asked("slow")) > before["slow"]
    choice.sh("apt-get install -qq -y --no-install-recommends --reinstall hello >/dev/null")


def test_all_goes_back_and_is_forgotten(lab: Lab) -> None:
    back = lab.converge(mirrors_state="absent")
    assert back.rc == 0, back.output[-3000:]
    assert not lab.host.file("/var/lib/gpuready").exists, lab.sh("find /var/lib/gpuready")
    before = set(lab.sh("cat /var/tmp/etc-before").splitlines())
    assert before == set(lab.host.run("sh -c %s _ -", DIGEST).stdout.splitlines())
    # as the other files of this scenario find it
    assert lab.converge().rc == 0
