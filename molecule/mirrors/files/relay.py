# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror on loopback with a real archive behind it: relay.py ADDRESS PORT PREFIX UPSTREAM [FAULT [VALUE]]

What lies below PREFIX is fetched from UPSTREAM and handed on; each request is one line of output. Faults: `slow
SECONDS` before each part of 32 KiB, `dies COUNT` ends the program after so many answers, `forbidden` and `portal`
answer with a page.
"""

from __future__ import annotations

import http.server
import io
import os
import sys
import time
import urllib.error
import urllib.request
from typing import IO

ADDRESS, PORT, PREFIX, UPSTREAM = sys.argv[1], int(sys.argv[2]), sys.argv[3].rstrip("/"), sys.argv[4].rstrip("/")
FAULT, VALUE = (*sys.argv[5:], "", "")[:2]
PASSED = ("Content-Type", "Content-Length", "Content-Range", "Last-Modified", "ETag")
ASKED = ("Accept", "Range", "If-Modified-Since", "User-Agent")
answers = 0


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        global answers
        answers += 1
        if FAULT == "dies" and answers > int(VALUE):
            os._exit(0)
        if FAULT in ("forbidden", "portal"):
            page = b"<html>log in</html>\n"
            status = 403 if FAULT == "forbidden" else 200
            self.reply(status, {"Content-Type": "text/html", "Content-Length": str(len(page))}, io.BytesIO(page))
            return
        wanted = {name: self.headers[name] for name in ASKED if self.headers[name]}
        request = urllib.request.Request(UPSTREAM + self.path[len(PREFIX) :], headers=wanted, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                headers = {name: answer.headers[name] for name in PASSED if answer.headers[name]}
                self.reply(answer.status, headers, answer)
        except urllib.error.HTTPError as error:
            self.reply(error.code, {"Content-Length": "0"}, io.BytesIO())

    def do_HEAD(self) -> None:
        self.do_GET()

    def reply(self, status: int, headers: dict[str, str], body: IO[bytes]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.close_connection = True
        self.end_headers()
        while self.command == "GET" and (part := body.read(32768)):
            if FAULT == "slow":
                time.sleep(float(VALUE))
            self.wfile.write(part)

    def log_message(self, form: str, *words: object) -> None:
        print(self.command, self.path, words[1] if len(words) > 1 else "", flush=True)


http.server.ThreadingHTTPServer((ADDRESS, PORT), Relay).serve_forever()
