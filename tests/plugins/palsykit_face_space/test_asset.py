"""The shipped asset: its size, its card, who is in it, and that it is as symmetric as its making promises."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from palsykit.faces.webmorph import FLIP
from palsykit_face_space.model import ASSET, DETAIL, draw, load_model


def test_the_asset_is_small_and_is_what_its_card_says() -> None:
    content = ASSET.read_bytes()
    card = (ASSET.parent / "asset.md").read_text()
    assert len(content) <= 12 * 1024 * 1024
    assert re.search(r"SHA-256: (\w+)", card).group(1) == hashlib.sha256(content).hexdigest()  # type: ignore[union-attr]
    assert load_model().sha256 == hashlib.sha256(content).hexdigest()


def test_the_model_is_symmetric() -> None:
    model = load_model()
    mean = model.shape_mean
    mirrored = torch.stack([128 - mean[list(FLIP), 0], mean[list(FLIP), 1]], -1)
    assert torch.allclose(mean, mirrored, atol=1e-2)
    for plane in (model.brightness_mean, model.colour_mean):
        assert torch.allclose(plane, plane.flip(-1), atol=2e-3)


def test_a_person_follows_from_the_seed_and_is_a_picture() -> None:
    model = load_model()
    one, same, other = (draw(model, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.texture, same.texture)
    assert torch.equal(one.shape, same.shape)
    assert (one.texture - other.texture).abs().mean() > 0.02
    assert one.texture.shape == (3, DETAIL, DETAIL)
    assert 0 <= float(one.texture.min()) <= float(one.texture.max()) <= 1
    assert float(one.outline[128, 128]) > 5, "the middle of the face is inside its outline"
    assert float(one.outline[2, 2]) < 0, "the corner is background"


def test_a_missing_or_foreign_asset_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no tensors here")
    for path in (tmp_path / "a.safetensors", tmp_path / "none.safetensors"):
        with pytest.raises(ValueError, match=rf"{path.name}: not a face space"):
            load_model(path)
