# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shim's list of keys, and the certificate that dkms signs modules with."""

from __future__ import annotations

import base64
import binascii
import re
import stat
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import text as parse

_VARIABLES = "/sys/firmware/efi/efivars"
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
# shim's list of the machine owner's keys, and how many bytes of attributes stand before it
_LISTS = (
    ("/sys/firmware/efi/mok-variables/MokListRT", 0),
    (f"{_VARIABLES}/MokListRT-{_SHIM}", 4),
)
# what `mokutil --import` leaves for shim's MokManager to ask about at the next boot
_NEW = f"{_VARIABLES}/MokNew-{_SHIM}"
# subjects of the distributions' certificates; those of dkms and of the owner read "... Module Signature key"
_VENDOR_KEY = re.compile(rb"Master Certificate Authority|Secure Boot (?:Root )?CA|Secure Boot Signing", re.I)
_CONF = "/etc/dkms/framework.conf"
_UBUNTU_KEY = "/var/lib/shim-signed/mok/MOK.der"
_DEFAULT_KEY = "/var/lib/dkms/mok.pub"
_PATH = re.compile(r"/[^\0\n$]{1,300}")
_CERTIFICATE = 64 * 1024
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)

EMPTY: dict[str, Any] = {"tool": None, "key": None, "enrolled": None, "pending": None}


def section(host: Host, enrolled: list[bytes] | None) -> dict[str, Any]:
    """Return the certificate of dkms and whether the firmware knows it; `enrolled` is what certificates() gave."""
    key = _key(host)
    ours = None if key is None else _der(host, key)
    return {
        "tool": host.which("mokutil") is not None,
        "key": key,
        "enrolled": None if ours is None or enrolled is None else ours in enrolled,
        # the folder is empty without UEFI, and where a container hides it
        "pending": host.exists(_NEW) if host.names(_VARIABLES) else None,
    }


def certificates(host: Host) -> list[bytes] | None:
    """Return the certificates that shim lists; None if that cannot be read. The distribution's own is among them."""
    for path, attributes in _LISTS:
        try:
            return parse.efi_certificates(host.read_bytes(path, 1024 * 1024)[attributes:])
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
    # shim makes the list only if there is something in it
    return [] if host.names(_VARIABLES) else None


def owners(enrolled: list[bytes] | None) -> int | None:
    """Return how many certificates the machine's owner enrolled."""
    return None if enrolled is None else sum(1 for key in enrolled if not _VENDOR_KEY.search(key))


def _key(host: Host) -> str | None:
    """Return the certificate that dkms would use (dkms, prepare_signing); None if there is none yet."""
    settings: dict[str, str] = {}
    folder = f"{_CONF}.d"
    for path in [_CONF, *(f"{folder}/{name}" for name in host.names(folder) if name.endswith(".conf"))]:
        settings.update(parse.os_release(host.text(path) or ""))
    wanted = settings.get("mok_certificate") or _DEFAULT_KEY
    if not settings.get("mok_signing_key") and _ubuntu(host) and host.exists(_UBUNTU_KEY):
        wanted = _UBUNTU_KEY
    # "$kernelver" may be part of it: one certificate for each kernel is beyond us
    return wanted if _PATH.fullmatch(wanted) and host.exists(wanted) else None


def _ubuntu(host: Host) -> bool:
    name = "/etc/os-release" if host.exists("/etc/os-release") else "/usr/lib/os-release"
    values = parse.os_release(host.text(name) or "")
    # as dkms looks at it: the first of the families counts
    return values.get("ID") == "ubuntu" or values.get("ID_LIKE", "").startswith("ubuntu")


def _der(host: Host, path: str) -> bytes | None:
    """Return a certificate as DER; sign-file takes PEM, too."""
    try:
        if not stat.S_ISREG(host.stat(path).st_mode):
            return None
        content = host.read_bytes(path, _CERTIFICATE)
        match = _PEM.search(content)
        return (base64.b64decode(match.group(1)) if match else content) or None
    except (OSError, binascii.Error):
        return None
