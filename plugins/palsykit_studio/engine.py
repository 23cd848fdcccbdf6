"""The model behind the page: one at a time uses it, and who stops it does not wait for the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.views import to_tensor
from palsykit.interfaces import FaceView
from palsykit.photographs.find import FramedFace, faces_of
from palsykit.photographs.read import open_picture, read_photograph
from palsykit.synthesis.front import Model, load
from palsykit.synthesis.photograph import Synthesis
from palsykit.synthesis.posing import pose_faces, with_landmarks
from palsykit.synthesis.request import Request

MOST_PIXELS = 50_000_000
"""Of a photograph: more than phones and most cameras have. Ten such pictures are 1.5 GB in memory."""
AT_ONCE = 4
"""Faces that the model makes at a time; it bounds the memory, and how long a stop takes."""


class Stopped(Exception):
    """The user stopped it."""


@dataclass(frozen=True, eq=False)
class Posed:
    """Where the face's points are, and where a request wants them.

    Attributes:
        rest: [68, 2] iBUG 68, sides of the face frame, as found in the photograph.
        asked: [N, 68, 2] likewise, one per picture of the request.
    """

    rest: NDArray[np.float64]
    asked: NDArray[np.float64]


class Engine:
    """A trained model that several people use, one after the other.

    Args:
        run: a run's folder, or the name of a model that ships with palsykit.
    """

    def __init__(self, run: str):
        self.run = run
        self.lock = RLock()
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        """The model; the first use loads it."""
        with self.lock:
            if self._model is None:
                self._model = load(self.run)
            return self._model

    def middles(self, path: Path) -> NDArray[np.float64]:
        """Where the faces of a photograph are, [N, 2] px, by their numbers; none in what cannot be read."""
        try:
            check_size(path)
            photograph = read_photograph(path)
        except (PalsykitError, ValueError):
            return np.zeros((0, 2))
        with self.lock:
            found = [face.five.mean(0) for face in faces_of(photograph, self.model.detector)]
        return np.array(found, float).reshape(-1, 2)

    def read(self, path: Path, force: bool = False, face: int | None = None) -> FramedFace:
        """A photograph and the face in it; of several the one with that number, else the largest.

        Raises:
            PalsykitError: it cannot be read, is too large, or has no usable face.
        """
        check_size(path)
        with self.lock:
            try:
                return self.model.read("", path, face, force)
            except PalsykitError as error:
                raise PalsykitError(error.message.removeprefix(f": {path}: "), error.problems) from error

    def make(
        self, person: FramedFace, request: Request, seed: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[list[Synthesis]]:
        """The pictures of a request, a few at a time; all from the same noise, as if made at once.

        Raises:
            Stopped: ``stop`` said so.
            PalsykitError: the poser refuses.
        """
        for first in range(0, len(request.labels), AT_ONCE):
            if stop():
                raise Stopped
            part = replace(request, labels=request.labels[first : first + AT_ONCE])
            with self.lock:
                made = self.model.synthesise_person(person, part, seed=seed)
            yield made

    def pose(self, person: FramedFace, request: Request) -> Posed:
        """What a request asks of the face's points.

        Raises:
            PalsykitError: the poser refuses, or no network finds the points.
        """
        with self.lock:
            parts, count = self.model.parts, len(request.labels)
            size = parts.settings.image_size
            view = FaceView.of_images(to_tensor(np.stack([person.crop(size)] * count))).to(parts.device)
            still = with_landmarks(parts, view)
            posed = pose_faces(self.model.poser, still, request.labels, [request.strength] * count, request.dials)
        rest, asked = (v.landmarks.double().cpu().numpy() / size for v in (still, posed))
        return Posed(rest[0], asked)


@dataclass(frozen=True, eq=False)
class Watched:
    """A model for ``synthesise_portraits`` that counts its pictures and can be stopped between them.

    Attributes:
        engine: has the model.
        stop: whether to stop.
        made: called with the number of pictures made.
        read_one: called with every portrait that was read.
    """

    engine: Engine
    stop: Callable[[], bool]
    made: Callable[[int], None]
    read_one: Callable[[], None]

    @property
    def facts(self) -> Mapping[str, Any]:
        """As the model's."""
        return self.engine.model.facts

    def read(self, name: str, picture: Path, face: int | None = None, force: bool = False) -> FramedFace:
        """As the model's.

        Raises:
            Stopped: the user stopped it.
        """
        if self.stop():
            raise Stopped
        self.read_one()
        return self.engine.read(picture, force)

    def synthesise_person(
        self, person: FramedFace, request: Request, *, seed: int = 0, guidance: float | None = None
    ) -> list[Synthesis]:
        """As the model's, a few pictures at a time.

        Raises:
            Stopped: the user stopped it.
        """
        assert guidance is None  # the page has no such dial
        made: list[Synthesis] = []
        for part in self.engine.make(person, request, seed, self.stop):
            made += part
            self.made(len(part))
        return made


def check_size(path: Path) -> None:
    """Refuse a picture of very many pixels before it is decoded.

    Raises:
        PalsykitError: it is no picture, or too large.
    """
    try:
        with open_picture(path.read_bytes()) as opened:
            size = opened.size
    except ValueError as error:
        if not isinstance(error.__context__, Image.DecompressionBombError):
            raise PalsykitError(str(error)) from error
        found = "too many pixels to open it"
    else:
        if size[0] * size[1] <= MOST_PIXELS:
            return
        found = f"{size[0]} x {size[1]} px"
    raise PalsykitError(f"found {found}; expected at most {MOST_PIXELS // 1_000_000} megapixels; make it smaller")
