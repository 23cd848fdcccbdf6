"""Render pictures of people in batches: warp, layers, background, then the camera."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from palsykit_face_space.camera import Camera, photographed
from palsykit_face_space.contours import LOWER_INNER, UPPER_INNER, axes, height
from palsykit_face_space.creases import shading, wrinkle_shading, wrinkle_windows
from palsykit_face_space.eyes import draw_eyes, eyes_to_draw, roll_eyes
from palsykit_face_space.eyes import windows as eye_windows
from palsykit_face_space.model import CONTROLS, Person, load_model
from palsykit_face_space.mouth import BITE_AT, BITES, draw_mouth, open_mouths
from palsykit_face_space.mouth import windows as mouth_windows
from palsykit_face_space.palsy import Action, Pose, displace_all
from palsykit_face_space.warp import ON_BORDER, SIZE, border, read, splines, upsample

FIELD_STEPS, COARSE_STEPS = 48, 40
"""Cells of the grid on which splines are computed; small pictures need fewer (error: 99.9 % below 0.2 of their px)."""

_UPPER_LIP, _LOWER_LIP = {*range(88, 93), *range(94, 99)}, {*range(99, 109)}
_RING = [*range(len(CONTROLS), len(CONTROLS) + ON_BORDER)]
# Two splines, one above and one below the mouth, so that opening lips do not stretch the skin between them.
_ABOVE = [k for k, i in enumerate(CONTROLS) if i not in _LOWER_LIP] + _RING
_BELOW = [k for k, i in enumerate(CONTROLS) if i not in _UPPER_LIP] + _RING
_FAINT = 0.005  # smile in distances between the pupils that shades nothing
_MIDLINE = [50, 56, 55, 90, 129]
_SEAM = 0.4, 4.0  # half-width of the transition between the two splines, and where it ends, px


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
    above, below = splines(here, there, (_ABOVE, _BELOW), grid)
    # The transition, in the rows about the mouths; above and below them one spline is enough.
    x, y = axes(steps)
    line = (height(points[:, UPPER_INNER], x) + height(points[:, LOWER_INNER], x)) / 2
    first, last = (
        min(max(round(edge * steps / SIZE), 0), steps)
        for edge in (float(line.min()) - _SEAM[1], float(line.max()) + _SEAM[1])
    )
    field = torch.empty(len(points), 2, steps, steps)
    field[:, :, :last] = upsample(above, steps, slice(0, last))
    field[:, :, last:] = upsample(below, steps, slice(last, None))
    weight = torch.sigmoid((y[:, first:last] - line) / _SEAM[0])[:, None]
    field[:, :, first:last].lerp_(upsample(below, steps, slice(first, last)), weight)
    return field


def _tensors(pose: Pose) -> dict[str, Tensor]:
    return {field.name: torch.tensor(getattr(pose, field.name), dtype=torch.float32) for field in fields(Pose)}


def _read(planes: Sequence[Tensor], field: Tensor) -> Tensor:
    """Planes [C, h, w] of each face, read at ``field`` [B, 2, H, W]; averaged first if they are much larger."""
    stack = torch.stack(list(planes))
    factor = stack.shape[-1] // field.shape[-1]
    return read(F.avg_pool2d(stack, factor) if factor > 1 else stack, field, SIZE)


def _shaded(texture: Tensor, shade: Tensor | None) -> Tensor:
    return texture if shade is None else texture * shade


def _draw_eyes(picture: Tensor, people: Sequence[Person], shades: dict[int, Tensor], field: Tensor,
               p: dict[str, Tensor]) -> None:  # fmt: skip
    """Draw the eyes that close or roll up into ``picture`` [B, 3, S, S]."""
    eyes = eyes_to_draw(p["closure"], p["gaze_up"])
    if not eyes:
        return
    window = eye_windows(eyes, p["open_points"], picture.shape[-1])
    where = window.cut(field)
    shut = read(torch.stack([_shaded(people[face].shut, shades.get(face)) for face, _ in eyes]), where, SIZE)
    sclera = torch.stack([person.sclera for person in people])
    balls = roll_eyes(window.cut(picture), eyes, window, p["open_points"], p["gaze_up"], sclera)
    window.paste(picture, draw_eyes(shut, balls, eyes, window, p["points"], p["open_points"], p["closure"]))


def _shades(people: Sequence[Person], p: dict[str, Tensor], rest: Tensor) -> dict[int, Tensor]:
    """Face -> brightness factor [1, H, W] of its smile and folds on its texture."""
    moved = (p["open_points"] - rest)[:, [87, 93]] / (rest[:, 1] - rest[:, 0]).norm(dim=-1)[:, None, None]
    smile = (moved * torch.tensor([[-1.0, -1.0], [1.0, -1.0]])).clamp_min(0).norm(dim=-1)  # up and out
    faces = torch.nonzero((p["fold"] != 0).any(1) | (smile > _FAINT).any(1))[:, 0].tolist()
    if not faces:
        return {}
    creases = torch.stack([people[face].creases for face in faces])
    midline = torch.stack([people[face].texture_shape[_MIDLINE, 0].mean() for face in faces])
    factors = shading(creases, midline, p["fold"][faces], smile[faces])
    return {
        face: F.interpolate(factor[None], size=people[face].texture.shape[-2:], mode="bilinear")[0]
        for face, factor in zip(faces, factors, strict=True)
    }


def _draw_wrinkles(picture: Tensor, points: Tensor, wrinkle: Tensor) -> None:
    """Shade the lines of raised foreheads into ``picture`` [B, 3, S, S]."""
    if faces := torch.nonzero(wrinkle.amax(1) > 0)[:, 0].tolist():
        window = wrinkle_windows(faces, points, picture.shape[-1])
        window.multiply(picture, wrinkle_shading(points[faces], wrinkle[faces], window))


def _draw_mouths(picture: Tensor, people: Sequence[Person], points: Tensor, rest: Tensor,
                 scenes: Sequence[Scene]) -> None:  # fmt: skip
    """Draw the insides of open mouths into ``picture`` [B, 3, S, S]."""
    faces = open_mouths(points, rest)
    if not faces:
        return
    window = mouth_windows(faces, points, picture.shape[-1])
    bites = torch.tensor([BITES.get(scenes[face].action.expression, BITE_AT) for face in faces])
    sclera = torch.stack([people[face].sclera for face in faces])
    teeth = load_model().teeth
    window.paste(picture, draw_mouth(window.cut(picture), window, points[faces], rest[faces], bites, sclera, teeth))


@torch.no_grad()
def render(
    people: Sequence[Person], scenes: Sequence[Scene], image_size: int, pose: Pose | None = None
) -> NDArray[np.uint8]:
    """Render one picture per person and scene: [B, image_size, image_size, 3] RGB; ``pose`` replaces the scenes'."""
    # Warp the textures and their outlines.
    steps = max(SIZE, image_size)
    p = _tensors(poses(people, scenes) if pose is None else pose)
    there = torch.stack([person.texture_shape for person in people])
    field = _fields(there, p["open_points"], COARSE_STEPS if image_size <= SIZE // 2 else FIELD_STEPS, steps)
    rest = torch.stack([person.shape for person in people])
    shades = _shades(people, p, rest)
    planes = [torch.cat([_shaded(who.texture, shades.get(n)), who.outline[None]]) for n, who in enumerate(people)]
    warped = _read(planes, field)
    picture = warped[:, :3]
    # Draw the layers.
    _draw_eyes(picture, people, shades, field, p)
    _draw_wrinkles(picture, p["open_points"], p["wrinkle"])
    _draw_mouths(picture, people, p["points"], rest, scenes)
    # Background and camera.
    grey = torch.tensor([s.camera.background for s in scenes])[..., None, None, None]
    background = grey[:, 0] + grey[:, 1] * (torch.arange(steps) / steps)[None, None, :, None]
    picture = torch.lerp(background, picture, (warped[:, 3:] + 0.5).clamp_(0, 1))
    return photographed(picture, [scene.camera for scene in scenes], image_size)
