# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` on the working tree, without Docker and with nothing but a Python package index.

ansible-test accepts only a path that ends in ansible_collections/<namespace>/<name>, and a link does not help. So the
files that git knows (and new ones that it does not ignore) are copied to such a path under .cache. All that
ansible-test keeps (virtual environments, downloads) lands under .cache too, because HOME points there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.bootstrap import CACHE, ROOT, TREE, Step, candidates, fail, probe

SANITY = CACHE / "sanity"
COPY = SANITY / "ansible_collections" / "gpuready" / "bootstrap"
HOME = SANITY / "home"
# What galaxy.yml and tests/config.yml promise for modules (3.9 and up). ansible-test skips what this core cannot test.
TARGET_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

# Files of another machine, with that machine's interpreters in their first lines (`make lint` runs shellcheck on them);
# recorded output of other programs, and deliberately broken input.
NOT_COLLECTION = ("sandbox/", "tests/fixtures/")

# Stands in for the get-pip.py that ansible-test would fetch from a host of its own: the wheel can install itself.
# The two options are get-pip's; pip itself does not know them.
GET_PIP = """\
import runpy, sys
sys.path.insert(0, {wheel!r})
sys.argv = ["pip", "install"] + [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
runpy.run_module("pip", run_name="__main__")
"""


def output_of(argv: list[str]) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    if result.returncode != 0:
        fail(f"`{' '.join(argv)}` gave {result.returncode}: {result.stderr.strip()}")
    return result.stdout


def copy_tree() -> None:
    """Bring the copy to the working tree's state; unchanged files keep their time stamps."""
    listed = output_of(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0")
    wanted = {name for name in listed if (ROOT / name).is_file() and not name.startswith(NOT_COLLECTION)}
    for path in [path for path in COPY.rglob("*") if path.is_file() or path.is_symlink()]:
        name = str(path.relative_to(COPY))
        if name not in wanted and not name.startswith(("tests/output/", ".git/")):
            path.unlink()
    for name in wanted:
        (COPY / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, COPY / name)
    if not (COPY / ".git").exists():  # else ansible-test asks this checkout's git, which ignores .cache
        output_of(["git", "init", "--quiet", str(COPY)])
    for namespace in ("ansible", "community"):  # what the collection depends on, beside it
        link = COPY.parent.parent / namespace
        if not link.is_symlink():
            link.symlink_to(TREE / namespace)


def pinned_pip() -> str:
    """The pip version that this ansible-core's ansible-test installs into its virtual environments."""
    source = Path(sysconfig.get_path("purelib")) / "ansible_test" / "_internal" / "python_requirements.py"
    versions = set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")))
    if len(versions) != 1:
        fail(f"{source} names {len(versions)} pip versions, expected one: teach tools/sanity.py how it pins pip now")
    return str(versions.pop())


def prepare_pip() -> None:
    """Put pip's wheel where ansible-test looks for its get-pip.py."""
    version = pinned_pip()
    stand_in = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    wheel = CACHE / "wheels" / f"pip-{version}-py3-none-any.whl"
    if not wheel.exists():
        with Step(f"Get pip {version} for ansible-test", "the Python package index"):
            arguments = ["download", "--quiet", "--no-deps", "--dest", str(wheel.parent), f"pip=={version}"]
            output_of([sys.executable, "-m", "pip", *arguments])
    stand_in.parent.mkdir(parents=True, exist_ok=True)
    stand_in.write_text(GET_PIP.format(wheel=str(wheel)), encoding="utf-8")


def carry_pip_settings() -> None:
    """ansible-test drops PIP_* and proxy variables and HOME is another: give its pip the settings as a file."""
    settings: dict[str, str] = {}
    for line in output_of([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        match = re.fullmatch(r"(?:global|install|user|site|:env:)\.([\w-]+)='(.*)'", line)
        if match:
            settings[match.group(1)] = match.group(2)
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    if proxy:
        settings.setdefault("proxy", proxy)
    path = HOME / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # an index address can hold a password
    values = {key: value.replace("\\n", "\n    ") for key, value in settings.items()}
    path.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()), encoding="utf-8")


def target_pythons() -> Path:
    """A folder with a link for each Python that really runs (a version manager's shim need not)."""
    folder = SANITY / "bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found, missing = [], []
    for minor in TARGET_PYTHONS:
        for path in candidates(minor):
            python = probe(path)
            if python and python.version == minor and not python.problem:
                (folder / f"python{minor}").symlink_to(Path(path).resolve())
                found.append(minor)
                break
        else:
            missing.append(minor)
    print(f"sanity: target Pythons tested: {', '.join(found)}; not on this machine: {', '.join(missing) or 'none'}")
    return folder


def environment() -> dict[str, str]:
    venv = Path(sys.executable).parent
    shims = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part).name != "shims"]
    path = [str(venv), str(target_pythons()), *shims]
    return {**os.environ, "HOME": str(HOME), "PATH": os.pathsep.join(path)}


def main() -> None:
    copy_tree()
    prepare_pip()
    carry_pip_settings()
    env = environment()
    ansible_test = str(Path(sys.executable).parent / "ansible-test")
    argv = [ansible_test, "sanity", "--requirements", "--color", "no", *sys.argv[1:]]
    with Step("ansible-test sanity", "the Python package index on the first run, then only the processor"):
        process = subprocess.Popen(argv, cwd=COPY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        skipped = False
        for line in process.stdout or ():
            print(line, end="", flush=True)
            skipped = skipped or "All targets skipped" in line  # ansible-test calls that a success
        if process.wait() != 0 or skipped:
            fail(f"`{' '.join(argv)}` in {COPY} gave {process.returncode}; its findings stand above")


if __name__ == "__main__":
    main()
