# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support bundle of a host: snapshot, report, raw documents and logs, without secrets and serial numbers.

It is a tar.gz with a fixed layout, so that it can be judged again on another machine: see read().
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.scrub import scrub

README = """Support bundle of gpuready.bootstrap.

snapshot.json  what gpu_facts read on the host (docs/snapshot.schema.json)
report.json    how it was judged (docs/report.schema.json)
raw/           documents as the tools of the host wrote them, if they were asked for
logs/          lines of the kernel log that mean something for a GPU host

Serial numbers, UUIDs, addresses, host names and secrets are replaced by placeholders; the same value has the same one.
To judge it again: ansible-playbook playbooks/readiness.yml -e readiness_snapshots=FOLDER -e readiness_report_dir=OUT
"""
SNAPSHOT_MAX = 64 * 1024 * 1024


def build(report: Mapping[str, Any], snapshot: Mapping[str, Any]) -> bytes:
    """The bundle. The same input gives the same bytes."""
    clean = scrub({"snapshot": dict(snapshot), "report": dict(report)}, hosts=(str(report["host"]),))
    raw = dict(clean["snapshot"].get("raw") or {})
    hits = (clean["snapshot"].get("kernel_log") or {}).get("hits") or []
    files = {
        "README.txt": README,
        "snapshot.json": _json({**clean["snapshot"], "raw": {}}),
        "report.json": _json(clean["report"]),
        "logs/kernel.log": "".join(f"{hit.get('time') or '-'} {hit.get('text')}\n" for hit in hits),
        **{f"raw/{name}.txt": str(text) for name, text in sorted(raw.items())},
    }
    return _tar({f"gpuready-bundle/{name}": text.encode("utf-8", "replace") for name, text in files.items()})


def read(data: bytes) -> dict[str, Any]:
    """The snapshot in a bundle, raw documents included. Raises ValueError for anything that is no bundle."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            texts = {member.name.partition("/")[2]: _member(archive, member) for member in archive if member.isfile()}
        snapshot = json.loads(texts["snapshot.json"])
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"not a gpuready bundle: {type(error).__name__}: {error}") from error
    if not isinstance(snapshot, dict):
        raise ValueError("not a gpuready bundle: snapshot.json holds no mapping")
    raw = {name[4:-4]: text for name, text in texts.items() if name.startswith("raw/") and name.endswith(".txt")}
    return {**snapshot, "raw": raw}


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = archive.extractfile(member)
    if stream is None or member.size > SNAPSHOT_MAX:
        raise ValueError(f"{member.name} is too large")
    return stream.read().decode("utf-8", "replace")


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def _tar(files: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    # no time in the header: the same host gives the same bundle
    return gzip.compress(plain.getvalue(), mtime=0)
