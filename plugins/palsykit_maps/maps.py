"""Maps that lie over the picture: a photograph as it is, landmarks drawn as lines, a photograph bent to landmarks."""

from torch import Tensor

from palsykit.diffusion.points import driver_points, find_points
from palsykit.faces.warping import warp
from palsykit.interfaces import FaceView, Network, ViewName
from palsykit_maps.outlines import PARTS, outlines


class Photograph:
    """A view's picture beside the noisy one (image-to-image diffusion: Saharia et al., Palette, arXiv:2111.05826).

    A recognition network is trained to forget light and much of the colour, which a picture of the person needs; a
    pretrained generator, from which CFCPalsy (arXiv:2409.07271) starts, has seen enough faces to guess them. With the
    identity photograph as a map, hair, skin and light need not be guessed.

    Args:
        image_size: side of the images in px; not used.
        of: whose picture.
    """

    channels = 3

    def __init__(self, image_size: int, *, of: ViewName = "identity"):
        self.views: tuple[ViewName, ...] = (of,)

    def __call__(self, view: FaceView) -> Tensor:
        """[B, 3, H, W] in [-1, 1]."""
        return view.image


class Outlines:
    """The 68 points of a view, drawn: lines of brows, lids, nose, lips and jaw.

    As adapters for diffusion models give a pose or a sketch (T2I-Adapter, Mou et al., arXiv:2302.08453). That a token
    is a place has to be learnt; a line is in its place.

    Args:
        image_size: side of the images in px.
        of: whose points.
        laid_on: the view on whose face they are laid (palsykit.faces.warping.retarget); null leaves them.
        rest: the driver's person at rest, for ``laid_on``: the face's points move as the driver's have moved.
        network: what finds the points.
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
    """A picture that is bent until its landmarks lie where the driver's do (palsykit.faces.warping).

    What moves has moved already, and the denoiser adds what a warp cannot, such as teeth, shut lids and folds (as
    warping by sparse points and then generating does: Siarohin et al., First Order Motion Model, arXiv:2003.00196).

    Args:
        image_size: side of the images in px; not used.
        picture: the view that is bent.
        to: the view whose expression it gets; its points are laid on the picture's face.
        rest: the driver's person at rest: the picture's points move as the driver's have moved. null, or where a batch
            has no such view: they go where the driver's are.
        network: what finds the points.
    """

    channels = 3

    def __init__(
        self,
        image_size: int,
        *,
        picture: ViewName = "identity",
        to: ViewName = "driver",
        rest: ViewName | None = None,
        network: Network | str = "points",
    ):
        self.network = network
        self.views = (to, picture) if rest is None else (to, picture, rest)

    def __call__(self, driver: FaceView, picture: FaceView, rest: FaceView | None = None) -> Tensor:
        """[B, 3, H, W] in [-1, 1]."""
        target = driver_points(self.network, driver, picture, rest)
        return warp(picture.image, find_points(self.network, picture), target)
