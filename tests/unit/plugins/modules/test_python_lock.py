# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real uv against an index of made-up packages on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_lock as locks
from ansible_collections.gpuready.bootstrap.plugins.modules.python_lock import main, moved, trust_the_system

RunModule = Callable[..., dict[str, Any]]
USER, PASSWORD = "reader", "s3cret-of-the-index"


class Index(http.server.ThreadingHTTPServer):
    """Simple indexes of wheels that are metadata only: nothing may ask for a file."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheels: dict[str, list[tuple[str, str]]] = {}
        self.asked: list[str] = []
        self.password = ""

    def add(self, name: str, version: str, *needs: str, index: str = "simple", tag: str = "py3-none-any") -> None:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {n}" for n in needs),
        ]
        wheel = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        self.wheels.setdefault(f"/{index}/{name}/", []).append((wheel, "\n".join(lines) + "\n"))

    def url(self, index: str = "simple", credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.server_address[1]}/{index}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Index)
        server.asked.append(self.path)
        wanted = "Basic " + base64.b64encode(f"{USER}:{server.password}".encode()).decode()
        if server.password and self.headers["Authorization"] != wanted:
            self.answer(401, "")
        elif self.path in server.wheels:
            self.answer(200, "".join(self.link(wheel) for wheel, _metadata in server.wheels[self.path]))
        elif self.path.endswith(".metadata"):
            known = {wheel: metadata for rows in server.wheels.values() for wheel, metadata in rows}
            self.answer(200, known[self.path.split("/")[-1].removesuffix(".metadata")])
        else:
            self.answer(404, "")

    @staticmethod
    def link(wheel: str) -> str:
        digest = hashlib.sha256(wheel.encode()).hexdigest()
        return f'<a href="/files/{wheel}#sha256={digest}" data-core-metadata="true">{wheel}</a>\n'

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.add("gizmo", "1.0")
        server.add("gizmo", "1.1")
        server.add("widget", "2.0", "gizmo")
        yield server
        server.shutdown()


@pytest.fixture
def uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    assert found, "uv is missing; it is in requirements.txt, which tools/bootstrap.py installs"
    return found


@pytest.fixture
def lock(run_module: RunModule, tmp_path: Path, index: Index, uv: str, monkeypatch: pytest.MonkeyPatch) -> RunModule:
    """Run the module on tmp_path/lock.txt, with the index of this test and a cache of its own."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    def run(*requirements: str, **options: Any) -> dict[str, Any]:
        given = {"dest": str(tmp_path / "lock.txt"), "index_url": index.url(), "uv": uv, "timeout": 60, **options}
        return run_module(main, requirements=list(requirements), **given)

    return run


def text(tmp_path: Path) -> str:
    return (tmp_path / "lock.txt").read_text()


def test_a_lock_has_versions_and_hashes_and_no_host_and_nothing_was_downloaded(
    lock: RunModule, index: Index, tmp_path: Path
) -> None:
    result = lock("widget")
    written = text(tmp_path)
    assert result["changed"] and result["packages"] == 2
    assert result["moved"] == {"gizmo": "-> 1.1", "widget": "-> 2.0"}
    digest = hashlib.sha256(b"gizmo-1.1-py3-none-any.whl").hexdigest()
    assert f"gizmo==1.1 \\\n    --hash=sha256:{digest}\n    # via widget\n" in written
    assert "127.0.0.1" not in written and " ; " not in written
    assert locks.current(written, locks.make_inputs(["widget"], "3.11", "3.15"))
    assert result["inputs"] in written
    assert [path for path in index.asked if path.endswith(".whl")] == []


def test_a_second_run_does_not_ask_the_index(lock: RunModule, index: Index) -> None:
    lock("widget", "gizmo")
    index.asked.clear()
    result = lock(" gizmo", "widget ", "widget")
    assert (result["changed"], result["resolved"], index.asked) == (False, False, [])


def test_check_mode_says_exactly_what_would_be_written(lock: RunModule, tmp_path: Path) -> None:
    predicted = lock("widget", check=True)
    assert not (tmp_path / "lock.txt").exists()
    done = lock("widget")
    assert predicted["diff"] == done["diff"] and predicted["moved"] == done["moved"]
    assert predicted["diff"][0]["after"] == text(tmp_path)


def test_other_packages_keep_their_versions_until_refresh(lock: RunModule, index: Index, tmp_path: Path) -> None:
    lock("widget")
    index.add("gizmo", "1.2")
    index.add("gadget", "7")
    assert lock("widget", "gadget")["moved"] == {"gadget": "-> 7"}
    assert lock("widget", "gadget", refresh=True)["moved"] == {"gizmo": "1.1 -> 1.2"}
    assert not lock("widget", "gadget", refresh=True)["changed"]


def test_an_edited_lock_is_made_anew(lock: RunModule, tmp_path: Path) -> None:
    lock("widget")
    before = text(tmp_path)
    (tmp_path / "lock.txt").write_text(before.replace("gizmo==1.1", "gizmo==1.0"))
    assert lock("widget")["resolved"]
    # the edited version is a wish like any that an old file has
    assert "gizmo==1.0" in text(tmp_path)


def test_a_file_that_is_no_lock_of_ours_is_refused(lock: RunModule, tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("widget==1.0\n")
    assert "is not a lock of this module" in lock("widget")["msg"]
    assert text(tmp_path) == "widget==1.0\n"


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        (["gizmo>=9"], "Because only gizmo<=1.1 is available and the requirements ask for gizmo>=9"),
        (["gizmo<1.1", "gizmo>=1.1"], "the requirements ask for gizmo"),
        (["no-such-thing"], "no-such-thing was not found"),
        (["clash", "gizmo==1.0"], "all versions of clash depend on gizmo>1"),
    ],
)
def test_the_resolvers_words_come_through_and_the_file_stays(
    requirements: list[str], said: str, lock: RunModule, index: Index, tmp_path: Path
) -> None:
    index.add("clash", "1", "gizmo>1")
    lock("widget")
    before = text(tmp_path)
    result = lock(*requirements)
    assert result["failed"] and said in result["msg"]
    assert result["msg"].startswith("uv could not resolve the requirements: No solution found. ")
    assert result["msg"].endswith("lock.txt is unchanged.")
    assert "gpuready-lock" not in result["msg"]
    assert text(tmp_path) == before


def test_a_package_without_wheels_is_sent_to_the_source_builds(lock: RunModule, index: Index) -> None:
    index.wheels["/simple/flashy/"] = [("flashy-1.0.tar.gz", "Metadata-Version: 2.2\nName: flashy\nVersion: 1.0\n")]
    assert "dev_source_builds" in lock("flashy")["msg"]


def test_credentials_reach_the_index_and_nothing_else(lock: RunModule, index: Index, tmp_path: Path) -> None:
    index.password = PASSWORD
    private = index.url(credentials=f"{USER}:{PASSWORD}@")
    result = lock("widget", index_url=private)
    assert result["packages"] == 2
    assert PASSWORD not in f"{result}{text(tmp_path)}"
    index.password = "another one"
    refused = lock("widget", index_url=private, refresh=True)
    assert refused["failed"] and "401" in refused["msg"] and PASSWORD not in str(refused)
    assert list(tmp_path.glob("ansible-tmp/*")) == []


def test_an_index_that_does_not_answer_is_no_conflict(lock: RunModule) -> None:
    result = lock("widget", index_url="http://127.0.0.1:9/simple")
    assert result["msg"].startswith("uv could not read what it needs: ")
    assert "Connection refused" in result["msg"] and result["msg"].endswith("lock.txt was not written.")


def test_torch_comes_from_the_index_of_its_backend_and_the_rest_does_not(
    lock: RunModule, index: Index, tmp_path: Path
) -> None:
    index.add("torch", "2.15.0", "gizmo")
    index.add("torch", "2.15.0+cu126", "gizmo", index="whl/cu126", tag="cp311-abi3-manylinux_2_28_x86_64")
    index.add("gizmo", "9.9", index="whl/cu126")
    options = {
        "torch_backend": "cu126",
        "torch_index_url": index.url("whl/{cuda}"),
        "platform": "x86_64",
    }
    result = lock("torch", "widget", **options)
    assert "torch==2.15.0+cu126 \\\n" in text(tmp_path)
    assert "gizmo==1.1 " in text(tmp_path)
    assert result["torch_cuda"] == "12.6"
    # the address of the mirror is no input
    assert not lock("torch", "widget", **{**options, "torch_index_url": "http://mirror.example.org/whl"})["resolved"]
    assert lock("torch", "widget", **{**options, "torch_backend": "cu130"})["failed"]


def test_settings_of_the_environment_do_not_change_the_choice(
    lock: RunModule, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only-old.txt").write_text("gizmo==1.0\n")
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "only-old.txt"))
    monkeypatch.setenv("UV_RESOLUTION", "lowest")
    monkeypatch.setenv("UV_NO_CONFIG", "1")  # without its file, uv would know neither index nor platforms
    assert lock("gizmo")["moved"] == {"gizmo": "-> 1.1"}


@pytest.mark.parametrize(
    ("chosen", "there", "then"), [(None, True, "true"), ("false", True, "false"), (None, False, None)]
)
def test_uv_trusts_what_the_system_trusts_unless_the_user_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, there: bool, then: str | None
) -> None:
    monkeypatch.setattr(os, "environ", {} if chosen is None else {"UV_SYSTEM_CERTS": chosen})
    store = tmp_path / "ca-certificates.crt"
    if there:
        store.touch()
    trust_the_system([str(store)])
    assert os.environ.get("UV_SYSTEM_CERTS") == then


def test_uv_that_is_missing_is_named_with_what_to_do(lock: RunModule) -> None:
    result = lock("widget", uv="/nowhere/uv")
    assert result["msg"] == (
        "uv is not there (looked at /nowhere/uv); install it where this task runs (pip install uv), "
        "or name its path in uv."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"requirements": []}, "requirements is empty"),
        ({"requirements": ["widget @ https://u:p@example.org/w.whl"]}, "holds an address"),
        ({"requirements": ["-r other.txt"]}, "not the name of a package"),
        ({"python_version": "3.11.4"}, "python_version '3.11.4'"),
        ({"python_below": "3.11"}, "from 3.11 on and below 3.11"),
        ({"torch_backend": "cuda13"}, "torch_backend 'cuda13'"),
    ],
)
def test_bad_input_is_one_sentence_and_uv_does_not_run(
    options: dict[str, Any], said: str, lock: RunModule, index: Index
) -> None:
    requirements = options.pop("requirements", ["widget"])
    result = lock(*requirements, **options)
    assert result["failed"] and said in result["msg"] and "u:p@" not in result["msg"]
    assert index.asked == []


def test_a_resolver_that_takes_too_long_is_stopped(run_module: RunModule, tmp_path: Path) -> None:
    slow = tmp_path / "uv"
    slow.write_text("#!/bin/sh\nsleep 20\n")
    slow.chmod(0o755)
    dest = str(tmp_path / "lock.txt")
    result = run_module(main, dest=dest, requirements=["widget"], uv=str(slow), timeout=1)
    assert "within 1 s" in result["msg"] and not os.path.exists(dest)


def test_what_moved_between_two_locks() -> None:
    before, after = "a==1 \\\nb==2 ; x\nb==3 ; y\n", "a==1\nb==3\nc==1\n"
    assert moved(before, after) == {"b": "2, 3 -> 3", "c": "-> 1"}
