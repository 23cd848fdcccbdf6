"""The shipped asset: its size, its card, who is in it, and that it is as symmetric as its making promises."""

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from palsykit.faces.webmorph import FLIP
from palsykit_face_space.build_asset import ATTRIBUTION, SPLIT, imputed, quantised, train_people
from palsykit_face_space.model import ASSET, draw, load_model
from palsykit_face_space.split_people import read_groups, shares, split

INFO = Path(__file__).parents[4] / "shared/data/london/info.csv"


def split_of() -> dict[str, str]:
    with SPLIT.open(newline="") as file:
        return {row["subject"]: row["split"] for row in csv.DictReader(file)}


def test_the_asset_is_small_and_is_what_its_card_says() -> None:
    content = ASSET.read_bytes()
    card = (ASSET.parent / "asset.md").read_text()
    assert len(content) <= 6 * 1024 * 1024
    assert re.search(r"SHA-256: (\w+)", card).group(1) == hashlib.sha256(content).hexdigest()  # type: ignore[union-attr]
    assert load_model().sha256 == hashlib.sha256(content).hexdigest()


def test_attribution_lies_beside_the_asset_and_in_the_notice() -> None:
    assert (ASSET.parent / "attribution.txt").read_text() == ATTRIBUTION
    assert ATTRIBUTION in (SPLIT.parents[1] / "NOTICE").read_text()
    assert "CC BY 4.0" in ATTRIBUTION


def test_held_out_people_never_enter() -> None:
    people = split_of()
    assert sorted(people.values()) == ["test"] * 16 + ["train"] * 60 + ["validation"] * 6
    assert train_people(SPLIT) == [subject for subject, part in people.items() if part == "train"]


def test_selection_takes_train_rows_only(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("subject,split\n001,train\n002,test\n003,validation\n004,train\n")
    assert train_people(tmp_path / "split.csv") == ["001", "004"]


def test_the_split_is_the_one_the_script_draws() -> None:
    if not INFO.exists():
        pytest.skip(f"the London set's info.csv is not at {INFO}")
    assert split(read_groups(INFO)) == split_of()


def test_places_are_shared_in_proportion_and_no_group_is_emptied() -> None:
    sizes = {("a", "x"): 40, ("a", "y"): 20, ("b", "x"): 17, ("b", "y"): 3}
    result = shares(sizes, 16)
    assert sum(result.values()) == 16
    assert result[("a", "x")] == 8
    assert all(sizes[group] - taken >= 2 for group, taken in result.items())


def test_the_model_is_symmetric() -> None:
    model = load_model()
    mean = model.shape_mean
    mirrored = torch.stack([128 - mean[list(FLIP), 0], mean[list(FLIP), 1]], -1)
    assert torch.allclose(mean, mirrored, atol=1e-2)
    assert torch.allclose(model.appearance_mean, model.appearance_mean.flip(-1), atol=2e-3)


def test_a_person_follows_from_the_seed_and_is_a_picture() -> None:
    model = load_model()
    one, same, other = (draw(model, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.texture, same.texture)
    assert torch.equal(one.shape, same.shape)
    assert (one.texture - other.texture).abs().mean() > 0.02
    assert one.texture.shape == (3, 128, 128)
    assert 0 <= float(one.texture.min()) <= float(one.texture.max()) <= 1
    assert float(one.outline[64, 64]) > 5, "the middle of the face is inside its outline"
    assert float(one.outline[2, 2]) < 0, "the corner is background"


def test_quantisation_keeps_components_to_half_a_step() -> None:
    basis = np.random.default_rng(0).normal(size=(3, 4, 8, 8)) * np.array([1, 0.1, 10])[:, None, None, None]
    whole, scale = quantised(basis)
    assert np.all(np.abs(whole * scale[:, None, None, None] - basis) <= 0.501 * scale[:, None, None, None])


def test_imputation_leaves_what_is_seen_and_guesses_the_rest_from_it() -> None:
    rng = np.random.default_rng(0)
    tone = np.linspace(0.2, 0.8, 40)
    looks = np.broadcast_to(tone[:, None, None, None], (40, 4, 6, 6)).copy() + rng.normal(size=(40, 4, 6, 6)) * 1e-4
    looks[:, 3] = 0.5
    looks[::2, 3, 0] = -0.5  # outside in half of the samples
    truth = looks[:, :3].copy()
    looks[::2, :3, 0] = 0.0
    result = imputed(looks, rank=1)
    assert np.allclose(result[:, :3, 1:], truth[:, :, 1:])
    assert np.allclose(result[1::2], looks[1::2])
    assert np.abs(result[::2, :3, 0] - truth[::2, :, 0]).mean() < 0.02
    assert np.corrcoef(result[::2, 0, 0, 0], tone[::2])[0, 1] > 0.95


def test_a_missing_or_foreign_asset_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no tensors here")
    for path in (tmp_path / "a.safetensors", tmp_path / "none.safetensors"):
        with pytest.raises(ValueError, match=rf"{path.name}: no face space"):
            load_model(path)
