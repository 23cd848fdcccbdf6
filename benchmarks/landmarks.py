"""Measure a landmark network's error on REAL photographs that neither it nor the face space was trained on.

    python benchmarks/landmarks.py                        # the shipped weights
    python benchmarks/landmarks.py --run runs/networks    # a run that fitted the network
    python benchmarks/landmarks.py --weights FILE.safetensors --sheet points.png

The photographs are the neutral ones of the test people of recipes/london.yaml's data (splits/london.csv). The truth is
their webmorph templates, mapped to 68 points by palsykit.faces.webmorph. Errors are mean distances in percent of the
inter-ocular distance (outer corners of the eyes, 300-W) and of the inter-pupil distance (centres of the eyes' points).
The mean error of each point over all people is reported separately: it shows another definition of the point.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fitted import parts_of
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from palsykit.cli.table import table
from palsykit.errors import PalsykitError
from palsykit.faces.landmarks import (
    INNER_LIPS,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_CORNERS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    eye_centres,
)
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import view
from palsykit.measure.statistics import interval, resamples
from palsykit.recipe import load_recipe
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[1]
SHIPPED = "palsykit_weights:points.safetensors"
REGIONS: dict[str, list[int]] = {
    "all": list(range(68)),
    "jaw": [*JAW],
    "brows": [*RIGHT_BROW, *LEFT_BROW],
    "nose": [*NOSE_BRIDGE, *NOSE_BASE],
    "eyes": [*RIGHT_EYE, *LEFT_EYE],
    "mouth": [*OUTER_LIPS, *INNER_LIPS],
}

Points = NDArray[np.float64]


def photographs(parts: Parts, data: Path, split: str, expression: str) -> tuple[FaceDataset, list[FaceRecord]]:
    """A recipe's data at the networks' image size, and its photographs with landmarks from the data.

    Raises:
        PalsykitError: there are no such photographs.
    """
    found = parts.data(load_recipe(data).settings.data)
    records = [
        record
        for record in found.splits[split]
        if record.landmarks_source == "given" and record.labels.expression == expression
    ]
    if not records:
        raise PalsykitError(f"{data}: no photograph with landmarks of split {split} shows {expression}")
    return found.dataset, records


def find(parts: Parts, dataset: FaceDataset, records: Sequence[FaceRecord]) -> tuple[Points, Points]:
    """Predicted and true landmarks, each [N, 68, 2] px.

    Raises:
        PalsykitError: no network of the recipe gives points.
    """
    network = parts.points_network()
    if network is None:
        raise PalsykitError(f"{parts.recipe.path}: no network gives points; expected one such as mobilefacenet")
    faces = view(dataset, records)
    with torch.inference_mode():
        found = network(faces.image.to(parts.device)).points
    return found.double().cpu().numpy(), faces.landmarks.double().numpy()


def table_rows(found: Points, true: Points, subjects: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Figures by region; the interval is a bootstrap over subjects."""
    right, left = eye_centres(true)
    ocular = np.linalg.norm(true[:, OUTER_CORNERS[1]] - true[:, OUTER_CORNERS[0]], axis=-1)
    pupils = np.linalg.norm(left - right, axis=-1)
    error = 100 * (found - true) / ocular[:, None, None]
    shared = error.mean(0)
    rows, drawn = {}, resamples(subjects, 0)
    for region, indices in REGIONS.items():
        distance = np.linalg.norm(error[:, indices], axis=-1)
        by_photograph = distance.mean(1)
        rows[region] = {
            "error": float(by_photograph.mean()),
            "interval": interval([float(by_photograph[chosen].mean()) for chosen in drawn], len(set(subjects))),
            "of_inter_pupil": float((by_photograph * ocular / pupils).mean()),
            "shared": float(np.linalg.norm(shared[indices], axis=-1).mean()),
            "shared_right": float(shared[indices, 0].mean()),
            "shared_down": float(shared[indices, 1].mean()),
            "without_shared": float(np.linalg.norm(error[:, indices] - shared[indices], axis=-1).mean()),
        }
    return rows


def sheet(dataset: FaceDataset, records: Sequence[FaceRecord], found: Points, true: Points, path: Path) -> None:
    """Draw true (green) and predicted (red) points on the enlarged photographs, five per row."""
    scale = max(1, 384 // dataset.image_size)
    side, columns = dataset.image_size * scale, min(5, len(records))
    page = Image.new("RGB", (columns * side, -(-len(records) // columns) * side), "white")
    for number, record in enumerate(records):
        photograph = Image.fromarray(dataset.image(record)).resize((side, side), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(photograph)
        for points, colour in ((true[number], "#00d040"), (found[number], "#ff2020")):
            for x, y in points * scale:
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        draw.text((6, 4), record.key, fill="black")
        page.paste(photograph, (number % columns * side, number // columns * side))
    page.save(path)


def summary(found: dict[str, Any]) -> str:
    """A title and a table of the figures by region."""
    columns = ("error", "of_inter_pupil", "shared", "shared_right", "shared_down", "without_shared")
    rows = []
    for region, row in found["regions"].items():
        low, high = (float("nan") if bound is None else bound for bound in row["interval"])
        error, *others = (f"{row[column]:.2f}" for column in columns)
        rows.append((region, error, f"{low:.2f} to {high:.2f}", *others))
    head = ("region", "error, %", "95 % interval", "of pupils", "shared", "right", "down", "without")
    seen = f"{found['photographs']} photographs of {found['subjects']} people at {found['image_size']} px"
    return f"{found['network']}: {seen}\n{table(head, rows)}"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Compute all figures; draw the sheet if ``--sheet`` is given."""
    files = [f"networks.points.weights={options.weights}"]
    parts = parts_of(options.run, options.recipe, files, options.set)
    dataset, records = photographs(parts, options.data, options.split, options.expression)
    found, true = find(parts, dataset, records)
    if options.sheet is not None:
        sheet(dataset, records, found, true, options.sheet)
    subjects = [str(record.labels.subject) for record in records]
    return {
        "benchmark": "landmarks",
        "network": str(options.run or options.weights),
        "image_size": dataset.image_size,
        "photographs": len(records),
        "subjects": len(set(subjects)),
        "regions": table_rows(found, true, subjects),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--run", type=Path, help="a run folder whose recipe fitted a points network")
    add("--weights", default=SHIPPED, help="safetensors of the recipe's network `points`")
    add("--recipe", type=Path, default=ROOT / "recipes" / "networks.yaml", help="the network's settings")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    add("--data", type=Path, default=ROOT / "recipes" / "london.yaml", help="a recipe whose data is read")
    add("--split", default="test", choices=["train", "validation", "test"])
    add("--expression", default="rest", help="of the photographs")
    add("--sheet", type=Path, metavar="PNG", help="draw true and found points on the photographs")
    found = measure(parser.parse_args(arguments))
    print(summary(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
