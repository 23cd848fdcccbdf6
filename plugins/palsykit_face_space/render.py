"""Render pictures of people in batches: warp, layers, background, then the camera."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit_face_space.camera import Camera, photographed
from palsykit_face_space.layers import (
    LOWER_INNER,
    TEETH,
    UPPER_INNER,
    draw_eyes,
    draw_mouth,
    fold_shading,
    height,
    roll_eyes,
    wrinkle_shading,
)
from palsykit_face_space.model import CONTROLS, Person
from palsykit_face_space.palsy import Action, Pose, displace_all
from palsykit_face_space.warp import ON_BORDER, SIZE, border, read, splines, upsample

FIELD_STEPS, COARSE_STEPS = 64, 48
"""Cells of the grid on which splines are computed; small pictures need fewer (error: about 0.2 of their px)."""

_UPPER_LIP, _LOWER_LIP = {*range(88, 93), *range(94, 99)}, {*range(99, 109)}
_RING = [*range(len(CONTROLS), len(CONTROLS) + ON_BORDER)]
# Two splines, one above and one below the mouth, so that opening lips do not stretch the skin between them.
_ABOVE = [k for k, i in enumerate(CONTROLS) if i not in _LOWER_LIP] + _RING
_BELOW = [k for k, i in enumerate(CONTROLS) if i not in _UPPER_LIP] + _RING
_BROWS = [71, 72, 73, 74, 75], [78, 79, 80, 81, 82]


@dataclass(frozen=True)
class Scene:
    """A person, their action, and the camera."""

    action: Action
    camera: Camera = Camera()  # noqa: RUF009 (it is frozen)


def poses(people: Sequence[Person], scenes: Sequence[Scene]) -> Pose:
    """Points of each person in their scene, px of the upright 128 px frame."""
    shapes = np.stack([person.shape.numpy() for person in people]).astype(np.float64)
    return displace_all(shapes, [scene.action for scene in scenes])


def _fields(there: Tensor, points: Tensor, grid: int, steps: int) -> Tensor:
    """Texture coordinates of each of ``steps`` x ``steps`` pixels of the upright frame: [B, 2, steps, steps]."""
    fixed = border().expand(len(points), -1, -1)
    here, there = (torch.cat([which[:, CONTROLS], fixed], 1) for which in (points, there))
    above, below = (upsample(field, steps) for field in splines(here, there, (_ABOVE, _BELOW), grid))
    line = (height(points[:, UPPER_INNER], steps) + height(points[:, LOWER_INNER], steps)) / 2
    y = ((torch.arange(steps) + 0.5) * (SIZE / steps))[None, :, None]
    return torch.lerp(above, below, torch.sigmoid((y - line) / 0.4)[:, None])


def _tensors(pose: Pose) -> dict[str, Tensor]:
    return {field.name: torch.tensor(getattr(pose, field.name), dtype=torch.float32) for field in fields(Pose)}


@torch.no_grad()
def render(people: Sequence[Person], scenes: Sequence[Scene], image_size: int) -> NDArray[np.uint8]:
    """Render one picture per person and scene: [B, image_size, image_size, 3] RGB."""
    # Warp the textures: shut eyes, open eyes and outline.
    steps = max(SIZE, image_size)
    p = _tensors(poses(people, scenes))
    points, skin_points = p["points"], p["open_points"]
    there = torch.stack([person.texture_shape for person in people])
    grid = COARSE_STEPS if image_size <= SIZE // 2 else FIELD_STEPS
    planes = torch.stack([torch.cat([who.shut, who.texture, who.outline[None]]) for who in people])
    warped = read(planes, _fields(there, skin_points, grid, steps), SIZE)
    # Draw the layers: eyes, folds, wrinkles and mouth.
    sclera = torch.stack([person.sclera for person in people])
    eyes = roll_eyes(warped[:, 3:6], skin_points, p["gaze_up"], sclera)
    picture = draw_eyes(warped[:, :3], eyes, points, p["closure"])
    picture = picture * fold_shading(skin_points, p["fold"], steps)
    picture = picture * wrinkle_shading(skin_points, p["wrinkle"], _BROWS, steps)
    teeth = torch.tensor([TEETH.get(scene.action.expression, (0.0, 0.0)) for scene in scenes])
    picture = draw_mouth(picture, points, teeth, sclera)
    # Background and camera.
    grey = torch.tensor([s.camera.background for s in scenes])[..., None, None, None]
    background = grey[:, 0] + grey[:, 1] * (torch.arange(steps) / steps)[None, None, :, None]
    picture = torch.lerp(background.expand_as(picture), picture, (warped[:, 6:] + 0.5).clamp(0, 1))
    return photographed(picture, [scene.camera for scene in scenes], image_size)
