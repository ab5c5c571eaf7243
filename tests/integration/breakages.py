# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stations of the broken machine tour: how each breaks the host, how it is mended, and the lines that must follow.

All are shell scripts for the sandbox host. What the kernel would show is put over it as a mount, so that mending is an
umount. The stand-in nvidia-smi is changed in place: the dev container has it mounted and so meets the same driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# What several stations do. `mend` runs on: it must also put a host right that was broken only half.
FUNCTIONS = r"""
keep=/run/gpuready-tour; mkdir -p $keep
smi=/usr/bin/nvidia-smi document=/usr/share/gpuready-standin/nvidia-smi-q-x.xml cdi=/var/run/cdi/nvidia.yaml
pci=/sys/bus/pci/devices gpu=0000:01:00.0 dpkg=/var/lib/dpkg/status
over() { mount -t tmpfs -o "mode=0755${2:+,$2}" tmpfs "$1"; }
instead() { cp -p "$1" "$keep/${1##*/}"; cat > "$1"; }
back() {
  [ ! -e "$keep/${1##*/}" ] || { cat "$keep/${1##*/}" > "$1"; touch -r "$keep/${1##*/}" "$1"; rm "$keep/${1##*/}"; }
}
# the driver is installed, its module is not loaded
unload() { over /proc/driver; rm -rf /dev/nvidia* /sys/module/nvidia*; }
load() { umount /proc/driver; nvidia-modprobe; }
# a journalctl that comes first in PATH: the sandbox's kernel is that of the machine around it
log() {
  now=$(date +%s)
  for line in "a boot" "another line" "one more" "$@"; do echo "$now.000001 kernel: $line"; done > $keep/kernel.log
  printf '#!/bin/sh\ncat %s\n' $keep/kernel.log > /usr/local/sbin/journalctl; chmod 755 /usr/local/sbin/journalctl
}
unlog() { rm -f /usr/local/sbin/journalctl; }
# a process that holds apt's lock, as apt does
hold() {
  setsid python3 -c "import fcntl, signal
lock = open('/var/lib/dpkg/lock-frontend', 'r+'); fcntl.lockf(lock, fcntl.LOCK_EX)
open('$keep/held', 'w').close(); signal.pause()" < /dev/null > /dev/null 2>&1 & echo $! > $keep/holder
  for turn in $(seq 50); do [ -e $keep/held ] && return; sleep 0.1; done; return 1
}
toolkit() {
  set -- "$1" nvidia-container-toolkit nvidia-container-toolkit-base libnvidia-container-tools libnvidia-container1
  apt-get install -y -qq --allow-downgrades "$2=$1" "$3=$1" "$4=$1" "$5=$1" < /dev/null > /dev/null 2>&1
}
release() { kill "$(cat $keep/holder)"; rm -f $keep/holder $keep/held; }
"""


class Remedy(NamedTuple):
    """What a line must offer: the kind of action, the role that carries it out, and a part of the command."""

    action: str
    role: str | None
    command: str


class Breakage(NamedTuple):
    """`lines`: status, remedy and part of the message of what is not pass or skip; `caused`: skipped check -> why."""

    name: str
    # shell scripts; both empty for a station that is replayed
    damage: str
    mend: str
    lines: Mapping[str, tuple[str, Remedy, str]]
    caused: Mapping[str, str] = {}
    inputs: Mapping[str, object] = {}
    # checks that rightly say nothing now, without a cause
    quiet: tuple[str, ...] = ()
    # what is changed in the sound host's snapshot when it is replayed
    changes: Mapping[str, object] = {}


def because(cause: str, *checks: str) -> dict[str, str]:
    return dict.fromkeys(checks, cause)


REBOOT = Remedy("reboot", None, "-m ansible.builtin.reboot")
# by the role, which looks after the driver
ROLE_REBOOTS = Remedy("reboot", "nvidia_driver", "nvidia_driver_reboot=when_needed")
# what nobody can judge without the module, without an answer of the driver
NO_ANSWER = ("DRV-SMI", "DRV-GPU-COUNT", "DRV-RECOVERY", "DRV-PERSIST", "CTR-NVML-LOST", "DEV-GPU", "DEV-CAPS")
NO_MODULE = ("DRV-MODULE", "DRV-DEVNODES", "DRV-UVM", "DRV-VERSION-MATCH", "DRV-FLAVOUR", "DRV-GPU-LOST", *NO_ANSWER)

BREAKAGES = [
    Breakage(
        "nouveau loaded",
        "unload; over /sys/module; mkdir /sys/module/nouveau; ln -s ../../drivers/nouveau $pci/$gpu/driver",
        "rm -f $pci/$gpu/driver; umount /sys/module; load",
        {"PRE-NOUVEAU": ("fail", ROLE_REBOOTS, "nouveau is loaded")},
        because("PRE-NOUVEAU", "PRE-BOUND-DRIVER", "CTR-CDI-SPEC", *NO_MODULE),
        quiet=("DRV-HANG",),
    ),
    Breakage(
        "Secure Boot on",
        r"""unload; over /sys/firmware; mkdir -p /sys/firmware/efi/efivars; cd /sys/firmware/efi/efivars
        printf '\006\000\000\000\001' > SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
        printf '\006\000\000\000\000' > SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c""",
        "umount /sys/firmware; load",
        {
            "PRE-SECURE-BOOT": (
                "fail",
                Remedy("firmware_setup", "nvidia_driver", "nvidia_driver_secure_boot=enrol"),
                "Secure Boot is on and would refuse",
            )
        },
        because("PRE-SECURE-BOOT", "CTR-CDI-SPEC", *NO_MODULE),
        quiet=("DRV-HANG",),
    ),
    Breakage(
        ".run driver present",
        """echo '#!/bin/sh' > /usr/bin/nvidia-uninstall; chmod 755 /usr/bin/nvidia-uninstall
        echo 'installer version: 535.129.03' > /var/log/nvidia-installer.log""",
        "rm -f /usr/bin/nvidia-uninstall /var/log/nvidia-installer.log",
        {"PRE-RUNFILE": ("fail", Remedy("none", None, "nvidia-uninstall --silent"), "535.129.03")},
    ),
    Breakage(
        "dpkg half-configured",
        """sed '/^Package: less$/,/^$/s/^Status: .*/Status: install ok half-configured/' $dpkg > $keep/new
        instead $dpkg < $keep/new""",
        "back $dpkg",
        {"PRE-PKG-STATE": ("fail", Remedy("none", None, "dpkg --configure -a"), "less")},
    ),
    Breakage(
        "apt lock held, nothing left to install",
        "hold",
        "release",
        {"PRE-PKG-LOCK": ("warn", Remedy("wait", "readiness", "--tags readiness"), "busy (python3, pid ")},
    ),
    Breakage(
        "apt lock held, the driver still to come",
        "unload; hold",
        "release; load",
        {"PRE-PKG-LOCK": ("fail", Remedy("wait", "preflight", "--tags preflight"), "busy (python3, pid ")},
        inputs={"readiness_stages": ["preflight"]},
    ),
    Breakage(
        "driver and library differ",
        """instead $smi << 'SMI'
#!/bin/sh
echo 'Failed to initialize NVML: Driver/library version mismatch'
echo 'NVML library version: 580.126'
exit 18
SMI""",
        "back $smi",
        {"DRV-VERSION-MATCH": ("fail", ROLE_REBOOTS, "nvidia-smi exit status 18")},
        because("DRV-VERSION-MATCH", "DRV-GPU-LOST", *NO_ANSWER),
    ),
    Breakage(
        "nvidia-smi hangs",
        """printf '#!/bin/sh\\nexec sleep 300\\n' | instead $smi""",
        "back $smi",
        {"DRV-HANG": ("fail", REBOOT, "nvidia_smi did not return in time")},
        because("DRV-HANG", "CTR-CDI-SPEC", *NO_MODULE),
    ),
    Breakage(
        "7 of 8 GPUs",
        # what a container was given when it was made does not grow: it is made for one GPU, and so is the CDI file
        r"""cp -a $pci/$gpu $keep/gpu; over $pci
        for n in 1 2 3 4 5 6 7 8; do cp -a $keep/gpu $pci/0000:0$n:00.0; done
        for n in 1 2 3 4 5 6; do mknod -m 666 /dev/nvidia$n c 240 $n; done
        python3 - $document > $keep/seven << 'SEVEN'
import re, sys
text = open(sys.argv[1]).read()
start, one, end = re.fullmatch(r"(.*?)(\t<gpu id=.*</gpu>\n)(.*)", text, re.DOTALL).groups()
def board(n):
    moved = one.replace("0000:01:00.0", f"0000:0{n}:00.0").replace("<pci_bus>01<", f"<pci_bus>0{n}<")
    return moved.replace("00000001<", f"0000000{n}<").replace("<minor_number>0<", f"<minor_number>{n - 1}<")
print(start.replace("<attached_gpus>1<", "<attached_gpus>7<") + "".join(map(board, range(1, 8))) + end, end="")
SEVEN
        instead $document < $keep/seven
        sed 's/^  -L).*/  -L) for n in 0 1 2 3 4 5 6; do echo "GPU $n: RTX 4090"; done ;;/' $smi > $keep/listing
        instead $smi < $keep/listing""",
        "back $smi; back $document; rm -f /dev/nvidia[1-6]; umount $pci; rm -rf $keep/gpu",
        {"DRV-GPU-COUNT": ("fail", REBOOT, "8 GPUs on the PCI bus, 7 in the driver, 8 expected")},
        because("DRV-GPU-COUNT", "DRV-DEVNODES"),
        {"readiness_policy": {"expected_gpus": 8, "ram_per_gpu_memory_percent": 0}},
    ),
    Breakage(
        "Xid 79 in the kernel log",
        """log "NVRM: Xid (PCI:0000:01:00): 79, pid=4242, name=python3, GPU has fallen off the bus." \
        "NVRM: GPU 0000:01:00.0: GPU has fallen off the bus."
        instead $smi << 'SMI'
#!/bin/sh
echo 'Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU'
exit 15
SMI""",
        "back $smi; unlog",
        {"DRV-GPU-LOST": ("fail", REBOOT, "GPU 0000:01:00.0 has fallen off the bus")},
        because("DRV-GPU-LOST", *NO_ANSWER),
    ),
    Breakage(
        "CDI file stale",
        "sed 's/580\\.159\\.03/580.126.09/' $cdi > $keep/stale; instead $cdi < $keep/stale",
        "back $cdi",
        {
            "CTR-CDI-FRESH": (
                "fail",
                Remedy("restart_service", "nvidia_container_toolkit", "--tags nvidia_container_toolkit,readiness"),
                "libcuda.so.580.126.09",
            )
        },
        because("CTR-CDI-FRESH", "DEV-GPU", "DEV-CAPS", "DEV-LIBCUDA", "DEV-CUDA-DRIVER"),
    ),
    Breakage(
        "toolkit below the CVE floor",
        "toolkit 1.18.1-1",
        "toolkit 1.20.0-1",
        {
            "CTR-TOOLKIT-CVE": (
                "fail",
                Remedy("set_var", "nvidia_container_toolkit", "nvidia_container_toolkit_version=1.19.1-1"),
                "CVE-2026-24260",
            )
        },
    ),
    Breakage(
        "container without device rules",
        # as the legacy hook leaves it: the nodes are there, no rule of the container's scope names them
        """docker run -d --name gpuready-tour --gpus all -v $smi:$smi:ro -v $document:$document:ro \
        -v /dev/nvidiactl:/dev/nvidiactl --entrypoint sleep "$(docker inspect -f '{{.Image}}' gpuready-dev)" 600""",
        "docker rm -f gpuready-tour",
        {
            "CTR-NVML-SURVIVE": (
                "fail",
                Remedy("run_role", None, "playbooks/heal_gpu.yml"),
                "container gpuready-tour loses the GPU at the next daemon-reload",
            )
        },
    ),
    Breakage(
        "container that has lost its GPU",
        """lost=/usr/local/sbin/lost
        printf '#!/bin/sh\\necho "Failed to initialize NVML: Unknown Error"; exit 255\\n' > $lost
        chmod 755 $lost; docker run -d --name gpuready-tour --gpus all -v $lost:$smi:ro \
        --entrypoint sleep "$(docker inspect -f '{{.Image}}' gpuready-dev)" 600""",
        "docker rm -f gpuready-tour; rm -f /usr/local/sbin/lost",
        {
            "CTR-NVML-LOST": (
                "fail",
                Remedy("run_role", None, "playbooks/heal_gpu.yml"),
                "container gpuready-tour has lost its GPU",
            )
        },
        because("CTR-NVML-LOST", "CTR-NVML-SURVIVE"),
    ),
    Breakage(
        "CPU build of torch",
        """site='/opt/venv/lib/python3*/site-packages'
        docker exec -i gpuready-dev sh -c "cd $site && mkdir torch && cat > torch/version.py" << 'TORCH'
__version__ = '2.9.1+cpu'
debug = False
cuda: Optional[str] = None
git_version = '5811a8d7da873dd699ff6687092c225caffcf1bb'
hip: Optional[str] = None
TORCH""",
        "docker exec gpuready-dev sh -c 'rm -r /opt/venv/lib/python3*/site-packages/torch'",
        {
            "DEV-TORCH-CUDA": (
                "fail",
                Remedy("set_var", "dev_container", "--tags dev_container,readiness"),
                "torch 2.9.1+cpu in /opt/venv of gpuready-dev is a CPU build",
            )
        },
        because("DEV-TORCH-CUDA", "DEV-TORCH-ARCH", "DEV-TORCH-DRIVER"),
    ),
    Breakage(
        "disk full",
        # a small filesystem of its own, filled to the last block, at a place that the policy names
        "over /var/tmp size=16m; head -c 17m /dev/zero > /var/tmp/full || :",
        "umount /var/tmp",
        {"PRE-DISK": ("fail", Remedy("free_space", "readiness", "--tags readiness"), "/var/tmp has 0 MiB free")},
        because("PRE-DISK", "CTR-STORAGE"),
        {"readiness_policy": {"disk_needs_mib": {"/var/tmp": 1024}}},
    ),
    Breakage(
        "clock one day off",
        # the clock is that of the machine around the sandbox: the Python that looks at the host lives a day ago
        r"""mkdir -p $keep/yesterday
        printf 'import time\nnow = time.time\ntime.time = lambda: now() - 86400\n' > $keep/yesterday/sitecustomize.py
        printf '#!/bin/sh\nPYTHONPATH=%s exec python3 "$@"\n' $keep/yesterday > /usr/local/sbin/yesterday
        chmod 755 /usr/local/sbin/yesterday""",
        "rm -rf /usr/local/sbin/yesterday $keep/yesterday",
        {
            "PRE-TIME": (
                "fail",
                Remedy("restart_service", None, "timedatectl set-ntp true"),
                "the clock is -86",
            )
        },
        because("PRE-TIME", "PRE-MIRROR-FRESH"),
        {
            "ansible_python_interpreter": "/usr/local/sbin/yesterday",
            # what a repository that answers says of the time
            "readiness_endpoints": [{"kind": "nvidia", "name": "stand-in", "url": "http://127.0.0.1:8099/gpgkey"}],
        },
    ),
    Breakage(
        "proxy only in the shell",
        "printf 'https_proxy=http://127.0.0.1:3128\\nno_proxy=*\\n' | instead /etc/environment",
        "back /etc/environment",
        {
            "PRE-DNS-PROXY": (
                "warn",
                Remedy("fix_network", "docker_engine", "docker_engine_daemon_settings"),
                "the shell uses the proxy http://127.0.0.1:3128, these do not: apt, Docker",
            )
        },
    ),
]

KERNEL = "6.12.48+deb13-amd64"
# a kernel of the host's own, for which the module could not be built
NO_HEADERS: Mapping[str, object] = {
    "simulated.host": False,
    # what is not asked of a simulated host
    "time.ntp_synchronized": True,
    "dev.containers.0.ulimits": {"memlock_kib": -1, "nofile": 1048576, "stack_kib": 65536},
    "kernel.running": KERNEL,
    "kernel.newest": KERNEL,
    "kernel.installed": [{"release": KERNEL, "headers": False, "nvidia": None, "initramfs": True}],
    "kernel.headers": False,
    "kernel.compiler": {"name": "gcc", "major": 14},
    "kernel.compilers": ["gcc-14"],
    "driver.module": {"loaded": False, "version": None, "flavour": None},
    "driver.devnodes": [],
    "driver.smi": {
        "present": True,
        "rc": 9,
        "message": "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "driver_version": None,
        "cuda_version": None,
    },
    "gpus": [],
}
ROLE_INSTALLS = Remedy("run_role", "nvidia_driver", "--tags nvidia_driver,readiness")
INSTALL_HEADERS = Remedy("none", None, f"name=linux-headers-{KERNEL} update_cache=true")

REPLAYED = [
    Breakage(
        "headers missing, the role can install them",
        "",
        "",
        {
            "DRV-MODULE": (
                "fail",
                ROLE_INSTALLS,
                f"the headers of the running kernel {KERNEL} are missing",
            ),
            "PRE-HEADERS": ("warn", ROLE_INSTALLS, "the driver cannot be built"),
        },
        because("DRV-MODULE", "CTR-CDI-SPEC", *(name for name in NO_MODULE if name != "DRV-MODULE")),
        quiet=("DRV-HANG",),
        changes=NO_HEADERS,
    ),
    Breakage(
        "headers missing, the policy asks for them",
        "",
        "",
        {"PRE-HEADERS": ("fail", INSTALL_HEADERS, "the driver cannot be built")},
        because("PRE-HEADERS", "CTR-CDI-SPEC", *NO_MODULE),
        {"readiness_policy": {"headers_missing": "fail"}},
        quiet=("DRV-HANG",),
        changes=NO_HEADERS,
    ),
    Breakage(
        "disk of Docker full",
        "",
        "",
        {
            "PRE-DISK": (
                "fail",
                Remedy("free_space", "readiness", "--tags readiness"),
                "/var/lib/docker has 12 MiB free, 1024 MiB are needed",
            )
        },
        because("PRE-DISK", "CTR-STORAGE"),
        changes={
            "storage.fs": [
                {
                    "mount": mount,
                    "source": f"/dev/vd{disk}",
                    "type": "ext4",
                    "ro": False,
                    "size_mib": 102400,
                    "free_mib": free,
                    "inodes_free_pct": 97,
                    "options": ["rw", "relatime"],
                }
                for mount, disk, free in (("/", "a1", 40960), ("/var/lib/docker", "b", 12))
            ]
        },
    ),
]
