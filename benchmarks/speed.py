"""Measure palsykit's speed against the released algorithm, diffusers' stock loop and the machine's ceiling.

    make bench                                        # all rows in one run: table, JSON and plots in runs/bench
    python benchmarks/speed.py --quick                # one round of everything
    python benchmarks/speed.py --page docs/performance.md --plot docs/performance.svg

In every round all rows are measured once, each time in another order, and the machine's ceiling before and after them.
A ratio is taken within a round; reported is the median over rounds with the smallest and largest one. Other programs
on the machine lengthen seconds; use ``--clock cpu`` where they run: it counts the CPU time of this process per thread.

- Training: recipes/cfcpalsy-112.yaml with random weights and noise for pictures, which does not change the cost.
- Sampling: of the references, a few of their 50 equal steps are timed and multiplied; recipes/cfcpalsy.yaml (256 px)
  runs with its own sampler and with fewer steps.
- Share of the ceiling: the seconds that a step's FLOPs need at the measured rates, and its weights at the copy's rate,
  divided by its seconds.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ceiling import Clock, Rates, clock, count, least_seconds, rates
from few_steps import command_of
from references import STEPS, References
from speed_curves import Curve, curves, draw
from training_step import Noise, at_random, stepper

from palsykit.diffusion.synthesis import DiffusionSynthesiser
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch as views_of
from palsykit.files.atomic import write_text
from palsykit.files.provenance import as_facts, provenance
from palsykit.progress import track
from palsykit.recipe import load_recipe
from palsykit.recipe.schema import PartBlock
from palsykit.report.tables import markdown, put_section
from palsykit.run.model_folder import start_from
from palsykit.run.parts import Data, Parts
from palsykit.run.runner import be_deterministic
from palsykit.seeds import generator
from palsykit.training.precision import multiplies_bf16

ROOT = Path(__file__).parents[1]
FP32, BF16 = torch.float32, torch.bfloat16
RELEASED, STOCK, CYCLE, PLAIN = "released", "diffusers' loop", "palsykit", "palsykit, no cycle"
WARM_UP = 3
RELEASED_PICTURE, STOCK_PICTURE, PICTURE = "released, 50 steps", "diffusers' loop, 50 steps", "palsykit, 256 px"


@dataclass
class Row:
    """Something that is measured.

    Attributes:
        name: unique.
        seconds: measures it once; returns seconds per picture.
        flops: of a training step of ``images`` pictures, if its share of the ceiling is asked for.
        dtype: whose rates are its ceiling.
        found: seconds per picture of each round.
    """

    name: str
    seconds: Callable[[], float]
    flops: Mapping[str, float] | None = None
    dtype: torch.dtype = FP32
    found: list[float] = field(default_factory=list)


def training_rows(parts: Parts, references: References, batch: int, steps: int, now: Clock) -> list[Row]:
    """Training steps of the references and of palsykit, in full precision and, where hardware has it, in bf16.

    ``steps`` are timed together, because the host runs ahead of a GPU. On a GPU there are compiled rows, too.
    """
    own, plain = parts.settings.trainer, PartBlock(use="diffusion")
    assert own is not None

    def row(name: str, make: Callable[[], Callable[[int], None]], dtype: torch.dtype, counted: bool = False) -> Row:
        made: list[Callable[[int], None]] = []

        def seconds() -> float:
            if not made:
                made.append(make())
                made[0](WARM_UP)  # fills caches; on a GPU libraries choose kernels, and the compiler runs
            began = now()
            made[0](steps)
            return (now() - began) / (batch * steps)

        return Row(name, seconds, cycle if counted else None, dtype)

    def reference(name: str, step: Callable[[], None], dtype: torch.dtype = FP32) -> Row:
        return row(name, lambda: lambda count: [step() for _ in range(count)] and None, dtype)

    def palsykit(name: str, trainer: PartBlock, precision: str, compiled: bool = False) -> Row:
        words = f"{name}, {precision}{', compiled' if compiled else ''}"
        make = partial(stepper, parts, trainer, precision, batch, {"compile": compiled})
        return row(words, make, BF16 if precision == "bf16" else FP32, trainer is own)

    cycle = step_flops(parts, own, batch)
    rows = [
        reference(f"{RELEASED}, fp32", references.released),
        reference(f"{STOCK}, fp32", references.stock),
        palsykit(CYCLE, own, "fp32"),
        palsykit(PLAIN, plain, "fp32"),
    ]
    if multiplies_bf16(parts.device):
        rows += [
            reference(f"{STOCK}, bf16", lambda: references.stock(BF16), BF16),
            palsykit(CYCLE, own, "bf16"),
            palsykit(PLAIN, plain, "bf16"),
        ]
    if parts.device.type == "cuda":
        rows.append(palsykit(CYCLE, own, "bf16", compiled=True))
    return rows


def step_flops(parts: Parts, trainer: PartBlock, batch: int) -> dict[str, float]:
    """FLOPs of palsykit's step on ``batch`` pictures whose features are cached."""
    data = Data(Noise(parts.settings.image_size, batch), 0)
    faces = views_of(data.dataset, pair(data.splits["train"], 0)).to(parts.device)
    part, model = parts.trainer(trainer, data), parts.model().to(parts.device)

    def losses() -> torch.Tensor:
        return torch.stack([*part.losses(model, faces, generator("flops"), "model").values()]).sum()

    with torch.no_grad():
        losses()  # fills the caches
    return count(lambda: losses().backward())


def sampling_rows(references: References, path: Path, timed_steps: int, now: Clock) -> list[Row]:
    """Seconds per picture of the references' samplers, and of a recipe's model with its own sampler and fewer steps."""
    pictures = references.rows

    def reference(again: bool) -> float:
        began = now()
        references.sample(timed_steps, again)
        return (now() - began) * STEPS / timed_steps / references.rows

    parts = Parts(load_recipe(path, ["generate.identities=1"]))
    model, own, start = parts.model().to(parts.device).eval(), parts.settings.sampler, parts.settings.train.start
    assert own is not None
    if start is not None:
        start_from(model, start)
    faces = views_of(parts.data().dataset, parts.chosen_pairs[:pictures]).to(parts.device)

    def palsykit(steps: int) -> float:
        block = PartBlock(use=own.use, parameters={**own.parameters, "steps": steps})
        synthesiser = DiffusionSynthesiser(model, parts.build("samplers", block, model.scheduler))
        for network in parts.networks.values():
            network.freeze()  # empties its cache: photographs are new
        began = now()
        synthesiser.generate(faces, range(pictures))
        return (now() - began) / pictures

    most = int(own.parameters["steps"])
    steps = [most, *(n for n in (4, 2, 1) if n < most)]
    return [
        Row(RELEASED_PICTURE, lambda: reference(True)),
        Row(STOCK_PICTURE, lambda: reference(False)),
        *(Row(f"{PICTURE}, {n} steps", lambda n=n: palsykit(n)) for n in steps),
    ]


def measure(rows: Sequence[Row], rounds: int, device: torch.device, now: Clock) -> list[dict[torch.dtype, Rates]]:
    """Measure every row once per round; returns the machine's rates of each round."""
    ceilings = []
    kinds = sorted({row.dtype for row in rows}, key=str)
    with track("bench", rounds * len(rows), "rows") as progress:
        for turn in range(rounds):
            before = {dtype: rates(device, dtype, now) for dtype in kinds}
            for number in range(len(rows)):
                row = rows[(number + turn * 3) % len(rows)]
                row.found.append(row.seconds())
                progress.advance(1, f"{row.name}: {row.found[-1]:.3g} s a picture")
            after = {dtype: rates(device, dtype, now) for dtype in kinds}
            ceilings.append({dtype: _best(before[dtype], after[dtype]) for dtype in kinds})
    return ceilings


def _best(one: Rates, other: Rates) -> Rates:
    return Rates(*(max(getattr(one, key), getattr(other, key)) for key in ("product", "convolution", "copy")))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratios(rows: Mapping[str, Row], own: str) -> dict[str, tuple[dict[str, float], float | None]]:
    """Name -> (how many times faster, the aim), of two rows of one round; ``own``: the picture of the recipe."""

    def faster(slow: str, fast: str) -> dict[str, float]:
        return spread([a / b for a, b in zip(rows[slow].found, rows[fast].found, strict=True)])

    found = {"training step, fp32: released / palsykit": (faster(f"{RELEASED}, fp32", f"{CYCLE}, fp32"), 1.7)}
    if f"{CYCLE}, bf16" in rows:
        compiled, eager = f"{CYCLE}, bf16, compiled", f"{CYCLE}, bf16"
        for name, aim in {compiled: 6.0, eager: None if compiled in rows else 3.5}.items():
            if name in rows:
                found[f"training step: released, fp32 / {name}"] = (faster(f"{RELEASED}, fp32", name), aim)
        found["plain step, bf16: diffusers' loop / palsykit"] = (faster(f"{STOCK}, bf16", f"{PLAIN}, bf16"), None)
    found["plain step, fp32: diffusers' loop / palsykit"] = (faster(f"{STOCK}, fp32", f"{PLAIN}, fp32"), None)
    for name in (name for name in rows if name.startswith(PICTURE)):
        aim = 25.0 if name == own else None
        found[f"picture: {RELEASED_PICTURE}, 112 px / {name}"] = (faster(RELEASED_PICTURE, name), aim)
    return found


def shares(
    rows: Mapping[str, Row], ceilings: Sequence[Mapping[torch.dtype, Rates]], weights: int, batch: int
) -> dict[str, dict[str, float]]:
    """Name -> share of the ceiling, of the rows whose FLOPs are counted."""
    return {
        name: spread(
            [
                least_seconds(row.flops, weights, machine[row.dtype]) / (seconds * batch)
                for seconds, machine in zip(row.found, ceilings, strict=True)
            ]
        )
        for name, row in rows.items()
        if row.flops is not None
    }


def report(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    seconds = [(name, _range(row["seconds"]), _percent(row.get("share"))) for name, row in found["rows"].items()]
    gains = [
        (name, _range(gain), "" if gain["aim"] is None else f"{gain['aim']:g}", _reached(gain))
        for name, gain in found["ratios"].items()
    ]
    machine = [
        (kind, *(f"{value:.3g}" for value in (one["product"] / 1e9, one["convolution"] / 1e9, one["copy"] / 1e9)))
        for kind, one in found["ceiling"].items()
    ]
    return "\n\n".join(
        [
            markdown(("row", "seconds per picture (range of rounds)", "share of the ceiling"), seconds),
            markdown(("ratio within a round", "median (range)", "aim", "reached"), gains),
            markdown(("ceiling", "product, GFLOP/s", "convolution, GFLOP/s", "copy, GB/s"), machine),
        ]
    )


def _range(value: Mapping[str, Any]) -> str:
    return f"{value['median']:.3g} ({value['low']:.3g} to {value['high']:.3g})"


def _percent(share: Mapping[str, float] | None) -> str:
    return "" if share is None else f"{share['median']:.2f} ({share['low']:.2f} to {share['high']:.2f})"


def _reached(gain: Mapping[str, Any]) -> str:
    return "" if gain["aim"] is None else "yes" if gain["median"] >= gain["aim"] else "no"


def all_figures(given: argparse.Namespace) -> tuple[dict[str, Any], list[Curve]]:
    """Measure everything."""
    be_deterministic()  # before a GPU's libraries start
    now = clock(given.clock)
    parts = Parts(at_random(given.recipe, given.set))
    without_maps = [f"maps.{name}=null" for name in parts.settings.maps]  # the method has none
    references = References(Parts(at_random(given.recipe, [*given.set, *without_maps])), given.batch)
    weights = sum(p.numel() for p in references.trained)
    rows = training_rows(parts, references, given.batch, given.steps, now)
    rows += sampling_rows(references, given.pictures, given.timed_steps, now)
    ceilings = measure(rows, given.rounds, parts.device, now)
    by_name = {row.name: row for row in rows}
    share = shares(by_name, ceilings, weights, given.batch)
    own = next(name for name in by_name if name.startswith(PICTURE))
    gains = ratios(by_name, own)
    least = 0.45 if torch.cuda.is_available() else 0.8
    gains |= {f"share of the ceiling: {name}": (value, least) for name, value in share.items()}
    found = {
        "benchmark": "speed",
        "clock": given.clock,
        "rounds": given.rounds,
        "batch": given.batch,
        "threads": torch.get_num_threads(),
        "parameters": weights,
        "made": as_facts(provenance(parts.recipe, parts.device)),
        "ceiling": {str(dtype).removeprefix("torch."): vars(ceilings[-1][dtype]) for dtype in ceilings[-1]},
        "rows": {
            name: {"seconds": spread(row.found), "all": row.found} | ({"share": share[name]} if name in share else {})
            for name, row in by_name.items()
        },
        "ratios": {name: {**gain, "aim": aim} for name, (gain, aim) in gains.items()},
    }
    del references
    drawn = [] if given.no_curves else curves(given.clock, given.rounds, given.quick)
    found["curves"] = [vars(curve) for curve in drawn]
    return found, drawn


def section(text: str, found: Mapping[str, Any], command: str, plot: Path | None) -> str:
    """The section of the page."""
    made = ", ".join(f"{key} {value}" for key, value in found["made"].items())
    clocks = {"wall": "seconds are those of the wall's clock", "cpu": "seconds are CPU time per thread"}
    about = (
        f"Batch {found['batch']}, {found['threads']} threads, {found['rounds']} rounds; {clocks[found['clock']]}. "
        f"{found['parameters'] / 1e6:.1f} M trained parameters. Made of: {made}."
    )
    picture = [] if plot is None else [f"![Seconds per picture of a training step]({plot.name})"]
    return "\n\n".join(["## Speed", f"    {command}", about, text, *picture])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and a JSON line; write files where asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "cfcpalsy-112.yaml", help="of the steps")
    parser.add_argument("--pictures", type=Path, default=ROOT / "recipes" / "cfcpalsy.yaml", help="of the pictures")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    parser.add_argument("--quick", action="store_true", help="one round, and fewer places on the curves")
    parser.add_argument("--rounds", type=int, default=3, help="how often every row is measured")
    parser.add_argument("--batch", type=int, help="pictures per step; default: 2, on a GPU 64")
    parser.add_argument("--steps", type=int, help="training steps that are timed together; default: 1, on a GPU 10")
    parser.add_argument("--timed-steps", type=int, default=5, help="steps of the references' samplers that are timed")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for a machine that is not idle")
    parser.add_argument("--no-curves", action="store_true", help="leave out the plot of what costs depend on")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--plot", type=Path, help="SVG file for the curves")
    parser.add_argument("--page", type=Path, help="Markdown page that gets the tables as a section")
    given = parser.parse_args(arguments)
    given.rounds = 1 if given.quick else given.rounds
    given.batch = given.batch or (64 if torch.cuda.is_available() else 2)
    given.steps = given.steps or (10 if torch.cuda.is_available() else 1)
    found, drawn = all_figures(given)
    text = report(found)
    print(text)
    if given.json is not None:
        write_text(given.json, json.dumps(found, indent=1) + "\n")
    if given.plot is not None and drawn:
        write_text(given.plot, draw(drawn))
    if given.page is not None:
        plot = given.plot if given.plot is not None and given.plot.exists() else None  # --no-curves: one drawn before
        put_section(given.page, "speed", section(text, found, command_of("speed.py", arguments), plot))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
