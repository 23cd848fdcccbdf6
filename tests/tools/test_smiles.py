"""What a smile adds, learnt from pairs: the ratio of brightness, masks, and teeth that are aligned with each other."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import load_file

from palsykit_face_space.model import ASSET


@pytest.fixture
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/smiles.py")


def test_the_shade_is_the_logarithm_of_the_ratio_per_length_and_symmetric(tool: ModuleType) -> None:
    rng = np.random.default_rng(0)
    neutral = rng.uniform(0.4, 0.6, (6, 1, 1, 1)) * np.ones((6, 3, 64, 64))
    darker = np.zeros((64, 64))
    darker[40:46, 10:54] = -1.0
    lengths = np.linspace(0.05, 0.2, 6)
    smiling = neutral * np.exp(lengths[:, None, None, None] * darker) * rng.uniform(0.9, 1.1, (6, 1, 1, 1))
    found = tool.shade(neutral, smiling, lengths)
    assert found[42, 32] - found[20, 32] == pytest.approx(-1, abs=0.1)
    assert np.allclose(found, found[:, ::-1])
    assert np.abs(found[20:30]).max() < 0.05, "another exposure is no shade"


def test_the_skin_excludes_eyes_and_lips(tool: ModuleType) -> None:
    mean = load_file(ASSET)["shape_mean"].astype(float)
    skin, folds = tool.skin(mean, 128), tool.near_folds(mean, 128)
    at = lambda plane, point: float(plane[int(point[1]), int(point[0])])  # noqa: E731
    assert [at(skin, mean[i]) for i in (0, 1, 90, 96)] == [0, 0, 0, 0]
    assert at(skin, mean[165]) == 1
    assert at(folds, mean[159]) > 0.9 > 0.1 > at(folds, mean[0])


def test_teeth_are_moved_onto_those_of_the_guide(tool: ModuleType) -> None:
    guide = tool._gaps()
    colours = np.repeat((0.8 + 0.2 * np.roll(guide, 4, 1))[..., None], 3, -1)
    seen = np.zeros(guide.shape, dtype=bool)
    seen[tool.BITE - 12 : tool.BITE, 20:-20] = True
    one = tool._Teeth(colours, seen, float(tool.BITE))
    tool._align(one, tool._fine(guide))
    assert one.shift == pytest.approx(4, abs=1)
    assert one.scale == pytest.approx(1, abs=0.04)
