"""Compare simulated smiles with real ones of the same people, from whose photographs it was not made.

    python benchmarks/smiles.py PHOTOGRAPHS                     # the folder of the London set
    python benchmarks/smiles.py PHOTOGRAPHS --own               # move each face as its own smile does
    python benchmarks/smiles.py PHOTOGRAPHS --sheet smiles.jpg  # neutral, real smile, simulated smile, side by side

The people are those of splits validation and test of splits/london.csv. Each neutral photograph gets the simulated
smile that is nearest to the person's own: with the lips apart or not, and with a strength that moves the corners of the
mouth as far, both as MediaPipe's mesh sees them. So the figures compare what a smile looks like, not how large it is.
With ``--own`` the points move as the mesh does between the two photographs, whatever the simulator's movements are, and
the figures compare shading and teeth only.
The distance between real and simulated smiles is the squared MMD with KID's kernel (Binkowski et al., arXiv:1801.01401)
with the pairs of a picture with itself, so that it is 0 for equal sets: by features of the face mesh, which others
trained on real faces, and of the shipped judges, which know rendered faces. The distance from the real smiles to the
neutral photographs is given for scale.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from fitted import parts_of
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from palsykit.cli.table import table
from palsykit.errors import PalsykitError
from palsykit.faces.interfaces import Detector, Poser
from palsykit.faces.landmarks import eye_centres
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit_face_space.displacement import BETWEEN_PUPILS_MM
from palsykit_face_space.palsy import FULL_SMILE_MM, Action, Pose
from palsykit_face_space.render import Scene, render
from palsykit_face_space.simulated import photographed_person
from palsykit_face_space.warp import SIZE

ROOT = Path(__file__).parents[1]
SPLIT = ROOT / "splits/london.csv"
HELD_OUT = ("validation", "test")
CORNERS, LIPS = [48, 54], (62, 66)
PARTED = 0.03
"""Growth of the gap between the lips, in distances between the pupils, from which a smile is an open one."""
WEAKEST = 0.1
_STILL = [33, 133, 362, 263, 168, 6, 197]
_UPPER_LIP = [185, 40, 39, 37, 0, 267, 269, 270, 409, 191, 80, 81, 82, 13, 312, 311, 310, 415, 184, 74, 73, 72, 11,
              302, 303, 304, 408, 183, 42, 41, 38, 12, 268, 271, 272, 407]  # fmt: skip
_LOWER_LIP = [146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324, 90, 180, 85, 16, 315,
              404, 320, 307, 77, 96, 89, 179, 86, 15, 316, 403, 319, 325]  # fmt: skip
"""The mesh's points that move least in a smile, and those of the lips without the corners."""
_LOWER_POINTS = [*range(99, 109)]
_DEEP = 0.2  # movement of the corners, in distances between the pupils, with a fold as deep as ``Pose.fold`` 1
_FORM, _FINE = 65, 39
"""The mesh's values below these numbers: its last map of 6 x 6 cells (an "add"), and of 24 x 24 cells (a "prelu")."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Smile:
    """One person: photographs at rest and smiling, and the simulated smile; expression and strength of the latter."""

    subject: str
    neutral: Picture
    real: Picture
    simulated: Picture
    expression: str
    strength: float


def pairs(photographs: Path, image_size: int, cache: Path) -> list[tuple[str, Picture, NDArray[np.float32], Picture]]:
    """Subject, neutral photograph, its landmarks [68, 2] px and smiling photograph of each held-out person."""
    keys = {"root": str(photographs), "splits": str(SPLIT)}
    data = build_part("datasets", PartBlock(use="webmorph", parameters=keys), image_size, cache)
    neutral, smiling = (
        {str(r.labels.subject): r for r in data.records if r.split in HELD_OUT and r.labels.expression == expression}
        for expression in ("rest", "smiling")
    )
    shared = [subject for subject in neutral if subject in smiling and neutral[subject].landmarks is not None]
    if len(shared) < 2:
        raise PalsykitError(f"{photographs}: found {len(shared)} held-out people with both photographs; expected 22")
    return [(s, data.image(neutral[s]), neutral[s].landmarks, data.image(smiling[s])) for s in shared]


def _seen(detector: Detector, picture: Picture) -> NDArray[np.float64]:
    """The 68 points that the detector sees, in distances between the pupils."""
    faces = detector.detect(picture)
    if not faces or faces[0].landmarks is None:
        raise PalsykitError("the detector sees no face in one of the photographs")
    points = faces[0].landmarks.astype(np.float64)
    right, left = eye_centres(points)
    return points / float(np.linalg.norm(left - right))


def simulate(
    poser: Poser, detector: Detector, subject: str, neutral: Picture, landmarks: NDArray[np.float32], real: Picture
) -> Smile:
    """The simulated smile that is nearest to the real one."""
    rest, smile = _seen(detector, neutral), _seen(detector, real)
    gaps = [float(np.linalg.norm(points[LIPS[0]] - points[LIPS[1]])) for points in (rest, smile)]
    expression = "smile_full" if gaps[1] - gaps[0] > PARTED else "smile_gentle"
    labels = FaceLabels(subject, expression, Side.NONE, 1.0)
    right, left = eye_centres(landmarks)
    _, full = poser.pose(neutral, landmarks, labels, 1.0)
    reach = np.linalg.norm((full - landmarks)[CORNERS], axis=1).mean() / np.linalg.norm(left - right)
    move = np.linalg.norm((smile - rest)[CORNERS], axis=1).mean()
    strength = float(np.clip(move / reach, WEAKEST, 1.0))
    return Smile(subject, neutral, real, poser.pose(neutral, landmarks, labels, strength)[0], expression, strength)


def own(detector: Detector, subject: str, neutral: Picture, landmarks: NDArray[np.float32], real: Picture) -> Smile:
    """The neutral photograph, moved as the mesh moves to the real smile, and shaded by the simulator."""
    before, after = (_mesh(detector, picture) for picture in (neutral, real))
    steps = after - before
    steps = steps - steps[_STILL].mean(0)
    edge = np.linspace(-0.1, 1.1, 7) * neutral.shape[0]
    ring = np.array([(x, y) for x in edge for y in edge if x in edge[[0, -1]] or y in edge[[0, -1]]])
    who = photographed_person(neutral, landmarks)
    rest, scale = who.shape.numpy().astype(np.float64), neutral.shape[0] / SIZE
    moved = []
    for other in (_LOWER_LIP, _UPPER_LIP):  # each lip without the other, which would pull it shut
        kept = [i for i in range(len(before)) if i not in other]
        spline = RBFInterpolator(
            np.concatenate([before[kept], ring]), np.concatenate([steps[kept], 0 * ring]), smoothing=5.0
        )
        moved.append(rest + spline(rest * scale) / scale)
    points = np.where(np.isin(np.arange(len(rest)), _LOWER_POINTS)[:, None], moved[1], moved[0])
    reach = np.linalg.norm((points - rest)[[87, 93]], axis=1) / np.linalg.norm(rest[1] - rest[0])
    pose = still_lids(points, np.minimum(reach / _DEEP, 1), reach * BETWEEN_PUPILS_MM / FULL_SMILE_MM)
    picture = render([who], [Scene(Action("smile_full"))], neutral.shape[0], pose)[0]
    return Smile(subject, neutral, real, picture, "smile_full", float(reach.mean()))


def still_lids(points: NDArray[np.float64], fold: NDArray[np.float64], smile: NDArray[np.float64]) -> Pose:
    """A pose [189, 2] that moves no lid and wrinkles no forehead, with folds and a smile for (right, left)."""
    none = np.zeros((1, 2))
    shape = points[None]
    return Pose(
        points=shape, open_points=shape, closure=none, fold=fold[None], wrinkle=none, gaze_up=none,
        lid_gap=none, smile=smile[None], squeeze=none,
    )  # fmt: skip


def _mesh(detector: Detector, picture: Picture) -> NDArray[np.float64]:
    faces = detector.detect(picture)
    if not faces or faces[0].mesh is None:
        raise PalsykitError("the detector sees no face in one of the photographs")
    return faces[0].mesh[:468, :2].astype(np.float64)


def _tensor(pictures: Sequence[Picture], size: int) -> Tensor:
    """[N, 3, size, size] in [0, 1]."""
    stack = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(stack, size=size, mode="bicubic", antialias=True).clamp(0, 1)


def _lower(maps: Tensor) -> Tensor:
    """Means [N, 4 C] in quarters of the lower face, of maps [N, C, 24, 24] of pictures in the face frame."""
    return F.adaptive_avg_pool2d(maps[:, :, 11:21, 5:19], 2).flatten(1)


def networks() -> dict[str, Callable[[Sequence[Picture]], Tensor]]:
    """Name -> pictures to features [N, D]."""
    from palsykit_faces.graph import Graph, shipped_models

    mesh = shipped_models()["mesh"]
    last = max(o["to"] for o in mesh.operations if o["do"] == "add" and o["to"] < _FORM)
    trunk = Graph(mesh.side, [o for o in mesh.operations if o["to"] <= last], [last], mesh.weights)
    fine = max(o["to"] for o in mesh.operations if o["do"] == "prelu" and o["to"] < _FINE)
    texture = Graph(mesh.side, [o for o in mesh.operations if o["to"] <= fine], [fine], mesh.weights)
    found: dict[str, Callable[[Sequence[Picture]], Tensor]] = {
        "face mesh, form": lambda pictures: trunk(_tensor(pictures, mesh.side))[0].mean((2, 3)),
        "face mesh, detail": lambda pictures: _lower(texture(_tensor(pictures, mesh.side))[0]),
    }
    names = ("judge_recognition", "judge_expression")
    files = [f"networks.{name}.weights=palsykit_weights:{name}.safetensors" for name in names]
    parts = parts_of(None, ROOT / "recipes/judges.yaml", files, [])
    for name in names:
        judge = parts.networks[name]
        found[name] = lambda pictures, judge=judge: judge(_tensor(pictures, 64) * 2 - 1).map.mean((2, 3))
    return found


def discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Squared MMD of features [N, D] and [M, D] with KID's kernel, on features scaled by x's spread about its mean.

    The estimate includes each row's pair with itself: 0 for equal sets, never below 0.
    """
    middle, scale = x.mean(0), x.std(0) + 1e-6
    a, b = (x - middle) / scale, (y - middle) / scale

    def kernel(left: Tensor, right: Tensor) -> Tensor:
        return ((left @ right.T / x.shape[1] + 1) ** 3).mean()

    return kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)


def distances(smiles: Sequence[Smile]) -> dict[str, dict[str, float]]:
    """Network -> distance from the real smiles to the simulated ones and to the neutral photographs."""
    rows = {}
    with torch.inference_mode():
        for name, features in networks().items():
            real, *others = (
                features([getattr(smile, kind) for smile in smiles]).double()
                for kind in ("real", "simulated", "neutral")
            )
            rows[name] = dict(zip(("simulated", "neutral"), (float(discrepancy(real, o)) for o in others), strict=True))
    return rows


def sheet(smiles: Sequence[Smile], path: Path) -> None:
    """Write rows of two people: neutral, real smile, simulated smile."""
    people = [np.concatenate([s.neutral, s.real, s.simulated], 1) for s in smiles]
    people += [np.full_like(people[0], 255)] * (len(people) % 2)
    rows = [np.concatenate(people[k : k + 2], 1) for k in range(0, len(people), 2)]
    Image.fromarray(np.concatenate(rows)).save(path, quality=90)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path, help="folder of the London set")
    parser.add_argument("--own", action="store_true", help="move each face as its own smile does")
    parser.add_argument("--size", type=int, default=256, help="side of the pictures in px")
    parser.add_argument("--sheet", type=Path, help="write the pictures side by side; they show real people")
    options = parser.parse_args(arguments)
    poser: Poser = build_part("posers", PartBlock(use="simulated", parameters={}))
    detector: Detector = build_part("detectors", PartBlock(use="mediapipe", parameters={}))
    with TemporaryDirectory() as cache:
        people = pairs(options.photographs, options.size, Path(cache))
    make = partial(own, detector) if options.own else partial(simulate, poser, detector)
    smiles = [make(*person) for person in people]
    if options.sheet is not None:
        sheet(smiles, options.sheet)
    rows = distances(smiles)
    parted = sum(smile.expression == "smile_full" for smile in smiles)
    strength = float(np.mean([smile.strength for smile in smiles]))
    what = "movement in distances between the pupils" if options.own else f"strength, {parted} with parted lips"
    print(f"distance from the real smiles of {len(smiles)} people; {strength:.2f} mean {what}")
    lines = [(name, f"{row['simulated']:.3f}", f"{row['neutral']:.3f}") for name, row in rows.items()]
    print(table(("features of", "to simulated smiles", "to neutral photographs"), lines))
    print(json.dumps({"benchmark": "smiles", "people": len(smiles), "parted": parted, "strength": strength,
                      "distance": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
