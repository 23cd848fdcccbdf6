"""The distance of the benchmark of smiles."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch


def test_the_distance_is_zero_for_equal_sets_and_grows_with_the_difference(script: Callable[[str], ModuleType]) -> None:
    module = script("benchmarks/smiles.py")
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    near, far = (float(module.discrepancy(rows, rows + step)) for step in (0.3, 0.6))
    assert float(module.discrepancy(rows, rows)) == pytest.approx(0, abs=1e-9)
    assert 0 < near < far
    assert near == pytest.approx(float(module.discrepancy(9 * rows + 4, 9 * (rows + 0.3) + 4)), rel=1e-3)
