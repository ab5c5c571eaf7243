# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which stages of a dev environment are run: their files, their log, and one run at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_stages import (
    StageError,
    last_lines,
    without_secrets,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url

BLOCK = 1024 * 1024
# what is read of a script's output for its last lines, bytes
TAIL_BYTES = 64 * 1024
GRACE = 5  # seconds between TERM and KILL
# of the module's own environment: how this machine reaches others. All else is the stage's own.
PASSED_ON = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
)
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MEMORY = "/dev/shm"  # a file system in memory, where it is one


class ScriptError(Exception):
    """A script did not end well; the text is one or two sentences for the user."""

    def __init__(self, text: str, stage: str, output: str, log: str) -> None:
        super().__init__(text)
        self.stage, self.output, self.log = stage, output, log


class Workplace:
    """Below one folder: work/ (while a stage runs), downloads/ (until it has ended well), log/, lock, running.json."""

    def __init__(self, folder: str, secrets: Mapping[str, Any], timeout: int) -> None:
        self.folder = folder.rstrip("/")
        self.secrets = {name: str(value) for name, value in secrets.items()}
        self.timeout = timeout
        # a name of its own, so that the next run finds what a killed one has left
        self.memory = f"{MEMORY}/gpuready-stages-{hashlib.sha256(self.folder.encode()).hexdigest()[:16]}"
        for name in self.secrets:
            if "/" in name or name.startswith("."):
                raise StageError(f"{name!r} in secrets is not a plain file name")

    def path(self, *parts: str) -> str:
        return "/".join((self.folder, *parts))

    @staticmethod
    def missing(stages: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
        gone = {stage["name"]: [path for path in stage["creates"] if not os.path.exists(path)] for stage in stages}
        return {name: paths for name, paths in gone.items() if paths}

    # -- one at a time -----------------------------------------------------------------------------------------
    @contextmanager
    def locked(self) -> Iterator[None]:
        """Own the folder. Ends the script of a run that was killed, and removes what it left."""
        try:
            os.makedirs(self.folder, mode=0o755, exist_ok=True)
            lock = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StageError(f"the folder {self.folder} cannot be used: {error.strerror or error}") from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StageError(f"another run works in {self.folder}; wait until it has ended") from error
            self._end_orphan()
            self._sweep()
            yield
        finally:
            self._sweep()
            os.close(lock)

    def _end_orphan(self) -> None:
        """A module that was killed leaves its script at work: two of them in one environment would spoil it."""
        try:
            with open(self.path("running.json"), encoding="utf-8") as stream:
                found = json.load(stream)
            if started(int(found["pid"])) == found["started"]:
                end_group(int(found["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return

    def _sweep(self) -> None:
        for path in (self.path("work"), self.memory):
            if os.path.islink(path) or (os.path.exists(path) and os.lstat(path).st_uid != os.geteuid()):
                raise StageError(f"{path} belongs to somebody else; remove it")
            shutil.rmtree(path, ignore_errors=True)
        unlink(self.path("running.json"))

    # -- what a stage needs ------------------------------------------------------------------------------------
    def prepare(self, stage: Mapping[str, Any]) -> None:
        """Have what may be missing, before the first script runs. Raises StageError."""
        if not shutil.which("bash", path=SEARCH):
            raise StageError("bash is missing on this machine; install it")
        if stage["run_as"]:
            account(stage["run_as"], stage["name"])
        for item in stage["downloads"]:
            self._fetch(item)

    def _fetch(self, item: Mapping[str, str]) -> None:
        path = self.path("downloads", item["sha256"])
        if digest(path) == item["sha256"]:
            return
        # imported here: it costs a tenth of a second, and most runs download nothing
        from ansible.module_utils.urls import open_url

        os.makedirs(self.path("downloads"), mode=0o755, exist_ok=True)
        try:
            with (
                open_url(item["url"], timeout=60, http_agent="gpuready") as source,
                open(f"{path}.part", "wb") as target,
            ):
                shutil.copyfileobj(source, target, BLOCK)
        except Exception as error:  # open_url raises many kinds
            unlink(f"{path}.part")
            reason = redact_url(str(error))
            raise StageError(f"{item['name']} cannot be downloaded from {redact_url(item['url'])}: {reason}") from error
        found = digest(f"{path}.part")
        if found != item["sha256"]:
            unlink(f"{path}.part")
            raise StageError(
                f"{item['name']} from {redact_url(item['url'])} has sha256 {found} and not {item['sha256']}; "
                "the file or the given digest is wrong, and it was not used"
            )
        os.replace(f"{path}.part", path)

    def _lay_out(self, stage: Mapping[str, Any], owner: pwd.struct_passwd | None) -> dict[str, str]:
        """Write script, inputs, downloads and secrets; return the variables that name their folders."""
        work = self.path("work", stage["name"])
        places = {"DEV_INPUTS": f"{work}/inputs", "DEV_DOWNLOADS": f"{work}/downloads", "TMPDIR": f"{work}/tmp"}
        # ours alone: what a library on the way writes into TMPDIR is nobody else's to read
        make_folder(self.path("work"), 0o711, None)
        make_folder(work, 0o700, owner)
        for path in places.values():
            make_folder(path, 0o700, owner)
        places["DEV_SECRETS"] = self._secret_folder(work, owner)
        put(f"{work}/{stage['name']}.sh", stage["script"], 0o500, owner)
        for name, text in stage["inputs"].items():
            put(f"{places['DEV_INPUTS']}/{name}", str(text), 0o444, owner)
        for item in stage["downloads"]:
            target = f"{places['DEV_DOWNLOADS']}/{item['name']}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(self.path("downloads", item["sha256"]), target)
            give(target, 0o444, owner)
        for name, text in self.secrets.items():
            put(f"{places['DEV_SECRETS']}/{name}", text, 0o600, owner)
        return places

    def _secret_folder(self, work: str, owner: pwd.struct_passwd | None) -> str:
        path = self.memory if os.path.ismount(MEMORY) and os.access(MEMORY, os.W_OK) else f"{work}/secrets"
        shutil.rmtree(path, ignore_errors=True)
        make_folder(path, 0o700, owner)
        return path

    # -- running -----------------------------------------------------------------------------------------------
    def run(self, stage: Mapping[str, Any]) -> float:
        """Run the script of a stage; return seconds. Raises ScriptError where it does not end well."""
        name, began = stage["name"], time.monotonic()
        owner = account(stage["run_as"], name) if stage["run_as"] else None
        log = self.path("log", f"{name}.log")
        try:
            environment = self._environment(stage, self._lay_out(stage, owner), owner)
            how = self._wait(stage, environment, owner, log)
        except OSError as error:
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            raise ScriptError(f"The stage {name} could not be started: {what}.", name, "", log) from error
        finally:
            shutil.rmtree(self.memory, ignore_errors=True)
            shutil.rmtree(self.path("work", name), ignore_errors=True)
            hide(log, self.secrets.values())
        seconds = round(time.monotonic() - began, 1)
        if not how:
            gone = [path for path in stage["creates"] if not os.path.exists(path)]
            how = f"ended well but did not make {gone[0]}" if gone else ""
        if how:
            output = redact_url(last_lines(tail(log)))
            said = f"; its last lines:\n{output}\n" if output else " and said nothing. "
            text = f"The stage {name} {how} after {seconds:.0f} s{said}All it said is in {log}."
            raise ScriptError(text, name, output, log)
        for item in stage["downloads"]:
            unlink(self.path("downloads", item["sha256"]))
        return seconds

    def _environment(
        self, stage: Mapping[str, Any], places: Mapping[str, str], owner: pwd.struct_passwd | None
    ) -> dict[str, str]:
        own = pwd.getpwuid(os.geteuid()) if owner is None else owner
        found = {"PATH": SEARCH, "LC_ALL": "C.UTF-8", "HOME": own.pw_dir, "USER": own.pw_name, "LOGNAME": own.pw_name}
        for name in (*PASSED_ON, *(name.upper() for name in PASSED_ON)):
            if name in os.environ:
                found[name] = os.environ[name]
        return {**found, **places, **{name: str(value) for name, value in stage["env"].items()}}

    def _wait(
        self, stage: Mapping[str, Any], environment: dict[str, str], owner: pwd.struct_passwd | None, log: str
    ) -> str:
        """Run it to its end; return how it ended, empty for well."""
        script = self.path("work", stage["name"], f"{stage['name']}.sh")
        os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
        unlink(log)
        other: dict[str, Any] = {}
        if owner is not None and owner.pw_uid != os.geteuid():
            groups = os.getgrouplist(owner.pw_name, owner.pw_gid)
            other = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": groups}
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            # a session of its own: all that it starts can be ended together
            # pylint: disable-next=ansible-bad-function  # run_command can end neither a group of processes nor after a time
            process = subprocess.Popen(
                [str(shutil.which("bash", path=SEARCH)), script],
                cwd=self.path("work", stage["name"], "tmp"),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,
                **other,
            )
        finally:
            os.close(handle)
        try:
            running = json.dumps({"stage": stage["name"], "pid": process.pid, "started": started(process.pid)})
            put(self.path("running.json"), running, 0o600, None)
            return how_it_ended(process.wait(self.timeout))
        except subprocess.TimeoutExpired:
            return f"did not end within {self.timeout} s (timeout) and was ended"
        finally:
            if process.poll() != 0:
                end_group(process.pid)
            process.wait()
            unlink(self.path("running.json"))

    # -- the end -----------------------------------------------------------------------------------------------
    def remains(self) -> list[str]:
        """What is here of ours."""
        names = ("stamps.json", "downloads", "log", "work", "lock", "running.json")
        return [self.path(name) for name in names if os.path.lexists(self.path(name))]

    def clear(self) -> None:
        for name in ("downloads", "log", "work"):
            shutil.rmtree(self.path(name), ignore_errors=True)

    def leave(self) -> None:
        unlink(self.path("lock"))
        try:
            os.rmdir(self.folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise StageError(f"the folder {self.folder} cannot be removed: {error.strerror}") from error


# --- small things ---------------------------------------------------------------------------------------------------


def how_it_ended(rc: int) -> str:
    if rc == 0:
        return ""
    if rc == -signal.SIGKILL:
        return "was killed by SIGKILL (by somebody, or because memory ran out)"
    if rc < 0:
        return f"was ended by {signal.Signals(-rc).name}"
    return f"failed with exit status {rc}"


def account(name: str, stage: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise StageError(f"the stage {stage} shall run as {name}, and there is no such account") from error


def started(pid: int) -> str | None:
    """When a living process started, in ticks since the boot, with the boot; None when there is none (proc(5), stat).

    One that has ended and was not asked for is none: the first process of many a rented container asks for nobody.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as stream:
            boot = stream.read().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def end_group(pid: int) -> None:
    """End the processes of a group: politely, and after some seconds for good."""
    for sign, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 1)):
        try:
            os.killpg(pid, sign)
        except (ProcessLookupError, PermissionError):
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and members(pid):
            time.sleep(0.05)


def members(group: int) -> list[int]:
    """Living processes of a group; a zombie is none (proc(5), stat: state and pgrp)."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stream:
                fields = stream.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX" and int(fields[2]) == group:
            found.append(int(entry))
    return found


def digest(path: str) -> str | None:
    try:
        with open(path, "rb") as stream:
            found = hashlib.sha256()
            for block in iter(lambda: stream.read(BLOCK), b""):
                found.update(block)
            return found.hexdigest()
    except OSError:
        return None


def make_folder(path: str, mode: int, owner: pwd.struct_passwd | None) -> None:
    os.makedirs(path, exist_ok=True)
    give(path, mode, owner)


def give(path: str, mode: int, owner: pwd.struct_passwd | None) -> None:
    os.chmod(path, mode)
    if owner is not None and owner.pw_uid != os.geteuid():
        os.chown(path, owner.pw_uid, owner.pw_gid)


def put(path: str, text: str, mode: int, owner: pwd.struct_passwd | None) -> None:
    """Write a new file that is never readable for others than it shall be."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    give(path, mode, owner)


def unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def tail(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def hide(path: str, secrets: Any) -> None:
    """Take the secrets out of a log, where a script said them."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return
    clean = redact_url(without_secrets(text, list(secrets)))
    if clean != text:
        put(path, clean, 0o600, None)
