"""The photographs that the tool uses, and the numbers that it computes from them."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from palsykit_face_space.model import coloured

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "palsykit_face_space"


def split_of() -> dict[str, str]:
    with (ROOT / "splits/london.csv").open(newline="") as file:
        return {row["subject"]: row["split"] for row in csv.DictReader(file)}


@pytest.fixture
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/build_face_space.py")


def test_attribution_lies_beside_the_asset_and_in_the_notice(tool: ModuleType) -> None:
    assert (PLUGIN / "assets" / "attribution.txt").read_text() == tool.ATTRIBUTION
    assert tool.ATTRIBUTION in (tool.SPLIT.parents[1] / "NOTICE").read_text()
    assert "CC BY 4.0" in tool.ATTRIBUTION


def test_held_out_people_never_enter(tool: ModuleType) -> None:
    people = split_of()
    assert sorted(people.values()) == ["test"] * 16 + ["train"] * 60 + ["validation"] * 6
    assert tool.train_people(tool.SPLIT) == [subject for subject, part in people.items() if part == "train"]


def test_selection_takes_train_rows_only(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("subject,split\n001,train\n002,test\n003,validation\n004,train\n")
    assert tool.train_people(tmp_path / "split.csv") == ["001", "004"]


def test_quantisation_keeps_components_to_half_a_step(tool: ModuleType) -> None:
    basis = np.random.default_rng(0).normal(size=(3, 4, 8, 8)) * np.array([1, 0.1, 10])[:, None, None, None]
    whole, scale = tool.quantised(basis)
    step = scale[..., None, None]
    assert step.shape == (3, 4, 1, 1)
    assert np.all(np.abs(whole * step - basis) <= 0.501 * step)


def test_components_are_those_of_a_decomposition(tool: ModuleType) -> None:
    rows = np.random.default_rng(0).normal(size=(8, 40)) * np.linspace(1, 3, 40)
    mean, basis, share = tool.principal(rows, 3)
    _, s, v = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    assert np.allclose(mean, rows.mean(0))
    assert np.allclose(np.abs(basis), np.abs(s[:3, None] / np.sqrt(7) * v[:3]))
    assert share == pytest.approx((s[:3] ** 2).sum() / (s**2).sum())


def test_appearances_are_stored_with_less_colour_and_come_back(tool: ModuleType) -> None:
    smooth = np.linspace(0, 1, 64)
    looks = np.stack([np.add.outer(smooth * a, smooth * b) / 2 for a, b in ((1, 0.2), (0.5, 0.7), (0.1, 1), (0.3, 0))])
    brightness, colour = tool.reduced(looks[None])
    assert (brightness.shape, colour.shape) == ((1, 1, 64, 64), (1, 3, 32, 32))
    assert colour.flags.c_contiguous
    again = coloured(torch.tensor(brightness), torch.tensor(colour))[0].numpy()
    assert np.abs(again - looks).max() < 0.02


def test_imputation_leaves_what_is_seen_and_guesses_the_rest_from_it(tool: ModuleType) -> None:
    rng = np.random.default_rng(0)
    tone = np.linspace(0.2, 0.8, 40)
    looks = np.broadcast_to(tone[:, None, None, None], (40, 4, 6, 6)).copy() + rng.normal(size=(40, 4, 6, 6)) * 1e-4
    looks[:, 3] = 0.5
    looks[::2, 3, 0] = -0.5  # outside in half of the samples
    truth = looks[:, :3].copy()
    looks[::2, :3, 0] = 0.0
    result = tool.imputed(looks, rank=1)
    assert np.allclose(result[:, :3, 1:], truth[:, :, 1:])
    assert np.allclose(result[1::2], looks[1::2])
    assert np.abs(result[::2, :3, 0] - truth[::2, :, 0]).mean() < 0.02
    assert np.corrcoef(result[::2, 0, 0, 0], tone[::2])[0, 1] > 0.95
