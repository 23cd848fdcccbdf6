"""The shipped face space: random points of shape and appearance are people who do not exist."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from palsykit.files.hashes import sha256
from palsykit_face_space.layers import sealed

ASSET = Path(__file__).parent / "assets/face_space.safetensors"

UNUSED = frozenset([*range(18), *range(145, 158), 183, 184])
"""Template points that do not move the texture: irises (inside lids that close), hair and neck (too loose)."""
CONTROLS = [i for i in range(189) if i not in UNUSED]

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


@dataclass(frozen=True)
class FaceModel:
    """Mean and components (each times its standard deviation) of shape [189, 2] px and appearance [4, 128, 128]."""

    shape_mean: Tensor
    shape_basis: Tensor
    appearance_mean: Tensor
    appearance_basis: Tensor
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
    """

    shape: Tensor
    texture: Tensor
    texture_shape: Tensor
    outline: Tensor
    shut: Tensor
    sclera: Tensor


def person(shape: Tensor, texture: Tensor, texture_shape: Tensor, outline: Tensor) -> Person:
    """A person with everything that the renderer derives from the texture; arguments as of ``Person``."""
    shut = sealed(texture[None], texture_shape)[0]
    return Person(shape, texture, texture_shape, outline, shut, _sclera(texture, texture_shape))


def _sclera(texture: Tensor, shape: Tensor) -> Tensor:
    """Colours beside the iris: half-way to each corner of the eye, the lighter of the two, because lashes shade one."""
    scale = texture.shape[-1] / 128
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
        basis = data["appearance_basis"].float() * data["appearance_scale"][:, None, None, None]
        arrays = data["shape_mean"], data["shape_basis"], data["appearance_mean"].float(), basis
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(
            f"{path}: not a face space ({error}); tools/build_face_space.py of the repository builds it"
        ) from None
    return FaceModel(*arrays, sha256=sha256(path))


def _cheeks(model: FaceModel, appearance: Tensor) -> Tensor:
    """Mean brightness of the cheeks' skin of appearances [..., 4, 128, 128]: [...]."""
    spots = model.shape_mean[_CHEEKS].long().tolist()
    reach = _CHEEK_PX
    patches = [appearance[..., :3, y - reach : y + reach + 1, x - reach : x + reach + 1] for x, y in spots]
    return torch.stack([patch.mean((-3, -2, -1)) for patch in patches]).mean(0)


def draw(model: FaceModel, rng: np.random.Generator, skin: bool = True) -> Person:
    """A person at a random point of both spaces.

    With ``skin`` the brightness of the skin is drawn uniformly over ``SKIN``, and the appearance is moved there by the
    shortest way, so that lips, hair and shading change with it as they do among the photographed people.
    """
    looks = len(model.appearance_basis)
    codes = np.clip(rng.normal(size=looks + len(model.shape_basis)), -LIMIT, LIMIT) * SPREAD
    tone = rng.uniform(*SKIN)
    look, shape = torch.tensor(codes, dtype=torch.float32).tensor_split([looks])
    if skin:
        slope = _cheeks(model, model.appearance_basis)
        here = _cheeks(model, model.appearance_mean) + look @ slope
        look = look + (tone - here) * slope / (slope @ slope)
    appearance = model.appearance_mean + torch.tensordot(look, model.appearance_basis, 1)
    return person(
        shape=model.shape_mean + torch.tensordot(shape, model.shape_basis, 1),
        texture=appearance[:3].clamp(0, 1),
        texture_shape=model.shape_mean,
        outline=appearance[3] / OUTLINE_SCALE * OUTLINE_PX,
    )
