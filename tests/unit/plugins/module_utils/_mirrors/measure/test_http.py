# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request: limits, TLS, proxies, kept connections, and no credentials in any text."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import http, proxy, wire
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.http import (
    FetchError,
    Question,
    Session,
)
from farm import Farm, Member


def fetch(url: str, net: http.Net | None = None, seconds: float = 1.0, **question: Any) -> http.Answer:
    session = Session(net or http.Net())
    try:
        return session.fetch(url, Question(**question), wire.Clock(seconds))
    finally:
        session.close()


def refused(url: str, net: http.Net | None = None, seconds: float = 1.0, **question: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, net, seconds, **question)
    return caught.value


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Serve fixed bytes to each connection, then close it."""
    listening: list[socket.socket] = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"

    yield start
    for server in listening:
        server.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority (ca.pem) and a server certificate for 127.0.0.2 with its key (server.pem)."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Lab", "-days", "2")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=mirror")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.2\n")
    words = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", *words)
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return folder


def test_a_range_and_a_cap() -> None:
    with Farm([Member("a", size=50_000)]) as farm:
        ranged = fetch(farm.url("a") + "/big", cap=1000, ranged=True)
        assert (ranged.status, len(ranged.body), ranged.ended) == (206, 1000, "whole")
        capped = fetch(farm.url("a") + "/big", cap=1000)
        assert (capped.status, len(capped.body), capped.ended) == (200, 1000, "cap")
        whole = fetch(farm.url("a") + "/a.json", cap=1000)
        assert (json.loads(whole.body), whole.ended) == ({"a": [1, 2, 3]}, "whole")
        assert fetch(farm.url("a") + "/big", method="HEAD").body == b""


def test_a_connection_is_kept_and_a_lost_one_is_opened_again() -> None:
    with Farm([Member("a", cut=100)]) as farm:
        session = Session(http.Net())
        assert session.fetch(farm.url("a") + "/a.json", Question(), wire.Clock(1)).ended == "whole"
        first = session._kept
        assert first is not None
        session.fetch(farm.url("a") + "/a.json", Question(), wire.Clock(1))
        assert session._kept is not None and session._kept[1] is first[1]
        # the server has gone away behind the kept connection
        first[2].sock.shutdown(socket.SHUT_RDWR)
        assert session.fetch(farm.url("a") + "/a.json", Question(), wire.Clock(1)).ended == "whole"
        assert session.fetch(farm.url("a") + "/big", Question(), wire.Clock(1)).ended == "broken"
        assert session._kept is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70000,
    ],
    ids=["nothing", "words", "status", "many_headers", "long_header"],
)
def test_what_is_no_http_is_an_error(answer: bytes, raw_server: Callable[[bytes], str]) -> None:
    assert refused(raw_server(answer)).state == "error"


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", "broken"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", "broken"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broken"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", "whole"),
        (b"HTTP/1.0 200 OK\r\n\r\n12345", "whole"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345", "whole"),
    ],
)
def test_how_a_body_ends(answer: bytes, ended: str, raw_server: Callable[[bytes], str]) -> None:
    assert fetch(raw_server(answer)).ended == ended


@pytest.mark.parametrize("settings", [{"drip_head": 0.05}, {"kind": "black_hole"}, {"delay": 3}], ids=str)
def test_no_answer_takes_longer_than_its_clock(settings: dict[str, Any]) -> None:
    with Farm([Member("a", **settings)]) as farm:
        began = time.monotonic()
        error = refused(farm.url("a") + "/x", seconds=0.3)
        assert (error.state, error.down) == ("timeout", True)
        assert time.monotonic() - began < 0.6


def test_the_end_of_the_time_within_a_body_is_no_error() -> None:
    with Farm([Member("a", rate=50_000)]) as farm:
        answer = fetch(farm.url("a") + "/big", seconds=0.4, cap=300_000)
        assert answer.ended == "time" and 5_000 < len(answer.body) < 40_000
        assert 20_000 < answer.rate < 90_000


def test_unreachable_and_unknown_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    with Farm([Member("a", kind="dead")]) as farm:
        error = refused(farm.url("a"))
        assert (error.state, error.down) == ("unreachable", True) and "refused" in error.reason
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (
        refused("http://nowhere.example.org/").reason
        == "nowhere.example.org: the name nowhere.example.org has no address"
    )


def test_a_dead_first_address_leaves_time_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    with Farm([Member("hole", kind="black_hole"), Member("a")]) as farm:
        port = int(farm.url("a").rpartition(":")[2])
        # 127.0.0.2 listens at another port, so that this one refuses
        places = [("127.0.0.2", port), ("127.0.0.3", port)]
        infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: infos)
        assert fetch(f"http://both.example.org:{port}/a.json").ended == "whole"


def test_tls_needs_the_authority(certificates: Path) -> None:
    with Farm([Member("a", cert=str(certificates / "server.pem"))]) as farm:
        error = refused(farm.url("a") + "/a.json")
        assert (error.state, error.down) == ("bad_tls", True) and "certificate" in error.reason
        trusted = http.Net(context=http.tls_context(str(certificates / "ca.pem")))
        assert fetch(farm.url("a") + "/a.json", trusted).ended == "whole"
        # by another name it is another host
        other = farm.url("a").replace("127.0.0.2", "localhost")
        assert refused(other, trusted).state in ("bad_tls", "unreachable")
        assert refused(farm.url("a").replace("https", "http") + "/a.json").state in ("error", "unreachable")
    with Farm([Member("a")]) as farm:
        assert refused(farm.url("a").replace("http", "https")).state == "bad_tls"
    with Farm([Member("a", kind="black_hole")]) as farm:
        assert refused(farm.url("a").replace("http", "https"), seconds=0.3).state == "timeout"


def test_a_step_from_https_to_http_is_refused(certificates: Path) -> None:
    trusted = http.Net(context=http.tls_context(str(certificates / "ca.pem")))
    with Farm([Member("a", cert=str(certificates / "server.pem"), redirect="b"), Member("b")]) as farm:
        error = refused(farm.url("a") + "/a.json", trusted, accepted=("*",))
        assert error.state == "redirected_elsewhere" and "https to http" in error.reason
        assert farm.asked("b") == []


def test_a_bundle_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(ssl.SSLError):
        http.tls_context(str(tmp_path / "empty.pem"))
    with pytest.raises(OSError):
        http.tls_context(str(tmp_path / "missing.pem"))


def through(farm: Farm, login: str = "", no_proxy: str = "") -> http.Net:
    address = farm.url("proxy").replace("http://", f"http://{login}")
    return http.Net(proxy.read({"http": address, "https": address, "no_proxy": no_proxy}, {}))


def test_through_a_proxy(certificates: Path) -> None:
    members = [Member("s", cert=str(certificates / "server.pem")), Member("a"), Member("proxy", kind="proxy")]
    with Farm(members) as farm:
        net = through(farm)
        net.context = http.tls_context(str(certificates / "ca.pem"))
        assert fetch(farm.url("a") + "/a.json", net).ended == "whole"
        assert fetch(farm.url("s") + "/a.json", net).ended == "whole"
        place = farm.url("s").partition("//")[2]
        assert farm.asked("proxy") == [f"GET {farm.url('a')}/a.json", f"CONNECT {place}"]
        assert fetch(farm.url("a") + "/a.json", through(farm, no_proxy="127.0.0.0/8")).ended == "whole"
        assert len(farm.asked("proxy")) == 2


def test_a_proxy_with_a_password_that_nobody_sees(certificates: Path) -> None:
    members = [Member("s", cert=str(certificates / "server.pem")), Member("a")]
    members.append(Member("proxy", kind="proxy", user="alice", password="hunter2!"))
    with Farm(members) as farm:
        assert fetch(farm.url("a") + "/a.json", through(farm, "alice:hunter2%21@")).status == 200
        assert fetch(farm.url("a") + "/a.json", through(farm, "alice:wrong@")).status == 407
        error = refused(farm.url("s") + "/a.json", through(farm, "alice:wrong@"))
        assert (error.state, error.down) == ("error", True) and "answered 407" in error.reason
    with Farm([Member("proxy", kind="dead"), Member("a")]) as farm:
        error = refused(farm.url("a") + "/a.json", through(farm, "alice:hunter2%21@"))
        assert error.state == "unreachable" and "through the proxy 127.0.0.2:" in error.reason
        assert "alice" not in error.reason and "hunter2" not in error.reason


@pytest.mark.parametrize("settings", [{"kind": "black_hole"}, {"drip_head": 0.05}], ids=str)
def test_a_silent_proxy_ends_with_the_clock(settings: dict[str, Any]) -> None:
    with Farm([Member("proxy", **settings)]) as farm:
        for scheme in ("http", "https"):
            began = time.monotonic()
            assert refused(f"{scheme}://a.example.org/", through(farm), seconds=0.3).state in ("timeout", "error")
            assert time.monotonic() - began < 0.6


def test_reasons_are_one_short_line_without_credentials() -> None:
    text = http.one_line("a\x1b[31m\n\tb http://user:secret@x.example.org/t?token=abc " + "c" * 300)
    assert len(text) == 120 and text.startswith("a [31m b http://***@x.example.org/t?token=*** ")


@pytest.mark.parametrize(
    ("here", "there", "accepted", "may"),
    [
        ("a.example.org", "a.example.org", (), True),
        ("a.example.org", "v4.a.example.org", (), True),
        ("v4.a.example.org", "a.example.org", (), True),
        ("a.example.org", "b.example.org", (), False),
        ("a.example.org", "ba.example.org", (), False),
        ("a.example.org", "b.example.org", ("b.example.org",), True),
        ("a.example.org", "b.edu.cn", (".edu.cn",), True),
        ("a.example.org", "b.edu.cn", ("*.edu.cn",), True),
        ("a.example.org", "xedu.cn", (".edu.cn",), False),
        ("a.example.org", "b.edu.cn", ("edu.cn",), False),
        ("a.example.org", "anything", ("*",), True),
    ],
)
def test_which_redirects_stay_with_the_site(here: str, there: str, accepted: tuple[str, ...], may: bool) -> None:
    assert http.may_follow(here, there, accepted) is may
