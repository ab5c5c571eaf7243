# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A described mount as an entry of fstab, with all that must be there for it: helper, address, file of the secret.

_netdev, nofail and the x-systemd options are those of systemd.mount(5): nofail keeps a boot from waiting for it or
failing with it, x-systemd.automount mounts at the first use, x-systemd.mount-timeout bounds that,
x-systemd.device-timeout bounds the wait for a disk. Other sources: nfs(5) (port 2049; `hard` is the default, because
`soft` can lose data), mount.ceph(8) (secretfile; monitors at 6789, or 3300), s3fs(1) (passwd_file, type fuse.s3fs).
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.module_utils._fstab import Entry, merged

SECRETS = "/etc/gpuready/mounts"
NETWORK = ("nfs", "cephfs", "s3")
# what a helper program is called, and the package that has it (Debian and Ubuntu; RHEL)
HELPERS = {"nfs": "mount.nfs", "cephfs": "mount.ceph", "s3": "mount.fuse.s3fs"}
PROGRAMS = {"nfs": "mount.nfs", "cephfs": "mount.ceph", "s3": "s3fs"}
PACKAGES = {
    "debian": {"nfs": "nfs-common", "cephfs": "ceph-common", "s3": "s3fs"},
    "rhel": {"nfs": "nfs-utils", "cephfs": "ceph-common", "s3": "s3fs-fuse"},
}
KERNEL = {"nfs": "nfs", "cephfs": "ceph", "s3": "fuse"}
TAKEN = (
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
)
_SECRET_OPTION = re.compile(r"^(?:secret|password|pass|passwd|key)=", re.IGNORECASE)


class EntryError(Exception):
    """A mount cannot be what was described; the text is one sentence for the user."""


class Built(NamedTuple):
    """A mount and what it needs."""

    name: str
    kind: str
    entry: Entry
    secret: tuple[str, str] | None  # path and content
    endpoints: tuple[tuple[str, int], ...]  # one of them must answer
    timeout: int


def check(mount: dict[str, Any]) -> None:
    """Raises EntryError for what cannot be meant."""
    name, path = mount["name"], mount["path"]
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
        raise EntryError(f"{name!r} is not a name of small letters, digits, - and _")
    if not path.startswith("/") or os.path.normpath(path) != path or "\n" in path:
        raise EntryError(f"path {path!r} is not an absolute path without . and .. and without a slash at its end")
    if path in TAKEN:
        raise EntryError(f"path {path} belongs to the system; choose one below /mnt, /srv or /data")
    if not mount["source"] or "\n" in mount["source"]:
        raise EntryError("source is empty" if not mount["source"] else "source has a line feed")
    for option in mount["options"]:
        if _SECRET_OPTION.match(option):
            raise EntryError(f"the option {option.partition('=')[0]} would be readable for all; use secret_key")
        if not option or re.search(r"[\s,]", option):
            raise EntryError(f"the option {option!r} holds a blank or a comma; give each option as an item of its own")


def build(mount: dict[str, Any]) -> Built:
    """The entry of a mount. Raises EntryError."""
    check(mount)
    maker = {"nfs": _nfs, "cephfs": _cephfs, "s3": _s3, "disk": _disk, "bind": _bind}[mount["type"]]
    built = maker(mount)
    options = ["ro" if mount["read_only"] else "rw"]
    if mount["type"] in NETWORK:
        # util-linux before 2.39 hands nofail on to FUSE's helper, which refuses it; an automount never fails a boot
        lenient = [] if mount["type"] == "s3" and mount["automount"] else ["nofail"]
        options += ["_netdev", *lenient] + (["x-systemd.automount"] if mount["automount"] else [])
        options.append(f"x-systemd.mount-timeout={mount['timeout']}s")
    else:
        options.append("nofail")
    options += [f"x-systemd.requires={unit}" for unit in mount["requires"]]
    entry = built.entry
    return built._replace(
        entry=entry._replace(options=merged([*options[:1], *entry.options, *options[1:]], mount["options"]))
    )


def _built(mount: dict[str, Any], entry: Entry, **more: Any) -> Built:
    fields = {"secret": None, "endpoints": (), **more}
    return Built(mount["name"], mount["type"], entry, timeout=mount["timeout"], **fields)


def _host(text: str, port: int) -> tuple[str, int]:
    """HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT."""
    found = re.fullmatch(r"(\[[^]]+\]|[^:\[\]]+)(?::(\d+))?", text)
    if not found:
        raise EntryError(f"{text!r} in source is not a host name or an address (IPv6 in brackets)")
    return found.group(1).strip("[]"), int(found.group(2) or port)


def _nfs(mount: dict[str, Any]) -> Built:
    server, colon, export = mount["source"].rpartition(":/")
    if not colon or not server:
        raise EntryError(f"source {mount['source']!r} is not SERVER:/EXPORT")
    ports = [option.partition("=")[2] for option in mount["options"] if option.startswith("port=")]
    port = int(ports[0]) if ports and ports[0].isdigit() else 2049
    entry = Entry(f"{server}:/{export}", mount["path"], "nfs", ("hard", "noatime"))
    return _built(mount, entry, endpoints=((_host(server, 0)[0], port),))


def _cephfs(mount: dict[str, Any]) -> Built:
    monitors, colon, path = mount["source"].partition(":/")
    if not colon or not monitors:
        raise EntryError(f"source {mount['source']!r} is not MONITOR[:PORT][,MONITOR...]:/PATH")
    if not mount["secret_key"]:
        raise EntryError("secret_key is missing: the key of the CephFS user, as `ceph auth print-key` gives it")
    if not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", mount["secret_key"].strip()):
        raise EntryError("secret_key is not the key alone, in base64; leave out `key =` and the section's name")
    secret = f"{SECRETS}/{mount['name']}.secret"
    user = mount["user"] or "admin"
    entry = Entry(f"{monitors}:/{path}", mount["path"], "ceph", ("noatime", f"name={user}", f"secretfile={secret}"))
    ends = tuple(_host(monitor, 6789) for monitor in monitors.split(","))
    return _built(mount, entry, endpoints=ends, secret=(secret, mount["secret_key"].strip() + "\n"))


def _s3(mount: dict[str, Any]) -> Built:
    url = urlsplit(mount["url"])
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
        raise EntryError("url is not the http(s) address of an S3 service without a user name in it")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?::/\S*)?", mount["source"]):
        raise EntryError(f"source {mount['source']!r} is not BUCKET or BUCKET:/PREFIX")
    access, key = mount["user"], mount["secret_key"]
    if not access or not key or ":" in access or "\n" in access + key.strip():
        raise EntryError("user (the access key) and secret_key are needed, each in one line")
    secret = f"{SECRETS}/{mount['name']}.passwd"
    fixed = ["allow_other", f"passwd_file={secret}", f"url={mount['url'].rstrip('/')}", "use_path_request_style"]
    entry = Entry(mount["source"], mount["path"], "fuse.s3fs", tuple(fixed))
    port = url.port or (443 if url.scheme == "https" else 80)
    content = f"{access}:{key.strip()}\n"
    return _built(mount, entry, endpoints=((url.hostname, port),), secret=(secret, content))


def _disk(mount: dict[str, Any]) -> Built:
    source, kind = mount["source"], mount["filesystem"] or "ext4"
    if not re.match(r"(?:UUID|LABEL|PARTUUID|PARTLABEL)=\S|/dev/disk/by-", source):
        raise EntryError(
            f"source {source!r} may be another disk at the next boot; name it by UUID=, LABEL= or /dev/disk/by-id/ "
            "(`lsblk -o NAME,UUID,LABEL` shows them)"
        )
    options = ("noatime", f"x-systemd.device-timeout={mount['timeout']}s")
    return _built(mount, Entry(source, mount["path"], kind, options, 2 if kind.startswith("ext") else 0))


def _bind(mount: dict[str, Any]) -> Built:
    source = mount["source"]
    if not source.startswith("/") or os.path.normpath(source) != source:
        raise EntryError(f"source {source!r} is not an absolute path of a folder")
    options = ("bind", f"x-systemd.requires-mounts-for={source}")
    return _built(mount, Entry(source, mount["path"], "none", options))
