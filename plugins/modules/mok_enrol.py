# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mok_enrol
short_description: Ask shim to enrol the key that signs kernel modules, at the next boot
version_added: 0.1.0
description:
  - Runs C(mokutil --import) where the key is neither enrolled nor waiting to be. The password goes in on standard
    input; mokutil keeps only a hash of it until the next boot.
  - The rest happens at the console of the machine. At the next boot shim's MokManager waits some seconds for a key;
    choose Enroll MOK, Continue, Yes, and type the password. Without that nothing is enrolled.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.command
options:
  key:
    description: The certificate, in DER format. With dkms C(/var/lib/dkms/mok.pub), on Ubuntu
      C(/var/lib/shim-signed/mok/MOK.der).
    type: path
    required: true
  password:
    description:
      - What the console will ask for, once. Needed only where a request is made.
      - At least 8 and at most 256 characters of ASCII, since it is typed before any keyboard layout is loaded.
    type: str
    required: true
  timeout:
    default: 30
attributes:
  diff_mode:
    support: none
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: The firmware shall trust modules that dkms builds
  gpuready.bootstrap.mok_enrol:
    key: /var/lib/dkms/mok.pub
    password: "{{ vault_mok_password }}"
"""

RETURN = r"""
enrolled:
  description: Whether the key is trusted already.
  returned: success
  type: bool
  sample: false
pending:
  description: Whether the key waits for the next boot, and for somebody at the console.
  returned: success
  type: bool
  sample: true
"""

import hashlib
import re
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner

# mokutil takes 1 to 256 characters for a request (mokutil 0.7.2, PASSWORD_MIN and PASSWORD_MAX in src/mokutil.c); its
# 8 to 16 are for switching validation off. 8 is our own floor: who guesses it at the console owns the machine's boot.
SHORTEST = 8
LONGEST = 256
CERTIFICATE_CAP = 64 * 1024


class EnrolError(Exception):
    """No request can be made; the text is one sentence for the user."""


def checked_password(password: str) -> str:
    """Raises EnrolError for one that cannot be typed at the console. Never names it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise EnrolError(f"password has {len(password)} characters; it needs {SHORTEST} to {LONGEST}")
    if not re.fullmatch(r"[\x20-\x7e]+", password) or password != password.strip():
        raise EnrolError("password may only hold ASCII characters that can be typed, and no blank at its ends")
    return password


def certificate(path: str) -> bytes:
    """The bytes of a DER certificate; mokutil's own answer to another format does not name a way out."""
    try:
        with open(path, "rb") as handle:
            content = handle.read(CERTIFICATE_CAP)
    except OSError as error:
        raise EnrolError(
            f"cannot read the key {path}: {error.strerror or error}; dkms makes it when it first builds a module"
        ) from error
    if content.lstrip().startswith(b"-----BEGIN"):
        raise EnrolError(f"{path} is in PEM format; convert it (openssl x509 -in {path} -outform DER -out mok.der)")
    if not content.startswith(b"\x30"):
        raise EnrolError(f"{path} is no certificate in DER format")
    return content


def verdict(output: str) -> str | None:
    """What `mokutil --test-key` says: enrolled, pending, blocked or new. Its exit status changed between releases."""
    text = output.lower()
    if "not enrolled" in text:
        return "new"
    if "in the enrollment request" in text:
        return "pending"
    if "blocked" in text:
        return "blocked"
    return "enrolled" if "already" in text else None


def listed(output: str, key: bytes) -> bool:
    """Say whether `mokutil --list-new` names a certificate: by all of its SHA-1, in short listings by its beginning."""
    digest = hashlib.sha1(key, usedforsecurity=False).hexdigest()
    pairs = ":".join(digest[i : i + 2] for i in range(0, 40, 2))
    return pairs in output.lower() or any(line.lower().startswith(digest[:10]) for line in output.splitlines())


class Enrolment:
    """Asks mokutil, and has it make the request."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.params = module, module.params
        self.runner = Runner(module.run_command, module.params["timeout"])
        self.path: str = module.params["key"]
        if self.runner.which("mokutil") is None:
            raise EnrolError("there is no mokutil on this host; install the package mokutil")

    def run(self) -> dict[str, bool]:
        key = certificate(self.path)
        state = self._state(key)
        if state == "blocked":
            raise EnrolError(f"the firmware blocks the key {self.path}; make a new one (dkms generate_mok)")
        if state != "new":
            return {"changed": False, "enrolled": state == "enrolled", "pending": state == "pending"}
        password = checked_password(self.params["password"])
        if not self.module.check_mode:
            self._import(key, password)
        return {"changed": True, "enrolled": False, "pending": True}

    def _state(self, key: bytes) -> str:
        tested = self.runner.run(["mokutil", "--test-key", self.path])
        found = verdict(tested.stdout + tested.stderr)
        if found is None:
            hint = "; Secure Boot needs UEFI" if "EFI variables" in tested.stderr else ""
            raise EnrolError(f"mokutil --test-key gave no answer: {_why(tested)}{hint}")
        if found == "enrolled" and listed(self.runner.run(["mokutil", "--list-new"]).stdout, key):
            return "pending"  # before 0.5.0 a key that waits was called enrolled
        return found

    def _import(self, key: bytes, password: str) -> None:
        # mokutil asks twice, and reads lines where standard input is no terminal
        typed = partial(self.module.run_command, data=f"{password}\n{password}")  # and a line feed
        result = Runner(typed, self.params["timeout"]).run(["mokutil", "--import", self.path])
        if result.status != "ok":
            raise EnrolError(f"mokutil --import failed: {_why(result).replace(password, '***')}")
        if self._state(key) == "new":
            raise EnrolError("mokutil --import ended well, but the key does not wait to be enrolled")


def _why(result: CommandResult) -> str:
    return str(result.error or result.stdout.strip() or "it said nothing").rstrip(".")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "path", "required": True, "no_log": False},
            "password": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    result: dict[str, Any] = {}
    try:
        result = Enrolment(module).run()
    except EnrolError as error:
        module.fail_json(msg=f"Machine owner key: {error}. Nothing was changed.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
