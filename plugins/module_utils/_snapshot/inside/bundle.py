# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe as one script: the parts in this folder joined, for `python3 -c` inside a container.

The parts are ordinary modules, so that they can be checked and tested. A container's Python may be as old as 3.6:
annotations, docstrings and the imports between the parts are taken out.
"""

from __future__ import annotations

import ast
import functools
import inspect
import threading
from types import ModuleType
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import (
    access,
    envs,
    limits,
    login,
    look,
    passwords,
    places,
    tools,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import sshd_config, torch_files

PARTS: tuple[ModuleType, ...] = (tools, sshd_config, torch_files, envs, limits, passwords, places, access, login, look)
_OWN = ("ansible_collections.", "__future__", "typing")
# several containers are looked into at once, and reading sources is not made for threads: one of them found none
_ONE_AT_A_TIME = threading.Lock()


class _Plain(ast.NodeTransformer):
    """Takes out what Python 3.6 does not know and what a container does not have."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        return None if str(node.module).startswith(_OWN) else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.generic_visit(node)
        node.returns = None
        if len(node.body) > 1 and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node


def plain(source: str) -> str:
    """Return the code of one part without annotations and without imports of other parts."""
    tree = _Plain().visit(ast.parse(source))
    tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return ast.unparse(ast.fix_missing_locations(tree))


def script() -> str:
    """Return the whole script, about 25 KB; an argument of a program may have 128 KiB (execve(2))."""
    with _ONE_AT_A_TIME:
        return _joined()


@functools.lru_cache(maxsize=1)
def _joined() -> str:
    return "\n".join([*(plain(inspect.getsource(part)) for part in PARTS), "main()"])
