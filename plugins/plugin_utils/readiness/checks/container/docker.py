# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container: Docker Engine, its settings, its storage, and where its images come from."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.filesystems import filesystem_of
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
    version_at_least,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# docs.docker.com/engine/storage/drivers: overlay2 is for all; overlayfs is the snapshotter of the containerd image
# store, the default of fresh installations from 29.0 on.
GOOD_DRIVERS = ("overlay2", "overlayfs", "btrfs", "zfs")
# the same page: overlay2 needs a local filesystem as its backing
REMOTE_FILESYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "fuse", "9p", "beegfs", "virtiofs")


def docker_answers(ctx: Context) -> list[Finding]:
    seen = ctx.facts.show("docker.present", "docker.reachable", "docker.error")
    if not ctx.facts.flag("docker.present"):
        remedy = ctx.run.play("docker_engine", say("Install Docker Engine."))
        return [fail(say("Docker is not installed"), remedy, evidence=seen)]
    if ctx.facts.flag("docker.reachable"):
        version = ctx.facts.text_or_none("docker.version")
        return [ok(say("Docker {version} answers", version=version) if version else say("Docker answers"))]
    error = ctx.facts.text_or_none("docker.error") or say("no answer on {path}", path="/run/docker.sock")
    remedy = ctx.run.play(
        "docker_engine", say("Start the daemon; `journalctl -u docker` says why it stopped."), "restart_service"
    )
    message = say("the Docker daemon does not answer: {error}", error=error)
    return [fail(message, remedy, observed=str(error), evidence=seen)]


def docker_version(ctx: Context) -> list[Finding]:
    version, floor = ctx.facts.text("docker.version"), ctx.policy.docker_min
    details = {"observed": version, "expected": f">= {floor}", "evidence": ctx.facts.show("docker.version")}
    if version_at_least(version, floor):
        return [ok(say("Docker {version}", version=version), **details)]
    remedy = ctx.run.play(
        "docker_engine",
        say("Install Docker from its own repository, which is newer than the distribution's."),
        docker_engine_source="docker",
    )
    message = say(
        "Docker {version} is older than {floor}, the first that reads the CDI files of the toolkit",
        version=version,
        floor=floor,
    )
    return [fail(message, remedy, **details)]


def compose_version(ctx: Context) -> list[Finding]:
    remedy = ctx.run.play("docker_engine", say("Install the compose plugin of Docker."))
    seen = ctx.facts.show("docker.compose_version")
    probe = ctx.facts.text_or_none("probes.compose.status")
    if ctx.facts.is_null("docker.compose_version") and probe in ("missing", None):
        return [fail(say("the compose plugin of Docker is not installed"), remedy, evidence=seen)]
    version, floor = ctx.facts.text("docker.compose_version"), ctx.policy.compose_min
    details = {"observed": version, "expected": f">= {floor}", "evidence": seen}
    if version_at_least(version, floor):
        return [ok(say("Docker Compose {version}", version=version), **details)]
    message = say("Docker Compose {version} is older than {floor}", version=version, floor=floor)
    return [fail(message, remedy, **details)]


def daemon_json(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("daemon_json.present"):
        return [skip(say("there is no daemon.json; Docker uses its defaults"))]
    path = ctx.facts.text_or_none("daemon_json.path") or "/etc/docker/daemon.json"
    if ctx.facts.flag("daemon_json.valid"):
        return [ok(say("{path} is valid JSON", path=path))]
    error = ctx.facts.text_or_none("daemon_json.error") or say("not valid JSON")
    text = say("Mend {path} by hand where the error says; the role then merges its keys.", path=path)
    seen = ctx.facts.show("daemon_json.valid", "daemon_json.error")
    message = say("{path}: {error}", path=path, error=error)
    return [fail(message, ctx.run.play("docker_engine", text), observed=str(error), evidence=seen)]


def daemon_is_current(ctx: Context) -> list[Finding]:
    """Some settings are read only when the daemon starts."""
    if not ctx.facts.flag("docker.restart_pending"):
        return [ok(say("the daemon runs with the settings of its file"))]
    text = say("Restart Docker when no container must go on: `systemctl restart docker`.")
    remedy = ctx.run.adhoc("service", "name=docker state=restarted", text, "restart_service")
    seen = ctx.facts.show("docker.restart_pending", "docker.started_at")
    return [fail(say("the daemon was started before the last change of its settings"), remedy, evidence=seen)]


def storage(ctx: Context) -> list[Finding]:
    """Storage driver, the filesystem under it, and the room for one more image."""
    driver, path = ctx.facts.text("docker.storage_driver"), ctx.facts.text("docker.root_dir")
    seen = ctx.facts.show("docker.storage_driver", "docker.root_dir")
    if driver not in GOOD_DRIVERS:
        remedy = _other_place(ctx, say("Move Docker's data to ext4 or xfs (data-root) and let it use overlay2."))
        message = say("Docker stores images with {driver}, which is slow or no longer supported", driver=driver)
        return [fail(message, remedy, observed=driver, expected=list(GOOD_DRIVERS), evidence=seen)]
    # the containerd image store keeps its layers in containerd's own directory
    places = [path, "/var/lib/containerd"] if driver == "overlayfs" else [path]
    found = [fs for fs in (filesystem_of(ctx, place) for place in places) if fs is not None]
    if not found:
        return [unknown(say("it is not known which filesystem holds {path}", path=path))]
    worst = [_room(ctx, driver, place, fs) for place, fs in zip(places, found)]
    return [finding for finding in worst if finding is not None] or [
        ok(say("Docker stores images with {driver} in {path}", driver=driver, path=path))
    ]


def _room(ctx: Context, driver: str, path: str, fs: View) -> Finding | None:
    kind, free = fs.text("type"), fs.integer("free_mib")
    details: dict[str, Any] = {"entity": path, "evidence": fs.show("mount", "type", "free_mib")}
    if kind.split(".")[0] in REMOTE_FILESYSTEMS:
        text = say("Move Docker's data to a local disk (data-root in docker_engine_daemon_settings).")
        remedy = _other_place(ctx, text)
        message = say("{path} is on {kind}: {driver} needs a local filesystem", path=path, kind=kind, driver=driver)
        return fail(message, remedy, observed=kind, **details)
    if free >= ctx.policy.docker_free_min_mib:
        return None
    text = say("Make room: `docker system df` shows what is used, `docker image prune` removes unused images.")
    message = say("{path} has {free} MiB free: the next image may not fit", path=path, free=free)
    details.update(observed=free, expected=ctx.policy.docker_free_min_mib)
    # a warning while there is room to work; a failure when the engine itself will stop
    grade = Severity.MINOR if free >= ctx.policy.disk_floor_mib else None
    return fail(message, ctx.run.shell_line("docker system df", text, "free_space"), severity=grade, **details)


def _other_place(ctx: Context, text: Text) -> Remedy:
    return ctx.by_hand(text, "free_space")


def _answers(endpoint: View) -> bool:
    if endpoint.is_null("status"):
        return False
    return endpoint.text("status") == "ok" or endpoint.integer_or_none("http_status") == 401


def registry(ctx: Context) -> list[Finding]:
    """One of the registries that were asked must answer; 401 is the usual answer to an anonymous /v2/."""
    asked = [item for item in ctx.facts.views("network.endpoints") if item.text("kind") == "registry"]
    if not asked:
        return [skip(say("no registry was asked for"))]
    good = [item.text("name") for item in asked if _answers(item)]
    if good:
        return [ok(say("a registry answers: {names}", names=names(good)))]
    if any(item.is_null("status") for item in asked):
        return [unknown(say("not every registry could be asked"))]
    said = [
        say("{name} ({error})", name=item.text("name"), error=item.text_or_none("error") or item.text("status"))
        for item in asked
    ]
    text = say("Name a mirror that answers as registry-mirrors in docker_engine_daemon_settings, or mend the network.")
    evidence = tuple(entry for item in asked[:5] for entry in item.show("url", "status", "error"))
    message = say("no registry answers: {errors}", errors=said)
    return [fail(message, ctx.by_hand(text, "fix_network"), observed=len(asked), evidence=evidence)]


def security(ctx: Context) -> list[Finding]:
    """SELinux may refuse the GPU's nodes to a container: 'NVML: Insufficient Permissions' (cloud-native-docs)."""
    options = ctx.facts.strings("docker.security_options")
    known = [option.split(",")[0].removeprefix("name=") for option in options]
    if ctx.facts.is_null("selinux.enforcing") or not ctx.facts.flag("selinux.enforcing"):
        return [ok(say("containers are confined by {options}", options=names(known) if known else say("nothing")))]
    if "selinux" not in known:
        return [ok(say("SELinux is enforcing, but Docker gives containers no label"))]
    text = say("If a container gets no GPU, start it with `--security-opt label=disable`.")
    message = say("SELinux is enforcing and Docker labels containers: it may refuse them the GPU")
    seen = ctx.facts.show("selinux.enforcing", "docker.security_options")
    return [fail(message, ctx.by_hand(text), evidence=seen)]
