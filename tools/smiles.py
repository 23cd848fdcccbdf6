"""What a smile changes, learnt from pairs of neutral and smiling photographs; used by build_face_space.py.

Ratio images (Liu, Shan and Zhang, SIGGRAPH 2001): the shape-free smiling face over the shape-free neutral one shows how
folds, cheeks and lower lids shade the skin. The mean over all pairs, by the length of the smile, is kept. And the mean
of the upper teeth, aligned with each other. Templates exist for the neutral photographs only: their points move as
MediaPipe's mesh does from the neutral to the smiling photograph.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from palsykit.faces.alignment import similarity
from palsykit.faces.interfaces import Detector
from palsykit_face_space.creases import FOLDS
from palsykit_face_space.mouth import ACROSS, BITE, DOWN, PER_UNIT, UNIT
from palsykit_face_space.warp import SIZE

Array = NDArray[np.float64]

_STILL = [33, 133, 362, 263, 168, 6, 197, 468, 473]
"""The mesh's points that a smile moves least: corners of the eyes, bridge of the nose, irises."""
_UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
_LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
_SMOOTHING = 20.0  # px^2 of the photographs, of the spline that carries the mesh's movement to the template
_BLUR, _MOST = 1.4, 0.6  # px of the appearance at 256 px; largest logarithm of a ratio that counts
_PARTED = 3.9  # smallest gap between the lips of a smile that shows teeth, px of the frame
_TOOTH, _LIP = 0.6, 0.09  # of the brightness of light teeth; redness (R - G) / (R + G + B) of lips and gums
_WIDTHS_MM = (8.6, 6.6, 6.6, 5.4, 4.4, 3.2)
"""Upper teeth from the midline as seen from the front (Ash and Nelson, Dental Anatomy), a first guess for alignment."""
_CROWN, _GUM = 10.5, (0.64, 0.45, 0.43)  # height of a middle tooth, mm; median colour above the teeth in the smiles
_RELIEF = 1.0  # the gaps between teeth that the mean has lost, times those that it has kept
_ROUNDS, _SEEN_BY = 4, 4
_NEAR_FOLD = 6.0  # px of the frame
_FACE = [*range(134, 145), 112, 187, 113, 188, 114, *range(133, 124, -1), 111, 186, 110, 185, 109]
_NOT_SKIN: list[tuple[list[int], float]] = [
    ([18, 19, 20, 21, 22, 30, 29, 28], 2.0),
    ([23, 24, 25, 26, 27, 33, 32, 31], 2.0),
    ([71, 72, 73, 74, 75, 76, 84, 83], 1.0),
    ([77, 78, 79, 80, 81, 82, 86, 85], 1.0),
    ([87, 88, 89, 90, 91, 92, 93, 108, 107, 106, 105, 104], 1.0),
    ([64, 55, 69], 2.0),
]
"""Outlines, and margins in px of the frame."""


@dataclass(frozen=True)
class Pair:
    """A person's photographs, px of each.

    Attributes:
        neutral: template points [189, 2] of the neutral photograph.
        smiling: the same of the smiling photograph.
        back: [2, 3], from px of the neutral to px of the smiling photograph, for what does not move.
        lips: [2, 11, 2] inner contours of upper and lower lip, where the smile has moved them, px of the neutral one.
        photograph: the smiling one, [H, W, 3] in [0, 1].
    """

    neutral: Array
    smiling: Array
    back: Array
    lips: Array
    photograph: Array

    def excursion(self) -> float:
        """Mean movement of the corners of the mouth, in distances between the pupils."""
        moved = moved_by(self.smiling, inverse(self.back)) - self.neutral
        unit = np.linalg.norm(self.neutral[1] - self.neutral[0])
        return float(np.linalg.norm(moved[[87, 93]], axis=1).mean() / unit)


def moved_by(points: Array, matrix: Array) -> Array:
    """Points [..., 2] moved by an affine map [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: Array) -> Array:
    """The inverse of an affine map [2, 3]."""
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


def _mesh(detector: Detector, path: Path) -> Array:
    faces = detector.detect(np.asarray(Image.open(path).convert("RGB")))
    if not faces or faces[0].mesh is None:
        raise SystemExit(f"{path}: the detector sees no face")
    return np.asarray(faces[0].mesh[:, :2], dtype=np.float64)


def read_pair(detector: Detector, template: Array, neutral: Path, smiling: Path) -> Pair:
    """Carry the template of a neutral photograph to the smiling one."""
    before, after = _mesh(detector, neutral), _mesh(detector, smiling)
    there = similarity(after[_STILL], before[_STILL])
    photograph = np.asarray(Image.open(smiling).convert("RGB")) / 255
    aligned = moved_by(after, there)
    edge = np.linspace(-0.1, 1.1, 7) * max(photograph.shape[:2])
    ring = np.array([(x, y) for x in edge for y in edge if x in edge[[0, -1]] or y in edge[[0, -1]]])
    still = np.zeros_like(ring)
    steps = RBFInterpolator(
        np.concatenate([before[:468], ring]), np.concatenate([(aligned - before)[:468], still]), smoothing=_SMOOTHING
    )
    back = inverse(there)
    points = moved_by(template + steps(template), back)
    return Pair(template, points, back, aligned[[_UPPER, _LOWER]], photograph)


def shade(neutral: Array, smiling: Array, excursions: Array) -> Array:
    """Logarithm of brightness [H, W] that a smile of one distance between the pupils adds to a symmetric mean face.

    Args:
        neutral: shape-free appearances [N, 3 or more, H, W].
        smiling: of the same people.
        excursions: length [N] of each smile.
    """
    bright = [np.log(np.maximum(_blurred(looks[:, :3].mean(1)), 0.03)) for looks in (neutral, smiling)]
    ratio = bright[1] - bright[0]
    height, width = ratio.shape[1:]
    face = np.s_[:, height // 4 : height * 9 // 10, width // 4 : width * 3 // 4]
    ratio = (ratio - np.median(ratio[face], axis=(1, 2), keepdims=True)).clip(-_MOST, _MOST)
    slope = np.tensordot(excursions, ratio, 1) / (excursions**2).sum()
    return np.asarray((slope + slope[:, ::-1]) / 2)


def skin(mean: Array, size: int) -> Array:
    """Soft mask [size, size] of the mean face's skin, points px of the frame: no eyes, brows, nostrils, lips."""
    drawn = Image.new("L", (size, size))
    ink = ImageDraw.Draw(drawn)
    ring = [tuple(point) for point in mean * (size / SIZE)]
    ink.polygon([ring[i] for i in _FACE], fill=255)
    solid = np.asarray(drawn) > 0
    for outline, margin in _NOT_SKIN:
        hole = Image.new("L", (size, size))
        ImageDraw.Draw(hole).polygon([ring[i] for i in outline], fill=255, outline=255)
        solid = solid & ~ndimage.binary_dilation(np.asarray(hole) > 0, iterations=round(margin * size / SIZE))
    inside = ndimage.distance_transform_edt(solid) * (SIZE / size)
    return np.asarray((inside / 2.5).clip(0, 1))


def near_folds(mean: Array, size: int) -> Array:
    """Soft mask [size, size] about the nasolabial folds of the mean face and the corners of its mouth."""
    at = (np.arange(size) + 0.5) * (SIZE / size)
    x, y = np.meshgrid(at, at)
    nearest = np.full((size, size), np.inf)
    for line in FOLDS:
        along = np.linspace(0, len(line) - 1, 20)
        spots = [np.interp(along, range(len(line)), mean[line, axis]) for axis in (0, 1)]
        for a, b in zip(*spots, strict=True):
            nearest = np.minimum(nearest, (x - a) ** 2 + (y - b) ** 2)
    return np.asarray(np.exp(-nearest / _NEAR_FOLD**2))


def _blurred(planes: Array) -> Array:
    return np.asarray(ndimage.gaussian_filter(planes.astype(np.float64), (0, _BLUR, _BLUR)))


@dataclass
class _Teeth:
    """Teeth of one person on the grid of the model; they are moved along it until they lie on those of the others."""

    colours: Array
    seen: NDArray[np.bool_]
    edge: float
    shift: float = 0.0
    scale: float = 1.0

    def at(self, shift: float, scale: float, values: Array, order: int = 1) -> Array:
        """Values [H, W] or [H, W, C] with another horizontal shift and scale, the biting edge in row ``BITE``."""
        rows, columns = np.mgrid[0:DOWN, 0:ACROSS]
        x = (columns + 0.5 - ACROSS / 2) * scale + ACROSS / 2 + shift - 0.5
        where = [rows - BITE + self.edge, x]
        planes = values[..., None] if values.ndim == 2 else values
        moved = [
            ndimage.map_coordinates(planes[..., c].astype(float), where, order=order, mode="nearest")
            for c in range(planes.shape[-1])
        ]
        return np.stack(moved, -1).reshape(DOWN, ACROSS, *values.shape[2:])


def _teeth(pair: Pair) -> _Teeth | None:
    """The upper teeth of a smile, or None if it shows too little of them."""
    # The grid, upright between the pupils, in units of UNIT to the distance between the pupils.
    across = pair.neutral[1] - pair.neutral[0]
    unit = np.linalg.norm(across) / UNIT
    across = across / np.linalg.norm(across)
    down = np.array([-across[1], across[0]])
    upper, lower = pair.lips
    if ((lower - upper) @ down).max() < _PARTED * unit:
        return None
    rows, columns = np.mgrid[0:DOWN, 0:ACROSS]
    x = (columns + 0.5 - ACROSS / 2) / PER_UNIT * unit + pair.neutral[90] @ across
    y = ((rows + 0.5) / PER_UNIT - 4) * unit + upper[5] @ down
    places = moved_by(x[..., None] * across + y[..., None] * down, pair.back)
    where = [places[..., 1] - 0.5, places[..., 0] - 0.5]
    patch = np.stack(
        [ndimage.map_coordinates(pair.photograph[..., c], where, order=1, mode="nearest") for c in range(3)], -1
    )
    # The teeth between the lips, and their biting edge: where they end downwards.
    top, bottom = (np.interp(x, line @ across, line @ down) for line in (upper, lower))
    mouth = (y > top) & (y < bottom) & (x > upper[0] @ across) & (x < upper[-1] @ across)
    inner = ndimage.binary_erosion(mouth)
    bright, red = patch.mean(-1), (patch[..., 0] - patch[..., 1]) / np.maximum(patch.sum(-1), 0.05)
    enamel = float(np.percentile(bright[inner], 85))
    seen = inner & (bright > _TOOTH * enamel) & (red < _LIP)
    middle = np.s_[:, ACROSS // 2 - 9 : ACROSS // 2 + 9]
    filled = np.flatnonzero(seen[middle].any(1))
    if enamel < 0.5 or seen.sum() < 250 or len(filled) < 7:
        return None
    falls = np.gradient(ndimage.gaussian_filter1d((bright * (red < _LIP))[middle].mean(1), 0.8))
    first = filled[0] + 4
    return _Teeth(patch / enamel, seen, float(first + np.argmin(falls[first : filled[-1] + 3])))


def _fine(rows: Array) -> Array:
    return rows - ndimage.gaussian_filter1d(rows, 4, axis=-1)


def _gaps() -> Array:
    """The dark lines between teeth [DOWN, ACROSS] of average widths."""
    edges = np.cumsum((0, *_WIDTHS_MM))
    mm = (np.arange(ACROSS) + 0.5 - ACROSS / 2) / PER_UNIT * 63 / UNIT
    lines = -sum(np.exp(-(((mm - edge) / 0.7) ** 2)) for edge in (*edges, *-edges[1:]))
    return np.repeat(np.asarray(lines)[None], DOWN, 0)


def _align(one: _Teeth, guide: Array) -> None:
    """Find the horizontal shift and scale with which the gaps between teeth correlate best with those of ``guide``."""
    best, bright = -np.inf, one.colours.mean(-1)
    for scale in np.arange(0.84, 1.2, 0.03):
        mine, seen = one.at(0, scale, bright), one.at(0, scale, one.seen, 0) > 0.5
        fine = _fine(np.where(seen, mine, ndimage.gaussian_filter(mine, 2)))
        for step in range(-7, 8):
            weight = seen.astype(float)
            weight[: BITE - 16] = weight[:, : ACROSS // 2 - 30 + step] = weight[:, ACROSS // 2 + 30 + step :] = 0
            if not weight.any():
                continue
            a, b = (part - np.average(part, weights=weight) for part in (fine, np.roll(guide, step, 1)))
            alike = (weight * a * b).sum() / np.sqrt((weight * a * a).sum() * (weight * b * b).sum() + 1e-9)
            if alike > best:
                best, one.shift, one.scale = alike, step * scale, scale


def teeth(pairs: list[Pair]) -> tuple[NDArray[np.float64], int]:
    """Mean colours of upper teeth, 1 for light enamel, and the share of people who show them there; their number.

    Returns:
        [4, DOWN, ACROSS], symmetric, and the number of people.
    """
    people = [one for pair in pairs if (one := _teeth(pair)) is not None]
    guide, mean, count = _gaps(), np.zeros((DOWN, ACROSS, 3)), np.zeros((DOWN, ACROSS))
    for _ in range(_ROUNDS):
        for one in people:
            _align(one, guide)
        colours = np.array([one.at(one.shift, one.scale, one.colours) for one in people])
        seen = np.array([one.at(one.shift, one.scale, one.seen, 0) > 0.5 for one in people])
        colours, seen = (np.concatenate([a, a[:, :, ::-1]]) for a in (colours, seen))
        count = seen.sum(0)
        mean = (colours * seen[..., None]).sum(0) / np.maximum(count, 1)[..., None]
        guide = _fine(np.where(count >= _SEEN_BY, mean.mean(-1), 0.8))
    whole = np.mean([_filled(one, known) for one, known in zip(colours, seen, strict=True)], axis=0)
    whole += _RELIEF * np.stack([_fine(plane) for plane in whole.transpose(2, 0, 1)], -1)
    return np.concatenate([_with_gums(whole), _crowns(count)[..., None]], -1).transpose(2, 0, 1), len(people)


def _filled(colours: Array, seen: NDArray[np.bool_]) -> Array:
    """Colours with the unseen ones taken from the nearest seen ones, those above and below first."""
    unseen = ndimage.distance_transform_edt(~seen, sampling=(1, 4), return_distances=False, return_indices=True)
    return np.asarray(colours[tuple(unseen)])


def _crowns(count: NDArray[np.int64]) -> Array:
    """Share of the teeth [DOWN, ACROSS] in front of the dark, from the number of people who show them there.

    A parabola is fitted to the biting edge, and continued where few people show teeth.
    """
    smooth = ndimage.gaussian_filter(count / count.max(), 0.7)
    most, rows = smooth.max(0), np.arange(DOWN)[:, None]
    edge = np.max(np.where(smooth > 0.5 * most, rows, 0), axis=0)
    x = np.arange(ACROSS) + 0.5 - ACROSS / 2
    shown = most > 0.4
    curve, level = np.polyfit(x[shown] ** 2, edge[shown], 1)
    return np.asarray((curve * x**2 + level - rows + 1).clip(0, 1) * ((ACROSS / 2 - np.abs(x)) / 8).clip(0, 1))


def _with_gums(colours: Array) -> Array:
    """Colours [DOWN, ACROSS, 3] with gums above the teeth."""
    tooth = 0.5 + 0.5 * np.abs(np.sin(np.pi * (np.arange(ACROSS) + 0.5 - ACROSS / 2) / (8.6 * PER_UNIT * UNIT / 63)))
    line = BITE - _CROWN * PER_UNIT * UNIT / 63 + 3 * (1 - tooth)
    share = (line[None] - np.arange(DOWN)[:, None]).clip(0, 1)[..., None]
    return np.asarray(colours * (1 - share) + np.array(_GUM) * share)
