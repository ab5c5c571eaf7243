# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: package repositories, mirrors, proxies and the clock."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

_PLACE = "https://REACHABLE-MIRROR/PATH"
_REPOSITORY_VARIABLES = (
    # (word in the repository's name, role, variable that holds its address)
    ("toolkit", "nvidia_container_toolkit", "nvidia_container_toolkit_repo_url"),
    ("driver", "nvidia_driver", "nvidia_driver_repo_url"),
    ("cuda", "nvidia_driver", "nvidia_driver_repo_url"),
    ("docker", "docker_engine", "docker_engine_repo_url"),
)
# The publishers' own hosts, which a preset of the role mirrors replaces (in data/mirrors.yml they are official)
PUBLISHERS = ("download.docker.com", "developer.download.nvidia.com", "nvidia.github.io")
# kind of endpoint -> (role, inputs that name another address)
_KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "apt": ("mirrors", {"mirrors_apt_url": _PLACE}),
    "pypi": ("mirrors", {"mirrors_pip_index_url": _PLACE}),
    "conda": ("dev_container", {"dev_env": {"CONDA_CHANNEL_ALIAS": _PLACE}}),
    "docker": ("docker_engine", {"docker_engine_daemon_settings": {"registry-mirrors": ["https://REACHABLE-MIRROR"]}}),
    "hf": ("dev_container", {"dev_env": {"HF_ENDPOINT": "https://REACHABLE-MIRROR"}}),
    "nvidia": ("nvidia_driver", {"nvidia_driver_repo_base_url": _PLACE}),
}
_SHELL_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def _error(entry: View) -> Text | str:
    """What a question about one address ended with."""
    code = entry.integer_or_none("http_status")
    return entry.text_or_none("error") or (say("HTTP status {code}", code=code) if code else entry.text("status"))


def _another(ctx: Context, variable: str, url: str) -> Text:
    """What to set where an address is out of reach. A preset helps where none has measured the mirrors yet."""
    if urlsplit(url).hostname in PUBLISHERS and ctx.facts.text_or_none("mirrors.schema") is None:
        return say(
            "Set {variable} to a repository that this host can reach, or have a mirror chosen by "
            "gpuready_mirror_preset (in China: china).",
            variable=variable,
        )
    return say("Set {variable} to a repository that this host can reach.", variable=variable)


def repositories(ctx: Context) -> list[Finding]:
    findings: list[Finding] = []
    listed = ctx.facts.views("network.repositories")
    if not listed:
        return [skip(say("no repositories were given to look at"))]
    for repository in listed:
        name, url, status = repository.text("name"), repository.text("url"), repository.text("status")
        if status == "ok":
            continue
        known = [(role, var) for word, role, var in _REPOSITORY_VARIABLES if word in name.lower()]
        role, variable = known[0] if known else ("mirrors", "mirrors_apt_url")
        remedy = ctx.run.play(role, _another(ctx, variable, url), None, **{variable: _PLACE})
        error = _error(repository)
        message = say("repository {name} cannot be reached: {url}: {error}", name=name, url=url, error=error)
        evidence = repository.show("status", "http_status", "error")
        findings.append(fail(message, remedy, entity=name, observed=str(error), evidence=evidence))
    seen = names([item.text("name") for item in listed])
    return findings or [ok(say("repositories that answer: {seen}", seen=seen))]


def _answers(endpoint: View) -> bool:
    """A registry asks who one is (401) before it says anything: it is there all the same."""
    if endpoint.text("kind") == "docker" and endpoint.integer_or_none("http_status") == 401:
        return True
    return endpoint.text("status") == "ok"


def _network_is_dead(ctx: Context, endpoints: Sequence[View]) -> str | None:
    """The check that tells of a network on which nothing answers at all; None where something does."""
    stored = ctx.facts.views("network.repositories")
    if any(item.text("status") == "ok" for item in stored) or any(_answers(item) for item in endpoints):
        return None
    first = endpoints[0].text("kind") if endpoints else ""
    return "PRE-REPOS" if stored else f"PRE-NET-{first.upper()}"


def _candidates(ctx: Context, kind: str) -> list[Finding]:
    endpoints = [item for item in ctx.facts.views("network.endpoints") if item.text("kind") in _KINDS]
    mine = [endpoint for endpoint in endpoints if endpoint.text("kind") == kind]
    if not mine:
        return [skip(say("no address of this kind was given to look at"))]
    silent = [endpoint for endpoint in mine if not _answers(endpoint)]
    good = [endpoint.text("name") for endpoint in mine if _answers(endpoint)]
    if good and silent:
        lost = names([endpoint.text("name") for endpoint in silent])
        return [ok(say("{good} answers, {lost} does not", good=names(good), lost=lost), observed=good)]
    if good:
        return [ok(say("answers: {good}", good=names(good)), observed=good)]
    cause = _network_is_dead(ctx, endpoints)
    if cause not in (None, f"PRE-NET-{kind.upper()}"):
        return [skip(say("nothing answers on this network"), caused_by=cause)]
    errors = [say("{name}: {error}", name=item.text("name"), error=_error(item)) for item in silent[:4]]
    evidence = tuple(entry for item in silent[:3] for entry in item.show("url", "status", "error"))
    role, inputs = _KINDS[kind]
    if len({endpoint.text("kind") for endpoint in endpoints}) > 1 and cause is not None:
        remedy = ctx.by_hand(
            say("Look at the network first: cable, route, name server, firewall, proxy."), "fix_network"
        )
        message = say("nothing answers on this network ({errors})", errors=errors)
        return [fail(message, remedy, observed=[str(item) for item in errors], evidence=evidence)]
    text = say("Name an address that this host can reach, by {inputs}.", inputs=list(inputs))
    remedy = ctx.run.play(role, text, "fix_network", **inputs)
    return [fail(say("no candidate answers ({errors})", errors=errors), remedy, observed=[], evidence=evidence)]


def net_apt(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "apt")


def net_pypi(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "pypi")


def net_conda(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "conda")


def net_docker(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "docker")


def net_hf(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "hf")


def net_nvidia(ctx: Context) -> list[Finding]:
    return _candidates(ctx, "nvidia")


def _moment(view: View, path: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(view.text(path).replace("Z", "+00:00"))
    except ValueError:
        raise UnmeasuredError(f"{view.path}.{path}") from None
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def mirror_fresh(ctx: Context) -> list[Finding]:
    dated = [item for item in ctx.facts.views("network.endpoints") if not item.is_null("released")]
    if not dated:
        return [skip(say("no mirror with a release date was looked at"))]
    now, findings = _moment(ctx.facts, "collected_at"), []
    best: dict[str, datetime.datetime] = {}
    for item in dated:
        kind = item.text("kind")
        best[kind] = max(best.get(kind, _moment(item, "released")), _moment(item, "released"))
    remedy = ctx.run.play("mirrors", say("Take a mirror that is up to date."), None, mirrors_apt_url=_PLACE)
    for item in dated:
        name, details = (
            item.text("name"),
            {"entity": item.text("name"), "evidence": item.show("released", "valid_until")},
        )
        behind = (best[item.text("kind")] - _moment(item, "released")).days
        if not item.is_null("valid_until") and _moment(item, "valid_until") < now:
            message = say("{name} ran out on {day}: apt refuses it", name=name, day=item.text("valid_until")[:10])
            findings.append(warn(message, remedy, **details))
        elif behind > ctx.policy.mirror_age_max_days:
            message = say("{name} is {days} days behind the newest candidate", name=name, days=behind)
            findings.append(warn(message, remedy, observed=behind, expected=ctx.policy.mirror_age_max_days, **details))
    return findings or [ok(say("up to date: {mirrors}", mirrors=names([item.text("name") for item in dated])))]


def clock(ctx: Context) -> list[Finding]:
    asked = [*ctx.facts.views("network.repositories"), *ctx.facts.views("network.endpoints")]
    skews = [item.number("skew_s") for item in asked if not item.is_null("skew_s")]
    evidence = ctx.facts.show("time.ntp_synchronized", "time.controller_skew_s")
    if not ctx.facts.is_null("time.controller_skew_s"):
        skews.append(ctx.facts.number("time.controller_skew_s"))
    repair = ctx.run.shell_line(
        "timedatectl set-ntp true", say("Let a time service set the clock, and look that it reaches its servers."),
        "restart_service",
    )  # fmt: skip
    off, unsynchronized = _off(skews), ctx.facts.is_null("time.ntp_synchronized")
    kept = None if unsynchronized else ctx.facts.flag("time.ntp_synchronized")
    if off is not None and abs(off) > ctx.policy.time_skew_max_s:
        measured = tuple(entry for item in asked[:3] for entry in item.show("skew_s"))
        message = say("the clock is {seconds} s off: apt and TLS will refuse what they get", seconds=off)
        limit = ctx.policy.time_skew_max_s
        return [fail(message, repair, observed=off, expected=limit, evidence=evidence + measured)]
    # the clock of a container, and that of a simulated host, is kept by the machine around it
    if kept is False and not ctx.in_container and not ctx.facts.flag("simulated.host"):
        message = say("no time service keeps the clock right")
        return [warn(message, repair, severity=Severity.MINOR, evidence=evidence)]
    if off is not None:
        return [ok(say("the clock is right, {seconds} s off", seconds=off), observed=off)]
    if kept:
        return [ok(say("a time service keeps the clock"))]
    if not asked:
        # a look that needed no repository; what the controller's clock says is known of a fresh look only
        return [skip(say("no server was asked whose clock tells, and it is not known whether a time service runs"))]
    return [unknown(say("nothing to compare the clock with"), evidence=evidence)]


def _off(skews: Sequence[float]) -> int | None:
    """Seconds; the median, since one mirror's own clock may be wrong. Of two witnesses the one that says less holds."""
    return round(sorted(skews, key=abs)[(len(skews) - 1) // 2]) if skews else None


def proxies(ctx: Context) -> list[Finding]:
    environment = ctx.facts.mapping("network.proxies.environment")
    shell = next((str(environment[key]).rstrip("/") for key in _SHELL_PROXIES if environment.get(key)), None)
    if shell is None:
        return _resolvers(ctx)
    places: dict[str, str] = {"apt": "network.proxies.apt"} if ctx.facts.text("packages.manager") == "apt" else {}
    if ctx.facts.flag("docker.present") and not ctx.in_container:
        places["Docker"] = "network.proxies.docker"
    seen = {
        place: None if ctx.facts.is_null(path) else ctx.facts.text(path).rstrip("/") for place, path in places.items()
    }
    evidence = ctx.facts.show("network.proxies.environment", "network.proxies.apt", "network.proxies.docker")
    without = [place for place, proxy in seen.items() if proxy is None]
    if without:
        message = say("the shell uses the proxy {proxy}, these do not: {without}", proxy=shell, without=without)
        return [warn(message, _set_proxy(ctx, shell, without), observed=without, evidence=evidence)]
    other = [place for place, proxy in seen.items() if proxy != shell]
    if other:
        message = say("the shell uses the proxy {proxy}, these use another one: {other}", proxy=shell, other=other)
        return [warn(message, _set_proxy(ctx, shell, other), observed=other, evidence=evidence)]
    return [ok(say("one proxy everywhere: {proxy}", proxy=shell))]


def _resolvers(ctx: Context) -> list[Finding]:
    if ctx.facts.strings("network.resolvers"):
        return [ok(say("a name server is set, and no proxy"))]
    remedy = ctx.by_hand(say("Name a server in /etc/resolv.conf, or by the program that writes it."), "fix_network")
    return [warn(say("no name server in /etc/resolv.conf"), remedy, evidence=ctx.facts.show("network.resolvers"))]


def _set_proxy(ctx: Context, proxy: str, places: Sequence[str]) -> Remedy:
    # an address with a name and password in it does not go on a command line
    address = "http://PROXY:PORT" if "@" in proxy else proxy
    if "Docker" not in places:
        text = say("Set Acquire::http::Proxy and Acquire::https::Proxy in /etc/apt/apt.conf.d, too.")
        return ctx.by_hand(text, "fix_network")
    settings = {"proxies": {"http-proxy": address, "https-proxy": address}}
    text = say("Give Docker the proxy, and apt by Acquire::http::Proxy where it lacks it.")
    return ctx.run.play("docker_engine", text, "fix_network", docker_engine_daemon_settings=settings)
