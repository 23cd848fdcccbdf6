"""Points that a network finds in a view, and the driver's laid on another face, for encoders and maps alike."""

from torch import Tensor

from palsykit.faces.views import FaceView
from palsykit.faces.warping import retarget
from palsykit.interfaces import Network
from palsykit.networks import once


def found_points(network: Network, view: FaceView) -> Tensor:
    """The 68 points [B, 68, 2] px that ``network`` finds.

    Raises:
        ValueError: it finds none.
    """
    points = network(view.image).points
    if points is None:
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(f"network {name!r} finds no points; name one that does")
    return points


def laid_points(
    network: Network, driver: FaceView, face: FaceView | None = None, rest: FaceView | None = None
) -> Tensor:
    """The driver's points [B, 68, 2] px; with ``face`` laid on that face (palsykit.faces.warping.retarget).

    Where the driver's head was, and how large, says nothing of the expression. With ``rest``, the driver's person at
    rest, the face's points move as the driver's have moved.
    """
    points = found_points(network, driver)
    if face is None:
        return points
    own = found_points(network, face)
    still = None if rest is None else found_points(network, rest)
    return once(_laid, points, own, still)


def _laid(points: Tensor, own: Tensor, still: Tensor | None) -> Tensor:
    return retarget(points, own, still).float()
