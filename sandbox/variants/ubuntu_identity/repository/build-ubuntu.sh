#!/bin/sh
# build-ubuntu.sh SOURCE OUT: what an Ubuntu 24.04 host sees, as GPG-signed STAND-IN repositories:
#   OUT/ubuntu                                     plays Ubuntu's archive: noble, noble-updates, noble-security, and
#                                                  noble-proposed, which hosts do not have: what will come
#   OUT/compute/cuda/repos/ubuntu2404/<machine>    NVIDIA's flat repository
# noble holds what was there at the release; the two others what came later.
set -eu
src=$1 out=$2 arch=
for file in lib parts driver archive nvidia-ubuntu archive-ubuntu; do
  # shellcheck source=/dev/null
  . "$src/$file.sh"
done
KERNEL=6.8.0-999-generic
case $arch in amd64) folder=x86_64 ;; arm64) folder=sbsa ;; *) folder=$arch ;; esac
nvidia=$out/compute/cuda/repos/ubuntu2404/$folder
pool=$out/ubuntu/pool
# One pass: the parts' dependencies are exact, so that each version is a set of its own
for version in 580.126.09 580.159.03; do branch_in_name "$version" "$nvidia"; done
no_branch_in_name 595.71.05 "$nvidia"
nvlsm "$nvidia"
archive_base "$pool/noble/main" "$KERNEL"
archive_driver 580.126.09 "$pool/noble/restricted" 6.8.0-999.999 "$KERNEL"
archive_driver 580.159.03 "$pool/noble-updates/restricted" 6.8.0-999.999+1 "$KERNEL"
archive_driver 595.71.05 "$pool/noble-updates/restricted" 6.8.0-999.999+1 "$KERNEL"
transitional 570-server 580-server 580.159.03 "$pool/noble-updates/restricted" 6.8.0-999.999+1 generic
archive_driver 580.178.04 "$pool/noble-proposed/restricted" 6.8.0-999.999+2 "$KERNEL"
mkdir -p "$pool/noble-updates/main"
cp -al "$pool/noble-updates" "$pool/noble-security"
sign "$nvidia" 'gpuready sandbox: stand-in driver for Ubuntu'
for name in noble noble-updates noble-security noble-proposed; do suite "$name"; done
place_key "$nvidia" 3bf863cc.pub
publish_key "$out"
gpg --export > "$out/key.gpg"
