# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for code-server, where its releases are out of reach: its options, settings, login and health page."""

import argparse
import http.server
import pathlib
import urllib.parse


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--config")
    parser.add_argument("--user-data-dir")
    parser.add_argument("--extensions-dir")
    parser.add_argument("--install-extension")
    parser.add_argument("folder", nargs="?")
    return parser.parse_args()


def settings(path: str) -> dict[str, str]:
    """The lines of the file, which is YAML of the plainest kind."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return {name: value.strip(' "') for name, _colon, value in (line.partition(":") for line in lines)}


class Page(http.server.BaseHTTPRequestHandler):
    password = ""

    def answer(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_GET(self) -> None:
        inside = self.headers.get("Cookie") == "code-server-session=stand-in"
        if self.path == "/healthz" or inside or self.path == "/login":
            self.answer(200)
        else:
            self.answer(302, Location="./login")

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if urllib.parse.parse_qs(sent).get("password") == [self.password]:
            self.answer(302, Location="./", Set_Cookie="code-server-session=stand-in")
        else:
            self.answer(200)


def main() -> None:
    options = arguments()
    if options.version:
        print("stand-in")
    elif options.install_extension:
        (pathlib.Path(options.extensions_dir) / options.install_extension).mkdir(parents=True, exist_ok=True)
    else:
        found = settings(options.config)
        Page.password = found["password"]
        address, _colon, port = found["bind-addr"].rpartition(":")
        http.server.ThreadingHTTPServer((address, int(port)), Page).serve_forever()


if __name__ == "__main__":
    main()
