# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: initramfs
short_description: Rebuild the images that kernels boot with, only where their inputs have changed
version_added: 0.1.0
description:
  - Keeps C(/var/lib/gpuready/initramfs.json), which says which contents of O(inputs) were built into the image of which
    kernel. An image is rebuilt where another content was built in, where it is missing, and where it is older than the
    one that was built. A run that was killed between a changed file and the rebuild is thus mended by the next run.
  - Uses C(update-initramfs) where there is one, else C(dracut).
  - Refuses before anything is done where the file system of the image has too little room.
  - The file that remembers is written only after all images were built.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  inputs:
    description:
      - Files whose contents the images must hold, whether they exist or not.
      - Required with O(state=present). With O(state=absent) those that were built in when empty.
    type: list
    elements: path
    default: []
  kernels:
    description:
      - Kernel releases, such as V(6.1.0-50-amd64). The running and the newest one in C(/boot) when empty.
      - One without a folder below C(/lib/modules) is left out, and RV(notes) says so.
    type: list
    elements: str
    default: []
  free_mib_min:
    description:
      - MiB that must be free besides the room for the images. An image that exists counts with its size, since the new
        one is written beside it; one that is missing counts with 150 MiB.
    type: int
    default: 10
  timeout:
    description: Seconds that building one image may take.
    type: int
    default: 900
  state:
    description:
      - V(present) makes the images hold the inputs as they are now.
      - V(absent) does the same if the inputs differ from what was built in, also for other kernels whose image is as
        new as those that were built, and then forgets them. Call it after the inputs were given back. Nothing happens
        where nothing was ever built.
    type: str
    choices: [present, absent]
    default: present
  root:
    description:
      - Folder below which all paths lie, for tests. With another one than V(/) no command is run, so that only a run
        that has nothing to build, or one in check mode, can succeed.
    type: path
    default: /
attributes:
  diff_mode:
    details: Shows the digests of the inputs, not the images.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: The images know that nouveau is off
  gpuready.bootstrap.initramfs:
    inputs:
      - /etc/modprobe.d/gpuready-nouveau.conf
      - /etc/modules-load.d/gpuready-nvidia.conf
"""

RETURN = r"""
rebuilt:
  description: Kernels whose image was built, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [6.1.0-50-amd64]
reason:
  description: Why they were built; empty if none was.
  returned: always
  type: str
  sample: "changed since the images were built: /etc/modprobe.d/gpuready-nouveau.conf"
notes:
  description: Kernels that were left out, and why.
  returned: always
  type: list
  elements: str
  sample: []
images:
  description: The image of each kernel that was looked at.
  returned: success
  type: dict
  sample: {6.1.0-50-amd64: /boot/initrd.img-6.1.0-50-amd64}
tool:
  description: The program that builds images here; V(null) if there is none, and none was needed.
  returned: success
  type: str
  sample: update-initramfs
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._initramfs import (
    MIB,
    STAMP,
    Boot,
    Image,
    Stamp,
    digests,
    read_stamp,
    render_stamp,
    room_needed,
    same_stamp,
    stale,
)

TOOLS = ("update-initramfs", "dracut")
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
ERROR_LINES = 3
CLOCK_S = 2  # FAT keeps even seconds only


class InitramfsError(Exception):
    """The images cannot be built; the text is one sentence for the user."""


class Initramfs:
    """The images as they are and as they shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner = module, gate, runner
        self.boot = Boot(gate)
        self.tool = next((name for name in TOOLS if runner.which(name)), None)
        self.stamp: Stamp | None = None
        self.reason = ""
        self.rebuilt: list[str] = []
        self.notes: list[str] = []
        self.paths: dict[str, str] = {}
        self.diffs: list[dict[str, str]] = []
        self.removed = False

    def look(self) -> None:
        self.stamp = read_stamp(self.gate.read(STAMP))

    def present(self) -> None:
        inputs: list[str] = self.module.params["inputs"]
        if not inputs:
            raise InitramfsError("inputs is empty, so nothing tells when to build; name the files that the images hold")
        now = digests(self.gate, inputs)
        self._bring(now, self._kernels([]))
        if self.module.check_mode:
            return
        # what was built in is what was there before building
        stamp = Stamp(now, self._built(now))
        if not same_stamp(self.stamp, stamp):
            self.gate.write(STAMP, render_stamp(stamp), mode=0o644)

    def _built(self, now: dict[str, str | None]) -> dict[str, Image]:
        """The images that hold the inputs: those looked at, and former ones if no input has changed since."""
        paths = dict(self.paths)
        if self.stamp is not None and self.stamp.inputs == now:
            former = {release: self.boot.image_path(release, self.tool or TOOLS[0]) for release in self.stamp.kernels}
            paths = {**former, **paths}
        images = {release: self.boot.image(path) for release, path in paths.items()}
        return {release: image for release, image in images.items() if image is not None}

    def absent(self) -> None:
        if self.stamp is None and self.gate.read(STAMP) is None:
            return
        known = self.stamp or Stamp()
        inputs = digests(self.gate, self.module.params["inputs"] or known.inputs)
        if self.stamp is None or any(known.inputs.get(path, "") != digest for path, digest in inputs.items()):
            self._bring(inputs, self._kernels(self._ours(known)))
        self.removed = self.gate.restore(STAMP, ours=True)

    def _ours(self, known: Stamp) -> list[str]:
        """Kernels whose image may hold our inputs: built by us, or by their package since then."""
        oldest = min((image.mtime for image in known.kernels.values()), default=0)
        found = []
        for release in dict.fromkeys([*known.kernels, *self.boot.with_image()]):
            image = self.boot.image(self.boot.image_path(release, self.tool or TOOLS[0]))
            if image is not None and image.mtime >= oldest:
                found.append(release)
        return found

    # -- what to build ---------------------------------------------------------------------------------------
    def _kernels(self, more: list[str]) -> list[str]:
        """The kernels that have modules. Those in `more` had an image of ours; some are gone by now."""
        given: list[str] = self.module.params["kernels"]
        newest = self.boot.newest()
        wanted = given or [self.boot.running(), *([newest] if newest else [])]
        found = []
        for release in dict.fromkeys([*wanted, *more]):
            if not release or "/" in release:
                raise InitramfsError(f"{release!r} in kernels is no kernel release, such as 6.1.0-50-amd64")
            if self.boot.has_modules(release):
                found.append(release)
            elif release in wanted:
                self.notes.append(f"{release} was left out: there is no /lib/modules/{release}")
        return found

    def _bring(self, inputs: dict[str, str | None], kernels: list[str]) -> None:
        """Make the images of the kernels hold the inputs."""
        self.paths = {release: self.boot.image_path(release, self.tool or TOOLS[0]) for release in kernels}
        images = {release: self.boot.image(path) for release, path in self.paths.items()}
        todo, self.reason = stale(inputs, images, self.stamp)
        if not todo:
            return
        if self.tool is None:
            raise InitramfsError(
                "neither update-initramfs nor dracut was found, so no image can be built; "
                "install initramfs-tools or dracut"
            )
        self._check_room([(self.paths[release], images[release]) for release in todo])
        self._note_diff(inputs, todo)
        for release in todo:
            if not self.module.check_mode:
                self._build(release, images[release])
            self.rebuilt.append(release)

    def _check_room(self, todo: list[tuple[str, Image | None]]) -> None:
        need = room_needed([image for _path, image in todo], self.module.params["free_mib_min"])
        path = todo[0][0]
        free = self.boot.free(path)
        if free < need:
            raise InitramfsError(
                f"{os.path.dirname(path)} has {free // MIB} MiB free, but building {len(todo)} image(s) needs "
                f"{-(-need // MIB)} MiB; remove kernels that are not needed any more (apt-get autoremove --purge, or "
                "dnf remove --oldinstallonly), and run again"
            )

    def _note_diff(self, inputs: dict[str, str | None], todo: list[str]) -> None:
        def lines(values: dict[str, str | None]) -> str:
            return "".join(f"{path}: {digest or 'absent'}\n" for path, digest in sorted(values.items()))

        before = lines({p: d for p, d in self.stamp.inputs.items() if p in inputs}) if self.stamp else "unknown\n"
        for release in todo:
            header = self.paths[release]
            self.diffs.append(
                {"before_header": header, "after_header": header, "before": before, "after": lines(inputs)}
            )

    # -- building --------------------------------------------------------------------------------------------
    def _build(self, release: str, old: Image | None) -> None:
        path, tool = self.paths[release], str(self.tool)
        lay_there = self.boot.leftovers(path)
        began = int(time.time())
        if tool == "dracut":
            argv = [tool, "--force", "--kver", release]
        else:
            argv = [tool, "-c" if old is None else "-u", "-k", release]
        result = self.runner.run(argv, timeout=self.module.params["timeout"])
        self.paths[release] = path = self.boot.image_path(release, tool)  # Debian's dracut has another default
        new = self.boot.image(path)
        if result.status == "ok" and new is not None and new.size > 0 and new.mtime >= began - CLOCK_S:
            return
        self._clean(self.boot.leftovers(path) - lay_there)
        raise InitramfsError(_failure(" ".join(argv), result, path, old, new))

    def result(self) -> dict[str, Any]:
        return {
            "changed": bool(self.rebuilt) or self.removed,
            "diff": self.diffs,
            "rebuilt": self.rebuilt,
            "reason": self.reason,
            "notes": self.notes,
        }

    def _clean(self, paths: set[str]) -> None:
        for path in sorted(paths):
            try:
                os.unlink(self.gate.real(path))
            except OSError as error:
                self.notes.append(f"{path} is half-written and could not be deleted: {error.strerror or error}")


def _failure(command: str, result: CommandResult, path: str, old: Image | None, new: Image | None) -> str:
    """Say how a build went wrong, and what the kernel boots with now."""
    lines = [line.strip() for line in (result.stderr + "\n" + result.stdout).splitlines() if line.strip()]
    if result.status == "ok":
        reason = f"it ended well, but did not write {path}"
        if command.startswith(TOOLS[0]):
            reason += "; see update_initramfs in /etc/initramfs-tools/update-initramfs.conf, which may be set to no"
    else:
        errors = [line.strip() for line in result.stderr.splitlines() if line.strip()] or lines
        reason = " | ".join(errors[-ERROR_LINES:]) or str(result.error)
        if result.status == "timeout":
            reason = f"{result.error}; {reason}"
    if old is None:
        state = "there was no image before" if new is None else f"{path} may be damaged"
    else:
        state = "the old image is unchanged" if new == old else f"{path} may be damaged: build it again before a reboot"
    return f"'{command}' failed: {reason}; {state}, and the next run tries again"


def make_runner(module: AnsibleModule) -> Runner:
    """The real one; tests put another in its place."""
    root = module.params["root"].rstrip("/")

    def refuse(*_args: Any, **_options: Any) -> tuple[int, Any, Any]:
        raise RuntimeError(f"no command is run for root {root}")

    return Runner(refuse if root else module.run_command, search=[root + folder for folder in SBIN])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "inputs": {"type": "list", "elements": "path", "default": []},
            "kernels": {"type": "list", "elements": "str", "default": []},
            "free_mib_min": {"type": "int", "default": 10},
            "timeout": {"type": "int", "default": 900},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    work = Initramfs(module, FileGate(module, module.params["root"]), make_runner(module))
    try:
        work.look()
        work.present() if module.params["state"] == "present" else work.absent()
    except (InitramfsError, FileGateError) as error:
        done = f"Built before that: {', '.join(work.rebuilt)}." if work.rebuilt else "Nothing was changed."
        module.fail_json(msg=f"initramfs: {str(error).rstrip('.')}. {done}", **work.result())
    module.exit_json(images=work.paths, tool=work.tool, **work.result())


if __name__ == "__main__":
    main()
