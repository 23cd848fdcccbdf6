"""The copy baseline."""

import torch

from palsykit.interfaces import FaceBatch, FaceView
from palsykit.registry import registry


def test_gives_the_identity_photographs():
    identity, driver = FaceView.of_images(torch.rand(2, 3, 16, 16)), FaceView.of_images(torch.rand(2, 3, 16, 16))
    images = registry().get("synthesisers", "copy").load()(16).generate(FaceBatch(identity, driver), [1, 2])
    assert torch.equal(images, identity.image)
    images.zero_()
    assert identity.image.any()
