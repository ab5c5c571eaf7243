# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dev_stages
short_description: Run the stages of a dev environment whose stamp differs, in their order
version_added: 0.1.0
description:
  - A stage is a bash script with all that goes into it. Its stamp is a digest of that and of the stamps of the stages
    that it is after. A script runs if its stamp differs from the one that its last good end has left, if a path that it
    makes is gone, or if a stage that it is after runs.
  - Stops at the first script that fails, with its last lines. Stamps are taken away before the first script runs and
    written when one has ended well, so that the next run mends what a killed one has left.
  - Files to download are fetched and verified before the first script runs.
  - A script sees C(DEV_INPUTS), C(DEV_DOWNLOADS) and C(DEV_SECRETS), the folders of its files, and its own environment.
    Secrets are files of mode 0600, in memory where there is a file system for that, and gone when the module ends.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  name:
    description: What the stages make, for messages.
    type: str
    default: dev environment
  dir:
    description: Folder for stamps, logs and work files, made where it is missing. One for each set of stages.
    type: path
    required: true
  stages:
    description: The stages in the order in which they run.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Short name.
        type: str
        required: true
      script:
        description: Text of the script, for bash. It must be one that may run twice.
        type: str
        required: true
      env:
        description: Variables for the script. They are part of the stamp and no place for secrets.
        type: dict
        default: {}
      inputs:
        description: Files below C(DEV_INPUTS), name and text.
        type: dict
        default: {}
      downloads:
        description: Files below C(DEV_DOWNLOADS).
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the file.
            type: str
            required: true
          url:
            description: Where it is. Not part of the stamp.
            type: str
            required: true
          sha256:
            description: What it must be.
            type: str
            required: true
      after:
        description: Stages that this one builds on; they stand before it.
        type: list
        elements: str
        default: []
      creates:
        description: Absolute paths that exist when the script has ended well. The stage runs again when one is gone.
        type: list
        elements: str
        default: []
      run_as:
        description: Account that runs the script. Empty for the one that runs the module.
        type: str
        default: ""
  secrets:
    description: Files below C(DEV_SECRETS), name and text. Not part of any stamp.
    type: dict
    default: {}
  timeout:
    description: Seconds that one script may take.
    type: int
    default: 7200
  state:
    description: V(absent) removes stamps, logs and work files, and nothing that the scripts have made.
    type: str
    choices: [present, absent]
    default: present
attributes:
  diff_mode:
    details: Shows the stamps, not what the scripts do.
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: An environment, and packages in it
  gpuready.bootstrap.dev_stages:
    dir: /data/gpuready/stages
    stages:
      - name: python
        script: python3 -m venv /data/gpuready/venv
        creates: [/data/gpuready/venv/bin/python]
      - name: packages
        script: /data/gpuready/venv/bin/pip install --require-hashes -r "$DEV_INPUTS/requirements.txt"
        inputs:
          requirements.txt: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
        after: [python]
"""

RETURN = r"""
ran:
  description: Stages that ran, or would in check mode, in their order.
  returned: always
  type: list
  elements: str
  sample: [python, packages]
why:
  description: The reason for each of them.
  returned: always
  type: dict
  sample: {python: it has not ended well yet, packages: it is after python}
kept:
  description: Stages that were as asked.
  returned: always
  type: list
  elements: str
  sample: [apt]
forgotten:
  description: Stages with a stamp that are not asked for any more. What they have made stays.
  returned: always
  type: list
  elements: str
  sample: []
seconds:
  description: How long each script took.
  returned: always
  type: dict
  sample: {packages: 41.2}
stage:
  description: The stage that failed.
  returned: when a script fails
  type: str
  sample: packages
output:
  description: Last lines of the script that failed.
  returned: when a script fails
  type: str
log:
  description: File on the target with its whole output.
  returned: when a script fails
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _dev_stages as logic
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_stages import StageError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_stages_run import ScriptError, Workplace
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError


class DevStages:
    """The stages as they shall be."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.gate = module, FileGate(module)
        self.params: dict[str, Any] = module.params
        self.stages: list[dict[str, Any]] = self.params["stages"]
        logic.check(self.stages)
        self.stamps_path = f"{self.params['dir'].rstrip('/')}/stamps.json"
        self.place = Workplace(self.params["dir"], self.params["secrets"], self.params["timeout"])
        read = logic.parse(self.gate.read(self.stamps_path))
        if read is None:
            module.warn(f"{self.stamps_path} cannot be read; all stages run again.")
        self.stamps = dict(read or {})
        self.result: dict[str, Any] = {
            "changed": False,
            "ran": [],
            "why": {},
            "kept": [],
            "forgotten": [],
            "seconds": {},
        }

    def present(self) -> None:
        reasons = logic.due(self.stages, self.stamps, self.place.missing(self.stages))
        old = logic.forgotten(self.stages, self.stamps)
        before = logic.render(self.stamps)
        wanted = logic.digests(self.stages)
        self.result.update(
            changed=bool(reasons or old),
            why=reasons,
            forgotten=old,
            kept=[stage["name"] for stage in self.stages if stage["name"] not in reasons],
        )
        if reasons or old:
            self.result["diff"] = [
                {"before_header": self.stamps_path, "after_header": self.stamps_path}
                | {"before": before, "after": logic.render(wanted)}
            ]
        if self.module.check_mode:
            self.result["ran"] = list(reasons)
        elif reasons or old:
            with self.place.locked():
                self._run([stage for stage in self.stages if stage["name"] in reasons], wanted, old)

    def _run(self, stages: list[dict[str, Any]], wanted: dict[str, str], old: list[str]) -> None:
        for stage in stages:
            self.place.prepare(stage)
        # before the first script: one that has no stamp is repeated, whatever happens to this run
        self.stamps = {
            name: stamp
            for name, stamp in self.stamps.items()
            if name not in old and name not in {stage["name"] for stage in stages}
        }
        self._save()
        for stage in stages:
            name = stage["name"]
            self.result["seconds"][name] = self.place.run(stage)
            self.result["ran"].append(name)
            self.stamps[name] = wanted[name]
            self._save()

    def _save(self) -> None:
        if self.gate.read(self.stamps_path) != logic.render(self.stamps).encode():
            self.gate.write(self.stamps_path, logic.render(self.stamps), mode=0o644)

    def absent(self) -> None:
        there = self.place.remains()
        self.result["changed"] = bool(there or self.gate.record(self.stamps_path))
        if self.result["changed"]:
            self.result["diff"] = [{"before": "\n".join(there) + "\n", "after": ""}]
        if self.result["changed"] and not self.module.check_mode:
            with self.place.locked():
                self.gate.restore(self.stamps_path, ours=True)
                self.place.clear()
            self.place.leave()


def main() -> None:
    download = {"name": {"type": "str", "required": True}, "url": {"type": "str", "required": True}}
    download["sha256"] = {"type": "str", "required": True, "no_log": False}
    stage: dict[str, Any] = {
        "name": {"type": "str", "required": True},
        "script": {"type": "str", "required": True},
        "env": {"type": "dict", "default": {}},
        "inputs": {"type": "dict", "default": {}},
        "downloads": {"type": "list", "elements": "dict", "options": download, "default": []},
        "after": {"type": "list", "elements": "str", "default": []},
        "creates": {"type": "list", "elements": "str", "default": []},
        "run_as": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "dev environment"},
            "dir": {"type": "path", "required": True},
            "stages": {"type": "list", "elements": "dict", "options": stage, "default": []},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "timeout": {"type": "int", "default": 7200},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    result: dict[str, Any] = {}
    try:
        work = DevStages(module)
        result = work.result
        work.present() if module.params["state"] == "present" else work.absent()
    except (StageError, FileGateError) as error:
        ran = f"Done before it: {', '.join(result['ran'])}." if result.get("ran") else "No stage was run."
        text = f"{module.params['name']}: {str(error).rstrip('.')}. {ran}"
        module.fail_json(msg=text, **{**result, "changed": bool(result.get("ran"))})
    except ScriptError as error:
        done = f"Done before it: {', '.join(result['ran'])}." if result["ran"] else "It was the first one."
        text = f"{module.params['name']}: {error} {done} The next run goes on there."
        more = {"stage": error.stage, "output": error.output, "log": error.log}
        module.fail_json(msg=text, **{**result, **more, "changed": True})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
