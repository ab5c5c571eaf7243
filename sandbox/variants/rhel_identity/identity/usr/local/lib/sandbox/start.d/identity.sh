# shellcheck shell=sh
# Makes the host one of SANDBOX_IDENTITY (rhel9 or rhel10, the default) at its first start; sourced by host-init.
identity=${SANDBOX_IDENTITY:-rhel10}
if [ ! -e /etc/redhat-release ]; then
  cp "/usr/share/sandbox/$identity/os-release" /etc/os-release
  install -D -m 0644 /srv/repository/gpgkey /etc/pki/rpm-gpg/RPM-GPG-KEY-redhat-release
  mkdir -p /etc/yum.repos.d
  for part in BaseOS AppStream; do
    printf '[%s-%s]\nname=SIMULATED %s %s\nbaseurl=http://127.0.0.1:8099/%s/%s/\nenabled=1\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-redhat-release\n\n' \
      "$identity" "$part" "$identity" "$part" "$identity" "$part"
  done > /etc/yum.repos.d/redhat.repo
  rpm --import /srv/repository/gpgkey
  rpm --install /srv/repository/"$identity"/installed/*.rpm
fi
