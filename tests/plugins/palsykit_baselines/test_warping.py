"""The landmark warp as a synthesiser: landmarks given, found or refused; tests/faces has the warp itself."""

import pytest
import torch
from torch import nn

from palsykit.faces.warping import retarget, warp
from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.registry import registry
from palsykit.testing.stand_ins import face_batch
from palsykit_baselines.warping import Warp

SIZE = 64


def unknown(view):
    return FaceView(view.image, torch.full_like(view.landmarks, torch.nan), view.labels)


def test_unknown_landmarks_are_found_or_refused():
    batch = face_batch(2, SIZE)
    blind = FaceBatch(unknown(batch.identity), unknown(batch.driver))
    with pytest.raises(ValueError, match="2 of 2 identity pictures lack landmarks"):
        Warp(SIZE).generate(blind, [0, 1])

    class Known(nn.Module):
        map_shape, embedding_width = (3, SIZE, SIZE), None

        def forward(self, image):
            same = torch.equal(image, batch.identity.image)
            return NetworkOutput(image, points=(batch.identity if same else batch.driver).landmarks)

    found = Warp(SIZE, network=SharedNetwork("points", Known())).generate(blind, [0, 1])
    torch.testing.assert_close(found, Warp(SIZE).generate(batch, [0, 1]))

    class Blind(Known):
        def forward(self, image):
            return NetworkOutput(image)

    with pytest.raises(ValueError, match="'recognition' gives no points"):
        Warp(SIZE, network=SharedNetwork("recognition", Blind())).generate(blind, [0, 1])


def test_the_truth_is_not_looked_at():
    batch = face_batch(2, SIZE)
    without = FaceBatch(batch.identity, batch.driver)
    made = registry().get("synthesisers", "warp").load()(SIZE)
    assert torch.equal(made.generate(batch, [0, 1]), made.generate(without, [5, 6]))


def test_odd_settings_are_refused():
    with pytest.raises(ValueError, match="smoothing -1"):
        Warp(SIZE, smoothing=-1.0)


def test_it_is_the_identity_picture_bent_to_the_drivers_landmarks():
    batch = face_batch(2, SIZE)
    own = batch.identity.landmarks
    expected = warp(batch.identity.image, own, retarget(batch.driver.landmarks, own), 1e-3)
    assert torch.equal(Warp(SIZE, smoothing=1e-3).generate(batch, [0, 1]), expected)


def test_only_movement_is_carried_over_where_the_driver_is_known_at_rest():
    batch = face_batch(2, SIZE)
    still = FaceBatch(batch.identity, batch.driver, rest=batch.driver)
    torch.testing.assert_close(Warp(SIZE).generate(still, [0, 1]), batch.identity.image, atol=1e-4, rtol=0)
