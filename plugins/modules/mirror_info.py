# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mirror_info
short_description: Measure mirrors from this host, choose, and remember the choice
version_added: 0.1.0
description:
  - Asks candidates of package mirrors for small real files, from the host that will use them, and takes one timed
    sample of each site. It ranks the sites for each service and remembers the result in
    C(/var/lib/gpuready/mirrors.json), which M(gpuready.bootstrap.gpu_facts) shows as C(gpu_host.mirrors).
  - It configures nothing.
  - While the memory is valid and belongs to O(key), nothing is measured and nothing changes.
  - A site is usable for a service if its answer is the genuine file. Pages in place of a file, refusals, redirects to
    another site, files that end early, indexes that are behind the newest candidate, indexes without this machine's
    architecture, broken certificates and silence are told apart, each with a reason.
  - The remembered site stays first unless it is no longer usable, or another one is faster by O(min_gain). The same
    holds for each place in the list of fallbacks.
  - It is gentle. One request at a time is made to a host, 16 KiB of a file are read, a sample is taken once a host and
    not once a service, a host that does not answer is asked once, one that refuses twice, and nothing is retried. The
    User-Agent names gpuready.
  - It needs the standard library of Python only.
extends_documentation_fragment:
  - gpuready.bootstrap.attributes
options:
  candidates:
    description:
      - What to measure. For each service a list of sites, in order of preference. The filter
        P(gpuready.bootstrap.mirror_steps#filter) makes it from the catalogue.
      - C(site) is the name of the site, once in a service.
      - C(url), or C(urls) as a list, is what a tool is told to use. It is remembered and not asked for itself.
      - C(probe_url) is the small file that is asked for, over http or https.
      - C(kind) says what must come. V(inrelease) is a signed InRelease (take the one of the C(-updates) suite, the
        release itself never changes), V(simple) a page of a Python index, such as C(/simple/pip/), V(html) a listing
        with links to files or folders, V(repodata) C(repomd.xml) or C(repodata.json), V(json) any JSON, V(registry) the
        C(/v2/) of an image registry with status 200 or 401, V(file) any file, which is asked for by HEAD. The default
        is V(file).
      - C(sample_url) is a large file of the same site for the timed sample. The first good sample of a host counts for
        all services there. A service without one is ranked by the speed of its probe.
      - C(max_age_hours) takes the place of O(max_age_hours) for this entry. It matters for kinds with a date,
        V(inrelease) and V(repodata).
      - C(accept_redirect_to) lists hosts whose answer counts for this site. V(.edu.cn) stands for all hosts below it,
        V(*) for any. Hosts above and below the site's own name are always accepted, a step from https to http never.
      - C(architecture) is dpkg's name of the architecture that an InRelease must have, by default that of the host, and
        C(arch_url) a file that only a mirror with this architecture has. Without it, a package list that the InRelease
        names is asked for.
    type: dict
    default: {}
  key:
    description:
      - Stands for what was asked for. A memory with another key is not valid. Without it, the digest of O(candidates).
    type: str
    default: ""
  budget:
    description:
      - Seconds for the whole module, whatever the servers do. Hosts that could not be asked in time count as
        V(timeout). Sites that are remembered as the best are asked first.
    type: float
    default: 8
  seconds:
    description: Seconds of one sample. With many hosts a sample gets less, so that all have one within O(budget).
    type: float
    default: 3
  bytes:
    description: Bytes of one sample at most. It is also the most that is read from a host for samples.
    type: int
    default: 4194304
  parallel:
    description: Hosts that are asked at the same time.
    type: int
    default: 4
  min_gain:
    description: By how much another site must be faster than the remembered one, V(0.3) for 30 percent.
    type: float
    default: 0.3
  ttl_hours:
    description:
      - How long a measurement is valid. One that found no usable site for some service is valid for one hour only, so
        that an outage is not remembered.
    type: float
    default: 168
  max_age_hours:
    description: How far an index may be behind the newest candidate of its service.
    type: float
    default: 48
  proxy:
    description:
      - The proxy to use. Without it the module uses what its environment names.
      - An empty mapping means no proxy.
    type: dict
    suboptions:
      http:
        description: Proxy for http, such as C(http://proxy.example.org:3128). It may hold a name and a password.
        type: str
      https:
        description: Proxy for https, asked with CONNECT.
        type: str
      no_proxy:
        description: Hosts, domains and networks that are asked directly.
        type: list
        elements: str
        default: []
  ca_bundle:
    description: File with certificates of further authorities that are trusted.
    type: path
    default: ""
  force:
    description: Measure although the memory is valid.
    type: bool
    default: false
  state:
    description: V(absent) forgets what was measured.
    type: str
    choices: [present, absent]
    default: present
  root:
    description: Folder below which the memory lies, for images and tests.
    type: path
    default: /
attributes:
  check_mode:
    details: It measures, which only reads, and writes nothing.
notes:
  - C(changed) tells of the choice, that is which sites and addresses are remembered in which order. A measurement
    after expiry that comes to the same choice writes new times and speeds, returns RV(refreshed) and is no change,
    since no file that is made from the memory would change.
  - All services of a preset for China (11 services at 6 sites) fit into the default budget, because what lives on one
    host shares one connection and one sample.
seealso:
  - module: gpuready.bootstrap.gpu_facts
  - module: gpuready.bootstrap.package_mirrors
author:
  - The gpuready authors (@gpuready)
"""

EXAMPLES = r"""
- name: Find the best mirror of two services
  gpuready.bootstrap.mirror_info:
    candidates:
      ubuntu:
        - site: ustc
          url: https://mirrors.ustc.edu.cn/ubuntu
          kind: inrelease
          probe_url: https://mirrors.ustc.edu.cn/ubuntu/dists/noble-updates/InRelease
          sample_url: https://mirrors.ustc.edu.cn/ubuntu/dists/noble/Contents-amd64.gz
        - site: tuna
          url: https://mirrors.tuna.tsinghua.edu.cn/ubuntu
          kind: inrelease
          probe_url: https://mirrors.tuna.tsinghua.edu.cn/ubuntu/dists/noble-updates/InRelease
          sample_url: https://mirrors.tuna.tsinghua.edu.cn/ubuntu/dists/noble/Contents-amd64.gz
      pypi:
        - site: tuna
          url: https://pypi.tuna.tsinghua.edu.cn/simple
          kind: simple
          probe_url: https://pypi.tuna.tsinghua.edu.cn/simple/pip/

- name: Forget what was measured
  gpuready.bootstrap.mirror_info:
    state: absent
"""

RETURN = r"""
measured:
  description: Whether mirrors were asked.
  returned: success
  type: bool
  sample: true
refreshed:
  description: Whether a measurement came to the remembered choice, so that only times and speeds were written.
  returned: success
  type: bool
  sample: false
why:
  description: Why it was measured, or why not.
  returned: success
  type: str
  sample: nothing is remembered
mirrors:
  description:
    - What is remembered now, or would be without check mode, as in C(gpu_host.mirrors). V(null) if nothing is.
    - C(urls) of a service are ranked and hold usable sites only. If it is empty, no candidate is usable.
    - C(state) of a candidate is V(ok), V(stale), V(forbidden), V(not_found), V(html), V(redirected_elsewhere),
      V(truncated), V(timeout), V(unreachable), V(wrong_architecture), V(bad_tls) or V(error).
    - C(rate) and C(score) are bytes a second, C(seconds) is what the probe took, times are seconds of the epoch.
  returned: success
  type: dict
  sample:
    schema: gpuready.mirrors/1
    measured_at: 1767225600
    expires_at: 1767830400
    key: 0f1e2d3c
    services:
      pypi:
        site: tuna
        urls: [https://pypi.tuna.tsinghua.edu.cn/simple]
        score: 9400000
        measured:
          - site: tuna
            url: https://pypi.tuna.tsinghua.edu.cn/simple
            state: ok
            reason: ""
            seconds: 0.214
            rate: 9400000
            date: null
requests:
  description: How many requests were made to which host.
  returned: success
  type: dict
  sample: {pypi.tuna.tsinghua.edu.cn: 2}
seconds:
  description: How long the measurement took.
  returned: success
  type: float
  sample: 3.2
files:
  description: Files that were written or deleted.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/gpuready/mirrors.json]
"""

import os
import ssl
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import (
    asked,
    crew,
    http,
    memory,
    proxy,
    rank,
)

# of the budget, for reading and writing the memory
MARGIN = 0.3
PROXY = {
    "http": {"type": "str", "no_log": True},
    "https": {"type": "str", "no_log": True},
    "no_proxy": {"type": "list", "elements": "str", "default": []},
}
RANGES = {
    "budget": (0.5, 600),
    "seconds": (0.1, 60),
    "bytes": (4096, 2**28),
    "parallel": (1, 32),
    "min_gain": (0, 100),
    "ttl_hours": (0.01, 24 * 366),
    "max_age_hours": (1, 24 * 366),
}


class MirrorInfoError(Exception):
    """It cannot be measured; the text is one sentence for the user."""


class MirrorInfo:
    """One run: is the memory valid, and if not, measure and remember."""

    def __init__(self, module: AnsibleModule, gate: FileGate, began: float) -> None:
        self.module, self.gate, self.began = module, gate, began
        self.params = module.params
        self.candidates = asked.read(self.params["candidates"])
        self.key = self.params["key"] or asked.digest(self.params["candidates"])
        self.net = http.Net(proxy.read(self.params["proxy"], os.environ), self._context())

    def run(self) -> dict[str, object]:
        former, damage = memory.read(self.gate)
        now = time.time()
        why = self._why(former, damage, now)
        if not why:
            # what is remembered for another key says nothing about this wish
            return self._result(former, "the memory is valid" if self.candidates else "nothing was asked for")
        services = self._services(former, now)
        document = memory.compose(services, self.key, self.params["ttl_hours"], now)
        same = former is not None and former["key"] == self.key and memory.choice(former) == memory.choice(document)
        memory.write(self.gate, document)
        return {**self._result(document, why), "measured": True, "refreshed": same, "changed": not same}

    def _why(self, former: dict[str, object] | None, damage: str, now: float) -> str:
        if not self.candidates:
            return ""
        if self.params["force"]:
            return "force is set"
        if former is None:
            return damage or "nothing is remembered"
        if former["key"] != self.key:
            return "something else was asked for before"
        return "" if memory.valid(former, self.key, self.params["ttl_hours"], now) else "the memory has expired"

    def _services(self, former: dict[str, Any] | None, now: float) -> dict[str, object]:
        known = former["services"] if former is not None else {}
        orders = {name: rank.former_order(entry) for name, entry in known.items()}
        limits = asked.Limits(**{name: self.params[name] for name in ("budget", "seconds", "bytes", "parallel")})
        margin = min(MARGIN, limits.budget / 10)
        findings = crew.measure(
            self.candidates,
            limits,
            self.net,
            self.began + limits.budget - margin,
            machine=os.uname().machine,
            max_age_hours=self.params["max_age_hours"],
            now=now,
            first=[(name, sites[0]) for name, sites in orders.items() if sites],
        )
        return {
            name: rank.service(
                [finding for finding in findings if finding.candidate.service == name],
                known.get(name),
                self.params["min_gain"],
                self.params["max_age_hours"],
                now,
            )
            for name in dict.fromkeys(candidate.service for candidate in self.candidates)
        }

    def _result(self, document: object, why: str) -> dict[str, object]:
        return {
            "changed": False,
            "measured": False,
            "refreshed": False,
            "why": why,
            "mirrors": document,
            "requests": dict(self.net.requests),
            "seconds": round(time.monotonic() - self.began, 3),
            **told(self.gate),
        }

    def _context(self) -> ssl.SSLContext | None:
        bundle = self.params["ca_bundle"]
        try:
            return http.tls_context(bundle) if bundle else None
        except OSError as error:  # ssl.SSLError is one
            reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
            raise MirrorInfoError(f"ca_bundle {bundle} cannot be used ({reason}); name a file in PEM format") from error


def told(gate: FileGate) -> dict[str, object]:
    """What the gate says of the files."""
    return {key: value for key, value in gate.result().items() if key in ("diff", "files")}


def forgotten(gate: FileGate) -> dict[str, object]:
    """The result of state absent."""
    changed = memory.forget(gate)
    done = {"changed": changed, "measured": False, "refreshed": False, "why": "state is absent", "mirrors": None}
    return {**done, "requests": {}, "seconds": 0.0, **told(gate)}


def check_ranges(params: dict[str, Any]) -> None:
    """Numbers that make no sense would only show as strange results."""
    for name, (low, high) in RANGES.items():
        if not low <= params[name] <= high:
            raise MirrorInfoError(f"{name} is {params[name]}, and must be between {low} and {high}")


def main() -> None:
    began = time.monotonic()
    module = AnsibleModule(
        argument_spec={
            "candidates": {"type": "dict", "default": {}},
            "key": {"type": "str", "default": "", "no_log": False},
            "budget": {"type": "float", "default": 8},
            "seconds": {"type": "float", "default": 3},
            "bytes": {"type": "int", "default": 4 * 1024 * 1024},
            "parallel": {"type": "int", "default": 4},
            "min_gain": {"type": "float", "default": 0.3},
            "ttl_hours": {"type": "float", "default": 168},
            "max_age_hours": {"type": "float", "default": 48},
            "proxy": {"type": "dict", "options": PROXY},
            "ca_bundle": {"type": "path", "default": ""},
            "force": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    gate = FileGate(module, module.params["root"])
    try:
        check_ranges(module.params)
        result = forgotten(gate) if module.params["state"] == "absent" else MirrorInfo(module, gate, began).run()
    except (MirrorInfoError, asked.AskedError, proxy.ProxyError, FileGateError) as error:
        module.fail_json(msg=f"Mirrors: {str(error).rstrip('.')}.", **told(gate))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
