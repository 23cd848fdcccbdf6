"""The section watch and the key tracking of a recipe."""

import pytest

from palsykit.recipe import load_recipe
from palsykit.recipe.problems import RecipeError

TINY = "tests/run/tiny.yaml"


def refusal(*changes: str) -> str:
    with pytest.raises(RecipeError) as refused:
        load_recipe(TINY, changes)
    return str(refused.value)


def test_watching_and_tracking_do_not_change_the_hash():
    plain = load_recipe(TINY)
    assert plain.settings.watch is None
    watched = load_recipe(TINY, ["watch={every: 7}", "tracking=[tensorboard, wandb]"])
    assert watched.settings.watch is not None
    assert (watched.settings.watch.every, watched.settings.watch.best) == (7, "validation_loss")
    assert watched.settings.tracking == ("tensorboard", "wandb")
    assert watched.hash == plain.hash
    assert load_recipe(TINY, ["tracking=tensorboard"]).settings.tracking == "tensorboard"


def test_the_best_weights_change_the_hash_and_so_does_how_they_are_found():
    hashes = {
        load_recipe(TINY, changes).hash
        for changes in (
            [],
            ["watch={}", "generate.checkpoint=best"],
            ["watch={every: 3}", "generate.checkpoint=best"],
            ["watch={best: picture_error}", "generate.checkpoint=best"],
        )
    }
    assert len(hashes) == 4


def test_what_does_not_fit_together_is_refused():
    assert "generate.checkpoint: found best, expected last, or a section watch" in refusal("generate.checkpoint=best")
    assert "expected last, or a section watch" in refusal("watch={best: null}", "generate.checkpoint=best")
    assert "best: picture_error" in refusal("watch={losses: false}")
    wrong = refusal("watch={network: recogntion}")
    assert "one of networks (recognition, expression, points)" in wrong
    assert "recognition" in wrong
    assert "tensorboard" in refusal("tracking=tensorbord")
    assert "watch.every" in refusal("watch={every: 0}")
