"""The rendering benchmark, tiny."""

import json
from collections.abc import Callable
from types import ModuleType

import pytest


def test_rendering(script: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    script("benchmarks/rendering.py").main(["--sizes", "16", "32", "--people", "2"])
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert len(lines) == 4
    for size in ("16", "32"):
        row = found["seconds"][size]
        assert row["images"] == 16
        assert found["images_per_second"][size] == pytest.approx(16 / (row["plan"] + row["render"]))
