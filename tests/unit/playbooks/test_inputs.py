# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each playbook says of a wrong input, in check mode: one sentence, before anything is done."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.action.validate_inputs import TAGGED
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import role_inputs
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_names import unknown_names

from tools import variables_reference

PROJECT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path.stem for path in (PROJECT / "playbooks").glob("*.yml"))
SNAPSHOTS = PROJECT / "tests" / "fixtures" / "snapshots"
CHECK = "gpuready.bootstrap.validate_inputs"
# an own input of each of these playbooks, misspelt, and the right name
OWN = {
    "ansible_pull": ("ansible_pull_versoin", "ansible_pull_version"),
    "export_env": ("export_env_prefx", "export_env_prefix"),
    "import_env": ("import_env_lokc", "import_env_lock"),
    "plan": ("plan_trch", "plan_torch"),
    "readiness": ("readiness_langauge", "readiness_language"),
    "upgrade_driver": ("upgrade_driver_wait_minuts", "upgrade_driver_wait_minutes"),
    "workspace_files": ("workspace_files_dst", "workspace_files_dest"),
}
ANYWHERE = {
    "nvidia_driver_brnach": "nvidia_driver_branch",
    "gpuready_langauge": "gpuready_language",
    "dev_pyton": "dev_python",
}


def run(playbooks: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One playbook or several, in check mode: also a version that does not refuse changes nothing here."""
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "160"}
    arguments = ["-c", "local", "-e", "ansible_become=false", "--check", *options]
    return subprocess.run(
        ["ansible-playbook", *(f"playbooks/{name}.yml" for name in playbooks.split()), *arguments],
        cwd=PROJECT,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def inventory(folder: Path, **variables: Any) -> str:
    (folder / "group_vars").mkdir()
    (folder / "hosts.yml").write_text("all: {hosts: {box: }}\n", encoding="utf-8")
    (folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
    return str(folder)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_misspelt_variable_is_refused_by_every_playbook(tmp_path: Path, playbook: str) -> None:
    wrong, right = OWN.get(playbook, ("docker_engine_sorce", "docker_engine_source"))
    place = inventory(tmp_path, **dict.fromkeys([wrong, *ANYWHERE], "x"))
    done = run(playbook, "-i", place)
    assert done.returncode == 2, said(done)
    for name, near in {wrong: right, **ANYWHERE}.items():
        line = next(line for line in said(done).splitlines() if line.startswith(f"  - {name}: "))
        assert f"did you mean {near}?" in line and f"{tmp_path}/group_vars/all.yml:" in line
    assert "4 inputs are not right for box" in done.stderr + done.stdout and "ok=0 " in done.stdout, said(done)


def test_names_of_ones_own_that_begin_like_a_playbook_are_let_through() -> None:
    own = ["plan_b_site", "plan_image", "plan_torch_url", "export_env_x", "import_env_site", "upgrade_driver_window"]
    names = role_inputs.of_playbooks(PROJECT)
    assert list(unknown_names(own, {}, set(), set(), names)) == []
    wrong = {"plan_trch": "plan_torch", "export_env_prefx": "export_env_prefix", "import_env_lokc": "import_env_lock"}
    found = {name: why for name, _role, why in unknown_names(wrong, {}, set(), set(), names)}
    assert all(f"did you mean {right}?" in found[name] for name, right in wrong.items())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_first_task_judges_the_inputs(playbook: str) -> None:
    (first, *_others) = yaml.safe_load((PROJECT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8"))
    task = (first.get("pre_tasks") or first["tasks"])[0]
    assert CHECK in task and "when" not in task


def test_the_playbooks_whose_tags_are_judged_are_known_by_name() -> None:
    """One that somebody lays beside them may have tags of its own."""
    texts = {name: (PROJECT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8") for name in PLAYBOOKS}
    assert tuple(name for name in PLAYBOOKS if "tagged: true" in texts[name]) == TAGGED


def test_the_inputs_of_playbooks_are_known() -> None:
    told = {name for name in variables_reference.read_by_playbooks() if not name.startswith("gpuready_")}
    known = role_inputs.of_playbooks(PROJECT)
    assert {name for names in known.values() for name in names} == told
    assert set(known) == {"plan", "upgrade_driver", "export_env", "import_env"}


@pytest.mark.parametrize(("playbook", "prefix"), [("plan", "plan"), ("readiness", "readiness")])
def test_saved_snapshots_need_no_host_and_no_right_name_is_refused(tmp_path: Path, playbook: str, prefix: str) -> None:
    out = tmp_path / "out"
    given = ["-e", f"{prefix}_snapshots={SNAPSHOTS}", "-e", f"{prefix}_report_dir={out}"]
    done = run(playbook, "-i", "192.0.2.1,", *given)
    assert done.returncode == 0 and "unreachable=0" in done.stdout, said(done)
    again = run(playbook, "-i", "192.0.2.1,", *given, "-e", f"{prefix}_snapshot={SNAPSHOTS}")
    assert again.returncode == 2 and f"did you mean {prefix}_snapshots?" in said(again), said(again)


def test_one_playbook_after_the_other_is_no_misspelt_name() -> None:
    """What the first one registers is a variable of the host for the second one."""
    given = [
        "-e",
        f"readiness_snapshots={SNAPSHOTS}",
        "-e",
        f"plan_snapshots={SNAPSHOTS}",
        "-e",
        "readiness_report_dir=",
    ]
    done = run("readiness plan readiness", "-i", "192.0.2.1,", *given)
    assert done.returncode == 0 and done.stdout.count("Judge whether GPU hosts are ready]") == 2, said(done)


def test_a_wrong_value_for_readiness_is_one_sentence(tmp_path: Path) -> None:
    wrong = {"readiness_stages": ["drivr"], "readiness_report_dir": [str(tmp_path)]}
    done = run("readiness", "-i", "box,", "-e", json.dumps(wrong))
    assert done.returncode == 2 and "argument_spec_data" not in said(done), said(done)
    assert "  - readiness_stages: " in said(done) and "must be of type path (role readiness)" in said(done)


def test_no_password_of_an_address_is_in_a_refusal() -> None:
    address = "http://me:hush@proxy.example.org:3128"
    wrong: dict[str, Any] = {
        "gpuready_mirror_proxy": address,
        "mirrors_pip_index_url": {"a": address},
        "docker_engine_proxies": address,
        "docker_engine_repo_url": [address],
        "dev_proxy": address,
    }
    done = run("site", "-i", "box,", "-e", json.dumps(wrong))
    assert done.returncode == 2 and "'http://***@proxy.example.org:3128' must be of type dict" in said(done), said(done)
    assert all(f"  - {name}: " in said(done) for name in wrong) and "hush" not in said(done), said(done)


@pytest.mark.parametrize(
    ("playbook", "options", "why"),
    [
        ("site", ["--tags", "drivr"], "has the tag 'drivr'; its tags are dev_container, docker_engine, mirrors"),
        ("site", ["--tags", "nvidia_drivr"], "has the tag 'nvidia_drivr'; did you mean nvidia_driver?"),
        (
            "site",
            ["--tags", "monitoring"],
            "has the tag 'monitoring'; its tags are dev_container, docker_engine, mirrors, nvidia_container_toolkit, "
            "nvidia_driver, nvml_stability, readiness; preflight always runs. Nothing was changed.",
        ),
        ("rollback", ["--tags", "docker"], "has the tag 'docker'"),
        ("dev_inplace", ["--tags", "docker_engine"], "has the tag 'docker_engine'; its tags are dev_inplace, mirrors"),
    ],
)
def test_an_unknown_tag_is_refused(playbook: str, options: list[str], why: str) -> None:
    done = run(playbook, "-i", "box,", *options)
    assert done.returncode == 2 and "Nothing was changed." in said(done) and "ok=0 " in done.stdout, said(done)
    assert f"no task of playbooks/{playbook}.yml {why}" in " ".join(said(done).split())


def test_a_tag_to_skip_is_told_once_and_stops_nothing() -> None:
    # what lacks a key ends it behind the check of tags
    done = run("site", "-i", "box,bax,", "--skip-tags", "preflight", ANSIBLE_SKIP_TAGS="slow")
    output = " ".join(said(done).split())
    want = (
        "no task of playbooks/site.yml has the tag 'slow'; its tags are dev_container, docker_engine, mirrors, nvidia_"
    )
    assert "1 input is not right for bax" in output and output.count(want) == 1, output
    assert output.count("preflight cannot be skipped: in playbooks/site.yml it always runs.") == 1, output


# What reads the specification of the development environment
READERS = {"site", "dev_inplace", "workspace_files", "rollback", "readiness"}
BROKEN = {"dev_torch": {"backend": "cpu"}, "dev_restart": "never"}


@pytest.mark.parametrize("playbook", sorted(READERS))
def test_what_reads_the_specification_judges_its_values(playbook: str) -> None:
    done = run(playbook, "-i", "box,", "-e", json.dumps(BROKEN))
    assert done.returncode == 2 and "  - dev_restart: 'never' must be one of no, " in said(done), said(done)


@pytest.mark.parametrize("playbook", sorted({*PLAYBOOKS} - READERS))
def test_what_does_not_read_the_specification_computes_nothing_of_it(tmp_path: Path, playbook: str) -> None:
    """A repair waits neither for the password of a vault nor for a rule that does not concern it."""
    place = inventory(tmp_path, **BROKEN, dev_tmux="{{ nowhere }}")
    locked = "\ndev_jupyter_token: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3061\n"
    with (tmp_path / "group_vars" / "all.yml").open("a", encoding="utf-8") as file:
        file.write(locked)
    given = ["-e", "docker_engine_sorce=x"]  # ends each of them behind the check
    done = run(playbook, "-i", place, *given)
    assert "  - docker_engine_sorce: " in said(done) and "1 input is not right for box" in said(done), said(done)


def test_a_missing_public_key_is_one_sentence(tmp_path: Path) -> None:
    done = run("site", "-i", "inventories/sample", HOME=str(tmp_path))
    assert done.returncode == 2, said(done)
    place = "[inventories/sample/group_vars/all.yml:3]"
    want = f"dev_ssh_authorized_keys: the public key {tmp_path}/.ssh/id_ed25519.pub cannot be read on the machine that"
    line = next(line for line in said(done).splitlines() if line.startswith("  - "))
    assert want in line and "ssh-keygen" in line and line.endswith(place), line
    assert "lookup" not in said(done)


def test_readiness_needs_no_public_key(tmp_path: Path) -> None:
    done = run("readiness", "-i", "inventories/sample", "-e", f"gpuready_report_dir={tmp_path}", HOME=str(tmp_path))
    assert done.returncode == 0 and "failed=0" in done.stdout, said(done)
    warning = next(line for line in said(done).splitlines() if line.startswith("[WARNING]: dev_ssh_authorized_keys: "))
    assert "id_ed25519.pub cannot be read" in warning and "it is left out" in warning
