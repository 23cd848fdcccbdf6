"""Flips that the data does not allow stop a run before anything is trained."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceRecord
from palsykit.faces.splits import split_records
from palsykit.recipe import Recipe
from palsykit.run import run_recipe


@pytest.mark.parametrize(("changes", "job"), [(["train.flip=0.5"], "train"), ([], "fit-recognition")])
def test_a_run_with_flips_needs_known_sides(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], job: str
) -> None:
    def unsaid(records: Sequence[FaceRecord], seed: int) -> dict[str, list[FaceRecord]]:
        return {
            split: [replace(r, labels=replace(r.labels, side=None, severity=None, group=None)) for r in known]
            for split, known in split_records(records, seed).items()
        }

    monkeypatch.setattr("palsykit.run.parts.split_records", unsaid)
    recipe = tiny(*changes)
    if not changes:
        fits = [recipe.settings.fits[0].model_copy(update={"flip": 0.5}), *recipe.settings.fits[1:]]
        recipe = replace(recipe, settings=recipe.settings.model_copy(update={"fits": fits}))
    with pytest.raises(PalsykitError, match=rf"{job}: flip is 0\.5, and the labels of 12 of 12") as caught:
        run_recipe(recipe, tmp_path / "run")
    assert "the affected side is unknown" in caught.value.problems[0]
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "model").exists()
