# shellcheck shell=sh
# The part that plays the distribution's archive: what building a module needs. Versions outrank the real archive's, which
# stays enabled beside it. Sourced after lib.sh.
kernel_headers() { # RELEASE DIR VERSION
  new_stage
  echo '# SIMULATED kernel headers' | text "usr/src/linux-headers-$1/Makefile"
  mkdir -p "$stage/usr/src/linux-headers-$1/include" "$stage/lib/modules/$1"
  ln -s "/usr/src/linux-headers-$1" "$stage/lib/modules/$1/build"
  # as the real packages do: whoever builds modules is told
  script postinst "[ ! -x /usr/share/gpuready-standin/dkms-build ] || /usr/share/gpuready-standin/dkms-build autoinstall"
  package "$2" "linux-headers-$1" "$3"
}
compiler() { # DIR VERSION-PREFIX
  for name in gcc make; do
    new_stage; put 755 bin/simulated "usr/bin/$name"; package "$1" "$name" "$2"
  done
}
