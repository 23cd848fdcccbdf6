"""The shipped face space: a random point of shape and of appearance is a person who does not exist."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

ASSET = Path(__file__).parent / "assets/face_space.safetensors"

UNUSED = frozenset([*range(18), *range(145, 158), 183, 184])
"""Template points that carry no texture along: irises (inside lids that close), hair and neck (too loose)."""
CONTROLS = [i for i in range(189) if i not in UNUSED]

OUTLINE_PX, OUTLINE_SCALE = 12.0, 0.5
"""The outline's signed distance in px is clipped and scaled to weigh about as much as a colour in the appearance."""

SPREAD, LIMIT = 0.8, 2.0
"""Standard deviations of the drawn coefficients (prototype's choice: 1.0 gives caricatures) and where they are cut."""


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
    """Shape [189, 2] px of the frame, colours [3, 128, 128] in [0, 1] and signed outline [128, 128] px, shape-free."""

    shape: Tensor
    colours: Tensor
    outline: Tensor


@cache
def load_model(path: Path = ASSET) -> FaceModel:
    """The face space from its asset.

    Raises:
        ValueError: where the file is missing or no face space.
    """
    try:
        content = path.read_bytes()
        data = load(content)
        basis = data["appearance_basis"].float() * data["appearance_scale"][:, None, None, None]
        arrays = data["shape_mean"], data["shape_basis"], data["appearance_mean"].float(), basis
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: no face space ({error}); build it with palsykit_face_space.build_asset") from None
    return FaceModel(*arrays, sha256=hashlib.sha256(content).hexdigest())


def draw(model: FaceModel, rng: np.random.Generator) -> Person:
    """A person at a random point of both spaces."""
    looks = len(model.appearance_basis)
    codes = np.clip(rng.normal(size=looks + len(model.shape_basis)), -LIMIT, LIMIT) * SPREAD
    look, shape = torch.tensor(codes, dtype=torch.float32).tensor_split([looks])
    appearance = model.appearance_mean + torch.tensordot(look, model.appearance_basis, 1)
    return Person(
        shape=model.shape_mean + torch.tensordot(shape, model.shape_basis, 1),
        colours=appearance[:3].clamp(0, 1),
        outline=appearance[3] / OUTLINE_SCALE * OUTLINE_PX,
    )
