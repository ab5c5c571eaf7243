# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: engine_runtime
short_description: Make a runtime known to containerd's CRI plugin or to CRI-O
version_added: 0.1.0
description:
  - Writes a drop-in, C(/etc/containerd/conf.d/99-nvidia.toml) with one line of imports in
    C(/etc/containerd/config.toml), or C(/etc/crio/crio.conf.d/99-nvidia.toml). Everything else in the engine's own file
    stays byte for byte.
  - The options of runc, such as C(SystemdCgroup), hold for the new runtime, too. The default runtime stays.
  - For containerd the drop-in repeats the section of the CRI plugin, because releases before 2.1 replace sections; it
    is written anew when that section has changed.
  - Refuses containerd with its CRI plugin switched off, and configuration of version 1, which has no drop-ins.
  - Docker needs none of this (M(gpuready.bootstrap.docker_daemon)), Podman neither.
  - Restarts nothing; RV(pending) says whether the service has not read the files yet.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.root
options:
  engine:
    description: The engine.
    type: str
    choices: [containerd, crio]
    required: true
  name:
    description: Name of the runtime.
    type: str
    default: nvidia
  path:
    description: Its program.
    type: str
    default: /usr/bin/nvidia-container-runtime
  state:
    description: Whether the engine knows the runtime. V(absent) gives the files back as they were.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
seealso:
  - module: gpuready.bootstrap.docker_daemon
"""

EXAMPLES = r"""
- name: Make the runtime known to containerd
  gpuready.bootstrap.engine_runtime:
    engine: containerd
  register: runtime

- name: Let it read its files (containers go on)
  ansible.builtin.systemd_service:
    name: "{{ runtime.service }}"
    state: restarted
  when: runtime.pending
"""

RETURN = r"""
pending:
  description: Whether the service runs and is older than the files. In check mode, whether it would be.
  returned: success
  type: bool
  sample: true
service:
  description: The unit of the engine.
  returned: success
  type: str
  sample: containerd.service
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/etc/containerd/conf.d/99-nvidia.toml, /etc/containerd/config.toml]
kept:
  description: Files that were not given back, because somebody else has edited them since.
  returned: success
  type: list
  elements: str
  sample: []
"""

import fnmatch
import glob
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _engine_runtime as engine
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._engine_runtime import EngineError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import TomlError

SERVICES = {"containerd": "containerd.service", "crio": "crio.service"}
DROP_INS = {"containerd": engine.CONTAINERD_DROP_IN, "crio": engine.CRIO_DROP_IN}
PROC = "/proc"
# btime is in whole seconds
SLACK = 2.0


class Registration:
    """The files of one engine, as they are and as they shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate) -> None:
        self.module, self.gate, self.params = module, gate, module.params
        self.engine: str = self.params["engine"]
        self.drop_in = DROP_INS[self.engine]

    def present(self) -> None:
        name, path = self.params["name"], self.params["path"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or not path.startswith("/"):
            raise EngineError(f"name {name!r} must be a plain word, and path {path!r} an absolute one")
        self._containerd(name, path) if self.engine == "containerd" else self._crio(name, path)

    def _containerd(self, name: str, path: str) -> None:
        main = self._text(engine.CONTAINERD)
        with _Named(engine.CONTAINERD):
            engine.refuse_disabled(main)
            wanted = engine.with_import(main)
            order = self._import_order(wanted)
        others = [file for file in order if file != self.drop_in]
        texts = {engine.CONTAINERD: main or "", **{file: self._text(file) or "" for file in others}}
        for file, text in texts.items():
            with _Named(file):
                toml.loads(text)
        later = engine.later_section(order, texts)
        if later:
            raise EngineError(
                f"{later} is read after {self.drop_in} and has a section of the CRI plugin, too, that would hide ours; "
                "move it into a file whose name comes first"
            )
        content = engine.containerd_drop_in(texts, name, path)
        # the drop-in first: a run killed in between leaves a file that nobody reads yet
        self.gate.write(self.drop_in, content, mode=0o644)
        if wanted != (main or ""):
            self.gate.write(engine.CONTAINERD, wanted, shared=True)

    def _import_order(self, main: str) -> list[str]:
        """The imported files in the order in which containerd reads them, ours among them."""
        found: list[str] = []
        for pattern in engine.imported_patterns(main):
            base = self.gate.real(os.path.dirname(pattern)) + "/" + os.path.basename(pattern)
            names = {os.path.dirname(pattern) + "/" + os.path.basename(one) for one in glob.glob(base)}
            if fnmatch.fnmatchcase(self.drop_in, pattern):
                names.add(self.drop_in)
            found += [name for name in sorted(names) if name not in found]
        return found

    def _crio(self, name: str, path: str) -> None:
        folder = self.gate.real(engine.CRIO_DROP_INS)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        files = [engine.CRIO, *(f"{engine.CRIO_DROP_INS}/{one}" for one in names)]
        texts = {file: self._text(file) or "" for file in files if file != self.drop_in}
        for file, text in texts.items():
            with _Named(file):
                toml.loads(text)
        self.gate.write(self.drop_in, engine.crio_drop_in(texts, name, path), mode=0o644)

    def absent(self) -> None:
        self.gate.restore(self.drop_in)
        record = self.gate.record(engine.CONTAINERD)
        if self.engine != "containerd" or record is None:
            return
        # the module containerd_root has a key in this file, too, and gives it back itself
        shared = bool(record.meta.get("root"))
        if self.gate.restorable(engine.CONTAINERD) and not shared:
            self.gate.restore(engine.CONTAINERD)
            return
        main = self._text(engine.CONTAINERD)
        if main is not None:
            with _Named(engine.CONTAINERD):
                self.gate.write(engine.CONTAINERD, engine.without_import(main), shared=True)
        if not shared:
            self.gate.forget(engine.CONTAINERD)

    def _text(self, path: str) -> str | None:
        raw = self.gate.read(path)
        try:
            return None if raw is None else raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EngineError(f"{path} is not UTF-8 (byte {error.start}); correct it by hand") from error

    def pending(self) -> bool:
        """Whether the service runs and has started before one of our files was written."""
        if self.params["root"] != "/":
            return self.gate.changed
        runner = Runner(self.module.run_command)
        shown = runner.run(["systemctl", "show", "--property=MainPID", "--value", SERVICES[self.engine]])
        started = process_start(shown.stdout.strip()) if shown.status == "ok" else None
        if started is None:
            return False
        files = [self.drop_in, engine.CONTAINERD] if self.engine == "containerd" else [self.drop_in]
        ours = [path for path in files if self.gate.record(path) is not None]
        newest = max((os.stat(self.gate.real(path)).st_mtime for path in ours if os.path.exists(path)), default=0.0)
        return self.gate.changed or newest > started + SLACK


class _Named:
    """Put the name of the file before what is wrong in it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, TomlError):
            raise EngineError(f"{self.path} is not valid TOML, {error}; correct it by hand first") from error


def process_start(pid: str, proc: str | None = None) -> float | None:
    """Seconds since 1970 at which a process started (proc(5): field 22 is ticks after btime); None for no process."""
    folder = proc or PROC
    try:
        with open(f"{folder}/{int(pid)}/stat", encoding="utf-8", errors="replace") as handle:
            ticks = int(handle.read().rpartition(")")[2].split()[19])
        with open(f"{folder}/stat", encoding="utf-8") as handle:
            boot = next(int(line.split()[1]) for line in handle if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["containerd", "crio"], "required": True},
            "name": {"type": "str", "default": "nvidia"},
            "path": {"type": "str", "default": "/usr/bin/nvidia-container-runtime"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    try:
        registration = Registration(module, gate)
        registration.present() if module.params["state"] == "present" else registration.absent()
        pending = registration.pending()
    except (EngineError, FileGateError, ValueError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        text = f"Runtime for {module.params['engine']}: {str(error).rstrip('.')}. {done}"
        module.fail_json(msg=text, **gate.result())
    if gate.kept:
        module.warn(f"left as somebody else edited them since: {', '.join(gate.kept)}")
    module.exit_json(pending=pending, service=SERVICES[module.params["engine"]], **gate.result())


if __name__ == "__main__":
    main()
