"""Estimate the 189 template points of a face from its 68 landmarks."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.model import load_model

SMOOTHING = 0.5
"""px^2 of the 128 px frame; lip landmarks that nearly touch would fold an exact spline over."""


def template_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean face's template points [189, 2], moved as its 68 landmarks move to ``landmarks`` [68, 2].

    Both in px of the 128 px frame; a thin-plate spline interpolates between the landmarks (Bookstein, PAMI 1989).
    """
    mean = load_model().shape_mean.numpy().astype(np.float64)
    spline = RBFInterpolator(to_ibug68(mean), landmarks, kernel="thin_plate_spline", smoothing=SMOOTHING)
    return np.asarray(spline(mean), dtype=np.float64)
