# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories are asked by HTTP, all at the same time."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import network


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/ok")
        else:
            self.send_response(200 if self.path in ("/ok", "/slow") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def base() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_answers(live: Host, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(network, "_TIMEOUT_S", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        wishes = {
            "good": f"{base}/ok",
            "moved": f"{base}/moved",
            "gone": f"{base}/gone",
            "slow": f"{base}/slow",
            "closed": f"http://127.0.0.1:{port}/",
            "file": "file:///etc/passwd",
            "secret": f"{base}/ok".replace("://", "://me:hunter2@"),
        }
        began = time.monotonic()
        found = network.section(live, [{"name": name, "url": url} for name, url in wishes.items()])["repositories"]
    assert time.monotonic() - began < 4
    answers = {answer["name"]: (answer["status"], answer["http_status"]) for answer in found}
    secret = answers.pop("secret")
    assert answers == {
        "good": ("ok", 200),
        "moved": ("ok", 200),
        "gone": ("failed", 404),
        "slow": ("timeout", None),
        "closed": ("failed", None),
        "file": ("failed", None),
    }
    assert secret[0] in ("ok", "failed")
    assert "hunter2" not in str(found) + str(live.probes.as_dict())
    assert live.probes.status("repositories") == "failed"


def test_another_root_uses_no_network(tmp_path: object, runner: Runner) -> None:
    host = Host(str(tmp_path), runner)
    (answer,) = network.section(host, [{"name": "a", "url": "http://127.0.0.1:9/"}])["repositories"]
    assert answer["status"] is None
    assert host.probes.status("repositories") == "missing"
