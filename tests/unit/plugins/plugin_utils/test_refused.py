# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import goes_along, nothing_changed, reason


@pytest.mark.parametrize(
    ("sentences", "english", "chinese"),
    [
        ("", "", ""),
        (None, "", ""),
        ([], "", ""),
        (["", None], "", ""),
        ("It is so.", "It is so. Nothing was changed.", "It is so.未作任何更改。"),
        (["One.", "", "Two."], "One. Two. Nothing was changed.", "One.Two.未作任何更改。"),
        (
            say("Judge again in a minute."),
            "Judge again in a minute. Nothing was changed.",
            "一分钟后再检查一次。未作任何更改。",
        ),
    ],
)
def test_a_refusal_ends_in_the_language_of_its_sentences(sentences: Any, english: str, chinese: str) -> None:
    assert (nothing_changed(sentences), nothing_changed(sentences, "zh")) == (english, chinese)


def test_an_error_tells_its_reason_in_a_language() -> None:
    error = ValueError(say("no reason given"))
    assert (str(error), reason(error), reason(error, "zh")) == ("no reason given", "no reason given", "未给出原因")
    assert reason(ValueError("plain"), "zh") == "plain" and reason(ValueError(), "zh") == ""
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert reason(caught.value, "zh") == str(caught.value)


@pytest.mark.parametrize(("removed", "chinese"), [("driver", "驱动"), ("engine", "引擎"), ("toolkit", " toolkit ")])
def test_packages_that_would_go_along_are_named(removed: str, chinese: str) -> None:
    assert goes_along([], removed, "zh") == ""
    assert goes_along(["cuda", "nvtop"], removed) == (
        f"cuda, nvtop of this host would go with the {removed}. Nothing was changed. Remove what you no longer need of "
        "them first."
    )
    assert goes_along(["cuda", "nvtop"], removed, "zh").startswith(
        f"本机的 cuda、nvtop 会随{chinese}一起被删除。未作任何更改。"
    )
