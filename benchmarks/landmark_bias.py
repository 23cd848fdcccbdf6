"""Do landmark finders see palsies? Errors in mm where the true points are known, by side, and in the mirror.

    python benchmarks/landmark_bias.py                              # what palsykit measure uses, and the built-in mesh
    python benchmarks/landmark_bias.py --network runs/networks:points --network recipes/judged.yaml:judge_points=FILE
    python benchmarks/landmark_bias.py --detector insightface --people 4 --json bias.json
    python benchmarks/landmark_bias.py --errors plugins/palsykit_measure/errors.json   # intervals of palsykit measure

Two sets of faces with known palsies: rendered people of the face space that no network was trained on (another seed),
and the sixteen test people of the London set, on whose neutral photographs palsies are simulated
(recipes/examination-real.yaml; left out if the photographs are not there). Each person is healthy at rest, then shows
the eight expressions with a palsy of grade III to VI. A mm is such that the pupils are 63 mm apart, by the true
corners of the eyes, so errors do not hold those of a photograph's scale. Lengths are those of palsykit measure;
affected is the palsied side.

A network alone reads the picture, which lies in the face frame, once. "palsykit measure" is the whole of that command:
the picture with a border, lopsided so that picture and mirror image differ, is framed by the finder and read twice.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bias_figures import AIMS, error_table, figures_of, text_of
from bias_finders import NOTHING, Finder, detector_finder, measure_finder, network_finder
from bias_samples import Sample, real_samples, rendered_samples

from palsykit.errors import PalsykitError
from palsykit.files.atomic import write_text
from palsykit.progress import say, track
from palsykit.report.tables import put_section
from palsykit_measure.network import DEFAULT

MESH = "mediapipe"
MIRRORED_EVERY = 4
FRESH_SEED = 40_000  # no shipped recipe has this seed


def found_by(finder: Finder, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, 68, 2] px in the pictures, and in their mirror images flipped back; NaN where no face is found.

    One picture in ``MIRRORED_EVERY`` is looked at in the mirror: of different expressions from person to person.
    """
    plain, mirrored = [], []
    with track(finder.name, len(samples), "pictures") as work:
        for number, sample in enumerate(samples):
            plain.append(finder.find(sample.picture))
            turned = number % MIRRORED_EVERY == 0
            mirrored.append(sample.flip(finder.find(sample.mirrored)) if turned else NOTHING)
            work.advance()
    return np.stack(plain), np.stack(mirrored)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, by set of faces and finder; for the finder of palsykit measure also its errors by length.

    Raises:
        PalsykitError: a network or detector cannot be built.
    """
    sets = {}
    if "rendered" in options.sets:
        sets["rendered"] = rendered_samples(options.size, options.people, options.seed)
    if "real" in options.sets:
        if (real := real_samples(options.size, options.people)) is None:
            say("the London set is not beside the repository: real people are left out")
        else:
            sets["real"] = real
    named = options.network or [DEFAULT]
    finders = [measure_finder(named[0]), *map(network_finder, named), *map(detector_finder, options.detector)]
    result: dict[str, Any] = {"benchmark": "landmark_bias", "image_size": options.size, "sets": {}}
    for kind, samples in sets.items():
        people = len({sample.person for sample in samples})
        result["sets"][kind] = {"people": people, "pictures": len(samples), "finders": {}}
        for finder in finders:
            points, mirrored = found_by(finder, samples)
            result["sets"][kind]["finders"][finder.name] = figures_of(samples, points, mirrored, kind == "real")
            if finder is finders[0]:
                result["errors"] = {"set": kind, **finder.facts, **error_table(samples, points)}
    return result


def command_of(arguments: Sequence[str]) -> str:
    """The command that gives these figures again, without the places of its files."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in ("--json", "--errors", "--page"):
            next(words, None)
        elif not word.startswith(("--json=", "--errors=", "--page=")):
            kept.append(word)
    return shlex.join(["python", "benchmarks/landmark_bias.py", *kept])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--network", action="append", help="RECIPE:NAME or RUN:NAME, =WEIGHTS for other weights; again for others; the "
        f"first is also read as palsykit measure reads it; default: {DEFAULT}")  # fmt: skip
    add(
        "--detector", action="append", default=["mediapipe"], help="name of a detector with 68 points, beside mediapipe"
    )
    add("--sets", nargs="+", default=["rendered", "real"], choices=["rendered", "real"], help="faces to measure on")
    add("--people", type=int, default=16, help="people of each set, at most")
    add("--size", type=int, default=256, help="side of the pictures in px")
    add("--seed", type=int, default=FRESH_SEED, help="of the rendered people")
    add("--json", type=Path, help="file for the figures")
    add("--errors", type=Path, help="file for the errors behind the intervals of palsykit measure")
    add("--page", type=Path, help="Markdown page that gets the tables, as docs/results.md")
    options = parser.parse_args(arguments)
    if options.people < 1:
        raise PalsykitError(f"--people {options.people}: expected 1 or more")
    command = command_of(sys.argv[1:] if arguments is None else arguments)
    found = {**measure(options), "command": command, "aims": AIMS}
    print(text_of(found, markdown=False))
    if options.json:
        write_text(options.json, json.dumps(found, indent=1) + "\n")
    if options.errors:
        write_text(options.errors, json.dumps({"command": command, **found["errors"]}, indent=1) + "\n")
    if options.page:
        head = f"## Do landmark finders see palsies?\n\n`{command}`\n\n"
        put_section(options.page, "landmark bias", head + text_of(found, markdown=True))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
