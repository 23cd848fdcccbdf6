"""``joined``: photographs of all parts, under names that cannot collide, with the parts' splits."""

from pathlib import Path

import numpy as np
import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.joined import Joined
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock

KEYS = {"identities": 2, "validation": 1, "test": 0, "renders": 2}
FACES = {"use": "face_space", **KEYS}


def joined(tmp_path: Path, **parts: dict) -> Joined:
    return build_part("datasets", PartBlock(use="joined", parameters={"parts": parts}), 32, tmp_path)


def test_all_photographs_are_there_with_their_splits_and_points(tmp_path: Path) -> None:
    found = joined(tmp_path, one=FACES, other={**FACES, "seed": 1, "renders": 3})
    assert len(found.records) == 3 * 2 + 3 * 3
    assert len({record.key for record in found.records}) == len(found.records)
    assert {record.labels.subject.split(":")[0] for record in found.records} == {"one", "other"}
    assert sum(record.split == "validation" for record in found.records) == 2 + 3
    alone = build_part("datasets", PartBlock(use="face_space", parameters=KEYS), 32, tmp_path)
    assert np.array_equal(found.image(found.records[1]), alone.image(alone.records[1]))
    assert np.array_equal(found.records[1].further, alone.records[1].further)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match="parts is empty"):
        joined(tmp_path)
