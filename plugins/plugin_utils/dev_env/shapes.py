# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values of the specification must look like, besides their types: one sentence where one does not."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import (
    PREFIX,
    is_secret,
    options,
    parts_of,
    shown,
    shown_key,
)

# OpenSSH 10 knows no DSA any more
KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
# limits that compose hands on to the kernel: getrlimit(2)
LIMITS: tuple[str, ...] = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
)
_SEGMENT = r"/(?!\.\.?(/|$))[A-Za-z0-9._+-]+"
_COMPARED = r"(===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_NAMED = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"

# shape: (pattern of the whole value, what it must be)
TEXTS: Mapping[str, tuple[str, str]] = {
    "project": (
        r"[a-z0-9][a-z0-9_-]{0,62}",
        "a lower case letter or digit, then lower case letters, digits, - and _: compose names the project so",
    ),
    "image": (
        r"([\w.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*:\w[\w.-]{0,127}",
        "an image with a tag, such as nvidia/cuda:13.0.3-base-ubuntu24.04; a digest belongs into dev_base.digest",
    ),
    "digest": (r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits"),
    "sha256": (r"([0-9a-f]{64})?", '64 hexadecimal digits, or "" for none'),
    "registry": (
        r"[A-Za-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*",
        "a registry without https://, such as registry.example.org/mirror",
    ),
    "path": (r"(/|(/(?!\.\.?(/|$))[^/\0-\x1f:]+)+/?)", "an absolute path without .., colons and line breaks"),
    "prefix": (rf"({_SEGMENT})+", "an absolute path of letters, digits, ., _, + and -"),
    "deb": (
        r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~-]+)?",
        "the name of a package, such as git or git=1:2.47.*",
    ),
    "snapshot": (r"\d{8}T\d{6}Z", "a moment such as 20261101T000000Z"),
    "url": (r"https?://[^\s\"'\\<>`@]+", "an http or https address without a password"),
    "user": (r"[a-z_][a-z0-9_-]{0,31}", "a user name of lower case letters, digits, _ and -"),
    "locale": (r"(C|POSIX|[a-z]{2,3}_[A-Z]{2})(\.[A-Za-z0-9-]+)?(@[a-z]+)?", "a locale such as C.UTF-8 or zh_CN.UTF-8"),
    "timezone": (
        r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*",
        "a name of the tz database, such as Asia/Shanghai; upper and lower case count",
    ),
    "python": (r"3\.\d+(\.\d+)?", 'a version of Python 3, such as "3.12"'),
    "version": (r"\d[A-Za-z0-9.+_-]*", "a version, which begins with a digit"),
    "toolchain": (
        r"\d+\.\d+\.\d+|(nightly|beta)-\d{4}-\d\d-\d\d",
        'a version such as "1.90.0", or a dated one such as nightly-2026-10-01; a channel alone would change by itself',
    ),
    "word": (r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a word of letters, digits, ., _ and -"),
    "requirement": (
        rf"{_NAMED}(\[[A-Za-z0-9._,\s-]+\])?\s*({_COMPARED}(\s*,\s*{_COMPARED})*)?\s*(;[^\n]*)?",
        "a requirement such as polars>=1.30; options, paths and addresses belong into a lock of your own "
        "(dev_python.lock)",
    ),
    "backend": (r"auto|cpu|cu\d{2,3}", "auto, cpu, or a CUDA version such as cu130"),
    "base_url": (r"/[A-Za-z0-9._~/-]*", "a path that begins with /"),
    "extension": (
        r"[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9][A-Za-z0-9._-]*",
        "publisher.name, such as redhat.vscode-yaml",
    ),
    "gpu": (
        r"all|\d{1,3}(:\d{1,3})?|(GPU|MIG)-[0-9A-Fa-f/-]+",
        'all, an index such as "0", or a UUID that begins with GPU- or MIG-',
    ),
    "size": (r"(?i:0*[1-9]\d*(\.\d+)?([bkmg]|[kmg]b)?)", "a size such as 8gb"),
    "cpus": (r"(?=.*[1-9])\d+(\.\d+)?", 'a number such as "3.5"'),
    "capability": (
        r"(?!(CAP_)?ALL$)[A-Z][A-Z_]+",
        "a capability such as SYS_PTRACE; all of them would undo the protection",
    ),
}
# shape: (lowest, highest, what it must be)
NUMBERS: Mapping[str, tuple[int, int, str]] = {
    "port": (1, 65535, "a port from 1 to 65535"),
    "publish": (0, 65535, "a port from 1 to 65535, or 0 to publish it nowhere"),
    "id": (1, 2**31 - 1, "a numeric id of 1 or more: 0 is root"),
    "seconds": (1, 86400, "from 1 to 86400"),
    "count": (0, 86400, "0 or more"),
}


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "an IP address of the host, such as 127.0.0.1"
    return ""


def _proxy(value: str) -> str:
    if value and not proxy_url.mistake(value):
        return ""
    example = "an address such as http://proxy.example.org:3128"
    return f"{example}; signs such as / and @ in a password are written as %2F and %40"


def _public_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        return "a public key, and this is a private one: give the line of the file that ends in .pub"
    words = value.split()
    place = next((number for number, word in enumerate(words) if word in KEY_TYPES), None)
    if "\n" in value.strip() or place is None or len(words) < place + 2:
        return "one line with a public key, such as in ~/.ssh/id_ed25519.pub"
    try:
        blob = base64.b64decode(words[place + 1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    name = words[place].encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name) or len(blob) < len(name) + 36:
        return f"a whole public key: what follows {words[place]} is damaged or cut off"
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _ulimit(value: Any) -> str:
    both = dict(value) if isinstance(value, Mapping) else {"soft": value, "hard": value}
    if set(both) != {"soft", "hard"} or not all(_is_whole(one) and one >= -1 for one in both.values()):
        return "a whole number of -1 or more, or {soft: 1024, hard: 4096}"
    soft, hard = both["soft"], both["hard"]
    higher = hard != -1 and (soft == -1 or soft > hard)
    return "no higher in soft than in hard" if higher else ""


CHECKS: Mapping[str, Callable[[Any], str]] = {
    "address": _address,
    "proxy": _proxy,
    "public_key": _public_key,
    "ulimit": _ulimit,
}


def wanted(shape: str, value: Any) -> str:
    """What a value must be and is not; empty where nothing is wrong with it."""
    if shape in CHECKS:
        return CHECKS[shape](value)
    if shape in NUMBERS:
        low, high, words = NUMBERS[shape]
        return "" if low <= value <= high else words
    pattern, words = TEXTS[shape]
    return "" if re.fullmatch(pattern, value) else words


def mistakes(spec: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each value of a normalised specification that does not have its shape."""
    yield from _inside(PREFIX, options(), spec)


def _inside(path: str, known: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    for name, option in known.items():
        if name in values:
            yield from _judge(f"{path}{name}", name, option, values[name])


def _judge(path: str, name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, list):
        inner = {**option, "type": option.get("elements", "str"), "default": None}
        for number, item in enumerate(value):
            yield from _judge(f"{path}[{number}]", name, inner, item)
        return
    parts = parts_of(option)
    if isinstance(value, Mapping) and parts:
        yield from _inside(f"{path}.", parts, value)
    elif isinstance(value, Mapping) and "values" in option:
        for key, item in value.items():
            if item is not None:  # what one container takes out
                yield from _judge(f"{path}.{shown_key(key)}", key, {"default": None, **option["values"]}, item)
    else:
        yield from _single(path, name, option, value)


def _single(path: str, name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    shape = option.get("shape")
    open_for_the_plan = value == "" and option.get("default") == "" and not option.get("required")
    if shape is None or open_for_the_plan:
        return
    must = wanted(shape, value)
    if must:
        value = proxy_url.shown(value) if shape == "proxy" else value
        yield f"{path}: {shown(value, is_secret(name, option))} must be {must}"
