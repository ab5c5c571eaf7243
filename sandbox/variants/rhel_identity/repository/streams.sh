#!/bin/sh
# streams.sh REPOSITORY MACHINE: the modular metadata of NVIDIA's repository for RHEL 8 and 9: one stream a branch and flavour,
# and the streams that follow the newest branch. Packages of other streams than the enabled one are invisible to dnf.
set -eu
repository=$1 machine=$2
artifacts() { # BRANCH KMOD-TO-LEAVE-OUT
  for file in "$repository"/*.rpm; do
    rpm -qp --qf '%{NAME} %{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH} %{VERSION}\n' "$file" 2>/dev/null
  done | awk -v branch="$1." -v other="$2" 'index($3, branch) == 1 && $1 != other && $1 !~ /fabricmanager|nscq|nvsdm/ { print "      - " $2 }'
}
stream() { # NAME BRANCH open|dkms
  kmod="kmod-nvidia-open-dkms" other="kmod-nvidia-latest-dkms"
  [ "$3" = open ] || { kmod="kmod-nvidia-latest-dkms"; other="kmod-nvidia-open-dkms"; }
  cat <<YAML
---
document: modulemd
version: 2
data:
  name: nvidia-driver
  stream: "$1"
  version: 20261101000000
  context: $(printf '%s' "$1" | sha256sum | cut -c1-8)
  arch: $machine
  summary: SIMULATED nvidia-driver, stream $1
  description: SIMULATED
  license:
    module: [GPL-3.0-or-later]
  profiles:
    default:
      rpms: [nvidia-driver, nvidia-driver-cuda, $kmod]
  artifacts:
    rpms:
$(artifacts "$2" "$other")
YAML
}
stream 580-open 580 open
stream 580-dkms 580 dkms
stream 595-open 595 open
stream open-dkms 595 open
stream latest-dkms 595 dkms
cat <<YAML
---
document: modulemd-defaults
version: 1
data:
  module: nvidia-driver
  stream: latest-dkms
  profiles:
    latest-dkms: [default]
...
YAML
