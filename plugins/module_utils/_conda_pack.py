# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A conda environment as one archive: packed by conda-pack, unpacked by its conda-unpack at another prefix.

conda-pack comes from the package index, by its sum, into a directory that goes again; the environment's own Python runs
it. What it refuses and how it is used: https://conda.github.io/conda-pack/ and `conda-pack --help` of 0.9.2.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_env as envs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner

# the wheel's sum, as PyPI has it. It names setuptools as needed and does not import it: hence no dependencies
LOCK = "conda-pack==0.9.2 --hash=sha256:437c1acadcdfe3d4f44233513eb116129cde3911088f72ae00871802c7943e47\n"
# -I: neither the user's directory nor PYTHON* of the session may decide what is packed
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from conda_pack.cli import main; main()"
# what docker cp brings belongs to root, and the container's user may not read it
FROM_FILE = 'exec "$@" < "$0"'
# in the environment: the sum of the archive that it was made from, or that it is not finished
MARK, UNFINISHED = ".gpuready-archive", "unpacking"
_WORDS_MAX = 900

RunCommand = Callable[..., "tuple[int, str, str]"]


class Job(NamedTuple):
    """Where it is done, with what, and for how long at most."""

    run_command: RunCommand
    place: envs.Place
    timeout: int

    def do(self, *argv: str) -> CommandResult:
        """Run a command where the environment is."""
        return Runner(self.run_command).run(self.place.command(*argv), timeout=self.timeout)

    def must(self, what: str, *argv: str, outside: bool = False) -> str:
        """Run a command that must succeed. outside: on the machine, and not in the container. Raises PlaceError."""
        where = self.place._replace(container="") if outside else self.place
        result = Runner(self.run_command).run(where.command(*argv), timeout=self.timeout)
        if result.status != "ok":
            raise envs.PlaceError(f"{what}: {words(result)}")
        return result.stdout


def words(result: CommandResult) -> str:
    """What a failed command said, in one line: conda-pack's own words, or the last line of a traceback."""
    said = result.stderr.strip() or result.stdout.strip() or str(result.error)
    _before, found, own = said.rpartition("CondaPackError: ")
    if not found and said.startswith("Traceback"):
        own = said.splitlines()[-1]
    text = " ".join((own or said).split()).rstrip(".")
    return text if len(text) <= _WORDS_MAX else f"{text[: _WORDS_MAX - 1]}…"


def sha256(path: str) -> str:
    """Raises PlaceError where there is no such file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(1024 * 1024):
                digest.update(chunk)
    except OSError as error:
        raise envs.PlaceError(f"{path} cannot be read ({error.strerror})") from error
    return digest.hexdigest()


@contextmanager
def scratch(job: Job) -> Iterator[str]:
    """A directory where the environment is. /var/tmp: /tmp is memory on many machines, and archives are gigabytes."""
    folder = job.must("there is no place for temporary files", "mktemp", "-d", "/var/tmp/gpuready.XXXXXX").strip()
    try:
        yield folder
    finally:
        job.do("rm", "-rf", folder)


def pack(job: Job, archive: str, uv: str, index_url: str) -> None:
    """Make the archive, a .tar.gz on the machine itself. Raises PlaceError."""
    place, part = job.place, f"{archive}.part"
    with scratch(job) as folder:
        wanted = ["--only-binary", ":all:", "--target", f"{folder}/tool"]
        rc, out, err = envs.install(job.run_command, place, uv, LOCK, wanted, index_url, job.timeout)
        if rc != 0:
            said = words(CommandResult("failed", rc, out, err, 0, None))
            raise envs.PlaceError(f"conda-pack could not be installed beside {place.words}: {said}")
        made = f"{folder}/env.tar.gz"
        options = ["--prefix", place.prefix, "--output", made, "--format", "tar.gz", "--n-threads", "-1", "--quiet"]
        program = [place.python, "-I", "-B", "-c", RUN, f"{folder}/tool"]
        job.must(f"conda-pack could not pack {place.words}", *program, *options)
        copy = [place.docker, "cp", f"{place.container}:{made}"] if place.container else ["cp", made]
        job.must(f"{archive} could not be written", *copy, part, outside=True)
    # it holds all that somebody left in the environment
    os.chmod(part, 0o600)
    os.replace(part, archive)


def made_from(job: Job) -> str:
    """The sum of the archive that the environment was made from; empty where there is none. Raises PlaceError."""
    prefix = job.place.prefix
    mark = job.do("cat", f"{prefix}/{MARK}")
    if mark.status == "ok":
        return mark.stdout.strip()
    listed = job.do("ls", "-A", prefix)
    if listed.status == "ok" and listed.stdout.strip():
        raise envs.PlaceError(
            f"{job.place.words} holds files of others; give a directory that is empty or not there as prefix"
        )
    return ""


def is_made(place: envs.Place, there: str, wanted: str) -> bool:
    """Whether the environment is that of the archive. there: what made_from() says. Raises PlaceError for another's."""
    if there not in ("", UNFINISHED, wanted):
        raise envs.PlaceError(
            f"{place.words} was made from another archive, and may hold more since; give another directory as prefix, "
            "or remove this one first"
        )
    return there == wanted


def unpack(job: Job, archive: str, digest: str) -> None:
    """Make the environment of an archive that lies on the machine itself. Raises PlaceError."""
    place, part = job.place, f"{job.place.prefix}.part"
    # what an interrupted run left
    job.must(f"{place.words} cannot be replaced", "rm", "-rf", part, place.prefix)
    job.must(f"{place.words} cannot be made", "mkdir", "-p", part)
    # tar itself refuses members that would lie elsewhere
    options = ["--extract", "--gzip", "--no-same-owner", "--file", "-", "--directory", part]
    tar = place.command("tar", *options, stdin=True)
    job.must(f"{archive} could not be unpacked", "sh", "-c", FROM_FILE, archive, *tar, outside=True)
    _note(job, f"{part}/{MARK}", UNFINISHED)
    job.must(f"{place.words} cannot be made", "mv", "-T", part, place.prefix)
    job.must("conda-unpack could not rewrite the prefix", place.python, "-B", f"{place.prefix}/bin/conda-unpack")
    _note(job, f"{place.prefix}/{MARK}", digest)


def _note(job: Job, path: str, text: str) -> None:
    argv = job.place.command("tee", path, stdin=True)
    rc, _out, err = job.run_command(argv, data=f"{text}\n", expand_user_and_vars=False)
    if rc != 0:
        raise envs.PlaceError(f"{path} could not be written: {err.strip()}")
