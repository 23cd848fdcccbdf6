"""Figures of several systems with their intervals: one small SVG a figure, a line a system."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palsykit.report.curves import ACCENT, INK, LINE, MUTED

WARM = "#b7791f"


@dataclass(frozen=True)
class Measured:
    """One system's figure.

    Attributes:
        low, high: its interval; None without one.
        seeds: its value with each seed, drawn pale where there are several.
        marked: the system that the others are compared with.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...] = ()
    marked: bool = False


def forest_svg(measured: Sequence[Measured], truth: float | None, lower: bool) -> str:
    """Values and intervals, the truth as a dashed line; equal figures give equal text.

    Args:
        measured: systems from top to bottom; one whose value is not defined has an empty line.
        truth: what the truth has, None or NaN where that is not defined.
        lower: whether less is better, which the axis says.
    """
    figure = Figure(figsize=(4.3, 0.55 + 0.23 * len(measured)), layout="constrained")
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
    axes.tick_params(labelsize=8, colors=MUTED, length=0)
    for label, system in zip(axes.get_yticklabels(), measured, strict=True):
        label.set_color(ACCENT if system.marked else INK)
    axes.set_xlabel("← lower is better" if lower else "higher is better →", fontsize=8, color=MUTED)
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()
