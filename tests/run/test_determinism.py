"""A picture depends on its own row, a run on its recipe."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from palsykit.faces.views import batch, to_pictures
from palsykit.recipe import Recipe
from palsykit.run.folder import RunFolder
from palsykit.run.generate import generated, row_seed
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened
from palsykit.run.train import trained_model


def drawn(parts: Parts, run: RunFolder, size: int, order: int = 1) -> NDArray[np.int16]:
    """The pictures of a run's grid, made ``size`` at a time; from the last one on if ``order`` is -1."""
    synthesiser, pairs = parts.synthesiser(trained_model(run, parts)), parts.chosen_pairs[::order]
    pictures = []
    for start in range(0, len(pairs), size):
        rows = pairs[start : start + size]
        seeds = [row_seed(parts.settings.generate.seed, row) for row in rows]
        pictures.append(to_pictures(synthesiser.generate(batch(parts.data().dataset, rows), seeds)))
    return np.concatenate(pictures)[::order].astype(np.int16)


def test_a_picture_does_not_depend_on_its_neighbours_or_on_threads(finished: RunFolder) -> None:
    parts, threads = reopened(finished), torch.get_num_threads()
    five, pairs = drawn(parts, finished, 5), parts.chosen_pairs
    assert len(pairs) >= 7
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for size, order in ((1, 1), (2, 1), (7, 1), (7, -1)):
                assert np.abs(drawn(parts, finished, size, order) - five).max() <= 1, (count, size, order)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(five, np.stack(generated(finished, pairs))), "a new process draws what the run drew"


@pytest.mark.parametrize("sampler", ["{use: ddim, steps: 2, eta: 1.0}", "{use: ddpm, steps: 2}"])
def test_samplers_that_draw_noise_draw_it_row_by_row(
    finished: RunFolder, tiny: Callable[..., Recipe], sampler: str
) -> None:
    parts = Parts(tiny(f"sampler={sampler}"))
    alone, five = (drawn(parts, finished, size) for size in (1, 5))
    assert np.abs(alone - five).max() <= 1
    assert len(np.unique(alone.reshape(len(alone), -1), axis=0)) == len(alone)


def test_a_part_starts_from_the_same_weights_whatever_else_the_recipe_has(tiny: Callable[..., Recipe]) -> None:
    whole = Parts(tiny()).model()
    torch.manual_seed(1)  # nothing of it comes from torch's own generator
    less = Parts(tiny("conditions.landmark=null", "fusion.ring={identity: expression, expression: identity}")).model()
    for name in ("identity", "expression"):
        for key, value in whole.encoders[name].state_dict().items():
            assert torch.equal(value, less.encoders[name].state_dict()[key]), f"{name}.{key}"
    assert all(torch.equal(a, b) for a, b in zip(whole.denoiser.parameters(), less.denoiser.parameters(), strict=True))
