#!/bin/sh
# build-repository.sh SOURCE OUT: GPG-signed apt repositories of STAND-IN packages. Names, relations, versions and
# maintainer-script effects are those of NVIDIA's packages as far as our roles can see them; the contents are harmless
# scripts that say "simulated".
#   OUT/stable/deb/<arch>                         flat, the toolkit's
#   OUT/compute/cuda/repos/debian/<arch>          flat, the driver's; also under NVIDIA's own folder names (debian13/x86_64)
#   OUT/compute/cuda/repos/debian-faults/<arch>   the same, and 580.178.04 without its fabric manager, and 595.99.99 whose
#                                                 module does not compile
#   OUT/archive                                   flat, plays the distribution's archive: kernel headers, gcc, make, dkms
set -eu
src=$1 out=$2 arch=
for file in lib toolkit parts driver archive; do
  # shellcheck source=/dev/null
  . "$src/$file.sh"
done
KERNELS='6.12.99-sandbox-amd64 6.12.100-sandbox-amd64'
repos=$out/compute/cuda/repos
case $arch in amd64) folder=x86_64 ;; arm64) folder=sbsa ;; *) folder=$arch ;; esac

for version in 1.18.1 1.19.1 1.20.0; do toolkit "$version" "$out/stable/deb/$arch"; done
for version in 580.126.09 580.159.03 595.71.05; do driver "$version" "$repos/debian/$arch"; done
dkms_package "$repos/debian/$arch"
nvlsm "$repos/debian/$arch"
mkdir -p "$repos/debian-faults"
cp -al "$repos/debian/$arch" "$repos/debian-faults/$arch"
driver 580.178.04 "$repos/debian-faults/$arch" no-fabricmanager
driver 595.99.99 "$repos/debian-faults/$arch" broken-module
for kernel in $KERNELS; do kernel_headers "$kernel" "$out/archive" "99:${kernel%%-*}-1"; done
compiler "$out/archive" 99:14.2.0-1
dkms_package "$out/archive"

sign "$out/stable/deb/$arch" 'gpuready sandbox: stand-in toolkit'
sign "$repos/debian/$arch" 'gpuready sandbox: stand-in driver'
sign "$repos/debian-faults/$arch" 'gpuready sandbox: stand-in driver with faults'
sign "$out/archive" 'gpuready sandbox: stand-in archive'
for distribution in debian12 debian13; do
  mkdir -p "$repos/$distribution"
  ln -s "../debian/$arch" "$repos/$distribution/$folder"
done
place_key "$repos/debian/$arch" 3bf863cc.pub
place_key "$repos/debian/$arch" 8793F200.pub
publish_key "$out"
