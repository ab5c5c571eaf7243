# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell by JupyterLab's API, as a browser runs it: a kernel over REST, its channels over a websocket."""

from __future__ import annotations

_CELL = """
import json, sys, urllib.request, uuid
import websocket
token = open("@TOKEN@").read()
head = {"Authorization": "token " + token}
request = urllib.request.Request("http://127.0.0.1:@PORT@/api/kernels", data=b"{}", headers=head, method="POST")
kernel = json.load(urllib.request.urlopen(request))["id"]
socket = websocket.create_connection(
    f"ws://127.0.0.1:@PORT@/api/kernels/{kernel}/channels", header=["Authorization: token " + token], timeout=60)
number = uuid.uuid4().hex
code = "@CODE@"
socket.send(json.dumps({
    "header": {"msg_id": number, "msg_type": "execute_request", "username": "t", "session": number, "version": "5.3"},
    "parent_header": {}, "metadata": {}, "channel": "shell",
    "content": {
        "code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}}))
said, replied, idle = "", False, False
while not (replied and idle):
    message = json.loads(socket.recv())
    if message["parent_header"].get("msg_id") != number:
        continue
    if message["msg_type"] == "stream":
        said += message["content"]["text"]
    replied = replied or message["msg_type"] == "execute_reply"
    idle = idle or (message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")
socket.close()
urllib.request.urlopen(urllib.request.Request(
    f"http://127.0.0.1:@PORT@/api/kernels/{kernel}", headers=head, method="DELETE"))
print(said.strip())
"""


def cell(token_file: str, port: int, code: str) -> str:
    """A program for the environment's Python that runs one line of code in a new kernel, and prints what that prints.

    code: without double quotes and backslashes.
    """
    return _CELL.replace("@TOKEN@", token_file).replace("@PORT@", str(port)).replace("@CODE@", code)
