# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm of mirrors on the loopback: good ones, and one for each way in which a mirror can be bad.

In tests: `with Farm([Member("a"), Member("b", status=403)]) as farm: farm.url("a")`.

As a program, for a host of a Molecule scenario: `python3 farm.py --config farm.json --ready /run/farm.json`. The
configuration is {"members": [{"name": "a", "host": "127.0.0.2", "port": 8001, "folder": "/srv/mirror", ...}]} with the
fields of Member, the ready file gets {"a": "http://127.0.0.2:8001"}, and with --log FILE each request is a line there.
Needs only Python's standard library.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import select
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

PIECE = 4096
PORTAL = (
    "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please <a href='/login'>log in</a></body></html>\n"
)
BLOCKED = "<html><body><h1>Access from your network is blocked, id 4711</h1><p>more</p></body></html>\n"


@dataclass
class Member:
    """One server. Without settings it is a good and fast mirror of any path. Speeds: bytes a second, times: seconds."""

    name: str
    host: str = ""  # 127.0.0.2 and upwards by default
    port: int = 0
    kind: str = "serve"  # or dead, black_hole, proxy
    rate: int = 0  # of a body; 0: as fast as it goes
    large_rate: int = 0  # the same, of bodies above 20 kB only
    drip: float = 0  # seconds between single bytes of a body
    drip_head: float = 0  # the same from the first byte of the answer
    delay: float = 0  # before an answer
    age_hours: float = 0  # of the InRelease
    valid_hours: float = 0  # its Valid-Until, counted from its Date; 0: none
    status: int = 0  # for every path
    page: str = ""  # with status, or in place of every file
    bad_paths: dict[str, int] = field(default_factory=dict)  # status by part of the path
    redirect: str = ""  # name of a member, or an address; the path is kept
    cut: int = 0  # close a longer body after so many bytes
    architectures: Sequence[str] = ("all", "amd64", "arm64", "i386")
    close: bool = False  # the connection after each answer, and no length: the end is the end
    listed: bool = True  # the InRelease names package lists
    size: int = 300_000  # of a large file
    folder: str = ""  # serve files below it in place of made-up ones
    cert: str = ""  # https: certificate and key in one PEM file
    user: str = ""  # of a proxy
    password: str = ""


def reset(sock: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    try:
        return bool(select.select([sock], [], [], 0)[0]) and sock.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


class Tally:
    """Who asked what, and how many requests were being answered at the same time."""

    def __init__(self, log: str = "") -> None:
        self.requests: list[dict[str, Any]] = []
        self.most = 0
        self.log = log
        self._open: dict[int, socket.socket] = {}
        self._guard = threading.Lock()

    def begin(self, number: int, sock: socket.socket, entry: dict[str, Any]) -> None:
        with self._guard:
            # a client that has gone away waits for nothing any more
            self._open = {key: other for key, other in self._open.items() if key != number and not reset(other)}
            self._open[number] = sock
            self.most = max(self.most, len(self._open))
            self.requests.append(entry)
            if self.log:
                with open(self.log, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps(entry) + "\n")

    def end(self, number: int) -> None:
        with self._guard:
            self._open.pop(number, None)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, member: Member, farm: Farm, tally: Tally) -> None:
        self.member, self.farm, self.tally = member, farm, tally
        super().__init__((member.host, member.port), _ProxyHandler if member.kind == "proxy" else _Handler)
        if member.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(member.cert)
            # the handshake belongs to the thread of the connection
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closes early is what these servers are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _note(self) -> None:
        entry = {
            "member": self.server.member.name,
            "method": self.command,
            "path": self.path,
            "agent": self.headers.get("User-Agent", ""),
            "time": time.time(),
        }
        self.server.tally.begin(id(self), self.connection, entry)

    def _answer(self) -> None:
        self._note()
        try:
            member = self.server.member
            time.sleep(member.delay)
            status, kind, body, extra = self._content(member)
            if self.command == "GET" and status == 200 and "Range" in self.headers:
                status, body, extra = self._range(body, extra)
            self._send(member, status, kind, body, extra)
        finally:
            self.server.tally.end(id(self))

    def _content(self, member: Member) -> tuple[int, str, bytes, dict[str, str]]:
        path = urlsplit(self.path).path
        bad = next((code for part, code in member.bad_paths.items() if part in path), member.status)
        if bad:
            return bad, "text/html", (member.page or f"status {bad}\n").encode(), {}
        if member.redirect:
            target = self.server.farm.urls.get(member.redirect, member.redirect).rstrip("/")
            return 302, "text/html", b"moved\n", {"Location": target + self.path}
        if member.page:
            return 200, "text/html; charset=utf-8", member.page.encode(), {}
        return self._file(member, path) if member.folder else made_up(member, path)

    def _file(self, member: Member, path: str) -> tuple[int, str, bytes, dict[str, str]]:
        full = os.path.realpath(os.path.join(member.folder, unquote(path).lstrip("/")))
        if not full.startswith(os.path.realpath(member.folder) + os.sep) or not os.path.isfile(full):
            return 404, "text/plain", b"not here\n", {}
        with open(full, "rb") as stream:
            body = stream.read()
        return 200, "application/octet-stream", body, {"Last-Modified": formatdate(os.path.getmtime(full), usegmt=True)}

    def _range(self, body: bytes, extra: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        first, _dash, last = self.headers["Range"].partition("=")[2].partition("-")
        part = body[int(first or 0) : int(last or len(body)) + 1]
        return 206, part, {**extra, "Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"}

    def _send(self, member: Member, status: int, kind: str, body: bytes, extra: dict[str, str]) -> None:
        length = {"Connection": "close"} if member.close else {"Content-Length": str(len(body))}
        said = {"Content-Type": kind, **length, **extra}
        self.close_connection = self.close_connection or member.close
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in said.items()), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        shown = b"" if self.command == "HEAD" else body
        short = bool(member.cut) and len(shown) > member.cut
        shown = shown[: member.cut] if short else shown
        rate = member.large_rate if member.large_rate and len(body) > 20_000 else member.rate
        self._write(head if shown else head[:-1], drip=member.drip_head)
        self._write(shown[:-1], rate=rate, drip=member.drip or member.drip_head)
        # before the last byte: who has that may ask again at once, and must not be counted beside this answer
        self.server.tally.end(id(self))
        self._write((shown or head)[-1:])
        self.close_connection = self.close_connection or short

    def _write(self, data: bytes, rate: int = 0, drip: float = 0) -> None:
        # a small piece, so that a slow member is slow also within a second
        piece = 1 if drip else max(1, min(PIECE, rate // 50)) if rate else len(data) or 1
        began, sent = time.monotonic(), 0
        while sent < len(data):
            self.wfile.write(data[sent : sent + piece])
            self.wfile.flush()
            sent += piece
            wait = drip or (began + sent / rate - time.monotonic() if rate else 0)
            if wait > 0:
                time.sleep(wait)


def made_up(member: Member, path: str) -> tuple[int, str, bytes, dict[str, str]]:
    """Any file that a mirror may be asked for, by its name."""
    name = path.rpartition("/")[2]
    if name == "InRelease":
        return 200, "text/plain", inrelease(member).encode(), {}
    if path.endswith("/v2/"):
        return 401, "application/json", b'{"errors":[]}', {"WWW-Authenticate": 'Bearer realm="https://x.example.org"'}
    if "/simple/" in path and path.endswith("/"):
        project = path.rstrip("/").rpartition("/")[2]
        return (
            200,
            "text/html",
            f'<html><a href="../../{project}-1.0-py3-none-any.whl">{project}</a></html>'.encode(),
            {},
        )
    if path.endswith("/"):
        return 200, "text/html", b'<html><a href="torch-2.0-cp311-cp311-linux_x86_64.whl">torch</a></html>', {}
    if name == "repodata.json":
        modified = formatdate(time.time() - member.age_hours * 3600, usegmt=True)
        return 200, "application/json", b'{"info":{"subdir":"noarch"},"packages":{}}', {"Last-Modified": modified}
    if name == "repomd.xml":
        revision = int(time.time() - member.age_hours * 3600)
        return 200, "text/xml", f"<?xml version='1.0'?>\n<repomd><revision>{revision}</revision></repomd>".encode(), {}
    if name.endswith(".json"):
        return 200, "application/json", b'{"a":[1,2,3]}', {}
    if "/binary-" in path and path.split("/binary-")[1].partition("/")[0] not in member.architectures:
        return 404, "text/plain", b"no such architecture\n", {}
    return 200, "application/octet-stream", bytes(range(256)) * (member.size // 256 + 1), {}


def inrelease(member: Member) -> str:
    date = time.time() - member.age_hours * 3600
    lines = [
        "-----BEGIN PGP SIGNED MESSAGE-----",
        "Hash: SHA512",
        "",
        "Origin: Farm",
        "Suite: stable-updates",
        f"Date: {formatdate(date, usegmt=True)}",
    ]
    if member.valid_hours:
        lines.append(f"Valid-Until: {formatdate(date + member.valid_hours * 3600, usegmt=True)}")
    lines += [f"Architectures: {' '.join(member.architectures)}", "Components: main", "SHA256:"]
    if member.listed:
        # like Ubuntu's ports: more is named than is there
        names = dict.fromkeys([*member.architectures, "amd64", "arm64"])
        lines += [f" {'0' * 64} 1234 main/binary-{name}/Packages.xz" for name in names if name != "all"]
    lines += [f" {'0' * 64} 1234 main/i18n/Translation-{number:03d}" for number in range(300)]
    return "\n".join([*lines, "-----BEGIN PGP SIGNATURE-----", "", "-----END PGP SIGNATURE-----", ""])


class _ProxyHandler(_Handler):
    """Forwards http requests and CONNECT, with a password if the member has one."""

    def do_CONNECT(self) -> None:
        if not self._allowed():
            return
        host, _colon, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), 5) as there:
            self.wfile.write(b"HTTP/1.1 200 yes\r\n\r\n")
            pair = {self.connection: there, there: self.connection}
            while True:
                for sock in select.select(list(pair), [], [], 10)[0]:
                    data = sock.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pair[sock].sendall(data)

    def _allowed(self) -> bool:
        self._note()
        self.server.tally.end(id(self))
        member = self.server.member
        login = base64.b64encode(f"{member.user}:{member.password}".encode()).decode()
        if not member.user or self.headers.get("Proxy-Authorization") == f"Basic {login}":
            return True
        self._send(member, 407, "text/plain", b"who are you?\n", {"Proxy-Authenticate": "Basic"})
        return False

    def _answer(self) -> None:
        if not self._allowed():
            return
        parts = urlsplit(self.path)
        there = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
        kept = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        there.request(self.command, parts.path, headers=kept)
        answer = there.getresponse()
        body = answer.read()
        extra = {name: value for name, value in answer.getheaders() if name.lower() != "content-length"}
        self._send(self.server.member, answer.status, answer.getheader("Content-Type") or "", body, extra)
        there.close()


class Farm:
    """Starts all members in threads of this process, on free ports unless they name one."""

    def __init__(self, members: Sequence[Member], log: str = "") -> None:
        self.members = {member.name: member for member in members}
        self.urls: dict[str, str] = {}
        self.tallies: dict[str, Tally] = {}
        self._log = log
        self._servers: list[_Server] = []
        self._holes: list[socket.socket] = []

    def __enter__(self) -> Farm:
        for number, member in enumerate(self.members.values(), 2):
            member.host = member.host or f"127.0.{number // 250}.{number % 250 or 250}"
            self.tallies[member.name] = Tally(self._log)
            port = self._start(member)
            self.urls[member.name] = f"{'https' if member.cert else 'http'}://{member.host}:{port}"
        return self

    def __exit__(self, *_exc: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for hole in self._holes:
            hole.close()

    def url(self, name: str) -> str:
        return self.urls[name]

    def asked(self, name: str) -> list[str]:
        return [f"{entry['method']} {entry['path']}" for entry in self.tallies[name].requests]

    def _start(self, member: Member) -> int:
        if member.kind in ("dead", "black_hole"):
            hole = socket.socket()
            hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            hole.bind((member.host, member.port))
            # without listen() a connection is refused, and nobody else gets the port; with it the kernel accepts for us
            if member.kind == "black_hole":
                hole.listen(64)
            self._holes.append(hole)
            return int(hole.getsockname()[1])
        server = _Server(member, self, self.tallies[member.name])
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return int(server.server_address[1])


def load(configuration: Mapping[str, Any]) -> list[Member]:
    known = {item.name for item in fields(Member)}
    members = []
    for entry in configuration["members"]:
        unknown = sorted(set(entry) - known)
        if unknown:
            raise SystemExit(f"farm: unknown field {unknown[0]}")
        members.append(Member(**entry))
    return members


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="mirrors on the loopback, good and bad")
    parser.add_argument("--config", required=True, help="JSON file with members")
    parser.add_argument("--ready", default="", help="file that gets the addresses; else they are printed")
    parser.add_argument("--log", default="", help="file that gets a line for each request")
    given = parser.parse_args(arguments)
    with open(given.config, encoding="utf-8") as stream:
        members = load(json.load(stream))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Farm(members, given.log) as farm:
        text = json.dumps(farm.urls) + "\n"
        if given.ready:
            with open(given.ready + ".new", "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(given.ready + ".new", given.ready)
        else:
            sys.stdout.write(text)
            sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
