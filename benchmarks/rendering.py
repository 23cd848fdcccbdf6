"""Measure how fast a data set renders its pictures, by size: ``python benchmarks/rendering.py``.

Goal for the face space on two otherwise idle cores: 150 images/s at 64 px, 50 at 128 px, 25 at 256 px.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from palsykit.cli.table import table
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock


def measure(image_size: int, people: int) -> dict[str, float]:
    """Number of images, and seconds to plan them (people, actions, landmarks) and to render and store them."""
    with TemporaryDirectory() as cache:
        keys = {"identities": people, "validation": 0, "test": 0}
        began = time.perf_counter()
        faces = build_part("datasets", PartBlock(use="face_space", parameters=keys), image_size, Path(cache))
        planned = time.perf_counter()
        faces.image(faces.records[0])  # the first picture renders them all
        rendered = time.perf_counter()
    return {"images": len(faces.records), "plan": planned - began, "render": rendered - planned}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256], help="sides of the pictures in px")
    parser.add_argument("--people", type=int, default=40, help="people, with eight photographs each")
    options = parser.parse_args(arguments)
    measure(options.sizes[0], 1)  # warm-up: load libraries and asset
    found = {size: measure(size, options.people) for size in options.sizes}
    rates = {size: row["images"] / (row["plan"] + row["render"]) for size, row in found.items()}
    rows = [
        (str(size), str(row["images"]), f"{row['plan']:.2f}", f"{row['render']:.2f}", f"{rates[size]:.1f}",
         f"{rates[size] / rates[options.sizes[0]]:.2f}")
        for size, row in found.items()
    ]  # fmt: skip
    print(table(("px", "images", "plan, s", "render, s", "images/s", "ratio"), rows))
    print(json.dumps({"benchmark": "rendering", "seconds": found, "images_per_second": rates}))


if __name__ == "__main__":
    main()
