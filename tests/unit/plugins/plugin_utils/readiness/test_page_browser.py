# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page in a browser: what it shows, what a click or a key does."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page import page
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import Silence
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium on PATH to open the page with")
Snapshot = Callable[..., dict[str, Any]]
# runs once the page is shown, and leaves its answer as JSON in the document
PROBE = """<script>
const wait = () => new Promise((done) => setTimeout(done, 300));
const texts = (what) => [...document.querySelectorAll(what)].map((found) => found.textContent);
addEventListener('load', async () => {
  await wait();
  let answer;
  try { answer = await (async () => { %s })(); } catch (error) { answer = String(error); }
  const box = document.createElement('pre');
  box.id = 'answer';
  box.textContent = JSON.stringify(answer);
  document.body.append(box);
});
</script></body>"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    """The value that a script returns in the page at an address; the page's own policy would refuse that script."""

    def answer(text: str, script: str, address: str = "", width: int = 1400) -> Any:
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        (tmp_path / "page.html").write_text(text.replace("</body>", PROBE.replace("%s", script)), encoding="utf-8")
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
        options = [f"--window-size={width},900", "--virtual-time-budget=8000", "--dump-dom"]
        done = subprocess.run(
            [*command, *options, f"file://{tmp_path}/page.html{address}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(unescape(done.stdout.split('<pre id="answer">')[1].split("</pre>")[0]))

    return answer


def judged(data: dict[str, Any], host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return judge(data, host=host, inventory=["hosts"]), data


def test_a_host_without_report_says_why_and_what_to_do(snapshot: Snapshot, ask: Callable[..., Any]) -> None:
    silent = {
        "gpu02": Silence("unreachable", "no route to host", "ansible -i hosts gpu02 -m ansible.builtin.ping -vvv"),
        "gpu03": Silence("unreachable", "no route to host", "ansible -i hosts gpu03 -m ansible.builtin.ping -vvv"),
        "gpu04": Silence("failed", "task 'Look' failed: no", "ansible-playbook site.yml -i hosts -l gpu04"),
    }
    text = page([judged(snapshot("sandbox_ready"), "gpu01")], silent=silent)
    steps = ask(text, "return texts('.steps li');")
    assert any("no route to host" in step and "ansible -i hosts gpu02" in step for step in steps)
    assert any("task 'Look' failed: no" in step and "-l gpu04" in step for step in steps)
    host = ask(text, "return texts('.host-view')[0];", "#h/gpu02")
    for word in ("The host cannot be reached.", "no route to host", "See why", "gpu02 -m ansible.builtin.ping -vvv"):
        assert word in host


def with_next(pair: tuple[dict[str, Any], dict[str, Any]], host: str, command: str, text: str) -> tuple[Any, Any]:
    report, data = copy.deepcopy(pair)
    report["host"] = host
    report["next"].update(command=command.replace("HOST", host), text=text, text_zh=text)
    return report, data


def test_hosts_with_the_same_step_share_a_command_and_the_worst_come_first(
    snapshot: Snapshot, ask: Callable[..., Any]
) -> None:
    bad, warned = judged(snapshot("bare_host"), "x"), judged(snapshot("many_faults"), "x")
    warned[0]["verdict"] = "ready_with_warnings"
    steps = [
        (warned, "ansible-playbook upgrade.yml -i hosts -l HOST", "Upgrade.", 3),
        (bad, "ansible-playbook upgrade.yml -i hosts -l HOST -e branch=580", "Install.", 2),
        (bad, "ansible -i hosts HOST -b -m ansible.builtin.reboot", "Reboot.", 2),
        (warned, "ansible-playbook site.yml -i hosts -l HOST --tags readiness", "Judge.", 1),
    ]
    hosts = [
        with_next(pair, f"n{at}{n}", line, text)
        for at, (pair, line, text, count) in enumerate(steps)
        for n in range(count)
    ]
    assert ask(page(hosts), "return texts('.steps pre');") == [
        "ansible-playbook upgrade.yml -i hosts -l n10,n11 -e branch=580",
        "ansible -i hosts n20,n21 -b -m ansible.builtin.reboot",
        "ansible-playbook upgrade.yml -i hosts -l n00,n01,n02",
        "ansible-playbook site.yml -i hosts -l n30 --tags readiness",
    ]


def test_a_step_by_hand_says_that_its_command_only_judges(snapshot: Snapshot, ask: Callable[..., Any]) -> None:
    hosts = [judged(snapshot(name), name) for name in ("many_faults", "bare_host", "rented_container")]
    leads = """
      const leads = [...document.querySelectorAll('%s .command')].map((box) => box.previousSibling.textContent);
      return leads.map((lead) => lead.startsWith('Then judge again:'));
    """
    text = page(hosts)
    assert sorted(ask(text, leads % ".steps")) == [False, False, True]
    assert ask(text, leads % ".next", "#h/many_faults") == [True]
    assert ask(text, leads % "#check-PRE-DISK", "#h/many_faults/PRE-DISK") == [True]
    assert ask(text, leads % "#check-PRE-REPOS", "#h/many_faults/PRE-REPOS") == [False]
    # a policy that is set is no mere judging
    assert ask(text, leads % ".next", "#h/rented_container") == [False]


LONG_NAMES = [f"gpu-node-0{n}.row-{n}.hall-7.cluster.example.com" for n in range(3)]


@pytest.fixture
def simulated(snapshot: Snapshot) -> str:
    return page([judged(snapshot("sandbox_ready"), name) for name in LONG_NAMES])


@pytest.mark.parametrize("width", [500, 1400])
def test_each_simulated_host_is_marked_and_no_name_is_cut(simulated: str, ask: Callable[..., Any], width: int) -> None:
    marks, names = ask(
        simulated,
        """
        const all = (what, told) => [...document.querySelectorAll(what)].map(told);
        return [all('.heat .mini.t-sim', (mark) => mark.getClientRects().length),
                all('.heat th.host', (cell) => cell.scrollWidth <= cell.clientWidth
                    && cell.querySelector('a').scrollWidth <= cell.querySelector('a').clientWidth)];
        """,
        width=width,
    )
    assert marks == [1, 1, 1]
    assert names == [True, True, True]


def test_the_plain_table_breaks_no_usual_name(snapshot: Snapshot, ask: Callable[..., Any]) -> None:
    text = page([judged(snapshot("many_faults"), f"gpu-node-{n:03d}.example.com") for n in range(2)])
    lines = ask(
        text,
        """
        document.getElementById('plain').hidden = false;
        return [...document.querySelectorAll('#plain tbody th')].map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return range.getClientRects().length;
        });
        """,
    )
    assert lines == [1, 1]


def test_the_skip_link_stays_in_the_view(simulated: str, ask: Callable[..., Any]) -> None:
    address = f"#h/{LONG_NAMES[1]}"
    script = """
      document.getElementById('skip-link').click();
      await wait();
      return [location.hash, document.activeElement.id, texts('h2')[0]];
    """
    assert ask(simulated, script, address) == [address, "main", LONG_NAMES[1]]


@pytest.mark.parametrize(
    ("control", "address"),
    [
        ("#tools .switch button:not([aria-pressed=true])", f"#h/{LONG_NAMES[0]}/PRE-OS"),
        ("#tools > button", ""),
        ("th.check:nth-child(3) button", ""),
    ],
)
def test_who_presses_a_control_stays_on_it(simulated: str, ask: Callable[..., Any], control: str, address: str) -> None:
    script = """
      for (const box of document.querySelectorAll('.controls input[type=checkbox]')) if (box.checked) box.click();
      const place = () => {
        const found = document.activeElement;
        return [found.tagName, [...document.querySelectorAll('button')].indexOf(found)];
      };
      const button = document.querySelector('%s');
      button.focus();
      const before = place();
      button.click();
      await wait();
      return [before, place(), button.isConnected];
    """
    before, after, same_button = ask(simulated, script.replace("%s", control), address)
    assert not same_button
    assert before[0] == "BUTTON"
    assert after == before


def test_the_words_below_the_gpus_name_the_place_of_the_results(snapshot: Snapshot, ask: Callable[..., Any]) -> None:
    text = page([judged(snapshot("many_faults"), "gpu01")])
    heads, legend = ask(text, "return [texts('section h3'), texts('.gpus + p')[0]];")
    checks, gpus = (next(at for at, head in enumerate(heads) if head.startswith(word)) for word in ("Checks", "GPUs"))
    assert checks < gpus
    assert "Checks" in legend
    assert "below" not in legend
