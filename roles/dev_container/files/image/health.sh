#!/usr/bin/env bash
# Exit 0: every service of the container answers, and none is open without credentials.
# Needs nothing but bash: /dev/tcp instead of curl, and the token never appears in a process list.
set -uo pipefail

http() { # path [header] -> status code
  local code
  exec 9<> /dev/tcp/127.0.0.1/8888 || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:8888\r\n%s\r\n' "$1" "${2:+$2$'\r\n'}" >&9
  IFS=' ' read -r -t 5 _ code _ <&9
  exec 9>&-
  echo "${code:-000}"
}

rc=0
fail() {
  echo "devenv-health: $*"
  rc=1
}

for service in ${DEVENV_SERVICES:-sshd jupyter}; do
  case $service in
    sshd)
      { exec 8<> /dev/tcp/127.0.0.1/8022 && read -r -t 5 banner <&8 && [[ $banner == SSH-2.0-* ]]; } 2> /dev/null \
        || fail "sshd: no banner on port 8022"
      ;;
    jupyter)
      code=$(http /api 2> /dev/null)
      [ "$code" = 200 ] || fail "jupyter: /api answered ${code:-nothing}, expected 200"
      code=$(http /api/contents 2> /dev/null)
      [ "$code" = 403 ] || fail "jupyter: /api/contents without token answered ${code:-nothing}, expected 403"
      # the token file may be newer than the server: then nobody can log in
      code=$(http /api/contents "Authorization: token $(cat "${JUPYTER_TOKEN_FILE:-/nonexistent}" 2> /dev/null)" 2> /dev/null)
      [ "$code" = 200 ] || fail "jupyter: /api/contents with the token of the token file answered ${code:-nothing}, expected 200"
      ;;
    gpu)
      # also notices the loss of the device rules after a systemd daemon-reload on the host (NVML: Unknown Error)
      message=$(timeout 8 nvidia-smi -L 2>&1) || fail "gpu: nvidia-smi -L failed: ${message%%$'\n'*}"
      ;;
  esac
done
exit "$rc"
