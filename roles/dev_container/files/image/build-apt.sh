# shellcheck shell=bash
# Sourced by the step of the image build that installs packages of the distribution. Sets apt_options: where the secret
# apt_mirrors has an address for this distribution (lines "SERVICE ADDRESS"), apt reads a copy of the image's own entries with
# it. The copy lies in memory, so no layer holds it. Security updates and entries of others stay as they are.
# APT_ROOT: the tree to read, for tests.
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
# shellcheck disable=SC2016
apt_deb822='
  BEGIN { RS = ""; FS = "\n"; OFS = "\n"; ORS = "\n\n" }
  {
    ours = 0; place = 0; known = 1
    for (i = 1; i <= NF; i++) {
      key = tolower($i); sub(/:.*/, "", key); value = $i; sub(/^[^:]*:[ \t]*/, "", value); count = split(value, word, /[ \t]+/)
      if (key == "uris" && value ~ archive) place = i
      if (key == "suites") {
        ours = 1
        for (n = 1; n <= count; n++) if (word[n] != code && word[n] != code "-updates" && word[n] != code "-backports") ours = 0
      }
      if (key == "components") for (n = 1; n <= count; n++) if (word[n] !~ components) known = 0
    }
    if (ours && known && place) $place = "URIs: " url
    print
  }'

apt_mirror() { # SERVICE: its address, as the image can reach it
  local url
  url=$(awk -v service="$1" '$1 == service { print $2; exit }' "${APT_ROOT-}/run/secrets/apt_mirrors")
  # before ca-certificates is installed there is no https; what comes is signed
  [[ -s ${APT_ROOT-}/etc/ssl/certs/ca-certificates.crt ]] || url=${url/#https:/http:}
  echo "$url"
}

apt_through_mirror() {
  local ID VERSION_CODENAME service url file copy=${APT_ROOT-}/run/apt-mirror
  # shellcheck source=/dev/null
  . "${APT_ROOT-}/etc/os-release"
  service=$ID
  [[ $ID != ubuntu || $(dpkg --print-architecture) =~ ^(amd64|i386)$ ]] || service=ubuntu-ports
  url=$(apt_mirror "$service")
  [[ -n $url && -n $VERSION_CODENAME ]] || return 0
  mkdir -p "$copy/parts"
  : > "$copy/sources.list"
  for file in "${APT_ROOT-}"/etc/apt/sources.list "${APT_ROOT-}"/etc/apt/sources.list.d/*.{list,sources}; do
    [[ -f $file ]] || continue
    awk -v url="$url" -v code="$VERSION_CODENAME" \
      -v archive='^https?://[^/ \t]+/(debian|ubuntu|ubuntu-ports)/?$' -v components='^(main|contrib|non-free|non-free-firmware|restricted|universe|multiverse)$' \
      "$(if [[ $file == *.sources ]]; then echo "$apt_deb822"; else echo "$apt_one_line"; fi)" "$file" \
      > "$copy/$(if [[ $file == */sources.list ]]; then echo sources.list; else echo "parts/${file##*/}"; fi)"
  done
  apt_options+=(-o "Dir::Etc::sourcelist=$copy/sources.list" -o "Dir::Etc::sourceparts=$copy/parts")
}

if [[ -s ${APT_ROOT-}/run/secrets/apt_mirrors ]]; then
  apt_through_mirror
fi
