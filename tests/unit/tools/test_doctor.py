# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-alone doctor: one file, any Python, nothing installed."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SNAPSHOTS = ROOT / "tests" / "fixtures" / "snapshots"
NAMES = [f"python3.{minor}" for minor in range(9, 16)]


def interpreters() -> list[str]:
    """The real files behind the names: a version manager's shim does not run without its environment."""
    found = {sys.executable}
    for path in filter(None, map(shutil.which, NAMES)):
        argv = [path, "-c", "import sys; print(sys.executable)"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.add(done.stdout.strip())
    return sorted(found)


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist") / "gpuready-doctor.pyz"
    subprocess.run([sys.executable, "tools/doctor.py", "--output", str(target)], cwd=ROOT, check=True)
    return target


def run(doctor: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    # -S: no site-packages, as on a host where nothing is installed
    argv = [python, "-S", "-E", str(doctor), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize(("base", "status"), [("ready_host", 0), ("bare_host", 2)])
def test_a_saved_snapshot_is_judged_without_anything_installed(doctor: Path, base: str, status: int) -> None:
    done = run(doctor, "--snapshot", str(SNAPSHOTS / f"{base}.json"))
    assert (done.returncode, done.stderr) == (status, "")
    assert f"{base}: {'READY' if status == 0 else 'NOT READY'}" in done.stdout


@pytest.mark.parametrize("python", interpreters())
def test_every_python_of_a_target_runs_it(doctor: Path, python: str) -> None:
    done = run(doctor, "--language", "zh", "--snapshot", str(SNAPSHOTS / "bare_host.json"), python=python)
    assert (done.returncode, done.stderr) == (2, "")
    assert "未就绪" in done.stdout


def test_this_machine_is_read_and_judged(doctor: Path, tmp_path: Path) -> None:
    saved = tmp_path / "me.json"
    done = run(doctor, "--save", str(saved), "--json", str(tmp_path / "report.json"), "--stages", "preflight")
    assert done.returncode in (0, 1, 2, 3), done.stderr
    assert json.loads(saved.read_text(encoding="utf-8"))["schema"] == "gpuready.snapshot/1"
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["exit_code"] == done.returncode


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "gbk", "utf-8"])
@pytest.mark.parametrize("more", [(), ("--all",), ("--language", "zh")])
def test_any_encoding_of_a_terminal_gives_the_report_and_its_status(
    doctor: Path, encoding: str, more: tuple[str, ...]
) -> None:
    argv = [sys.executable, "-S", str(doctor), "--snapshot", str(SNAPSHOTS / "many_faults.json"), *more]
    variables = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding}
    done = subprocess.run(argv, capture_output=True, check=False, env=variables)
    assert (done.returncode, done.stderr) == (2, b"")
    text = done.stdout.decode(encoding)
    assert text.count("\n") > 20
    if encoding == "ascii" and not more:
        assert "  x driver" in text and "?" not in text.replace("? ", "")


def test_a_language_that_the_terminal_cannot_show_is_not_taken_from_the_locale(doctor: Path) -> None:
    argv = [sys.executable, "-S", str(doctor), "--snapshot", str(SNAPSHOTS / "bare_host.json")]
    for encoding, says in (("ascii", "NOT READY"), ("gbk", "未就绪")):
        variables = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding, "LANG": "zh_CN.UTF-8"}
        done = subprocess.run(argv, capture_output=True, check=False, env=variables)
        assert says in done.stdout.decode(encoding), done.stderr


def test_documents_are_utf_8_in_any_locale(doctor: Path) -> None:
    argv = [sys.executable, "-S", str(doctor), "--snapshot", str(SNAPSHOTS / "bare_host.json"), "--json", "-"]
    variables = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(argv, capture_output=True, check=False, env=variables)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["results"][0]["message_zh"].isascii() is False


@pytest.mark.parametrize("more", [("--all",), ("--json", "-")])
def test_a_reader_that_has_enough_changes_nothing(doctor: Path, more: tuple[str, ...]) -> None:
    argv = [sys.executable, "-S", str(doctor), "--snapshot", str(SNAPSHOTS / "many_faults.json"), *more]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (2, b"")


def test_judging_again_judges_the_same(doctor: Path, tmp_path: Path) -> None:
    (tmp_path / "my policy.json").write_text('{"cpus_min": 9999}', encoding="utf-8")
    given = ["--snapshot", str(SNAPSHOTS / "ready_host.json"), "--policy", str(tmp_path / "my policy.json")]
    given += ["--stages", "preflight,driver"]
    done = run(doctor, *given, "--json", "-")
    report = json.loads(done.stdout)
    assert shlex.join(["python3", str(doctor), *given]) in {
        result["remedy"]["command"] for result in report["results"] if result["remedy"]
    }


def test_nhc_prints_one_line_or_nothing(doctor: Path) -> None:
    good = run(doctor, "--nhc", "--snapshot", str(SNAPSHOTS / "ready_host.json"))
    assert (good.returncode, good.stdout) == (0, "")
    bad = run(doctor, "--nhc", "--snapshot", str(SNAPSHOTS / "bare_host.json"))
    assert bad.returncode == 1
    assert bad.stdout.startswith("ERROR:  gpuready:  Health check failed:  ")
    assert bad.stdout.count("\n") == 1


def test_every_output_is_written(doctor: Path, tmp_path: Path) -> None:
    names = {"html": "page.html", "junit": "x.xml", "prometheus": "x.prom", "bundle": "x.tar.gz", "json": "x.json"}
    options = [word for kind, name in names.items() for word in (f"--{kind}", str(tmp_path / name))]
    done = run(doctor, "--snapshot", str(SNAPSHOTS / "many_faults.json"), *options)
    assert done.returncode == 2, done.stderr
    assert all((tmp_path / name).stat().st_size > 100 for name in names.values())


def test_a_diff_names_what_changed(doctor: Path, tmp_path: Path) -> None:
    data = json.loads((SNAPSHOTS / "ready_host.json").read_text(encoding="utf-8"))
    data["driver"]["libraries"]["cuda"] = "595.71.05"
    (tmp_path / "new.json").write_text(json.dumps(data), encoding="utf-8")
    done = run(doctor, "--snapshot", str(tmp_path / "new.json"), "--diff", str(SNAPSHOTS / "ready_host.json"))
    assert done.stdout == "driver.libraries.cuda: 580.159.03 -> 595.71.05\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--language", "fr"), "invalid choice"),
        (("--snapshot", "/nowhere.json"), "No such file"),
        (("--stages", "moon"), "must name some of preflight"),
    ],
)
def test_bad_input_is_one_sentence(doctor: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run(doctor, *arguments)
    assert done.returncode == 64
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_same_sources_give_the_same_file(doctor: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    subprocess.run([sys.executable, "tools/doctor.py", "--output", str(again)], cwd=ROOT, check=True)
    assert again.read_bytes() == doctor.read_bytes()
