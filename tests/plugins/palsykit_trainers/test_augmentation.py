"""Augmentation keeps points on their pixels and sides on their side."""

import torch

from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import FaceBatch, FaceView
from palsykit_trainers.augmentation import augmented, truth


def spots(count: int = 16, size: int = 64) -> FaceView:
    """Dark pictures with one bright pixel, at landmark 0; every other landmark is unknown."""
    generator = torch.Generator().manual_seed(3)
    at = torch.randint(10, size - 10, (count, 2), generator=generator)
    image = torch.full((count, 3, size, size), -0.5)
    image[torch.arange(count), :, at[:, 1], at[:, 0]] = 0.5
    landmarks = torch.full((count, 68, 2), torch.nan)
    landmarks[:, 0] = at.float()
    return FaceView(image, landmarks, (FaceLabels(side=Side.LEFT),) * count)


def test_points_move_with_their_pixels_and_unknown_ones_stay_unknown():
    view = spots()
    changed = augmented(view, torch.Generator().manual_seed(0))
    brightest = changed.image[:, 0].flatten(1).argmax(1)
    found = torch.stack([brightest % 64, brightest // 64], dim=1)
    assert torch.equal(found, changed.landmarks[:, 0].long())
    shift = changed.landmarks[:, 0] - view.landmarks[:, 0]
    assert 0 < shift.abs().max() <= 4  # 0.06 of 64 px
    assert shift.unique(dim=0).shape[0] > 8  # each row its own
    assert changed.landmarks[:, 1:].isnan().all()


def test_no_picture_is_ever_flipped():
    view = spots()
    left = view.landmarks[:, 0, 0] < 26
    for seed in range(20):
        changed = augmented(view, torch.Generator().manual_seed(seed))
        assert (changed.landmarks[left, 0, 0] < 32).all()
        assert changed.labels == view.labels


def test_light_changes_within_the_range_of_images():
    view = FaceView.of_images(torch.rand(32, 3, 16, 16) * 2 - 1)
    changed = augmented(view, torch.Generator().manual_seed(0)).image
    assert changed.abs().max() <= 1
    assert changed.mean((1, 2, 3)).std() > view.image.mean((1, 2, 3)).std() + 0.03


def test_only_the_given_generator_is_drawn_from():
    view, state = spots(), torch.get_rng_state()
    first, second = (augmented(view, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.image, second.image)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_truth_is_the_target_or_else_the_driver():
    driver, target = spots(), spots()
    assert truth(FaceBatch(spots(), driver, target)) is target
    assert truth(FaceBatch(spots(), driver)) is driver
