"""Find faces that are cut tightly, small, large, turned, dark or far away, and none where there is none.

    python benchmarks/face_finder.py                              # the London set beside the repository
    python benchmarks/face_finder.py --photographs DIR --json face_finder.json

Every photograph is shown to the detector as it is and changed in several ways. A face counts as found if it is the only
one and its eyes are where they are in the unchanged photograph (within a fifth of their distance). The error is the
mean distance of the five points from those of the unchanged photograph, moved by the same change, in % of the distance
between the eyes. Rendered faces of the face space and pictures without a face follow.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.cli.table import table
from palsykit.errors import PalsykitError
from palsykit.faces.alignment import five_points
from palsykit.faces.interfaces import Detection, Detector
from palsykit.faces.webmorph import to_ibug68
from palsykit.files.atomic import write_text
from palsykit_face_space.dataset import FaceSpace
from palsykit_faces.detector import MediaPipe
from palsykit_faces.points import EYES

LONDON = Path(__file__).parents[2] / "shared" / "data" / "london"
LID_POINTS = list(EYES)
SAME = 0.2
"""Distance of an eye from its place, in distances between the eyes, up to which a face is found."""

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Changed = tuple[Pixels, Matrix]
"""A changed photograph, and the transform [2, 3] from px of the photograph to px of it."""

SAME_PLACE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def scaled(pixels: Pixels, side: int) -> Changed:
    """The longer side at ``side`` px."""
    height, width = pixels.shape[:2]
    k = side / max(height, width)
    size = round(width * k), round(height * k)
    matrix = np.array([[size[0] / width, 0, 0], [0, size[1] / height, 0]])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)), matrix


def turned(pixels: Pixels, degrees: float) -> Changed:
    """Turned clockwise about its centre, on a canvas that holds it all."""
    height, width = pixels.shape[:2]
    angle = np.deg2rad(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = np.abs(linear) @ (width, height)
    out = tuple(int(v) for v in np.ceil(size - 1e-6))
    matrix = np.column_stack([linear, np.array(out) / 2 - linear @ (width / 2, height / 2)])
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    picture = Image.fromarray(pixels).transform(
        out, Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BICUBIC
    )
    return np.asarray(picture), matrix


def cropped(pixels: Pixels, box: NDArray[np.float64], inset: float = 0.0) -> Changed:
    """The box [4], each side moved inwards by a fraction of the box's."""
    left, top, right, bottom = box
    across, down = (right - left) * inset, (bottom - top) * inset
    x0, y0 = max(0, round(left + across)), max(0, round(top + down))
    x1, y1 = round(right - across), round(bottom - down)
    return pixels[y0:y1, x0:x1].copy(), np.array([[1.0, 0, -x0], [0, 1.0, -y0]])


def darkened(pixels: Pixels, light: float, part: float) -> Changed:
    """The image-left ``part`` of the width with ``light`` times the light."""
    dark = pixels.astype(np.float32)
    dark[:, : round(pixels.shape[1] * part)] *= light
    return dark.astype(np.uint8), SAME_PLACE


def far_away(pixels: Pixels, side: int, canvas: tuple[int, int], seed: int) -> Changed:
    """At ``side`` px somewhere on a canvas (width, height) of soft colours."""
    small, matrix = scaled(pixels, side)
    rng = np.random.default_rng(seed)
    picture = soft_noise(rng, canvas).copy()
    x, y = (int(rng.integers(0, length - side)) for length in canvas)
    picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture, np.column_stack([matrix[:, :2], [x, y]])


def soft_noise(rng: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """Clouds of colour, (width, height) px: noise at four scales."""
    layers = []
    for cells in (3, 8, 24, 80):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        layers.append(np.asarray(noise.resize(size, Image.Resampling.BICUBIC), np.float32))
    return np.average(layers, axis=0, weights=[4, 2, 1, 1]).astype(np.uint8)


def then(first: Changed, change: Callable[[Pixels], Changed]) -> Changed:
    """Two changes, one after the other."""
    pixels, matrix = change(first[0])
    return pixels, np.column_stack([matrix[:, :2] @ first[1][:, :2], matrix[:, :2] @ first[1][:, 2] + matrix[:, 2]])


Change = Callable[[Pixels, Detection, int], Changed]
CHANGES: dict[str, Change] = {
    "as it is": lambda p, f, n: (p, SAME_PLACE),
    "cut at brows and chin": lambda p, f, n: cropped(p, f.box),
    "cut 5 % inside that": lambda p, f, n: cropped(p, f.box, 0.05),
    "shrunk to 100 px": lambda p, f, n: scaled(p, 100),
    "enlarged to 2,048 px": lambda p, f, n: scaled(p, 2048),
    "turned by 30 degrees": lambda p, f, n: turned(p, 30),
    "turned by 90": lambda p, f, n: turned(p, 90),
    "turned by 180": lambda p, f, n: turned(p, 180),
    "turned by 270": lambda p, f, n: turned(p, 270),
    "cut and turned by 180": lambda p, f, n: then(cropped(p, f.box), lambda q: turned(q, 180)),
    "half dark (15 % of the light)": lambda p, f, n: darkened(p, 0.15, 0.5),
    "all dark (15 % of the light)": lambda p, f, n: darkened(p, 0.15, 1.0),
    "256 px in 4,000 x 3,000": lambda p, f, n: far_away(p, 256, (4000, 3000), n),
    "128 px in 4,000 x 3,000": lambda p, f, n: far_away(p, 128, (4000, 3000), n),
}


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def row_of(cases: Iterator[tuple[str, Pixels, NDArray[np.float64]]], detector: Detector) -> dict[str, Any]:
    """Share found, error of the five points and milliseconds over (name, picture, five points expected)."""
    errors, seconds, missed = [], [], []
    for name, pixels, expected in cases:
        start = perf_counter()
        faces = detector.detect(pixels)
        seconds.append(perf_counter() - start)
        apart = np.hypot(*(expected[1] - expected[0]))
        away = np.hypot(*(faces[0].five - expected).T) / apart if len(faces) == 1 else np.full(5, np.inf)
        if away[:2].max() <= SAME:
            errors.append(100 * float(away.mean()))
        else:
            missed.append(f"{name}: {len(faces)} faces")
    return {
        "n": len(seconds),
        "found": 100 * len(errors) / len(seconds),
        "error": float(np.median(errors)) if errors else float("nan"),
        "worst": max(errors, default=float("nan")),
        "ms": float(np.median(seconds)) * 1000,
        "missed": missed,
    }


def changed(
    photographs: list[Path], known: list[Detection], change: Change
) -> Iterator[tuple[str, Pixels, NDArray[np.float64]]]:
    """Every photograph with one change."""
    for number, (path, face) in enumerate(zip(photographs, known, strict=True)):
        pixels, matrix = change(read(path), face, number)
        yield path.name, pixels, face.five @ matrix[:, :2].T + matrix[:, 2]


def rendered(count: int, size: int, enlarged: int) -> Iterator[tuple[str, Pixels, NDArray[np.float64]]]:
    """People of the face space at rest, rendered at ``size`` px and enlarged, with the renderer's own points."""
    with TemporaryDirectory() as cache:
        people = FaceSpace(size, Path(cache), identities=count, validation=0, test=0, renders=1)
        for record in people.records:
            picture = Image.fromarray(people.image(record)).resize((enlarged, enlarged), Image.Resampling.BICUBIC)
            assert record.landmarks is not None
            yield record.key, np.asarray(picture), five_points(record.landmarks) * (enlarged / size)


def faceless(photographs: list[Path], known: list[Detection], count: int) -> Iterator[tuple[str, Pixels]]:
    """Pictures without a face: (kind, picture); ``count`` of each drawn kind, and parts of the photographs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        yield "white noise", rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)
        yield "clouds", soft_noise(rng, (640, 480))
        ramp = (
            np.linspace(*rng.integers(0, 256, 2), 400)[:, None, None]
            + np.linspace(*rng.integers(-60, 60, 2), 400)[:, None]
        )
        picture = np.broadcast_to(np.clip(ramp, 0, 255), (400, 400, 3)).astype(np.uint8)
        yield "gradient", np.rot90(picture, number % 4).copy()
    for path, face in zip(photographs, known, strict=True):
        pixels, (left, top, right, bottom) = read(path), (round(float(v)) for v in face.box)
        hair = top - (bottom - top) // 20
        yield "background", pixels[: pixels.shape[0] // 2, : max(32, left - (right - left) // 4)]
        if hair > 32:
            yield "hair, upside down", pixels[hair - min(hair, 160) : hair, left:right][::-1, ::-1].copy()
        yield "neck and clothes", pixels[bottom + (bottom - top) // 20 :]


def measure(detector: Detector, photographs: list[Path], chosen: list[str], drawn: int) -> dict[str, Any]:
    """All rows, and the false finds by kind.

    Raises:
        PalsykitError: a photograph does not show one face as it is.
    """
    found = {path: detector.detect(read(path)) for path in photographs}
    if wrong := [path.name for path, faces in found.items() if len(faces) != 1]:
        raise PalsykitError(f"{', '.join(wrong[:5])}: expected one face as it is; leave these photographs out")
    known = [faces[0] for faces in found.values()]
    rows = {}
    for name in chosen:
        rows[name] = show(name, row_of(changed(photographs, known, CHANGES[name]), detector))
    for size, enlarged in ((64, 64), (64, 256), (128, 128), (256, 256)) if drawn else ():
        name = f"rendered at {size} px" + (f", enlarged to {enlarged}" if enlarged > size else "")
        rows[name] = show(name, row_of(rendered(drawn, size, enlarged), detector))
    seen: dict[str, list[int]] = {}
    for kind, picture in faceless(photographs, known, drawn // 4):
        seen.setdefault(kind, []).append(len(detector.detect(picture)))
    false = {kind: {"n": len(counts), "faces": sum(counts)} for kind, counts in seen.items()}
    return {"rows": rows, "false": false, "templates": templates(photographs, known)}


def show(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """Says what was missed as soon as it is known; returns the row."""
    if row["missed"]:
        print(f"{name}: {', '.join(row['missed'])}", file=sys.stderr)
    return row


def templates(photographs: list[Path], known: list[Detection]) -> dict[str, dict[str, float]]:
    """Distance from the points of templates (NAME.tem) in % of the pupils' distance, median and largest."""
    apart: dict[str, list[float]] = {}
    for path, face in zip(photographs, known, strict=True):
        if not path.with_suffix(".tem").exists():
            continue
        lines = path.with_suffix(".tem").read_text().splitlines()[1:190]
        points = np.array([[float(value) for value in line.split()[:2]] for line in lines])
        unit = float(np.hypot(*(points[1] - points[0]))) / 100
        lids = to_ibug68(points)[36:48]
        assert face.mesh is not None
        assert face.landmarks is not None
        expected = {
            "five points: eyes, from the pupils": (face.five[:2], points[:2]),
            "five points: eyes, from the middle of the lids": (face.five[:2], five_points(to_ibug68(points))[:2]),
            "five points: mouth corners": (face.five[3:], points[[87, 93]]),
            "irises' centres, from the pupils": (face.mesh[[468, 473], :2], points[:2]),
            "twelve lid points": (face.landmarks[36:48], lids),
            "twelve lid points of the mesh alone": (face.mesh[LID_POINTS, :2], lids),
        }
        for name, (a, b) in expected.items():
            apart.setdefault(name, []).extend(np.hypot(*(a - b).T) / unit)
    return {name: {"median": float(np.median(v)), "max": float(np.max(v))} for name, v in apart.items()}


def text(figures: dict[str, Any]) -> str:
    """The three tables."""
    rows = [
        [name, str(r["n"]), f"{r['found']:.1f}", f"{r['error']:.2f}", f"{r['worst']:.2f}", f"{r['ms']:.0f}"]
        for name, r in figures["rows"].items()
    ]
    parts = [table(["photographs", "n", "found, %", "error, % median", "worst", "ms, median"], rows)]
    if figures["templates"]:
        rows = [[name, f"{r['median']:.2f}", f"{r['max']:.2f}"] for name, r in figures["templates"].items()]
        parts.append(table(["distance from the templates' points, %", "median", "max"], rows))
    rows = [[kind, str(r["n"]), str(r["faces"])] for kind, r in figures["false"].items()]
    parts.append(table(["without a face", "n", "faces found"], rows))
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, default=LONDON, help="folder; each photograph shows one face")
    parser.add_argument("--limit", type=int, help="use only so many photographs, evenly chosen")
    parser.add_argument("--changes", nargs="*", default=list(CHANGES), choices=list(CHANGES), help="rows to measure")
    parser.add_argument(
        "--drawn", type=int, default=200, help="rendered faces per row; a quarter as many empty pictures"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    photographs = sorted(options.photographs.rglob("*.jpg"))
    if not photographs:
        raise PalsykitError(f"{options.photographs}: found no .jpg, expected photographs; name them by --photographs")
    if options.limit:
        photographs = photographs[:: max(1, len(photographs) // options.limit)][: options.limit]
    figures = measure(MediaPipe(), photographs, options.changes, options.drawn)
    print(text(figures))
    if options.json:
        write_text(options.json, json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
