# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the inputs of all roles at once, on the controller, before a connection to the host is opened.

Ansible itself validates a role's inputs when the role starts, thus half way through a run, one role at a time, and it
takes no notice of a misspelt name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import ArgumentTypeError, ElementError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import fleet, role_inputs
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import spec as dev_spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import names as dev_names
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import values_along
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_names import (
    Tags,
    nearest,
    tags_of,
    unknown_names,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.input_values import (
    NOT_SHOWN,
    is_secret,
    shown,
    without_values,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import shown as address_shown
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import (
    PLATFORM,
    PROVIDER,
    SHARED_PREFIX,
    Role,
    unreadable_file,
)

try:  # Where a value was written down; no public interface to it yet
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

COLLECTION = "gpuready.bootstrap"
# how defaults of roles, and errors, name the specification of the development environment; the target that it is for
DEV_LOOKUP = "gpuready.bootstrap.dev_spec'"
DEV_TARGET = re.compile(r"\btarget=(.+?)(?=,\s*\w+=|\)[^()]*\}\}|\)\s*$)", re.DOTALL)
# whether the engine takes images from registry mirrors of others
THIRD_PARTY = ("mirrors_third_party_registries", "gpuready_mirror_third_party_registries")
TEXTS = ("str", "path")
# our playbooks with `tagged`, by file name
TAGGED = ("dev_inplace", "rollback", "site")
# in the error of a template that cannot be computed yet
NEEDS_FACTS = re.compile(r"gpu_host|'ansible_")

display = Display()


class Problem(NamedTuple):
    variable: str
    role: str  # "" for a name that belongs to no single role
    text: str
    origin: str

    def __str__(self) -> str:
        where = f" [{self.origin}]" if self.origin else ""
        return f"{self.variable}: {self.text}{where}"


def origin_of(*tagged: object) -> str:
    """File and line of the first of these that knows its own; Ansible tags texts and numbers, not booleans."""
    for value in tagged:
        origin = Origin.get_tag(value) if Origin else None
        if origin:
            path = str(origin).rsplit(":", 1)[0] if origin.col_num else str(origin)
            here = f"{Path.cwd()}/"
            return path[len(here) :] if path.startswith(here) else path
    return ""


def plain(value: Any) -> Any:
    """Ordinary containers: Ansible's own template their items only when these are looked at."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def readable(value: Any, template: Callable[[Any], Any]) -> Any:
    """A value without the parts whose files cannot be read; None where nothing of it is left. As `plain` otherwise."""
    if isinstance(value, Mapping):
        parts = {key: readable(item, template) for key, item in value.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(value, (list, tuple)):
        return [part for part in (readable(item, template) for item in value) if part is not None]
    try:
        return plain(template(value))
    except AnsibleError as error:
        if unreadable_file(str(error)):
            return None
        raise


def uncomputed(error: AnsibleError) -> str:
    """Why a value cannot be computed, in words."""
    return unreadable_file(str(error)) or f"its value cannot be computed: {address_shown(str(error))}"


def third_party(templar: Any, variables: Mapping[str, Any]) -> bool:
    """Whether registry mirrors of others are allowed on the host; not, where that cannot be told yet."""
    name = next((one for one in THIRD_PARTY if one in variables), None)
    try:
        return name is not None and str(templar.template(variables[name])).lower() in ("true", "yes", "on", "1")
    except AnsibleError:
        return False


def wrong_value(name: str, option: Mapping[str, Any], value: Any) -> str:
    """What is wrong with a value, in words; empty when nothing is."""
    wanted = option.get("type", "str")
    said = NOT_SHOWN if is_secret(name, option) else shown(value)
    if (wanted in TEXTS and isinstance(value, (dict, list))) or (wanted == "int" and isinstance(value, bool)):
        return f"{said} must be of type {wanted}"  # ansible-core would convert it without a word
    errors = ArgumentSpecValidator({name: dict(option)}).validate({name: value}).errors.errors
    if not errors:
        return ""
    choices = option.get("choices")
    if choices and wanted != "list":
        return f"{said} must be one of {', '.join(map(str, choices))}{nearest(value, map(str, choices))}"
    if is_secret(name, option):
        return f"{said} does not fit the role's argument specification (type {wanted})"
    if not isinstance(errors[0], (ArgumentTypeError, ElementError)) or option.get("options"):
        # something inside the value, which ansible-core names
        return "; ".join(without_values(error.msg, value) for error in errors)
    elements = f" of {option['elements']}" if "elements" in option else ""
    return f"{said} must be of type {wanted}{elements}"


class ActionModule(ActionBase):
    """Runs on the controller only, so it works for a host that cannot be reached yet."""

    TRANSFERS_FILES = False
    _requires_connection = False

    root = Path(__file__).resolve().parents[2]  # of the collection; tests point it elsewhere

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _ignored, arguments = self.validate_argument_spec(
            argument_spec={
                "roles": {"type": "list", "elements": "str", "required": True},
                "known": {"type": "list", "elements": "str", "default": []},
                "rented": {"type": "str", "choices": ["allowed", "refused"], "default": "allowed"},
                "tagged": {"type": "bool", "default": False},
                "dev_spec": {"type": "bool", "default": False},
            }
        )
        if arguments["rented"] == "refused":
            self._refuse_rented(variables)
        roles = role_inputs.roles(self.root, self._loader)
        wanted = self._role_names(arguments["roles"], list(roles))
        if arguments["tagged"]:
            self._judge_tags(wanted, variables)

        problems: list[Problem] = []
        count = 0
        for name in wanted:
            found, judged = self._judge(roles[name], variables)
            problems += found
            count += judged
        problems += self._misspelt(roles, variables, set(arguments["known"]))
        readers = [role for role in map(roles.__getitem__, wanted) if self._reads_dev_spec(role)]
        mine = [name for name in dev_names(variables) if name not in arguments["known"]]
        if readers or arguments["dev_spec"]:
            found, judged = self._judge_dev_spec(readers, mine, variables)
            problems += found
            count += judged
        else:  # nothing of it is computed: a vault may be closed, and a repair must not wait for what it does not read
            problems += self._dev_problems(dev_spec.mistakes(dict.fromkeys(mine)), variables)
        problems += self._judge_fleet(variables)
        if "readiness" in wanted:
            problems += self._judge_active_checks(roles["readiness"], variables)

        result.update(changed=False, checked_roles=wanted, count=count)
        if problems:
            result.update(
                failed=True, errors=[one._asdict() for one in problems], msg=self._message(problems, variables)
            )
        return result

    def _refuse_rented(self, variables: Mapping[str, Any]) -> None:
        """Where the inventory says that a host is a rented machine (the inventory plugin ssh_commands does)."""
        if str(self._templar.template(variables.get(PLATFORM, ""))) == "rented":
            host = variables.get("inventory_hostname", "this host")
            raise AnsibleActionFail(
                f"{host} is a rented machine, whose driver and Docker belong to its owner; run "
                "playbooks/dev_inplace.yml (gpuready.bootstrap.dev_inplace) on it instead. Nothing was changed."
            )

    def _judge_tags(self, roles: list[str], variables: Mapping[str, Any]) -> None:
        """What is wrong with --tags and --skip-tags. Playbooks around ours, or beside it, may have their own."""
        playbooks = [str(one) for one in context.CLIARGS.get("args") or ()]
        file = self._ours(playbooks[0]) if len(playbooks) == 1 else None
        if not file:
            return
        have = tags_of(self._loader.load_from_file(str(file)))
        tags = Tags(playbooks[0], have, set(roles) - have)
        if wrong := tags.refusal(variables.get("ansible_run_tags", ())):
            raise AnsibleActionFail(f"{wrong}. Nothing was changed.")
        for text in tags.warnings(variables.get("ansible_skip_tags", ())):
            display.warning(text)

    def _ours(self, playbook: str) -> Path | None:
        """The file with the tasks of a playbook of ours; none for one that users have laid beside ours."""
        if playbook.startswith(f"{COLLECTION}."):
            name = playbook.removeprefix(f"{COLLECTION}.")
        else:
            path = Path(playbook).resolve()
            name = path.stem if path.parent in (self.root, self.root / "playbooks") else ""
        return self.root / "playbooks" / f"{name}.yml" if name in TAGGED else None

    @staticmethod
    def _role_names(asked: list[str], have: list[str]) -> list[str]:
        names = [name.removeprefix(f"{COLLECTION}.") for name in asked]
        for name in names:
            if name not in have:
                raise AnsibleActionFail(
                    f"roles: {name!r} is no role of {COLLECTION} with meta/argument_specs.yml{nearest(name, have)} "
                    f"Known: {', '.join(have)}."
                )
        return names

    def _judge(self, role: Role, variables: Mapping[str, Any]) -> tuple[list[Problem], int]:
        """The problems of one role's inputs, and how many inputs could be judged already.

        A default that nothing of the inventory reaches is right: tests/contract holds each of them against its option.
        """
        available = {**role.defaults, **variables}
        templar = self._templar.copy_with_new_env(available_variables=available)
        problems: list[Problem] = []
        count = 0
        mine = role_inputs.touched(role, variables)
        for name, option in role.options.items():
            if name not in mine:
                continue
            if available.get(name) is None:
                if option.get("required"):
                    text = f"role {role.name} needs it; set it in host_vars or group_vars of the inventory, or with -e"
                    problems.append(Problem(name, role.name, text, ""))
                continue
            by_user = name in variables and variables[name] != role.defaults.get(name)
            raw = available[name]
            try:
                value = plain(templar.template(raw))
            except AnsibleError as error:
                # A default may need facts or the role's own vars; a user's value may need facts. Both come later.
                # What the specification has against it is said once, of its own variables.
                if by_user and not NEEDS_FACTS.search(str(error)) and DEV_LOOKUP not in str(error):
                    problems.append(Problem(name, role.name, uncomputed(error), origin_of(raw)))
                continue
            count += 1
            text = wrong_value(name, option, value)
            if text:
                problems.append(self._wrong(role, name, text, raw, by_user, variables))
        return problems, count

    @staticmethod
    def _reads_dev_spec(role: Role) -> bool:
        return any(DEV_LOOKUP in str(raw) for raw in role.defaults.values())

    def _judge_dev_spec(
        self, readers: list[Role], mine: list[str], variables: Mapping[str, Any]
    ) -> tuple[list[Problem], int]:
        """The problems of the variables dev_*, and how many could be judged already."""
        templar = self._templar.copy_with_new_env(available_variables=variables)
        problems: list[Problem] = []
        given: dict[str, Any] = {}
        # What no role of this run needs: its file may be elsewhere, and localhost for saved snapshots, which is no host
        # of the inventory, lacks what it is computed from
        host = variables.get("inventory_hostname")
        outside = host not in variables.get("groups", {}).get("all", [host])
        for name in mine:
            try:
                given[name] = plain(templar.template(variables[name]))
            except AnsibleError as error:
                foreign = not readers and (outside or unreadable_file(str(error)))
                if not foreign and not NEEDS_FACTS.search(str(error)):
                    problems.append(Problem(name, "", uncomputed(error), origin_of(variables[name])))
        found = dev_spec.mistakes(given)
        if not found and len(given) == len(mine):
            targets = self._dev_targets(readers, variables, bool(mine))
            rules = [dev_spec.problems(given, target, third_party(templar, variables)) for target in targets]
            found = list(dict.fromkeys(text for texts in rules for text in texts))
        return problems + self._dev_problems(found, variables), len(given)

    @staticmethod
    def _dev_problems(found: list[str], variables: Mapping[str, Any]) -> list[Problem]:
        """Sentences of the specification, with where the values were written down."""
        problems: list[Problem] = []
        keys = {str(key): key for key in variables}
        for text in found:
            path, _colon, words = text.partition(": ")
            origin = origin_of(*values_along(text, variables), keys.get(re.split(r"[.\[ ]", path)[0], ""))
            problems.append(Problem(path, "", words, origin))
        return problems

    def _judge_fleet(self, variables: Mapping[str, Any]) -> list[Problem]:
        """The problems of what the keywords of plays read, which no inventory can set."""
        values: dict[str, Any] = {}
        for name in fleet.PLAY_VARIABLES:
            if name in variables:
                try:
                    values[name] = plain(self._templar.template(variables[name]))
                except AnsibleError:
                    values[name] = variables[name]
        if not values:
            return []
        play = self._task.get_play() if hasattr(self._task, "get_play") else None
        effective = {**(play.get_vars() if play else {}), **load_extra_vars(self._loader)}
        keys = {str(key): key for key in variables}
        return [
            Problem(name, "", text, origin_of(variables[name], keys[name]))
            for name, text in fleet.problems(values, effective)
        ]

    def _judge_active_checks(self, role: Role, variables: Mapping[str, Any]) -> list[Problem]:
        """What the role would refuse when all has been changed, at the end of the road."""
        asked, name = "readiness_active_checks", "readiness_smoke_image"
        if asked not in variables:
            return []
        available = {**role.defaults, **variables}
        templar = self._templar.copy_with_new_env(available_variables=available)
        try:
            state, active, image = (plain(templar.template(available[one])) for one in ("readiness_state", asked, name))
        except AnsibleError:
            return []  # they need facts
        text = role_inputs.without_image(active, image) if state == "present" else ""
        return [Problem(name, role.name, f"{text} (role {role.name})", origin_of(variables[asked]))] if text else []

    def _dev_targets(self, readers: list[Role], variables: Mapping[str, Any], any_given: bool) -> list[str]:
        """What the roles that read the specification make of it; without such a role what holds for each of them."""
        targets: set[str] = set()
        for role in readers:
            available = {**role.defaults, **variables}
            templar = self._templar.copy_with_new_env(available_variables=available)
            for raw in role.defaults.values():
                _before, lookup, arguments = str(raw).partition(DEV_LOOKUP)
                if lookup:
                    target = DEV_TARGET.search(arguments)
                    targets.add(self._dev_target(templar, target[1]) if target else "container")
        return sorted(targets) or (["files"] if any_given else [])

    @staticmethod
    def _dev_target(templar: Any, expression: str) -> str:
        try:
            target = str(templar.template(trust_as_template(f"{{{{ {expression} }}}}")))
        except AnsibleError:
            target = ""  # it needs facts: what holds for each target is judged now
        return target if target in dev_spec.TARGETS else "files"

    @staticmethod
    def _wrong(role: Role, name: str, text: str, raw: Any, by_user: bool, variables: Mapping[str, Any]) -> Problem:
        """Names the variable that the user really set: the input, or the shared one that its default takes over."""
        shared = [one for one in re.findall(rf"\b{SHARED_PREFIX}\w+", str(raw)) if one in variables]
        if by_user or not shared:
            return Problem(name, role.name, f"{text} (role {role.name})", origin_of(raw))
        text = f"{text} (role {role.name} takes {name} from it)"
        return Problem(shared[0], role.name, text, origin_of(variables[shared[0]]))

    def _misspelt(self, roles: Mapping[str, Role], variables: Mapping[str, Any], known: Set[str]) -> list[Problem]:
        shared = role_inputs.shared(self.root)
        known = known | role_inputs.given_out(self.root) | {PLATFORM, PROVIDER}
        options = {name: list(role.options) for name, role in roles.items()}
        keys = {str(key): key for key in variables}
        found = unknown_names(sorted(keys), options, shared, known, role_inputs.of_playbooks(self.root))
        return [Problem(name, role, why, origin_of(variables[name], keys[name])) for name, role, why in found]

    @staticmethod
    def _message(problems: list[Problem], variables: Mapping[str, Any]) -> str:
        count = "1 input is" if len(problems) == 1 else f"{len(problems)} inputs are"
        host = variables.get("inventory_hostname", "this host")
        lines = "\n".join(f"  - {problem}" for problem in problems)
        return f"{count} not right for {host}; mend the inventory (or -e), nothing was done on the host:\n{lines}"
