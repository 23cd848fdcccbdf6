"""Landmarks that a network finds in a view, and the driver's transferred to another face; for encoders and maps."""

from torch import Tensor

from palsykit.faces.views import FaceView
from palsykit.faces.warping import retarget
from palsykit.interfaces import Network
from palsykit.networks import once


def find_points(network: Network, view: FaceView) -> Tensor:
    """Find the 68 points [B, 68, 2] px in a view with ``network``.

    Raises:
        ValueError: the network does not compute points.
    """
    points = network(view.image).points
    if points is None:
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(f"network {name!r} finds no points; name one that does")
    return points


def driver_points(
    network: Network, driver: FaceView, face: FaceView | None = None, rest: FaceView | None = None
) -> Tensor:
    """The driver's points [B, 68, 2] px; with ``face``, transferred to that face (palsykit.faces.warping.retarget).

    The transfer removes the driver's head position and size, which do not belong to the expression. With ``rest``, the
    driver's person at rest, the face's points move as the driver's moved from rest.
    """
    points = find_points(network, driver)
    if face is None:
        return points
    own = find_points(network, face)
    still = None if rest is None else find_points(network, rest)
    return once(_retargeted, points, own, still)


def _retargeted(points: Tensor, own: Tensor, still: Tensor | None) -> Tensor:
    return retarget(points, own, still).float()
