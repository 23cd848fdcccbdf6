"""The benchmark at native size says plainly where the edit is not ahead."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def benchmark(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("benchmarks/native_size.py")


def row(person: str, expression: str, psnr: float, perceptual: float) -> dict[str, Any]:
    figures = {"psnr": psnr, "ssim": 0.5, "perceptual": perceptual}
    return {"person": person, "split": "test", "expression": expression} | figures


def test_where_the_edit_is_behind(benchmark: ModuleType) -> None:
    ours = [row("a", "rest", 30, 0.1), row("a", "smile_full", 20, 0.1), row("b", "rest", 28, 0.1)]
    theirs = [row("a", "rest", 25, 0.2), row("a", "smile_full", 21, 0.2), row("b", "rest", 28.5, 0.2)]
    lines = benchmark.ahead({"edit": ours, "enlarged": theirs, "warp": theirs, "picture": ours})
    assert lines[0] == (
        "psnr, to enlarged: ahead in 1 of 2 expressions (behind: smile_full by 1) and 1 of 2 people "
        "(behind by 0.5 to 0.5)"
    )
    assert lines[1].startswith("ssim, to enlarged: ahead in 0 of 2 expressions")  # as good is not ahead
    assert lines[6].startswith("psnr, to picture: ahead in 0 of 2 expressions")
    assert lines[2] == "perceptual, to enlarged: ahead in 2 of 2 expressions and 2 of 2 people"


def test_every_system_has_a_row_a_split(benchmark: ModuleType) -> None:
    rows = {name: [row("a", "rest", 30, 0.1), row("a", "rest", 32, 0.1)] for name in benchmark.SYSTEMS}
    text = benchmark.report(rows, 256)
    assert text.splitlines()[0] == "| frames of 256 px | psnr | ssim | perceptual |"
    assert "| test, 1 people: edit | 31 | 0.5 | 0.1 |" in text
    assert sum(line.startswith("| test, 1 people") for line in text.splitlines()) == 5
