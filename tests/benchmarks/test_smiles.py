"""The distance of the benchmark of smiles."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from palsykit_face_space.palsy import Action
from palsykit_face_space.render import Scene, render
from palsykit_face_space.simulated import photographed_person


def test_the_distance_is_zero_for_equal_sets_and_grows_with_the_difference(script: Callable[[str], ModuleType]) -> None:
    module = script("benchmarks/smiles.py")
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    near, far = (float(module.discrepancy(rows, rows + step)) for step in (0.3, 0.6))
    assert float(module.discrepancy(rows, rows)) == pytest.approx(0, abs=1e-9)
    assert 0 < near < far
    assert near == pytest.approx(float(module.discrepancy(9 * rows + 4, 9 * (rows + 0.3) + 4)), rel=1e-3)


def test_a_face_is_moved_by_points_of_its_own(script: Callable[[str], ModuleType]) -> None:
    """The pose that ``--own`` makes has all that the renderer reads: folds and smile shade the face, the rest stays."""
    module = script("benchmarks/smiles.py")
    grey = np.full((64, 64, 3), 128, np.uint8)
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = (32 + 16 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32)
    who = photographed_person(grey, landmarks)
    points = who.shape.numpy().astype(np.float64)
    drawn = [
        render(
            [who], [Scene(Action("smile_full"))], 64, module.still_lids(points, np.full(2, amount), np.full(2, amount))
        )[0]
        for amount in (0.0, 1.0)
    ]
    assert drawn[0].shape == (64, 64, 3)
    assert not np.array_equal(*drawn)
