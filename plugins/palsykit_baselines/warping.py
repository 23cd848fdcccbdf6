"""The classical way: the identity photograph, bent until its landmarks lie where the driver's do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from palsykit.faces.warping import retargeted, warp
from palsykit.interfaces import FaceBatch, FaceView, Network


class Warp:
    """Bends the identity photograph by a smoothed thin-plate spline (Bookstein, IEEE PAMI 1989); nothing is trained.

    The driver's landmarks are retargeted (palsykit.faces.warping), by what moved since its person was at rest where the
    batch knows that; the outline of the jaw and the picture's border stay. What the photograph does not show (teeth,
    shut lids, folds) cannot appear: that is what a synthesis must do better.

    Args:
        image_size: not used; every picture of a batch has it.
        network: finds landmarks where the data set has none; null refuses such pictures.
        smoothing: of the spline, in squared image sides; 0 goes through every landmark and may fold shut lids over.
    """

    def __init__(self, image_size: int, *, network: Network | str | None = None, smoothing: float = 1e-4):
        if smoothing < 0:
            raise ValueError(f"warp: smoothing {smoothing:g}; expected 0 or more, in squared image sides")
        self.image_size, self.network, self.smoothing = image_size, network, smoothing

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """The identity images [B, 3, H, W] in [-1, 1], bent; the seeds change nothing.

        Raises:
            ValueError: for landmarks that are not known, without a network to find them.
        """
        identity, driver = self._landmarks(batch.identity, "identity"), self._landmarks(batch.driver, "driver")
        rest = None if batch.rest is None else self._landmarks(batch.rest, "rest")
        return warp(batch.identity.image, identity, retargeted(driver, identity, rest), self.smoothing)

    def _landmarks(self, view: FaceView, whose: str) -> Tensor:
        """[B, 68, 2] px: the data set's, else the network's."""
        given = view.landmarks.detach().double()
        missing = given.isnan()
        if not missing.any():
            return given
        if self.network is None or isinstance(self.network, str):
            raise ValueError(
                f"warp: {int(missing.any(2).any(1).sum())} of {len(given)} {whose} pictures have no landmarks; "
                "expected all 68 of each: name a landmark network of the recipe by the key network"
            )
        with torch.no_grad():
            found = self.network(view.image).points
        if found is None:
            name = getattr(self.network, "name", type(self.network).__name__)
            raise ValueError(f"warp: network {name!r} finds no points; name a landmark network by the key network")
        return torch.where(missing, found.double(), given)
