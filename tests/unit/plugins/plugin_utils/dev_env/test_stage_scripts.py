# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of the stages, run with bash on trees and with programs that stand in for the real ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import script
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER

PROJECT = Path(__file__).resolve().parents[5]
STAGES = FOLDER / "dev_env" / "stages"
LAYOUTS = PROJECT / "tests" / "fixtures" / "mirrors"
MIRRORS = "debian https://near.example.org/debian\nubuntu https://near.example.org/ubuntu\n"


class Box:
    """A stage's surroundings: inputs, secrets, and a folder of programs in front of PATH."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("inputs", "secrets", "bin", "dl", "out"):
            (root / name).mkdir()
        shutil.copy(STAGES / "network.sh", root / "inputs")
        # no stage of a test reaches anything
        self.program("curl", "exit 7")

    def program(self, name: str, text: str) -> Path:
        path = self.root / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)
        return path

    def write(self, path: str, text: str) -> Path:
        found = self.root / path
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(text)
        return found

    def environment(self, **env: str) -> dict[str, str]:
        return {
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "HOME": str(self.root),
            "DEV_INPUTS": str(self.root / "inputs"),
            "DEV_SECRETS": str(self.root / "secrets"),
            "DEV_DOWNLOADS": str(self.root / "dl"),
            "DEV_TARGET": "inplace",
            "DEV_OWNER": "0:0",
            "DEV_SHARE": str(self.root / "share"),
            **env,
        }

    def run(self, stage: str, **env: str) -> subprocess.CompletedProcess[str]:
        argv = ["bash", str(STAGES / f"{stage}.sh")]
        return subprocess.run(
            argv, env=self.environment(**env), capture_output=True, text=True, cwd=self.root, check=False
        )

    def source(self, commands: str, **env: str) -> subprocess.CompletedProcess[str]:
        text = f'set -euo pipefail; . "$DEV_INPUTS/network.sh"; {commands}'
        return subprocess.run(
            ["bash", "-c", text], env=self.environment(**env), capture_output=True, text=True, check=False
        )


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


# --- network ----------------------------------------------------------------------------------------------------------


def test_without_secrets_the_tools_have_their_own_defaults(box: Box) -> None:
    done = box.source('echo "${PIP_INDEX_URL-none} ${SSL_CERT_FILE-none} ${http_proxy-none} [$(mirror conda)]"')
    assert (done.returncode, done.stdout) == (0, "none none none []\n"), done.stderr


def test_index_certificates_proxy_and_mirrors(box: Box) -> None:
    box.write("secrets/pip_index_url", "https://near.example.org/simple")
    box.write("secrets/build_ca", "x\n")
    box.write("secrets/build_proxy", "https_proxy=http://me:a=b@proxy.example.org:1\nPATH=/evil\nno_proxy=localhost")
    box.write("secrets/build_mirrors", "conda https://near.example.org/conda\ncondax other\n")
    done = box.source('echo "$UV_DEFAULT_INDEX $PIP_CERT $HTTPS_PROXY $no_proxy $(mirror conda)"')
    assert done.stdout.split() == [
        "https://near.example.org/simple",
        f"{box.root}/secrets/build_ca",
        "http://me:a=b@proxy.example.org:1",
        "localhost",
        "https://near.example.org/conda",
    ], done.stderr


@pytest.mark.parametrize("layout", ["debian12_container", "debian13_container", "ubuntu2204", "ubuntu2404"])
def test_the_archive_comes_from_the_mirror_and_the_machine_keeps_its_own(layout: str, box: Box) -> None:
    shutil.copytree(LAYOUTS / layout / "before", box.root / "tree")
    before = {path: path.read_bytes() for path in sorted((box.root / "tree").rglob("*")) if path.is_file()}
    box.write("secrets/apt_mirrors", MIRRORS)
    box.write("tree/etc/ssl/certs/ca-certificates.crt", "x\n")
    box.program("dpkg", "echo amd64")
    copy = box.root / "copy"
    commands = 'apt_through_mirror; printf "%s\\n" "${apt_options[@]}"'
    done = box.source(commands, APT_ROOT=str(box.root / "tree"), APT_COPY=str(copy))
    assert done.stdout.splitlines() == [
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        f"Dir::Etc::sourcelist={copy}/sources.list",
        "-o",
        f"Dir::Etc::sourceparts={copy}/parts",
    ], done.stderr
    text = "".join(path.read_text() for path in sorted(copy.rglob("*")) if path.is_file())
    assert "https://near.example.org/" in text
    # security updates stay where they were
    assert "-security" in text
    for line in text.splitlines():
        assert not ("-security" in line and "near.example.org" in line)
    assert {path: path.read_bytes() for path in before} == before


THIRD = (
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/ubuntu noble stable\n"
    "deb https://ppa.example.org/a/b/c noble main\n"
    "deb http://archive.example.org/debian sid main\n"
    "# deb http://archive.ubuntu.com/ubuntu noble main\n"
)


def apt_copy(box: Box, layout: str) -> Path:
    """The copy that apt reads, of a machine with certificates; entries of others are among its own."""
    shutil.copytree(LAYOUTS / layout / "before", box.root / "tree", dirs_exist_ok=True)
    box.write("tree/etc/apt/sources.list.d/third.list", THIRD)
    box.write("tree/etc/ssl/certs/ca-certificates.crt", "x\n")
    box.program("dpkg", "echo amd64")
    done = box.source("apt_through_mirror", APT_ROOT=str(box.root / "tree"), APT_COPY=str(box.root / "copy"))
    assert done.returncode == 0, done.stderr
    return box.root / "copy"


def test_entries_of_others_stay(box: Box) -> None:
    box.write("secrets/apt_mirrors", MIRRORS)
    parts = apt_copy(box, "ubuntu2404") / "parts"
    assert (parts / "third.list").read_text() == THIRD
    stanzas = (parts / "ubuntu.sources").read_text().split("Types: deb\n")
    assert ["near.example.org" in stanza for stanza in stanzas if "URIs:" in stanza] == [True, False]


def test_a_stanza_that_holds_security_updates_becomes_two(box: Box) -> None:
    box.write("secrets/apt_mirrors", MIRRORS)
    rest = (
        "Components: main restricted\n  universe multiverse\n"
        "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\nArchitectures: amd64\n\n"
    )
    near = f"Types: deb deb-src\nURIs: https://near.example.org/ubuntu\nSuites: resolute resolute-updates\n{rest}"
    far = f"Types: deb deb-src\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: resolute-security\n{rest}"
    assert (apt_copy(box, "ubuntu2604") / "parts/ubuntu.sources").read_text() == near + far


@pytest.mark.parametrize("mirrors", ["", "debian https://near.example.org/debian\n"], ids=["none", "another's"])
def test_without_an_address_for_it_the_archive_stays(mirrors: str, box: Box) -> None:
    box.write("secrets/apt_mirrors", mirrors)
    assert not apt_copy(box, "ubuntu2404").exists()


@pytest.mark.parametrize(
    ("mirrors", "archive", "cuda"),
    [
        ("cuda https://developer.download.nvidia.cn/compute/cuda/repos\n", "http://archive.ubuntu.com", "nvidia.cn"),
        (MIRRORS, "https://near.example.org", "nvidia.com"),
        (f"{MIRRORS}cuda https://developer.download.nvidia.cn/compute/cuda/repos/\n", "https://near", "nvidia.cn"),
    ],
    ids=["NVIDIA's alone", "the archive alone", "both"],
)
def test_nvidias_repository_of_its_images_comes_from_the_mirror(
    mirrors: str, archive: str, cuda: str, box: Box
) -> None:
    line = "deb [signed-by=/usr/share/keyrings/c.gpg] https://developer.download.nvidia.{}/compute/cuda/repos/{} /\n"
    own = box.write("tree/etc/apt/sources.list.d/cuda-ubuntu2404-x86_64.list", line.format("com", "ubuntu2404/x86_64"))
    box.write("secrets/apt_mirrors", mirrors)
    parts = apt_copy(box, "ubuntu2404") / "parts"
    assert (parts / own.name).read_text() == line.format(cuda.rpartition(".")[2], "ubuntu2404/x86_64")
    assert f"URIs: {archive}" in (parts / "ubuntu.sources").read_text()
    # of the machine itself nothing changed
    assert "nvidia.com" in own.read_text()


def test_a_machine_without_certificates_asks_by_http(box: Box) -> None:
    shutil.copytree(LAYOUTS / "debian13_container" / "before", box.root / "tree")
    box.write("secrets/apt_mirrors", MIRRORS)
    box.source("apt_through_mirror", APT_ROOT=str(box.root / "tree"), APT_COPY=str(box.root / "copy"))
    assert "URIs: http://near.example.org/debian" in (box.root / "copy/parts/debian.sources").read_text()


@pytest.mark.parametrize(
    ("content", "sum_of", "code", "said"),
    [
        (b"right", b"right", 0, ""),
        (b"wrong", b"right", 78, "has another SHA-256 sum"),
        (b"", b"right", 78, "could not be fetched from https://dl.example.org/x\n"),
        (b"right", b"", 78, "there is no SHA-256 sum for x; nothing is installed unchecked"),
    ],
)
def test_what_is_fetched_is_checked(content: bytes, sum_of: bytes, code: int, said: str, box: Box) -> None:
    (box.root / "dl/x").write_bytes(content)
    digest = hashlib.sha256(sum_of).hexdigest() if sum_of else "-"
    box.write("inputs/downloads", f"{digest} x https://dl.example.org/x?token=hush\n")
    done = box.source(f"fetch x {box.root}/out")
    assert done.returncode == code
    assert said.rstrip("\n") in done.stderr
    assert "hush" not in done.stderr


# --- packages of the distribution -------------------------------------------------------------------------------------


def apt(box: Box, installed: str = "less") -> subprocess.CompletedProcess[str]:
    box.write("inputs/packages", "less\ntmux\n")
    box.program(
        "dpkg-query", f'[[ $* != *-f* ]] || {{ [[ " {installed} " == *" ${{!#}} "* ]] && echo installed; exit 0; }}'
    )
    box.program("apt-get", f'echo "$@" >> {box.root}/calls')
    return box.run("apt", TMPDIR=str(box.root), APT_ROOT=str(box.root / "tree"))


def test_only_missing_packages_are_installed(box: Box) -> None:
    shutil.copytree(LAYOUTS / "debian13_container" / "before", box.root / "tree")
    done = apt(box)
    assert done.returncode == 0, done.stderr
    calls = (box.root / "calls").read_text().splitlines()
    assert [call.split()[2] for call in calls] == ["update", "install"]
    assert calls[1].endswith("install -y --no-install-recommends tmux")
    # nothing that the step needed stays
    assert not list(box.root.glob("apt-mirror*"))


def test_a_second_run_asks_nobody(box: Box) -> None:
    assert apt(box, "less tmux").returncode == 0
    assert not (box.root / "calls").exists()


# --- Python -----------------------------------------------------------------------------------------------------------


def python(box: Box, **env: str) -> subprocess.CompletedProcess[str]:
    given = {
        "DEV_PREFIX": str(box.root / "venv"),
        "DEV_TOOLS": str(box.root),
        "DEV_PYTHON_DIR": str(box.root / "python"),
        "DEV_CACHE": str(box.root / "cache"),
        "DEV_PYTHON_MANAGER": "uv",
        "DEV_PYTHON_VERSION": "",
        "DEV_ENV_NAME": "main",
        **env,
    }
    box.program("uv", f'echo "$@" >> {box.root}/calls; mkdir -p "${{!#}}"')
    return box.run("python", **given)


def test_the_environment_is_made_once(box: Box) -> None:
    assert python(box).returncode == 0
    assert "--python /usr/bin/python3 --python-preference only-system" in (box.root / "calls").read_text()
    version = ".".join(map(str, sys.version_info[:3]))
    (box.root / "venv/bin").mkdir()
    (box.root / "venv/bin/python").symlink_to(sys.executable)
    (box.root / "calls").unlink()
    for wanted in ("", version, version.rpartition(".")[0]):
        assert python(box, DEV_PYTHON_VERSION=wanted).returncode == 0
    assert not (box.root / "calls").exists()


def test_another_version_leaves_the_old_environment_beside(box: Box) -> None:
    box.write("venv/pyvenv.cfg", "")
    box.write("venv/mine", "work")
    (box.root / "venv/bin").mkdir()
    (box.root / "venv/bin/python").symlink_to(sys.executable)
    done = python(box, DEV_PYTHON_VERSION="3.1")
    assert done.returncode == 0, done.stderr
    assert "--python 3.1 " in (box.root / "calls").read_text()
    kept = next(box.root.glob("venv.python-*"))
    assert (kept / "mine").read_text() == "work"


def test_a_folder_of_somebody_is_not_emptied(box: Box) -> None:
    mine = box.write("venv/thesis.txt", "work")
    done = python(box)
    assert (done.returncode, mine.read_text()) == (78, "work")
    assert "holds files and is no Python environment" in done.stderr


def test_uv_comes_by_its_sums_and_by_no_script_of_the_network(box: Box) -> None:
    box.write("inputs/uv.txt", "uv==0.13.9 --hash=sha256:00\n")
    pip = box.write("tools/bin/pip", f'#!/bin/sh\necho "$@" >> {box.root}/calls\n')
    pip.chmod(0o755)
    assert box.run("uv", DEV_TOOLS=str(box.root / "tools")).returncode == 0
    assert calls(box) == [
        f"install --no-cache-dir --disable-pip-version-check --require-hashes -r {box.root}/inputs/uv.txt"
    ]
    uv = box.write("tools/bin/uv", "#!/bin/sh\necho uv 0.13.9\n")
    uv.chmod(0o755)
    assert box.run("uv", DEV_TOOLS=str(box.root / "tools")).returncode == 0
    assert len(calls(box)) == 1


def test_conda_makes_the_environment_unasked_and_for_the_gpu(box: Box) -> None:
    """No prompt stops it, and the solver takes no build for the CPU because the builder has no GPU."""
    made = f'echo "$CONDA_OVERRIDE_CUDA $*" >> {box.root}/calls; mkdir -p {box.root}/venv'
    conda = box.write("conda/bin/conda", f"#!/usr/bin/env bash\n{made}\n")
    conda.chmod(0o755)
    (box.root / "conda/envs").mkdir()
    box.write("inputs/channels", "conda-forge\n")
    box.write("inputs/conda-packages", "ffmpeg=7\n")
    given = {"DEV_PYTHON_MANAGER": "conda", "DEV_CONDA": str(box.root / "conda"), "DEV_TORCH_BACKEND": "cu130"}
    done = python(box, DEV_ENV_NAME="chatbot", DEV_PYTHON_VERSION="3.11", **given)
    assert done.returncode == 0, done.stderr
    assert calls(box) == [
        "13.0 create --yes --quiet --copy --override-channels --channel=conda-forge "
        f"--prefix {box.root}/venv python=3.11 pip ffmpeg=7"
    ]
    # for "conda activate chatbot"
    assert (box.root / "conda/envs/chatbot").resolve() == box.root / "venv"


def packages(box: Box, lock: str, **env: str) -> subprocess.CompletedProcess[str]:
    box.write("inputs/requirements.txt", lock)
    box.write("inputs/torch_check.py", script("torch_check.py"))
    (box.root / "venv/bin").mkdir(parents=True, exist_ok=True)
    box.program("uv", f'echo "$@" >> {box.root}/calls; [[ $2 != freeze ]] || echo six==1.17.0')
    link = box.root / "venv/bin/python"
    if not link.exists():
        link.write_text(f'#!/bin/sh\nPYTHONPATH={box.root}/site exec {sys.executable} "$@"\n')
        link.chmod(0o755)
    given = {
        "DEV_PREFIX": str(box.root / "venv"),
        "DEV_TOOLS": str(box.root),
        "DEV_PYTHON_DIR": str(box.root / "python"),
        "DEV_CACHE": str(box.root / "cache"),
        "DEV_PYTHON_MANAGER": "uv",
        "DEV_TORCH_BACKEND": "cu130",
        "DEV_CPU_ACCEPTED": "false",
        "DEV_EXTRAS": "",
        "DEV_PROJECT": "",
        **env,
    }
    return box.run("packages", **given)


def calls(box: Box) -> list[str]:
    return (box.root / "calls").read_text().splitlines()


def test_the_lock_is_installed_by_its_sums(box: Box) -> None:
    done = packages(box, "six==1.17.0 --hash=sha256:00\n")
    assert done.returncode == 0, done.stderr
    install = calls(box)[0]
    assert install.startswith("pip install --python ")
    assert install.endswith(f"--require-hashes -r {box.root}/inputs/requirements.txt")
    # no torch: its index is not asked
    assert "--index " not in install
    assert (box.root / "share/python.txt").read_text() == "six==1.17.0\n"


@pytest.mark.parametrize(
    ("mirror", "index"),
    [
        ("", "https://download.pytorch.org/whl/cu130"),
        ("torch https://near.example.org/torch", "https://near.example.org/torch/cu130"),
        ("torch https://near.example.org/torch/{cuda}", "https://near.example.org/torch/cu130"),
        ("torch https://near.example.org/torch/cu130/", "https://near.example.org/torch/cu130/"),
    ],
)
def test_wheels_of_torch_come_from_the_index_of_the_backend(mirror: str, index: str, box: Box) -> None:
    box.write("secrets/build_mirrors", f"{mirror}\n")
    assert packages(box, "torch==2.9.1+cu130 --hash=sha256:00\n").returncode == 0
    assert f"--index {index} " in calls(box)[0]


def test_project_mode_by_its_lock(box: Box) -> None:
    box.write("inputs/pyproject.toml", "[project]\n")
    box.write("inputs/uv.lock", "version = 1\n")
    assert packages(box, "", DEV_EXTRAS="gpu dev").returncode == 0
    assert calls(box)[0].startswith("sync --directory ")
    assert calls(box)[0].endswith("--extra gpu --extra dev --no-install-project")


def test_project_mode_in_a_repository(box: Box) -> None:
    repository = box.root / "code"
    repository.mkdir()
    done = packages(box, "", DEV_PROJECT=str(repository), DEV_EXTRAS="gpu")
    assert (done.returncode, "has no uv.lock; run 'uv lock' there" in done.stderr) == (78, True)
    (repository / "uv.lock").write_text("version = 1\n")
    assert packages(box, "", DEV_PROJECT=str(repository), DEV_EXTRAS="gpu").returncode == 0
    assert calls(box)[-2].startswith(f"sync --directory {repository} --frozen --inexact")


@pytest.mark.parametrize(
    ("cuda", "backend", "accepted", "said"),
    [
        ("'13.0'", "cu130", "false", ""),
        ("None", "cpu", "false", ""),
        ("None", "cu130", "true", ""),
        ("None", "cu130", "false", "is a build without CUDA, and the wanted backend is cu130"),
        ("None", "auto", "false", "is a build without CUDA, and the wanted backend is auto"),
        ("'12.8'", "cu130", "false", "is built for cu128, and the wanted backend is cu130"),
    ],
)
def test_the_wrong_build_of_torch_fails_the_stage(cuda: str, backend: str, accepted: str, said: str, box: Box) -> None:
    box.write("site/torch/__init__.py", "raise SystemExit('must not be loaded')\n")
    box.write("site/torch/version.py", f"__version__ = '2.9.1'\ncuda = {cuda}\n")
    done = packages(box, "", DEV_TORCH_BACKEND=backend, DEV_CPU_ACCEPTED=accepted)
    record = box.root / "share/torch.json"
    if said:
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        assert said in done.stderr
        assert not record.exists()
    else:
        assert done.returncode == 0, done.stderr
        found = json.loads(record.read_text())
        assert (found["installed"], found["version"], found["backend"]) == (True, "2.9.1", backend)


def test_source_builds_want_a_compiler_and_keep_the_rest(box: Box) -> None:
    box.write("inputs/source_builds", "flash-attn==2.8.3\n")
    log = box.root / "calls"
    box.program("uv", f'echo "$MAX_JOBS $*" >> {log}; [[ $2 != freeze ]] || printf "torch==2.9.1\\nx @ file:///x\\n"')
    given = {
        "DEV_PREFIX": str(box.root / "venv"),
        "DEV_TOOLS": str(box.root),
        "DEV_PYTHON_MANAGER": "uv",
        "DEV_CACHE": str(box.root / "cache"),
        "DEV_TORCH_BACKEND": "cu130",
        "DEV_MAX_JOBS": "3",
    }
    if shutil.which("nvcc") is None:
        done = box.run("source_builds", **given)
        assert (done.returncode, "needs nvcc, and there is none here; use a base image" in done.stderr) == (78, True)
    box.program("nvcc", "exit 0")
    box.write("share/python.txt", "torch==2.9.1\n")
    assert box.run("source_builds", **given).returncode == 0
    last, freeze = calls(box)[-2:]
    assert last.startswith("3 pip install ")
    # the image's own list holds them, so that nobody takes them for packages of the user
    assert freeze.startswith("3 pip freeze ")
    assert (box.root / "share/python.txt").read_text() == "torch==2.9.1\nx @ file:///x\n"
    assert "--constraint" in last
    assert last.endswith(f"--no-build-isolation -r {box.root}/inputs/source_builds")


# --- artefacts --------------------------------------------------------------------------------------------------------


def bring(box: Box, name: str, text: str) -> None:
    (box.root / "dl" / name).write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    box.write("inputs/downloads", f"{digest} {name} https://dl.example.org/{name}\n")


INSTALLER = """#!/usr/bin/env bash
echo run >> "$HOME/installer"
while [[ $1 != -p ]]; do shift; done
mkdir -p "$2/bin" "$2/pkgs"
"""


@pytest.mark.parametrize("channel", ["defaults", "main", "https://repo.anaconda.com/pkgs/main"])
def test_conda_asks_for_consent_to_the_terms(channel: str, box: Box) -> None:
    bring(box, "miniforge.sh", INSTALLER)
    box.write("inputs/condarc", f"channels:\n  - {channel}\n")
    given = {"DEV_CONDA": str(box.root / "conda"), "DEV_CONDA_VERSION": "1", "DEV_ANACONDA_TERMS": "no"}
    done = box.run("conda", **given)
    assert (done.returncode, "whose terms must be accepted" in done.stderr) == (78, True)
    assert not (box.root / "conda").exists()
    assert box.run("conda", **{**given, "DEV_ANACONDA_TERMS": "yes"}).returncode == 0


def test_conda_is_installed_once_a_version(box: Box) -> None:
    bring(box, "miniforge.sh", INSTALLER)
    box.write("inputs/condarc", "channels:\n  - conda-forge\nauto_activate_base: false\n")
    for version in ("1", "1", "2"):
        given = {"DEV_CONDA": str(box.root / "conda"), "DEV_CONDA_VERSION": version, "DEV_ANACONDA_TERMS": "no"}
        assert box.run("conda", **given).returncode == 0
    assert (box.root / "installer").read_text() == "run\nrun\n"
    assert "auto_activate_base: false" in (box.root / "conda/.condarc").read_text()


RUSTUP_INIT = """#!/usr/bin/env bash
echo "init $*; $RUSTUP_DIST_SERVER" >> "$HOME/calls"
mkdir -p "$CARGO_HOME/bin"
printf '#!/bin/sh\\necho "rustup $*" >> "$HOME/calls"\\n[ "$1" != run ] || [ -e "$HOME/done" ]\\n' \\
  > "$CARGO_HOME/bin/rustup"
printf '#!/bin/sh\\ntouch "$HOME/done"\\n' > "$CARGO_HOME/bin/cargo"
chmod 755 "$CARGO_HOME/bin/rustup" "$CARGO_HOME/bin/cargo"
"""


def test_rust_is_pinned_and_comes_through_the_mirror(box: Box) -> None:
    bring(box, "rustup-init", RUSTUP_INIT)
    box.write("secrets/build_mirrors", "rustup https://near.example.org/rust\n")
    given = {"DEV_RUST": str(box.root / "rust"), "DEV_RUST_TOOLCHAIN": "1.90.0"}
    done = box.run("rust", **given)
    assert done.returncode == 0, done.stderr
    assert calls(box)[0].endswith("--default-toolchain none; https://near.example.org/rust")
    assert any(call.startswith("rustup toolchain install 1.90.0 ") for call in calls(box))
    before = len(calls(box))
    assert box.run("rust", **given).returncode == 0
    assert calls(box)[before:] == ["rustup run 1.90.0 rustc --version"]


def test_code_server_and_its_extensions(box: Box) -> None:
    text = f'#!/bin/sh\necho "$EXTENSIONS_GALLERY $*" >> {box.root}/calls\ncase "$*" in *bad*) exit 1;; esac\n'
    box.write("pack/code-server-1/bin/code-server", text).chmod(0o755)
    subprocess.run(
        ["tar", "-C", box.root / "pack", "-czf", box.root / "dl/code-server.tar.gz", "code-server-1"], check=True
    )
    digest = hashlib.sha256((box.root / "dl/code-server.tar.gz").read_bytes()).hexdigest()
    box.write("inputs/downloads", f"{digest} code-server.tar.gz https://dl.example.org/c\n")
    box.write("inputs/extensions", "a.b@1.2\nc.d\n")
    box.write("secrets/build_mirrors", "open-vsx https://near.example.org/\n")
    given = {
        "DEV_CODE_SERVER": str(box.root / "code-server"),
        "DEV_CODE_SERVER_VERSION": "1",
        "DEV_EXTENSIONS": str(box.root / "extensions"),
        "DEV_BIN": str(box.root / "bin"),
    }
    done = box.run("code_server", **given)
    assert done.returncode == 0, done.stderr
    assert [call.split()[-1] for call in calls(box)] == ["--version", "a.b@1.2", "c.d"]
    assert '"serviceUrl": "https://near.example.org/vscode/gallery"' in calls(box)[1]
    box.write("inputs/extensions", "bad.one@9\n")
    done = box.run("code_server", **given)
    assert (done.returncode, "the extension bad.one@9 could not be installed" in done.stderr) == (78, True)


# --- run-time files ---------------------------------------------------------------------------------------------------


def test_run_time_files_come_and_go(box: Box) -> None:
    given = {
        "DEV_ETC": str(box.root / "etc"),
        "DEV_RUN": str(box.root / "run"),
        "DEV_STATE": str(box.root / "state"),
        "DEV_SERVICE_OWNER": f"{os.getuid()}:{os.getgid()}",
        "DEV_BASHRC": str(box.write("bashrc", "# theirs")),
    }
    box.write("inputs/a", "1\n")
    box.write("inputs/b", "2\n")
    box.write("inputs/manifest", f"0755 a {box.root}/out/a\n0644 b {box.root}/out/deep er/b\n")
    assert box.run("services", **given).returncode == 0
    assert (box.root / "out/a").stat().st_mode & 0o777 == 0o755
    assert (box.root / "out/deep er/b").read_text() == "2\n"
    box.write("inputs/manifest", f"0755 a {box.root}/out/a\n")
    box.write("inputs/a", "3\n")
    assert box.run("services", **given).returncode == 0
    assert (box.root / "out/a").read_text() == "3\n"
    assert not (box.root / "out/deep er/b").exists()
    assert (box.root / "bashrc").read_text().count("etc/bashrc") == 2  # one line, which names it twice
