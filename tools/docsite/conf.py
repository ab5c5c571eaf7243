# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Sphinx for `make docs`. No network: what Ansible's own documentation describes becomes a plain link."""

from __future__ import annotations

from typing import Any

from ansible.config.manager import ConfigManager
from docutils import nodes  # type: ignore[import-untyped]

project = "gpuready.bootstrap"
copyright = "the gpuready authors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "alabaster"
html_theme_options = {"fixed_sidebar": True, "page_width": "75em"}
html_title = "gpuready.bootstrap: plugins and roles"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True

DOCS = "https://docs.ansible.com/ansible/latest"
# Labels of Ansible's documentation that antsibull-docs writes into pages; each with its page there
LABELS = {
    "common_return_values": f"{DOCS}/reference_appendices/common_return_values.html",
    "ansible_configuration_settings": f"{DOCS}/reference_appendices/config.html",
    "action_plugins": f"{DOCS}/plugins/action.html",
    "callback_plugins": f"{DOCS}/plugins/callback.html",
    "inventory_plugins": f"{DOCS}/plugins/inventory.html",
    "lookup_plugins": f"{DOCS}/plugins/lookup.html",
}
BUILTIN = "ansible_collections.ansible.builtin."
# Environment variables of ansible-core's own settings; a plugin that extends one of Ansible's names them in its page
SETTINGS = f"{DOCS}/reference_appendices/config.html"
VARIABLES = {
    str(variable["name"])
    for setting in ConfigManager().get_configuration_definitions().values()
    for variable in setting.get("env") or ()
}


def elsewhere(_app: Any, _env: Any, node: Any, contents: nodes.TextElement) -> nodes.reference | None:
    """A link to Ansible's own documentation. Anything else that is not found stays a warning, which ends the build."""
    target = str(node["reftarget"])
    label = target.lower()
    uri = LABELS.get(label)
    if node.get("reftype") == "envvar":
        uri = f"{SETTINGS}#envvar-{target}" if target in VARIABLES else None
    elif label.startswith(BUILTIN):
        uri = f"{DOCS}/collections/ansible/builtin/{label.removeprefix(BUILTIN).partition('__')[0]}.html"
    return nodes.reference("", "", contents, internal=False, refuri=uri) if uri else None


def setup(app: Any) -> dict[str, bool]:
    app.connect("missing-reference", elsewhere)
    return {"parallel_read_safe": True}
