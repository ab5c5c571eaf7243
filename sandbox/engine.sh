#!/bin/sh
# Makes sure that a Docker engine answers: uses the one that runs; else, as root on a Debian-like system, installs the
# distribution's and starts it. Says what it does and what it waits for; one clear error where it cannot.
set -eu

say() { printf '>> %s\n' "$*"; }
die() { printf 'ERROR: %s\n' "$*" >&2; exit 1; }
answers() { command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; }

install_missing() {
  missing=''
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
  done
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] || die "these programs are missing and only root can install them: packages$missing. Install them, or run as root."
  command -v apt-get >/dev/null 2>&1 || die "the packages$missing are missing and this is not a Debian-like system. Install them, then run make again."
  say "installing$missing (waits for the package mirror)"
  apt-get update -qq
  # shellcheck disable=SC2086  # a list of package names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The route's MTU: behind tunnels it is below 1500, and Docker's bridge would silently drop large packets.
route_mtu() {
  device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  cat "/sys/class/net/${device:-lo}/mtu" 2>/dev/null || echo 1500
}

start_engine() {
  if [ -d /run/systemd/system ]; then
    say "starting docker.service"
    systemctl start docker
  else
    log=/var/log/gpuready-dockerd.log
    say "no systemd here: starting dockerd directly (log: $log)"
    setsid dockerd --mtu "$(route_mtu)" </dev/null >"$log" 2>&1 &
  fi
  tries=0
  until answers; do
    tries=$((tries + 1))
    [ "$tries" -le 120 ] || die "the Docker engine did not answer within 60 s. Look at 'journalctl -u docker' or ${log:-the journal}."
    sleep 0.5
  done
}

install_missing ssh:openssh-client ssh-keygen:openssh-client
if answers; then
  say "Docker engine answers: $(docker version -f '{{.Server.Version}}')"
  exit 0
fi
[ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST. Start it, or unset DOCKER_HOST."
[ "$(id -u)" = 0 ] || die "no Docker engine answers and only root can install one. Start Docker (and join the docker group), or run as root."
install_missing dockerd:docker.io iptables:iptables docker:docker.io
start_engine
say "Docker engine answers: $(docker version -f '{{.Server.Version}}')"
