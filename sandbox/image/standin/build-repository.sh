#!/bin/sh
# build-repository.sh SOURCE OUT: a GPG-signed apt repository of STAND-IN packages. Names, relations, versions and
# maintainer-script effects are those of NVIDIA's packages as far as our roles can see them; the contents are harmless
# scripts that say "simulated". OUT/stable/deb/<arch> is a flat repository like the toolkit's, OUT/compute/cuda/... one
# like the driver's. The signing key is made here and thrown away with the build stage.
set -eu
src=$1 out=$2
arch=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-gen-key 'gpuready sandbox repository (stand-in) <sandbox@example.invalid>' rsa3072 sign never

# package DIR NAME VERSION [DEPENDS] [EXTRA CONTROL LINE]: stage $stage -> DIR/*.deb
new_stage() { stage=$(mktemp -d); chmod 755 "$stage"; mkdir -p "$stage/DEBIAN"; }
package() {
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: gpuready sandbox <sandbox@example.invalid>\n' "$2" "$3" "$arch"
    [ -z "${4:-}" ] || printf 'Depends: %s\n' "$4"
    [ -z "${5:-}" ] || printf '%s\n' "$5"
    printf 'Section: contrib/utils\nPriority: optional\nDescription: SIMULATED stand-in for %s\n' "$2"
  } > "$stage/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -b "$stage" "$1" >/dev/null
  rm -rf "$stage"
}
put() { install -D -m "$1" "$src/$2" "$stage/$3"; }
# A real, empty shared object, so that ldconfig and file names behave
library() {
  mkdir -p "$stage/usr/lib/$multiarch"
  : | as -o "$GNUPGHOME/empty.o" -
  ld -shared -soname "$1.so.1" -o "$stage/usr/lib/$multiarch/$1.so.$2" "$GNUPGHOME/empty.o"
  ln -s "$1.so.$2" "$stage/usr/lib/$multiarch/$1.so.1"
}
postinst() { printf '#!/bin/sh\nset -e\n%s\n' "$1" > "$stage/DEBIAN/postinst"; chmod 755 "$stage/DEBIAN/postinst"; }
prerm() { printf '#!/bin/sh\nset -e\n%s\n' "$1" > "$stage/DEBIAN/prerm"; chmod 755 "$stage/DEBIAN/prerm"; }

# Effects of a package that ships units: reload systemd, enable and start, only where systemd runs
start_units() { # UNITS
  echo "if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl enable --now --quiet $*; fi"
}

toolkit() { # VERSION
  v=$1-1 dir=$out/stable/deb/$arch
  mkdir -p "$dir"
  new_stage; library libnvidia-container "$1"; package "$dir" libnvidia-container1 "$v"
  new_stage; put 755 bin/simulated usr/bin/nvidia-container-cli; package "$dir" libnvidia-container-tools "$v" "libnvidia-container1 (= $v)"
  new_stage
  put 755 bin/nvidia-ctk usr/bin/nvidia-ctk
  sed -i "s/@VERSION@/$1/" "$stage/usr/bin/nvidia-ctk"
  put 755 bin/nvidia-container-runtime usr/bin/nvidia-container-runtime
  put 755 bin/simulated usr/bin/nvidia-cdi-hook
  put 644 units/nvidia-cdi-refresh.service lib/systemd/system/nvidia-cdi-refresh.service
  put 644 units/nvidia-cdi-refresh.path lib/systemd/system/nvidia-cdi-refresh.path
  postinst "nvidia-ctk --quiet config --config-file=/etc/nvidia-container-runtime/config.toml --in-place
$(start_units nvidia-cdi-refresh.path nvidia-cdi-refresh.service)"
  prerm "[ ! -d /run/systemd/system ] || [ \"\$1\" != remove ] || systemctl disable --now --quiet nvidia-cdi-refresh.path nvidia-cdi-refresh.service"
  package "$dir" nvidia-container-toolkit-base "$v"
  new_stage; put 755 bin/simulated usr/bin/nvidia-container-runtime-hook
  package "$dir" nvidia-container-toolkit "$v" "nvidia-container-toolkit-base (= $v), libnvidia-container-tools (= $v)"
}

driver() { # VERSION
  v=$1-1 branch=${1%%.*} dir=$out/compute/cuda/repos/debian/$arch
  mkdir -p "$dir"
  if [ ! -e "$dir/nvidia-driver-pinning-${branch}_${branch}-1_$arch.deb" ]; then
    new_stage; mkdir -p "$stage/etc/apt/preferences.d"
    printf 'Package: nvidia-* libnvidia-* libcuda1\nPin: version %s.*\nPin-Priority: 1000\n' "$branch" > "$stage/etc/apt/preferences.d/nvidia-driver-pinning-$branch"
    package "$dir" "nvidia-driver-pinning-$branch" "$branch-1" '' 'Provides: nvidia-driver-pinning
Conflicts: nvidia-driver-pinning
Replaces: nvidia-driver-pinning'
  fi
  new_stage; mkdir -p "$stage/usr/lib/modprobe.d" "$stage/usr/share/gpuready-standin"
  printf 'blacklist nouveau\noptions nouveau modeset=0\n' > "$stage/usr/lib/modprobe.d/nvidia-blacklists-nouveau.conf"
  echo "$1" > "$stage/usr/share/gpuready-standin/module-version"
  package "$dir" nvidia-kernel-open-dkms "$v" '' 'Provides: nvidia-kernel-dkms'
  new_stage; library libnvidia-ml "$1"; postinst ldconfig; package "$dir" libnvidia-ml1 "$v"
  new_stage; library libcuda "$1"; postinst ldconfig; package "$dir" libcuda1 "$v"
  new_stage; put 755 bin/nvidia-modprobe usr/bin/nvidia-modprobe; package "$dir" nvidia-modprobe "$v"
  new_stage
  put 755 bin/nvidia-persistenced usr/bin/nvidia-persistenced
  put 644 units/nvidia-persistenced.service lib/systemd/system/nvidia-persistenced.service
  postinst "$(start_units nvidia-persistenced.service)"
  prerm "[ ! -d /run/systemd/system ] || [ \"\$1\" != remove ] || systemctl disable --now --quiet nvidia-persistenced.service"
  package "$dir" nvidia-persistenced "$v" "nvidia-modprobe (= $v), nvidia-kernel-open-dkms (= $v)"
  new_stage
  put 755 bin/nvidia-smi usr/bin/nvidia-smi
  put 644 nvidia-smi-q-x.xml usr/share/gpuready-standin/nvidia-smi-q-x.xml
  sed -i "s/@DRIVER@/$1/" "$stage/usr/share/gpuready-standin/nvidia-smi-q-x.xml"
  package "$dir" nvidia-driver-cuda "$v" "libnvidia-ml1 (= $v), libcuda1 (= $v), nvidia-persistenced (= $v), nvidia-modprobe (= $v)"
}

sign() { # DIRECTORY ORIGIN
  cd "$1"
  apt-ftparchive packages . > Packages
  gzip -kf Packages
  apt-ftparchive -o "APT::FTPArchive::Release::Origin=$2" -o "APT::FTPArchive::Release::Label=$2" release . > ../Release.new
  mv ../Release.new Release
  gpg --batch --yes --clearsign -o InRelease Release
}

for version in 1.18.1 1.19.1 1.20.0; do toolkit "$version"; done
for version in 580.126.09 580.159.03 595.71.05; do driver "$version"; done
sign "$out/stable/deb/$arch" 'gpuready sandbox: stand-in toolkit'
sign "$out/compute/cuda/repos/debian/$arch" 'gpuready sandbox: stand-in driver'
gpg --armor --export > "$out/gpgkey"
gpg --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }' > "$out/fingerprint"
chmod -R a+rX "$out"
