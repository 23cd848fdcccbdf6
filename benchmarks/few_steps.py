"""Compare samplers and few-step students on the same people: quality, paired differences and seconds per picture.

    python benchmarks/few_steps.py --people 4                # the shipped 256 px model with 1, 2, 3, 4 and 8 steps
    python benchmarks/few_steps.py --students runs/cfcpalsy-fewstep --released --people 8

All systems synthesise the same pictures of validation people of the face space. Batch by batch they take turns, so
other load on the machine affects all equally. ``released``: the released code's sampling, DDIM with 50 steps and eta 1.
Figures: PSNR, SSIM and sharpness of eyes, brows and mouth (metric ``moving``), and PSNR of the whole picture. A
difference to the recipe's own sampler is paired: mean over pictures, 95 % bootstrap interval over people, p of scipy's
sign-flip permutation test over people.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import permutation_test
from torch import Tensor

from palsykit.cli.table import table
from palsykit.diffusion.synthesis import DiffusionSynthesiser
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_pictures, to_tensor
from palsykit.files.atomic import write_text
from palsykit.files.provenance import as_facts, provenance
from palsykit.interfaces import Images
from palsykit.measure.statistics import Statistic, difference, measure, summarise
from palsykit.progress import track
from palsykit.recipe import load_recipe
from palsykit.recipe.schema import PartBlock
from palsykit.report.tables import markdown, put_section
from palsykit.run.generate import row_seed
from palsykit.run.model_folder import load_model, start_from
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "cfcpalsy.yaml"
STEPS = (1, 2, 3, 4, 8)
RELEASED = PartBlock(use="ddim", parameters={"steps": 50, "eta": 1.0})
OWN = "recipe"
"""The name of the recipe's own sampler, with which all others are compared."""
FIGURES = {"moving_psnr": "PSNR, dB", "moving_ssim": "SSIM", "moving_sharpness": "sharpness", "psnr": "whole, dB"}


@dataclass(frozen=True)
class System:
    """A way to make the pictures."""

    name: str
    synthesiser: DiffusionSynthesiser


def systems(parts: Parts, start: Path, students: Sequence[Path], steps: Sequence[int], released: bool) -> list[System]:
    """The recipe's own sampler, the same with other numbers of steps, the released one, and the students."""
    own = parts.settings.sampler
    assert own is not None  # the recipe has a diffusion model
    model = parts.model().to(parts.device).eval()
    start_from(model, start)
    blocks = {OWN: own}
    blocks |= {f"{n} of {own.use}": PartBlock(use=own.use, parameters={**own.parameters, "steps": n}) for n in steps}
    blocks |= {"released": RELEASED} if released else {}
    found = [System(name, _synthesiser(parts, model, block)) for name, block in blocks.items()]
    for run in students:
        recipe = load_recipe(run / "recipe.yaml")
        student = parts.model().to(parts.device).eval()
        load_model(student, run / "model")
        assert recipe.settings.sampler is not None
        name = f"student {run.name}, {recipe.settings.sampler.parameters.get('steps')} steps"
        found.append(System(name, _synthesiser(parts, student, recipe.settings.sampler)))
    return found


def _synthesiser(parts: Parts, model: Any, block: PartBlock) -> DiffusionSynthesiser:
    return DiffusionSynthesiser(model, parts.build("samplers", block, model.scheduler))


def synthesise(
    parts: Parts, chosen: Sequence[System], pairs: Sequence[Pair], size: int
) -> tuple[dict[str, Tensor], dict[str, list[float]]]:
    """Pictures [N, 3, H, W] with 8 bits, and seconds per picture of every batch, by system; the systems take turns."""
    made: dict[str, list[Tensor]] = {system.name: [] for system in chosen}
    seconds: dict[str, list[float]] = {system.name: [] for system in chosen}
    with track("compare", len(pairs), "pictures") as progress:
        for start in range(0, len(pairs), size):
            rows = pairs[start : start + size]
            faces = batch(parts.data().dataset, rows).to(parts.device)
            seeds = [row_seed(parts.settings.generate.seed, pair) for pair in rows]
            for turn in range(len(chosen)):
                system = chosen[(turn + start // size) % len(chosen)]
                began = time.perf_counter()
                pictures = to_pictures(system.synthesiser.generate(faces, seeds))  # waits for the device
                seconds[system.name].append((time.perf_counter() - began) / len(rows))
                made[system.name].append(to_tensor(pictures))
            progress.advance(len(rows))
    return {name: torch.cat(pictures) for name, pictures in made.items()}, seconds


def first_of_each(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """The first ``count`` pictures of every person; None for all."""
    seen: Counter[str] = Counter()
    chosen = []
    for one in pairs:
        person = str(one.record.labels.subject)
        seen[person] += 1
        if count is None or seen[person] <= count:
            chosen.append(one)
    return chosen


def judged(parts: Parts, pictures: Mapping[str, Tensor], pairs: Sequence[Pair]) -> dict[str, dict[str, Statistic]]:
    """The figures of every system."""
    faces = batch(parts.data().dataset, pairs).to(parts.device)
    metrics = {name: parts.build("metrics", PartBlock(use=name)) for name in ("moving", "psnr")}
    return {name: measure(metrics, faces, Images(made.to(parts.device)), 8) for name, made in pictures.items()}


def compared(one: Statistic, other: Statistic, people: Sequence[str], seed: int = 0) -> dict[str, float | None]:
    """The paired difference of two figures: mean, 95 % interval over people, p of the sign-flip test over people."""
    gap = difference(one, other)
    figure = summarise(gap, people, seed)
    assert gap.column is not None  # all figures here are means over rows
    values, who = np.array(gap.column), np.array(people)
    means = np.array([np.nanmean(values[who == person]) for person in dict.fromkeys(people)])
    p = None
    if len(means) > 1 and np.ptp(means) + abs(means).max() > 0:
        found = permutation_test(
            (means,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(seed)
        )
        p = float(found.pvalue)
    return {"difference": figure.value, "low": figure.low, "high": figure.high, "p": p}


def report(figures: Mapping[str, dict[str, Statistic]], seconds: dict[str, list[float]], people: list[str]) -> Any:
    """One row per system, as JSON."""
    everyone = np.arange(len(people))
    rows = []
    for name, own in figures.items():
        values = {key: own[key].of(everyone) for key in FIGURES}
        gaps = {key: compared(own[key], figures[OWN][key], people) for key in FIGURES} if name != OWN else {}
        rows.append({"system": name, "seconds": float(np.median(seconds[name])), **values, "paired": gaps})
    return rows


HEAD = ("system", "s/picture", *FIGURES.values(), "paired, dB", "p")


def cells_of(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One line of the table per row; the paired columns are of the PSNR of the moving regions."""
    cells = []
    for row in rows:
        gap = row["paired"].get("moving_psnr")
        paired = "" if gap is None else f"{gap['difference']:+.2f} ({_shown(gap['low'])} to {_shown(gap['high'])})"
        p = "" if gap is None or gap["p"] is None else f"{gap['p']:.3f}"
        values = [f"{row[key]:.3f}" for key in FIGURES]
        cells.append((row["system"], f"{row['seconds']:.3f}", *values, paired, p))
    return cells


def section(found: dict[str, Any], command: str) -> str:
    """The section of the page."""
    made = ", ".join(f"{key} {value}" for key, value in found["made"].items())
    about = f"{found['pictures']} pictures of {found['people']} validation people of the face space. Made of: {made}."
    return f"## Samplers and students\n\n    {command}\n\n{about}\n\n{markdown(HEAD, cells_of(found['rows']))}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def options_of(about: str) -> argparse.ArgumentParser:
    """The options that every comparison of pictures has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="its model, data, sampler and judges")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    parser.add_argument("--weights", type=Path, help="safetensors of the model; default: what the recipe starts from")
    parser.add_argument("--released", action="store_true", help="also DDIM with 50 steps and eta 1 (slow)")
    parser.add_argument("--batch", type=int, default=4, help="pictures per batch")
    parser.add_argument("--json", type=Path, help="also write the JSON to this file")
    parser.add_argument("--page", type=Path, help="Markdown page that gets the table as a section")
    return parser


def publish(
    found: Mapping[str, Any], head: Sequence[str], cells: Sequence[tuple[str, ...]], given: argparse.Namespace
) -> None:
    """Print the table and a JSON line, and write the JSON to ``--json``."""
    print(table(head, cells))
    print(json.dumps(found))
    if given.json is not None:
        write_text(given.json, json.dumps(found, indent=1) + "\n")


def command_of(script: str, arguments: Sequence[str] | None) -> str:
    """The command line that a page names."""
    return " ".join(["python", f"benchmarks/{script}", *(sys.argv[1:] if arguments is None else arguments)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = options_of(__doc__.split("\n")[0])
    parser.add_argument("--students", type=Path, nargs="*", default=[], help="finished runs of the same model")
    parser.add_argument("--steps", type=int, nargs="*", default=STEPS, help="numbers of steps of the recipe's sampler")
    parser.add_argument("--people", type=int, default=4, help="validation people; each has seven or eight pictures")
    parser.add_argument("--each", type=int, help="pictures of each person; default: all")
    given = parser.parse_args(arguments)
    found = measure_all(given)
    publish(found, HEAD, cells_of(found["rows"]), given)
    if given.page is not None:
        put_section(given.page, "few steps", section(found, command_of("few_steps.py", arguments)))


def measure_all(given: argparse.Namespace) -> dict[str, Any]:
    """Make all pictures and compute all figures."""
    changes = [f"generate.identities={given.people}", "generate.split=validation", *given.set]
    recipe = load_recipe(given.recipe, changes)
    parts = Parts(recipe)
    start = given.weights or recipe.settings.train.start
    if start is None:
        raise SystemExit(f"{given.recipe}: names no weights in train.start; give --weights FILE.safetensors")
    chosen = systems(parts, start, given.students, given.steps, given.released)
    pairs = first_of_each(parts.chosen_pairs, given.each)
    pictures, seconds = synthesise(parts, chosen, pairs, given.batch)
    people = [str(pair.record.labels.subject) for pair in pairs]
    rows = report(judged(parts, pictures, pairs), seconds, people)
    return {
        "benchmark": "few_steps",
        "made": as_facts(provenance(recipe, parts.device)),
        "recipe": recipe.name,
        "people": len(set(people)),
        "pictures": len(pairs),
        "rows": rows,
    }


if __name__ == "__main__":
    main()
