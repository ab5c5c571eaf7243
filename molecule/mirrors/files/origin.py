# SPDX-License-Identifier: GPL-3.0-or-later
"""A public site: origin.py ADDRESS PORT FOLDER serves a folder, and what git-lfs asks of it.

git-lfs: the batch API (git-lfs, docs/api/batch.md), downloads only; the objects lie in FOLDER/lfs. Each request is one
line of output, with `proxied` at its end where a proxy has handed it on.
"""

from __future__ import annotations

import http.server
import json
import sys
from functools import partial

ADDRESS, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BATCH = "/info/lfs/objects/batch"


class Origin(http.server.SimpleHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.endswith(BATCH):
            self.send_error(404)
            return
        place = f"http://{self.headers['Host']}/lfs/"
        wanted = [{"oid": one["oid"], "size": one["size"]} for one in json.loads(body)["objects"]]
        objects = [{**one, "actions": {"download": {"href": place + one["oid"]}}} for one in wanted]
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.git-lfs+json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, form: str, *words: object) -> None:
        proxied = "proxied" if self.headers.get("Via") else "direct"
        print(self.command, self.path, proxied, flush=True)


handler = partial(Origin, directory=FOLDER)
http.server.ThreadingHTTPServer((ADDRESS, PORT), handler).serve_forever()
