#!/usr/bin/env bash
# First process of the environment: in a container under tini, in place by hand or from the provider's start script.
set -euo pipefail
etc=@DEV_ETC@ run=@DEV_RUN@ state=@DEV_STATE@
if [ -r "$etc/settings" ]; then
  # in place; a container has them in its environment
  set -a
  # shellcheck source=/dev/null
  . "$etc/settings"
  set +a
fi
access=${DEVENV_ACCESS:-$etc/access}

refuse() {
  echo "devenv: $*" >&2
  exit 78 # EX_CONFIG
}

as_user() { # root without DAC_OVERRIDE cannot read what belongs to the user
  if [ "$(id -u)" = 0 ] && [ "${DEVENV_UID:-0}" != 0 ]; then
    setpriv --reuid "$DEVENV_UID" --regid "$DEVENV_GID" --clear-groups --inh-caps=-all -- "$@"
  else
    "$@"
  fi
}

serves() {
  [[ " ${DEVENV_SERVICES:-} " == *" $1 "* ]]
}

check_jupyter() {
  # a hash of a password instead of a token
  if as_user test -s "$access/jupyter_password_hash"; then return; fi
  # jupyter_server does not strip the file, and takes an empty one as "no authentication".
  local token token_file=${JUPYTER_TOKEN_FILE:-}
  [ -n "$token_file" ] || refuse "JUPYTER_TOKEN_FILE is not set"
  as_user test -r "$token_file" || refuse "token file $token_file is missing or not readable for uid ${DEVENV_UID:-$(id -u)}"
  token=$(as_user cat "$token_file")
  [ "${#token}" -ge 24 ] || refuse "token file $token_file is empty or shorter than 24 characters"
  [ "$(as_user cat "$token_file" | wc -c)" -eq "${#token}" ] || refuse "token file $token_file ends with a newline"
}

# Its own file, so that neither the environment nor a process list holds the password
configure_code_server() {
  local line quoted config=$run/code-server.yaml
  if as_user test -s "$access/code_server_password_hash"; then
    line=$(as_user cat "$access/code_server_password_hash")
    quoted="hashed-password: \"$line\""
  elif as_user test -s "$access/code_server_password"; then
    line=$(as_user cat "$access/code_server_password")
    [ "${#line}" -ge 16 ] || refuse "the password of code-server in $access/code_server_password is shorter than 16 characters"
    quoted="password: \"$line\""
  else
    refuse "code-server has no password: $access/code_server_password_hash and code_server_password are missing, empty or not readable"
  fi
  [[ $line != *[\"\\$'\n']* ]] || refuse "the password of code-server holds a quote, a backslash or a line break"
  (
    umask 077
    printf 'bind-addr: %s:%s\nauth: password\n%s\ncert: false\ndisable-telemetry: true\ndisable-update-check: true\n' \
      "${DEVENV_CODE_SERVER_IP:-127.0.0.1}" "${DEVENV_CODE_SERVER_PORT:-8080}" "$quoted" > "$config"
  )
  [ "$(id -u)" != 0 ] || chown "${DEVENV_UID:-0}:${DEVENV_GID:-0}" "$config"
}

configure_sshd() {
  # In a volume, so that clients do not see another host key after the container was recreated.
  local name value line='' host_key=$state/ssh/ssh_host_ed25519_key
  local -A seen=()
  [ -s "$host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$host_key"
  # sshd gives its sessions a fresh environment. It honours one SetEnv line only, so all pairs go on one.
  # By name: nothing gets into a session that nobody named (JUPYTER_TOKEN_FILE stays out).
  for name in PATH VIRTUAL_ENV LANG TZ PYTHONUNBUFFERED UV_LINK_MODE UV_PYTHON_INSTALL_DIR RUSTUP_HOME CUDA_VERSION \
    LD_LIBRARY_PATH NVIDIA_VISIBLE_DEVICES http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ${DEVENV_SSH_ENV:-}; do
    if [ -z "${!name+set}" ] || [ -n "${seen[$name]:-}" ]; then continue; fi
    seen[$name]=1
    value=${!name}
    value=${value//\\/\\\\}
    line+=" \"$name=${value//\"/\\\"}\""
  done
  (
    umask 077
    printf 'Port %s\nClientAliveInterval %s\nClientAliveCountMax %s\nAllowTcpForwarding %s\nSetEnv%s\n' \
      "${DEVENV_SSH_PORT:-8022}" "${DEVENV_SSH_ALIVE_INTERVAL:-60}" "${DEVENV_SSH_ALIVE_COUNT_MAX:-3}" \
      "${DEVENV_SSH_FORWARDING:-local}" "$line" > "$run/sshd_env.conf"
  )
}

# Addresses of proxies may hold passwords: they come in a file, lines NAME=value, and not in the container's settings
if as_user test -s "$access/proxy"; then
  while IFS='=' read -r name value; do
    case ${name,,} in
      http_proxy | https_proxy | no_proxy) export "${name,,}=$value" "${name^^}=$value" ;;
    esac
  done < <(as_user cat "$access/proxy" && echo)
fi
rm -rf "$run/programs"
mkdir -p "$run/programs"
for service in ${DEVENV_SERVICES:-}; do
  case $service in
    sshd) configure_sshd ;;
    jupyter) check_jupyter ;;
    code-server) configure_code_server ;;
    *) continue ;;
  esac
  cp "$etc/programs/$service.conf" "$run/programs/"
done

export DEVENV_WORKDIR=${DEVENV_WORKDIR:-$HOME}
as_user test -x "$DEVENV_WORKDIR" || refuse "the working directory $DEVENV_WORKDIR is missing or closed to uid ${DEVENV_UID:-$(id -u)}"
# the home of another user is closed to a root without DAC_OVERRIDE
cd "$DEVENV_WORKDIR" 2> /dev/null || cd /
if [ "$#" -eq 0 ]; then
  set -- supervisord -n -c "$etc/supervisord.conf"
fi
exec "$@"
