# shellcheck shell=sh
# Containers, as hosts of RHEL 10 see them. Sourced by build-rpm.sh.
#   OUT/docker/linux/rhel/10/<machine>/stable   Docker's names for the REAL engine of Debian, packed anew
#   OUT/stable/rpm/<machine>                    the toolkit's four packages, STAND-INS
from_debs() { # DIRECTORY NAME VERSION RELEASE DEFINES... -- DEB...
  new_stage
  directory=$1 name=$2 number=$3 revision=$4
  shift 4
  defines=$(mktemp)
  while [ "$1" != -- ]; do printf '%s\n' "$1" >> "$defines"; shift; done
  shift
  for deb in "$@"; do dpkg-deb -x "$deb" "$stage"; done
  rm -rf "$stage/DEBIAN" "$stage/usr/share/doc" "$stage/usr/share/man" "$stage/usr/share/lintian" "$stage/etc/init.d"
  if [ -d "$stage/lib" ]; then cp -a "$stage/lib/." "$stage/usr/lib/"; rm -rf "${stage:?}/lib"; fi
  set -- --define "tree $stage"
  while read -r line; do set -- "$@" --define "$line"; done < "$defines"
  one "$directory" "$name" "$number" "$revision" "$@"
}
engine() { # RELEASE-OF-RHEL
  dir=$out/docker/linux/rhel/$1/$machine/stable
  debs=$(mktemp -d)
  (cd "$debs" && apt-get -qq download docker.io docker-cli docker-buildx docker-compose containerd runc tini >/dev/null)
  version=$(dpkg-deb -f "$debs"/docker.io_*.deb Version)
  version=${version%%+*}
  units='if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi'
  # Docker's packages stop what they remove (systemd_preun), too
  gone='[ "$1" != 0 ] || systemctl disable --now --quiet'
  from_debs "$dir" containerd.io 1.7.24 "1.el$1" "after $units" "before $gone containerd.service" -- "$debs"/containerd_*.deb "$debs"/runc_*.deb
  from_debs "$dir" docker-ce-cli "$version" "1.el$1" 'period 1' -- "$debs"/docker-cli_*.deb
  from_debs "$dir" docker-ce "$version" "1.el$1" 'period 3' 'requires docker-ce-cli, containerd.io >= 1.6.24' \
    "after getent group docker >/dev/null || groupadd --system docker; $units" \
    "before $gone docker.socket docker.service" -- "$debs"/docker.io_*.deb "$debs"/tini_*.deb
  from_debs "$dir" docker-buildx-plugin 0.20.1 "1.el$1" -- "$debs"/docker-buildx_*.deb
  from_debs "$dir" docker-compose-plugin 2.33.1 "1.el$1" -- "$debs"/docker-compose_*.deb
  rm -rf "$debs"
}
toolkit_rpms() { # VERSION
  dir=$out/stable/rpm/$machine
  debs=$(mktemp -d)
  toolkit "$1" "$debs"
  dir=$out/stable/rpm/$machine
  start='nvidia-ctk --quiet config --config-file=/etc/nvidia-container-runtime/config.toml --in-place'
  from_debs "$dir" libnvidia-container1 "$1" 1 -- "$debs"/libnvidia-container1_*.deb
  from_debs "$dir" libnvidia-container-tools "$1" 1 "requires libnvidia-container1 = $1-1" -- "$debs"/libnvidia-container-tools_*.deb
  from_debs "$dir" nvidia-container-toolkit-base "$1" 1 \
    "after $start; $(start_units nvidia-cdi-refresh.path nvidia-cdi-refresh.service)" \
    'before [ "$1" != 0 ] || systemctl disable --now --quiet nvidia-cdi-refresh.path nvidia-cdi-refresh.service || :' \
    -- "$debs"/nvidia-container-toolkit-base_*.deb
  from_debs "$dir" nvidia-container-toolkit "$1" 1 \
    "requires nvidia-container-toolkit-base = $1-1, libnvidia-container-tools = $1-1" -- "$debs"/nvidia-container-toolkit_*.deb
  rm -rf "$debs"
}
