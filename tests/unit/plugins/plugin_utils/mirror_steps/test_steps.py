# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mirrors a machine gets: by preset, by name, by measurement, by an address of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps

Make = Callable[..., dict[str, Any]]
LAB = "https://mirror.example.org"
USTC = "https://mirrors.ustc.edu.cn"
TUNA = "https://mirrors.tuna.tsinghua.edu.cn"


def empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(empty(one) for name, one in value.items() if name != "failover")
    return not value


# --- nothing asked


def test_without_any_input_everything_is_the_systems_own(host: Make) -> None:
    for system in ("noble", "trixie", "mint", "rocky", "rhel"):
        found = steps(host(system), {})
        assert empty(found["settings"]), system
        assert (found["measure"], found["key"], found["candidates"]) == (False, "", {})
        assert (found["refusal"], found["warnings"], found["choices"], found["todo"]) == ("", [], {}, False)


def test_absent_asks_nobody_and_sets_nothing(host: Make) -> None:
    wishes = {"state": "absent", "preset": "china", "apt_url": LAB, "proxy": {"http": "http://proxy.example.org:1"}}
    found = steps(host("noble"), {**wishes, "pip_trusted_host": "x", "ca_bundle": "/etc/ca.pem"})
    assert empty(found["settings"]) and not found["measure"] and found["warnings"] == []


def test_inputs_may_bear_the_name_of_the_role(host: Make) -> None:
    assert steps(host("noble"), {"mirrors_site": "ustc"}) == steps(host("noble"), {"site": "ustc"})


# --- presets


def test_china_switches_what_the_road_needs(host: Make) -> None:
    found = steps(host("noble"), {"preset": "china"})
    assert list(found["candidates"]) == [
        "ubuntu",
        "docker-ce",
        "cuda",
        "libnvidia-container",
        "pypi",
        "conda",
        "uv-python",
        "rustup",
        "crates",
        "npm",
    ]
    assert found["measure"] and found["todo"] and len(found["key"]) == 64
    # until something is measured, all stays as it is
    assert empty(found["settings"]) and found["warnings"] == []


def test_security_takes_part_only_if_the_policy_says_so(host: Make) -> None:
    wishes = {"preset": "china", "security_policy": "mirror"}
    found = steps(host("noble"), wishes)["candidates"]["ubuntu-security"]
    assert found[0]["probe_url"] == f"{USTC}/ubuntu/dists/noble-security/InRelease"
    assert "debian-security" not in steps(host("noble"), wishes)["candidates"]
    assert steps(host("trixie"), wishes)["candidates"]["debian-security"][0]["url"] == f"{USTC}/debian-security"


@pytest.mark.parametrize(
    "architecture, service",
    [("x86_64", "ubuntu"), ("i686", "ubuntu"), ("aarch64", "ubuntu-ports"), ("s390x", "ubuntu-ports")],
)
def test_the_archive_is_chosen_by_architecture(host: Make, architecture: str, service: str) -> None:
    candidates = steps(host("noble", architecture), {"preset": "china"})["candidates"]
    assert [name for name in candidates if name.startswith("ubuntu")] == [service]
    assert all(one["url"].endswith(f"/{service}") for one in candidates[service])
    # an address for the other one does not count
    other = {"ubuntu": "ubuntu-ports", "ubuntu-ports": "ubuntu"}[service]
    assert steps(host("noble", architecture), {"sites": {other: f"{LAB}/x"}})["settings"]["apt"]["archive"] == []


def test_security_of_ports_lies_on_the_ports_host(host: Make) -> None:
    wishes = {"preset": "china", "security_policy": "mirror"}
    found = {
        one["site"]: one["url"] for one in steps(host("noble", "aarch64"), wishes)["candidates"]["ubuntu-security"]
    }
    assert found["official"] == "http://ports.ubuntu.com/ubuntu-ports"
    assert found["ustc"] == f"{USTC}/ubuntu-ports"
    found = {one["site"]: one["url"] for one in steps(host("noble"), wishes)["candidates"]["ubuntu-security"]}
    assert found["official"] == "http://security.ubuntu.com/ubuntu"


def test_a_cloud_asks_its_own_hosts_first_and_alone(host: Make) -> None:
    found = steps(host("noble"), {"preset": "cloud:aliyun"})["candidates"]
    assert [one["site"] for one in found["ubuntu"]] == ["aliyun-intranet", "aliyun", "official"]
    assert found["pypi"][0]["url"] == "http://mirrors.cloud.aliyuncs.com/pypi/simple"
    # what the vendor lacks comes from others
    assert "npmmirror" in [one["site"] for one in found["npm"]]
    never = steps(host("noble"), {"preset": "cloud:aliyun", "intranet": "never"})["candidates"]
    assert [one["site"] for one in never["ubuntu"]] == ["aliyun", "official"]


def test_a_known_cloud_adds_its_host_only_for_what_is_signed(host: Make) -> None:
    found = steps(host("noble", virt={"cloud": "tencent"}), {"preset": "china"})["candidates"]
    assert "tencent-intranet" in [one["site"] for one in found["ubuntu"]]
    assert "tencent-intranet" not in [one["site"] for one in found["pypi"]]


def test_plain_http_of_the_intranet_is_told_to_pip(host: Make, remember: Make) -> None:
    wishes = {"preset": "cloud:aliyun"}
    known = remember(host("noble"), wishes, {"pypi": ["aliyun-intranet", "aliyun"]})
    pip = steps(known, wishes)["settings"]["pip"]
    assert pip == {
        "index_url": "http://mirrors.cloud.aliyuncs.com/pypi/simple",
        "trusted_host": "mirrors.cloud.aliyuncs.com",
    }


def test_offline_asks_nobody_and_takes_addresses_of_ones_own(host: Make) -> None:
    wishes: dict[str, Any] = {
        "preset": "offline",
        "sites": {"ubuntu": f"{LAB}/ubuntu", "npm": "auto"},
        "services": ["pypi"],
    }
    wishes |= {"huggingface": True, "third_party_registries": True}
    found = steps(host("noble"), wishes)
    assert found["refusal"] == "" and found["candidates"] == {} and not found["measure"]
    assert found["settings"]["apt"]["archive"] == [f"{LAB}/ubuntu"]
    assert found["settings"]["pip"]["index_url"] == "" and found["settings"]["docker"]["registry_mirrors"] == []


# --- measured


def test_the_ranking_of_the_memory_is_taken(host: Make, remember: Make) -> None:
    wishes = {"preset": "china"}
    ranked = {"ubuntu": ["tuna", "aliyun", "ustc", "nju"], "pypi": ["aliyun", "tuna"], "crates": ["rsproxy"]}
    found = steps(remember(host("noble"), wishes, ranked), wishes)
    assert not found["measure"]
    assert found["settings"]["apt"]["archive"] == [
        f"{TUNA}/ubuntu",
        "https://mirrors.aliyun.com/ubuntu",
        f"{USTC}/ubuntu",
    ]
    assert found["settings"]["pip"] == {"index_url": "https://mirrors.aliyun.com/pypi/simple", "trusted_host": ""}
    assert found["settings"]["uv"]["index_url"] == "https://mirrors.aliyun.com/pypi/simple"
    assert found["settings"]["cargo"]["registry"] == "sparse+https://rsproxy.cn/index/"
    assert found["choices"]["ubuntu"]["site"] == "tuna"
    # nothing usable was found for the others
    assert found["warnings"] == [
        "no mirror answered as it should for docker-ce, cuda, libnvidia-container, conda, uv-python, rustup, npm; the "
        "system's own stay"
    ]


def test_without_failover_there_is_one_address(host: Make, remember: Make) -> None:
    wishes = {"preset": "china", "failover": False}
    found = steps(remember(host("noble"), wishes, {"ubuntu": ["tuna", "ustc"], "conda": ["tuna", "ustc"]}), wishes)
    assert found["settings"]["apt"] == {"archive": [f"{TUNA}/ubuntu"], "security": [], "failover": False}
    assert found["settings"]["conda"]["mirrored"]["conda-forge"] == [
        f"{TUNA}/anaconda/cloud/conda-forge",
        "https://conda.anaconda.org/conda-forge",
    ]


def test_what_is_slower_than_the_systems_own_is_not_set(host: Make, remember: Make) -> None:
    wishes = {"preset": "china"}
    ranked = {"ubuntu": ["tuna", "official", "ustc"], "docker-ce": ["official", "ustc"]}
    found = steps(remember(host("noble"), wishes, ranked), wishes)
    assert found["settings"]["apt"]["archive"] == [f"{TUNA}/ubuntu"]
    assert "docker-ce" not in found["addresses"] and found["choices"]["docker-ce"]["why"] == "own_best"


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_at": 1795305600},
        {"expires_at": "later"},
        {"expires_at": None},
        {"key": "0" * 64},
        {"schema": "gpuready.mirrors/2"},
        {"services": None},
    ],
    ids=str,
)
def test_a_memory_that_does_not_hold_is_measured_anew(host: Make, remember: Make, changed: dict[str, Any]) -> None:
    wishes = {"preset": "china"}
    good = remember(host("noble"), wishes, {"pypi": ["tuna"]})
    assert not steps(good, wishes)["measure"]
    bad = {**good, "mirrors": {**good["mirrors"], **changed}}
    assert steps(bad, wishes)["measure"] and empty(steps(bad, wishes)["settings"])


def test_another_wish_or_catalogue_is_another_key(host: Make) -> None:
    keys = [
        steps(host("noble"), {"preset": "china", **more})["key"]
        for more in ({}, {"candidates": ["ustc"]}, {"catalogue": {"sites": {"ustc": None}}}, {"services": ["pypi"]})
    ]
    assert len(set(keys)) == 4 and "" not in keys


def test_addresses_that_the_memory_invents_are_not_taken(host: Make, remember: Make) -> None:
    wishes = {"preset": "china"}
    known = remember(host("noble"), wishes, {"pypi": ["tuna"]})
    known["mirrors"]["services"]["pypi"]["urls"].insert(0, "https://evil.example.org/simple")
    known["mirrors"]["services"]["npm"] = {"urls": ["https://evil.example.org"]}
    found = steps(known, wishes)["settings"]
    assert found["pip"]["index_url"] == "https://pypi.tuna.tsinghua.edu.cn/simple"
    assert found["npm"]["registry"] == ""


def test_candidates_fit_what_mirror_info_takes(host: Make) -> None:
    for preset in ("china", "campus", "cloud:aliyun", "cloud:tencent", "cloud:huaweicloud", "cloud:volces"):
        for system in ("noble", "trixie", "rocky", "alma"):
            wishes = {
                "preset": preset,
                "security_policy": "mirror",
                "huggingface": True,
                "third_party_registries": True,
            }
            for service, entries in steps(host(system), wishes)["candidates"].items():
                sites = [one["site"] for one in entries]
                assert len(sites) == len(set(sites)), (preset, service)
                for one in entries:
                    assert set(one) == {
                        "site",
                        "url",
                        "probe_url",
                        "sample_url",
                        "kind",
                        "max_age_hours",
                        "accept_redirect_to",
                    }
                    assert "{" not in one["probe_url"] + one["sample_url"] and "//" not in one["probe_url"][8:]


def test_max_age_can_be_wished(host: Make) -> None:
    found = steps(host("noble"), {"preset": "china", "measure": {"max_age_hours": 12}})["candidates"]
    assert found["ubuntu"][0]["max_age_hours"] == 12 and found["pypi"][0]["max_age_hours"] is None


def test_rhel_likes_have_their_own_paths(host: Make) -> None:
    found = steps(host("rocky", "aarch64"), {"preset": "china"})["candidates"]
    urls = {one["site"]: one["url"] for one in found["rocky"]}
    assert urls["aliyun"] == "https://mirrors.aliyun.com/rockylinux"
    assert urls["sustech"] == "https://mirrors.sustech.edu.cn/rocky-linux"
    assert urls["cernet"] == "https://mirrors.cernet.edu.cn/rocky"
    assert found["rocky"][0]["probe_url"].endswith("/9/BaseOS/aarch64/os/repodata/repomd.xml")
    cuda = {one["site"]: one["probe_url"] for one in found["cuda"]}
    assert cuda["nvidia-cn"].endswith("/compute/cuda/repos/rhel9/sbsa/repodata/repomd.xml")
    docker = {one["site"]: one for one in found["docker-ce"]}
    assert docker["ustc"]["probe_url"] == f"{USTC}/docker-ce/linux/centos/9/aarch64/stable/repodata/repomd.xml"
    assert docker["ustc"]["kind"] == "repodata"
    assert not {"ubuntu", "debian", "almalinux"} & set(found)


# --- a site by name


def test_a_site_by_name_is_not_measured(host: Make) -> None:
    found = steps(host("trixie"), {"site": "ustc"})
    assert not found["measure"] and found["candidates"] == {}
    settings = found["settings"]
    assert settings["apt"]["archive"] == [f"{USTC}/debian"] and settings["apt"]["security"] == []
    assert settings["rustup"] == {"dist_server": f"{USTC}/rust-static", "update_root": f"{USTC}/rust-static/rustup"}
    assert found["addresses"]["docker-ce"] == f"{USTC}/docker-ce/linux"
    assert found["warnings"] == ["ustc does not offer cuda, npm to this machine; the system's own stay"]


def test_a_site_by_name_for_some_services(host: Make) -> None:
    wishes = {"site": "tuna", "services": ["pypi", "conda"], "sites": {"conda": "official", "node": "tuna"}}
    found = steps(host("noble"), wishes)
    assert found["addresses"] == {
        "pypi": "https://pypi.tuna.tsinghua.edu.cn/simple",
        "node": f"{TUNA}/nodejs-release",
    }
    assert found["settings"]["environment"]["NVM_NODEJS_ORG_MIRROR"] == f"{TUNA}/nodejs-release"


def test_official_is_the_systems_own(host: Make) -> None:
    found = steps(host("noble"), {"preset": "china", "site": "official"})
    assert empty(found["settings"]) and not found["measure"]


def test_what_nobody_documents_is_used_when_named(host: Make) -> None:
    catalogue = {"services": {"epel": {"sites": {"tuna": {"unconfirmed": True}}}}}
    assert steps(host("rocky"), {"site": "tuna", "catalogue": catalogue})["settings"]["repositories"] == {}
    found = steps(host("rocky"), {"sites": {"epel": "tuna"}, "catalogue": catalogue})
    assert found["settings"]["repositories"] == {"epel": [f"{TUNA}/epel"]}


@pytest.mark.parametrize("site", ["nju", "hust"])
def test_what_is_gone_is_not_set(host: Make, site: str) -> None:
    found = steps(host("noble"), {"sites": {"crates": site}})
    assert found["settings"]["cargo"]["registry"] == ""
    assert found["warnings"] == [f"{site} does not offer crates to this machine; the system's own stay"]


def test_systems_without_a_known_mirror_keep_their_archive(host: Make) -> None:
    found = steps(host("mint"), {"preset": "china"})
    assert found["warnings"] == [
        "no mirror is known for the package archive of Linux Mint 22; it stays as the system has it"
    ]
    assert "pypi" in found["candidates"] and not {"ubuntu", "debian", "docker-ce", "cuda"} & set(found["candidates"])
    found = steps(host("mantic"), {"site": "ustc"})
    assert "Ubuntu 23.10 has left the mirrors; its package archive stays as the system has it" in found["warnings"]
    assert found["settings"]["apt"]["archive"] == []
    found = steps(host("noble", None), {"preset": "china"})
    assert found["warnings"] == ["the architecture of this machine is not known; its package archive stays as it is"]


# --- addresses of one's own


def test_ones_own_addresses_win_over_all(host: Make) -> None:
    wishes: dict[str, Any] = {"preset": "china", "site": "ustc", "sites": {"pypi": "tuna", "ubuntu": "tuna"}}
    wishes |= {"apt_url": f"{LAB}/ubuntu", "pip_index_url": f"{LAB}/simple", "pip_trusted_host": "mirror.example.org"}
    settings = steps(host("noble"), {**wishes, "apt_security_url": f"{LAB}/security"})["settings"]
    assert settings["apt"] == {"archive": [f"{LAB}/ubuntu"], "security": [f"{LAB}/security"], "failover": True}
    assert settings["pip"] == {"index_url": f"{LAB}/simple", "trusted_host": "mirror.example.org"}
    assert settings["uv"]["index_url"] == f"{LAB}/simple"


@pytest.mark.parametrize("system", ["mint", "rocky"])
def test_an_address_for_apt_goes_to_the_module_on_every_system(host: Make, system: str) -> None:
    settings = steps(host(system), {"apt_url": "file:/srv/archive", "apt_security_url": f"{LAB}/s"})["settings"]
    assert settings["apt"]["archive"] == ["file:/srv/archive"] and settings["apt"]["security"] == [f"{LAB}/s"]


def test_addresses_by_service_pass_over_other_machines(host: Make) -> None:
    sites = {"ubuntu": f"{LAB}/ubuntu", "debian": [f"{LAB}/debian", "https://two.example.org/debian"]}
    sites |= {"rocky": f"{LAB}/rocky", "debian-security": f"{LAB}/debian-security"}
    apt = steps(host("trixie"), {"sites": sites})["settings"]["apt"]
    assert apt["archive"] == [f"{LAB}/debian", "https://two.example.org/debian"]
    # one's own address is a decision of its own: the policy does not stand against it
    assert apt["security"] == [f"{LAB}/debian-security"]
    assert steps(host("noble"), {"sites": sites})["settings"]["apt"]["archive"] == [f"{LAB}/ubuntu"]
    assert steps(host("rocky"), {"sites": sites})["settings"]["repositories"] == {"rocky": [f"{LAB}/rocky"]}


def test_ones_own_addresses_of_the_other_tools(host: Make) -> None:
    sites = {
        "crates": f"sparse+{LAB}/index",
        "conda": f"{LAB}/conda",
        "torch": f"{LAB}/whl/{{cuda}}",
        "huggingface": f"{LAB}/hf",
        "docker-registry": [f"{LAB}", "https://cache.example.org"],
        "uv-python": f"{LAB}/python",
        "npm": f"{LAB}/npm",
        "open-vsx": f"{LAB}/vsx",
    }
    found = steps(host("noble"), {"sites": sites})
    settings = found["settings"]
    assert found["refusal"] == ""
    assert settings["cargo"]["registry"] == f"sparse+{LAB}/index/"
    assert settings["conda"]["mirrored"] == {"conda-forge": [f"{LAB}/conda/conda-forge"]}
    assert settings["uv"]["indexes"][0] == {
        "name": "pytorch-cpu",
        "url": f"{LAB}/whl/cpu",
        "explicit": True,
        "format": "simple",
    }
    assert settings["huggingface"] == {"endpoint": f"{LAB}/hf", "disable_xet": True}
    assert settings["docker"]["registry_mirrors"] == [LAB, "https://cache.example.org"]
    assert found["addresses"]["open-vsx"] == f"{LAB}/vsx"


def test_a_flat_listing_is_told_to_uv(host: Make) -> None:
    indexes = steps(host("noble"), {"sites": {"torch": "aliyun"}})["settings"]["uv"]["indexes"]
    assert {one["format"] for one in indexes} == {"flat"}
    assert indexes[-1]["url"] == "https://mirrors.aliyun.com/pytorch-wheels/cu130"
    indexes = steps(host("noble"), {"sites": {"torch": "nju"}})["settings"]["uv"]["indexes"]
    assert {one["format"] for one in indexes} == {"simple"}


def test_a_site_of_the_inventory_is_a_site_like_others(host: Make, remember: Make) -> None:
    catalogue = {
        "sites": {"lab": {"base": LAB}},
        "services": {"ubuntu": {"sites": {"lab": "/u"}}, "pypi": {"sites": {"lab": LAB}}},
    }
    wishes = {"site": "lab", "catalogue": catalogue, "services": ["ubuntu", "pypi"]}
    assert steps(host("noble"), wishes)["addresses"] == {"ubuntu": f"{LAB}/u", "pypi": LAB}
    wishes = {"preset": "china", "candidates": ["lab", "ustc"], "catalogue": catalogue}
    assert [one["site"] for one in steps(host("noble"), wishes)["candidates"]["ubuntu"]] == ["lab", "ustc", "official"]


# --- security


@pytest.mark.parametrize(
    "policy, wanted",
    [
        ("official", []),
        ("official_then_mirror", ["official", f"{USTC}/debian-security"]),
        ("mirror", [f"{USTC}/debian-security"]),
    ],
)
def test_the_policy_decides_about_security(host: Make, policy: str, wanted: list[str]) -> None:
    found = steps(host("trixie"), {"site": "ustc", "security_policy": policy})
    assert found["settings"]["apt"]["security"] == wanted


def test_ubuntus_security_lies_in_the_same_tree(host: Make) -> None:
    wishes = {"site": "ustc", "security_policy": "mirror"}
    assert steps(host("noble"), wishes)["settings"]["apt"]["security"] == [f"{USTC}/ubuntu"]
    assert steps(host("noble", "aarch64"), wishes)["settings"]["apt"]["security"] == [f"{USTC}/ubuntu-ports"]


def test_a_site_for_security_against_the_policy_is_said(host: Make) -> None:
    found = steps(host("trixie"), {"sites": {"debian-security": "ustc"}})
    assert found["settings"]["apt"]["security"] == []
    assert "mirrors_security_policy is official" in found["warnings"][0]


# --- third parties


def test_registries_and_models_need_a_word_of_their_own(host: Make) -> None:
    for wishes in ({"sites": {"huggingface": "hf-mirror"}}, {"services": ["docker-registry"], "preset": "china"}):
        found = steps(host("noble"), wishes)
        assert "would go to a third party" in found["refusal"] and empty(found["settings"])
    found = steps(host("noble"), {"sites": {"huggingface": "hf-mirror"}, "huggingface": True})
    assert found["settings"]["huggingface"] == {"endpoint": "https://hf-mirror.com", "disable_xet": True}
    found = steps(host("noble"), {"preset": "china", "third_party_registries": True})
    sites = [one["site"] for one in found["candidates"]["docker-registry"]]
    assert sites[0] == "docker.m.daocloud.io" and "docker.mirrors.ustc.edu.cn" not in sites
    assert found["candidates"]["docker-registry"][0]["probe_url"] == "https://docker.m.daocloud.io/v2/"
    named = {"sites": {"docker-registry": "docker.m.daocloud.io"}, "third_party_registries": True}
    assert steps(host("noble"), named)["settings"]["docker"]["registry_mirrors"] == ["https://docker.m.daocloud.io"]


def test_never_an_endpoint_beside_a_token(host: Make) -> None:
    variables = [{"name": "HF_TOKEN", "value": "hf_secret", "file": "/etc/environment"}]
    known = host("noble", environment={"variables": variables})
    found = steps(known, {"sites": {"huggingface": "hf-mirror"}, "huggingface": True})
    assert found["settings"]["huggingface"] == {}
    assert found["warnings"] == [
        "/etc/environment sets a token of Hugging Face, which would be sent to hf-mirror.com; the endpoint is not set"
    ]


def test_anaconda_comes_only_when_named(host: Make) -> None:
    assert "anaconda" not in steps(host("noble"), {"preset": "china"})["candidates"]
    found = steps(host("noble"), {"sites": {"anaconda": "tuna"}})["settings"]["conda"]
    assert found["anaconda"]["default_channels"] == [f"{TUNA}/anaconda/pkgs/main", f"{TUNA}/anaconda/pkgs/r"]
    # the channel nvidia has no mirror that may be chosen
    assert steps(host("noble"), {"sites": {"conda": "sustech"}})["settings"]["conda"]["channels"] == {}


# --- what other roles go by until then

PUBLISHERS = ["https://developer.download.nvidia.com/compute/cuda/repos", "https://download.docker.com/linux"]


def test_addresses_are_left_where_a_choice_is_due_or_another_one_was_made(host: Make, remember: Make) -> None:
    found = steps(host("noble"), {"preset": "china"})
    assert set(PUBLISHERS) | {"https://nvidia.github.io/libnvidia-container"} <= set(found["leaving"])
    mine = {"sites": {"docker-ce": f"{LAB}/docker-ce/linux"}}
    assert steps(host("noble"), mine)["leaving"] == PUBLISHERS[1:]
    # in effect: what the host says is what is wished
    settled = {**host("noble"), "mirror_addresses": {"docker-ce": f"{LAB}/docker-ce/linux"}}
    assert steps(settled, mine)["leaving"] == []
    # and given up again
    assert steps(settled, {})["leaving"] == [f"{LAB}/docker-ce/linux"]


def test_nobodys_address_is_left_without_a_wish_or_on_the_way_back(host: Make) -> None:
    for wishes in ({}, {"preset": "offline"}, {"preset": "china", "state": "absent"}, {"preset": "chnia"}):
        assert steps(host("noble"), wishes)["leaving"] == []


def test_a_choice_that_holds_leaves_nothing(host: Make, remember: Make) -> None:
    known = remember(host("noble"), {"preset": "china"}, {"docker-ce": ["ustc"]})
    first = steps(known, {"preset": "china"})
    assert steps({**known, "mirror_addresses": first["addresses"]}, {"preset": "china"})["leaving"] == []
