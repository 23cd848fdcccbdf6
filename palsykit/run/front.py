"""The library's front door: ``palsykit.load("runs/NAME").generate(identity=..., driver=...)``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.run.folder import RunFolder, read_state
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened
from palsykit.run.train import trained_model

Picture = str | Path | Image.Image | NDArray[np.uint8]


class Model:
    """A trained run, ready to synthesise.

    Args:
        parts: the run's parts, fitted.
        model: its trained model; None where the recipe's synthesiser needs none.
    """

    def __init__(self, parts: Parts, model: ConditionalDiffusion | None):
        self.parts, self.model = parts, model
        self.image_size = parts.settings.image_size

    def generate(
        self, *, identity: Picture, driver: Picture, seed: int = 0, guidance: float | None = None
    ) -> Image.Image:
        """This person, making that face.

        Args:
            identity: whose face; a square face crop in palsykit's frame, as a path, a PIL image or uint8 [H, W, 3].
            driver: whose expression; likewise.
            seed: of the noise; the same seed gives the same picture.
            guidance: classifier-free guidance strength; None takes the recipe's.

        Returns:
            A PIL image with the recipe's image size.

        Raises:
            PalsykitError: for a picture that cannot be read or is not square, or guidance that the model cannot give.
        """
        views = [self._view(name, picture) for name, picture in (("identity", identity), ("driver", driver))]
        synthesiser = self.parts.synthesiser(self.model, guidance)
        try:
            images = synthesiser.generate(FaceBatch(*views), [seed])
        except ValueError as error:
            raise PalsykitError(f"generate: {error}") from error
        return Image.fromarray(to_pictures(images)[0])

    def _view(self, name: str, picture: Picture) -> FaceView:
        image = _opened(name, picture)
        if image.width != image.height:
            raise PalsykitError(
                f"{name}: the picture is {image.width} x {image.height} px; expected a square face crop, eyes "
                "at 39 % of its height and mouth at 68 %; crop it so and try again"
            )
        image = image.resize((self.image_size, self.image_size), Image.Resampling.LANCZOS)
        return FaceView.of_images(to_tensor(np.array(image)[None])).to(self.parts.device)


def _opened(name: str, picture: Picture) -> Image.Image:
    if isinstance(picture, str | Path):
        try:
            with Image.open(picture) as file:
                picture = ImageOps.exif_transpose(file).convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise PalsykitError(
                f"{name}: {picture}: not a readable picture ({error}); expected a PNG or JPEG file"
            ) from error
    elif isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise PalsykitError(f"{name}: {picture.dtype} {picture.shape}; expected uint8 RGB [H, W, 3]")
        picture = Image.fromarray(picture)
    return picture.convert("RGB")


def load(run: str | Path) -> Model:
    """A trained run as something that generates.

    Raises:
        PalsykitError: where the folder is no run, or its training is not finished.
    """
    folder = RunFolder(Path(run))
    if "train" not in read_state(folder.path)["stages"]:
        raise PalsykitError(
            f"{run}: its training is not finished; go on with it: palsykit run {folder.recipe} --output {run}"
        )
    parts = reopened(folder)
    return Model(parts, trained_model(folder, parts))
