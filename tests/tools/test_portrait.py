"""The portrait of README's first example is a computed face that palsykit finds, and its file says so."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from palsykit.photographs.find import detector_of, frame_face
from palsykit.photographs.mark import read_mark
from palsykit.photographs.read import read_photograph

DOCS = Path(__file__).parents[2] / "docs"


def test_the_portrait_is_a_render_between_strips_of_background(script: Callable[[str], ModuleType]) -> None:
    module = script("tools/portrait.py")
    picture = module.portrait(128)
    assert picture.shape == (128, 128 + module.LEFT + module.RIGHT, 3)
    assert np.ptp(picture[:, : module.LEFT].astype(int), axis=1).max() == 0
    assert np.ptp(picture[:, module.LEFT : -module.RIGHT].astype(int), axis=1).max() > 100


def test_the_shipped_portrait_is_marked_and_has_a_face_without_faults() -> None:
    photograph = read_photograph(DOCS / "portrait.jpg")
    assert photograph.picture.size == (900, 700)
    face = frame_face(photograph, detector_of())
    assert face.notes == ()
    assert not face.is_crop
    for name in ("portrait.jpg", "before-after.jpg"):
        mark = read_mark(DOCS / name)
        assert mark is not None
        assert mark["synthetic"] is True
