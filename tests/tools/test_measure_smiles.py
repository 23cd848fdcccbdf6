"""The measurement of smiles: lengths that were put there, and held-out people are not read."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.model import load_model
from palsykit_face_space.palsy import Action, displace_all


@pytest.fixture
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/measure_smiles.py")


def test_only_train_people_are_read(tool: ModuleType) -> None:
    assert len(tool.train_people(tool.SPLIT)) == 60


def test_a_simulated_smile_is_measured_as_it_was_made_whatever_size_and_roll(tool: ModuleType) -> None:
    face = load_model().shape_mean.numpy().astype(np.float64)
    smiling = displace_all(face[None], [Action("smile_full")]).points[0]
    turn = np.deg2rad(12)
    matrix = 3 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    here, there = (tool.in_mm(to_ibug68(p), face[:2]) for p in (face, smiling))
    turned = tool.in_mm(to_ibug68(smiling) @ matrix, face[:2] @ matrix)
    assert turned == pytest.approx(there, abs=1e-3)
    moved = tool.movement(here, there)
    assert moved["corner, excursion"] == pytest.approx(10, abs=0.05)
    assert (moved["corner up"], moved["corner out"]) == pytest.approx((6.5, 7.6), abs=0.05)
    assert moved["lips farther apart"] == pytest.approx(10, abs=0.3)
    assert moved["difference between sides"] == pytest.approx(0, abs=0.05)
    shut = displace_all(face[None], [Action("smile_gentle")]).points[0]
    faces = [here * (1 + 0.01 * n) for n in range(3)]
    text = tool.report([(one, one, there) for one in faces] + [(here, here, tool.in_mm(to_ibug68(shut), face[:2]))])
    assert "open 3" in text
    assert "shut 1" in text
