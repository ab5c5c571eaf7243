# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: python_lock
short_description: Lock Python packages with hashes
version_added: 0.1.0
description:
  - Resolves requirements with C(uv) and writes all packages, exact and with the hashes of their files. No package is
    downloaded, only its metadata.
  - The file names neither an index nor a date, so that it installs through any mirror, and stays byte for byte the same
    where nothing changed. Its head holds a digest of the inputs; a lock of the same inputs is left alone.
  - Runs where C(uv) is, which is the controller as a rule (C(delegate_to=localhost)).
  - C(uv) trusts the certificate authorities of the system, as pip does, unless C(UV_SYSTEM_CERTS) says otherwise.
  - Packages whose version the old file has keep it where the new inputs allow that; O(refresh) takes the newest.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  dest:
    description: The file. One that is not a lock of this module is refused.
    type: path
    required: true
  requirements:
    description: Requirements such as V(torch) or V(numpy>=2).
    type: list
    elements: str
    required: true
  python_version:
    description: The oldest Python that the lock serves.
    type: str
    default: "3.11"
  python_below:
    description: The first Python that it does not serve. Empty sets no limit.
    type: str
    default: "3.15"
  platform:
    description: V(linux) serves x86_64 and aarch64; with the others the lock is for one of them.
    type: str
    choices: [linux, x86_64, aarch64]
    default: linux
  index_url:
    description:
      - Package index. Empty leaves it to the settings of uv, and to C(PIP_INDEX_URL) where those name none.
      - Credentials in it are never shown.
    type: str
    default: ""
  torch_backend:
    description: >-
      V(auto) takes torch from the same index as the rest; the default wheels there are builds with CUDA. V(cpu), or a
      CUDA version such as V(cu130), takes O(torch_packages) from PyTorch's index of that build.
    type: str
    default: auto
  torch_index_url:
    description: >-
      Mirror of PyTorch's wheels, such as V(https://mirror.example.org/whl/{cuda}); without C({cuda}) the build is the
      last part of the address. Empty is PyTorch's own.
    type: str
    default: ""
  torch_packages:
    description: Packages that come from the index of O(torch_backend).
    type: list
    elements: str
    default: [torch, torchvision, torchaudio]
  refresh:
    description: Take the newest of everything, even where the inputs are the same.
    type: bool
    default: false
  sources:
    description: >-
      Whether packages without a wheel may be locked, too. Their own build code then runs here. Without it they are
      refused.
    type: bool
    default: false
  uv:
    description: Path of uv. Empty looks beside the Python of this module, then in C(PATH).
    type: path
    default: ""
  timeout:
    description: Seconds for the resolver.
    type: int
    default: 300
notes:
  - In check mode the packages are resolved as well, and only the file is not written.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Lock the packages of the environment
  gpuready.bootstrap.python_lock:
    dest: "{{ playbook_dir }}/locks/{{ inventory_hostname }}.txt"
    requirements: [jupyterlab, ipykernel, torch, polars>=1.30]
    uv: "{{ ansible_playbook_python | dirname }}/uv"
  delegate_to: localhost
  become: false

- name: With torch for CUDA 12.6, through a mirror
  gpuready.bootstrap.python_lock:
    dest: locks/old-driver.txt
    requirements: [torch, torchvision]
    platform: x86_64
    torch_backend: cu126
    torch_index_url: https://mirror.example.org/whl/{cuda}
  delegate_to: localhost
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
  sample: locks/gpu01.txt
inputs:
  description: Digest of the inputs, as it stands in the head of the file.
  returned: success
  type: str
  sample: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
resolved:
  description: Whether the packages were resolved; without it the file was already a lock of these inputs.
  returned: success
  type: bool
  sample: true
packages:
  description: How many packages are locked.
  returned: success
  type: int
  sample: 116
torch_cuda:
  description: CUDA of the locked torch, or V(cpu). V(null) without torch, or where its metadata does not tell.
  returned: success
  type: str
  sample: "13.2"
moved:
  description: Packages whose version changed, as V(from -> to); a new or removed one has one side only.
  returned: success
  type: dict
  sample: {numpy: "2.5.4 -> 2.5.5"}
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

# of Debian's family, and of Red Hat's
STORES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_PYTHON = re.compile(r"3\.\d{1,2}")
_BACKEND = re.compile(r"auto|cpu|cu\d{2,3}")


class LockError(Exception):
    """There is no lock; the text is one sentence for the user."""


def wrong(inputs: locks.Inputs) -> str:
    """What about the inputs cannot be, in one sentence; empty where all is well."""
    if not inputs.requirements:
        return "requirements is empty; name at least one package"
    for item in inputs.requirements:
        if not locks.name_of(item) or "\n" in item:
            return f"{redact_url(item)!r} in requirements is not the name of a package; write it like numpy>=2"
        if "://" in item:
            said = redact_url(item)
            return f"{said!r} in requirements holds an address, which no mirror can serve; name the package alone"
    for name, value in (("python_version", inputs.python_version), ("python_below", inputs.python_below or "3.0")):
        if not _PYTHON.fullmatch(value):
            return f'{name} {value!r} must be a version such as "3.12"'
    if inputs.python_below and _minor(inputs.python_below) <= _minor(inputs.python_version):
        return f"no Python is from {inputs.python_version} on and below {inputs.python_below} (python_below)"
    if not _BACKEND.fullmatch(inputs.torch_backend):
        return f"torch_backend {inputs.torch_backend!r} must be auto, cpu, or a CUDA version such as cu130"
    return ""


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def moved(before: str, after: str) -> dict[str, str]:
    """Packages whose versions differ between two locks."""
    old, new = locks.pins(before), locks.pins(after)
    found = {}
    for name in sorted({*old, *new}):
        was, now = (", ".join(side.get(name, [])) for side in (old, new))
        if was != now:
            found[name] = f"{was} -> {now}".strip()
    return found


class LockGate(FileGate):
    """Writes without keeping originals: a lock can be made anew, and on a controller the store is not ours to write."""

    def _remember(
        self, path: str, current: bytes | None, wanted: bytes | None, shared: bool, meta: dict[str, Any] | None
    ) -> None:
        """Nothing."""

    @contextlib.contextmanager
    def _forgotten_on_failure(self, path: str) -> Iterator[None]:
        """Nothing either: not even the index may be ours to read."""
        yield


def forget_settings() -> None:
    """Take what would change the choice of packages, or keep uv from its file, out of this process' environment."""
    for name in ("TORCH_BACKEND", "CONSTRAINT", "OVERRIDE", "PRERELEASE", "RESOLUTION", "EXCLUDE_NEWER", "NO_CONFIG"):
        os.environ.pop(f"UV_{name}", None)


def trust_the_system(stores: Sequence[str] = STORES) -> None:
    """Let uv trust what the system trusts, as pip does: the authority of a company's proxy stands there, not in uv.

    What the user has chosen for uv stays. Source: `uv help pip compile`, --system-certs.
    """
    if any(os.path.exists(path) for path in stores):
        os.environ.setdefault("UV_SYSTEM_CERTS", "true")


class PythonLock:
    """The lock as it is and as it shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.params, self.gate, self.runner, self.tmpdir = module.params, gate, runner, module.tmpdir
        names = ("requirements", "python_version", "python_below", "platform", "torch_backend", "torch_packages")
        self.inputs = locks.make_inputs(**{name: self.params[name] for name in names})

    def run(self) -> dict[str, object]:
        said = wrong(self.inputs)
        if said:
            raise LockError(said)
        dest: str = self.params["dest"]
        before = (self.gate.read(dest) or b"").decode("utf-8", "replace")
        if before.strip() and locks.head_of(before) is None:
            raise LockError(f"{dest} is not a lock of this module; name another dest, or move the file away")
        resolved = self.params["refresh"] or not locks.current(before, self.inputs)
        after = self._resolve(before) if resolved else before
        self.gate.write(dest, after)
        return {
            "dest": dest,
            "inputs": locks.digest(self.inputs),
            "resolved": resolved,
            "packages": len(locks.pins(after)),
            "torch_cuda": locks.torch_cuda(after),
            "moved": moved(before, after),
        }

    def _resolve(self, before: str) -> str:
        uv = self._uv()
        folder = tempfile.mkdtemp(prefix="gpuready-lock-", dir=self.tmpdir)  # 0700: addresses may hold credentials
        try:
            output = os.path.join(folder, "lock.txt")
            self._write(os.path.join(folder, "pyproject.toml"), self._project())
            if before and not self.params["refresh"]:
                self._write(output, locks.body_of(before))
            forget_settings()
            trust_the_system()
            result = self.runner.run(self._command(uv, folder), timeout=self.params["timeout"])
            if result.status != "ok":
                raise LockError(self._why(result))
            with open(output, encoding="utf-8") as stream:
                text = locks.render(self.inputs, stream.read())
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        leak = locks.leaks(text)
        if leak:
            raise LockError(
                f"uv wrote an address into the lock ({leak}), which no mirror could serve; ask for the package alone"
            )
        return text

    def _uv(self) -> str:
        given: str = self.params["uv"]
        beside = os.path.join(os.path.dirname(sys.executable), "uv")
        for candidate in [given] if given else [beside, "uv"]:
            found = self.runner.which(candidate)
            if found:
                return found
        where = given or f"{beside} and in PATH"
        advice = "install it where this task runs (pip install uv), or name its path in uv"
        raise LockError(f"uv is not there (looked at {where}); {advice}")

    def _torch_url(self) -> str:
        return locks.torch_url(self.params["torch_index_url"], self.inputs.torch_backend)

    def _project(self) -> str:
        backend_url = "" if self.inputs.torch_backend == locks.AUTO else self._torch_url()
        return locks.project(self.inputs, self._index(), backend_url)

    def _index(self) -> str:
        given: str = self.params["index_url"]
        named = any(os.environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"))
        return given or ("" if named else os.environ.get("PIP_INDEX_URL", ""))

    def _command(self, uv: str, folder: str) -> list[str]:
        command = [uv, "pip", "compile", "pyproject.toml", "--directory", folder, "--output-file", "lock.txt"]
        command += ["--universal", "--python-version", self.inputs.python_version, "--python", sys.executable]
        command += ["--generate-hashes", "--no-header", "--annotation-style", "line", "--no-python-downloads"]
        command += ["--quiet", "--no-progress", "--color", "never"]
        if not self.params["sources"]:
            command.append("--no-build")
        if self.params["refresh"]:
            command += ["--upgrade", "--refresh"]
        if self.inputs.torch_backend != locks.AUTO and not self._torch_url():
            command += ["--torch-backend", self.inputs.torch_backend]
        return command

    def _why(self, result: CommandResult) -> str:
        dest = self.params["dest"]
        kept = f"{dest} is unchanged" if os.path.exists(self.gate.real(dest)) else f"{dest} was not written"
        if result.status == "timeout":
            return f"uv found no set of packages within {self.params['timeout']} s (timeout); {kept}"
        said = locks.words(result.stderr) or result.error or "uv said nothing"
        if "building from source is disabled" in said:
            said += " Packages without a wheel belong into dev_source_builds."
        what = "uv could not resolve the requirements" if "No solution" in said else "uv could not read what it needs"
        return f"{what}: {said} {kept[0].upper()}{kept[1:]}" if said.endswith(".") else f"{what}: {said}; {kept}"

    @staticmethod
    def _write(path: str, text: str) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "requirements": {"type": "list", "elements": "str", "required": True},
            "python_version": {"type": "str", "default": "3.11"},
            "python_below": {"type": "str", "default": "3.15"},
            "platform": {"type": "str", "choices": ["linux", "x86_64", "aarch64"], "default": "linux"},
            "index_url": {"type": "str", "default": "", "no_log": True},
            "torch_backend": {"type": "str", "default": "auto"},
            "torch_index_url": {"type": "str", "default": "", "no_log": True},
            "torch_packages": {"type": "list", "elements": "str", "default": ["torch", "torchvision", "torchaudio"]},
            "refresh": {"type": "bool", "default": False},
            "sources": {"type": "bool", "default": False},
            "uv": {"type": "path", "default": ""},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    gate = LockGate(module)
    try:
        result = PythonLock(module, gate, Runner(module.run_command)).run()
    except (LockError, FileGateError) as error:
        text = str(error)
        module.fail_json(msg=text if text.endswith((".", "…")) else f"{text}.")
    module.exit_json(**{**gate.result(), **result})


if __name__ == "__main__":
    main()
