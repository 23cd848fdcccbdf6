"""Plain diffusion on whole pictures and on windows about the face."""

from dataclasses import replace

import pytest
import torch

from palsykit.faces.pairing import pair
from palsykit.faces.views import FaceView, batch
from palsykit.interfaces import Conditioning, Guess, TrainingData
from palsykit.seeds import generator
from palsykit_trainers.diffusion import DiffusionTrainer


@pytest.fixture
def rows(faces):
    return batch(faces, pair(faces.records, 0)[:6])


@pytest.fixture
def trainer(faces):
    return lambda **keys: DiffusionTrainer(TrainingData(faces.image_size, faces.records, ()), **keys)


class Watched(torch.nn.Module):
    """A denoiser that remembers what it got."""

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        self.x_t, self.conditioning = x_t, conditioning
        return 0 * x_t


def watched(model, rows):
    """The model, with its target as map and as guess, and the denoiser that watches."""
    fuse, model.denoiser = model.fuse, Watched()
    picture = rows.target.image
    model.fuse = lambda encoded: replace(fuse(encoded), spatial=picture, guess=Guess(picture, torch.ones(len(picture))))
    return model, model.denoiser


def test_a_window_of_the_whole_side_is_the_whole_picture(model_of, faces, rows, trainer):
    plain, window = (
        trainer(**keys).losses(model_of(drop=0.3), rows, generator("a"), "model")["noise"]
        for keys in ({}, {"window": faces.image_size, "whole": 0.0})
    )
    assert torch.equal(plain, window)


def test_a_window_is_about_forehead_to_mouth_and_cuts_map_and_guess_at_the_same_place(model_of, faces, rows, trainer):
    # A picture whose pixels say where they are, with the inner points about (9, 10) and a bridge of 6 px.
    side = faces.image_size
    where = torch.stack([torch.arange(side).expand(side, side), torch.arange(side)[:, None].expand(side, side)]).float()
    image = torch.cat([where, where[:1]])[None].expand(len(rows), -1, -1, -1) / 100
    points = torch.tensor([9.0, 10.0]).repeat(len(rows), 68, 1)
    points[:, 30, 1] += 6.0  # the tip of the nose; the forehead begins 6 px above the brows
    points[:, :17] = 0.0  # the jaw does not count
    view = FaceView(image, points, rows.target.labels)
    model, denoiser = watched(model_of(), replace(rows, target=view))
    trainer(window=10, whole=0.0).losses(model, replace(rows, target=view), generator("a"), "model")
    assert denoiser.x_t.shape[-2:] == (10, 10)
    assert torch.equal(denoiser.conditioning.spatial, denoiser.conditioning.guess.image)
    left, top = (denoiser.conditioning.spatial[:, channel, 0, 0] * 100 for channel in (0, 1))
    assert ((left - 4).abs() <= 2.5).all(), "the middle is at 9, so the window begins at 4, moved by at most a fifth"
    assert ((top - 5).abs() <= 2.5).all(), "the middle is at 10, between 4 and 16"


def test_without_landmarks_the_window_is_in_the_middle(model_of, faces, rows, trainer):
    unknown = replace(rows, target=FaceView.of_images(rows.target.image))
    model, denoiser = watched(model_of(), unknown)
    trainer(window=12, whole=0.0).losses(model, unknown, generator("a"), "model")
    assert denoiser.x_t.shape[-2:] == (12, 12)


def test_some_steps_are_on_whole_pictures(model_of, faces, rows, trainer):
    model, denoiser = watched(model_of(), rows)
    made = trainer(window=8, whole=0.25)
    sides = []
    for step in range(80):
        made.losses(model, rows, generator("step", step), "model")
        sides.append(denoiser.x_t.shape[-1])
    assert set(sides) == {8, faces.image_size}
    assert 8 <= sides.count(faces.image_size) <= 32  # 20 are expected


def test_a_window_larger_than_the_pictures_is_refused(faces, trainer):
    with pytest.raises(ValueError, match=f"found 64 px, expected at most the pictures' side, {faces.image_size} px"):
        trainer(window=64)
