# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a package repository, pinned by its fingerprints: from an address, a file or a text, never unverified."""

from __future__ import annotations

import http.client
import re
import urllib.error
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _openpgp as openpgp
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, sha256
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

KEY_CAP = 1024 * 1024  # the largest archive keyring in use is below 100 KiB
# the options that give a key, in the argument spec of each module that adds a repository
SPEC: dict[str, dict[str, Any]] = {
    "key_url": {"type": "str", "no_log": False},
    "key_path": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "key_content": {"type": "str", "no_log": False},
    "fingerprints": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 30},
    "hint": {"type": "str", "default": "key_url"},
}


class SourceError(Exception):
    """The repository cannot be added; the text is one sentence for the user."""


class PinnedKey:
    """The key that the options of SPEC name. Nothing is written here; `key_file` is where the module keeps it."""

    def __init__(self, module: AnsibleModule, gate: FileGate, key_file: str) -> None:
        self.module, self.gate, self.params, self.key_file = module, gate, module.params, key_file
        self.downloaded = False
        self.fingerprints: list[str] = []

    def read_fingerprints(self) -> None:
        self.fingerprints = _fingerprints(self.params["fingerprints"])

    def content(self) -> bytes:
        """The armored key to have on disk. Where only check mode can go on without it, a line that stands for it."""
        if not self.fingerprints:
            raise SourceError(
                "fingerprints is empty, so the key cannot be verified; give the fingerprint that its publisher names"
            )
        if self.params["key_content"]:
            content: bytes = to_bytes(self.params["key_content"].strip() + "\n")
            return self._verified(content, "key_content")
        if self.params["key_path"]:
            return self._verified(_read(self.params["key_path"]), self.params["key_path"])
        on_disk = self.gate.read(self.key_file)
        if on_disk is not None and self._unchanged(on_disk):
            return on_disk
        url = self.params["key_url"]
        try:
            data = self._download(url)
        except SourceError as error:
            if not self.module.check_mode:
                raise
            self.module.warn(f"check mode goes on without the key: {error}")
            return f"(the key from {redact_url(url)})\n".encode()
        self.downloaded = True
        return self._verified(data, redact_url(url))

    def _unchanged(self, content: bytes) -> bool:
        record = self.gate.record(self.key_file)
        if record is not None and record.sha256_written != sha256(content):
            return False
        try:
            return sorted(openpgp.primary_fingerprints(content)) == self.fingerprints
        except openpgp.OpenPgpError:
            return False

    def _verified(self, data: bytes, origin: str) -> bytes:
        found = sorted(primaries(data, origin))
        if found != self.fingerprints:
            raise SourceError(
                f"the key from {origin} has the fingerprint {', '.join(found)}, but fingerprints wants "
                f"{', '.join(self.fingerprints)}; ask the publisher which is right, somebody may have exchanged the key"
            )
        return data if openpgp.is_armored(data) else openpgp.armor(data)

    def _download(self, url: str) -> bytes:
        if url.startswith("file:"):
            return _read(re.sub(r"^file:(//)?", "", url))
        if not re.match(r"https?://", url):
            raise SourceError(f"key_url {redact_url(url)!r} is neither http, https nor file")
        # Here and not above: a second run downloads nothing, and this import takes a quarter of its time on the host
        from ansible.module_utils.urls import open_url
        from ansible_collections.gpuready.bootstrap.plugins.module_utils import _login_proxies as login_proxies

        login_proxies.lend()
        reason = ""
        try:
            with open_url(url, timeout=self.params["timeout"], http_agent="gpuready") as response:
                return bytes(response.read(KEY_CAP))
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        raise SourceError(
            f"cannot fetch the key from {redact_url(url)}: {reason}; check the network of this host, "
            f"or set {self.params['hint']} to an address it can reach"
        )


def primaries(data: bytes, origin: str) -> list[str]:
    """Fingerprints of the primary keys in what `origin` gave."""
    try:
        return openpgp.primary_fingerprints(data)
    except openpgp.OpenPgpError as error:
        raise SourceError(f"what {origin} gives is no usable OpenPGP public key: {error}") from error


def _fingerprints(values: list[str]) -> list[str]:
    try:
        return sorted({openpgp.normal_fingerprint(value) for value in values})
    except openpgp.OpenPgpError as error:
        raise SourceError(f"fingerprints: {error}") from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read(KEY_CAP)
    except OSError as error:
        raise SourceError(f"cannot read the key {path}: {error.strerror or error}") from error
