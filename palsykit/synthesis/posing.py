"""A driver view by name: the identity photograph itself, moved by the run's poser as labels say."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch

from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials
from palsykit.faces.interfaces import Poser
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceView
from palsykit.run.parts import Parts


def with_landmarks(parts: Parts, faces: FaceView) -> FaceView:
    """The same view, unknown landmarks found by the run's points network.

    Raises:
        PalsykitError: landmarks are unknown and no network of the run's finds them.
    """
    unknown = torch.isnan(faces.landmarks).flatten(1).any(1)
    if not unknown.any():
        return faces
    network = parts.points_network()
    if network is None:
        raise PalsykitError(
            f"{parts.recipe.name}: an expression by name moves the photograph's landmarks, and no network of this run "
            "finds them; use a run whose networks have a landmark network (as recipes/cfcpalsy.yaml), or --driver IMAGE"
        )
    with torch.inference_mode():
        found = network(faces.image).points
    assert found is not None  # points_network gives a network that gives points
    points = torch.where(unknown[:, None, None], found.float(), faces.landmarks)
    return FaceView(faces.image, points, faces.labels)


def pose_faces(
    poser: Poser,
    faces: FaceView,
    labels: Sequence[FaceLabels],
    strengths: Sequence[float],
    dials: Dials | None = None,
) -> FaceView:
    """The driver view: face i, at rest and without a palsy, as ``labels[i]`` say.

    Args:
        poser: what moves it.
        faces: B pictures with landmarks.
        labels: B.
        strengths: B, of the movement on a healthy side, 0 to 1.
        dials: finer ones, of every face.

    Raises:
        PalsykitError: where the poser refuses what it is given, or has no finer dials.
    """
    finer: dict[str, Any] = {"dials": dials} if dials else {}
    if dials and "dials" not in signature(poser.pose).parameters:
        raise PalsykitError(
            f"dials ({', '.join(dials.given())}): the poser {type(poser).__name__} has none, its pose() takes no "
            "parameter dials; leave them out, or name another poser (`palsykit plugins` lists them)"
        )
    pictures, points = to_pictures(faces.image), faces.landmarks.float().cpu().numpy()
    made = []
    for picture, marks, label, strength in zip(pictures, points, labels, strengths, strict=True):
        try:
            made.append(poser.pose(picture, marks, label, strength, **finer))
        except ValueError as error:
            raise PalsykitError(f"posing {label.expression}, {label.side}, {label.severity:g}: {error}") from error
    images = to_tensor(np.stack([picture for picture, _ in made]))
    landmarks = torch.from_numpy(np.stack([marks for _, marks in made]).astype(np.float32))
    return FaceView(images, landmarks, tuple(labels)).to(faces.image.device)
