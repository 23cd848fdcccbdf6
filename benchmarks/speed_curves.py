"""What a training step costs against image size, batch and processes, and a start against photographs; their plot.

``speed.py`` measures all four. One place of the curve of processes by itself:

    torchrun --standalone --nproc-per-node 2 benchmarks/speed_curves.py --side 128 --rows 2
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from ceiling import Clock, clock
from data_size import make, start
from training_step import at_random, step_seconds

from palsykit.errors import PalsykitError
from palsykit.recipe.schema import PartBlock
from palsykit.report.plots import ACCENT, canvas, style, svg
from palsykit.run.parts import Parts
from palsykit.training.processes import accelerator

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "base-256.yaml"
PLAIN = PartBlock(use="diffusion")
SIDE, ROWS = 128, 4
"""Of the pictures and of the batch, where neither is varied."""
STEP, START = "seconds per picture of a step", "seconds of a later start"


@dataclass
class Curve:
    """Seconds [rounds] at each place; ``of``: what takes them."""

    name: str
    unit: str
    places: list[int]
    seconds: list[list[float]]
    of: str = STEP

    def medians(self) -> list[float]:
        """Of each place."""
        return [statistics.median(values) for values in self.seconds]


def curves(kind: str, rounds: int, quick: bool) -> list[Curve]:
    """Plain training steps of the 256 px recipe's model, and starts; in every round each place is measured once.

    Args:
        kind: of the clock, "wall" or "cpu".
        rounds: how often.
        quick: two places on each curve, and few photographs.
    """
    now = clock(kind)
    sides = [64, SIDE] if quick else [64, SIDE, 192, 256]
    batches = [1, ROWS] if quick else [1, 2, ROWS, 8]
    photographs = [50, 200] if quick else [500, 2000, 5000]
    processes = [1, 2] if not torch.cuda.is_available() or torch.cuda.device_count() > 1 else [1]
    parts = {side: of_size(side) for side in sides}

    def of_side(side: int) -> float:
        return step_seconds(parts[side], PLAIN, "auto", ROWS, 1, now)[1] / ROWS

    def of_batch(batch: int) -> float:
        return step_seconds(parts[SIDE], PLAIN, "auto", batch, 1, now)[1] / batch

    with tempfile.TemporaryDirectory() as folder:
        measured: list[tuple[Curve, Callable[[int], float]]] = [
            (_empty("image size", "px", sides), of_side),
            (_empty("batch", "pictures", batches), of_batch),
            (_empty("processes", "processes", processes), lambda count: in_processes(count, kind)),
            (_empty("data", "photographs", photographs, START), lambda count: of_start(Path(folder), count, now)),
        ]
        for _ in range(rounds):
            for curve, seconds in measured:
                for number, place in enumerate(curve.places):
                    curve.seconds[number].append(seconds(place))
    return [curve for curve, _ in measured]


def _empty(name: str, unit: str, places: list[int], of: str = STEP) -> Curve:
    return Curve(name, unit, places, [[] for _ in places], of)


def of_size(side: int) -> Parts:
    """The recipe's parts with random weights, for pictures of another size; attention stays at the last level."""
    return Parts(at_random(RECIPE, [f"image_size={side}", f"denoiser.attention_at=[{side // 32}]"]))


def in_processes(count: int, kind: str) -> float:
    """Seconds per picture if ``count`` processes share the batch; on a CPU they share this process's threads, too.

    Raises:
        PalsykitError: a process fails.
    """
    threads = max(1, torch.get_num_threads() // count)
    device = {} if torch.cuda.is_available() else {"ACCELERATE_USE_CPU": "true"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count]
    options = [__file__, "--side", SIDE, "--rows", ROWS // count, "--threads", threads, "--clock", kind]
    done = subprocess.run(
        [sys.executable, *map(str, [*launch, *options])],
        env={**os.environ, **device, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PalsykitError(f"{count} processes ended with {done.returncode}: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"]) / ROWS


def of_start(folder: Path, count: int, now: Clock) -> float:
    """Seconds of a start that finds ``count`` photographs in the index; the one that reads them is not counted."""
    side = 64
    where, cache = make(folder, count, side), folder / f"cache-{count}"
    if not cache.exists():
        cache.mkdir()
        start("photographs", where, cache, count, side)
    began = now()
    start("photographs", where, cache, count, side)
    return now() - began


def draw(found: Sequence[Curve]) -> str:
    """The curves side by side, as SVG: medians with the range over rounds."""
    figure = canvas(3.0 * len(found), 2.4)
    for number, curve in enumerate(found):
        axes = figure.add_subplot(1, len(found), number + 1)
        middle = curve.medians()
        spans = [
            [value - min(values) for value, values in zip(middle, curve.seconds, strict=True)],
            [max(values) - value for value, values in zip(middle, curve.seconds, strict=True)],
        ]
        axes.errorbar(curve.places, middle, yerr=spans, color=ACCENT, marker="o", markersize=4, linewidth=1.5)
        axes.set_xticks(curve.places)
        axes.set_ylim(0, 1.1 * max(max(values) for values in curve.seconds))
        axes.set_xlabel(f"{curve.name}, {curve.unit}" if curve.name != curve.unit else curve.name)
        axes.set_ylabel("" if number and curve.of == found[number - 1].of else curve.of)
        style(axes)
    return svg(figure, "white")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the seconds of a step of all processes together, as one line of JSON; the first process does."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=SIDE, help="of the pictures, px")
    parser.add_argument("--rows", type=int, default=ROWS, help="of each process")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    seconds = step_seconds(of_size(given.side), PLAIN, "auto", given.rows, 1, clock(given.clock))[1]
    if accelerator().is_main_process:
        print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
