"""Forest plots: one figure of all systems, one line per system."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from palsykit.report.plots import ACCENT, INK, WARM, canvas, style, svg


@dataclass(frozen=True)
class Measured:
    """One system's figure.

    Attributes:
        low, high: its interval; None without one.
        seeds: its value with each seed; drawn pale if there are several.
        marked: whether it is the system that the others are compared with.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...] = ()
    marked: bool = False


def forest_svg(measured: Sequence[Measured], truth: float | None, lower: bool) -> str:
    """A forest plot: one line per system with its value and interval, the truth as a dashed line.

    Args:
        measured: systems from top to bottom; a system without a defined value has an empty line.
        truth: the figure of the true pictures; None or NaN if undefined.
        lower: whether lower is better; the axis says so.
    """
    figure = canvas(4.3, 0.55 + 0.23 * len(measured))
    axes = figure.add_subplot()
    if truth is not None and math.isfinite(truth):
        axes.axvline(truth, color=WARM, linewidth=1.2, linestyle=(0, (4, 3)))
    for place, system in enumerate(measured):
        colour = ACCENT if system.marked else INK
        if system.low is not None and system.high is not None:
            axes.plot([system.low, system.high], [place, place], color=colour, linewidth=1.6)
        if len(system.seeds) > 1:
            axes.plot(system.seeds, [place] * len(system.seeds), "o", color=colour, alpha=0.3, markersize=3.5)
        if math.isfinite(system.value):
            axes.plot([system.value], [place], "o", color=colour, markersize=5)
    axes.set_ylim(len(measured) - 0.4, -0.6)
    axes.set_yticks(range(len(measured)), [system.name for system in measured])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("← lower is better" if lower else "higher is better →")
    style(axes, grid="x")
    for label, system in zip(axes.get_yticklabels(), measured, strict=True):
        label.set_color(ACCENT if system.marked else INK)
    return svg(figure)
