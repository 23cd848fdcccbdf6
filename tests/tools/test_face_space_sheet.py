"""The contact sheet: every block and person in its place."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


def test_the_sheet_has_a_row_a_person_and_a_block_a_palsy(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[str], ModuleType]
) -> None:
    module = script("tools/face_space_sheet.py")
    monkeypatch.setattr(module, "PEOPLE", 2)
    picture = np.asarray(module.sheet())
    block = 8 * module.FACE
    assert picture.shape == (module.HEAD + 2 * module.FACE, 3 * block + 2 * module.GAP, 3)
    first, second = (
        picture[module.HEAD + row * module.FACE :][: module.FACE, : module.FACE].astype(int) for row in (0, 1)
    )
    assert np.abs(first - second).mean() > 10, "two people"
    palsied = picture[module.HEAD :][: module.FACE, block + module.GAP :][:, : module.FACE].astype(int)
    change = np.abs(first - palsied).sum(-1)[:52]
    assert change[:, 48:].sum() > 4 * change[:, :48].sum(), "the subject's left is at the image's right"
