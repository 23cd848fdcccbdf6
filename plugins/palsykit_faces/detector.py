"""The detector ``mediapipe``: finds every face in a photograph, whatever its size and however it is turned."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palsykit.faces.interfaces import Detection
from palsykit.parallel import one_thread
from palsykit_faces.blazeface import BlazeFace, Candidate
from palsykit_faces.graph import shipped_models, version
from palsykit_faces.mesh import Mesh, read_eyes, read_meshes
from palsykit_faces.picture import Picture, Square
from palsykit_faces.points import detection

_UPRIGHT = 0.85
"""Score of the short-range detector from which a face is certainly not upside down (those have at most 0.77)."""
_LARGE = 0.25
"""Side of the box of a certain face, in longer sides of the photograph, from which no smaller faces are looked for."""
_TURNS = (0.0, math.pi / 2, math.pi, -math.pi / 2)
_PADDED, _FAR = 1.8, 3.0
"""Sides of squares around the photograph, for faces that fill it: 40 % and 100 % of the photograph on each side."""
_VIEW = 2.0
"""Side of the square in which a candidate is looked at again, in sides of its box."""
_LOOKS, _FILLS = 3, 0.6
"""Most looks at one place, and the part of it that a face must fill for the last one."""
_READINGS = 4
"""Most readings of one mesh."""
_OVERLAP = 0.2
_SMALLEST_TILE = 160
"""Side in px of the smallest upright tiles; smaller ones would only be enlarged."""

_WAY = 2
"""Increase it when the same photograph would give other faces or points; part of the version."""

Attempt = list[tuple[BlazeFace, list[Square]]]


class MediaPipe:
    """Find and frame faces with Google's MediaPipe models, which are shipped: no download, nothing to configure.

    BlazeFace's short-range detector (Bazarevsky et al., arXiv:1907.05047) reads the photograph as it is, and unless it
    is certain of a large face, the full-range one does. If they find nothing, both read it with a margin, turned by 90,
    180 and 270 degrees, and in tiles. The face mesh (Kartynnik et al., arXiv:1907.06724)
    reads each face twice, the second time in its own frame, and the iris model (Ablavatski et al., arXiv:2006.11341)
    both eyes. A face that is not certainly upright is looked at in four directions, and the best one counts.

    It finds, it does not grade. The models see regular faces: on simulated palsies whose mouth corners stand 12 to
    21 mm apart in height the mesh shows 0.1 to 1.3 mm, and with one eye shut and the other 11.8 mm open it shows a
    difference of 0.1 mm. Do not measure asymmetry or eye closure by its points.

    Args:
        threshold: lowest score of a face in the detectors.
        presence: lowest probability, by the face mesh, that there is a face.
    """

    frames_only = True
    """Its points are not taken as landmarks of a data set."""

    parallel = True
    """It keeps nothing between photographs."""

    def __init__(
        self,
        *,
        threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        presence: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    ):
        models = shipped_models()
        self.presence = presence
        self.version = f"{version()}-{_WAY}-{threshold}-{presence}"
        self._short = BlazeFace("short_range", models["short_range"], threshold)
        self._full = BlazeFace("full_range", models["full_range"], threshold)
        self._mesh, self._iris = models["mesh"], models["iris"]

    def detect(self, photograph: NDArray[np.uint8]) -> Sequence[Detection]:
        """Every face in a photograph [H, W, 3] RGB, the most confident first; empty if there is none.

        The photograph may be turned: ``pose.roll`` of each face says by how much. Faces much smaller than others in
        the same photograph may be missed: tiles are read only where the whole photograph shows no face, and the
        full-range detector does not look behind a certain face whose box is a quarter of the photograph or larger.

        Raises:
            ValueError: the photograph is not uint8 [H, W, 3].
        """
        if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[2] != 3 or not photograph.size:
            raise ValueError(f"photograph: found {photograph.dtype} {list(photograph.shape)}, expected uint8 [H, W, 3]")
        picture = Picture(photograph)
        with one_thread():  # on such small layers several threads wait for each other longer than they compute
            for candidates in self._candidates(picture):
                if faces := self._confirm(picture, _distinct(candidates)):
                    records = [detection(score, mesh, *read_eyes(self._iris, picture, mesh)) for score, mesh in faces]
                    return sorted(records, key=lambda face: -face.score)
        return []

    def _candidates(self, picture: Picture) -> Iterator[list[Candidate]]:
        """What may be faces, attempt by attempt, until some are."""
        whole = picture.whole()
        near = self._short.find(picture, [whole])
        if any(found.score >= _UPRIGHT and found.square.side >= _LARGE * whole.side for found in near):
            yield near
        yield near + self._full.find(picture, [whole])
        for attempt in self._attempts(picture):
            yield [found for detector, squares in attempt for found in detector.find(picture, squares)]

    def _attempts(self, picture: Picture) -> Iterator[Attempt]:
        """What to read if the photograph as it is shows no face: the most usual first."""
        whole = picture.whole()
        yield [(self._short, [whole.larger(_PADDED)]), (self._full, [whole.larger(_PADDED)])]
        turned = [picture.whole(turn) for turn in _TURNS[1:]]
        yield [(self._short, turned), (self._full, turned)]
        padded = [square.larger(_PADDED) for square in turned]
        yield [(self._short, padded), (self._full, padded)]
        yield [(self._short, [picture.whole(turn).larger(_FAR) for turn in _TURNS])]
        for turn in _TURNS:
            smallest = _SMALLEST_TILE if turn == 0 else 3 * _SMALLEST_TILE
            for cells in (2, 4, 8):
                if whole.side / cells >= smallest:
                    yield [(self._full, [replace(tile, roll=turn) for tile in _tiles(picture, cells)])]

    def _confirm(self, picture: Picture, candidates: Sequence[Candidate]) -> list[tuple[float, Mesh]]:
        """Scores and meshes of the candidates that are faces."""
        sure = [c if c.short_range and c.score >= _UPRIGHT else self._look_again(picture, c.square) for c in candidates]
        faces = [candidate for candidate in sure if candidate is not None]
        meshes = self._read(picture, [candidate.square for candidate in faces])
        return _without_nested(
            [(face.score, mesh) for face, mesh in zip(faces, meshes, strict=True) if mesh.presence >= self.presence]
        )

    def _look_again(self, picture: Picture, place: Square) -> Candidate | None:
        """The best face that the short-range detector sees at a place, from closer until the face fills the view."""
        best = self._look(picture, place)
        for _ in range(_LOOKS - 1):
            if best is None or best.square.side > _FILLS * place.side:
                break
            place = best.square
            best = self._look(picture, place)
        return best

    def _look(self, picture: Picture, place: Square) -> Candidate | None:
        """The best face that the short-range detector sees at a place, in four directions."""
        best = None
        for turn in _TURNS:
            view = replace(place.larger(_VIEW), roll=place.roll + turn)
            for found in self._short.find(picture, [view]):
                level = math.cos(found.square.roll - view.roll) > math.cos(math.pi / 4)
                near = math.hypot(found.square.x - place.x, found.square.y - place.y) < place.side / 2
                if level and near and (best is None or found.score > best.score):
                    best = found
        return best

    def _read(self, picture: Picture, squares: Sequence[Square]) -> list[Mesh]:
        """The meshes, each read again in the frame that it gives: once, or until the frame stays where it is."""
        meshes: list[Mesh] = []
        for reading in range(_READINGS):
            frames = [mesh.square() for mesh in meshes] or list(squares)
            if reading > 1 and all(_close(old, new) for old, new in zip(squares, frames, strict=True)):
                break
            squares, meshes = frames, read_meshes(self._mesh, picture, frames)
        return meshes


def _close(a: Square, b: Square) -> bool:
    """Whether two frames of a mesh differ too little to matter."""
    moved = math.hypot(a.x - b.x, a.y - b.y) + abs(a.side - b.side)
    return moved < 0.1 * a.side and math.cos(a.roll - b.roll) > math.cos(math.radians(10))


def _tiles(picture: Picture, cells: int) -> list[Square]:
    """Squares that cover the photograph, ``cells`` along its longer side, and overlap by a fifth.

    A face that is too small for the whole photograph is smaller than the overlap, so no tile needs to show it by half.
    """
    side = max(picture.width, picture.height) / (cells - _OVERLAP * (cells - 1))
    across, down = (_centres(length, side) for length in (picture.width, picture.height))
    return [Square(x, y, side) for y in down for x in across]


def _centres(length: float, side: float) -> list[float]:
    """Where tiles of ``side`` lie that cover ``length``."""
    if length <= side:
        return [length / 2]
    count = math.ceil((length - side) / (side * (1 - _OVERLAP)) - 1e-9) + 1
    return [float(centre) for centre in np.linspace(side / 2, length - side / 2, count)]


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best candidate of each place."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if not any(_same(candidate.square, other.square) for other in kept):
            kept.append(candidate)
    return kept


def _without_nested(faces: Sequence[tuple[float, Mesh]]) -> list[tuple[float, Mesh]]:
    """The best face of each place, by score and presence."""
    kept: list[tuple[float, Mesh]] = []
    for score, mesh in sorted(faces, key=lambda face: -face[0] * face[1].presence):
        if not any(_same(mesh.square(), other.square()) for _, other in kept):
            kept.append((score, mesh))
    return kept


def _same(a: Square, b: Square) -> bool:
    """Whether two squares are about one face: the centre of one is well inside the other."""
    return math.hypot(a.x - b.x, a.y - b.y) < max(a.side, b.side) / 2
