"""One synthesised face: the model's own picture, and the same edit at any size and in the photograph."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.faces.views import to_tensor
from palsykit.interfaces import FaceBatch
from palsykit.photographs.edit import GRID, Edit, apply, edit_of, face_mask, oval_mask
from palsykit.photographs.find import FramedFace
from palsykit.photographs.mark import write_marked
from palsykit.photographs.paste import paste_back
from palsykit.photographs.read import Photograph


@dataclass(frozen=True, eq=False)
class Synthesis:
    """One person with one face.

    Attributes:
        face: the identity photograph and where its face is.
        picture: [S, S, 3], what the model made, S the recipe's image size.
        edit: what it changes, at any size.
        facts: what was asked for and what made it; written into files.
    """

    face: FramedFace
    picture: NDArray[np.uint8]
    edit: Edit
    facts: Mapping[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of photograph and result, one sentence each."""
        if self.edit.replaces and not self.face.is_crop:
            size = len(self.picture)
            return (
                *self.face.notes,
                f"the model makes pictures of {size} px and says no movement; its face is enlarged",
            )
        return self.face.notes

    @property
    def shared_facts(self) -> dict[str, Any]:
        """The facts that hold for all faces of one person."""
        return {key: value for key, value in self.facts.items() if key not in ("expression", "side", "severity")}

    def frame(self, size: int | None = None) -> Image.Image:
        """The face frame at ``size`` px, or at the model's own size, with the photograph's own pixels outside the face.

        Without a size, an identity that is itself a crop in the frame gives the model's picture as it is.
        """
        if size is None and self.face.is_crop:
            return Image.fromarray(self.picture)
        size = size or len(self.picture)
        crop = self.face.crop(size)
        return Image.fromarray(apply(self.edit, crop, np.array([[1 / size, 0, 0], [0, 1 / size, 0]])))

    @cached_property
    def upright(self) -> NDArray[np.uint8]:
        """The whole photograph with the new face: upright sRGB, [H, W, 3]."""
        return apply(self.edit, np.asarray(self.face.photograph.picture), self.face.to_frame)

    def photograph(self) -> Image.Image:
        """The whole photograph with the new face: of its own size, orientation and colour profile."""
        return paste_back(self.face.photograph, self.upright)

    def save(self, path: Path, *, crop: bool = False, size: int | None = None, visible: bool = False) -> None:
        """Write a picture that says in its file that it is synthetic.

        Args:
            path: its suffix says the format.
            crop: write the face frame in place of the photograph.
            size: of the frame in px; implies ``crop``.
            visible: also draw a small mark.

        Raises:
            PalsykitError: it cannot be written.
        """
        if crop or size is not None or self.face.is_crop:
            write_marked(self.frame(size), path, self.facts, visible=visible)
            return
        original = self.face.photograph.original
        kept = {} if original is None else {name: getattr(original, name) for name in ("icc_profile", "exif", "dpi")}
        write_marked(self.photograph(), path, self.facts, visible=visible, **kept)


def edits(model: nn.Module | None, faces: FaceBatch, pictures: NDArray[np.uint8]) -> list[Edit]:
    """What each picture [B, S, S, 3] changes in the identity photograph of its row.

    If the model corrects a guess that says where landmarks go, the edit moves and adds; else it replaces the face.

    Args:
        model: the trained model.
        faces: B rows.
        pictures: what the model made of them.
    """
    made, size = to_tensor(pictures), pictures.shape[1]
    guess = model.maps[model.guess].map if isinstance(model, ConditionalDiffusion) and model.guess else None
    moves = getattr(guess, "moves", None)
    if guess is None or moves is None:
        return [Edit(picture, _mask(points)) for picture, points in zip(made, _known(faces, size), strict=True)]
    with torch.inference_mode():
        views = [getattr(faces, name) for name in guess.views]
        warped = guess(*views).cpu()
        source, target = ((points.double() / size).cpu() for points in moves(*views))
    masks = [face_mask(np.stack([a.numpy(), b.numpy()])) for a, b in zip(source, target, strict=True)]
    rows = zip(made, masks, warped, source, target, strict=True)
    return [edit_of(picture, mask, before, a, b) for picture, mask, before, a, b in rows]


def _known(faces: FaceBatch, size: int) -> list[NDArray[np.float64] | None]:
    """Landmarks of identity and driver [2, 68, 2], in frame sides; None where they are unknown."""
    both = torch.stack([faces.identity.landmarks, faces.driver.landmarks], 1).double().cpu() / size
    return [None if points.isnan().any() else points.numpy() for points in both]


def _mask(points: NDArray[np.float64] | None) -> Tensor:
    return oval_mask(GRID) if points is None else face_mask(points)


__all__ = ["Photograph", "Synthesis", "edits"]
