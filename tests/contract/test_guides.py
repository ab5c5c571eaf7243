# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides: both languages in step, and whatever they name exists."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from helpers import ROLES, ROOT, AnsibleYaml, tool

from tools import guides, variables_reference

PAIRS = list(guides.pairs())
ENGLISH = [english for english, _chinese in PAIRS]
GUIDES = [path for pair in PAIRS for path in pair]
# everything in Markdown that people read and that stands under our hands
LINKED = [
    *GUIDES,
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
]
PAGES = {path: guides.parse(path.read_text(encoding="utf-8")) for path in dict.fromkeys(LINKED) if path.is_file()}
IMAGE_LANGUAGE = re.compile(r"(?:\.zh(?=\.svg$)|-(?:en|zh)(?=\.png$))")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


EACH_PAIR = pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[name(english) for english in ENGLISH])


# -- English and Chinese ---------------------------------------------------------------------------


def test_every_guide_is_there_in_both_languages() -> None:
    assert [name(path) for path in GUIDES if not path.is_file()] == []
    assert len(PAIRS) >= 10


@EACH_PAIR
def test_the_chinese_page_was_looked_at_after_the_last_change_of_the_english_one(english: Path, chinese: Path) -> None:
    said = f"look at {name(chinese)}, then run python3 tools/guides.py --stamp {name(chinese)}"
    assert guides.stamped(chinese) == guides.digest(english), said


@EACH_PAIR
def test_both_are_built_of_the_same_parts(english: Path, chinese: Path) -> None:
    """Headings by level, code blocks, rows of tables and items of lists, in the same order."""
    assert PAGES[chinese].parts == PAGES[english].parts


@EACH_PAIR
def test_both_have_the_same_commands(english: Path, chinese: Path) -> None:
    assert guides.commands(PAGES[chinese]) == guides.commands(PAGES[english])
    assert PAGES[chinese].languages == PAGES[english].languages


@EACH_PAIR
def test_both_lead_to_the_same_pages(english: Path, chinese: Path) -> None:
    assert Counter(meant(chinese)) == Counter(meant(english))


@EACH_PAIR
def test_the_chinese_page_is_chinese(english: Path, chinese: Path) -> None:
    """A heading may be an error message; running text may not be left in English."""
    prose = [line for line in PAGES[chinese].prose if len(line) > 40 and not line.startswith(("|", "#", "!["))]
    plain = [re.sub(r"`[^`]*`|\]\([^)]*\)", "", line) for line in prose]
    assert [line for line in plain if len(line) > 40 and not re.search(r"[\u4e00-\u9fff]", line)] == []


def meant(path: Path) -> Iterator[str]:
    """The targets of the links of a page, in the words of the English pages. Anchors of guides differ by language."""
    chinese_of = {english.resolve(): chinese.resolve() for english, chinese in PAIRS}
    english_of = {chinese: english for english, chinese in chinese_of.items()}
    for link in PAGES[path].links:
        target, _mark, place = link.partition("#")
        if re.match(r"[a-z]+:", link):
            yield link
            continue
        there = (path.parent / target).resolve() if target else path.resolve()
        # the link from each README to the other one, and that of the FAQ, leads to the other language
        other = there in chinese_of if path.resolve() in english_of else there in english_of
        if other:
            yield "the other language"
        elif there in chinese_of or there in english_of:
            yield f"{name(english_of.get(there, there))}{'#' if place else ''}"
        else:
            yield f"{IMAGE_LANGUAGE.sub('', name(there))}{f'#{place}' if place else ''}"


# -- links -----------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    counted: Counter[str] = Counter()
    found = set(re.findall(r'<a id="([^"]+)"></a>', text))
    for _level, heading in guides.parse(text).headings:
        anchor = guides.anchor(heading)
        found.add(f"{anchor}-{counted[anchor]}" if counted[anchor] else anchor)
        counted[anchor] += 1
    return found


@pytest.mark.parametrize("path", list(PAGES), ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    wrong = []
    for link in PAGES[path].links:
        target, _mark, place = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (place and place not in anchors(there)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in PAGES if path in GUIDES], ids=name)
def test_pictures_are_there_small_and_have_a_text(path: Path) -> None:
    for text, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        assert text
        assert 0 < (path.parent / target).stat().st_size < 300_000, target


def test_every_page_of_the_docs_is_reached_from_readme() -> None:
    """Page by page, as a reader would go."""
    todo, seen = [ROOT / "README.md"], set[Path]()
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = guides.parse(page.read_text(encoding="utf-8")).links
        todo += [(page.parent / link.partition("#")[0]).resolve() for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [name(path) for path in sorted((ROOT / "docs").rglob("*.md")) if path not in seen] == []


# -- commands, names and values --------------------------------------------------------------------


def texts(path: Path) -> list[str]:
    """What stands in code of a page: blocks, and words between backticks."""
    return [*PAGES[path].blocks, *PAGES[path].spans]


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_playbook_that_is_run_exists(path: Path) -> None:
    runs = [
        run
        for text in texts(path)
        for run in re.findall(r"ansible-playbook ((?:[\w./-]+\.yml|gpuready\.bootstrap\.\w+))", text)
    ]
    files = [re.sub(r"^gpuready\.bootstrap\.(\w+)$", r"playbooks/\1.yml", run) for run in runs]
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_make_target_exists(path: Path) -> None:
    makefiles = (ROOT / "Makefile").read_text() + (ROOT / "tools" / "test.mk").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefiles, re.MULTILINE))
    used = {name for text in texts(path) for name in re.findall(r"(?:^|[\s;])make ([a-z-]+)", text)}
    assert used - targets == set()


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_inventory_exists_or_is_made_on_the_way(path: Path) -> None:
    everything = "\n".join(block for page in ENGLISH for block in PAGES[page].blocks)
    made = set(re.findall(r"^(?:cp -r inventories/\w+|mkdir -p) (inventories/\w+)$", everything, re.MULTILINE))
    used = {found for text in texts(path) for found in re.findall(r"\binventories/\w+", text)}
    assert {found for found in used - made if not (ROOT / found).is_dir()} == set()


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_file_of_ours_exists(path: Path) -> None:
    folders = "|".join(("docs", "examples", "playbooks", "plugins", "roles", "tools", "changelogs"))
    used = {found for text in texts(path) for found in re.findall(rf"(?<![\w/.~])(?:{folders})/[\w./-]*\w", text)}
    assert {found for found in used if not (ROOT / found).exists()} == set()


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_tag_exists(path: Path) -> None:
    tags = set(re.findall(r"tags: \[(\w+)\]", (ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8")))
    used = {tag for text in texts(path) for found in re.findall(r"--tags ([\w,]+)", text) for tag in found.split(",")}
    assert used - tags == set()


@pytest.mark.parametrize("path", list(PAGES), ids=name)
def test_roles_are_run_by_playbooks(path: Path) -> None:
    """`ansible -m include_role` prints the results of all tasks, hundreds of lines of facts among them."""
    assert [text for text in PAGES[path].blocks if re.search(r"-m \S*(?:include|import)_role", text)] == []


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_check_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\b(?:PRE|DRV|CTR|DEV)-[A-Z][A-Z0-9-]*", text)) - set(CHECK_IDS) == set()
    for check, place in re.findall(r"\[`([A-Z0-9-]+)`\]\([^)#]*checks\.md#([a-z0-9-]+)\)", text):
        assert place == check.lower()


# Names that look like variables: playbooks and roles, modules and plugins, and the settings of Ansible itself
PREFIXES = ("gpuready", "plan", "dev", "export_env", "import_env", "upgrade_driver", *ROLES)
NO_VARIABLES = {
    *ROLES,
    *(path.stem for path in (ROOT / "playbooks").glob("*.yml")),
    *(path.stem for path in (ROOT / "plugins").rglob("*.py")),
}


@cache
def known() -> set[str]:
    return variables_reference.known()


@cache
def spec() -> dict[str, Any]:
    options: dict[str, Any] = yaml.safe_load(
        (ROOT / "plugins" / "plugin_utils" / "data" / "dev_spec.yml").read_text(encoding="utf-8")
    )["options"]
    return options


def known_dev(variable: str) -> bool:
    """dev_x, dev_x.y of a mapping with known keys, or dev_x_y, which sets that key alone."""
    options = spec()
    first, *rest = variable.removeprefix("dev_").split(".")
    option = options.get(first)
    if option is None:
        parents = [known for known in options if first.startswith(f"{known}_")]
        return any(first.removeprefix(f"{known}_") in (options[known].get("options") or {}) for known in parents)
    for key in rest:
        inner = option.get("options")
        if inner is None:
            return bool(option["type"] == "dict")
        if key not in inner:
            return False
        option = inner[key]
    return True


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_variable_exists(path: Path) -> None:
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(PREFIXES)})_[a-z0-9_]+(?:\.[a-z_]+)*\b(?![./-]\w)")
    used = {found for text in texts(path) for found in pattern.findall(text)}
    unknown = {
        variable
        for variable in used - NO_VARIABLES
        if variable not in known() and not (variable.startswith("dev_") and known_dev(variable))
    }
    assert unknown == set()


def examples(path: Path) -> Iterator[dict[str, Any]]:
    for block, language in zip(PAGES[path].blocks, PAGES[path].languages, strict=True):
        if language == "yaml":
            yield yaml.load(block, AnsibleYaml)


@pytest.mark.parametrize("path", ENGLISH, ids=name)
def test_every_example_in_yaml_is_one(path: Path) -> None:
    """Variables of inventories with keys that exist, an inventory of hosts, or one of pasted lines."""
    policy = {field.name for field in dataclasses.fields(Policy)}
    for example in examples(path):
        if set(example) in ({"all"}, {"plugin", "lines"}):
            continue
        for variable, value in example.items():
            nested = value if isinstance(value, dict) else {}
            if variable.startswith("dev_"):
                assert all(known_dev(f"{variable}.{key}") for key in nested), (variable, nested)
            elif variable == "gpuready_policy":
                assert set(nested) - policy == set()
            assert variable in known() or known_dev(variable), variable


def test_every_example_is_taken_by_the_road(tmp_path: Path) -> None:
    """One run, a host an example: all inputs are validated before a host is contacted, and there is none to contact."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me@laptop"
    hosts = {
        f"{path.stem}-{number}": {"dev_ssh_authorized_keys": [key], **example}
        for path in ENGLISH
        for number, example in enumerate(examples(path))
        # a lock that is made on the way, and inventories
        if not {"all", "plugin"} & set(example) and "lock" not in example.get("dev_python", {})
    }
    assert len(hosts) >= 10
    nobody = {
        "ansible_host": "127.0.0.1",
        "ansible_port": 9,
        "ansible_user": "nobody",
        "gpuready_report_dir": str(tmp_path),
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": nobody}}), encoding="utf-8")
    argv = [tool("ansible-playbook"), "site.yml", "-i", str(tmp_path / "hosts.yml"), "-e", "ansible_ssh_retries=0"]
    # Other runs from this checkout may go on beside it: no folder is shared with them, and few processes are started
    alone = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_RETRY_FILES_ENABLED": "false", "ANSIBLE_FORKS": "4"}
    plain = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    env = {**os.environ, "GPUREADY_PROGRESS": "off", **plain, **alone}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    recap = done.stdout.partition("PLAY RECAP")[2]
    wrong = {host for host in hosts if not re.search(rf"^{host} +:.* unreachable=1 +failed=0 ", recap, re.MULTILINE)}
    assert wrong == set(), done.stdout + done.stderr


def test_the_output_of_a_run_is_the_same_wherever_it_is_shown() -> None:
    shown = [
        block
        for path in GUIDES
        for block in PAGES[path].blocks
        if "✓ preflight" in block and "gpuready-sandbox" in block
    ]
    assert len(shown) == 4
    assert len(set(shown)) == 1


# -- troubleshooting -------------------------------------------------------------------------------

TROUBLE = ROOT / "docs" / "guides" / "troubleshooting.md"
# What the five documents that our users follow today warn of, or run into: a part of the entry, and where it stands.
# cnb: the guide to Tencent's CNB; docker: machine learning by Docker (2023); training: the chapter on environments of a
# course on training language models; renting: GPUs for rent and how to use them; serving: a container for large models
FAULTS = {
    "Failed to initialize NVML: Unknown Error": "docker",
    'could not select device driver "" with capabilities: [[gpu]]': "docker, serving",
    "does not have a Release file": "docker: a release that the toolkit's lists do not name",
    "Torch not compiled with CUDA enabled": "docker: conda installs the CPU build",
    "PackagesNotFoundError": "docker: mirrors of conda lag behind",
    "huggingface.co": "docker, cnb: Hugging Face cannot be reached; hf_transfer knows no proxy and no resuming",
    "`ProxyError`": "docker: proxychains has no effect on git-lfs",
    "torch.cuda.is_available()": "training",
    "nvidia-smi: command not found": "training",
    "no space left on device": "training: 35 GB, and what to do where the disk is small",
    "WARNING: UNPROTECTED PRIVATE KEY FILE!": "renting: id_rsa too open, bad permissions",
    "Permission denied (publickey)": "renting: the public key goes into authorized_keys",
    "VS Code hangs": "renting: installing the extension takes for ever",
    "`Invalid credentials` in JupyterLab": "renting, serving: the token of Jupyter",
    "client_loop: send disconnect": "serving: sessions that break off; docker: tmux",
    "Connection refused": "serving: sshd in the container is started by hand",
    "manifest unknown": "serving, docker: tags of nvidia/cuda that are deleted",
    "CNB starts two containers": "cnb: double container, and images that do not start",
    "Work in a CNB workspace is gone": "cnb: what is not pushed is emptied",
    "CUDA out of memory": "cnb: PYTORCH_CUDA_ALLOC_CONF",
    # what a look at the facts of the field adds
    "Driver/library version mismatch": "facts: unattended upgrades",
    "Error 802: system not yet initialized": "facts: fabric manager",
    "no kernel image is available for execution on the device": "facts: a build without code for the GPU",
    "### `nouveau`": "facts",
    "Key was rejected by service": "facts: Secure Boot, MOK",
    "NO_PUBKEY": "facts: keys that ended or were changed",
    "Hash Sum mismatch": "facts: mirrors while they are updated",
    "externally-managed-environment": "facts: PEP 668",
    "CERTIFICATE_VERIFY_FAILED": "facts: proxies with an authority of their own",
    "Docker daemon socket": "facts: docker.sock",
    "Bus error": "facts: /dev/shm",
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "facts: rented boxes",
    "NVRM: Xid": "facts",
    "CondaToSNonInteractiveError": "facts",
}


def entries() -> dict[str, str]:
    """Heading of level 3 -> its text."""
    parts = re.split(r"^### (.*)\n", TROUBLE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {heading: text.partition("\n## ")[0] for heading, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_every_fault_that_users_meet_has_an_entry(fault: str) -> None:
    assert [heading for heading in entries() if fault in f"### {heading}"], FAULTS[fault]


@pytest.mark.parametrize("heading", list(entries()))
def test_an_entry_has_a_cause_a_command_and_a_way_on(heading: str) -> None:
    text = entries()[heading]
    page = guides.parse(text)
    assert page.prose and page.prose[1].strip(), "the cause comes first"
    assert page.blocks, "no command that shows it"
    assert len(page.blocks) > 1 or page.links, "nothing that mends it, and no link"


# -- the tools -------------------------------------------------------------------------------------


def test_the_reference_of_variables_is_up_to_date() -> None:
    written = variables_reference.TARGET.read_text(encoding="utf-8")
    assert variables_reference.reference() == written, "run python3 tools/variables_reference.py"


def test_every_variable_is_told_and_read() -> None:
    rows = variables_reference.shared_rows()
    told = yaml.safe_load(variables_reference.TOLD.read_text(encoding="utf-8"))
    assert [variable for variable, text in rows.items() if not text] == [], "say it in tools/variables.yml"
    assert set(told) - set(rows) == set(), "nobody reads it: take it out of tools/variables.yml"


def test_a_stale_reference_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(variables_reference, "TARGET", tmp_path / "variables.md")
    monkeypatch.setattr(variables_reference, "reference", lambda: "today\n")
    monkeypatch.setattr(variables_reference, "ROOT", tmp_path)
    assert variables_reference.main(["--check"]) == 1
    assert variables_reference.main([]) == 0
    assert variables_reference.main(["--check"]) == 0
    assert capsys.readouterr().out == "stale: variables.md\nwritten: variables.md\n"


@pytest.fixture
def two_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setattr(guides, "ROOT", tmp_path)
    (tmp_path / "docs" / "guides").mkdir(parents=True)
    (tmp_path / "docs" / "zh" / "guides").mkdir(parents=True)
    english, chinese = tmp_path / "docs" / "guides" / "a.md", tmp_path / "docs" / "zh" / "guides" / "a.md"
    english.write_text("# A\n", encoding="utf-8")
    chinese.write_text("# 甲\n", encoding="utf-8")
    return english, chinese


def test_a_change_of_the_english_page_makes_the_chinese_one_stale(
    two_pages: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    english, chinese = two_pages
    assert guides.main([]) == 1
    assert guides.main(["--stamp", str(chinese)]) == 0
    assert guides.main([]) == 0
    english.write_text("# A\n\nMore.\n", encoding="utf-8")
    assert guides.main([]) == 1
    assert guides.main(["--stamp"]) == 0
    assert guides.main([]) == 0
    assert chinese.read_text(encoding="utf-8") == f"<!-- en: sha256:{guides.digest(english)} -->\n# 甲\n"
    assert "stale: docs/zh/guides/a.md" in capsys.readouterr().out


def test_a_page_that_has_no_english_one_is_not_stamped(two_pages: tuple[Path, Path]) -> None:
    with pytest.raises(SystemExit):
        guides.main(["--stamp", str(two_pages[1].with_name("b.md"))])


@pytest.mark.parametrize(
    ("english", "chinese", "same"),
    [
        ("    make site  # again", "    make site  # 再来一遍", True),
        ("    make site", "    make  site", False),
        ("```yaml\na: 1\n```", "```yaml\na: 2\n```", False),
        ("    ssh host # name", "    ssh host # 名字", False),
        ("- text\n\n      ssh host", "- 文字\n\n      ssh host", True),
    ],
)
def test_only_comments_may_differ_in_code(english: str, chinese: str, same: bool) -> None:
    assert (guides.commands(guides.parse(english)) == guides.commands(guides.parse(chinese))) is same


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Your own host", "your-own-host"),
        ("1. Get it", "1-get-it"),
        ("`WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!`", "warning-remote-host-identification-has-changed"),
        ("运行 Ansible 的机器", "运行-ansible-的机器"),
        (
            '`could not select device driver "" with capabilities: [[gpu]]`',
            "could-not-select-device-driver--with-capabilities-gpu",
        ),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert guides.anchor(heading) == anchor
