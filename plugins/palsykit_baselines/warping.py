"""The classical baseline: warp the identity photograph so that its landmarks match the driver's."""

from collections.abc import Sequence

import torch
from torch import Tensor

from palsykit.faces.warping import retarget, warp
from palsykit.interfaces import FaceBatch, FaceView, Network


class Warp:
    """Warp the identity photograph with a smoothed thin-plate spline (Bookstein, IEEE PAMI 1989). Nothing is trained.

    The driver's landmarks are retargeted (palsykit.faces.warping). If the batch has the driver's face at rest, only its
    movement is transferred. The outline of the jaw and the border of the picture stay. What the photograph does not
    show (teeth, shut lids, folds) cannot appear; that is what a synthesis must do better.

    Args:
        image_size: not used; every picture of a batch has it.
        network: finds landmarks if the data set has none; null refuses such pictures.
        smoothing: of the spline, in squared image sides; 0 passes through every landmark and may fold shut lids.
    """

    def __init__(self, image_size: int, *, network: Network | str | None = None, smoothing: float = 1e-4):
        if smoothing < 0:
            raise ValueError(f"warp: smoothing {smoothing:g}; expected 0 or more, in squared image sides")
        self.image_size, self.network, self.smoothing = image_size, network, smoothing

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """The identity images [B, 3, H, W] in [-1, 1], warped; the seeds change nothing.

        Raises:
            ValueError: landmarks are unknown, and there is no network to find them.
        """
        identity, driver = self._landmarks(batch.identity, "identity"), self._landmarks(batch.driver, "driver")
        rest = None if batch.rest is None else self._landmarks(batch.rest, "rest")
        return warp(batch.identity.image, identity, retarget(driver, identity, rest), self.smoothing)

    def _landmarks(self, view: FaceView, whose: str) -> Tensor:
        """[B, 68, 2] px from the data set; unknown points from the network."""
        known = view.landmarks.detach().double()
        missing = known.isnan()
        if not missing.any():
            return known
        if self.network is None or isinstance(self.network, str):
            raise ValueError(
                f"warp: {int(missing.any(2).any(1).sum())} of {len(known)} {whose} pictures lack landmarks; expected "
                "all 68 of each: set the key network to a landmark network of the recipe"
            )
        with torch.no_grad():
            predicted = self.network(view.image).points
        if predicted is None:
            name = getattr(self.network, "name", type(self.network).__name__)
            raise ValueError(f"warp: network {name!r} gives no points; set the key network to a landmark network")
        return torch.where(missing, predicted.double(), known)
