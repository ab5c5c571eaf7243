# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of the variables dev_* is well formed, and docs/dev-environment.md tells it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import schema, shapes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import mistakes, normalise, problems
from helpers import ROOT, load_yaml

from tools import dev_reference

GUIDE = dev_reference.TARGET.read_text(encoding="utf-8")
OPTIONS: dict[str, Any] = load_yaml(dev_reference.SCHEMA)["options"]
TYPES = ("str", "int", "bool", "list", "dict", "raw")
# the words of argument specifications that the reader knows, and those of the head of the schema
WORDS = {"type", "default", "choices", "elements", "options", "no_log", "required", "description"}
WORDS |= {"values", "sparse", "copies", "shape"}
PACKAGES = ROOT / "plugins" / "plugin_utils" / "data" / "dev_packages.yml"
EXAMPLES: list[dict[str, Any]] = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


def walk(prefix: str, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in options.items():
        yield f"{prefix}{name}", option
        yield from walk(f"{prefix}{name}.", option.get("options") or option.get("values", {}).get("options") or {})


ALL = dict(walk("", OPTIONS))


@pytest.mark.parametrize("path", ALL)
def test_an_option_is_well_formed(path: str) -> None:
    option = ALL[path]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", path.rpartition(".")[2])
    assert set(option) <= WORDS
    assert option["type"] in TYPES
    assert "default" in option
    assert ("elements" in option) == (option["type"] == "list")
    assert option["description"].endswith(".")
    assert len(option["description"].split()) >= 3
    for one in (option, option.get("values", {})):
        assert "shape" not in one or one["shape"] in {*shapes.TEXTS, *shapes.NUMBERS, *shapes.CHECKS}
    if option["type"] == "int":
        assert option.get("shape") in shapes.NUMBERS, "numbers need a range"


@pytest.mark.parametrize("path", [path for path, option in ALL.items() if "choices" in option])
def test_the_default_is_one_of_the_choices(path: str) -> None:
    option = ALL[path]
    chosen = option["default"] if option["type"] == "list" else [option["default"]]
    assert set(chosen) <= set(option["choices"])
    assert all(isinstance(choice, str) for choice in option["choices"]), "YAML reads no as false"


@pytest.mark.parametrize("path", [path for path, option in ALL.items() if not option.get("required")])
def test_the_default_is_right(path: str) -> None:
    option = ALL[path]
    notes = schema.Notes()
    first = schema.read(path, option, option["default"], notes)
    assert schema.read(path, option, first, notes) == first
    assert notes.sentences == []


def test_all_defaults_together_are_right() -> None:
    assert mistakes({}) == []
    assert mistakes(normalise({})) == []
    assert normalise(normalise({})) == normalise({})
    assert [text.partition(":")[0] for text in problems({})] == ["dev_ssh.authorized_keys"]


def test_no_default_is_a_secret_and_no_secret_is_open() -> None:
    secrets = [option for path, option in ALL.items() if re.search(r"(token|password)$", path)]
    assert len(secrets) == 3
    assert all(option["no_log"] and option["default"] == "" for option in secrets)


def test_nothing_is_published_beyond_the_host_by_default() -> None:
    assert {option["default"] for path, option in ALL.items() if path.endswith(".bind")} == {"127.0.0.1"}


@pytest.mark.parametrize("path", ALL)
def test_other_options_are_named_as_they_are(path: str) -> None:
    for name in re.findall(r"O\(dev_([a-z0-9_.]+)(?:=[^)]*)?\)", ALL[path]["description"]):
        assert name in ALL, f"{path} speaks of dev_{name}"


def test_names_do_not_collide_with_those_of_roles() -> None:
    roles = [path.name for path in (ROOT / "roles").iterdir() if path.name.startswith(schema.PREFIX)]
    assert roles
    assert all(f"{role}_" in schema.ROLES for role in roles)
    assert schema.names([f"{schema.PREFIX}{name}" for name in OPTIONS]) == sorted(f"dev_{name}" for name in OPTIONS)


@pytest.mark.skipif(not PACKAGES.exists(), reason="the groups of packages are not there")
def test_the_groups_are_those_of_the_packages() -> None:
    assert ALL["python.groups"]["choices"] == list(load_yaml(PACKAGES)["groups"])


def test_the_table_is_up_to_date() -> None:
    assert dev_reference.document(GUIDE) == GUIDE, "run python3 tools/dev_reference.py"


def test_the_table_has_a_row_for_each_variable_and_its_whole_description() -> None:
    rows = {line.split("`")[1]: line for line in GUIDE.splitlines() if line.startswith("| `dev_")}
    plain = [re.sub(r"\.NAME|\[\]", "", name).removeprefix("dev_") for name in rows]
    assert plain == list(ALL)
    for name, row in zip(plain, rows.values(), strict=True):
        assert len(re.split(r"(?<!\\)\|", row)) == 6
        assert dev_reference.plain(ALL[name]["description"]) in row


def test_a_stale_table_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "docs.md"
    target.write_text(f"# mine\n{dev_reference.BEGIN}\nold\n{dev_reference.END}\nend\n", encoding="utf-8")
    monkeypatch.setattr(dev_reference, "TARGET", target)
    monkeypatch.setattr(dev_reference, "ROOT", tmp_path)
    assert dev_reference.main(["--check"]) == 1
    assert "\nold\n" in target.read_text(encoding="utf-8")
    assert dev_reference.main([]) == 0
    assert dev_reference.main(["--check"]) == 0
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# mine\n")
    assert text.endswith("\nend\n")
    assert "\nold\n" not in text
    assert capsys.readouterr().out == "stale: docs.md\nwritten: docs.md\n"


def test_a_missing_mark_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_reference, "TARGET", tmp_path / "docs.md")
    monkeypatch.setattr(dev_reference, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"docs\.md: the marks of the table are missing"):
        dev_reference.document("# mine\n")


def test_the_examples_of_the_guide_are_right() -> None:
    person, lab, rented = EXAMPLES
    assert problems(person) == []
    assert problems(lab) == []
    assert problems(rented, "inplace") == []
    assert [one["name"] for one in lab["dev_containers"]] == ["alice", "bob"]
