# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of our own for conda and mamba: channels, where they are fetched, the proxy.

Facts (conda 26, conda/base/constants.py SEARCH_PATH and base/context.py; what conda itself says of the file is in
tests/fixtures/mirrors/conda_config.json):
- conda reads /etc/conda/.condarc, /etc/conda/condarc, /etc/conda/condarc.d/*.yml, then /var/lib/conda, the folder of
  the installation ($CONDA_ROOT/.condarc), $XDG_CONFIG_HOME/conda, ~/.conda, ~/.condarc, the environment
  ($CONDA_PREFIX/.condarc), $CONDARC. What comes later wins; lists and maps are merged, later ones first. mamba 2 reads
  the same places, but takes each map whole, from the last file that has it (2.8.1, api/configuration_impl.hpp).
- `defaults` is asked when a file names it, as Miniconda's own $CONDA_ROOT/.condarc does; older condas ask it also when
  no file names a channel (26.7 asks nobody then; conda's documentation announced that for 25.3).
- `nodefaults` means something in an environment.yml only. In a condarc conda and mamba take it for the name of a
  channel and ask the server for it (mamba issues 3841, 4028), so it is not written.
- custom_channels holds the address above the channel, to which its name is added; mirrored_channels holds whole
  addresses and is understood by mamba 2 only; conda ignores a key that it does not know.
- mamba asks the channels of mirrored_channels always, and before all others (api/channel_loader.cpp; its pull request
  4395). Miniforge writes that key into $CONDA_ROOT/.condarc since 2025-09, so that its mamba passes over ours.
- Anaconda's own channels need a licence in larger organisations, so they are only written on an explicit wish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PATH = "/etc/conda/condarc.d/10-gpuready.yml"
MODE = 0o644  # every user's conda reads it
OWN = True
HEAD = "# Written by gpuready; conda merges it with the user's own condarc, which wins\n"


class CondaError(ValueError):
    """A wish cannot be written for conda."""


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The whole file, whatever it held; empty without a wish.

    Wish: channels {name: address above it}, mirrored {name: [addresses]}, anaconda {default_channels: [addresses]},
    proxy_servers {http, https}, ssl_verify (a file with certificates).
    """
    data = _data(wish)
    return HEAD + "".join(_lines(data, 0)) if data else ""


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The file is ours alone, so what was there before comes back."""
    return original


def _data(wish: Mapping[str, Any]) -> dict[str, Any]:
    custom, mirrored = dict(wish.get("channels") or {}), dict(wish.get("mirrored") or {})
    default = list((wish.get("anaconda") or {}).get("default_channels") or [])
    names = list(dict.fromkeys([*custom, *mirrored]))
    data: dict[str, Any] = {}
    if names or default:
        # conda-forge first: with strict priority the first channel that has a package is the only one asked for it
        names.sort(key=lambda name: name != "conda-forge")
        data["channels"] = [*names, *(["defaults"] if default else [])]
        data["channel_priority"] = "strict"
        data["show_channel_urls"] = True
    data["default_channels"] = default
    data["custom_channels"] = {name: str(url).rstrip("/") for name, url in custom.items()}
    data["mirrored_channels"] = mirrored
    data["proxy_servers"] = {key: value for key, value in (wish.get("proxy_servers") or {}).items() if value}
    data["ssl_verify"] = wish.get("ssl_verify") or ""
    return {key: value for key, value in data.items() if value not in ("", [], {})}


def _lines(data: Mapping[str, Any], depth: int) -> list[str]:
    indent, found = "  " * depth, []
    for key, value in data.items():
        if isinstance(value, Mapping):
            found += [f"{indent}{_key(key)}:\n", *_lines(value, depth + 1)]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            found += [f"{indent}{_key(key)}:\n", *(f"{indent}  - {_scalar(entry)}\n" for entry in value)]
        else:
            found.append(f"{indent}{_key(key)}: {_scalar(value)}\n")
    return found


def _key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() and key.lower() not in _WORDS else _scalar(key)


# what YAML 1.1 reads as a truth value or null
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _scalar(value: Any) -> str:
    """A value on one line; texts in double quotes, so that none is taken for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not text.isprintable():
        raise CondaError(f"{text!r} holds a line feed or another control character")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
