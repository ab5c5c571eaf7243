# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not go together in a specification: one sentence each, with what to do. No secret is part of one.

Each rule gets the whole normalised specification of one container.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import default_of, options
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.shapes import LIMITS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

Spec = Mapping[str, Any]
TOKEN_LENGTH = 24
# what the environment sets itself: where to say it instead
OWN_ENV = {
    "PATH": "",
    "HOME": "",
    "USER": "dev_user.name",
    "LOGNAME": "dev_user.name",
    "SHELL": "",
    "VIRTUAL_ENV": "dev_python.prefix",
    "LANG": "dev_locale",
    "LANGUAGE": "dev_locale",
    "LC_ALL": "dev_locale",
    "TZ": "dev_timezone",
    "NVIDIA_VISIBLE_DEVICES": "dev_gpu",
    "NVIDIA_DRIVER_CAPABILITIES": "dev_gpu.capabilities",
    "JUPYTER_TOKEN": "dev_jupyter.token",
    "JUPYTER_TOKEN_FILE": "dev_jupyter.token",
    "PASSWORD": "dev_code_server.hashed_password",
    "HASHED_PASSWORD": "dev_code_server.hashed_password",
    "CODE_SERVER_CONFIG": "",
    "LD_PRELOAD": "",
}
OWN_PREFIXES = ("DEV_", "DEVENV_")
# directories of the image, or of the environment itself, which a mount would hide
OWN_PATHS: tuple[str, ...] = (
    *("/opt/tools", "/opt/python", "/opt/code-server", "/etc/devenv", "/run/devenv", "/run/secrets"),
    "/var/lib/devenv",
)
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
# whoever can write there is root on the host
HOST_ONLY = ("/boot", "/dev", "/etc", "/proc", "/root/.ssh", "/run", "/sys", "/usr", "/var/run", "/var/lib/docker")
SYSTEM_USERS: tuple[str, ...] = (
    *("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "backup"),
    *("list", "irc", "nobody", "sshd", "www-data", "_apt", "messagebus", "systemd-network"),
)
ANACONDA = ("defaults", "anaconda", "main", "r", "msys2", "pro")


def within(path: str, folders: tuple[str, ...]) -> str:
    """The first of the folders that a path is or lies in; empty where it is in none."""
    clean = path.rstrip("/") or "/"
    return next((folder for folder in folders if clean == folder or clean.startswith(f"{folder}/")), "")


def is_loopback(address: str) -> bool:
    """Whether only the host itself reaches an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def ssh(spec: Spec) -> Iterator[str]:
    """Keys, and ports that an unprivileged sshd can have."""
    if not spec["ssh"]["enabled"]:
        return
    if not spec["ssh"]["authorized_keys"]:
        yield (
            "dev_ssh.authorized_keys: there is no key, and no password is taken; give at least one public key, such "
            "as the "
            "line in ~/.ssh/id_ed25519.pub, or set dev_ssh.enabled to false"
        )


def web_ports(spec: Spec) -> Iterator[str]:
    """JupyterLab and code-server listen side by side, in place, too."""
    both = [spec[name] for name in ("jupyter", "code_server")]
    if all(one["enabled"] for one in both) and both[0]["port"] == both[1]["port"]:
        yield f"dev_code_server.port: {both[0]['port']} is that of dev_jupyter; give each its own"


def ports(spec: Spec) -> Iterator[str]:
    """Ports inside the container, and who reaches those that have no credentials that we know of."""
    named = [(name, spec[name]["port"]) for name in ("jupyter", "code_server", "ssh") if spec[name]["enabled"]]
    for name, port in named:
        if port < 1024 and spec["user"]["profile"] == "user":
            yield (
                f"dev_{name}.port: {port} is below 1024, which needs root; take a higher one, and publish it as you "
                "like"
            )
    web = {port: name for name, port in named if name != "ssh"}
    inside: dict[int, str] = {}
    for name, port in [*named, *((f"ports ({one['name']})", one["container"]) for one in spec["ports"])]:
        other = inside.setdefault(port, name)
        if other != name and web.get(port) != name:
            yield f"dev_{name}: port {port} inside the container is that of dev_{other}; give each its own"
    for one in spec["ports"]:
        if not is_loopback(one["bind"]) and not one["open"]:
            yield (
                f"dev_ports ({one['name']}): on {one['bind']} others reach it, and nothing is known of its "
                "credentials; "
                "bind it to 127.0.0.1 and use a tunnel, or set open to true if it asks for some"
            )


def jupyter(spec: Spec) -> Iterator[str]:
    """Token or hash, and the package."""
    wanted, python = spec["jupyter"], spec["python"]
    if not wanted["enabled"]:
        return
    token, hashed = wanted["token"], wanted["hashed_password"]
    if token and len(token) < TOKEN_LENGTH:
        yield (
            f"dev_jupyter.token: it has {len(token)} characters, and {TOKEN_LENGTH} or more are needed; leave it "
            "empty to have one made"
        )
    elif token and not re.fullmatch(r"[A-Za-z0-9._~-]+", token):
        yield (
            "dev_jupyter.token: it has white space, or characters that do not fit into an address; use letters, "
            "digits, ., _, ~ "
            "and -"
        )
    if token and hashed:
        yield "dev_jupyter.token: with a hashed_password there is no token; give one of the two"
    if hashed and not re.fullmatch(r"argon2:\$argon2(id|i|d)\$\S+|sha(256|512):[0-9a-f]{12,}:[0-9a-f]{64,128}", hashed):
        yield (
            "dev_jupyter.hashed_password: the value (not shown) is no hash that jupyter_server takes, such as "
            "argon2:$argon2id$... "
            "or sha512:salt:digest; never write the password itself"
        )
    if "notebook" not in python["groups"] and not python["lock"] and not python["project"]:
        yield "dev_python.groups: JupyterLab needs the group notebook; add it, or set dev_jupyter.enabled to false"


def code_server(spec: Spec) -> Iterator[str]:
    """The form of the hash."""
    hashed = spec["code_server"]["hashed_password"]
    if spec["code_server"]["enabled"] and hashed and not re.fullmatch(r"\$argon2(id|i|d)\$\S+", hashed):
        yield (
            "dev_code_server.hashed_password: the value (not shown) is no hash of argon2, which begins with $argon2; "
            "never "
            "write the password itself"
        )


def pins(spec: Spec) -> Iterator[str]:
    """A download of another version needs its own digest."""
    asked = {
        "conda": spec["python"]["manager"] == "conda",
        "code_server": spec["code_server"]["enabled"],
        "rust.rustup": spec["rust"]["enabled"],
    }
    for path, enabled in asked.items():
        chosen, usual = spec, {name: default_of(option) for name, option in options().items() if name in path}
        for key in path.split("."):
            chosen, usual = chosen[key], usual[key]
        if not enabled:
            continue
        if not any(chosen["sha256"].values()):
            yield (
                f"dev_{path}.sha256: there is no digest for {chosen['version']}; give that of the download for x86_64 "
                "or aarch64"
            )
        elif chosen["version"] != usual["version"] and any(
            digest == usual["sha256"][machine] for machine, digest in chosen["sha256"].items()
        ):
            yield (
                f"dev_{path}.sha256: the version is {chosen['version']}, and a digest is still that of "
                f"{usual['version']}; give "
                'those of the new one, and "" for a machine that you do not have'
            )


def python(spec: Spec) -> Iterator[str]:
    """Sources of packages that exclude each other, and directories."""
    wanted, conda = spec["python"], spec["conda"]
    if wanted["lock"] and wanted["packages"]:
        yield "dev_python.packages: dev_python.lock replaces them; put them into that lock, or leave the lock out"
    if wanted["project"] and wanted["manager"] != "uv":
        yield f"dev_python.project: only uv syncs a project, and dev_python.manager is {wanted['manager']}"
    if wanted["lock"] and wanted["project"]:
        yield "dev_python.lock: dev_python.project has a lock of its own (uv.lock); give one of the two"
    named = {"dev_python.prefix": wanted["prefix"], "dev_data_dir": spec["data_dir"]}
    if wanted["manager"] == "conda":
        named["dev_conda.prefix"] = conda["prefix"]
        yield from _anaconda(conda)
        if within(conda["prefix"], (wanted["prefix"],)):
            yield f"dev_conda.prefix: {conda['prefix']} lies in the environment, dev_python.prefix; each needs its own"
    for path, value in named.items():
        if within(value, (*SYSTEM, *OWN_PATHS)):
            yield (
                f"{path}: {value} is a directory of the system or of the environment's tools; take another, such as "
                "/opt/venv"
            )
    if within(spec["data_dir"], (wanted["prefix"],)):
        yield (
            f"dev_data_dir: {spec['data_dir']} lies in the environment, dev_python.prefix, which is made anew at times"
        )


def _anaconda(conda: Spec) -> Iterator[str]:
    theirs = [one for one in conda["channels"] if one in ANACONDA or "anaconda.com/" in one]
    if theirs and not conda["accept_anaconda_terms"]:
        yield (
            f"dev_conda.channels: {theirs[0]} belongs to Anaconda, whose terms must be accepted; use conda-forge, or "
            "set "
            "dev_conda.accept_anaconda_terms to true"
        )
    if not conda["channels"]:
        yield "dev_conda.channels: there is none; conda-forge has nearly everything"


def torch(spec: Spec) -> Iterator[str]:
    """A CPU build only on purpose, and an index that there is."""
    wanted = spec["torch"]
    names = {re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0].lower() for one in wanted["packages"]}
    if wanted["backend"] == "cpu" and wanted["packages"] and not wanted["cpu_accepted"]:
        yield "dev_torch.backend: cpu cannot use the GPU; set dev_torch.cpu_accepted to true if that is meant"
    releases = load("torch")["releases"].values()
    known = sorted(
        {f"cu{cuda.replace('.', '')}" for one in releases for cuda in one["cuda"]}, key=lambda one: int(one[2:])
    )
    if wanted["backend"].startswith("cu") and wanted["backend"] not in known:
        yield f"dev_torch.backend: there is no torch for {wanted['backend']}; there is {', '.join(known)}"
    if wanted["version"] and "torch" not in names:
        yield "dev_torch.version: torch is not among dev_torch.packages; add it, or leave the version out"


def image(spec: Spec) -> Iterator[str]:
    """The flavour for compilers, the archive, and images that others could have changed."""
    base = spec["base"]
    flavours = ("base", "runtime")
    named = next((word for word in re.split(r"[-:]", base["image"]) if word in flavours), "")
    flavour = named if base["image"] else base["flavour"]
    if spec["source_builds"] and flavour in flavours:
        where = f"the image {base['image']}" if base["image"] else f"dev_base.flavour {flavour}"
        yield f"dev_source_builds: they need nvcc, and {where} has none; take the flavour devel"
    if base["archive"] and not base["image"]:
        yield "dev_base.archive: name the image in it, too, as dev_base.image"
    host = (base["registry"] or base["image"]).partition("/")[0]
    if host in third_party_hosts() and not base["digest"]:
        yield no_digest(f"{host} is a mirror of others")


def third_party_hosts() -> frozenset[str]:
    """Registry mirrors of the catalogue that nobody answers for."""
    rows = load("mirrors")["registry_mirrors"]
    return frozenset(row["url"].partition("://")[2].rstrip("/") for row in rows if row.get("trust") == "third_party")


def no_digest(why: str) -> str:
    """The sentence for an image that could be another one."""
    return (
        f"dev_base.digest: {why}, which could give out anything under a tag; give the digest that the publisher names"
    )


def user(spec: Spec) -> Iterator[str]:
    """Who works in the container."""
    wanted = spec["user"]
    if wanted["profile"] == "user" and wanted["sudo"] != "none":
        yield (
            "dev_user.sudo: the profile user has no privileges that sudo could give; set dev_user.profile to root, or "
            "sudo to none"
        )
    if wanted["name"] in SYSTEM_USERS:
        yield f"dev_user.name: {wanted['name']} is a user of the system; take a name of your own, such as dev"


def env(spec: Spec) -> Iterator[str]:
    """Names and values that sshd can hand on, and no names of the environment's own."""
    for name, value in spec["env"].items():
        shown = name if re.fullmatch(r"[ -~]{1,60}", name) else repr(name)[:60]
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield f"dev_env: {shown} is no name of a variable; use letters, digits and _"
        elif name in OWN_ENV or name.startswith(OWN_PREFIXES):
            better = OWN_ENV.get(name, "")
            yield f"dev_env.{name}: the environment sets it itself; {f'use {better}' if better else 'leave it out'}"
        elif re.search(r"[\0-\x08\x0a-\x1f\x7f]", value):
            yield (
                f"dev_env.{name}: the value (not shown) has line breaks or control characters, which sshd cannot hand "
                "on"
            )


def volumes(spec: Spec) -> Iterator[str]:
    """Targets that hide nothing, each once, and sources that do not give away the host."""
    seen: dict[str, str] = {}
    prefixes = [spec["python"]["prefix"]]
    prefixes += [spec["conda"]["prefix"]] if spec["python"]["manager"] == "conda" else []
    own = (*OWN_PATHS, *prefixes)
    home = f"/home/{spec['user']['name']}"
    for name, one in spec["volumes"].items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            yield f"dev_volumes: {name[:60]!r} is no name that can be used; take letters, digits, ., _ and -"
            continue
        source, target = (one[key].rstrip("/") or "/" for key in ("source", "target"))
        hidden = next((path for path in (*own, home) if within(path, (target,)) or target == "/"), "")
        system = within(target, (*SYSTEM, *own))
        if target in seen:
            yield f"dev_volumes.{name}.target: {target} is that of dev_volumes.{seen[target]}; give each its own"
        elif hidden or system:
            yield (
                f"dev_volumes.{name}.target: {target} would hide {hidden or system} of the container; take a "
                f"directory such as /data/{name}"
            )
        seen.setdefault(target, name)
        if source == "/" or within(source, HOST_ONLY):
            yield (
                f"dev_volumes.{name}.source: {source} of the host gives the container power over the host; mount a "
                "directory of its own"
            )


def gpu(spec: Spec) -> Iterator[str]:
    """Which GPUs."""
    wanted = spec["gpu"]
    if wanted["mode"] == "none":
        return
    devices = wanted["devices"]
    if not devices:
        yield 'dev_gpu.devices: there is none; name GPUs or "all", or set dev_gpu.mode to none'
    if "all" in devices and len(devices) > 1:
        yield 'dev_gpu.devices: "all" stands beside others; give one or the other'
    if len(set(devices)) < len(devices):
        yield "dev_gpu.devices: one GPU is named twice"
    if wanted["count"] and devices != ["all"]:
        yield "dev_gpu.count: it counts among all GPUs, and dev_gpu.devices names some; leave one of the two out"


def limits(spec: Spec) -> Iterator[str]:
    """Limits that the kernel knows, and a health check that can end."""
    for name in spec["ulimits"]:
        if name not in LIMITS:
            yield f"dev_ulimits: {name[:60]!r} is no limit; there is {', '.join(LIMITS)}"


# for an environment in place and in a container alike
COMMON: tuple[Callable[[Spec], Iterator[str]], ...] = (jupyter, code_server, web_ports, pins, python, torch, env)
# what only a container has
CONTAINER: tuple[Callable[[Spec], Iterator[str]], ...] = (ssh, ports, image, user, volumes, gpu, limits)


def warnings(spec: Spec) -> Iterator[str]:
    """What works, and is better otherwise."""
    for name in spec["env"]:
        if re.search(r"(?i)(^|_)(token|password|secret|api_?key)s?$", name):
            yield f"dev_env.{name}: it looks like a secret, and docker inspect shows it; keep it in a file of a volume"
    if spec["base"]["image"].endswith(":latest") and not spec["base"]["digest"]:
        yield f"dev_base.image: {spec['base']['image']} changes by itself; name a version, or the digest"
    for name in ("jupyter", "code_server"):
        one = spec[name]
        if one["enabled"] and one["publish"] and not is_loopback(one["bind"]):
            yield (
                f"dev_{name}.bind: on {one['bind']} token and password go over the network unencrypted; a tunnel "
                "through ssh does not"
            )
