# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw docs/images/progress.svg: the live display of a run of the road on three hosts, by the code that draws it.

The events are written down here, with the durations of such a run; nothing of the machine that draws goes into the
picture. `--check` changes nothing and exits 1 if the picture is stale.
"""

from __future__ import annotations

import html
import io
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import render
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line, width
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.live import Live
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan, Run, Slot

PICTURE = ROOT / "docs" / "images" / "progress.svg"
COLUMNS, ROWS = 96, 26
FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace"

HOSTS = ("gpu01", "gpu02", "实验室-03")
# step -> its tasks: (title, seconds, whether it changes a new host)
ROAD: dict[str, tuple[tuple[str, float, bool], ...]] = {
    "Preflight": (("preflight : Measure the way to the repositories", 4, False), ("preflight : Judge", 1, False)),
    "Mirrors": (("mirrors : Choose mirrors", 3, False), ("mirrors : Write the package sources", 1, True)),
    "NVIDIA driver": (
        ("nvidia_driver : Install | Trust the repository", 1, True),
        (
            "nvidia_driver : Install | Take the packages (waits for the download, and for the build of the kernel "
            "module; minutes)",
            212,
            True,
        ),
        ("nvidia_driver : Load | Load the module", 3, True),
    ),
    "Docker Engine": (
        ("docker_engine : Packages | Install the engine (APT; waits for the download, about 100 MB)", 31, True),
        ("docker_engine : Daemon | Merge the settings", 1, True),
    ),
    "NVIDIA Container Toolkit": (("nvidia_container_toolkit : Install | Install the packages", 14, True),),
    "NVML stability": (("nvml_stability : Cure | Write what keeps the GPUs in containers", 2, True),),
    "Dev container": (
        (
            "dev_container : Build | Make the image (waits for the base image, apt and Python packages; minutes)",
            421,
            True,
        ),
        ("dev_container : Start | Start the container", 5, True),
    ),
    "Readiness": (("readiness : Judge the host", 6, False),),
}
# The picture is taken so many seconds into this task; one host fails in it
MOMENT = ("docker_engine : Packages | Install the engine", 17.0)
UNHAPPY = "gpu02"


def tasks() -> Iterator[tuple[str, str, float, bool]]:
    for step, entries in ROAD.items():
        for title, seconds, changes in entries:
            yield step, title, seconds, changes


def earlier() -> Estimates:
    """What a run of yesterday has taught."""
    known = Estimates()
    for _step, title, seconds, changes in tasks():
        for kind in ("task", "slot"):
            known.measured(f"{kind}:{title}", changes, seconds * 1.1)
    return Estimates.read(known.learned())


class Scene:
    """The clock and the screen of the run."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[Line] = []
        self.run = Run(earlier())
        self.live = Live(self.run, self.lines.extend, lambda: self.now, threading.RLock())

    def play(self) -> None:
        slots = [Slot(title, title, list(ROAD).index(step)) for step, title, _seconds, _changes in tasks()]
        name = "Bring GPU hosts to a verified development environment"
        plan = Plan(name=name, hosts=HOSTS, slots=tuple(slots), steps=tuple(ROAD), all_hosts=HOSTS, forks=20)
        self.live.play(plan)
        for _step, title, seconds, changes in tasks():
            self.live.task(title)
            detail = "5 packages" if title.startswith(MOMENT[0]) else ""
            going = [host for host in HOSTS if not self.run.hosts[host].lost]
            for host in going:
                self.live.start(host, title, title, title, detail)
            if title.startswith(MOMENT[0]):
                break
            self.now += seconds
            for host in going:
                self.live.well(host, title, changes)
        self.now += MOMENT[1] - 6
        failure = {
            "msg": "'/usr/bin/apt-get -y install docker-ce=5:29.0.1-1~debian.12' failed: E: You do not have enough "
            "free space in /var/cache/apt/archives/.",
            "rc": 100,
        }
        self.live.badly(UNHAPPY, MOMENT[0], failure, "failed")
        self.now += 6


def picture() -> str:
    scene = Scene()
    scene.play()
    lines = [*scene.lines, *render.frame(scene.run, scene.now, COLUMNS - 1, ROWS)]
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard", _environ={}
    )
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=False, highlight=False)
    # rich's own frame fetches a font from elsewhere; a page of docs must not
    frame = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code", "mono")
    svg = console.export_svg(title="ansible-playbook site.yml", code_format=frame, unique_id="progress")
    # rich counts characters where it should count cells: Chinese text would be squeezed
    svg = re.sub(r'textLength="([\d.]+)"([^>]*)>([^<]*)<', _length, svg)
    return svg.replace("font-family: mono, monospace", f"font-family: {FONTS}")


def _length(found: re.Match[str]) -> str:
    text = html.unescape(found[3])
    length = float(found[1]) / max(1, len(text)) * width(text)
    return f'textLength="{length:.1f}"{found[2]}>{found[3]}<'


def main() -> int:
    drawn = picture()
    if "--check" in sys.argv:
        return int(not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
