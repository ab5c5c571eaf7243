# shellcheck shell=sh
# What the scripts that build stand-in repositories share. Sourced; needs $src (folder of the stand-ins).
# The signing key is made here and thrown away with the build stage.
arch=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-gen-key 'gpuready sandbox repository (stand-in) <sandbox@example.invalid>' rsa3072 sign never
: | as -o "$GNUPGHOME/empty.o" -

# package DIR NAME VERSION [DEPENDS] [EXTRA CONTROL LINES]: stage $stage -> DIR/*.deb
new_stage() { stage=$(mktemp -d); chmod 755 "$stage"; mkdir -p "$stage/DEBIAN"; }
package() {
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: gpuready sandbox <sandbox@example.invalid>\n' "$2" "$3" "$arch"
    [ -z "${4:-}" ] || printf 'Depends: %s\n' "$4"
    [ -z "${5:-}" ] || printf '%s\n' "$5"
    printf 'Section: contrib/utils\nPriority: optional\nDescription: SIMULATED stand-in for %s\n' "$2"
  } > "$stage/DEBIAN/control"
  mkdir -p "$1"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$stage" "$1" >/dev/null
  rm -rf "$stage"
}
# A package without files: a meta package, a transitional one
meta() { new_stage; package "$@"; }
put() { install -D -m "$1" "$src/$2" "$stage/$3"; }
text() { mkdir -p "$stage/${1%/*}"; cat > "$stage/$1"; }  # PATH < content

# A real, empty shared object, so that ldconfig and file names behave
library() { # NAME VERSION
  mkdir -p "$stage/usr/lib/$multiarch"
  ld -shared -soname "$1.so.1" -o "$stage/usr/lib/$multiarch/$1.so.$2" "$GNUPGHOME/empty.o"
  ln -s "$1.so.$2" "$stage/usr/lib/$multiarch/$1.so.1"
}
# A kernel module as modinfo(8) sees one: an object with a version, a licence and nothing else
kernel_module() { # FILE VERSION open|proprietary
  license=NVIDIA
  [ "$3" != open ] || license='Dual MIT/GPL'
  mkdir -p "${1%/*}"
  printf '.section .modinfo,"a"\n.asciz "license=%s"\n.asciz "version=%s"\n.asciz "description=SIMULATED"\n' "$license" "$2" | as -o "$1" -
}
script() { printf '#!/bin/sh\nset -e\n%s\n' "$2" > "$stage/DEBIAN/$1"; chmod 755 "$stage/DEBIAN/$1"; } # postinst|prerm|... TEXT

# Effects of a package that ships units, as debhelper writes them: reload systemd, enable, start; never fail
start_units() { # UNITS
  echo "if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl enable --now --quiet $* || :; fi"
}
stop_units() {
  echo "[ ! -d /run/systemd/system ] || [ \"\$1\" != remove ] || systemctl disable --now --quiet $* || :"
}

# One dkms module: its source, the stand-in for dkms, and the scripts of the package that brings it
dkms_module() { # VERSION open|proprietary [broken]
  kernel_module "$stage/usr/src/nvidia-$1/nvidia.ko" "$1" "$2"
  text "usr/src/nvidia-$1/dkms.conf" <<CONF
PACKAGE_NAME="nvidia"
PACKAGE_VERSION="$1"
BUILT_MODULE_NAME[0]="nvidia"
DEST_MODULE_LOCATION[0]="/kernel/drivers/char/drm"
AUTOINSTALL="yes"
CONF
  put 755 bin/dkms-build usr/share/gpuready-standin/dkms-build
  echo "$1" | text usr/share/gpuready-standin/module-version
  printf 'blacklist nouveau\noptions nouveau modeset=0\n' | text usr/lib/modprobe.d/nvidia-blacklists-nouveau.conf
  script postinst "[ \"\$1\" != configure ] || /usr/share/gpuready-standin/dkms-build add $1 ${3:-}"
  script prerm "/usr/share/gpuready-standin/dkms-build remove $1"
}

sign() { # DIRECTORY ORIGIN: a flat repository
  cd "$1" || exit 1
  apt-ftparchive packages . > Packages
  gzip -kf Packages
  apt-ftparchive -o "APT::FTPArchive::Release::Origin=$2" -o "APT::FTPArchive::Release::Label=$2" release . > ../Release.new
  mv ../Release.new Release
  gpg --batch --yes --clearsign -o InRelease Release
}
# NVIDIA's key lies in its repository, under a name of its own for each distribution
place_key() { ln -sf "$(realpath --relative-to="$1" "$out/gpgkey")" "$1/$2"; } # DIRECTORY NAME
publish_key() { # OUT
  gpg --armor --export > "$1/gpgkey"
  gpg --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }' > "$1/fingerprint"
  chmod -R a+rX "$1"
}
