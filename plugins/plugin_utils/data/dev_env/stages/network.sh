# shellcheck shell=bash
# Sourced by the stages that download. What the network needs comes as files, one a secret, and only for the step that reads
# them: no layer, no history entry, no cache key and no file on the machine holds them. An absent or empty one means the
# tools' own defaults.
#   apt_mirrors, build_mirrors   lines "SERVICE ADDRESS"
#   pip_index_url, build_ca      an address, a bundle of certificates
#   build_proxy                  lines NAME=value: http_proxy, https_proxy, no_proxy
# APT_ROOT: the tree whose entries apt_through_mirror reads, for tests.
dev_secrets=${DEV_SECRETS:-${APT_ROOT-}/run/secrets}
umask 022

refuse() {
  echo "devenv: $*" >&2
  exit 78 # EX_CONFIG
}

mirror() { # SERVICE: its address, empty where there is none
  # a list that was not handed over is an empty one
  { cat "$dev_secrets"/{apt_mirrors,build_mirrors} 2> /dev/null || true; } | awk -v service="$1" '!found && $1 == service { print $2; found = 1 }'
}

# Packages of the distribution ------------------------------------------------------------------------------------------
apt_options=(-o APT::Update::Error-Mode=any)

# The distribution's own entries: the path of its archive, suites of its release but the security pocket, its components
# shellcheck disable=SC2016  # the dollars are awk's
apt_one_line='
  /^[ \t]*deb(-src)?[ \t]/ {
    line = $0; sub(/\[[^]]*\]/, "", line); count = split(line, word)
    ours = word[2] ~ archive && (word[3] == code || word[3] == code "-updates" || word[3] == code "-backports")
    for (i = 4; i <= count && word[i] !~ /^#/; i++) if (word[i] !~ components) ours = 0
    if (ours) { at = index($0, word[2]); $0 = substr($0, 1, at - 1) url substr($0, at + length(word[2])) }
  }
  { print }'
# A stanza that holds the security pocket, too, becomes two: security updates stay where they were. awk keeps the first line
# of a field and its continuation lines in $i, $(i+1) …: suites and components are read over all of them.
# shellcheck disable=SC2016
apt_deb822='
  BEGIN { RS = ""; FS = "\n"; OFS = "\n"; ORS = "\n\n" }
  function all(from,   text, j) { # the value of the field that begins in line `from`
    text = $from; sub(/^[^:]*:[ \t]*/, "", text)
    for (j = from + 1; j <= NF && $j ~ /^[ \t#]/; j++) if ($j !~ /^#/) text = text " " $j
    gsub(/[ \t]+/, " ", text); gsub(/^ | $/, "", text)
    return text
  }
  function stanza(suites, uris,   i, text, skip) {
    for (i = 1; i <= NF; i++) {
      if ($i !~ /^[ \t#]/) skip = (i == place && uris != "") || i == at
      if (i == place && uris != "") text = text "URIs: " uris "\n"
      else if (i == at) text = text "Suites: " suites "\n"
      else if (!skip || $i ~ /^#/) text = text $i "\n"
    }
    sub(/\n$/, "", text)
    print text
  }
  {
    place = 0; at = 0; known = 1; near = ""; secure = ""; other = 0
    for (i = 1; i <= NF; i++) {
      if ($i ~ /^[ \t#]/) continue
      key = tolower($i); sub(/:.*/, "", key)
      if (key == "uris" && all(i) ~ archive) place = i
      if (key == "suites") {
        at = i; count = split(all(i), word, " ")
        for (n = 1; n <= count; n++)
          if (word[n] == code || word[n] == code "-updates" || word[n] == code "-backports") near = near " " word[n]
          else if (word[n] == code "-security") secure = secure " " word[n]
          else other = 1
      }
      if (key == "components") { count = split(all(i), word, " "); for (n = 1; n <= count; n++) if (word[n] !~ components) known = 0 }
    }
    if (!place || !known || other || near == "") { print; next }
    stanza(substr(near, 2), url)
    if (secure != "") stanza(substr(secure, 2), "")
  }'

# Sets apt_options: where there is an address for this distribution, or for NVIDIA's repository that its images know ("cuda"),
# apt reads a copy of the machine's own entries with it. Security updates and entries of others stay as they are.
apt_through_mirror() {
  local ID='' VERSION_CODENAME='' service url cuda file copy=${APT_COPY:-${APT_ROOT-}/run/apt-mirror}
  # shellcheck source=/dev/null
  . "${APT_ROOT-}/etc/os-release"
  service=$ID
  [[ $ID != ubuntu || $(dpkg --print-architecture) =~ ^(amd64|i386)$ ]] || service=ubuntu-ports
  url=$(mirror "$service")
  cuda=$(mirror cuda)
  [[ -n $url$cuda && -n $VERSION_CODENAME ]] || return 0
  # before ca-certificates is installed there is no https; what comes is signed
  [[ -s ${APT_ROOT-}/etc/ssl/certs/ca-certificates.crt ]] || url=${url/#https:/http:} cuda=${cuda/#https:/http:}
  cuda=${cuda:+${cuda%/}/}
  mkdir -p "$copy/parts"
  : > "$copy/sources.list"
  for file in "${APT_ROOT-}"/etc/apt/sources.list "${APT_ROOT-}"/etc/apt/sources.list.d/*.{list,sources}; do
    [[ -f $file ]] || continue
    if [[ -z $url ]]; then
      cat "$file"
    else
      awk -v url="$url" -v code="$VERSION_CODENAME" \
        -v archive='^https?://[^/ \t]+/(debian|ubuntu|ubuntu-ports)/?$' -v components='^(main|contrib|non-free|non-free-firmware|restricted|universe|multiverse)$' \
        "$(if [[ $file == *.sources ]]; then echo "$apt_deb822"; else echo "$apt_one_line"; fi)" "$file"
    fi | sed -E "s#https?://developer\.download\.nvidia\.(com|cn)/compute/cuda/repos/#${cuda:-&}#" \
      > "$copy/$(if [[ $file == */sources.list ]]; then echo sources.list; else echo "parts/${file##*/}"; fi)"
  done
  apt_options+=(-o "Dir::Etc::sourcelist=$copy/sources.list" -o "Dir::Etc::sourceparts=$copy/parts")
}

# Artefacts: lines "SHA256 NAME ADDRESS" in the input "downloads" ---------------------------------------------------------
fetch() { # NAME FOLDER: leaves it there, with the right sum. Ansible has brought it where it could
  local sum url file=$2/$1
  sum=$(awk -v name="$1" '$2 == name { print $1; exit }' "$DEV_INPUTS/downloads")
  url=$(awk -v name="$1" '$2 == name { print $3; exit }' "$DEV_INPUTS/downloads")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || refuse "there is no SHA-256 sum for $1; nothing is installed unchecked."
  if [[ -s ${DEV_DOWNLOADS:-/nonexistent}/$1 ]]; then
    cp "$DEV_DOWNLOADS/$1" "$file"
  else
    curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --output "$file" "$url" \
      || refuse "$1 could not be fetched from ${url%%\?*}."
  fi
  echo "$sum  $file" | sha256sum --check --quiet - || refuse "$1 has another SHA-256 sum than $sum; it was not installed."
}

# The user's, so that they can add to it; in the same step, so that nothing is stored twice
give_to_user() { # PATH...
  if [[ $DEV_OWNER != 0:0 ]]; then
    find "$@" ! -uid "${DEV_OWNER%:*}" -exec chown -h "$DEV_OWNER" {} +
  fi
}

# The step's environment -------------------------------------------------------------------------------------------------
network_environment() {
  local name value index
  while IFS='=' read -r name value; do
    case ${name,,} in
      http_proxy | https_proxy | no_proxy | all_proxy) export "${name,,}=$value" "${name^^}=$value" ;;
    esac
  done < <({ cat "$dev_secrets/build_proxy" && echo; } 2> /dev/null)
  if [[ -s $dev_secrets/pip_index_url ]]; then
    index=$(cat "$dev_secrets/pip_index_url")
    export PIP_INDEX_URL=$index UV_DEFAULT_INDEX=$index
  fi
  if [[ -s $dev_secrets/build_ca ]]; then
    export PIP_CERT=$dev_secrets/build_ca SSL_CERT_FILE=$dev_secrets/build_ca CURL_CA_BUNDLE=$dev_secrets/build_ca
    export REQUESTS_CA_BUNDLE=$dev_secrets/build_ca NODE_EXTRA_CA_CERTS=$dev_secrets/build_ca
  fi
}

network_environment
