# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: ssh, JupyterLab, code-server, passwords, and the environment that a login finds."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    is_false,
    wish_of,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say

# on these addresses only the host itself can reach a published port


def _no_ssh(ctx: Context, target: Target) -> Finding | None:
    """A target without ssh: nothing to judge."""
    wish = wish_of(ctx, target.entity)
    silent = target.engine is None and target.inside.is_null("ssh.status") and target.inside.is_null("sshd")
    if silent or target.inside.is_null("ssh") or (wish is not None and not wish.ssh):
        return skip(say("no ssh port is configured for {name}", name=target.name), entity=target.entity)
    return None


def ssh_answers(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _ssh(ctx, target))


def _ssh(ctx: Context, target: Target) -> Finding | list[Finding]:
    name, inside, entity = target.name, target.inside, target.entity
    nothing = _no_ssh(ctx, target)
    if nothing is not None:
        return nothing
    if target.engine is None and inside.is_null("ssh.status"):
        return skip(say("the port of sshd on {name} is not known", name=name), entity=entity)
    status, banner = inside.text("ssh.status"), inside.text_or_none("ssh.banner") or ""
    if status == "ok" and banner.startswith("SSH-2.0"):
        return [
            ok(say("sshd of {name} answers: {banner}", name=name, banner=banner), entity=entity),
            _keys(ctx, target),
        ]
    remedy = target.remedy(
        ctx.run.play(
            "dev_container", say("Let the role write sshd's configuration and restart it."), "recreate_container"
        ),
        ctx.by_hand(say("Start sshd; `sshd -t` names the line that it does not like.")),
    )
    said = say("a foreign answer ({banner})", banner=repr(banner[:40])) if status == "ok" else status
    message = say("sshd of {name} does not answer: {reason}", name=name, reason=said)
    seen = inside.show("ssh.status", "ssh.banner")
    return fail(message, remedy, entity=entity, observed=banner or status, evidence=seen)


def _keys(ctx: Context, target: Target) -> Finding:
    """Somebody must be able to log in: by a key, where passwords are off."""
    name, inside = target.name, target.inside
    if inside.is_null("sshd") or inside.is_null("sshd.authorized_keys"):
        return skip(say("the keys that may log in to {name} could not be counted", name=name), entity=target.entity)
    number = inside.integer("sshd.authorized_keys")
    if number == 0 and not inside.flag("sshd.password_authentication"):
        text = say("Name your public keys in dev_ssh_authorized_keys.")
        own = say("Put your public key into ~/.ssh/authorized_keys.")
        remedy = target.remedy(ctx.run.play("dev_container", text), ctx.by_hand(own))
        seen = inside.show("sshd.authorized_keys", "sshd.password_authentication")
        message = say("nobody can log in to {name}: it takes keys only, and has none", name=name)
        return fail(message, remedy, entity=target.entity, observed=0, evidence=seen)
    return ok(say("keys that may log in to {name}: {number}", name=name, number=number), entity=target.entity)


def ssh_is_safe(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _safe(ctx, target))


def _safe(ctx: Context, target: Target) -> Finding | list[Finding]:
    nothing = _no_ssh(ctx, target)
    if nothing is not None:
        return nothing
    name, inside, entity = target.name, target.inside, target.entity
    found = [item for item in (_tutorial_password(ctx, target), _shared_keys(ctx, target)) if item is not None]
    by_password = inside.flag("sshd.password_authentication")
    if by_password and inside.text("sshd.permit_root_login") == "yes":
        text = say("Let the role write sshd's configuration: keys only, no root.")
        own = say("Log in by key, then set PasswordAuthentication no (or PermitRootLogin prohibit-password).")
        remedy = target.remedy(ctx.run.play("dev_container", text, "recreate_container"), ctx.by_hand(own))
        message = say("root may log in to {name} with a password ({where})", name=name, where=_reach(target))
        seen = inside.show("sshd.permit_root_login", "sshd.password_authentication")
        # those who rent out containers hand them over that way
        grade = Severity.MINOR if target.engine is None else None
        found.append(fail(message, remedy, entity=entity, severity=grade, evidence=seen))
    if found:
        return found
    return ok(say("ssh of {name} lets nobody in by a known or easy way", name=name), entity=entity)


def _reach(target: Target) -> str:
    """Where the published ssh port can be reached from."""
    if target.engine is None:
        return "ssh"
    ports = [port for port in target.engine.views("ports") if port.text_or_none("container") in ("22/tcp", "8022/tcp")]
    said = [f"{port.text_or_none('host_ip') or '?'}:{port.integer_or_none('host_port') or '?'}" for port in ports]
    return ", ".join(said) or "ssh"


def _tutorial_password(ctx: Context, target: Target) -> Finding | None:
    inside, name = target.inside, target.name
    if inside.is_null("known_passwords"):
        # /etc/shadow can be read by root only; where no password is taken, none can be guessed
        if is_false(inside, "sshd.password_authentication"):
            return None
        inside.strings("known_passwords")
    users = inside.strings("known_passwords")
    if not users:
        return None
    text = say("Build the image without that password: our role's image has none, and takes keys only.")
    own = say("Set another password now: `passwd`.")
    remedy = target.remedy(ctx.run.play("dev_container", text, "change_image"), ctx.by_hand(own))
    message = say("in {name} these users have a password that tutorials print: {users}", name=name, users=names(users))
    grade = Severity.MINOR if is_false(inside, "sshd.password_authentication") else Severity.BLOCKER
    seen = inside.show("known_passwords", "sshd.password_authentication")
    return fail(message, remedy, entity=target.entity, observed=users, severity=grade, evidence=seen)


def _shared_keys(ctx: Context, target: Target) -> Finding | None:
    if target.inside.is_null("sshd.host_keys_shared"):
        reason = say("not known whether the ssh host keys of {name} are its own", name=target.name)
        return skip(reason, entity=target.entity)
    if not target.inside.flag("sshd.host_keys_shared"):
        return None
    text = say("Let sshd make its host keys at the first start, in a volume, as our role's image does.")
    own = say("Make new host keys: remove /etc/ssh/ssh_host_*, then `ssh-keygen -A` and restart sshd.")
    remedy = target.remedy(ctx.run.play("dev_container", text, "change_image"), ctx.by_hand(own))
    message = say("the ssh host keys of {name} are part of its image: others have them, too", name=target.name)
    seen = target.inside.show("sshd.host_keys_shared")
    # on a rented machine the image is the owner's: worth a word, not a stop
    grade = Severity.MINOR if target.engine is None else None
    return fail(message, remedy, entity=target.entity, severity=grade, evidence=seen)


def ssh_environment(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _environment(ctx, target))


def _environment(ctx: Context, target: Target) -> Finding:
    """sshd starts its sessions with an environment of its own: what the image set is lost there."""
    name, inside, entity = target.name, target.inside, target.entity
    nothing = _no_ssh(ctx, target)
    if nothing is not None:
        return nothing
    if inside.is_null("ssh_environment"):
        return skip(say("the environment of ssh sessions in {name} was not compared", name=name), entity=entity)
    missing = inside.strings("ssh_environment.missing")
    different = sorted(inside.mapping("ssh_environment.different"))
    seen = inside.show("ssh_environment.missing", "ssh_environment.different")
    text = say("Let the role write the environment of ssh sessions; more variables go into dev_env.")
    own = say("Write the variables to /etc/environment or to a file in /etc/profile.d.")
    remedy = target.remedy(ctx.run.play("dev_container", text, "recreate_container"), ctx.by_hand(own))
    if missing:
        message = say(
            "ssh sessions in {name} lack variables of the image: {variables}", name=name, variables=names(missing)
        )
        return fail(message, remedy, entity=entity, observed=missing, evidence=seen)
    if different:
        message = say("ssh sessions in {name} have other values: {variables}", name=name, variables=names(different))
        return fail(message, remedy, entity=entity, observed=different, evidence=seen)
    return ok(say("ssh sessions in {name} find the environment of the image", name=name), entity=entity)


def jupyter_guarded(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _jupyter(ctx, target))


def _jupyter(ctx: Context, target: Target) -> Finding:
    name, inside = target.name, target.inside
    wish = wish_of(ctx, target.entity)
    silent = target.engine is None and inside.is_null("jupyter.api")
    if silent or inside.is_null("jupyter") or (wish is not None and not wish.jupyter):
        return skip(say("no Jupyter port is configured for {name}", name=name), entity=target.entity)
    remedy = target.remedy(
        ctx.run.play("dev_container", say("Let the role write JupyterLab's settings and token, and restart it.")),
        ctx.by_hand(
            say("Start JupyterLab with a token (IdentityProvider.token), and without an empty one on its command line.")
        ),
    )
    seen = inside.show("jupyter.api", "jupyter.no_token", "jupyter.with_token")
    if not inside.is_null("jupyter.no_token") and inside.integer("jupyter.no_token") == 200:
        message = say("JupyterLab of {name} lets anyone in without a token", name=name)
        details = {"entity": target.entity, "observed": 200, "expected": "401 or 403", "evidence": seen}
        return fail(message, remedy, severity=Severity.BLOCKER, **details)
    if wish is not None and inside.is_null("jupyter.api"):
        return fail(say("JupyterLab of {name} does not answer", name=name), remedy, entity=target.entity, evidence=seen)
    api, refused = inside.integer("jupyter.api"), inside.integer("jupyter.no_token")
    observed = {key: inside.integer_or_none(f"jupyter.{key}") for key in ("api", "no_token", "with_token")}
    expected = {"api": 200, "no_token": 403, "with_token": 200}
    details = {"entity": target.entity, "observed": observed, "expected": expected, "evidence": seen}
    if api != 200:
        message = say("JupyterLab of {name} answers with HTTP status {status}", name=name, status=api)
        return fail(message, remedy, **details)
    if refused not in (401, 403):
        message = say("JupyterLab of {name} answers {status} without a token, not a refusal", name=name, status=refused)
        return fail(message, remedy, **details)
    # on a machine that is not ours nobody told us the token
    if target.engine is None and inside.is_null("jupyter.with_token"):
        return ok(say("JupyterLab of {name} answers, and refuses without its token", name=name), entity=target.entity)
    admitted = inside.integer("jupyter.with_token")
    if admitted != 200:
        message = say("JupyterLab of {name} refuses its own token (HTTP status {status})", name=name, status=admitted)
        return fail(message, remedy, **details)
    return ok(say("JupyterLab of {name} answers, only with its token", name=name), entity=target.entity)


def code_server(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        if target.inside.is_null("code_server"):
            return skip(say("no code-server is configured for {name}", name=target.name), entity=target.entity)
        seen = target.inside.show("code_server.status")
        text = say("Restart code-server in {name}; its log says why it stopped.", name=target.name)
        details = {"entity": target.entity, "evidence": seen}
        if target.inside.is_null("code_server.status"):
            message = say("code-server of {name} does not answer", name=target.name)
            return fail(message, ctx.by_hand(text), **details)
        status = target.inside.integer("code_server.status")
        if status != 200:
            message = say("code-server of {name} answers with HTTP status {status}", name=target.name, status=status)
            return fail(message, ctx.by_hand(text), observed=status, **details)
        return ok(say("code-server of {name} answers", name=target.name), entity=target.entity)

    return each(ctx, one)
