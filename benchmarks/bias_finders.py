"""What finds landmarks, for landmark_bias.py: a network, the whole of palsykit measure, a detector."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.photographs.find import UnusableFace, detector_of, eye_distance
from palsykit.photographs.read import read_photograph
from palsykit_measure.network import load_network
from palsykit_measure.reading import Reader

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]
NOTHING = np.full((68, 2), np.nan)
BORDER = (40, 24, 20, 32)
"""px left, right, above and below: a picture with such a border is no crop in the face frame, so it is framed anew."""


@dataclass(frozen=True)
class Finder:
    """Finds the points of a face.

    Attributes:
        name: in tables.
        find: [S, S, 3] in the face frame -> [68, 2] px; NaN if no face is found.
        facts: what it is, for files.
    """

    name: str
    find: Callable[[Pixels], Points]
    facts: dict[str, Any] = field(default_factory=dict)


def network_finder(spec: str) -> Finder:
    """The network alone: it reads the picture, which is in the face frame, once."""
    network = load_network(spec)

    def find(picture: Pixels) -> Points:
        frame = Image.fromarray(picture).resize((network.size, network.size), Image.Resampling.LANCZOS)
        return network.find(np.asarray(frame)[None].copy())[0] * len(picture)

    return Finder(f"{_short(spec)} alone", find, network.facts)


def measure_finder(spec: str) -> Finder:
    """``palsykit measure`` itself: the built-in detector frames the face, and picture and mirror image are read."""
    reader = Reader(load_network(spec), detector_of())
    left, right, top, bottom = BORDER

    def find(picture: Pixels) -> Points:
        whole = np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="edge")
        try:
            return reader.read(read_photograph(whole), force=True).landmarks - (left, top)
        except UnusableFace:
            return NOTHING

    return Finder(f"palsykit measure, {_short(spec)}", find, reader.network.facts)


def detector_finder(name: str) -> Finder:
    """A detector's own 68 points.

    Raises:
        PalsykitError: there is no such detector, or it needs settings.
    """
    detector = detector_of(name)

    def find(picture: Pixels) -> Points:
        faces = detector.detect(picture)
        if not faces:
            return NOTHING
        landmarks = max(faces, key=eye_distance).landmarks
        if landmarks is None:
            raise PalsykitError(f"--detector {name}: gives no 68 landmarks; name another one")
        return landmarks

    return Finder(f"detector {name}", find, {"version": detector.version})


def _short(spec: str) -> str:
    """RECIPE:NAME=WEIGHTS as NAME, with the weights' file or, of a run, its folder."""
    head, _, weights = spec.partition("=")
    where, _, name = head.rpartition(":")
    source = Path(weights).name if weights else "" if Path(where).suffix else Path(where).name
    return f"{name} of {source}" if source else name
