# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the readiness report on the controller: the only part of plugin_utils that reads and writes them."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import bundle
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.junit import junit
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.nhc import nhc
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page import page
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import Silence
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.prometheus import prometheus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import check_schema
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.whole_file import write

FORMATS = ("json", "html", "junit", "prometheus", "nhc", "bundle")
PAGE = "readiness.html"
BUNDLE = ".bundle.tar.gz"
# what a run leaves beside the snapshots, so that its own folder can be judged again
_NOT_SNAPSHOTS = (".report.json", ".last_ready.json")


def file_stem(host: str) -> str:
    """An inventory name may hold a slash or dots; a file name of ours may not leave its folder.

    A name that is changed gets a digest of itself, so that "gpu 1" and "gpu_1" have files of their own.
    """
    stem = "".join(char if char.isalnum() or char in "._-" else "_" for char in host).lstrip(".") or "host"
    if stem == host:
        return stem
    return f"{stem}-{hashlib.sha256(host.encode('utf-8', 'replace')).hexdigest()[:8]}"


def as_json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n"


def write_host(
    folder: Path,
    report: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    formats: Iterable[str],
    *,
    report_name: str = "{host}.report.json",
    keep_snapshot: bool = True,
) -> dict[str, str]:
    """Write the files of one host and return them by kind. Raises OSError."""
    stem = file_stem(str(report["host"]))
    wanted = set(formats)
    contents: dict[str, tuple[str, str | bytes]] = {}
    if "json" in wanted:
        contents["report"] = (report_name.format(host=stem), as_json(report))
        if keep_snapshot:
            contents["snapshot"] = (f"{stem}.snapshot.json", as_json(snapshot))
            if report["exit_code"] < 2 and set(report["stages"]) == set(map(str, Stage)):
                contents["last_ready"] = (f"{stem}.last_ready.json", as_json(snapshot))
    if "junit" in wanted:
        contents["junit"] = (f"{stem}.junit.xml", junit([report], str(report.get("language") or "en")))
    if "prometheus" in wanted:
        contents["prometheus"] = (f"{stem}.prom", prometheus(report))
    if "nhc" in wanted:
        contents["nhc"] = (f"{stem}.nhc", nhc(report)[0])
    if "bundle" in wanted:
        contents["bundle"] = (f"{stem}{BUNDLE}", bundle.build(report, snapshot))
    files = {}
    for kind, (name, content) in contents.items():
        write(folder / name, content)
        files[kind] = str(folder / name)
    return files


def write_page(
    path: Path,
    hosts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    *,
    stopped: Mapping[str, str] | None = None,
    silent: Mapping[str, Silence] | None = None,
    language: str = "en",
) -> None:
    """Write the page of a run. Raises OSError."""
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    write(path, page(hosts, language=language, generated_at=moment, stopped=stopped or {}, silent=silent))


def last_ready(folder: Path, host: str) -> dict[str, Any] | None:
    """The snapshot of the last time the host was ready, if there is one that can be read."""
    try:
        return load_snapshot(folder / f"{file_stem(host)}.last_ready.json")
    except (OSError, ValueError):
        # a damaged or foreign file only costs the comparison
        return None


def load_snapshot(path: Path) -> dict[str, Any]:
    """One saved snapshot or bundle. Raises ValueError that names the file and what is wrong with it, and OSError."""
    if path.name.endswith(".tar.gz"):
        try:
            data = bundle.read(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is {error}") from error
    else:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text: {error}") from error
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise ValueError(f"{path} is not valid JSON: {error.msg} ({where})") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no snapshot: it is a {type(data).__name__}, not a mapping")
    check_schema(data, str(path))
    return data


def load_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """All snapshots of a folder by the name of their host. Raises ValueError that names every bad file."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give the folder that holds the snapshots (NAME.json, one a host)")
    found: dict[str, dict[str, Any]] = {}
    errors: list[str] = []
    for path in sorted(folder.iterdir()):
        name = _host_of(path)
        if name is None:
            continue
        try:
            if name in found:
                raise ValueError(f"{path} is a second snapshot of {name}; keep one")
            found[name] = load_snapshot(path)
        except (OSError, ValueError) as error:
            errors.append(str(error))
    if errors:
        raise ValueError("; ".join(errors))
    if not found:
        raise ValueError(f"{folder} holds no snapshot (NAME.json, one a host)")
    return found


def _host_of(path: Path) -> str | None:
    name = path.name
    if name.startswith(".") or name.endswith(_NOT_SNAPSHOTS) or not path.is_file():
        return None
    for suffix in (".snapshot.json", ".json", BUNDLE):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return None
