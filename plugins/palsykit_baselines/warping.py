"""The classical way: the identity photograph, bent until its landmarks lie where the driver's do."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from palsykit.faces.alignment import similarity
from palsykit.faces.landmarks import COUNT, JAW, NOSE_BASE, NOSE_BRIDGE
from palsykit.interfaces import FaceBatch, FaceView, Network

Points = NDArray[np.float64]
RIGID = [*NOSE_BRIDGE, *NOSE_BASE, 36, 39, 42, 45]
"""Nose and corners of the eyes, which an expression moves little."""
_EDGE = np.linspace(0.0, 1.0, 5)
BORDER: Points = np.array([(x, y) for x in _EDGE for y in _EDGE if x in (0, 1) or y in (0, 1)])
"""Control points [16, 2] around the picture, in image sides, which nothing moves."""


class Warp:
    """Bends the identity photograph by a smoothed thin-plate spline (Bookstein, IEEE PAMI 1989); nothing is trained.

    The driver's landmarks are retargeted by the similarity transform that lays its nose and eye corners on the identity
    person's (Umeyama 1991); the outline of the jaw and the picture's border stay. The driver's own proportions come
    along, for one photograph does not tell them from its expression. What the photograph does not show (teeth, shut
    lids, folds) cannot appear: that is what a synthesis must do better.

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
        image = batch.identity.image
        rows = zip(image, identity, driver, strict=True)
        return torch.stack([bent(picture, own, retargeted(other, own), self.smoothing) for picture, own, other in rows])

    def _landmarks(self, view: FaceView, whose: str) -> Points:
        """[B, 68, 2] px: the data set's, else the network's."""
        given = view.landmarks.detach().cpu().numpy().astype(np.float64)
        missing = np.isnan(given)
        if not missing.any():
            return given
        if self.network is None or isinstance(self.network, str):
            raise ValueError(
                f"warp: {int(missing.any((1, 2)).sum())} of {len(given)} {whose} pictures have no landmarks; expected "
                "all 68 of each: name a landmark network of the recipe by the key network"
            )
        with torch.no_grad():
            found = self.network(view.image).points
        if found is None:
            name = getattr(self.network, "name", type(self.network).__name__)
            raise ValueError(f"warp: network {name!r} finds no points; name a landmark network by the key network")
        return np.where(missing, found.cpu().numpy().astype(np.float64), given)


def retargeted(driver: Points, identity: Points) -> Points:
    """Where the identity person's landmarks [68, 2] go: the driver's in the identity's frame, the jaw left as it is."""
    transform = similarity(driver[RIGID], identity[RIGID])
    there: Points = driver @ transform[:, :2].T + transform[:, 2]
    there[[*JAW]] = identity[[*JAW]]
    return there


def bent(image: Tensor, source: Points, target: Points, smoothing: float) -> Tensor:
    """The picture [3, H, W] with what lies at ``source`` [68, 2] px moved to ``target`` [68, 2] px.

    The spline goes from target to source, so that every pixel says where to read; bilinear, the edge repeated.
    """
    if source.shape != (COUNT, 2) or target.shape != (COUNT, 2):
        raise ValueError(f"found landmarks of shapes {source.shape} and {target.shape}, expected ({COUNT}, 2)")
    height, width = image.shape[-2:]
    sides = np.array([width, height], dtype=np.float64)
    here, there = np.concatenate([target / sides, BORDER]), np.concatenate([source / sides, BORDER])
    spline = RBFInterpolator(here, there, kernel="thin_plate_spline", degree=1, smoothing=smoothing)
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    read = spline(np.stack([x.ravel(), y.ravel()], -1)).reshape(height, width, 2)
    grid = torch.from_numpy(2 * read - 1).to(image.device, image.dtype)
    return F.grid_sample(image[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
