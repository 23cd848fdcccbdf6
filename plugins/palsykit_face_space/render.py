"""Pictures of the face space's people: warp, layers, background, light and camera; a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from palsykit.faces.palsy import Pose, displace
from palsykit.faces.vocabulary import Side
from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.layers import (
    LOWER_INNER,
    TEETH,
    UPPER_INNER,
    draw_eyes,
    draw_mouth,
    fold_shading,
    height,
    sealed,
    wrinkle_shading,
)
from palsykit_face_space.model import CONTROLS, FaceModel, Person
from palsykit_face_space.warp import BORDER, SIZE, pixel_centres, read, splines, upsample

FIELD_STEPS = 64
_UPPER_LIP, _LOWER_LIP = {*range(88, 93), *range(94, 99)}, {*range(99, 109)}
_RING = [*range(len(CONTROLS), len(CONTROLS) + len(BORDER))]
_ABOVE = [k for k, i in enumerate(CONTROLS) if i not in _LOWER_LIP] + _RING  # two splines: lips that part tear nothing
_BELOW = [k for k, i in enumerate(CONTROLS) if i not in _UPPER_LIP] + _RING
_BROWS = [71, 72, 73, 74, 75], [78, 79, 80, 81, 82]


@dataclass(frozen=True)
class Camera:
    """Light and framing of one photograph.

    Attributes:
        gain: of each colour channel.
        gradient: change of light from the middle to the right and to the bottom edge, as a fraction.
        background: grey of the background at the top, and its change to the bottom.
        roll: degrees, clockwise in the picture.
        zoom: of the face.
        shift: right and down, as fractions of the side.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gradient: tuple[float, float] = (0.0, 0.0)
    background: tuple[float, float] = (0.82, 0.03)
    roll: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """Who does what, and how it is photographed."""

    expression: str
    side: Side = Side.NONE
    severity: float = 1.0
    strength: float = 1.0
    camera: Camera = Camera()


def pose(person: Person, scene: Scene) -> Pose:
    """The person's points in the scene, px of the upright 128 px frame."""
    shape = person.shape.numpy().astype(np.float64)
    return displace(shape, scene.expression, scene.strength, scene.side, scene.severity)


def _linear(camera: Camera) -> NDArray[np.float64]:
    turn = np.deg2rad(camera.roll)
    return camera.zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def landmarks(points: NDArray[np.float64], camera: Camera, image_size: int) -> NDArray[np.float32]:
    """iBUG 68 [68, 2] px of the picture, from template points [189, 2] px of the upright frame."""
    centred = (to_ibug68(points) - SIZE / 2) @ _linear(camera).T + np.array(camera.shift) * SIZE + SIZE / 2
    return np.asarray(centred * (image_size / SIZE), dtype=np.float32)


def _fields(mean: Tensor, points: Tensor) -> Tensor:
    """Where each pixel of the upright frame is read in the shape-free one: [B, 2, SIZE, SIZE]."""
    border = BORDER.expand(len(points), -1, -1)
    here = torch.cat([points[:, CONTROLS], border], 1)
    there = torch.cat([mean[CONTROLS].expand(len(points), -1, -1), border], 1)
    above, below = (upsample(field, SIZE) for field in splines(here, there, (_ABOVE, _BELOW), FIELD_STEPS))
    line = (height(points[:, UPPER_INNER]) + height(points[:, LOWER_INNER])) / 2
    y = (torch.arange(SIZE) + 0.5)[None, :, None]
    return torch.lerp(above, below, torch.sigmoid((y - line) / 0.4)[:, None])


def _photographed(picture: Tensor, cameras: Sequence[Camera], image_size: int) -> Tensor:
    """Light, framing and size: [B, 3, image_size, image_size] in [0, 1]."""
    at = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    gain = torch.tensor([c.gain for c in cameras])[..., None, None]
    right, down = torch.tensor([c.gradient for c in cameras])[..., None, None].unbind(1)
    lit = picture * gain * (1 + right * at[None, None] + down * at[None, :, None])[:, None]
    inverse = torch.tensor(np.array([np.linalg.inv(_linear(c)) for c in cameras]), dtype=torch.float32)
    shift = torch.tensor([c.shift for c in cameras]) * SIZE
    where = (pixel_centres(SIZE)[None] - SIZE / 2 - shift[:, None]) @ inverse.transpose(1, 2) + SIZE / 2
    framed = read(lit, where.transpose(1, 2).reshape(-1, 2, SIZE, SIZE), SIZE)
    if image_size != SIZE:
        framed = F.interpolate(framed, size=image_size, mode="bicubic", antialias=True)
    return framed.clamp(0, 1)


@torch.no_grad()
def render(model: FaceModel, people: Sequence[Person], scenes: Sequence[Scene], image_size: int) -> NDArray[np.uint8]:
    """One picture [image_size, image_size, 3] a person and scene: [B, image_size, image_size, 3] RGB."""
    poses = [pose(person, scene) for person, scene in zip(people, scenes, strict=True)]
    points = torch.tensor(np.array([p.points for p in poses]), dtype=torch.float32)
    open_points = torch.tensor(np.array([p.open_points for p in poses]), dtype=torch.float32)
    closure, fold, wrinkle = (
        torch.tensor([getattr(p, name) for p in poses]) for name in ("closure", "fold", "wrinkle")
    )
    colours = torch.stack([person.colours for person in people])
    outline = torch.stack([person.outline for person in people])[:, None]
    planes = torch.cat([sealed(colours, model.shape_mean), colours, outline], 1)
    warped = read(planes, _fields(model.shape_mean, open_points), SIZE)
    picture = draw_eyes(warped[:, :3], warped[:, 3:6], points, closure)
    picture = picture * fold_shading(open_points, fold) * wrinkle_shading(open_points, wrinkle, _BROWS)
    picture = draw_mouth(picture, points, torch.tensor([TEETH.get(s.expression, (0.0, 0.0)) for s in scenes]))
    grey = torch.tensor([s.camera.background for s in scenes])[..., None, None, None]
    background = grey[:, 0] + grey[:, 1] * (torch.arange(SIZE) / SIZE)[None, None, :, None]
    picture = torch.lerp(background.expand_as(picture), picture, (warped[:, 6:] + 0.5).clamp(0, 1))
    finished = _photographed(picture, [s.camera for s in scenes], image_size)
    return np.ascontiguousarray((finished * 255).round().to(torch.uint8).permute(0, 2, 3, 1))
