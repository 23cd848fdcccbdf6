"""Compute the face space from photographs: ``python tools/build_face_space.py PHOTOGRAPHS OUT``.

PHOTOGRAPHS is the folder of the London set (the script reads its folders ``neutral`` and ``smiling``); OUT is the
folder for face_space.safetensors, its attribution and its card. Only the ``train`` people of splits/london.csv are
used, never validation or test people.

The face space is an active appearance model (Cootes et al., PAMI 2001) in palsykit's face frame (faces/alignment.py) at
256 px: mean and principal components of the shape (189 template points, px of the frame at 128 px) and of the
shape-free appearance (RGB, and the signed distance to the person's outline, so that a background can be added).
Mirrored samples double the data and make the model symmetric. Unlike the paper's, shape and appearance stay two
separate spaces. Of the appearance, brightness is stored at 256 px, colour and outline at 128 px, each in 8 bits. What a
smile adds (smiles.py) is kept as means over the same people.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import smiles
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from palsykit.faces.alignment import five_points, to_frame
from palsykit.faces.webmorph import FLIP, read_template, to_ibug68
from palsykit.files.hashes import sha256
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit_face_space.matte import extend, person, signed_distance
from palsykit_face_space.model import CONTROLS, DETAIL, OUTLINE_PX, OUTLINE_SCALE
from palsykit_face_space.warp import SIZE, border, read, splines, upsample

SHAPES, APPEARANCES = 30, 60
OVERSAMPLE = 2
_IMPUTATIONS, _IMPUTATION_RANK, _SEEN_BY = 15, 8, 4
Look = NDArray[np.float32]
SPLIT = Path(__file__).parents[1] / "splits/london.csv"
ATTRIBUTION = """\
The face space (face_space.safetensors) is a statistical model of 60 of the 82 people of the
Face Research Lab London Set; it contains no photograph.

DeBruine, L., & Jones, B. (2017). Face Research Lab London Set (Version 5). figshare.
https://doi.org/10.6084/m9.figshare.5047666.v5. Licence: CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/). Changed: aligned, warped, mirrored, averaged into
principal components and quantised. All individuals gave signed consent for their images to be used
in lab-based and web-based studies in their original or altered forms and to illustrate research.
"""


def train_people(split: Path) -> list[str]:
    """The subjects whose photographs the asset may use: those with split ``train``."""
    with split.open(newline="", encoding="utf-8") as file:
        return [row["subject"] for row in csv.DictReader(file) if row["split"] == "train"]


def _transformed(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _to_photo(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map [2, 3] from px of the frame to px of the photograph with template ``points`` [189, 2]."""
    return smiles.inverse(to_frame(five_points(to_ibug68(points)), SIZE))


def read_photograph(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Read RGB and signed outline [4, H, W], template points in px of the photograph, and the same in the frame."""
    points = read_template(path.with_suffix(".tem"))
    image = np.asarray(np.asarray(Image.open(path).convert("RGB")) / 255, dtype=np.float32)
    mask = person(image, chin=float(points[129, 1]))
    core = np.asarray(signed_distance(mask, 4) > 2)
    matrix = to_frame(five_points(to_ibug68(points)), SIZE)
    scale = float(np.sqrt(np.linalg.det(matrix[:, :2])))
    outline = np.clip(signed_distance(mask, 1e9) * scale, -OUTLINE_PX, OUTLINE_PX) / OUTLINE_PX * OUTLINE_SCALE
    planes = np.concatenate([extend(image, core, 3), outline[..., None]], -1).transpose(2, 0, 1)
    return np.ascontiguousarray(planes), points, _transformed(points, matrix)


def shape_free(planes: NDArray[np.float32], source: NDArray[np.float64], mean: NDArray[np.float64],
               to_photo: NDArray[np.float64]) -> NDArray[np.float32]:  # fmt: skip
    """Warp the photograph [4, H, W] so that its points are those of the mean shape: [4, DETAIL, DETAIL]."""
    fixed = border().double()
    here = torch.cat([torch.as_tensor(mean[CONTROLS]), fixed])[None]
    there = torch.cat([torch.as_tensor(source[CONTROLS]), torch.as_tensor(_transformed(fixed.numpy(), to_photo))])
    field = upsample(splines(here.float(), there[None], [list(range(here.shape[1]))], SIZE)[0], DETAIL * OVERSAMPLE)
    warped = read(torch.as_tensor(planes)[None], field, planes.shape[-1])
    return np.asarray(torch.nn.functional.avg_pool2d(warped, OVERSAMPLE)[0])


def _main_axes(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Singular values [N] and right singular vectors [N, D] of a few long rows [N, D], the largest first.

    By the products of the rows with each other: much faster than a decomposition of the rows. Centred rows have a last
    singular value of 0, whose vector means nothing.
    """
    squares, u = np.linalg.eigh(rows @ rows.T)
    order = np.argsort(-squares)
    s = np.sqrt(squares[order].clip(0))
    return s, (u[:, order].T @ rows) / np.maximum(s, 1e-9 * s[0])[:, None]


def principal(rows: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Mean [D], components [count, D] times their standard deviations, and the share of variance that they explain."""
    mean = rows.mean(0)
    s, v = _main_axes(rows - mean)
    signs = np.sign(v[np.arange(len(v)), np.abs(v).argmax(1)])[:, None]  # fix a component's sign, which is arbitrary
    basis = s[:count, None] / np.sqrt(len(rows) - 1) * v[:count] * signs[:count]
    return mean, basis, float((s[:count] ** 2).sum() / (s**2).sum())


def reduced(looks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brightness [N, 1, H, W], and at half the size colour and outline [N, 3, H/2, W/2], of appearances [N, 4, H, W].

    Colour is red and blue minus brightness, the mean of the three; ``coloured`` of the model is the inverse.
    """
    brightness = looks[:, :3].mean(1, keepdims=True)
    rest = np.concatenate([looks[:, [0, 2]] - brightness, looks[:, 3:]], 1)
    half = rest.reshape(*rest.shape[:2], rest.shape[2] // 2, 2, rest.shape[3] // 2, 2).mean((3, 5))
    return brightness, half


def quantised(basis: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise planes of components [N, C, H, W] to int8, with one scale [N, C] per plane."""
    scale = np.abs(basis).max((2, 3), keepdims=True) / 127
    return np.round(basis / scale).astype(np.int8), scale[..., 0, 0].astype(np.float32)


def imputed(looks: NDArray[np.float64], rank: int = _IMPUTATION_RANK) -> NDArray[np.float64]:
    """Replace colours outside the outline of appearances [N, 4, H, W] by a low-rank estimate from those inside.

    Hair that a person does not have still needs a colour, or blends of long and short hair turn grey. Missing values
    are estimated by iterated PCA (Kiers, Psychometrika 1997), which starts from the mean of the people with a colour at
    that pixel. With more components the estimate stays nearer to this mean.
    """
    colours = looks[:, :3].reshape(len(looks), -1)
    hidden = np.repeat(looks[:, 3:] <= 0, 3, axis=1).reshape(colours.shape)
    seen = np.where(hidden, 0, colours).sum(0) / np.maximum((~hidden).sum(0), 1)
    known = (~hidden).sum(0) >= _SEEN_BY
    guess = np.where(hidden & known, seen, colours)
    for _ in range(_IMPUTATIONS):
        mean = guess.mean(0)
        _, v = _main_axes(guess - mean)
        low = mean + (guess - mean) @ v[:rank].T @ v[:rank]
        guess = np.where(hidden & known, low, colours)
    return np.concatenate([guess.clip(0, 1).reshape(looks[:, :3].shape), looks[:, 3:]], 1)


def smile_arrays(photographs: Sequence[Path], neutral: Sequence[Look], mean: NDArray[np.float64],
                 smiling: Path) -> tuple[dict[str, NDArray[np.generic]], int]:  # fmt: skip
    """What a smile adds: ``smile_shade`` and ``teeth``; and the number of people who show their teeth.

    Args:
        photographs: the neutral ones.
        neutral: their shape-free appearances.
        mean: the mean shape.
        smiling: the folder of the smiling photographs.
    """
    detector = build_part("detectors", PartBlock(use="mediapipe", parameters={}))
    pairs, looks = [], []
    for path in photographs:
        template = read_template(path.with_suffix(".tem"))
        pair = smiles.read_pair(detector, template, path, smiling / path.name.replace("_03", "_08"))
        to_photo = _to_photo(template)
        to_photo = np.column_stack([pair.back[:, :2] @ to_photo[:, :2], smiles.moved_by(to_photo[:, 2], pair.back)])
        planes = np.ascontiguousarray(pair.photograph.transpose(2, 0, 1), dtype=np.float32)
        looks.append(shape_free(planes, pair.smiling, mean, to_photo))
        pairs.append(pair)
    shade = smiles.shade(np.array(neutral), np.array(looks), np.array([pair.excursion() for pair in pairs]))
    teeth, count = smiles.teeth(pairs)
    half = shade.reshape(SIZE, DETAIL // SIZE, SIZE, DETAIL // SIZE).mean((1, 3)) * smiles.skin(mean, SIZE)
    folds = smiles.near_folds(mean, SIZE)
    arrays = {"smile_shade": np.stack([half * folds, half * (1 - folds)]), "teeth": teeth}
    return {name: array.astype(np.float16) for name, array in arrays.items()}, count


def build(photographs: Sequence[Path], smiling: Path) -> tuple[dict[str, NDArray[np.generic]], float, float, int]:
    """Compute the asset's arrays.

    Returns:
        the arrays, the shares of variance that shape and appearance components explain, and the number of people whose
        teeth are known.
    """
    read_all = [read_photograph(path) for path in photographs]
    shapes = np.array([shape for _, _, shape in read_all])
    mirrored = shapes[:, list(FLIP)] * [-1, 1] + [SIZE, 0]
    both = np.concatenate([shapes, mirrored])
    mean_shape, shape_basis, shape_share = principal(both.reshape(len(both), -1), SHAPES)
    mean = mean_shape.reshape(-1, 2)
    rows = []
    for planes, points, shape in read_all:
        to_photo = _to_photo(points)
        assert np.allclose(_transformed(shape, to_photo), points)
        rows.append(shape_free(planes, points, mean, to_photo))
    looks = imputed(np.array([*rows, *[row[..., ::-1] for row in rows]], dtype=np.float64))
    mean_look, look_basis, look_share = principal(looks.reshape(len(looks), -1), APPEARANCES)
    arrays: dict[str, NDArray[np.generic]] = {
        "shape_mean": mean.astype(np.float32),
        "shape_basis": shape_basis.reshape(SHAPES, -1, 2).astype(np.float32),
    }
    means = reduced(mean_look.reshape(1, 4, DETAIL, DETAIL))
    bases = reduced(look_basis.reshape(APPEARANCES, 4, DETAIL, DETAIL))
    for name, middle, basis in zip(("brightness", "colour"), means, bases, strict=True):
        arrays[f"{name}_mean"] = middle[0].astype(np.float16)
        arrays[f"{name}_basis"], arrays[f"{name}_scale"] = quantised(basis)
    added, toothed = smile_arrays(photographs, rows, mean, smiling)
    return arrays | added, shape_share, look_share, toothed


def main(photographs: str, out: str) -> None:
    """Write the asset, attribution.txt and asset.md to ``out``."""
    people = train_people(SPLIT)
    paths = [Path(photographs, "neutral", f"{person}_03.jpg") for person in people]
    smiling = Path(photographs, "smiling")
    if missing := [str(p) for p in [*paths, *(smiling / f"{person}_08.jpg" for person in people)] if not p.exists()]:
        raise SystemExit(f"{len(missing)} photographs are missing, the first is {missing[0]}; expected the London set")
    arrays, shape_share, look_share, toothed = build(paths, smiling)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    asset = folder / "face_space.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, asset)  # others it writes wrongly
    (folder / "attribution.txt").write_text(ATTRIBUTION, encoding="utf-8")
    digest = sha256(asset)
    (folder / "asset.md").write_text(
        f"""# face_space.safetensors

An active appearance model of {len(people)} people (`train` in splits/london.csv), mirrored: {SHAPES} shape
components explain {shape_share:.1%} of the variance, {APPEARANCES} appearance components {look_share:.1%}.
The shading of a smile is a mean over their {len(people)} smiling photographs, the teeth over {toothed} of them.

- made by: `python tools/build_face_space.py PHOTOGRAPHS OUT`
- bytes: {asset.stat().st_size}
- SHA-256: {digest}
- attribution: attribution.txt (CC BY 4.0)
""",
        encoding="utf-8",
    )
    print(f"{asset}: {asset.stat().st_size} bytes, shape {shape_share:.1%}, appearance {look_share:.1%}, {digest}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python tools/build_face_space.py PHOTOGRAPHS OUT")
    main(*sys.argv[1:])
