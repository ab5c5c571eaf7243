# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ssh_authorized_keys
short_description: Let keys log in to named accounts
version_added: 0.1.0
description:
  - Adds public keys to the file that sshd reads for an account (C(AuthorizedKeysFile)). Lines of others stay as they
    are, unless an account is V(exclusive).
  - Remembers what it added. A key, or an account, that is not named any more loses what this module added, and
    O(state=absent) gives every file back byte for byte.
  - Never removes the key that the present session logged in with, unless O(remove_own_key) says so.
  - The file gets an owner and a mode with which sshd reads it.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
  - gpuready.bootstrap.ssh_session
options:
  accounts:
    description: The accounts. Ignored with O(state=absent).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      keys:
        description: Public keys, as they stand in a C(.pub) file, options before the type included.
        type: list
        elements: str
        default: []
      new_key:
        description: Whether O(new_key) may log in to it as well.
        type: bool
        default: false
      exclusive:
        description: Whether all other keys of the account are removed.
        type: bool
        default: false
      create:
        description: Whether an account that does not exist is made. It is never deleted again.
        type: bool
        default: false
  new_key:
    description: One more public key, for the accounts that say V(new_key).
    type: str
    default: ""
  remove_own_key:
    description: Whether even the key of the present session may be removed.
    type: bool
    default: false
  state:
    description: V(absent) takes out all that this module put in.
    type: str
    choices: [present, absent]
    default: present
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Two people
  gpuready.bootstrap.ssh_authorized_keys:
    accounts:
      - name: ada
        keys: ["{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"]
      - name: grace
        keys: ["{{ lookup('ansible.builtin.file', 'keys/grace.pub') }}"]
        exclusive: true
        create: true
"""

RETURN = r"""
accounts:
  description: Each account that was looked at, with its file and the fingerprints of its keys afterwards.
  returned: success
  type: dict
  sample: {ada: {file: /home/ada/.ssh/authorized_keys, keys: ["SHA256:..."]}}
created:
  description: Accounts that were made.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: What a person should know, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/home/ada/.ssh/authorized_keys]
"""

import json
import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files, _ssh_keys, _ssh_session, _sshd_config
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_keys import Key, KeyTextError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import Account

SET = "ssh_authorized_keys"


class KeysError(Exception):
    """The keys cannot be what was asked for; the text is one sentence for the user."""


def wanted_keys(entry: dict[str, Any], new_key: str) -> list[Key]:
    """The keys of an account, each once. Raises KeysError for a text that is none."""
    texts = [*entry["keys"], *([new_key] if entry["new_key"] and new_key else [])]
    found: dict[str, Key] = {}
    for number, text in enumerate(texts, 1):
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        # a private key or a foreign format has many lines, and one sentence is enough
        for line in lines[:1] if "-----" in text[:80] or text.startswith("----") else lines:
            try:
                key = _ssh_keys.checked(line)
            except KeyTextError as error:
                raise KeysError(f"key {number} of {entry['name']}: {error}") from error
            found.setdefault(key.blob, key)
    return list(found.values())


def merged(
    current: bytes, keys: list[Key], added: list[str], exclusive: bool, keep: str | None
) -> tuple[bytes, list[str], bool]:
    """(content, blobs that are ours, whether `keep` was kept): lines of others as they are, ours in their order.

    added: blobs that an earlier call put there. keep: fingerprint of a key that must stay; None: every key must stay.
    """
    wanted = {key.blob: key for key in keys}
    lines, ours, there, kept = [], [], set(), False
    # at line feeds only, as sshd does
    for raw in re.findall(r"[^\n]*\n|[^\n]+", current.decode("utf-8", "surrogateescape")):
        key = _ssh_keys.parse(raw)
        if key is None:
            lines += [] if exclusive else [raw]
            continue
        if key.blob in wanted and key.blob not in there:
            there.add(key.blob)
            mine = key.blob in added or exclusive
            ours += [key.blob] if key.blob in added else []
            lines.append(raw if not mine or key == wanted[key.blob] else wanted[key.blob].line + "\n")
        elif key.blob in wanted:
            lines += [] if exclusive else [raw]
        elif exclusive or key.blob in added:
            must = keep is None or (keep != "" and key.fingerprint == keep)
            kept = kept or must
            lines += [raw] if must else []
            ours += [key.blob] if must and key.blob in added else []
        else:
            lines.append(raw)
    if lines and not lines[-1].endswith("\n"):
        missing = [key for key in keys if key.blob not in there]
        lines[-1] += "\n" if missing else ""
    for key in keys:
        if key.blob not in there:
            lines.append(key.line + "\n")
            ours.append(key.blob)
    return "".join(lines).encode("utf-8", "surrogateescape"), ours, kept


class AuthorizedKeys:
    """Who may come in, and who shall."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner, self.params = module, gate, runner, module.params
        self.notes: list[str] = []
        self.created: list[str] = []
        self.accounts: dict[str, Any] = {}
        self.session: _ssh_session.Session | None = None
        self.gate.record("")  # the gate has a sentence for records that cannot be read
        index = json.loads(gate.read(f"{_files.STORE}/index.json") or b'{"files": {}}')["files"]
        self.known = {path: rec["meta"] for path, rec in index.items() if rec["meta"].get("set") == SET}

    def run(self) -> None:
        entries = self.params["accounts"] if self.params["state"] == "present" else []
        names = [entry["name"] for entry in entries]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise KeysError(f"{', '.join(doubled)} stands twice in accounts")
        todo = [(entry, wanted_keys(entry, self.params["new_key"])) for entry in entries]
        ready = [(entry, keys, self._account(entry)) for entry, keys in todo]
        plans = [(entry, keys, who, self._path(who)) for entry, keys, who in ready if who is not None]
        for entry, keys, who, path in plans:
            self._let_in(entry, keys, who, path)
        for path in [path for path in self.known if path not in {plan[3] for plan in plans}]:
            self._give_back(path, self.known[path])

    # -- accounts ----------------------------------------------------------------------------------------------------
    def _account(self, entry: dict[str, Any]) -> Account | None:
        name = entry["name"]
        who = _ssh_session.account(name)
        if who is None and not entry["create"]:
            raise KeysError(f"there is no account {name} on this host; create it first, or set create for it")
        if who is None:
            self._create(name)
            who = _ssh_session.account(name)
            if who is None and not self.module.check_mode:
                raise KeysError(f"useradd has made {name}, but the host does not know it")
        if who is not None and not os.path.isdir(who.home):
            raise KeysError(f"the home directory {who.home} of {name} is missing; make it first")
        return who

    def _create(self, name: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
            raise KeysError(f"{name!r} cannot be the name of a new account")
        self.created.append(name)
        self.gate.changed = True
        if self.module.check_mode:
            return
        # '*' and not '!': an account that counts as locked is turned away by an sshd without PAM
        done = self.runner.run(["useradd", "-m", "-s", "/bin/bash", "-p", "*", name])
        if done.status != "ok":
            raise KeysError(f"useradd {name} failed: {first_line(done.stderr) or done.error}")

    def _path(self, who: Account) -> str:
        spec = f"user={who.name},host=localhost,addr=127.0.0.1"
        said = _sshd_config.effective(self.runner.run(["sshd", "-T", "-C", spec]).stdout)
        setting = " ".join(said.get("authorizedkeysfile", [".ssh/authorized_keys"])).split()[0]
        if setting == "none":
            raise KeysError(f"sshd reads no file of keys for {who.name} (AuthorizedKeysFile none)")
        path = _ssh_keys.file_of(setting, who.name, who.uid, who.home)
        for part in (os.path.dirname(path), path):
            # root would write where the account points
            if os.path.islink(part) and part.startswith(who.home.rstrip("/") + "/"):
                raise KeysError(f"{part} is a symbolic link; replace it by what it points to")
        return path

    # -- keys --------------------------------------------------------------------------------------------------------
    def _own(self, name: str) -> str | None:
        """Fingerprint that must stay in this account's file: '' for none, None where it cannot be told."""
        if self.params["remove_own_key"]:
            return ""
        if self.session is None:
            self.session = _ssh_session.find(self.runner, self.params["session_user"])
        if self.session.account != name:
            return ""
        if self.session.method and self.session.method != "publickey":
            return ""
        return self.session.fingerprint or None

    def _let_in(self, entry: dict[str, Any], keys: list[Key], who: Account, path: str) -> None:
        current = self.gate.read(path) or b""
        added = list(self.known.get(path, {}).get("added", []))
        content, ours, _kept = merged(current, keys, added, entry["exclusive"], "")
        if content != current:
            # only now: to look for the key of the session costs a look into the log
            content, ours, kept = merged(current, keys, added, entry["exclusive"], self._own(who.name))
            self._remark(who.name, kept)
        if content != current:
            self.gate.write(path, content, shared=True, meta={"set": SET, "account": who.name, "added": ours})
            if not self.module.check_mode:
                self._hand_over(path, who)
        self.gate.remember_meta(path, {"added": ours})
        self._mend(path, who)
        self.accounts[who.name] = {"file": path, "keys": [key.fingerprint for key in _ssh_keys.keys_of(content)]}

    def _remark(self, name: str, kept: bool) -> None:
        if kept:
            self.notes.append(
                f"{name} keeps the key that this run logged in with, though nobody names it; "
                "set remove_own_key to take it out, too."
            )

    def _hand_over(self, path: str, who: Account) -> None:
        """A file that was just made, and the folders made for it, belong to the account."""
        record = self.gate.record(path)
        if os.geteuid() != 0 or record is None or record.existed:
            return
        group = os.stat(who.home).st_gid
        for part in [*record.created_dirs, path]:
            if part.startswith(who.home.rstrip("/") + "/"):
                os.chown(part, who.uid, group)
                os.chmod(part, 0o600 if part == path else 0o700)

    def _mend(self, path: str, who: Account) -> None:
        """Take away what makes sshd pass over the file itself."""
        try:
            info = os.stat(path)
        except OSError:
            return
        if info.st_uid in (0, who.uid) and not info.st_mode & 0o022:
            return
        self.gate.changed = True
        if not self.module.check_mode:
            os.chown(path, who.uid, info.st_gid)
            os.chmod(path, 0o600)

    # -- the way back ------------------------------------------------------------------------------------------------
    def _give_back(self, path: str, meta: dict[str, Any]) -> None:
        name, added = str(meta.get("account", "")), list(meta.get("added", []))
        current = self.gate.read(path)
        if current is None:
            self.gate.forget(path)
            return
        original = self.gate.original(path) or b""
        target = original if self.gate.restorable(path) else merged(current, [], added, False, "")[0]
        lost = {key.fingerprint for key in _ssh_keys.keys_of(current)}
        lost -= {key.fingerprint for key in _ssh_keys.keys_of(target)}
        own = self._own(name) if lost else ""
        if lost and (own is None or own in lost):
            content, ours, kept = merged(current, [], added, False, own)
            self._remark(name, kept)
            self.gate.write(path, content, shared=True, meta={"added": ours})
            return
        if self.gate.restorable(path):
            self.gate.restore(path)
            return
        self.gate.write(path, target)
        self.gate.forget(path)


def main() -> None:
    account = {
        "name": {"type": "str", "required": True},
        "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "new_key": {"type": "bool", "default": False, "no_log": False},
        "exclusive": {"type": "bool", "default": False},
        "create": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "accounts": {"type": "list", "elements": "dict", "options": account, "default": []},
            "new_key": {"type": "str", "default": "", "no_log": False},
            "remove_own_key": {"type": "bool", "default": False, "no_log": False},
            "session_user": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module)
    try:
        keys = AuthorizedKeys(module, gate, Runner(module.run_command))
        keys.run()
    except (KeysError, FileGateError) as error:
        done = f"Only {', '.join(gate.paths)} was changed." if gate.paths else "Nothing was changed."
        module.fail_json(msg=f"{str(error).rstrip('.')}. {done}", **gate.result())
    module.exit_json(accounts=keys.accounts, created=keys.created, notes=keys.notes, **gate.result())


if __name__ == "__main__":
    main()
