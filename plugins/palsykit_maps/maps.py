"""Maps with the size of the picture: an unchanged photograph, landmarks drawn as lines, a warped photograph."""

import torch
from torch import Tensor

from palsykit.diffusion.features import FeatureCache
from palsykit.diffusion.points import driver_points, find_points
from palsykit.faces.warping import coarse_bend, read_at, warp
from palsykit.interfaces import FaceView, Network, ViewName
from palsykit_maps.outlines import PARTS, outlines


class Photograph:
    """A view's picture as a map (image-to-image diffusion: Saharia et al., Palette, arXiv:2111.05826).

    A recognition network is trained to ignore light and most of the colour, but a picture of the person needs them.
    CFCPalsy (arXiv:2409.07271) starts from a pretrained generator, which has seen enough faces to guess them. With the
    identity photograph as a map, hair, skin and light need not be guessed.

    Args:
        image_size: side of the images in px; not used.
        of: the view.
    """

    channels, is_picture = 3, True

    def __init__(self, image_size: int, *, of: ViewName = "identity"):
        self.views: tuple[ViewName, ...] = (of,)

    def __call__(self, view: FaceView) -> Tensor:
        """[B, 3, H, W] in [-1, 1]."""
        return view.image


class Outlines:
    """Draw the 68 points of a view as lines of brows, lids, nose, lips and jaw.

    Adapters of diffusion models show a pose or a sketch in the same way (T2I-Adapter, Mou et al., arXiv:2302.08453).
    A model must learn which position a token stands for; a line in a map is already at its position.

    Args:
        image_size: side of the images in px.
        of: the view.
        laid_on: fit the points to the face of this view (palsykit.faces.warping.retarget); null does not move them.
        rest: the driver's person at rest, for ``laid_on``: the face's points then move as the driver's have moved.
        network: the network that finds the points.
    """

    channels = len(PARTS)

    def __init__(
        self,
        image_size: int,
        *,
        of: ViewName = "driver",
        laid_on: ViewName | None = None,
        rest: ViewName | None = None,
        network: Network | str = "points",
    ):
        if rest is not None and laid_on is None:
            raise ValueError(f"outlines: found rest: {rest} and laid_on: null; expected laid_on: identity, or no rest")
        self.image_size, self.network = image_size, network
        self.views = tuple(name for name in (of, laid_on, rest) if name is not None)

    def __call__(self, *views: FaceView | None) -> Tensor:
        """[B, 7, H, W] in [0, 1]."""
        return outlines(driver_points(self.network, *views), self.image_size)


class Warped:
    """Warp a picture so that its landmarks match the driver's (palsykit.faces.warping).

    The movement is then already in the map; the denoiser adds what a warp cannot show, such as teeth, shut lids and
    folds (as in Siarohin et al., First Order Motion Model, arXiv:2003.00196: warp by sparse points, then generate).
    The splines of landmarks that were seen before are cached; they take most of the time.

    Args:
        image_size: side of the images in px; not used.
        picture: the view to warp.
        to: the view whose expression it gets; its points are fitted to the picture's face.
        rest: the driver's person at rest: the picture's points then move as the driver's have moved. If null, or if a
            batch has no such view, they move to the driver's points.
        network: the network that finds the points.
    """

    channels, is_picture = 3, True

    def __init__(
        self,
        image_size: int,
        *,
        picture: ViewName = "identity",
        to: ViewName = "driver",
        rest: ViewName | None = None,
        network: Network | str = "points",
    ):
        self.network, self._splines = network, FeatureCache()
        self.views = (to, picture) if rest is None else (to, picture, rest)

    def __call__(self, driver: FaceView, picture: FaceView, rest: FaceView | None = None) -> Tensor:
        """[B, 3, H, W] in [-1, 1]."""
        source, target = self.moves(driver, picture, rest)
        if torch.is_grad_enabled() and (source.requires_grad or target.requires_grad):
            return warp(picture.image, source, target)
        sides = picture.image.shape[-2:]
        ends = torch.stack([source, target], 1)
        fields = self._splines.features(ends, lambda both: {"places": coarse_bend(both[:, 0], both[:, 1], *sides)})
        return read_at(picture.image, fields["places"], source, target)

    def moves(self, driver: FaceView, picture: FaceView, rest: FaceView | None = None) -> tuple[Tensor, Tensor]:
        """Where the picture's landmarks are and where they go, each [B, 68, 2] px."""
        target = driver_points(self.network, driver, picture, rest)
        return find_points(self.network, picture), target
