"""The generator: what it copies, what it is told by, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.files.weights import save
from palsykit.interfaces import FaceBatch
from palsykit.testing import check
from palsykit.testing.stand_ins import face_batch, faces

SIZE = 32
Build = Callable[..., Any]


@pytest.mark.parametrize("keys", [{}, {"patch": 2, "residual": False}])
def test_it_keeps_the_contract_of_a_synthesiser_that_is_trained(keys: dict[str, Any]) -> None:
    small = {"channels": [8, 16], "vector": 16} | keys
    checked = [result.check for result in check("synthesiser", "adversarial", **small) if result.state == "passed"]
    assert "gradients reach every parameter" in checked
    assert "its conditioning matches its spec" in checked


def test_a_picture_depends_on_its_row_and_on_no_seed(generator_of: Build) -> None:
    model, batch = generator_of(residual=False).eval(), face_batch(5, SIZE)
    together = model.generate(batch, [1, 2, 3, 4, 5])
    assert torch.equal(together, model.generate(batch, [9, 8, 7, 6, 5]))
    alone = torch.cat([model.generate(batch.rows(row, row + 1), [row]) for row in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert float(together.abs().max()) <= 1


def test_another_driver_or_another_person_makes_another_picture(generator_of: Build) -> None:
    model, batch = generator_of(residual=False).eval(), face_batch(2, SIZE)
    made = model.generate(batch, [0, 0])
    driven = model.generate(FaceBatch(batch.identity, faces(2, SIZE, "somebody")), [0, 0])
    someone = model.generate(FaceBatch(faces(2, SIZE, "somebody"), batch.driver), [0, 0])
    assert not torch.allclose(made, driven, atol=1e-4)
    assert not torch.allclose(made, someone, atol=1e-2)


def test_it_starts_from_a_copy(generator_of: Build) -> None:
    """What is painted starts at zero, and patches keep their pixels in place."""
    batch = face_batch(2, SIZE)
    for keys in ({}, {"patch": 2}, {"patch": 4, "channels": [8, 16]}):
        assert torch.equal(generator_of(**keys).eval().generate(batch, [0, 0]), batch.identity.image)
    painted = generator_of(residual=False).eval().generate(batch, [0, 0])
    assert float((painted - batch.identity.image).abs().mean()) > 0.05


def test_it_starts_from_the_guess(generator_of: Build) -> None:
    model, batch = generator_of(maps={"warped": {"use": "warped"}}, guess="warped").eval(), face_batch(2, SIZE)
    asked = model.encode(batch)
    assert not torch.allclose(asked.guess.image, batch.identity.image, atol=1e-2)
    torch.testing.assert_close(model.generate(batch, [0, 0]), asked.guess.image.clamp(-1, 1))


def test_maps_lie_beside_the_picture(generator_of: Build) -> None:
    model, batch = generator_of(maps={"warped": {"use": "warped"}}).eval(), face_batch(2, SIZE)
    assert model.spec.spatial == 3
    asked = model.encode(batch)
    assert asked.spatial.shape == (2, 3, SIZE, SIZE)
    assert asked.guess is None
    still = model.encode(FaceBatch(batch.identity, batch.identity))
    torch.testing.assert_close(still.spatial, batch.identity.image, atol=1e-3, rtol=0)
    assert not torch.allclose(asked.spatial, batch.identity.image, atol=1e-2)


def test_a_condition_beside_the_identity_view_is_given_it(generator_of: Build) -> None:
    points = {"landmark": {"use": "landmark", "width": 8, "points": True}}
    batch = face_batch(2, SIZE)
    alone, beside = (generator_of(conditions=points, beside=names).encode(batch) for names in ([], ["landmark"]))
    assert not torch.allclose(alone.pooled, beside.pooled)


def test_without_maps_there_are_none(generator_of: Build) -> None:
    model = generator_of(conditions={"expression": {"use": "expression", "tokens": 1, "width": 8}}, maps={})
    assert model.encode(face_batch(2, SIZE)).spatial is None
    assert model.generate(face_batch(2, SIZE), [0, 0]).shape == (2, 3, SIZE, SIZE)


def test_weights_of_a_file_are_its_own(generator_of: Build, tmp_path: Path) -> None:
    made, batch = generator_of(seed=3).eval(), face_batch(2, SIZE)
    save(made.state_dict(), tmp_path / "synthesiser.safetensors")
    again = generator_of(weights=str(tmp_path / "synthesiser.safetensors")).eval()
    assert torch.equal(again.generate(batch, [0, 0]), made.generate(batch, [0, 0]))
    with pytest.raises(
        PalsykitError, match=r"not the weights of this Generator: .*vector\.weight \[16, .*expected \[8, "
    ):
        generator_of(vector=8, weights=str(tmp_path / "synthesiser.safetensors"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"conditions": {}}, "conditions: none, expected one or more"),
        ({"beside": ["mouth"]}, "beside: mouth; expected names of conditions: expression, landmark"),
        ({"channels": [8]}, r"channels: \[8\]; expected two or more, each a multiple of 8"),
        ({"channels": [8, 12]}, r"channels: \[8, 12\]; expected two or more, each a multiple of 8"),
        ({"image_size": 48, "patch": 4, "channels": [8, 16, 16]}, "patch is 12, .*multiple of 4, 16 or more"),
        ({"guess": "mouth"}, "guess: mouth; expected the name of a map of 3 channels; maps: outlines"),
        ({"guess": "outlines"}, "guess: outlines; expected the name of a map of 3 channels"),
        ({"patch": 3}, "patch"),
    ],
)
def test_what_cannot_be_built_is_refused(generator_of: Build, keys: dict[str, Any], said: str) -> None:
    with pytest.raises((PalsykitError, ValueError), match=said):
        generator_of(**keys).generate(face_batch(1, SIZE), [0])
