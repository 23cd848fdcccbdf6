"""Compare the pictures of the 256 px recipe with those of a 112 px model, of the same people and at the same size.

    python benchmarks/same_size.py --released                      # no reference: the released sampler, same weights
    python benchmarks/same_size.py --reference runs/reference-112  # a finished run of benchmarks/reference-112.yaml

Same people, same drivers, same truth: the data set's picture at the reference's size. Larger pictures are brought to
it (averaged, 8 bits), which no step of the comparison undoes, so detail that only 256 px have counts for nothing.
Figures: PSNR where the face moves, cosine of identity to the person's photograph, error of landmarks; judged by the
recipe's judges, which no system was trained with. Differences to the recipe's own sampler are paired: mean over
pictures, 95 % bootstrap interval over people, p of the sign-flip test over people.

"No worse" means: the whole interval is above the margin of that figure (non-inferiority), stated in ``MARGINS``.
Two more rows say what the figures are worth: the photograph itself, unchanged, and the truth of the larger size.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_steps import RELEASED, System, command_of, compared, first_of_each, options_of, publish, systems
from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_pictures, to_tensor
from palsykit.files.provenance import as_facts, provenance
from palsykit.interfaces import Images, Synthesiser
from palsykit.measure.statistics import Statistic, measure
from palsykit.networks import resized
from palsykit.progress import track
from palsykit.recipe import load_recipe
from palsykit.report.tables import markdown, put_section
from palsykit.run.folder import RunFolder
from palsykit.run.generate import row_seed
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened
from palsykit.run.train import trained_model

SIDE = 112
OWN, SAMPLER, COPY, LARGE = "palsykit", "the released sampler, same weights", "the photograph itself", "the truth"
FIGURES = {
    "moving_psnr": "PSNR where the face moves, dB",
    "identity_similarity": "identity, cosine",
    "landmark_error": "landmark error, %",
}
MARGINS = {"moving_psnr": 0.5, "identity_similarity": 0.02, "landmark_error": 0.25}
"""What counts as no difference: half a decibel, 0.02 of cosine, 0.25 % of the distance of the outer eye corners."""
METRICS = ("moving", "identity", "landmark_error")


@dataclass(frozen=True)
class Maker:
    """A way to make pictures: ``synthesiser`` gets the people at the size of ``people``."""

    name: str
    synthesiser: Synthesiser
    people: Parts


def makers(own: Parts, small: Parts, weights: Path | None, reference: Path | None, released: bool) -> Iterator[Maker]:
    """The recipe's own sampler, its weights with the released sampler, and the reference."""
    start = weights or own.settings.train.start
    if start is None:
        raise PalsykitError(f"{own.recipe.path}: names no weights in train.start; expected --weights FILE.safetensors")
    names = {"recipe": OWN, "released": SAMPLER}
    chosen: list[System] = systems(own, start, (), (), released)
    yield from (Maker(names[system.name], system.synthesiser, own) for system in chosen)
    if reference is not None:
        run = RunFolder(reference)
        parts = reopened(run)
        if (side := parts.settings.image_size) != small.settings.image_size:
            raise PalsykitError(
                f"{reference}: makes pictures of {side} px, expected {small.settings.image_size}; give --side {side}"
            )
        yield Maker(f"{parts.recipe.name}, {side} px", parts.synthesiser(trained_model(run, parts)), small)


def pictures_of(maker: Maker, pairs: Sequence[Pair], side: int, size: int) -> Tensor:
    """The pictures [N, 3, side, side] with 8 bits."""
    made = []
    with track(maker.name, len(pairs), "pictures") as progress:
        for start in range(0, len(pairs), size):
            rows = pairs[start : start + size]
            faces = batch(maker.people.data().dataset, rows).to(maker.people.device)
            seeds = [row_seed(maker.people.settings.generate.seed, pair) for pair in rows]
            made.append(at_side(to_tensor(to_pictures(maker.synthesiser.generate(faces, seeds))), side))
            progress.advance(len(rows))
    return torch.cat(made)


def at_side(pictures: Tensor, side: int) -> Tensor:
    """Pictures [N, 3, H, H] in [-1, 1] at another size, with 8 bits."""
    same = pictures.shape[-1] == side
    return to_tensor(to_pictures(pictures if same else resized(pictures, side)))


def judged(small: Parts, pictures: Mapping[str, Tensor], pairs: Sequence[Pair]) -> dict[str, dict[str, Statistic]]:
    """The figures of every set of pictures, against the truth at their size."""
    faces = batch(small.data().dataset, pairs).to(small.device)
    blocks = {name: block for name, block in small.settings.metrics.items() if name in METRICS}
    if missing := [name for name in METRICS if name not in blocks]:
        raise PalsykitError(f"{small.recipe.path}: has no metrics {', '.join(missing)}; expected {', '.join(METRICS)}")
    metrics = {name: small.build("metrics", block) for name, block in blocks.items()}
    return {name: measure(metrics, faces, Images(made.to(small.device)), 8) for name, made in pictures.items()}


def verdict(gap: Mapping[str, float | None], better: str, margin: float) -> str:
    """What the paired interval of "other minus palsykit" says of palsykit: better, no worse, worse, or undecided."""
    low, high = gap["low"], gap["high"]
    if low is None or high is None:
        return "undecided"
    worst, best = (-high, -low) if better == "higher" else (low, high)  # palsykit minus other, more is better
    if worst > 0:
        return "better"
    if worst >= -margin:
        return "no worse"
    return "worse" if best < 0 else "undecided"


def rows_of(figures: Mapping[str, dict[str, Statistic]], people: Sequence[str]) -> list[dict[str, Any]]:
    """One row per set of pictures, as JSON; ``paired``: the others minus palsykit, and what it says of palsykit."""
    everyone, rows = np.arange(len(people)), []
    for name, own in figures.items():
        row: dict[str, Any] = {"pictures": name, **{key: own[key].of(everyone) for key in FIGURES}, "paired": {}}
        for key in FIGURES if name != OWN else ():
            gap = compared(own[key], figures[OWN][key], people)
            row["paired"][key] = {**gap, "palsykit is": verdict(gap, own[key].card.better, MARGINS[key])}
        rows.append(row)
    return rows


HEAD = (
    "pictures",
    *FIGURES.values(),
    *(f"{name}: minus palsykit, p, palsykit is" for name in ("PSNR", "identity", "landmarks")),
)


def cells_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One line of the table per row."""
    return [
        (
            str(row["pictures"]),
            *(f"{row[key]:.3f}" for key in FIGURES),
            *(_gap(row["paired"].get(key)) for key in FIGURES),
        )
        for row in rows
    ]


def _gap(gap: Mapping[str, Any] | None) -> str:
    if gap is None:
        return ""
    interval = "" if gap["low"] is None else f" ({gap['low']:+.3f} to {gap['high']:+.3f})"
    p = "" if gap["p"] is None else f", {gap['p']:.3f}"
    return f"{gap['difference']:+.3f}{interval}{p}, {gap['palsykit is']}"


def measure_all(given: argparse.Namespace) -> dict[str, Any]:
    """Make all pictures and compute all figures."""
    changes = [f"generate.identities={given.people}", f"generate.split={given.split}", *given.set]
    own = Parts(load_recipe(given.recipe, changes))
    small = Parts(load_recipe(given.recipe, [*changes, f"image_size={given.side}"]))
    pairs, again = (first_of_each(parts.chosen_pairs, given.each) for parts in (own, small))
    if (keys := _keys(pairs)) != _keys(again):
        raise PalsykitError(f"{given.recipe}: its data set has other photographs at {given.side} px; name another one")
    pictures = {
        maker.name: pictures_of(maker, pairs if maker.people is own else again, given.side, given.batch)
        for maker in makers(own, small, given.weights, given.reference, given.released)
    }
    large = batch(own.data().dataset, pairs).target
    assert large is not None  # of all validation people
    pictures[COPY] = at_side(batch(small.data().dataset, again).identity.image, given.side)
    pictures[f"{LARGE}, {own.settings.image_size} px"] = at_side(large.image, given.side)
    people = [str(pair.record.labels.subject) for pair in again]
    trained = None if given.reference is None else _training(RunFolder(given.reference))
    return {
        "benchmark": "same_size",
        "made": as_facts(provenance(own.recipe, own.device)),
        "side": given.side,
        "people": len(set(people)),
        "pictures": len(keys),
        "margins": MARGINS,
        "sampler": RELEASED.parameters,
        "reference": trained,
        "rows": rows_of(judged(small, pictures, again), people),
    }


def _keys(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(pair.identity.key, pair.record.key) for pair in pairs]


def _training(run: RunFolder) -> dict[str, Any]:
    """For how long a run was trained: steps, pictures, what its last line of the log says."""
    lines = [line for line in run.logged() if line.get("job") == "train" and "loss" in line]
    settings = load_recipe(run.recipe).settings.train
    done = max((int(line["step"]) for line in lines), default=0)
    return {"run": run.path.name, "steps": done, "pictures seen": done * settings.batch_size * settings.accumulate}


def section(found: Mapping[str, Any], command: str) -> str:
    """The section of the page."""
    made = ", ".join(f"{key} {value}" for key, value in found["made"].items())
    about = f"{found['pictures']} pictures of {found['people']} people, judged at {found['side']} px."
    if (trained := found["reference"]) is None:
        about += " **No reference was trained**, so this says nothing about the released algorithm's pictures."
    else:
        about += (
            f" The reference, {trained['run']}, was trained for {trained['steps']} steps and has seen "
            f"{trained['pictures seen']} pictures; the test is about this model, not about one trained for longer."
        )
    margins = ", ".join(f"{FIGURES[key]} {margin:g}" for key, margin in found["margins"].items())
    return (
        f"## Quality at the same size\n\n    {command}\n\n{about} Margins: {margins}. Made of: {made}.\n\n"
        f"{markdown(HEAD, cells_of(found['rows']))}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = options_of(__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, help="a finished run that makes pictures of the smaller size")
    parser.add_argument("--side", type=int, default=SIDE, help="size in px at which all pictures are judged")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="whose people")
    parser.add_argument("--each", type=int, default=2, help="pictures of each person")
    given = parser.parse_args(arguments)
    found = measure_all(given)
    publish(found, HEAD, cells_of(found["rows"]), given)
    if given.page is not None:
        put_section(given.page, "same size", section(found, command_of("same_size.py", arguments)))


if __name__ == "__main__":
    main()
