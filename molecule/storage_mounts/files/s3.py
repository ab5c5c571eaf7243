# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an S3 service: one bucket in memory, enough for s3fs. Signatures are only looked for, not checked.

The answers are those of Amazon's S3 API reference: HeadObject, GetObject, PutObject, DeleteObject, ListObjects(V2).
"""

from __future__ import annotations

import hashlib
import sys
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

OBJECTS: dict[str, tuple[bytes, dict[str, str]]] = {}
ACCESS_KEY = sys.argv[2]


class S3(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self) -> bool:
        if f"Credential={ACCESS_KEY}/" in self.headers.get("Authorization", ""):
            return False
        self.answer(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
        return True

    def key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def do_GET(self) -> None:
        if self.refused():
            return
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if not self.key():
            self.listing(query.get("prefix", ""), query.get("delimiter", ""))
        elif self.key() in OBJECTS:
            body, kept = OBJECTS[self.key()]
            span = self.headers.get("Range", "")
            if span and self.command == "GET":
                first, _dash, last = span.partition("=")[2].partition("-")
                body = body[int(first) : int(last or len(body)) + 1]
            self.answer(206 if span else 200, body, Last_Modified=formatdate(usegmt=True), **kept)
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

    def listing(self, prefix: str, delimiter: str) -> None:
        rows, folders = "", set()
        for name, (body, _kept) in sorted(OBJECTS.items()):
            rest = name[len(prefix) :]
            if not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest.rstrip():
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                rows += f"<Contents><Key>{escape(name)}</Key><Size>{len(body)}</Size></Contents>"
        rows += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        self.answer(200, f'<?xml version="1.0"?>{text}'.encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.refused():
            return
        kept = {k: v for k, v in self.headers.items() if k.lower().startswith("x-amz-meta") or k == "Content-Type"}
        kept["ETag"] = f'"{hashlib.md5(body).hexdigest()}"'
        OBJECTS[self.key()] = (body, kept)
        self.answer(200, b"", ETag=kept["ETag"])

    def do_DELETE(self) -> None:
        if not self.refused():
            OBJECTS.pop(self.key(), None)
            self.answer(204)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), S3).serve_forever()
