# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a mirror site: /debian/* is redirected to the real archive, whose address stands in a file."""

from __future__ import annotations

import http.server
import sys
from pathlib import Path

PORT, ARCHIVE_FILE = int(sys.argv[1]), Path(sys.argv[2])
PREFIX = "/debian/"


class Redirect(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self.path.startswith(PREFIX):
            self.send_error(404)
            return
        self.send_response(302)
        self.send_header("Location", ARCHIVE_FILE.read_text().strip().rstrip("/") + "/" + self.path[len(PREFIX) :])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Redirect).serve_forever()
