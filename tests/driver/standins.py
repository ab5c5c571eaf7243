# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive for the virtual machine: packages of Debian's names that hold what was really built and installed.

Under emulation DKMS would take an hour and the real set is 1.2 GB. So the packages here are small, and what they carry
was taken from the host on which the role has installed the real ones: the kernel modules, the configuration that comes
with them, nvidia-smi and its library, the unit of the daemon. Relations are cut down to what apt must see to work out
an order.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEYRING = "/usr/local/share/keyrings/debian-archive-keyring.gpg"
_USER = "gpuready tests (stand-in archive) <tests@example.invalid>"


@dataclass
class Package:
    """One package. `files`: path on the machine -> path below `taken`, or bytes of its own."""

    name: str
    version: str
    component: str
    depends: str = ""
    files: dict[str, str | bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What the host has built. `folder`: files at their paths; `versions`: of the installed packages."""

    folder: Path
    kernel: str
    versions: Mapping[str, str]

    def below(self, path: str) -> list[str]:
        """The files below a folder of the host, as its paths."""
        top = self.folder / path.lstrip("/")
        return sorted("/" + str(one.relative_to(self.folder)) for one in top.rglob("*") if one.is_file())


def packages(built: Built) -> list[Package]:
    """The packages that the role asks for on Debian 12, and those that they need."""
    kernel, dkms = built.kernel, built.versions["dkms"]
    headers = Package(f"linux-headers-{kernel}", built.versions[f"linux-headers-{kernel}"], "main")
    headers.files = {f"/usr/src/linux-headers-{kernel}/Makefile": b"# stand-in: nothing is compiled here\n"}
    headers.links = {f"/lib/modules/{kernel}/build": f"/usr/src/linux-headers-{kernel}"}
    builder = Package("dkms", dkms, "main", files={"/usr/sbin/dkms": b"#!/bin/sh\necho stand-in >&2\nexit 1\n"})
    return [headers, builder, *_modules(built), *_user_side(built), *_tools(built)]


def _modules(built: Built) -> list[Package]:
    """The modules as DKMS has installed them, with what it remembers, and the configuration that comes along."""
    kernel, driver = built.kernel, built.versions["nvidia-open-kernel-dkms"]
    number = driver.rsplit("-", 1)[0]
    tree = "/var/lib/dkms/nvidia-current-open"
    support = Package("nvidia-open-kernel-support", driver, "contrib")
    support.files = {path: path for path in built.below("/etc/modprobe.d")}
    # as glx-alternative-nvidia does, which brings the blacklist in the real set
    support.scripts = {"triggers": "activate-noawait update-initramfs\n"}
    modules = Package("nvidia-open-kernel-dkms", driver, "contrib", f"dkms, nvidia-open-kernel-support (= {driver})")
    paths = built.below(f"/lib/modules/{kernel}/updates/dkms")
    modules.files = {path: path for path in paths}
    modules.links = {f"{tree}/{number}/{kernel}/x86_64/module/{Path(path).name}": path for path in paths}
    modules.links[f"{tree}/{number}/source"] = f"/usr/src/nvidia-current-open-{number}"
    modules.links[f"{tree}/kernel-{kernel}-x86_64"] = f"{number}/{kernel}/x86_64"
    depmod = f"#!/bin/sh\nset -e\ndepmod {kernel}\n"
    modules.scripts = {"postinst": depmod, "postrm": depmod}
    return [support, modules]


def _user_side(built: Built) -> list[Package]:
    """nvidia-smi and the library that it asks, the real ones; libcuda1 is 30 MB that nothing here calls."""
    driver = built.versions["nvidia-open-kernel-dkms"]
    library = Package("libnvidia-ml1", driver, "non-free", scripts={"triggers": "activate-noawait ldconfig\n"})
    library.files = {"/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1": "/taken/libnvidia-ml.so.1"}
    program = Package("nvidia-smi", driver, "non-free", f"libnvidia-ml1 (= {driver})")
    program.files = {"/usr/bin/nvidia-smi": "/taken/nvidia-smi"}
    cuda = Package("libcuda1", driver, "non-free", files={"/usr/share/doc/libcuda1/stand-in": b"no library here\n"})
    return [library, program, cuda]


def _tools(built: Built) -> list[Package]:
    """Programs that Debian versions apart from the driver."""
    name = "nvidia-persistenced"
    found = []
    if "nvidia-modprobe" in built.versions:
        loader = Package("nvidia-modprobe", built.versions["nvidia-modprobe"], "contrib")
        loader.files = {"/usr/bin/nvidia-modprobe": "/taken/nvidia-modprobe"}
        found.append(loader)
    if name in built.versions:
        found.append(_daemon(name, built.versions[name]))
    return found


def _daemon(name: str, version: str) -> Package:
    """The real unit and account; the program stays without asking a GPU: the real one ends where none answers."""
    unit = f"/lib/systemd/system/{name}.service"
    daemon = Package(name, version, "contrib")
    daemon.files = {f"/usr/bin/{name}": b"#!/bin/sh\n# stand-in\nsleep infinity >/dev/null 2>&1 &\n", unit: unit}
    reload_ = "[ ! -d /run/systemd/system ] || systemctl daemon-reload\n"
    account = (
        "id -u nvpd >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /var/run/nvpd nvpd\n"
    )
    # as the real one: the service starts at its installation, and is enabled; a removal leaves the account behind
    start = f"systemctl enable -q {name}.service\nsystemctl start {name}.service || :\n"
    daemon.scripts = {
        "postinst": f"#!/bin/sh\nset -e\n{account}{reload_}{start}",
        "prerm": f'#!/bin/sh\n[ "$1" != remove ] || systemctl disable -q --now {name}.service || :\n',
        "postrm": f"#!/bin/sh\nset -e\n{reload_}",
    }
    return daemon


def take(archive: Path, into: Path) -> None:
    """Unpack what the host gave out."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="fully_trusted")


def archive(built: Built, out: Path) -> None:
    """Write the signed archive to `out`, and its keyring to out/keyring.gpg."""
    shutil.rmtree(out, ignore_errors=True)
    index: dict[str, list[str]] = {"main": [], "contrib": [], "non-free": []}
    for one in packages(built):
        index[one.component].append(_deb(one, built, out))
    suite = out / "dists" / "bookworm"
    for component, entries in index.items():
        folder = suite / component / "binary-amd64"
        folder.mkdir(parents=True)
        plain = "\n".join(entries).encode()
        (folder / "Packages").write_bytes(plain)
        (folder / "Packages.gz").write_bytes(gzip.compress(plain, mtime=0))
    _sign(suite, out)


def _deb(package: Package, built: Built, out: Path) -> str:
    """Build one package; returns its entry of the index."""
    stage = out / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    (stage / "DEBIAN").mkdir(parents=True)
    for path, source in package.files.items():
        target = stage / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(built.folder / source.lstrip("/"), target)
        target.chmod(0o755 if "bin" in Path(path).parts else 0o644)
    for path, to in package.links.items():
        target = stage / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(to)
    for name, text in package.scripts.items():
        (stage / "DEBIAN" / name).write_text(text)
        (stage / "DEBIAN" / name).chmod(0o644 if name == "triggers" else 0o755)
    etc = [path for path in package.files if path.startswith("/etc/")]
    if etc:
        (stage / "DEBIAN" / "conffiles").write_text("\n".join(etc) + "\n")
    control = f"Package: {package.name}\nVersion: {package.version}\nArchitecture: amd64\n"
    control += f"Section: {package.component}/kernel\nMaintainer: {_USER}\n"
    control += f"Depends: {package.depends}\n" if package.depends else ""
    control += f"Description: stand-in for {package.name}, with the real one's files\n"
    (stage / "DEBIAN" / "control").write_text(control)
    place = Path("pool") / package.component / f"{package.name}_{package.version.replace(':', '%3a')}_amd64.deb"
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    argv = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(stage), str(out / place)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(stage)
    data = (out / place).read_bytes()
    return f"{control}Filename: {place}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def _sign(suite: Path, out: Path) -> None:
    """Release file and signature by a key that is thrown away."""
    lines = ["Origin: gpuready tests", "Suite: bookworm", "Codename: bookworm", "Architectures: amd64"]
    lines += ["Components: main contrib non-free", "SHA256:"]
    for path in sorted(suite.rglob("Packages*")):
        data = path.read_bytes()
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path.relative_to(suite)}")
    (suite / "Release").write_text("\n".join(lines) + "\n")
    home = out / "gnupg"
    home.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}
    for argv in (
        ["--passphrase", "", "--quick-gen-key", _USER, "rsa3072", "sign", "never"],
        ["--clearsign", "-o", str(suite / "InRelease"), str(suite / "Release")],
        ["--export", "-o", str(out / "keyring.gpg")],
    ):
        subprocess.run(["gpg", "--batch", "--quiet", *argv], check=True, env=environment, stderr=subprocess.DEVNULL)
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)
    shutil.rmtree(home, ignore_errors=True)
