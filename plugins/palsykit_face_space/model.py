"""The shipped face space: random points of shape and appearance are people who do not exist."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from palsykit.files.hashes import sha256
from palsykit_face_space.creases import flattening
from palsykit_face_space.eyes import sealed
from palsykit_face_space.warp import SIZE, read, splines, upsample

ASSET = Path(__file__).parent / "assets/face_space.safetensors"

UNUSED = frozenset([*range(18), *range(145, 158), 183, 184])
"""Template points that do not move the texture: irises (inside lids that close), hair and neck (too loose)."""
CONTROLS = [i for i in range(189) if i not in UNUSED]

DETAIL = 256
"""Side of the appearance, px."""

OUTLINE_PX, OUTLINE_SCALE = 12.0, 0.5
"""The outline's signed distance in px is clipped and scaled to weigh about as much as a colour in the appearance."""

SPREAD, LIMIT = 0.8, 2.0
"""Standard deviations of the random coefficients (chosen by eye: 1.0 gives caricatures) and their limit."""

SKIN = (0.22, 0.66)
"""Mean of the cheeks' red, green and blue in the photographs behind the space: darkest and lightest.

Random draws cluster in the middle: of 300, one in twenty is below 0.36, but one in ten of the photographs.
"""
_CHEEKS = [164, 165, 166, 167, 168, 169]
_CHEEK_PX = 2
_SHADE_STEPS = 32  # cells of the grid on which the shading of a smile is carried to another face


@dataclass(frozen=True)
class FaceModel:
    """Mean and components (each times its standard deviation) of shape [189, 2] px and appearance.

    The appearance is brightness [1, 256, 256], and at half the size red and blue, both minus brightness, and outline
    [3, 128, 128]. A smile adds ``smile_shade`` [2, 128, 128] (at the nasolabial folds, and elsewhere) to the logarithm
    of brightness for each distance between the pupils that the corners of the mouth move; ``teeth`` is in ``mouth``.
    """

    shape_mean: Tensor
    shape_basis: Tensor
    brightness_mean: Tensor
    brightness_basis: Tensor
    colour_mean: Tensor
    colour_basis: Tensor
    smile_shade: Tensor
    teeth: Tensor
    sha256: str


@dataclass(frozen=True)
class Person:
    """A person at rest and without a palsy.

    Attributes:
        shape: [189, 2] template points, px of the upright 128 px frame.
        texture: [3, H, W] in [0, 1], square, covering the frame; its points are ``texture_shape``.
        texture_shape: [189, 2] template points on the texture, px of the frame.
        outline: [H, W] signed distance to the outline on the texture, px, positive inside.
        shut: the texture with both eyes covered by lid skin.
        sclera: [2, 3], colour of the (right, left) eye beside its iris.
        creases: [3, 128, 128] as of ``creases.shading``, on the texture.
    """

    shape: Tensor
    texture: Tensor
    texture_shape: Tensor
    outline: Tensor
    shut: Tensor
    sclera: Tensor
    creases: Tensor


def person(shape: Tensor, texture: Tensor, texture_shape: Tensor, outline: Tensor) -> Person:
    """A person with everything that the renderer derives from the texture; arguments as of ``Person``."""
    model = load_model()
    shade = model.smile_shade
    if texture_shape is not model.shape_mean:
        here, there = (points[None, CONTROLS].float() for points in (texture_shape, model.shape_mean))
        field = splines(here, there, [list(range(len(CONTROLS)))], _SHADE_STEPS)[0]
        shade = read(shade[None], upsample(field, SIZE), SIZE)[0]
    return Person(
        shape=shape,
        texture=texture,
        texture_shape=texture_shape,
        outline=outline,
        shut=sealed(texture, texture_shape),
        sclera=_sclera(texture, texture_shape),
        creases=torch.cat([shade, flattening(texture, texture_shape)[None]]),
    )


def _sclera(texture: Tensor, shape: Tensor) -> Tensor:
    """Colours beside the iris: half-way to each corner of the eye, the lighter of the two, because lashes shade one."""
    scale = texture.shape[-1] / SIZE
    colours = []
    for ring, corners in ((shape[2:10], shape[[18, 22]]), (shape[10:18], shape[[23, 27]])):
        sides = torch.stack([ring[ring[:, 0].argmin()], ring[ring[:, 0].argmax()]])
        spots = ((sides + corners) / 2 * scale).long().clamp(0, texture.shape[-1] - 1)
        both = torch.stack([texture[:, y, x] for x, y in spots.tolist()])
        colours.append(both[both.mean(1).argmax()])
    return torch.stack(colours)


@cache
def load_model(path: Path = ASSET) -> FaceModel:
    """Load the face space from its asset.

    Raises:
        ValueError: the file is missing or not a face space.
    """
    try:
        data = load_file(path)
        arrays = [data["shape_mean"], data["shape_basis"]]
        for name in ("brightness", "colour"):
            arrays.append(data[f"{name}_mean"].float())
            arrays.append(data[f"{name}_basis"].float() * data[f"{name}_scale"][..., None, None])
        arrays += [data["smile_shade"].float(), data["teeth"].float()]
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(
            f"{path}: not a face space ({error}); tools/build_face_space.py of the repository builds it"
        ) from None
    return FaceModel(*arrays, sha256=sha256(path))


def coloured(brightness: Tensor, colour: Tensor) -> Tensor:
    """RGB and outline [..., 4, H, W] of brightness [..., 1, H, W] and of colour and outline [..., 3, H/2, W/2]."""
    size = brightness.shape[-2:]
    flat = colour.reshape(-1, 3, *colour.shape[-2:])
    rest = F.interpolate(flat, size=size, mode="bicubic", align_corners=False).reshape(*colour.shape[:-2], *size)
    red, blue, outline = rest.split(1, -3)
    return torch.cat([brightness + red, brightness - red - blue, brightness + blue, outline], -3)


def _cheeks(model: FaceModel, brightness: Tensor) -> Tensor:
    """Mean brightness of the cheeks' skin, of planes [..., 1, 256, 256]: [...]."""
    scale = DETAIL // SIZE
    spots = (model.shape_mean[_CHEEKS].long() * scale).tolist()
    reach = _CHEEK_PX * scale
    patches = [brightness[..., 0, y - reach : y + reach + 1, x - reach : x + reach + 1] for x, y in spots]
    return torch.stack([patch.mean((-2, -1)) for patch in patches]).mean(0)


def mixed(model: FaceModel, shape: Tensor, look: Tensor) -> Person:
    """The person at coefficients ``shape`` and ``look`` of the components, in standard deviations."""
    appearance = coloured(
        model.brightness_mean + torch.tensordot(look, model.brightness_basis, 1),
        model.colour_mean + torch.tensordot(look, model.colour_basis, 1),
    )
    return person(
        shape=model.shape_mean + torch.tensordot(shape, model.shape_basis, 1),
        texture=appearance[:3].clamp(0, 1),
        texture_shape=model.shape_mean,
        outline=appearance[3] / OUTLINE_SCALE * OUTLINE_PX,
    )


def draw(model: FaceModel, rng: np.random.Generator, skin: bool = True) -> Person:
    """A person at a random point of both spaces.

    With ``skin`` the brightness of the skin is drawn uniformly over ``SKIN``, and the appearance is moved there by the
    shortest way, so that lips, hair and shading change with it as they do among the photographed people.
    """
    looks = len(model.brightness_basis)
    codes = np.clip(rng.normal(size=looks + len(model.shape_basis)), -LIMIT, LIMIT) * SPREAD
    tone = rng.uniform(*SKIN)
    look, shape = torch.tensor(codes, dtype=torch.float32).tensor_split([looks])
    if skin:
        slope = _cheeks(model, model.brightness_basis)
        here = _cheeks(model, model.brightness_mean) + look @ slope
        look = look + (tone - here) * slope / (slope @ slope)
    return mixed(model, shape, look)
