"""``plugins``."""

import json
from collections.abc import Callable
from typing import Any


def test_parts_in_the_order_of_the_interfaces_then_what_is_broken(palsykit: Callable[..., Any]) -> None:
    done = palsykit("plugins")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["interface", "name", "plugin", "version"],
        ["------------", "-----", "------", "-------------"],
        ["datasets", "faces", "fake", "fake-dist", "1.0"],
        ["synthesisers", "copy", "fake", "fake-dist", "1.0"],
    ]
    assert lines[5:] == [
        "broken:",
        "  film (acme_film, from acme-film)",
        "    reason: ImportError: no acme",
        "    cure: leave it out",
        "",
        "disabled by PALSYKIT_DISABLE: warp",
    ]


def test_the_same_as_json(palsykit: Callable[..., Any]) -> None:
    page = json.loads(palsykit("plugins", "list", "--json").out)
    assert [part["name"] for part in page["parts"]] == ["faces", "copy"]
    assert page["parts"][0] == {"interface": "datasets", "name": "faces", "plugin": "fake", "version": "fake-dist 1.0"}
    assert page["broken"][0]["cure"] == "leave it out"
    assert page["disabled"] == ["warp"]
