# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories are asked by HTTP, all at the same time."""

from __future__ import annotations

import contextlib
import http.server
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import network
from hypothesis import given
from hypothesis import strategies as st

MakeHost = Callable[[dict[str, Any]], Host]

BODIES = {
    "/InRelease": b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: x\n"
    b"Date: Sat, 21 Nov 2026 08:00:00 UTC\nValid-Until: Sat, 28 Nov 2026 08:00:00 UTC\nSHA256:\n" + b" 0 x\n" * 60000,
    "/repomd.xml": b'<?xml version="1.0"?>\n<repomd xmlns="x">\n<revision>1795248000</revision>\n</repomd>\n',
    "/page": b"<html>\nDate: yesterday\n</html>",
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/ok")
        else:
            there = self.path in ("/ok", "/slow", "/cached") or self.path in BODIES
            self.send_response(401 if self.path == "/v2/" else 200 if there else 404)
        body = BODIES.get(self.path, b"")
        if self.path == "/v2/":
            self.send_header("WWW-Authenticate", "Bearer")
        if self.path == "/cached":
            self.send_header("Age", "50")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # whoever asks reads the beginning only
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        # the server's clock is 100 s behind, and its answer from a cache 50 s older still
        return super().date_time_string(time.time() - (150 if self.path == "/cached" else 100))

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


def test_endpoints_tell_their_age_and_the_clock(live: Host, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    paths = ("InRelease", "repomd.xml", "page", "v2/", "gone", "cached")
    wishes = [{"kind": "docker" if name == "v2/" else "apt", "name": name, "url": f"{base}/{name}"} for name in paths]
    found = network.section(live, [{"name": "r", "url": f"{base}/ok"}], wishes)
    assert [answer["name"] for answer in found["repositories"]] == ["r"]
    assert 95 < found["repositories"][0]["skew_s"] < 105
    answers = {answer["name"]: answer for answer in found["endpoints"]}
    assert list(answers) == list(paths)
    assert (answers["InRelease"]["released"], answers["InRelease"]["valid_until"]) == (
        "2026-11-21T08:00:00Z",
        "2026-11-28T08:00:00Z",
    )
    assert answers["repomd.xml"]["released"] == "2026-11-21T08:00:00Z"
    assert (answers["page"]["released"], answers["page"]["valid_until"]) == (None, None)
    assert (answers["v2/"]["status"], answers["v2/"]["http_status"], answers["v2/"]["kind"]) == ("ok", 401, "docker")
    assert (answers["gone"]["status"], answers["gone"]["http_status"]) == ("failed", 404)
    # an error page has a clock as well, and a cache says how old its answer is
    for name in ("gone", "cached", "v2/"):
        assert 95 < answers[name]["skew_s"] < 105, name
    assert live.probes.status("endpoints") == "failed"
    assert live.probes.status("repositories") == "ok"


def test_endpoints_of_another_root(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    (answer,) = network.section(host, [], [{"kind": "pypi", "name": "a", "url": "http://me:hunter2@h/"}])["endpoints"]
    assert (answer["kind"], answer["status"], answer["skew_s"], answer["url"]) == ("pypi", None, None, "http://***@h/")
    assert host.probes.status("endpoints") == "missing"


def test_a_slow_drip_ends() -> None:
    class Drip:
        def read1(self, size: int) -> bytes:
            return b"x"

    assert len(network._body(Drip(), 10, time.monotonic())) == 10
    assert network._body(Drip(), 10, time.monotonic() - network._TIMEOUT_S) == b""


@given(st.text())
def test_no_date_makes_it_raise(text: str) -> None:
    network._date(text)
    network._release(b"Date: " + text.encode("utf-8", "replace"), "Date")


def test_resolvers_and_proxies(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/etc/resolv.conf": "# nameserver 192.0.2.1\nnameserver 127.0.0.53\n nameserver 2001:db8::1\nsearch x\n",
            "/etc/environment": "http_proxy=http://me:hunter2@p:1\nno_proxy=localhost\nLANG=C\n",
            "/etc/profile.d/proxy.sh": "export http_proxy=http://q:2\n",
            "/etc/apt/apt.conf.d/95proxy": 'Acquire::http::Proxy "http://me:hunter2@a:3";\n',
            "/usr/lib/systemd/system/docker.service.d/p.conf": "[Service]\nEnvironment=HTTPS_PROXY=http://old:1\n",
            "/etc/systemd/system/docker.service.d/p.conf": "[Service]\nEnvironment=HTTPS_PROXY=me:hunter2@d:4\n",
        }
    )
    found = network.section(host, [])
    assert found["resolvers"] == ["127.0.0.53", "2001:db8::1"]
    assert found["proxies"] == {
        "environment": {"http_proxy": "http://q:2", "no_proxy": "localhost"},
        "apt": "http://***@a:3",
        "docker": "***@d:4",
    }
    assert "hunter2" not in str(found)


def test_the_proxy_of_a_file_with_variables(host_of: MakeHost) -> None:
    folder = "/etc/systemd/system/docker.service.d"
    files = {
        f"{folder}/p.conf": f"[Service]\nEnvironment=HTTPS_PROXY=http://old:1\nEnvironmentFile=-{folder}/p.env\n",
        f"{folder}/p.env": '# ours\nHTTPS_PROXY="http://me:hunter2@d:6"\n',
    }
    found = network.section(host_of(files), [])["proxies"]
    assert found["docker"] == "http://***@d:6"


def test_the_proxy_of_daemon_json(host_of: MakeHost) -> None:
    path = "/etc/docker/daemon.json"
    host = host_of({path: '{"proxies": {"http-proxy": "http://me:hunter2@d:5"}}'})
    assert network.section(host, [])["proxies"]["docker"] == "http://***@d:5"
    assert network.section(host_of({path: '{"proxies": {'}), [])["proxies"]["docker"] is None


LISTEN = "   0: {} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1 0\n"


def test_who_listens(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/proc/net/tcp": "head\n" + LISTEN.format("00000000:08AE", 77) * 2 + LISTEN.format("0100007F:0016", 5),
            "/proc/net/tcp6": "head\n" + LISTEN.format("0" * 32 + ":08AE", 78),
            "/proc/900/stat": "900 (docker-proxy) S 1 1 1 0 -1 4194560 0 0\n",
            "/proc/900/comm": "docker-proxy\n",
        }
    )
    fd = pathlib.Path(host.root) / "proc/900/fd"
    fd.mkdir()
    (fd / "3").symlink_to("socket:[77]")
    assert network.section(host, [])["listening"] == [
        {"port": 22, "address": "127.0.0.1", "pid": None, "comm": None},
        {"port": 2222, "address": "0.0.0.0", "pid": 900, "comm": "docker-proxy"},
        {"port": 2222, "address": "::", "pid": None, "comm": None},
    ]


def test_our_own_socket_is_found(live: Host) -> None:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        port = mine.getsockname()[1]
        entry = next(entry for entry in network.section(live, [])["listening"] if entry["port"] == port)
    assert entry["address"] == "127.0.0.1"
    assert entry["pid"] in (None, os.getpid())


def test_an_empty_machine(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    assert network.section(host, []) == network.EMPTY
    assert (host.probes.status("resolvers"), host.probes.status("listening")) == ("missing", "missing")
    assert host.probes.status("endpoints") is None
