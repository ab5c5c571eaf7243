#!/usr/bin/env bash
# Python packages that users added to those of the image outlive the container: their list lies in the home directory, which is
# a volume, and a new container puts them back. What the image has comes from the image, in its version.
#   devenv-packages            show what was added
#   devenv-packages restore    put back what is on the list and not here
#   devenv-packages watch      put back, and keep the list (a program of supervisord)
set -euo pipefail
python=@DEV_PREFIX@/bin/python uv=@DEV_TOOLS@/bin/uv image=@DEV_SHARE@/python.txt
state=$HOME/.local/state/devenv
list=$state/packages.txt missing=$state/missing.txt stamp=$state/stamp
interval=${DEVENV_PACKAGES_INTERVAL:-30}

freeze() {
  if [[ -x $uv ]]; then "$uv" pip freeze --python "$python"; else "$python" -m pip freeze --disable-pip-version-check; fi
}

install() { # FILE. Without dependencies: they are on the list themselves, and what the image has stays as it is
  if [[ -x $uv ]]; then
    UV_NO_PROGRESS=1 timeout 3600 "$uv" pip install --quiet --python "$python" --no-deps -r "$1"
  else
    timeout 3600 "$python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$1"
  fi
}

others() { # FILE: of the requirements on standard input those whose package is not in the file
  awk '
    function name(line) {
      if (line ~ /^-/) return line
      sub(/[ \t=<>!~;@\[].*/, "", line); gsub(/[-_.]+/, "-", line)
      return tolower(line)
    }
    /^[ \t]*(#|$)/ { next }
    there { known[name($0)] = 1; next }
    !(name($0) in known)' there=1 "$1" there= -
}

both() { # what is to be here: the list, and what an earlier container could not put back
  # grep ends with 1 where a list is empty
  cat "$list" "$missing" 2> /dev/null | { grep -v '^[[:space:]]*\(#\|$\)' || true; } | sort -u
}

put_back() { # FOLDER: what is wanted and not here; what could not be installed is left in FOLDER/missing
  local line
  freeze > "$1/here" || return 1
  both | others "$1/here" > "$1/wanted"
  [[ -s $1/wanted ]] || return 0
  echo "devenv: puts back $(tr '\n' ' ' < "$1/wanted")"
  if ! install "$1/wanted"; then
    # one by one: the rest must not suffer
    while read -r line; do
      echo "$line" > "$1/one"
      install "$1/one" || echo "$line" >> "$1/missing"
    done < "$1/wanted"
  fi
}

restore() {
  local work
  work=$(mktemp -d)
  if put_back "$work"; then
    mkdir -p "$state"
    rm -f "$missing"
    if [[ -s $work/missing ]]; then
      cp "$work/missing" "$missing"
      echo "devenv: could not put back $(tr '\n' ' ' < "$missing")"
    fi
  fi
  rm -rf "$work"
}

save() { # where the environment is newer than the list
  [[ ! -e $stamp || -n $(find @DEV_PREFIX@/lib/python3*/site-packages -maxdepth 0 -newer "$stamp" 2> /dev/null) ]] || return 0
  mkdir -p "$state"
  touch "$stamp.new"
  echo '# Added to the packages of the image. A new container puts them back; dev_python.packages makes them part of it.' > "$list.new"
  # a list that could not be read stays as it is
  freeze | others "$image" >> "$list.new" || return 1
  mv "$list.new" "$list"
  mv "$stamp.new" "$stamp"
}

watch() {
  # a list that could not be kept this time (a full disk) is tried again at the next look, and ends no container
  trap 'save || true; exit 0' TERM INT
  restore
  # another image's: its times say nothing here
  rm -f "$stamp"
  while true; do
    save || true
    sleep "$interval" &
    wait "$!" || true # a signal ends the wait with its number
  done
}

case ${1:-show} in
  show) freeze | others "$image" ;;
  restore | watch) "$1" ;;
  *)
    echo "devenv-packages: $1 is not show, restore or watch" >&2
    exit 64 # EX_USAGE
    ;;
esac
