"""Seconds per picture of a training step against image size and batch, and their plot."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceiling import Clock
from training_step import at_random, step_seconds

from palsykit.recipe.schema import PartBlock
from palsykit.report.plots import ACCENT, canvas, style, svg
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "base-256.yaml"
PLAIN = PartBlock(use="diffusion")
SIDE, ROWS = 128, 4
"""Of the pictures and of the batch, where neither is varied."""


@dataclass
class Curve:
    """Seconds per picture [rounds] at each place."""

    name: str
    unit: str
    places: list[int]
    seconds: list[list[float]]

    def medians(self) -> list[float]:
        """Of each place."""
        return [statistics.median(values) for values in self.seconds]


def curves(now: Clock, rounds: int, quick: bool) -> list[Curve]:
    """Plain training steps of the 256 px recipe's model; in every round each place is measured once."""
    sides = [64, SIDE] if quick else [64, SIDE, 192, 256]
    batches = [1, ROWS] if quick else [1, 2, ROWS, 8]
    parts = {side: of_size(side) for side in sides}

    def of_side(side: int) -> float:
        return step_seconds(parts[side], PLAIN, "auto", ROWS, 1, now)[1] / ROWS

    def of_batch(batch: int) -> float:
        return step_seconds(parts[SIDE], PLAIN, "auto", batch, 1, now)[1] / batch

    measured: list[tuple[Curve, Callable[[int], float]]] = [
        (Curve("image size", "px", sides, [[] for _ in sides]), of_side),
        (Curve("batch", "pictures", batches, [[] for _ in batches]), of_batch),
    ]
    for _ in range(rounds):
        for curve, seconds in measured:
            for number, place in enumerate(curve.places):
                curve.seconds[number].append(seconds(place))
    return [curve for curve, _ in measured]


def of_size(side: int) -> Parts:
    """The recipe's parts with random weights, for pictures of another size; attention stays at the last level."""
    return Parts(at_random(RECIPE, [f"image_size={side}", f"denoiser.attention_at=[{side // 32}]"]))


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
        axes.set_ylabel("seconds per picture" if number == 0 else "")
        style(axes)
    return svg(figure, "white")
