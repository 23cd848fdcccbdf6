"""The library's front door: ``palsykit.load("runs/NAME").generate(identity=..., driver=...)``."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.interfaces import Poser
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.photographs.files import UnreadablePicture
from palsykit.photographs.read import read_photograph
from palsykit.recipe.schema import PartBlock
from palsykit.report import words
from palsykit.report.faces import Panel, draw_sheet
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened
from palsykit.run.train import trained_model
from palsykit.synthesis.posing import pose_faces, with_landmarks
from palsykit.synthesis.request import Request

Picture = str | Path | Image.Image | NDArray[np.uint8]
ROW_FACE_PX = 128


class Model:
    """A trained run, ready to synthesise.

    Args:
        parts: the run's parts, fitted.
        model: its trained model; None where nothing was trained.
        poser: name of the poser that makes drivers of named expressions; None takes the recipe's, else the only one.
    """

    def __init__(self, parts: Parts, model: nn.Module | None, poser: str | None = None):
        self.parts, self.model, self._poser_name = parts, model, poser

    def poser_block(self) -> PartBlock:
        """The block of ``poser``."""
        return self.parts.poser_block(self._poser_name)

    @cached_property
    def poser(self) -> Poser:
        """What makes drivers of named expressions."""
        return cast(Poser, self.parts.build("posers", self.poser_block()))

    def generate(
        self,
        *,
        identity: Picture,
        driver: Picture | None = None,
        rest: Picture | None = None,
        expression: str | None = None,
        side: str | None = None,
        severity: float | None = None,
        strength: float = 1.0,
        seed: int = 0,
        guidance: float | None = None,
    ) -> Image.Image:
        """This person, making that face: a photograph's, or an expression by name.

        Args:
            identity: whose face; a square face crop in palsykit's frame, as a path, a PIL image or uint8 [H, W, 3].
                For an expression by name, the person at rest and without a palsy.
            driver: whose expression; likewise. Either this or ``expression``.
            rest: the driver's person at rest and without a palsy; likewise. Where the recipe's conditions read it, only
                movement is carried over, and not the driver's proportions.
            expression: a name of the vocabulary, or an alias; the driver is then the identity picture, posed.
            side: the affected side, the subject's; needs ``severity``.
            severity: House-Brackmann grade, 1 (normal) to 6 (total), whole or between; needs ``side``.
            strength: of the movement on a healthy side, 0 to 1; of an expression by name.
            seed: of the noise; the same seed gives the same picture.
            guidance: classifier-free guidance strength; None takes the recipe's.

        Returns:
            A PIL image with the recipe's image size.

        Raises:
            PalsykitError: for a picture that cannot be read or is not square, labels that do not go together, or
                guidance that the model cannot give.
        """
        severities = () if severity is None else (severity,)
        request = Request.of(driver, rest, expression, side, severities, strength)
        person = self._view("identity", identity)
        if driver is None:
            how = self._pose(person, request)
            still: FaceView | None = person
        else:
            how = self._view("driver", driver)
            still = None if rest is None else self._view("rest", rest)
        return Image.fromarray(self.synthesise(FaceBatch(person, how, rest=still), [seed], guidance)[0])

    def dial(
        self,
        *,
        identity: Picture,
        expression: str,
        side: str,
        severities: Sequence[float],
        strength: float = 1.0,
        seed: int = 0,
        guidance: float | None = None,
    ) -> tuple[Image.Image, list[Image.Image]]:
        """One person and expression at several grades, from the same noise: a labelled row, and its pictures.

        Args and errors are those of ``generate``.
        """
        request = Request.of(expression=expression, side=side, severities=severities, strength=strength)
        labels = request.labels
        person = self._view("identity", identity)
        people = FaceView.of_images(person.image.repeat(len(labels), 1, 1, 1))
        faces = FaceBatch(people, self._pose(people, request), rest=people)
        pictures = self.synthesise(faces, [seed] * len(labels), guidance)
        name = words.expression(str(labels[0].expression))
        grades = tuple(words.grade(float(severity)) for severity in severities)
        title = f"{name} · affected side: {side}"
        panel = Panel(title, to_pictures(person.image)[0], grades, ((name, tuple(pictures)),))
        row = draw_sheet([panel], ROW_FACE_PX, "synthetic; House-Brackmann grades as asked, not measured")
        return row, [Image.fromarray(picture) for picture in pictures]

    def _pose(self, people: FaceView, request: Request) -> FaceView:
        strengths = [request.strength] * len(request.labels)
        return pose_faces(self.poser, with_landmarks(self.parts, people), request.labels, strengths)

    def synthesise(self, faces: FaceBatch, seeds: Sequence[int], guidance: float | None = None) -> NDArray[np.uint8]:
        """Pictures [B, H, W, 3] of B identities with their drivers; row i depends on row i and seeds[i] alone.

        Raises:
            PalsykitError: for guidance that the model cannot give.
        """
        synthesiser = self.parts.synthesiser(self.model, guidance)
        try:
            return to_pictures(synthesiser.generate(faces, seeds))
        except ValueError as error:
            raise PalsykitError(f"generate: {error}") from error

    def _view(self, name: str, picture: Picture) -> FaceView:
        crop = face_crop(name, picture, self.parts.settings.image_size)
        return FaceView.of_images(to_tensor(crop[None])).to(self.parts.device)


def face_crop(name: str, picture: Picture, size: int) -> NDArray[np.uint8]:
    """A square face crop, upright RGB, [size, size, 3].

    Raises:
        PalsykitError: it cannot be read or is not square; ``name`` says which it is.
    """
    image = _opened(name, picture)
    if image.width != image.height:
        raise PalsykitError(
            f"{name}: the picture is {image.width} x {image.height} px; expected a square face crop, eyes "
            "at 39 % of its height and mouth at 68 %; crop it so and try again"
        )
    return np.array(image.resize((size, size), Image.Resampling.LANCZOS))


def _opened(name: str, picture: Picture) -> Image.Image:
    where = f"{name}: {picture}" if isinstance(picture, str | Path) else name
    try:
        return read_photograph(picture, name=where).picture
    except UnreadablePicture as error:
        raise PalsykitError(str(error)) from error


def load(run: str | Path, poser: str | None = None) -> Model:
    """A trained run as something that generates.

    Args:
        run: its folder.
        poser: what makes drivers of named expressions; None takes the recipe's, else the only one that is installed.

    Raises:
        PalsykitError: where the folder is no run, or its training is not finished.
    """
    folder = RunFolder(Path(run))
    parts = reopened(folder)
    return Model(parts, trained_model(folder, parts), poser)
