"""Random flips: whole pairs, reproducible, refused where labels cannot follow, and never served another's features."""

from dataclasses import replace
from itertools import chain

import pytest
import torch

from palsykit.diffusion.features import FeatureCache
from palsykit.errors import PalsykitError
from palsykit.faces.flip import FlipRefused
from palsykit.faces.pairing import pair
from palsykit.faces.views import view
from palsykit.faces.vocabulary import Side
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.training import loop
from palsykit.training.batches import Draw, PairedFaces, StepSampler, check_flips
from palsykit_trainers.diffusion import DiffusionTrainer


def drawn(flip, count=200, **keys):
    sampler = iter(StepSampler(10, 4, seed=1, flip=flip, **keys))
    return [next(sampler) for _ in range(count)]


def test_flips_are_off_by_default():
    assert Optimisation().flip == 0
    assert not any(draw.mirrored for draw in chain(*drawn(0.0)))
    assert all(draw.mirrored for draw in chain(*drawn(1.0)))


def test_flips_have_the_given_probability_and_change_no_order():
    some, none = list(chain(*drawn(0.3))), list(chain(*drawn(0.0)))
    assert [draw.row for draw in some] == [draw.row for draw in none]
    assert 0.25 < sum(draw.mirrored for draw in some) / len(some) < 0.35
    assert len(set(some)) == 20, "every row both ways"


def test_a_later_start_flips_what_it_would_have_flipped():
    assert drawn(0.5, count=3, first=50) == drawn(0.5, count=53)[50:]


def test_identity_driver_and_target_flip_together(faces):
    paired = PairedFaces(faces, pair(faces.records, 0))
    plain, mirrored = paired[[Draw(4), Draw(5)]], paired[[Draw(4), Draw(5, True)]]
    for one, other in ((plain.identity, mirrored.identity), (plain.driver, mirrored.driver)):
        assert torch.equal(one.image[0], other.image[0])
        assert torch.equal(one.image[1].flip(-1), other.image[1])
        assert one.labels[0] == other.labels[0]
        assert (one.labels[1].side, other.labels[1].side) == (Side.LEFT, Side.RIGHT)
        assert one.landmarks[1, 36, 0] + other.landmarks[1, 45, 0] == one.image.shape[-1]
    assert mirrored.target is mirrored.driver


def test_a_flip_that_labels_cannot_follow_never_reaches_a_batch(faces):
    record = replace(faces.records[0], labels=replace(faces.records[0].labels, side=None, severity=None))
    assert len(view(faces, [record], [False])) == 1
    with pytest.raises(FlipRefused, match="side is unknown"):
        view(faces, [record], [True])


def test_training_with_flips_is_refused_before_it_begins(faces):
    unknown = [replace(r, labels=replace(r.labels, side=None, severity=None)) for r in faces.records[:5]]
    records = [*unknown, *faces.records[5:]]
    check_flips("train", 0.0, records)
    check_flips("train", 0.5, faces.records)
    with pytest.raises(PalsykitError, match=r"train: flip is 0\.5.* 5 of 12 training photographs") as caught:
        check_flips("train", 0.5, records)
    assert caught.value.problems[0].startswith("s0-rest: the affected side is unknown")
    assert caught.value.problems[-1] == "and 2 more"


def test_cached_features_of_a_photograph_are_not_its_mirror_images(faces):
    """Both ways, in one batch and in later ones, a row gets the features of its own pixels."""

    def extract(images):
        return {"pixels": images.flatten(1)}

    cache, records = FeatureCache(), [faces.records[4]] * 2
    faces.pictures[records[0].key][:, :8] //= 2  # the drawn faces are symmetric
    assert not torch.equal(*view(faces, records, [False, True]).image)
    for flags in ([False, True], [True, False], [False, False], [True, True]):
        images = view(faces, records, flags).image
        assert torch.equal(cache.features(images, extract)["pixels"], images.flatten(1))
    assert cache.misses == 2, "one for each way round"


def test_the_loop_flips_as_its_settings_say(faces, model_of, tmp_path):
    class Watched(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            seen.extend(zip(batch.driver.labels, batch.identity.labels, strict=True))
            return super().losses(model, batch, generator, phase)

    keys = {"batch_size": 6, "steps": 4, "precision": "fp32"}
    trainer, sides = Watched(TrainingData(16, (), ())), {}
    for flip in (0.0, 0.5):
        seen = []
        paired = PairedFaces(faces, pair(faces.records, 0))
        settings, folder = Optimisation(**keys, flip=flip), tmp_path / str(flip)
        loop.train(loop.Job("train", model_of(), trainer, paired, settings, 0, folder, lambda line: None))
        assert all(driver.side is identity.side for driver, identity in seen)
        sides[flip] = {driver.side for driver, _ in seen}
    assert sides == {0.0: {Side.LEFT, Side.NONE}, 0.5: {Side.LEFT, Side.RIGHT, Side.NONE}}
