"""Plots as small SVG files in one style, which studies share, and the loss curves of a run's report.

Equal contents give equal text.
"""

import io
import math
from collections.abc import Mapping
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from palsykit.report.contents import Curve
from palsykit.report.words import number

INK, MUTED, LINE, ACCENT, WARM, VIOLET, ALARM = (
    "#1f2a33", "#5b6b77", "#dfe5e9", "#1f7a8c", "#b7791f", "#8a5a9e", "#b3261e"
)  # fmt: skip
COLOURS = (ACCENT, WARM, MUTED, VIOLET, ALARM, INK)
POINTS = 400
"""A curve with more measurements than these is averaged in groups before drawing."""
LOG_SPREAD = 15.0
"""A curve that spans more than this factor is drawn on a logarithmic scale."""


def canvas(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def style(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Pale grid, small labels, no frame and no ticks."""
    axes.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    axes.grid(axis=grid, color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=8, color=MUTED)


def svg(figure: Figure, ground: str = "none") -> str:
    """The figure as SVG text, without the date and with the same element names every time."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", transparent=ground == "none", facecolor=ground, metadata={"Date": None})
    return file.getvalue()


def curve_svg(curve: Curve) -> str:
    """A term's measurements (pale) and their running mean (dark) over the steps."""
    steps, values = _measured(curve)
    figure = canvas(3.6, 2.1)
    axes = figure.add_subplot()
    _scale(axes, values)
    axes.plot(steps, values, color=ACCENT, alpha=0.35, linewidth=1, marker="." if len(values) < 20 else "")
    axes.plot(steps, running_mean(values), color=ACCENT, linewidth=1.8)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style(axes)
    return svg(figure)


def curves_svg(curves: Mapping[str, Curve]) -> str:
    """Several curves over the steps in one plot, with their names; of long ones the running mean is the dark one.

    At most as many as there are ``COLOURS``.
    """
    figure = canvas(3.6, 2.4)
    axes = figure.add_subplot()
    measured = {name: _measured(curve) for name, curve in curves.items()}
    _scale(axes, np.concatenate([np.empty(0), *(values for _, values in measured.values())]))
    for (name, (steps, values)), colour in zip(measured.items(), COLOURS, strict=False):
        if len(values) >= 20:
            axes.plot(steps, values, color=colour, alpha=0.3, linewidth=0.8)
            values = running_mean(values)
        axes.plot(steps, values, color=colour, linewidth=1.6, marker="." if len(values) < 20 else "", label=name)
    if len(curves) > 1:
        figure.legend(loc="outside upper left", ncols=2, fontsize=8, frameon=False, labelcolor=INK)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style(axes)
    return svg(figure)


def _scale(axes: Axes, values: NDArray[np.float64]) -> None:
    """A logarithmic axis for values that differ much; otherwise one from 0, if they are not negative."""
    logarithmic = bool(len(values)) and values.min() > 0 and values.max() / values.min() > LOG_SPREAD
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() / values.min() < 200 else (1,)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif len(values) and values.min() >= 0:
        axes.set_ylim(0, 1.06 * max(float(values.max()), 1e-12))
    axes.set_xlabel("step (log. scale of values)" if logarithmic else "step")


def curve_in_words(curve: Curve) -> str:
    """The first and last values of a term: "1.02 to 0.0731 over steps 1 to 60"."""
    steps, values = _measured(curve)
    if not len(values):
        return "not measured"
    smooth = running_mean(values)
    return f"{number(values[0])} to {number(smooth[-1])} over steps {int(steps[0])} to {int(steps[-1])}"


def running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean around each value, over a tenth of the curve (less at its ends); [N] -> [N]."""
    reach = len(values) // 20
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    starts, ends = np.maximum(0, places - reach), np.minimum(len(values), places + reach + 1)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def _measured(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The finite measurements, averaged in groups where there are more than ``POINTS``."""
    if len(curve.steps) != len(curve.values):
        raise ValueError(
            f"curve {curve.name}: {len(curve.steps)} steps but {len(curve.values)} values; expected as many"
        )
    steps, values = np.asarray(curve.steps, np.float64), np.asarray(curve.values, np.float64)
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    group = math.ceil(len(values) / POINTS)
    if group <= 1:
        return steps, values
    edges = np.arange(0, len(values), group)
    sizes = np.diff(np.append(edges, len(values)))
    return np.add.reduceat(steps, edges) / sizes, np.add.reduceat(values, edges) / sizes
