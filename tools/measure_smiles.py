"""Measure what healthy people's smiles move, on the pairs of the London set: neutral and smiling, train people only.

    python tools/measure_smiles.py LONDON

LONDON has ``neutral/NNN_03.jpg`` with ``.tem`` templates and ``smiling/NNN_08.jpg``. Smiling photographs have no
templates, so both are read by the detector ``mediapipe``. It is regular, but these people are healthy: the table of the
neutral photographs says how far its points follow the templates' from person to person (a slope of 1 means that it does
not shrink differences). The lengths of the simulator's movements (plugins/palsykit_face_space/movements.py) follow the
second table. Millimetres are at 63 mm between the pupils.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from build_face_space import SPLIT, train_people
from numpy.typing import NDArray
from PIL import Image

from palsykit.cli.table import table
from palsykit.faces.landmarks import FLIP
from palsykit.faces.webmorph import read_template, to_ibug68
from palsykit_face_space.model import load_model
from palsykit_face_space.palsy import Action, displace_all
from palsykit_faces.detector import MediaPipe

OPEN_MM = 4.0
"""The mouth counts as open if the lips are this much farther apart than in the neutral photograph."""

STRENGTH = 0.85
"""Of the simulated smiles beside the real ones: the mean of what the data sets draw."""
POINTS = {
    "corner": 54, "inner corner": 64, "upper lip's edge, outer": 53, "half-way": 52, "middle": 51,
    "upper lip, half-way": 63, "middle of it": 62, "lower lip, half-way": 65, "middle of the lower lip": 66,
    "lower lip's edge, outer": 55, "half-way of it": 56, "middle of the edge": 57, "wing of the nose": 35, "chin": 8,
}  # fmt: skip
"""Points of the iBUG 68, those of the left half."""

Values = NDArray[np.float64]


def in_mm(landmarks: NDArray[np.floating], pupils: NDArray[np.floating]) -> Values:
    """Landmarks [68, 2] as (across, down) from the middle of the inner eye corners, in mm; pupils: right, left."""
    p = landmarks.astype(np.float64)
    across = p[[42, 45]].mean(0) - p[[36, 39]].mean(0)
    across /= np.linalg.norm(across)
    mm = np.linalg.norm(pupils[1] - pupils[0]) / 63
    return np.asarray((p - p[[39, 42]].mean(0)) @ np.array([across, [-across[1], across[0]]]).T / mm)


def lengths(face: Values) -> dict[str, float]:
    """What one face in mm [68, 2] shows, mean of both sides."""
    return {
        "mouth's width": face[54, 0] - face[48, 0],
        "corner's depth": face[[48, 54], 1].mean(),
        "upper lip's depth": face[62, 1],
        "lower lip's depth": face[66, 1],
        "lips apart": face[66, 1] - face[62, 1],
        "fissure": face[[40, 41, 46, 47], 1].mean() - face[[37, 38, 43, 44], 1].mean(),
    }


def movement(neutral: Values, smiling: Values) -> dict[str, float]:
    """What a smile moves, in mm."""
    step = smiling - neutral
    up, out = -step[[48, 54], 1], step[[48, 54], 0] * [-1, 1]
    excursion = np.hypot(up, out)
    return {
        "corner, excursion": excursion.mean(),
        "corner up": up.mean(),
        "corner out": out.mean(),
        "upper lip up": -step[62, 1],
        "lower lip down": step[66, 1],
        "lips farther apart": step[66, 1] - step[62, 1],
        "fissure": lengths(smiling)["fissure"] - lengths(neutral)["fissure"],
        "difference between sides": abs(excursion[0] - excursion[1]),
    }


def pairs(london: Path) -> Iterator[tuple[Values, Values, Values]]:
    """(template, neutral, smiling) of each train person, in mm."""
    detector = MediaPipe()
    for subject in train_people(SPLIT):
        neutral = london / "neutral" / f"{subject}_03.jpg"
        template = read_template(neutral.with_suffix(".tem"))
        faces = [in_mm(to_ibug68(template), template[:2])]
        for path in (neutral, london / "smiling" / f"{subject}_08.jpg"):
            found = detector.detect(np.asarray(Image.open(path).convert("RGB")))[0]
            assert found.landmarks is not None
            assert found.mesh is not None  # this detector gives both
            faces.append(in_mm(found.landmarks, found.mesh[[468, 473], :2]))
        yield faces[0], faces[1], faces[2]


def report(found: Sequence[tuple[Values, Values, Values]]) -> str:
    """Two tables: how far the detector follows the templates, and what smiles move."""
    marked, seen = ([lengths(faces[which]) for faces in found] for which in (0, 1))
    rows = []
    for name in marked[0]:
        a, b = (np.array([one[name] for one in each]) for each in (seen, marked))
        rows.append((name, f"{b.mean():.1f}", f"{a.mean():.1f}", f"{np.polyfit(a, b, 1)[0]:.2f}"))
    moved = [movement(faces[1], faces[2]) for faces in found]
    opened = np.array([one["lips farther apart"] > OPEN_MM for one in moved])
    smiles = []
    for name in moved[0]:
        values = np.array([one[name] for one in moved])
        cells = (f"{part.mean():.1f} ({part.std():.1f})" for part in (values, values[opened], values[~opened]))
        smiles.append((name, *cells, f"{np.quantile(values, 0.05):.1f} to {np.quantile(values, 0.95):.1f}"))
    head = ("smile, mm: mean (sd)", f"all {len(found)}", f"open {opened.sum()}", f"shut {(~opened).sum()}", "5 to 95 %")
    tables = [table(("neutral, mm", "template", "detector", "slope"), rows), table(head, smiles)]
    return "\n".join([*tables, _by_point(np.array([faces[2] - faces[1] for faces in found]), opened)])


def _by_point(steps: Values, opened: NDArray[np.bool_]) -> str:
    """How far points [N, 68, 2] of mouth, nose and chin move on the left half, mean of both halves: out, up."""
    halves = (steps + steps[:, list(FLIP)] * [-1, 1]) / 2
    means = (halves[opened].mean(0), simulated("smile_full"), halves[~opened].mean(0), simulated("smile_gentle"))
    rows = []
    for name, point in POINTS.items():
        cells = (each[point] * [1, -1] for each in means)
        rows.append((f"{name} ({point})", *(f"{out:.1f}, {up:.1f}" for out, up in cells)))
    return table(("point: out, up in mm", "open", "simulated", "shut", "simulated"), rows)


def simulated(expression: str) -> Values:
    """How far the simulator moves the mean face's points [68, 2] at ``STRENGTH``, in mm."""
    face = load_model().shape_mean.numpy().astype(np.float64)
    moved = displace_all(face[None], [Action(expression, strength=STRENGTH)]).points[0]
    return in_mm(to_ibug68(moved), face[:2]) - in_mm(to_ibug68(face), face[:2])


if __name__ == "__main__":
    print(report(list(pairs(Path(sys.argv[1])))))
