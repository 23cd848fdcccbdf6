"""Loss curves: one small SVG a term."""

import io
import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from palsykit.report.contents import Curve
from palsykit.report.words import number

POINTS = 400
"""More measurements than these are averaged in groups before drawing."""
LOG_SPREAD = 15.0
"""A term that spans more than this factor is drawn on a logarithmic scale."""
INK, MUTED, LINE, ACCENT = "#1f2a33", "#5b6b77", "#dfe5e9", "#1f7a8c"


def curve_svg(curve: Curve) -> str:
    """A term's measurements (pale) and their running mean (dark) over the steps; equal curves give equal text."""
    steps, values = _measured(curve)
    figure = Figure(figsize=(3.6, 2.1), layout="constrained")
    axes = figure.add_subplot()
    logarithmic = _is_logarithmic(values)
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() / values.min() < 200 else (1,)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif len(values) and values.min() >= 0:
        axes.set_ylim(0, 1.06 * max(float(values.max()), 1e-12))
    axes.plot(steps, values, color=ACCENT, alpha=0.35, linewidth=1, marker="." if len(values) < 20 else "")
    axes.plot(steps, running_mean(values), color=ACCENT, linewidth=1.8)
    axes.set_xlabel("step (log. scale of values)" if logarithmic else "step", fontsize=8, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def curve_in_words(curve: Curve) -> str:
    """Where a term began and ended: "1.02 to 0.0731 over steps 1 to 60"."""
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


def _is_logarithmic(values: NDArray[np.float64]) -> bool:
    return bool(len(values)) and values.min() > 0 and values.max() / values.min() > LOG_SPREAD
