# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _engine_runtime as engine
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from hypothesis import given
from hypothesis import strategies as st

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomllib")

PATH = "/usr/bin/nvidia-container-runtime"
OLD, NEW = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"
# In the shape of what kubeadm's guides have people write
MAIN = """# mine
version = 2
root = "/data" # big disk

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "pause:3.9"
    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          SystemdCgroup = true
    [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
      endpoint = ["https://mirror.example.org"]
"""


def containerd(*texts: str) -> dict[str, Any]:
    files = {engine.CONTAINERD: texts[0], **{f"/etc/containerd/conf.d/{n}.toml": t for n, t in enumerate(texts[1:])}}
    return tomllib.loads(engine.containerd_drop_in(files, "nvidia", PATH))


def test_the_section_is_repeated_with_one_more_runtime() -> None:
    found, before = containerd(MAIN), tomllib.loads(MAIN)["plugins"][OLD]
    assert found["version"] == 2 and set(found) == {"version", "plugins"}
    runtimes = found["plugins"][OLD]["containerd"]["runtimes"]
    ours = runtimes.pop("nvidia")
    assert ours == {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True, "BinaryName": PATH}}
    assert found["plugins"][OLD] == before, "the rest of the section, the default runtime and runc are as they were"


def test_version_3_has_another_plugin() -> None:
    found = containerd(MAIN.replace("version = 2", "version = 3").replace(OLD, NEW))
    assert (
        found["version"] == 3 and found["plugins"][NEW]["containerd"]["runtimes"]["nvidia"]["options"]["SystemdCgroup"]
    )


@pytest.mark.parametrize("text", ["", "# only words\n", "version = 3\n"])
def test_a_bare_file_gets_the_runtime_alone(text: str) -> None:
    found = containerd(text)
    name = NEW if "3" in text else OLD
    assert found["plugins"] == {
        name: {
            "containerd": {
                "runtimes": {"nvidia": {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": PATH}}}
            }
        }
    }


def test_the_last_imported_section_counts_as_containerd_reads_it() -> None:
    section = f'version = 2\n[plugins."{OLD}"]\nsandbox_image = "other"\n'
    assert containerd(MAIN, section, "version = 2\n")["plugins"][OLD]["sandbox_image"] == "other"


def test_another_default_runtime_gives_the_options_where_there_is_no_runc() -> None:
    text = MAIN.replace("runtimes.runc", "runtimes.mine").replace('= "runc"', '= "mine"')
    assert containerd(text)["plugins"][OLD]["containerd"]["runtimes"]["nvidia"]["options"]["SystemdCgroup"] is True


def test_the_import_is_added_once_and_taken_out() -> None:
    new = engine.with_import(MAIN)
    assert tomllib.loads(new) == {**tomllib.loads(MAIN), "imports": ["/etc/containerd/conf.d/*.toml"]}
    assert engine.with_import(new) == new and engine.without_import(new) == MAIN
    assert engine.with_import(None) == 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n'


@pytest.mark.parametrize(
    "entry", ["/etc/containerd/conf.d/*.toml", "conf.d/*", "/etc/containerd/conf.d/99-nvidia.toml"]
)
def test_an_import_that_covers_ours_is_enough(entry: str) -> None:
    text = f'version = 2\nimports = ["/a.toml", "{entry}"]\n'
    assert engine.with_import(text) == text


def test_other_imports_stay() -> None:
    text = engine.with_import('version = 2\nimports = ["/a.toml"] # mine\n')
    assert text == 'version = 2\nimports = ["/a.toml", "/etc/containerd/conf.d/*.toml"] # mine\n'
    assert engine.without_import(text) == 'version = 2\nimports = ["/a.toml"] # mine\n'


def test_a_section_that_is_read_after_ours() -> None:
    order = ["/etc/containerd/conf.d/a.toml", engine.CONTAINERD_DROP_IN, "/z.toml"]
    section = f'version = 2\n[plugins."{OLD}"]\na = 1\n'
    assert engine.later_section(order, {engine.CONTAINERD: MAIN, "/z.toml": section}) == "/z.toml"
    assert engine.later_section(order, {engine.CONTAINERD: MAIN, "/etc/containerd/conf.d/a.toml": section}) is None


@pytest.mark.parametrize("name", ["cri", OLD, NEW])
def test_a_plugin_that_is_switched_off(name: str) -> None:
    with pytest.raises(engine.EngineError, match="disabled_plugins"):
        engine.refuse_disabled(f'disabled_plugins = ["x", "{name}"]\n')
    engine.refuse_disabled(MAIN)


@pytest.mark.parametrize("text", ["version = 1\n", "root = '/x'\n", 'version = "2"\n'])
def test_the_old_format_is_refused(text: str) -> None:
    with pytest.raises(engine.EngineError, match="format 1"):
        engine.version_of(text)


def test_imports_of_a_wrong_kind_and_arrays_of_tables() -> None:
    with pytest.raises(engine.EngineError, match="list of texts"):
        engine.imported_patterns("imports = 'a'\n")
    with pytest.raises(engine.EngineError, match="array of tables"):
        containerd(f'{MAIN}[[plugins."{OLD}".x]]\na = 1\n')


CRIO = """[crio.runtime]
default_runtime = "crun"
[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
runtime_root = "/run/crun"
monitor_path = "/usr/libexec/crio/conmon"
"""


def test_crio_takes_the_options_of_its_default_runtime() -> None:
    later = '[crio.runtime.runtimes.crun]\nmonitor_path = "/usr/bin/conmon"\n'
    found = tomllib.loads(engine.crio_drop_in({engine.CRIO: CRIO, "/x": later}, "nvidia", PATH))
    assert found["crio"]["runtime"]["runtimes"]["nvidia"] == {
        "runtime_path": PATH,
        "runtime_root": "/run/crun",
        "monitor_path": "/usr/bin/conmon",
        "runtime_type": "oci",
    }
    bare = tomllib.loads(engine.crio_drop_in({}, "nvidia", PATH))
    assert bare == {"crio": {"runtime": {"runtimes": {"nvidia": {"runtime_path": PATH, "runtime_type": "oci"}}}}}


KEYS = st.text(alphabet="ab.-\"é '", min_size=1, max_size=3)
LEAVES = st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.lists(st.text(max_size=2), max_size=2))
TABLES = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda v: st.dictionaries(KEYS, v, max_size=3), max_leaves=5), max_size=4
)


@given(TABLES)
def test_a_rendered_table_reads_back(table: dict[str, Any]) -> None:
    text = engine.rendered(("top", "x.y"), table)
    assert tomllib.loads(text) == {"top": {"x.y": table}}
    toml.loads(text)


@given(TABLES)
def test_any_section_survives_beside_the_new_runtime(section: dict[str, Any]) -> None:
    table = {key: value for key, value in section.items() if key != "containerd"}
    main = "version = 2\n" + engine.rendered(("plugins", OLD), table)
    found = containerd(main)["plugins"][OLD]
    assert found.pop("containerd")["runtimes"]["nvidia"]["options"] == {"BinaryName": PATH}
    assert found == _without_empty(table)
    assert tomllib.loads(engine.with_import(main))["plugins"] == tomllib.loads(main)["plugins"]


def _without_empty(table: dict[str, Any]) -> dict[str, Any]:
    """Tables without any key say nothing, and are not repeated."""
    parts = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in parts.items() if value != {}}
