# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can this host reach the repositories it will be told to use?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

_TIMEOUT_S = 5
_READ = 4096


def section(host: Host, repositories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """GET each repository's URL, all at the same time."""
    if not repositories:
        return {"repositories": []}
    if not host.live:
        host.probes.record("repositories", "missing", "HTTP GET", error=f"no network is used for root {host.root}")
        return {"repositories": [_answer(entry, None, 0, None, None) for entry in repositories]}
    began = time.monotonic()
    calls = [partial(_get, entry) for entry in repositories]
    # redirects may take several limits; what is late is told so
    answers = parallel(calls, _TIMEOUT_S * 2, width=16)
    late = "no answer in time"
    found = [
        answer or _answer(entry, "timeout", _TIMEOUT_S * 2000, None, late)
        for entry, answer in zip(repositories, answers)
    ]
    bad = [answer for answer in found if answer["status"] != "ok"]
    host.probes.record(
        "repositories",
        bad[0]["status"] if bad else "ok",
        "HTTP GET",
        (time.monotonic() - began) * 1000,
        error=f"{bad[0]['url']}: {bad[0]['error']}" if bad else None,
    )
    return {"repositories": found}


def _get(entry: dict[str, Any]) -> dict[str, Any]:
    # imported here: a host without repositories to probe does not pay for it
    import urllib.error
    import urllib.request

    began = time.monotonic()
    url = str(entry.get("url") or "")
    if not url.startswith(("http://", "https://")):
        return _answer(entry, "failed", 0, None, "only http and https can be probed")
    code: int | None = None
    status, error = "ok", None
    try:
        # the opener honours http_proxy, https_proxy and no_proxy, as apt's and pip's users expect
        request = urllib.request.Request(url, headers={"User-Agent": "gpuready"})
        with urllib.request.build_opener().open(request, timeout=_TIMEOUT_S) as response:
            code = int(response.status)
            response.read(_READ)
    except urllib.error.HTTPError as exc:
        code, status, error = exc.code, "failed", f"HTTP {exc.code}"
        exc.close()
    except Exception as exc:
        reason = getattr(exc, "reason", exc)
        late = isinstance(reason, BaseException) and classify(reason) == "timeout"
        status, error = ("timeout" if late else "failed"), str(reason) or type(exc).__name__
    return _answer(entry, status, (time.monotonic() - began) * 1000, code, error)


def _answer(
    entry: dict[str, Any], status: str | None, ms: float, code: int | None, error: str | None
) -> dict[str, Any]:
    return {
        "name": str(entry.get("name") or ""),
        "url": mask(str(entry.get("url") or "")),
        "status": status,
        "http_status": code,
        "ms": round(ms),
        "error": mask(error),
    }
