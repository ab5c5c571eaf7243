# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validator on a small collection of its own, with Ansible's real loader and templar."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.gpuready.bootstrap.plugins.action import validate_inputs
from ansible_collections.gpuready.bootstrap.plugins.action.validate_inputs import wrong_value
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_names import nearest, unknown_names
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_values import is_secret
from hypothesis import given
from hypothesis import strategies as st

ENGINE_SPEC = """
argument_specs:
  main:
    short_description: Engine
    options:
      engine_state: {type: str, choices: [present, absent], default: present}
      engine_port: {type: int, default: 22}
      engine_url: {type: str}
      engine_token: {type: str, choices: [long-one]}
      engine_mounts:
        type: list
        elements: dict
        options:
          path: {type: path, required: true}
"""
ENGINE_DEFAULTS = """
engine_state: present
engine_port: "{{ gpuready_port | default(22) }}"
engine_url: "{{ __engine_base }}/{{ ansible_facts['gpu_host'].os.id }}"
engine_mounts: []
"""
EXTRA_SPEC = """
argument_specs:
  main:
    short_description: Extra
    options:
      engine_extra_owner: {type: str, required: true}
"""


@pytest.fixture
def collection(tmp_path):
    for role, spec, defaults in (("engine", ENGINE_SPEC, ENGINE_DEFAULTS), ("engine_extra", EXTRA_SPEC, "")):
        for name, text in (("meta/argument_specs.yml", spec), ("defaults/main.yml", defaults)):
            path = tmp_path / "roles" / role / name
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def validate(collection):
    def run(variables, roles=("engine",), **options):
        loader = DataLoader()
        task = SimpleNamespace(
            args={"roles": list(roles), **options}, async_val=0, check_mode=False, diff=False, action="validate_inputs"
        )
        action = validate_inputs.ActionModule(
            task=task,
            connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir="")),  # can do nothing: none is needed
            play_context=None,
            loader=loader,
            templar=Templar(loader=loader, variables=variables),
            shared_loader_obj=None,
        )
        action.root = collection
        return action.run(task_vars={"inventory_hostname": "box", **variables})

    return run


def texts(result):
    return {error["variable"]: error["text"] for error in result["errors"]}


def test_right_inputs_pass(validate):
    result = validate({"engine_state": "absent", "engine_port": "2222", "engine_mounts": [{"path": "/data"}]})
    assert not result.get("failed")
    assert result["changed"] is False
    assert result["checked_roles"] == ["engine"]
    assert result["count"] == 3


def test_a_rented_machine_is_refused_where_the_playbook_is_for_others(validate):
    wrong = {"engine_state": "presnt"}
    with pytest.raises(AnsibleActionFail, match=r"^box is a rented machine, .* run playbooks/dev_inplace.yml"):
        validate({"gpuready_platform": "rented", **wrong}, rented="refused")
    for platform in ({}, {"gpuready_platform": "machine"}):
        assert not validate(platform, rented="refused").get("failed")
    # anywhere else its inputs are judged like those of others
    assert texts(validate({"gpuready_platform": "rented", **wrong}))["engine_state"].startswith("'presnt'")


def test_all_problems_of_all_roles_come_in_one_message(validate):
    result = validate(
        {"engine_state": "presnt", "engine_port": "many", "engine_sate": "present", "gpuready_prt": 1},
        roles=["gpuready.bootstrap.engine", "engine_extra"],
    )
    assert result["failed"] is True
    assert set(texts(result)) == {"engine_state", "engine_port", "engine_sate", "gpuready_prt", "engine_extra_owner"}
    assert result["msg"].startswith("5 inputs are not right for box")
    for variable, text in texts(result).items():
        assert f"{variable}: {text}" in result["msg"]


def test_a_wrong_choice_names_value_role_choices_and_the_nearest(validate):
    text = texts(validate({"engine_state": "presnt"}))["engine_state"]
    assert text == "'presnt' must be one of present, absent; did you mean present? (role engine)"


@pytest.mark.parametrize("value", [["/a"], {"a": 1}])
def test_a_container_is_no_path(value):
    what = "a list" if isinstance(value, list) else "a mapping"
    assert wrong_value("engine_dir", {"type": "path"}, value) == f"{what} must be of type path"


@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_a_container_is_no_text(validate, value):
    assert "must be of type str" in texts(validate({"engine_url": value}))["engine_url"]


@pytest.mark.parametrize(("value", "said"), [(True, "True"), ("many", "'many'"), ([1], "a list")])
def test_what_is_no_number_is_refused(validate, value, said):
    assert texts(validate({"engine_port": value}))["engine_port"] == f"{said} must be of type int (role engine)"


def test_a_wrong_key_inside_a_list_is_named(validate):
    text = texts(validate({"engine_mounts": [{"pth": "/data"}]}))["engine_mounts"]
    assert "engine_mounts.pth" in text
    assert "path" in text


def test_a_shared_input_is_blamed_under_its_own_name(validate):
    result = validate({"gpuready_port": "many"})
    assert texts(result) == {"gpuready_port": "'many' must be of type int (role engine takes engine_port from it)"}


def test_a_missing_required_input_says_where_to_set_it(validate):
    assert "group_vars" in texts(validate({}, roles=["engine_extra"]))["engine_extra_owner"]


@pytest.mark.parametrize("expression", ["{{ ansible_facts['gpu_host'].os.id }}", "{{ ansible_facts.gpu_host.os.id }}"])
def test_a_value_that_needs_facts_is_left_to_the_role(validate, expression):
    result = validate({"ansible_facts": {}, "engine_state": trust_as_template(expression)})
    assert not result.get("failed")


def test_a_value_with_a_misspelt_variable_in_it_is_refused(validate):
    text = texts(validate({"engine_url": trust_as_template("{{ bse }}/x")}))["engine_url"]
    assert "'bse' is undefined" in text


def test_templates_are_judged_by_their_result(validate):
    result = validate({"wish": "gone", "engine_state": trust_as_template("{{ wish }}")})
    assert texts(result)["engine_state"].startswith("'gone' must be one of present, absent")


def test_the_origin_is_the_file_and_line(validate, tmp_path):
    path = tmp_path / "all.yml"
    path.write_text("---\nengine_state: presnt\nengine_sate: true\n", encoding="utf-8")
    variables = DataLoader().load_from_file(str(path))
    origins = {error["variable"]: error["origin"] for error in validate(variables)["errors"]}
    assert origins == {"engine_state": f"{path}:2", "engine_sate": f"{path}:3"}


def test_the_longest_role_name_owns_a_name(validate):
    error = validate({"engine_extra_onwer": "me"})["errors"][0]
    assert error["role"] == "engine_extra"
    assert error["text"].endswith("did you mean engine_extra_owner?")


def test_inputs_of_roles_that_are_not_judged_are_known_too(validate):
    assert not validate({"engine_extra_owner": "me"}).get("failed")


def test_known_names_are_let_through(validate):
    variables = {"engine_note": 1, "gpuready_note": 1, "enginelike": 1, "__engine_x": 1}
    assert not validate(variables, known=["engine_note", "gpuready_note"]).get("failed")


def test_inputs_of_playbooks_are_held_against_what_playbooks_read(validate, collection):
    (collection / "playbooks" / "tasks").mkdir(parents=True)
    (collection / "playbooks" / "lift.yml").write_text("- {tasks: tasks/do.yml}  # -e lift_weight=1", encoding="utf-8")
    (collection / "playbooks" / "engine.yml").write_text("- {}  # as the role", encoding="utf-8")
    (collection / "playbooks" / "tasks" / "do.yml").write_text("- {when: lift_height and __lift_x}", encoding="utf-8")
    assert not validate({"lift_weight": 1, "lift_height": 1, "lifted": 1, "engine_port": 1}, roles=[]).get("failed")
    # names of the user's own that only begin like them
    assert not validate({"lift_x": 1, "lift_b_site": 1, "lift_weight_of_box": 1, "lift_": 1}, roles=[]).get("failed")
    result = validate({"lift_wieght": 1, "engine_prot": 1}, roles=[])
    assert texts(result) == {
        "lift_wieght": "no playbook reads an input of this name; did you mean lift_weight?",
        "engine_prot": "role engine has no input of this name; did you mean engine_port?",
    }


def test_what_a_role_registers_is_no_misspelt_input(validate, collection):
    (collection / "roles" / "engine" / "tasks").mkdir()
    tasks = "- name: A\n  a.b.c:\n  register: engine_result\n"
    (collection / "roles" / "engine" / "tasks" / "main.yml").write_text(tasks, encoding="utf-8")
    assert not validate({"engine_result": {}}).get("failed")
    assert validate({"engine_rsult": {}}).get("failed")


@pytest.fixture
def started(monkeypatch, collection):
    """Has ansible-playbook started playbooks of the collection, or others."""

    (collection / "playbooks").mkdir()
    for name, tags in (("site", "[engine]"), ("rollback", "[other]"), ("heal", "[mend]")):
        block = f"block: [{{tags: {tags}, apply: {{tags: inner}}}}]"
        text = f"- pre_tasks: [{{tags: always}}]\n  tasks: [{{{block}}}]\n"
        (collection / "playbooks" / f"{name}.yml").write_text(text, encoding="utf-8")

    def start(*playbooks):
        names = [str(collection / name) if "/" not in name and name.endswith(".yml") else name for name in playbooks]
        monkeypatch.setattr(context, "CLIARGS", {"args": names})

    return start


def test_tags_are_those_of_the_tasks(validate, started):
    started("site.yml")
    for tags in (["all"], ["engine", "always"], ["tagged"], ["never"]):
        assert not validate({"ansible_run_tags": tags, "ansible_skip_tags": ()}, tagged=True).get("failed")
    with pytest.raises(AnsibleActionFail, match=r"has the tag 'engin'; did you mean engine\?; its tags are engine\."):
        validate({"ansible_run_tags": ["engin"], "ansible_skip_tags": ()}, tagged=True)
    with pytest.raises(AnsibleActionFail, match=r"has the tag 'x' or 'engine_extra'; its tags are engine\. Nothing"):
        validate({"ansible_run_tags": ["x", "engine_extra"]}, tagged=True)
    assert not validate({"ansible_run_tags": ["engin"]}).get("failed")


@pytest.fixture
def warned(monkeypatch):
    texts = []
    monkeypatch.setattr(validate_inputs.display, "warning", texts.append)
    return texts


def test_a_tag_to_skip_that_others_have_is_told_and_stops_nothing(validate, started, warned):
    """It may stand in ansible.cfg for all playbooks of somebody."""
    started("site.yml")
    assert not validate({"ansible_run_tags": ["all"], "ansible_skip_tags": ["slow", "engine"]}, tagged=True).get(
        "failed"
    )
    (text,) = warned
    assert "has the tag 'slow'; its tags are engine. Nothing is skipped for it." in text


def test_a_role_that_always_runs_cannot_be_skipped(validate, started, warned):
    started("site.yml")
    roles = ["engine", "engine_extra"]
    variables = {
        "engine_extra_owner": "me",
        "ansible_run_tags": ["engine_extra"],
        "ansible_skip_tags": ["engine_extra"],
    }
    assert not validate(variables, roles=roles, tagged=True).get("failed")
    (text,) = warned
    assert text.startswith("engine_extra cannot be skipped: in ") and text.endswith("site.yml it always runs.")
    with pytest.raises(AnsibleActionFail, match=r"; its tags are engine; engine_extra always runs\. Nothing"):
        validate({**variables, "ansible_run_tags": ["x"]}, roles=roles, tagged=True)


@pytest.mark.parametrize(
    "playbooks",
    [["/srv/fleet/site.yml"], ["site.yml", "own.yml"], [], ["mylab.yml"], ["heal.yml"], ["gpuready.bootstrap.mylab"]],
)
def test_a_playbook_of_the_user_may_have_tags_of_its_own(validate, started, playbooks):
    started(*playbooks)
    assert not validate({"ansible_run_tags": ["own"]}, tagged=True).get("failed")


def test_a_playbook_that_was_laid_beside_ours_is_not_ours(validate, started, collection):
    started(str(collection / "playbooks" / "mylab.yml"))
    assert not validate({"ansible_run_tags": ["monitoring"]}, tagged=True).get("failed")
    started(str(collection / "playbooks" / "site.yml"))
    with pytest.raises(AnsibleActionFail, match="has the tag 'monitoring'"):
        validate({"ansible_run_tags": ["monitoring"]}, tagged=True)


def test_a_playbook_of_the_collection_by_its_name(validate, started):
    started("gpuready.bootstrap.site")
    with pytest.raises(AnsibleActionFail, match=r"no task of gpuready\.bootstrap\.site has the tag 'own'"):
        validate({"ansible_run_tags": ["own"]}, tagged=True)


def test_a_secret_never_shows(validate):
    result = validate({"engine_token": "hunter2"})
    assert texts(result)["engine_token"].startswith("the value (not shown) must be one of")
    assert "hunter2" not in repr(result)


PROXY = "http://me:hu/sh@sh@proxy.example.org:3128"
HTTP = {
    "http": {"type": "str", "choices": ["a"]},
    "port": {"type": "int"},
    "ports": {"type": "list", "elements": "int"},
}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ({"type": "dict"}, PROXY, "'http://***@proxy.example.org:3128' must be of type dict"),
        ({"type": "dict"}, "me:hush@proxy.example.org:3128", "'***@proxy.example.org:3128' must be of type dict"),
        ({"type": "dict"}, '{"http": "hush"', "a text must be of type dict"),
        ({"type": "str"}, [PROXY], "a list must be of type str"),
        ({"type": "str"}, {"sesame": "hush"}, "a mapping must be of type str"),
        ({"type": "int"}, [PROXY], "a list must be of type int"),
        ({"type": "list", "elements": "int"}, [PROXY], "a list must be of type list of int"),
        ({"type": "str", "choices": ["a"]}, PROXY, "'http://***@proxy.example.org:3128' must be one of a"),
        ({"type": "list", "elements": "str", "choices": ["a"]}, [PROXY], "for: http://***@proxy.example.org:3128"),
        # what ansible-core says of parts
        ({"type": "dict", "options": HTTP}, {"http": PROXY}, "got: http://***@proxy.example.org:3128 found in n"),
        ({"type": "dict", "options": HTTP}, {"port": PROXY}, "'http://***@proxy.example.org:3128'"),
        ({"type": "dict", "options": HTTP}, {"port": {"sesame": "hush"}}, '"a mapping" cannot be converted to an int'),
        ({"type": "dict", "options": HTTP}, {"port": ["hush"]}, '"a list" cannot be converted to an int'),
        ({"type": "dict", "options": HTTP}, {PROXY: 1}, "n.http://***@proxy.example.org:3128"),
        ({"type": "list", "elements": "dict", "options": HTTP}, [{"port": PROXY}], "http://***@proxy.example.org:3128"),
    ],
)
def test_no_password_of_an_address_shows(option, value, said):
    text = wrong_value("n", option, value)
    assert said in text and "sh@" not in text and "hush" not in text


def test_no_password_of_an_address_shows_where_a_lookup_fails(validate):
    text = texts(validate({"engine_url": trust_as_template(f"{{{{ lookup('nowhere_{PROXY}') }}}}")}))["engine_url"]
    assert "lookup" in text and "hu/sh" not in text


@pytest.mark.parametrize("name", ["x_token", "x_password", "x_secrets", "x_passphrase"])
def test_secret_names(name):
    assert is_secret(name, {})


@pytest.mark.parametrize(
    ("name", "option", "expected"),
    [
        ("x_token_file", {}, False),
        ("x_key_url", {}, False),
        ("x", {"no_log": True}, True),
        ("x", {"options": {"password": {}}}, True),
    ],
)
def test_secret_options(name, option, expected):
    assert is_secret(name, option) is expected


def test_a_broken_secret_of_any_type_stays_hidden():
    users = {"type": "list", "elements": "dict", "options": {"password": {"type": "int"}}}
    text = wrong_value("x_users", users, ["pw1"])
    assert text
    assert "pw1" not in text


def test_an_unknown_role_lists_the_known_ones(validate):
    with pytest.raises(AnsibleActionFail, match=r"'enigne' is no role.*mean engine\?.*Known: engine, engine_extra"):
        validate({}, roles=["enigne"])


NAMES = st.from_regex(r"[a-z_]{1,20}", fullmatch=True)


@given(st.lists(NAMES), st.sets(NAMES))
def test_no_input_is_ever_called_unknown(names, inputs):
    reported = {name for name, _role, _why in unknown_names(names, {"engine": inputs}, set(), set())}
    assert not reported & inputs
    assert all(name.startswith(("engine_", "gpuready_")) for name in reported)


@given(st.text(), st.lists(st.text(min_size=1)))
def test_the_nearest_is_one_of_the_known(wrong, known):
    said = nearest(wrong, known)
    assert not said or any(said == f"; did you mean {name}?" for name in known)


# --- the specification of the development environment

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"


@pytest.fixture
def making(collection):
    """Has the role engine_extra read the specification for a target."""

    def write(arguments):
        text = f"""engine_extra_owner: >-\n  {{{{ lookup('gpuready.bootstrap.dev_spec'{arguments}).user.name }}}}\n"""
        (collection / "roles/engine_extra/defaults/main.yml").write_text(text, encoding="utf-8")

    return write


def test_the_specification_is_judged_with_the_inputs(validate):
    result = validate({"dev_pyton": {}, "dev_restart": "never", "engine_port": "many"}, dev_spec=True)
    assert texts(result) == {
        "dev_pyton": "there is no such variable; did you mean dev_python?",
        "dev_restart": "'never' must be one of no, always, on-failure, unless-stopped",
        "engine_port": "'many' must be of type int (role engine)",
    }


def test_a_right_specification_passes_and_counts(validate):
    result = validate({"dev_tmux": False, "dev_container_x": 1, "dev_inplace_x": 1}, dev_spec=True)
    assert not result.get("failed")
    assert result["count"] == validate({})["count"] + 1


def test_what_a_container_needs_is_asked_for_where_a_role_makes_one(validate, making):
    assert not validate({"dev_tmux": True}, roles=["engine"]).get("failed")
    making("")
    assert "dev_ssh.authorized_keys" in texts(validate({}, roles=["engine_extra"]))
    assert not validate({"dev_ssh": {"authorized_keys": [KEY]}}, roles=["engine_extra"]).get("failed")
    assert not validate({}, roles=["engine"]).get("failed")
    for arguments in (", target='inplace'", ", plan=plan | default({}),\n  target='inplace'"):
        making(arguments)
        assert not validate({"plan": {}}, roles=["engine_extra"]).get("failed")


def test_the_target_may_follow_from_an_input(validate, making):
    making(", plan=plan | default({}), target='container' if engine_extra_state == 'present' else 'files'")
    assert validate({"engine_extra_state": "present"}, roles=["engine_extra"], known=["engine_extra_state"])["failed"]
    for state in ({"engine_extra_state": "absent"}, {}):
        assert not validate(state, roles=["engine_extra"], known=["engine_extra_state"]).get("failed")


def test_rules_wait_for_what_needs_facts(validate, making):
    making("")
    keys = trust_as_template("{{ [ansible_facts['gpu_host'].key] }}")
    assert not validate({"ansible_facts": {}, "dev_ssh": {"authorized_keys": keys}}, roles=["engine_extra"]).get(
        "failed"
    )


def test_a_misspelt_variable_in_the_specification_is_refused(validate):
    text = texts(validate({"dev_tmux": trust_as_template("{{ hve_it }}")}, dev_spec=True))["dev_tmux"]
    assert text.startswith("its value cannot be computed: 'hve_it' is undefined")


NO_KEY = "{{ lookup('file', '/nowhere/id.pub') }}"


def test_a_file_that_cannot_be_read_is_one_sentence(validate, making):
    result = validate({"engine_url": trust_as_template("{{ lookup('file', '/nowhere/url') }}")})
    assert texts(result)["engine_url"] == (
        "the file /nowhere/url cannot be read on the machine that runs Ansible; make it, or name another file"
    )
    making("")
    result = validate({"dev_ssh": {"authorized_keys": [trust_as_template(NO_KEY)]}}, roles=["engine_extra"])
    assert texts(result)["dev_ssh"] == (
        "the public key /nowhere/id.pub cannot be read on the machine that runs Ansible; make it with ssh-keygen -t "
        "ed25519, or name another file"
    )


def test_a_file_that_no_role_of_the_run_reads_may_be_missing(validate):
    variables = {"dev_ssh": {"authorized_keys": [trust_as_template(NO_KEY)]}}
    assert not validate(variables, roles=["engine"], dev_spec=True).get("failed")


@pytest.mark.parametrize("roles", [[], ["engine"]])
def test_where_nothing_reads_the_specification_its_names_are_judged_and_nothing_is_computed(validate, roles):
    closed = trust_as_template("{{ nobody_knows }}")
    variables = {
        "dev_torch": {"backend": "cpu"},
        "dev_restart": "never",
        "dev_jupyter_token": closed,
        "dev_ssh": closed,
    }
    assert not validate(variables, roles=roles).get("failed")
    result = validate({**variables, "dev_pyton": closed, "dev_ssh_publsh": closed}, roles=roles)
    assert set(texts(result)) == {"dev_pyton", "dev_ssh_publsh"}
    assert texts(result)["dev_pyton"].endswith("did you mean dev_python?")


def test_localhost_beside_the_inventory_lacks_what_values_are_computed_from(validate, making):
    variables = {"dev_tmux": trust_as_template("{{ inventory_dir }}")}
    assert validate({**variables, "groups": {"all": ["box"]}}, dev_spec=True)["failed"]
    assert not validate({**variables, "groups": {"all": ["gpu01"]}}, dev_spec=True).get("failed")
    making("")
    assert validate({**variables, "groups": {"all": ["gpu01"]}}, roles=["engine_extra"])["failed"]


def test_what_the_specification_has_against_it_is_said_once(validate, making):
    making(", target='files'")
    reads = trust_as_template("{{ lookup('gpuready.bootstrap.dev_spec').user.name }}")
    result = validate({"engine_url": reads, "dev_tmx": True}, roles=["engine", "engine_extra"])
    assert set(texts(result)) == {"dev_tmx"}


def test_a_secret_of_the_specification_never_shows(validate):
    secrets = {"dev_jupyter": {"token": "hunter2"}, "dev_code_server": {"hashed_password": ["hunter2"]}}
    result = validate(secrets, dev_spec=True)
    assert result["failed"]
    assert "hunter2" not in repr(result)


@pytest.mark.parametrize("value", ["me:hush@proxy:3128", PROXY, ["hush"]])
def test_no_password_of_an_address_of_the_specification_shows(validate, value):
    result = validate({"dev_proxy": value, "dev_restart": value}, dev_spec=True)
    assert set(texts(result)) == {"dev_proxy", "dev_restart"}
    assert "hu" not in repr(result["errors"])


def test_the_origin_of_a_part_of_the_specification(validate, tmp_path):
    path = tmp_path / "all.yml"
    path.write_text("---\ndev_python:\n  manager: pip\ndev_tmx: true\n", encoding="utf-8")
    result = validate(DataLoader().load_from_file(str(path)), dev_spec=True)
    origins = {error["variable"]: error["origin"] for error in result["errors"]}
    assert origins == {"dev_python.manager": f"{path}:3", "dev_tmx": f"{path}:4"}


@pytest.mark.parametrize("name", validate_inputs.THIRD_PARTY)
def test_registry_mirrors_of_others_need_a_digest(validate, making, name):
    making("")
    variables = {"dev_ssh": {"authorized_keys": [KEY]}, name: trust_as_template("{{ 1 == 1 }}")}
    assert set(texts(validate(variables, roles=["engine_extra"], known=[name]))) == {"dev_base.digest"}
    assert not validate({**variables, name: False}, roles=["engine_extra"], known=[name]).get("failed")


def test_own_variables_with_the_prefix_are_let_through_when_named(validate):
    assert not validate({"dev_team": "a"}, known=["dev_team"]).get("failed")
    assert validate({"dev_team": "a"})["failed"]


def test_what_keywords_of_plays_read_has_no_effect_in_an_inventory(validate):
    result = validate({"gpuready_serial": 2, "gpuready_max_fail_percentage": "most"})
    assert result["failed"]
    assert "gpuready_serial: it has no effect in the inventory" in result["msg"]
    assert "gpuready_max_fail_percentage: 'most' must be a number from 0 to 100" in result["msg"]


@pytest.fixture
def real(validate, collection):
    """The role readiness of this collection beside those of the small one."""
    (collection / "roles" / "readiness").symlink_to(validate_inputs.ActionModule.root / "roles" / "readiness")
    return lambda **variables: validate(variables, roles=["engine", "readiness"])


def test_a_smoke_test_without_an_image_is_refused_before_anything_else(real):
    """The role says so, too, but at the end of the road."""
    (error,) = real(readiness_active_checks=["torch", "smoke"])["errors"]
    assert error["variable"] == "readiness_smoke_image" and "readiness_active_checks" in error["text"]
    image = {"readiness_smoke_image": "nvidia/cuda:13.0.3-base-ubuntu24.04"}
    assert not real(readiness_active_checks=["torch", "smoke"], **image).get("failed")
    assert not real(readiness_active_checks=["torch"]).get("failed")
    # the way back judges nothing
    assert not real(readiness_active_checks=["smoke"], readiness_state="absent").get("failed")
    # one value with another mistake has one message
    assert len(real(readiness_active_checks=5)["errors"]) == 1
    # what needs facts is asked later
    assert not real(readiness_active_checks=trust_as_template("{{ ansible_facts['gpu_host'].x }}")).get("failed")
