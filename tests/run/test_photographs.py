"""A run whose model has no guess: its face is pasted back, enlarged, into the photograph."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import palsykit as package
from palsykit.faces.alignment import to_frame
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.run.folder import RunFolder
from palsykit.synthesis.request import Request

LEFT, TOP, FRAME = 110, 70, 256


@pytest.fixture
def photograph(tmp_path: Path) -> tuple[Path, NDArray[np.uint8]]:
    """A computed person in a photograph of 480 x 400 px, as a file and as pixels."""
    people = {"identities": 1, "validation": 0, "test": 0, "renders": 1, "vary": ()}
    faces = build_part("datasets", PartBlock(use="face_space", parameters=people), FRAME, tmp_path / "cache")
    pixels = np.full((400, 480, 3), 209, np.uint8)
    pixels[TOP : TOP + FRAME, LEFT : LEFT + FRAME] = faces.image(faces.records[0])
    Image.fromarray(pixels).save(tmp_path / "anna.png")
    return tmp_path / "anna.png", pixels


def test_a_model_without_a_guess_gives_a_photograph_too(
    finished: RunFolder, photograph: tuple[Path, NDArray[np.uint8]]
) -> None:
    file, pixels = photograph
    model = package.load(finished.path)
    result = model.generate(identity=file, expression="smile_full", side="left", severity=5.0)
    assert result.size == (480, 400)
    # Outside the face nothing changes.
    changed = (np.asarray(result) != pixels).any(-1)
    y, x = np.mgrid[:400, :480] + 0.5
    person = model.read("identity", file)
    assert person.detection is not None
    matrix = to_frame(person.detection.five, 1)
    frame = np.stack([x, y], -1) @ matrix[:, :2].T + matrix[:, 2]
    assert not changed[((frame < 0) | (frame > 1)).any(-1)].any()
    face = (np.abs(frame - [0.5, 0.55]) < 0.2).all(-1)
    assert changed[face].mean() > 0.95
    # A user is told of it.
    made = model.synthesise_person(person, Request.of(expression="smile_full", side="left", severities=(5.0,)))[0]
    assert made.notes == ("the model makes pictures of 32 px and says no movement; its face is enlarged",)
    assert np.array_equal(made.photograph(), result)
