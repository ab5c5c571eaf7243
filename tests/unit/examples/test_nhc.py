# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NHC is told: nothing for a usable node, one line else, and never "fine" for a doctor that could not look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[3] / "examples" / "nhc" / "gpuready.nhc"
# as in NHC, which gives the checks its own function `die`
SCRIPT = 'function die() { shift; echo "$*"; }; . "$1"; shift; check_gpuready "$@"'


def check(tmp_path: Path, doctor: str, *arguments: str) -> tuple[str, int]:
    path = tmp_path / "doctor"
    path.write_text(f"import sys\n{doctor}\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "nhc", str(CHECK), *arguments],
        env={"PATH": "/usr/bin:/bin", "GPUREADY_DOCTOR": str(path), "GPUREADY_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), done.returncode


def test_a_usable_node_is_passed_in_silence(tmp_path: Path) -> None:
    assert check(tmp_path, "sys.exit(0)") == ("", 0)


def test_the_first_failure_is_told(tmp_path: Path) -> None:
    line = "ERROR:  gpuready:  Health check failed:  DRV-XID: Xid 79 (and 2 more)"
    assert check(tmp_path, f"print({line!r}); sys.exit(1)") == ("check_gpuready:  DRV-XID: Xid 79 (and 2 more)", 1)


@pytest.mark.parametrize(("doctor", "said"), [("sys.exit('no policy')", "no policy"), ("sys.exit(9)", "ended with 9")])
def test_a_doctor_that_could_not_look_is_a_failure(tmp_path: Path, doctor: str, said: str) -> None:
    line, status = check(tmp_path, doctor)
    assert said in line
    assert status == 1


def test_stages_and_policy_reach_the_doctor(tmp_path: Path) -> None:
    line, _status = check(tmp_path, "sys.exit(' '.join(sys.argv[1:]))", "driver", "a policy.json")
    assert line.endswith("--nhc --language en --stages driver --policy a policy.json")
    assert "--policy" not in check(tmp_path, "sys.exit(' '.join(sys.argv[1:]))")[0]
