"""The library's front door: ``palsykit.load().generate(identity="portrait.jpg", expression="smile_full")``."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.faces.interfaces import Detector, Poser
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.files.weights import state_digest
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.photographs.find import FramedFace, detector_of, frame_face
from palsykit.photographs.read import read_photograph
from palsykit.recipe import load_recipe
from palsykit.recipe.schema import PartBlock
from palsykit.report import words
from palsykit.report.faces import Panel, draw_sheet
from palsykit.run.folder import RunFolder
from palsykit.run.model_folder import start_from
from palsykit.run.parts import Parts
from palsykit.run.runner import NOT_FOR_SYNTHESIS, reopened
from palsykit.run.train import trained_model
from palsykit.synthesis.photograph import Synthesis, edits
from palsykit.synthesis.posing import pose_faces, with_landmarks
from palsykit.synthesis.request import Request, read_dials
from palsykit.synthesis.shipped import DEFAULT, shipped_model

Picture = str | Path | Image.Image | NDArray[np.uint8]
SHEET_FACE_PX = 128
"""About the side of a face on a sheet of small pictures."""
SHEET_FRAME_PX = 256
"""Side of a face on a sheet of photographs' faces."""


class Model:
    """A trained model, ready to synthesise.

    Args:
        parts: the parts of its recipe, fitted.
        model: the trained model; None where nothing was trained.
        poser: name of the poser that makes drivers of named expressions; None takes the recipe's, else the only one.
        detector: finds faces; None takes the one that works without settings.
    """

    def __init__(
        self, parts: Parts, model: nn.Module | None, poser: str | None = None, detector: Detector | None = None
    ):
        self.parts, self.model, self._poser_name, self._detector = parts, model, poser, detector

    def poser_block(self) -> PartBlock:
        """The block of ``poser``."""
        return self.parts.poser_block(self._poser_name)

    @cached_property
    def poser(self) -> Poser:
        """What makes drivers of named expressions."""
        return cast(Poser, self.parts.build("posers", self.poser_block()))

    @cached_property
    def detector(self) -> Detector:
        """What finds faces in photographs."""
        return self._detector or detector_of()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a file says of the model that made it."""
        facts = {"synthetic": True, "palsykit": __version__, "model": self.parts.recipe.name}
        facts["recipe"] = self.parts.recipe.hash
        if self.model is not None:
            facts["weights"] = state_digest({"model": self.model})
        return facts

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
        brow: float | str | None = None,
        eye: float | str | None = None,
        mouth: float | str | None = None,
        tone: float | str | None = None,
        synkinesis: float | str | None = None,
        seed: int = 0,
        guidance: float | None = None,
        crop: bool = False,
        size: int | None = None,
        face: int | None = None,
        force: bool = False,
    ) -> Image.Image:
        """This person with that expression: the driver's, or one by name.

        Args:
            identity: the person, as a path, a PIL image or uint8 [H, W, 3]; for a name: at rest, without a palsy.
            driver: a photograph with the expression; likewise. Either this or ``expression``.
            rest: the driver's person at rest, no palsy; if conditions read it, movement alone is transferred.
            expression: a name of the vocabulary; the driver is then the identity picture, posed.
            side: the affected side, the subject's; needs ``severity``.
            severity: House-Brackmann grade, 1 (normal) to 6 (total), whole or between; needs ``side``.
            strength: of the movement on a healthy side, 0 to 1; of an expression by name.
            brow: finer than the grade: share of the healthy movement, 0 to 1, or "-3mm": lower than the healthy brow.
            eye: share that the closing eye covers, or "3mm": wider open than the healthy one.
            mouth: share of the movement, or "-4mm": the corner is lower than the healthy one.
            tone: at rest, 1 (normal) to 0 (none); by region as "brow=1,eye=0.5,mouth=0.2".
            synkinesis: 0 (none) to 1 (severe); by region as "eye=0.8,mouth=0.2".
            seed: of the noise; the same seed gives the same picture.
            guidance: classifier-free guidance strength; None takes the recipe's.
            crop: give the face frame in place of the whole photograph.
            size: side of the face frame in px, with the photograph's own detail; implies ``crop``. None: the recipe's.
            face: number of the face in a photograph with several, 1 for the largest.
            force: accept a face that is small, turned, cut off or covered.

        Returns:
            A photograph of the same size, edited in the face; or the face frame. A picture that is a crop in the face
            frame already gives the face frame.

        Raises:
            PalsykitError: a picture that cannot be read or has no usable face, labels that do not go together, or
                guidance that the model cannot give.
        """
        severities = () if severity is None else (severity,)
        dials = read_dials(brow=brow, eye=eye, mouth=mouth, tone=tone, synkinesis=synkinesis)
        request = Request.of(driver, rest, expression, side, severities, strength, dials)
        person = self.read("identity", identity, face, force)
        drivers = None if driver is None else self.read("driver", driver, force=force)
        still = None if rest is None else self.read("rest", rest, force=force)
        made = self.synthesise_person(person, request, drivers, still, seed, guidance)[0]
        return made.frame(size) if crop or size is not None or person.is_crop else made.photograph()

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
        rows = self.synthesise_person(self.read("identity", identity), request, seed=seed, guidance=guidance)
        return draw_syntheses(rows), [row.frame() for row in rows]

    def read(self, name: str, picture: Picture, face: int | None = None, force: bool = False) -> FramedFace:
        """A picture and where its face is.

        Args:
            name: of the argument, for messages.
            picture: a path, a PIL image or uint8 [H, W, 3].
            face: number of the face, 1 for the largest.
            force: accept a face that is small, turned, cut off or covered.

        Raises:
            PalsykitError: it cannot be read, or it has no usable face.
        """
        shown = f"{name}: {picture}" if isinstance(picture, str | Path) else name
        try:
            photograph = read_photograph(picture, name=shown)
        except ValueError as error:
            raise PalsykitError(str(error)) from error
        try:
            return frame_face(photograph, self.detector, face=face, force=force)
        except ValueError as error:
            raise PalsykitError(f"{shown}: {error}") from error

    def synthesise_person(
        self,
        person: FramedFace,
        request: Request,
        driver: FramedFace | None = None,
        rest: FramedFace | None = None,
        seed: int = 0,
        guidance: float | None = None,
    ) -> list[Synthesis]:
        """One person with the driver's expression, or with every face of ``request``; all from the same noise.

        Raises:
            PalsykitError: the poser refuses, or the model cannot give the guidance.
        """
        count = max(1, len(request.labels))
        people = self._view(person, count)
        if driver is None:
            faces = FaceBatch(people, self._pose(people, request), rest=people)
        else:
            faces = FaceBatch(people, self._view(driver), rest=None if rest is None else self._view(rest))
        pictures = self.synthesise(faces, [seed] * count, guidance)
        facts = self.facts | {"seed": seed, "source": person.photograph.sha256}
        if driver is not None:
            facts["driver"] = driver.photograph.sha256
        named: list[dict[str, Any]] = [
            {"expression": label.expression, "side": label.side and str(label.side), "severity": label.severity}
            | {"strength": request.strength}
            | ({"dials": request.dials.facts()} if request.dials else {})
            for label in request.labels
        ]
        return [
            Synthesis(person, picture, edit, facts | words)
            for picture, edit, words in zip(pictures, edits(self.model, faces, pictures), named or [{}], strict=True)
        ]

    def _pose(self, people: FaceView, request: Request) -> FaceView:
        strengths = [request.strength] * len(request.labels)
        return pose_faces(self.poser, with_landmarks(self.parts, people), request.labels, strengths, request.dials)

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

    def _view(self, face: FramedFace, count: int = 1) -> FaceView:
        """``count`` rows of the same face, at the recipe's image size."""
        crop = face.crop(self.parts.settings.image_size)
        return FaceView.of_images(to_tensor(np.stack([crop] * count))).to(self.parts.device)


def draw_syntheses(rows: Sequence[Synthesis]) -> Image.Image:
    """A labelled sheet of one person: a column per expression, a row per grade.

    Args:
        rows: with labels; every expression with the same grades, in the same order.
    """
    person, small = rows[0].face, rows[0].face.is_crop
    size = len(rows[0].picture) if small else SHEET_FRAME_PX
    shown = {(r.facts["expression"], r.facts["severity"]): np.asarray(r.frame(None if small else size)) for r in rows}
    expressions, grades = (list(dict.fromkeys(key[i] for key in shown)) for i in (0, 1))
    sides = {r.facts["side"] for r in rows} - {"none"}
    affected = f"affected side: {', '.join(sorted(sides)) or 'none'}"
    if len(expressions) == 1:
        name = words.expression(expressions[0])
        columns = tuple(words.grade(float(grade)) for grade in grades)
        table: tuple[tuple[str, tuple[Any, ...]], ...] = (
            (name, tuple(shown[expressions[0], grade] for grade in grades)),
        )
        title = f"{name} · {affected}"
    else:
        columns = tuple(words.expression(name) for name in expressions)
        table = tuple((words.grade(float(g)), tuple(shown.get((name, g)) for name in expressions)) for g in grades)
        title = affected
    panel = Panel(title, person.crop(size), columns, table)
    footer = "synthetic; House-Brackmann grades as requested, not measured"
    return draw_sheet([panel], SHEET_FACE_PX if small else size, footer)


def load(run: str | Path = DEFAULT, poser: str | None = None, detector: str | None = None) -> Model:
    """A trained run, or a model that ships with palsykit, as something that generates.

    Args:
        run: the folder of a run, or the name of a shipped model.
        poser: what makes drivers of named expressions; None takes the recipe's, else the only one that is installed.
        detector: what finds faces; None takes the one that works without settings.

    Raises:
        PalsykitError: the folder is not a run, or its training is not finished.
    """
    finder = None if detector is None else detector_of(detector)
    recipe = shipped_model(run)
    if recipe is not None:
        parts = Parts(load_recipe(recipe, unchecked=[name for name in NOT_FOR_SYNTHESIS if name != "train"]))
        parts.predicts_landmarks = True
        model, start = parts.model(), parts.settings.train.start
        assert start is not None  # that is what makes it a shipped model
        start_from(model, start)
        return Model(parts, model.eval().requires_grad_(False), poser, finder)
    folder = RunFolder(Path(run))
    parts = reopened(folder)
    return Model(parts, trained_model(folder, parts), poser, finder)
