"""A whole report of drawn faces, with everything in it that a report can have."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from palsykit.report.contents import Cell, Curve, FigureRow, MetricRow, Picture, ReportContents

EXPRESSIONS = (
    "rest",
    "brow_raise",
    "eye_closure_gentle",
    "eye_closure_tight",
    "smile_gentle",
    "smile_full",
    "lip_pucker",
    "lower_lip_depression",
)


def drawn_face(seed: int, smile: float = 0.0, size: int = 64) -> Picture:
    """A plain drawing [size, size, 3] whose colours depend on ``seed`` and whose mouth on ``smile``."""
    rng = np.random.default_rng(seed)
    skin = tuple(int(v) for v in rng.integers(110, 230, 3))
    picture = Image.new("RGB", (4 * size, 4 * size), tuple(int(v) for v in rng.integers(120, 200, 3)))
    pen, s = ImageDraw.Draw(picture), 4 * size
    pen.ellipse((0.15 * s, 0.05 * s, 0.85 * s, 0.98 * s), fill=skin)
    for x in (0.36, 0.64):
        pen.ellipse((x * s - 0.06 * s, 0.38 * s, x * s + 0.06 * s, 0.45 * s), fill="white")
        pen.ellipse((x * s - 0.025 * s, 0.385 * s, x * s + 0.025 * s, 0.445 * s), fill="black")
    pen.line([(0.36 * s, 0.76 * s), (0.5 * s, 0.78 * s), (0.64 * s, (0.76 - 0.08 * smile) * s)], "brown", 8)
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX))


def drawn_row(index: int, expressions: tuple[str, ...] = EXPRESSIONS, size: int = 64) -> FigureRow:
    """An identity whose affected side, grade and missing photographs depend on ``index``."""
    cells = []
    for number, name in enumerate(expressions):
        truth = None if (index + number) % 7 == 3 else drawn_face(index, number / 8, size)
        side = ("left", "right", "none", "bilateral", None)[index % 5]
        grade = (4.0, 6.0, 1.0, 3.5, None)[index % 5]
        cells.append(Cell(name, side, grade, truth, drawn_face(index + 100, number / 8, size)))
    return FigureRow(f"person-{index:03}", drawn_face(index, 0, size), cells)


@pytest.fixture
def contents() -> ReportContents:
    steps = list(range(1, 61))
    falling = [1.1 * math.exp(-s / 12) + 0.02 + 0.02 * math.sin(7 * s) ** 2 for s in steps]
    rows = [drawn_row(index) for index in range(5)]
    del rows[1].cells[5]
    return ReportContents(
        title="CFCPalsy, 64 px",
        about="Drawn faces instead of <photographs>.\n\nFive identities that training never saw & eight expressions.",
        rows=rows,
        curves={
            "fit recognition": [Curve("angular_margin", steps, [9 - s / 30 for s in steps])],
            "train": [
                Curve("noise", steps, falling),
                Curve("cycle_noise", steps, [0.3 * v for v in falling]),
                Curve("identity", steps, [0.05 * v for v in falling]),
                Curve("landmark", [1, 2, 3], [0.2, math.nan, 0.1]),
            ],
        },
        metrics=[
            MetricRow(
                "afid",
                143.2871,
                None,
                None,
                39,
                "",
                "lower",
                "Fréchet distance between twice-synthesised and original pictures, in features of ir (recognition).",
                "CFCPalsy, arXiv:2409.07271, Figure 4",
                "Not comparable with figures from Inception features.",
            ),
            MetricRow("psnr", 21.73481, 21.1, 22.41, 39, "dB", "higher", "Peak signal-to-noise ratio.", "", ""),
            MetricRow(
                "ssim", 0.71234, 0.69, 0.7361, 39, "", "higher", "Structural similarity.", "Wang et al. 2004", ""
            ),
            MetricRow("landmark_error", math.nan, math.nan, math.nan, 0, "px", "lower", "Mean distance.", "", ""),
        ],
        recipe_yaml="name: cfcpalsy # <resolved>\nimage_size: 64\ndata:\n  use: face_space\n",
        facts={"train": "182 s, 5.3 images/s", "parameters": "5.7 million", "torch": "2.15.0", "machine": "2 cores"},
        data={
            "split": {"train": {"photographs": 1680, "subjects": 280}, "test": {"photographs": 64, "subjects": 8}},
            "expression": {name: {"train": 210, "test": 8} for name in EXPRESSIONS},
            "side": {"left": {"train": 800}, "right": {"train": 880, "test": 64}},
        },
        rejected=[("012/s11_brow raise_1_face.jpg", "no landmarks & no <network> to predict them")],
        notes=["Landmarks of 82 photographs are predicted by the fitted network, not given."],
        attribution="Face Research Lab London Set (DeBruine and Jones 2017), CC BY 4.0.",
        licence="CC BY 4.0",
        intervals="Intervals are bootstrap intervals over subjects (1,000 draws).",
    )
