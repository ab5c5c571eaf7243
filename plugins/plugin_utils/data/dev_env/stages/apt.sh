#!/usr/bin/env bash
# Packages of the distribution: the input "packages", one a line. DEV_TARGET, DEV_LOCALE, DEV_SHARE.
set -euo pipefail
# shellcheck source=network.sh
. "$DEV_INPUTS/network.sh"

command -v apt-get > /dev/null || refuse "there is no apt-get here; use a Debian or Ubuntu as dev_base.image."

missing() {
  local name
  while read -r name; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null) == installed ]] || echo "$name"
  done < "$DEV_INPUTS/packages"
}

made=()
trap '[[ ${#made[@]} -eq 0 ]] || rm -rf "${made[@]}"' EXIT

# Packages start their services where nothing forbids it: in an image they would die with the step, and on a rented
# machine there would be a second supervisor
hold_services() {
  [[ ! -e /usr/sbin/policy-rc.d ]] || return 0
  made+=(/usr/sbin/policy-rc.d)
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
}

install_packages() {
  hold_services
  APT_COPY=$(mktemp -d "${TMPDIR:-/tmp}/apt-mirror.XXXXXX")
  made+=("$APT_COPY")
  # apt reads as another user
  chmod 0755 "$APT_COPY"
  apt_through_mirror
  if [[ -s ${dev_secrets:?}/build_ca ]]; then
    apt_options+=(-o "Acquire::https::CaInfo=${dev_secrets:?}/build_ca")
  fi
  apt-get "${apt_options[@]}" update
  DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" install -y --no-install-recommends "$@"
}

make_locale() {
  local wanted=${DEV_LOCALE:-C.UTF-8}
  case $wanted in
    C | C.UTF-8 | C.utf8 | POSIX) return 0 ;;
  esac
  # an archive of its own name holds all of them: localedef adds to it
  if ! locale -a 2> /dev/null | grep -qix "${wanted/.UTF-8/.utf8}"; then
    localedef -i "${wanted%%.*}" -f UTF-8 "$wanted" || refuse "the locale $wanted is not known to the distribution; use C.UTF-8."
  fi
}

mapfile -t wanted < <(missing)
if [[ ${#wanted[@]} -gt 0 ]]; then
  install_packages "${wanted[@]}"
fi
make_locale
mkdir -p "$DEV_SHARE"
if [[ $DEV_TARGET == image ]]; then
  # host keys that the package made would be the same in every container of this image
  rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /etc/ssh/ssh_host_*
fi
dpkg-query -W > "$DEV_SHARE/apt.txt.new"
mv "$DEV_SHARE/apt.txt.new" "$DEV_SHARE/apt.txt"
