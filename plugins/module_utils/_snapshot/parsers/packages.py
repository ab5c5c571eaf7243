# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg and rpm know, reduced to the packages that our decisions need."""

from __future__ import annotations

import re
from typing import Any

# prefixes and whole names of the packages that roles and checks ask for
PREFIXES = (
    "docker",
    "containerd",
    "moby-",
    "podman",
    "cri-o",
    "nvidia",
    "libnvidia",
    "libcuda",
    "cuda",
    "xserver-xorg-video-nvidia",
    "xorg-x11-drv-nvidia",
    "kmod-nvidia",
    "akmod-nvidia",
    "firmware-nvidia",
    "linux-modules-nvidia",
    "linux-objects-nvidia",
    "linux-signatures-nvidia",
    "linux-image",
    "linux-headers",
    "kernel-core",
    "kernel-devel",
    "datacenter-gpu-manager",
)
NAMES = frozenset(
    {
        "runc",
        "python3-apt",
        "gnupg",
        "ca-certificates",
        "unattended-upgrades",
        "dnf-automatic",
        "python3-dnf-plugin-versionlock",
        "snapd",
        "dkms",
        "mokutil",
        "shim-signed",
        "nvlsm",
        "libxnvctrl0",
        # what an engine without root needs
        "rootlesskit",
        "slirp4netns",
        "uidmap",
        "shadow-utils",
        "dbus-user-session",
        # who has it uses containerd or CRI-O directly
        "kubelet",
    }
)

_INSTALLED = "\nStatus: install ok installed\n"
# dpkg(1) "Package states": these mean that dpkg was stopped in the middle
_BROKEN = frozenset({"half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"})


def wanted(name: str) -> bool:
    """Say whether a package belongs in the snapshot."""
    return name in NAMES or name.startswith(PREFIXES)


def dpkg_status(text: str) -> dict[str, Any]:
    """Parse /var/lib/dpkg/status: wanted versions, broken packages, holds."""
    installed: dict[str, str] = {}
    broken: list[str] = []
    holds: list[str] = []
    for stanza in text.split("\n\n"):
        start = stanza.find("Package: ")
        if start < 0:
            continue
        name = stanza[start + 9 : stanza.find("\n", start)].strip() if "\n" in stanza[start:] else ""
        settled = _INSTALLED in stanza
        # nearly every stanza leaves here: settled and of no interest
        if settled and not wanted(name):
            continue
        want, flag, state = ("install", "ok", "installed") if settled else _status(stanza)
        if want == "hold":
            holds.append(name)
        if state in _BROKEN or flag == "reinstreq":
            broken.append(name)
        if state == "installed" and wanted(name):
            _note(installed, name, stanza)
    return {"installed": installed, "broken": sorted(set(broken)), "holds": sorted(set(holds))}


def dpkg_journal(text: str) -> list[str]:
    """Names in a file of /var/lib/dpkg/updates: what dpkg had done and not yet noted when it was killed.

    apt refuses to work while there is such a file (apt-pkg/deb/debsystem.cc, CheckUpdates).
    """
    return re.findall(r"^Package: (\S+)", text, re.MULTILINE)


def _status(stanza: str) -> tuple[str, str, str]:
    match = re.search(r"^Status: (\S+) (\S+) (\S+)", stanza, re.MULTILINE)
    return ("", "", "") if match is None else (match.group(1), match.group(2), match.group(3))


def _note(installed: dict[str, str], name: str, stanza: str) -> None:
    version = re.search(r"^Version: (\S+)", stanza, re.MULTILINE)
    # a 32-bit library beside the native one must not hide its version
    foreign = re.search(r"^Architecture: i386$", stanza, re.MULTILINE) is not None
    if version is not None and not (foreign and name in installed):
        installed[name] = version.group(1)


def rpm_list(text: str) -> dict[str, str]:
    """Parse lines of NAME<tab>VERSION as `rpm -qa --qf` gives them; "(none):" stands for no epoch."""
    installed: dict[str, str] = {}
    for line in text.splitlines():
        name, tab, version = line.strip().partition("\t")
        if tab and wanted(name):
            installed[name] = version.replace("(none):", "")
    return installed


def versionlock(text: str) -> list[str]:
    """Return the names in dnf's versionlock.list, whose entries are NAME-EPOCH:VERSION-RELEASE.ARCH; "!" excludes."""
    names = set()
    for line in text.splitlines():
        entry = line.strip()
        if entry and entry[0] not in "#!":
            names.add(re.sub(r"-\d+:.*$", "", entry))
    return sorted(names)


def ini(text: str, section: str, key: str) -> str | None:
    """Return one value of dnf's configuration files; the last one counts."""
    current, found = "", None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1].strip().lower()
        elif current == section and line[:1] not in ("#", ";", ""):
            name, equals, value = line.partition("=")
            if equals and name.strip().lower() == key:
                found = value.strip()
    return found


def module_streams(text: str) -> dict[str, str]:
    """Return {module: stream} of a file in /etc/dnf/modules.d; a module that is disabled or reset has no stream."""
    found: dict[str, str] = {}
    for name in re.findall(r"^\[([\w.+-]{1,100})\]\s*$", text, re.MULTILINE):
        stream = ini(text, name.lower(), "stream")
        if stream and ini(text, name.lower(), "state") in ("enabled", "1"):
            found[name] = stream
    return found
