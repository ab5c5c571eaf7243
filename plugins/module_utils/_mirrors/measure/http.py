# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request at a time: at most so many bytes and seconds, no retries, redirects judged before they are followed.

Whatever a server does ends as an Answer or as a FetchError with one of the states of the memory.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import wire
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import host_of
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.proxy import Proxies, Proxy
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.wire import Clock, Wire
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

USER_AGENT = "gpuready/0.1 (mirror measurement; small samples, one request at a time)"
REASON_LENGTH = 120
_REDIRECTS = (301, 302, 303, 307, 308)
_HOPS = 4
_ERROR_BODY = 2048
_HEADERS_SIZE = 256
_QUOTED = 16384
_CHUNK = 65536
_CONNECT_ANSWER = 8192


class FetchError(Exception):
    """No usable answer; `state` as in the memory, the text says why. `down`: the host itself, not this one file."""

    def __init__(self, state: str, reason: str, down: bool = False) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
        self.down = down


@dataclass(frozen=True)
class Answer:
    """What came. `ended`: whole, cap (as much as we wanted), time, broken (less than was promised).

    seconds: from the start, resolving and connecting included. flow: from sending the last request to the last byte.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    ended: str
    seconds: float
    flow: float

    @property
    def rate(self) -> float:
        """Bytes a second; the headers count for an answer that has hardly a body."""
        return max(len(self.body), _HEADERS_SIZE) / max(self.flow, 0.001)


@dataclass(frozen=True)
class Question:
    """What is asked of any address. cap: bytes that are read at most; ranged: also say so to the server."""

    method: str = "GET"
    cap: int = 16384
    ranged: bool = False
    accept: str = "*/*"
    accepted: tuple[str, ...] = ()

    def headers(self) -> dict[str, str]:
        said = {"User-Agent": USER_AGENT, "Accept": self.accept, "Accept-Encoding": "identity"}
        return {**said, "Range": f"bytes=0-{self.cap - 1}"} if self.ranged else said


@dataclass(frozen=True)
class _Try:
    url: str
    question: Question
    clock: Clock
    began: float


@dataclass
class Net:
    """What all requests of a measurement share: the way out, and who is being asked just now."""

    proxies: Proxies = field(default_factory=Proxies)
    context: ssl.SSLContext | None = None
    requests: dict[str, int] = field(default_factory=dict)
    resolver: wire.Resolver = field(default_factory=wire.Resolver)
    _turns: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def turn(self, host: str, clock: Clock) -> Iterator[None]:
        """Wait until nobody else asks this host, also not by way of a redirect."""
        with self._guard:
            lock = self._turns.setdefault(host, threading.Lock())
        if not lock.acquire(timeout=clock.left()):
            raise wire.TimeIsUpError("the host was busy with another question")
        try:
            with self._guard:
                self.requests[host] = self.requests.get(host, 0) + 1
            yield
        finally:
            lock.release()

    def way_to(self, url: str) -> tuple[str, int]:
        """Host and port that are connected to: those of the proxy, or of the address."""
        way = self.proxies.of(url)
        return (way.host, way.port) if way else (urlsplit(url).hostname or "", port_of(url))

    def tls(self) -> ssl.SSLContext:
        with self._guard:
            if self.context is None:
                self.context = tls_context("")
            return self.context


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """The system's authorities and those of the bundle; OSError or ssl.SSLError where the bundle cannot be read."""
    context = ssl.create_default_context()
    if ca_bundle:
        context.load_verify_locations(ca_bundle)
    # Python 3.13 refuses authorities without key usage, which apt, curl and pip take
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def port_of(url: str) -> int:
    return urlsplit(url).port or (443 if url.startswith("https:") else 80)


def one_line(text: str) -> str:
    """At most 120 characters without credentials and control characters."""
    line = " ".join("".join(one if one.isprintable() else " " for one in str(mask(text))).split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 3] + "..."


def may_follow(here: str, there: str, accepted: tuple[str, ...]) -> bool:
    """Whether a redirect stays with the site: its own host, one below or above it, or one that is accepted."""
    if here == there or here.endswith("." + there) or there.endswith("." + here):
        return True
    return any(
        name in ("*", there) or (name.startswith((".", "*.")) and there.endswith(name.lstrip("*"))) for name in accepted
    )


class _Connection(http.client.HTTPConnection):
    """http.client's side of a request; the socket is always given."""

    auto_open = 0


class Session:
    """Requests of one thread. The connection to the last host is kept for the next request."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self._kept: tuple[tuple[str, str, int], _Connection, Wire] | None = None

    def close(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept[2].kill()
            self._kept = None

    def fetch(self, url: str, question: Question, clock: Clock) -> Answer:
        """Ask once, and where a redirect leads that may be followed."""
        attempt = _Try(url, question, clock, time.monotonic())
        for hop in range(_HOPS):
            try:
                answer = self._guarded(attempt)
            except FetchError as error:
                # what a redirect led to says nothing about the host that was asked
                error.down = error.down and hop == 0
                raise
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            attempt = replace(attempt, url=self._next(attempt.url, location, question.accepted))
        raise FetchError("error", f"redirects {_HOPS} times and more, at last to {host_of(attempt.url)}")

    def _next(self, url: str, location: str, accepted: tuple[str, ...]) -> str:
        target = urldefrag(urljoin(url, quote(location.strip(), safe="%/:=&?~#+!$,;'@()*[]")))[0]
        try:
            scheme, there = urlsplit(target).scheme, host_of(target)
            bool(urlsplit(target).port)
        except ValueError:
            scheme, there = "", ""
        if scheme not in ("http", "https") or not there:
            raise FetchError("redirected_elsewhere", one_line(f"redirects to {location}, which is no web address"))
        if url.startswith("https:") and scheme == "http":
            raise FetchError("redirected_elsewhere", f"redirects from https to http at {there}, which is refused")
        if not may_follow(host_of(url), there, accepted):
            raise FetchError("redirected_elsewhere", f"redirects to {there}, and that answer counts for {there} only")
        return target

    def _guarded(self, attempt: _Try) -> Answer:
        host = host_of(attempt.url)
        try:
            with self.net.turn(host, attempt.clock):
                return self._once(attempt)
        except FetchError:
            self.close()
            raise
        except (wire.TimeIsUpError, socket.timeout, TimeoutError) as error:
            self.close()
            waited = time.monotonic() - attempt.began
            raise FetchError("timeout", f"{host} gave no answer in {waited:.1f} s", True) from error
        except ssl.SSLError as error:
            self.close()
            why = getattr(error, "verify_message", "") or error.reason or str(error)
            raise FetchError("bad_tls", one_line(f"{host}: {why}"), True) from error
        except http.client.HTTPException as error:
            self.close()
            what = "closed the connection" if isinstance(error, http.client.RemoteDisconnected) else "sent no HTTP"
            raise FetchError("error", f"{host} {what} in place of an answer") from error
        except (OSError, ValueError) as error:
            self.close()
            way = self.net.proxies.of(attempt.url)
            via = f" (through the proxy {way.host}:{way.port})" if way else ""
            why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            raise FetchError("unreachable", one_line(self.net.proxies.hide(f"{host}: {why}{via}")), True) from error

    def _once(self, attempt: _Try) -> Answer:
        url, question = attempt.url, attempt.question
        connection, line, used = self._open(url, attempt.clock)
        sent = time.monotonic()
        try:
            response = self._ask(connection, line, attempt)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if not used:
                raise
            # a kept connection may have been closed by the server meanwhile: that was no answer to this question
            self.close()
            connection, line, used = self._open(url, attempt.clock)
            sent = time.monotonic()
            response = self._ask(connection, line, attempt)
        wanted = question.cap if response.status in (200, 206) else min(question.cap, _ERROR_BODY)
        body, ended = _body(response, wanted, question.method)
        now = time.monotonic()
        # only its head is ever quoted
        body = self.net.proxies.hide_bytes(body[:_QUOTED]) + body[_QUOTED:]
        found = {name.lower(): value for name, value in response.getheaders()}
        if ended != "whole" or response.will_close:
            self.close()
        return Answer(url, response.status, found, body, ended, now - attempt.began, now - sent)

    def _ask(self, connection: _Connection, line: str, attempt: _Try) -> http.client.HTTPResponse:
        way, headers = self.net.proxies.of(attempt.url), attempt.question.headers()
        if way is not None and attempt.url.startswith("http:") and way.authorization:
            headers["Proxy-Authorization"] = way.authorization
        connection.request(attempt.question.method, line, headers=headers)
        return connection.getresponse()

    def _open(self, url: str, clock: Clock) -> tuple[_Connection, str, bool]:
        """A connection, what stands in the request's first line, and whether the connection was used before."""
        parts = urlsplit(url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        place = (parts.scheme, host, port_of(url))
        way = self.net.proxies.of(url)
        line = url if way is not None and not tls else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self._kept is not None and self._kept[0] == place and self._kept[1].sock is not None:
            self._kept[2].clock = clock
            return self._kept[1], line, True
        self.close()
        link = wire.connect(*(self.net.way_to(url)), clock, self.net.resolver)
        try:
            if way is not None and tls:
                _tunnel(link, way, host, place[2])
            if tls:
                link.start_tls(self.net.tls(), host)
        except BaseException:
            link.kill()
            raise
        connection = _Connection(host, place[2])
        connection.default_port = 443 if tls else 80
        connection.sock = link
        self._kept = (place, connection, link)
        return connection, line, False


def _tunnel(link: Wire, way: Proxy, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    head = f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: {USER_AGENT}\r\n"
    login = f"Proxy-Authorization: {way.authorization}\r\n" if way.authorization else ""
    link.sendall(f"{head}{login}\r\n".encode("ascii"))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        link.sock.settimeout(link.clock.left())
        # byte by byte: what follows the empty line belongs to TLS
        part = link.sock.recv(1)
        answer += part
        if not part or len(answer) > _CONNECT_ANSWER:
            raise FetchError("error", f"the proxy {way.host}:{way.port} closed the connection", True)
    words = answer.split(b"\r\n", 1)[0].decode("ascii", "replace").split()
    if len(words) < 2 or words[1] != "200":
        code = words[1] if len(words) > 1 else "nothing"
        raise FetchError("error", f"the proxy {way.host}:{way.port} answered {code} and gave no way to {host}", True)


def _body(response: http.client.HTTPResponse, cap: int, method: str) -> tuple[bytes, str]:
    """At most `cap` bytes. The end of the time is no error here: what came until then counts for a sample."""
    if method == "HEAD":
        response.read()
        return b"", "whole"
    parts: list[bytes] = []
    size = 0
    promised = response.length
    try:
        while size < cap:
            part = response.read1(min(_CHUNK, cap - size))
            if not part:
                break
            parts.append(part)
            size += len(part)
    except (wire.TimeIsUpError, socket.timeout, TimeoutError):
        return b"".join(parts), "time"
    except (http.client.HTTPException, OSError, ValueError):
        return b"".join(parts), "broken"
    if promised is not None:
        ended = "whole" if size >= promised else "cap" if size >= cap else "broken"
    else:
        # the end of a body without a length shows only at the next read
        ended = "whole" if size < cap else "cap"
    return b"".join(parts), ended
