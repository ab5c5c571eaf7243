#!/bin/sh
# tools.sh: makes sure that this machine can make and start virtual machines. Exit status 77 and one sentence on standard
# output where it cannot: tests are skipped with it.
set -eu
cannot() { echo "$*"; exit 77; }

[ "$(uname -m)" = x86_64 ] || cannot "virtual machines of the tests are x86_64, this machine is $(uname -m)"
[ "$(id -u)" = 0 ] || cannot "making a virtual machine's file system needs root"
missing=''
for pair in qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mmdebstrap:mmdebstrap mke2fs:e2fsprogs gpg:gnupg dpkg-deb:dpkg ssh:openssh-client; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || cannot "missing here, and this is not a Debian-like system:$missing"
apt-get update -qq >&2 || cannot "missing here, and the package mirror does not answer:$missing"
# seabios, because qemu-system-x86 only recommends what a machine boots with
# shellcheck disable=SC2086  # a list of package names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing seabios ipxe-qemu debian-archive-keyring >/dev/null ||
  cannot "the package mirror does not have:$missing"
