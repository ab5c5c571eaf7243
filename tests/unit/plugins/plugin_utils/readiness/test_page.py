# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page: whole by itself, safe against what machines say, small, in both languages."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import page_words
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page import SCRIPTS, asset, page
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import HITS_MAX, Silence
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import catalogue

Snapshot = Callable[..., dict[str, Any]]
SILENCE = Silence("unreachable", "ssh: no route to host", "ansible -i hosts gpu03 -m ansible.builtin.ping -vvv")
VOID = {"meta", "link", "br", "input"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \u2028\u2029 <!-- ${title} $title"


class Reader(HTMLParser):
    """Elements, their attributes and texts; complains where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.style = self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            name = str(self.found[-1][1].get("id", "code"))
            self.scripts[name] = self.scripts.get(name, "") + data
        elif self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data

    def fleet(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.scripts["fleet"])
        return data

    def blob(self, name: str) -> Any:
        return json.loads(gzip.decompress(base64.b64decode(self.scripts[name])))


def rows_of(reader: Reader, number: int) -> list[dict[str, Any]]:
    shared = reader.blob("shared")["rows"]
    return [shared[row] if isinstance(row, int) else row for row in reader.blob(f"host-{number}")["results"]]


def judged(data: dict[str, Any], host: str = "gpu01") -> tuple[dict[str, Any], dict[str, Any]]:
    return judge(data, host=host, inventory=["hosts"]), data


@pytest.fixture
def two(snapshot: Snapshot) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [judged(snapshot(), "gpu01"), judged(snapshot("bare_host"), "gpu02")]


def test_the_page_needs_nothing_else(two: Any) -> None:
    reader = Reader(page(two))
    for tag, attributes in reader.found:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form", "audio", "video")
        assert not any(name.startswith("on") or name in ("src", "srcset", "style") for name in attributes), tag
        if "href" in attributes:
            assert str(attributes["href"]).startswith(("#", "data:,"))
    assert not re.search(r"url\(|@import", reader.style)
    code = reader.scripts["code"].replace("http://www.w3.org/2000/svg", "").replace("https://www.gnu.org/licenses/", "")
    assert "//" not in re.sub(r"(?m)(^|\s)//.*$", "", code)


def test_the_policy_allows_its_own_style_and_script_only(two: Any) -> None:
    reader = Reader(page(two))
    policy = next(a["content"] for t, a in reader.found if a.get("http-equiv") == "Content-Security-Policy") or ""
    for kind, text in (("style", reader.style), ("script", reader.scripts["code"])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_script_writes_no_markup() -> None:
    for name in SCRIPTS:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", asset(name)
        )
        assert "</" not in asset(name)
    assert {path.name for path in (FOLDER / "report").iterdir()} == {*SCRIPTS, "page.css", "page.html"}


def test_the_table_says_the_main_thing_without_a_script(two: Any) -> None:
    text = Reader(page(two, silent={"gpu03": SILENCE}, stopped={"gpu01": "the disk was pulled"})).text
    assert "gpu02" in text
    assert two[1][0]["next"]["command"] in text
    assert "Not ready" in text
    assert "the disk was pulled" in text
    for word in ("gpu03", "No report: The host cannot be reached. ssh: no route to host", "See why", "ping -vvv"):
        assert word in text


def test_the_plain_table_says_where_a_command_only_judges(snapshot: Snapshot) -> None:
    table = page([judged(snapshot("many_faults"), "gpu01")]).split("<noscript>")[1].split("</table>")[0]
    assert "Then judge again: <code>ansible-playbook" in table
    table = page([judged(snapshot("bare_host"), "gpu01")]).split("<noscript>")[1].split("</table>")[0]
    assert "judge again" not in table


def test_all_results_come_back_from_the_blobs(two: Any) -> None:
    reader = Reader(page(two))
    checks = reader.fleet()["checks"]
    for number, (report, snapshot) in enumerate(two):
        rows = rows_of(reader, number)
        assert len(rows) == len(report["results"])
        for row, result in zip(rows, report["results"]):
            assert checks[row["check"]]["id"] == result["id"]
            for name in ("status", "message", "entity", "observed", "expected", "caused_by"):
                assert row.get(name) == result[name]
            assert row.get("evidence", []) == result["evidence"]
            assert row.get("severity", checks[row["check"]]["severity"]) == result["severity"]
            assert (row.get("remedy") or {}).get("command") == (result["remedy"] or {}).get("command")
        rest = reader.blob(f"snapshot-{number}")
        whole = {
            n: reader.blob(f"host-{number}")["snapshot"][n] if n in rest["shown"] else v
            for n, v in rest["rest"].items()
        }
        assert whole == snapshot


def test_values_that_are_false_or_zero_are_kept(two: Any) -> None:
    report = copy.deepcopy(two[1][0])
    report["results"][0].update(observed=False, expected=0)
    assert {"observed": False, "expected": 0}.items() <= rows_of(Reader(page([(report, None)])), 0)[0].items()


def test_cells_hold_the_worst_status_of_a_check(two: Any) -> None:
    report = copy.deepcopy(two[0][0])
    first = report["results"][0]
    report["results"] += [{**first, "status": "fail"}, {**first, "status": "warn"}]
    fleet = Reader(page([(report, None)])).fleet()
    column = [check["id"] for check in fleet["checks"]].index(first["id"])
    assert fleet["hosts"][0]["cells"][column] == "f"


@pytest.mark.parametrize("place", ["host", "message", "gpu", "stopped", "silent", "title"])
def test_hostile_strings_stay_text(snapshot: Snapshot, place: str) -> None:
    data = snapshot("many_faults", {"gpus.0.name": HOSTILE} if place == "gpu" else {})
    report, _snapshot = judged(data, HOSTILE if place == "host" else "gpu01")
    if place == "message":
        report["results"][0].update(message=HOSTILE, title=HOSTILE, entity=HOSTILE, observed={HOSTILE: HOSTILE})
        report["next"].update(text=HOSTILE, command=HOSTILE)
    text = page(
        [(report, data)],
        title=HOSTILE if place == "title" else "",
        stopped={"gpu01": HOSTILE} if place == "stopped" else {},
        silent={HOSTILE: Silence("failed", HOSTILE, HOSTILE)} if place == "silent" else {},
    )
    reader = Reader(text)
    names = [tag for tag, _attributes in reader.found]
    assert names.count("script") == 5  # fleet, shared, host, snapshot, code
    assert "img" not in names
    assert "\u2028" not in reader.scripts["fleet"]
    reader.fleet()
    if place == "title":
        assert reader.fleet()["title"] == HOSTILE


def test_signs_that_turn_the_writing_are_written_out(snapshot: Snapshot) -> None:
    turned = "gpu\u202e10\u2066"
    report, data = judged(snapshot("many_faults", {"gpus.0.name": turned}), turned)
    report["results"][0].update(observed={turned: turned})
    text = page([(report, data)], title=turned, stopped={turned: turned}, silent={turned + "2": SILENCE})
    reader = Reader(text)
    blobs = [reader.blob(name) for name in reader.scripts if name.startswith(("host-", "shared", "snapshot-"))]
    for whole in (text, json.dumps([blobs, reader.fleet()], ensure_ascii=False)):
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", whole)
    shown = r"gpu\u202E10\u2066"
    assert f'<th scope="row">{shown}</th>' in text
    assert reader.fleet()["hosts"][0]["name"] == shown
    assert reader.fleet()["stopped"] == {shown: shown}
    assert rows_of(reader, 0)[0]["observed"] == {shown: shown}


def test_half_a_surrogate_pair_can_be_written(snapshot: Snapshot) -> None:
    page([judged(snapshot(changes={"gpus.0.name": "\ud800"}), "h\udfff")]).encode("utf-8")


def test_both_languages_are_in_the_page(two: Any) -> None:
    english = Reader(page(two))
    words = english.fleet()["words"]
    assert words["en"]["not_ready"] == "Not ready"
    assert words["zh"]["not_ready"] == "未就绪"
    assert words["zh"].keys() == words["en"].keys()
    chinese = page(two, language="zh")
    assert '<html lang="zh-CN">' in chinese
    assert "未就绪" in Reader(chinese).text
    with pytest.raises(ValueError, match="language"):
        page(two, language="fr")


def test_every_word_has_a_chinese_one_with_the_same_fields() -> None:
    known = catalogue("zh")
    for text in page_words.WORDS.values():
        assert text.template in known, text.template
        fields = re.findall(r"\{\w+\}", text.template)
        assert sorted(re.findall(r"\{\w+\}", known[text.template])) == sorted(fields)
        assert sorted(text.args) == sorted(field.strip("{}") for field in fields)


def test_every_word_of_the_script_exists_and_none_is_idle() -> None:
    code = "".join(map(asset, SCRIPTS)) + Path(page.__code__.co_filename).read_text(encoding="utf-8")
    asked = set(re.findall(r"\bsay\('(\w+)'[,)]", code))
    assert asked <= page_words.WORDS.keys()
    built = re.findall(r"say\('(\w+_)' \+", code)
    ours = {"preflight", "driver", "container", "dev", "blocker", "major", "minor", "info"}
    for key in page_words.WORDS.keys() - asked - ours:
        assert f"'{key}'" in code or f'"{key}"' in code or key.startswith(tuple(built)) or f" {key}:" in code, key


def _luminance(colour: str) -> float:
    parts = [int(part, 16) / 255 for part in re.findall("..", colour.lstrip("#"))]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_borders_of_controls_can_be_seen() -> None:
    """WCAG 2.2, success criterion 1.4.11: 3:1 against what is beside it."""
    themes = re.findall(r"--page: (#\w+); --card: (#\w+);.*?--control: (#\w+);", asset("page.css"))
    assert len(themes) == 3
    for page_colour, card, control in themes:
        for beside in (page_colour, card.replace("#fff", "#ffffff")):
            dark, light = sorted((_luminance(control), _luminance(beside)))
            assert (light + 0.05) / (dark + 0.05) >= 3
    for selector in (r'button, select, input\[type="search"\]', r"\.filter"):
        assert re.search(rf"(?m)^{selector} \{{[^}}]*border: 1px solid var\(--control\)", asset("page.css"))


def test_the_headings_of_the_heat_map_are_printed_on_each_page() -> None:
    """A browser repeats a heading's text there, and leaves out a button that has a box of its own."""
    printed = asset("page.css").split("@media print {")[1]
    assert ".heat th.check button { display: contents; " in printed
    assert re.search(r"\.heat th\.check \{ writing-mode: vertical-rl;", printed)


def test_the_same_input_gives_the_same_page(two: Any) -> None:
    assert page(two, generated_at="2026-11-21T10:00:00Z") == page(
        copy.deepcopy(two), generated_at="2026-11-21T10:00:00Z"
    )


def test_the_newest_kernel_messages_are_kept(snapshot: Snapshot) -> None:
    hit = {"signature": "xid", "bdf": None, "code": 79, "text": "x", "pid": None, "process": None, "count": 1}
    hits = [{**hit, "time": f"2026-11-21T09:{n // 60:02d}:{n % 60:02d}Z"} for n in range(HITS_MAX + 7)]
    data = snapshot(changes={"kernel_log.hits": hits[::-1]})
    reader = Reader(page([judged(data)]))
    log = reader.blob("host-0")["snapshot"]["kernel_log"]
    assert (len(log["hits"]), log["left_out"]) == (HITS_MAX, 7)
    assert log["hits"][-1] == hits[-1]
    assert reader.blob("snapshot-0")["rest"]["kernel_log"] == data["kernel_log"]
    assert reader.blob("shared")["meanings"]["79"]["meaning"]


@pytest.mark.parametrize(
    "broken", [{}, {"gpus": None, "kernel_log": {"hits": None}}, {"kernel_log": {"hits": [None, 3]}}]
)
def test_any_snapshot_makes_a_page(two: Any, broken: dict[str, Any]) -> None:
    Reader(page([(two[0][0], broken)]))
    Reader(page([(two[0][0], None)]))
    Reader(page([]))


def fleet_of(snapshot: Snapshot, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Hosts that share little: each has faults, names and numbers of its own."""
    bases = [judged(snapshot(name)) for name in ("many_faults", "bare_host", "version_mismatch", "rented_container")]
    hosts = []
    for number in range(count):
        report, data = copy.deepcopy(bases[number % len(bases)])
        report["host"] = f"训练节点-{number:03d}.a-long-name.cluster.example.com"
        for result in report["results"]:
            if result["status"] != "pass":
                salt = f"{number} {result['id']}".encode()
                result["message"] += f" {hashlib.sha256(salt).hexdigest()[:12]}"
        data["raw"] = {"noise": hashlib.sha512(str(number).encode()).hexdigest() * (1 + number % 3)}
        hosts.append((report, data))
    return hosts


def test_two_hundred_hosts_stay_small_and_quick(snapshot: Snapshot) -> None:
    hosts = fleet_of(snapshot, 200)
    start = time.process_time()
    text = page(hosts)
    assert time.process_time() - start < 3
    assert len(text.encode()) < 3_000_000
    assert "snapshot-0" in Reader(text).scripts


def test_snapshots_are_left_out_where_the_room_ends(snapshot: Snapshot) -> None:
    hosts = fleet_of(snapshot, 8)
    reader = Reader(page(hosts, budget=0, snapshot_files={hosts[0][0]["host"]: "a.snapshot.json"}))
    assert not [name for name in reader.scripts if name.startswith("snapshot-")]
    assert "host-7" in reader.scripts
    assert reader.fleet()["files"] == {hosts[0][0]["host"]: "a.snapshot.json"}


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium on PATH to open the page with")
@pytest.mark.parametrize(("language", "word"), [("en", "Not ready"), ("zh", "未就绪")])
def test_a_browser_shows_the_verdict(snapshot: Snapshot, tmp_path: Path, language: str, word: str) -> None:
    (tmp_path / "page.html").write_text(
        page([judged(snapshot("many_faults"), HOSTILE)], language=language), encoding="utf-8"
    )
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    options = ["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", f"file://{tmp_path}/page.html"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    shown = re.sub(r"<[^>]+>", "", done.stdout.split('<div id="app">')[1].split("</main>")[0])
    assert word in shown
    assert "DRV-GPU-LOST" in shown
    assert "<img" not in done.stdout
