#!/usr/bin/env bash
# Exit 0: every service of the environment answers, and none is open without credentials.
# Needs nothing but bash: /dev/tcp instead of curl, and the token never appears in a process list.
set -uo pipefail
etc=@DEV_ETC@
if [ -r "$etc/settings" ]; then
  set -a
  # shellcheck source=/dev/null
  . "$etc/settings"
  set +a
fi
access=${DEVENV_ACCESS:-$etc/access}

http() { # port path [header] -> status code
  local code
  exec 9<> "/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n%s\r\n' "$2" "$1" "${3:+$3$'\r\n'}" >&9
  IFS=' ' read -r -t 5 _ code _ <&9
  exec 9>&-
  echo "${code:-000}"
}

as_user() {
  if [ "$(id -u)" = 0 ] && [ "${DEVENV_UID:-0}" != 0 ]; then
    setpriv --reuid "$DEVENV_UID" --regid "$DEVENV_GID" --clear-groups --inh-caps=-all -- "$@"
  else
    "$@"
  fi
}

rc=0
fail() {
  echo "devenv-health: $*"
  rc=1
}

expect() { # service wanted port path words [header]
  local code
  code=$(http "$3" "$4" "${6:-}" 2> /dev/null)
  [ "$code" = "$2" ] || fail "$1: $4 $5answered ${code:-nothing}, expected $2"
}

for service in ${DEVENV_SERVICES:-}; do
  case $service in
    sshd)
      port=${DEVENV_SSH_PORT:-8022}
      { exec 8<> "/dev/tcp/127.0.0.1/$port" && read -r -t 5 banner <&8 && [[ $banner == SSH-2.0-* ]]; } 2> /dev/null \
        || fail "sshd: no banner on port $port"
      ;;
    jupyter)
      port=${DEVENV_JUPYTER_PORT:-8888} base=${DEVENV_JUPYTER_BASE_URL:-/}
      base=${base%/}
      expect jupyter 200 "$port" "$base/api" ""
      expect jupyter 403 "$port" "$base/api/contents" "without credentials "
      if ! as_user test -s "$access/jupyter_password_hash"; then
        # the token file may be newer than the server: then nobody can log in
        expect jupyter 200 "$port" "$base/api/contents" "with the token of the token file " \
          "Authorization: token $(as_user cat "${JUPYTER_TOKEN_FILE:-/nonexistent}" 2> /dev/null)"
      fi
      ;;
    code-server)
      port=${DEVENV_CODE_SERVER_PORT:-8080}
      expect code-server 200 "$port" /healthz ""
      # to the page that asks for the password
      expect code-server 302 "$port" / "without credentials "
      ;;
    gpu)
      # also notices the loss of the device rules after a systemd daemon-reload on the host (NVML: Unknown Error)
      message=$(timeout 8 nvidia-smi -L 2>&1) || fail "gpu: nvidia-smi -L failed: ${message%%$'\n'*}"
      ;;
  esac
done
exit "$rc"
