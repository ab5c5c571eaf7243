#!/bin/sh
# machine.sh mtu | pip-index: what the sandbox host must inherit from this machine's network
set -eu
case "$1" in
  mtu)
    device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
    cat "/sys/class/net/${device:-lo}/mtu" 2>/dev/null || echo 1500 ;;
  pip-index)
    # empty: pip's own default
    python3 -m pip config get global.index-url 2>/dev/null || true ;;  # rc 1: not configured
esac
