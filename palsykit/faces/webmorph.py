"""Webmorph templates: 189 points on a frontal face (.tem files), and their conversion to iBUG 68.

The template is the one of the Face Research Lab London Set (DeBruine and Jones 2017, doi 10.6084/m9.figshare.5047666):
first line the number of points, then one ``x<TAB>y`` line per point in px of the photograph, then contours as lists of
point numbers, which are not read here. Image-left is the subject's right.

    pupils 0, 1; irises 2-9, 10-17; upper lids 18-22, 23-27; lower lids 28-30, 31-33; lid creases 34-38, 39-43;
    under-eye 44-46, 47-49; nose 50-70, 179-182; brows 71-76 with 83-84, 77-82 with 85-86; mouth corners 87, 93;
    upper lip top 88-92, bottom 94-98; lower lip top 99-103, bottom 104-108; face edge 109-114, 185-188; ears 115-124;
    jaw 125-133; hairline 134-144; hair and neck 145-157, 183-184; nasolabial folds 158-163; cheeks 164-169;
    philtrum 170-173; chin 174-178
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COUNT = 189

_JAW_RIGHT = (109, 185, 110, 186, 111, 125, 126, 127, 128, 129)  # the subject's right temple to the chin's middle
_JAW_LEFT = (129, 130, 131, 132, 133, 114, 188, 113, 187, 112)
_UPPER_LIDS = (18, 19, 20, 21, 22), (23, 24, 25, 26, 27)  # image-left to image-right
_LOWER_LIDS = (18, 28, 29, 30, 22), (23, 31, 32, 33, 27)
_TIP = 0.25  # the apex of the nose, from the tip's upper points (54, 60) towards the base of the septum (55)
_INNER_CORNER = 0.35  # from the outer mouth corner towards the first inner lip points


FURTHER = (0, 1, 158, 159, 160, 161, 162, 163)
"""Template points of palsykit's further points (palsykit.faces.landmarks): pupils, right and left nasolabial fold."""


def _mirrored_pairs() -> dict[int, int]:
    """Template point -> its counterpart on the other side, from runs of points that mirror each other."""
    runs = [
        ((0,), (1,)),
        ((2, 3, 4, 5, 6, 7, 8, 9), (10, 17, 16, 15, 14, 13, 12, 11)),
        (range(18, 23), range(27, 22, -1)),
        (range(28, 31), range(33, 30, -1)),
        (range(34, 39), range(43, 38, -1)),
        (range(44, 47), range(49, 46, -1)),
        (range(50, 55), range(56, 61)),
        (range(61, 66), range(66, 71)),
        (range(71, 77), range(82, 76, -1)),
        ((83, 84), (86, 85)),
        (range(87, 90), range(93, 90, -1)),
        ((94, 95, 99, 100, 104, 105), (98, 97, 103, 102, 108, 107)),
        (range(109, 112), range(112, 115)),
        (range(115, 120), range(120, 125)),
        (range(125, 129), range(133, 129, -1)),
        (range(134, 139), range(144, 139, -1)),
        (range(145, 151), range(157, 151, -1)),
        (range(158, 161), range(161, 164)),
        (range(164, 167), range(167, 170)),
        ((170, 171, 176, 179, 180, 183, 185, 186), (172, 173, 178, 182, 181, 184, 187, 188)),
    ]
    pairs = {a: b for right, left in runs for a, b in zip(right, left, strict=True)}
    return pairs | {b: a for a, b in pairs.items()}


_PAIRS = _mirrored_pairs()
FLIP: tuple[int, ...] = tuple(_PAIRS.get(i, i) for i in range(COUNT))
"""Point i of the mirrored photograph is point FLIP[i] of the original; points on the midline are their own."""


def _point(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        x, y = (float(value) for value in line.split())
    except ValueError:
        raise ValueError(f"{path}:{number}: found {line.strip()!r}, expected two numbers, x and y in px") from None
    if not (np.isfinite(x) and np.isfinite(y)):
        raise ValueError(f"{path}:{number}: found {line.strip()!r}, expected finite coordinates in px")
    return x, y


def read_template(path: Path) -> NDArray[np.float64]:
    """The points [189, 2] of a .tem file, in px of its photograph.

    Raises:
        ValueError: if the file is not a 189-point template; gives path, line, what was found and what was expected.
        OSError: if the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not text; expected a webmorph template") from None
    count = lines[0].strip() if lines else ""
    if count != str(COUNT):
        raise ValueError(f"{path}:1: found {count!r}, expected {COUNT}, the number of points of the London template")
    body = lines[1 : COUNT + 1]
    if len(body) < COUNT:
        raise ValueError(f"{path}:{len(lines)}: the file ends after {len(body)} points, expected {COUNT}")
    return np.array([_point(path, number, line) for number, line in enumerate(body, start=2)], dtype=np.float64)


def _along(contour: NDArray[np.float64], fractions: Sequence[float]) -> NDArray[np.float64]:
    """Points at fractions of the length of an open polyline [N, 2]."""
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(contour, axis=0), axis=1))]
    at = np.asarray(fractions) * length[-1]
    return np.column_stack([np.interp(at, length, contour[:, axis]) for axis in (0, 1)])


def _nose(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """iBUG 27-35: four points down the bridge, five along the base from the subject's right."""
    midline = (p[50:55] + p[56:61]) / 2
    tip = midline[-1] + _TIP * (p[55] - midline[-1])
    bridge = _along(np.vstack([midline, tip]), (0, 1 / 3, 2 / 3, 1))
    return np.vstack([bridge, p[64], (p[64] + p[55]) / 2, p[55], (p[55] + p[69]) / 2, p[69]])


def _eyes(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """iBUG 36-47: each eye from its image-left corner along the upper lid and back along the lower lid."""
    eyes = []
    for upper, lower in zip(_UPPER_LIDS, _LOWER_LIDS, strict=True):
        above, below = _along(p[list(upper)], (0, 1 / 3, 2 / 3, 1)), _along(p[list(lower)], (2 / 3, 1 / 3))
        eyes += [above, below]
    return np.vstack(eyes)


def _mouth(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """iBUG 48-67: the outer contour from the subject's right corner over the upper lip, then the inner one."""
    outer = p[[87, 88, 89, 90, 91, 92, 93, 108, 107, 106, 105, 104]]
    right = p[87] + _INNER_CORNER * ((p[94] + p[99]) / 2 - p[87])
    left = p[93] + _INNER_CORNER * ((p[98] + p[103]) / 2 - p[93])
    return np.vstack([outer, right, p[95:98], left, p[[102, 101, 100]]])


def to_ibug68(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """The 68 iBUG landmarks [68, 2] of template points [189, 2], in the same units.

    Lips, brow ends, mouth and eye corners are template points; jaw, brows, lids and nose bridge are taken at equal
    steps along the template's contours; nose apex and inner mouth corners, which it does not mark, are interpolated.

    Raises:
        ValueError: for another shape.
    """
    if points.shape != (COUNT, 2):
        raise ValueError(f"found points of shape {points.shape}, expected ({COUNT}, 2)")
    p = points.astype(np.float64)
    jaw = [_along(p[list(half)], np.linspace(0, 1, 9).tolist()) for half in (_JAW_RIGHT, _JAW_LEFT)]
    fifths = (0, 0.25, 0.5, 0.75, 1)
    brows = [_along(p[71:76], fifths), _along(p[78:83], fifths)]
    return np.vstack([jaw[0], jaw[1][1:], *brows, _nose(p), _eyes(p), _mouth(p)]).astype(np.float32)
