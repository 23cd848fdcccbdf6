"""Plots as small SVG files in one style: loss curves, distributions, forest plots and few-shot curves.

Equal contents give equal text.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from palsykit.report.contents import Curve
from palsykit.report.words import number

INK, MUTED, LINE, ACCENT, WARM, VIOLET, ALARM = (
    "#1f2a33", "#5b6b77", "#dfe5e9", "#1f7a8c", "#b7791f", "#8a5a9e", "#b3261e"
)  # fmt: skip
POINTS = 400
"""A curve with more measurements than these is averaged in groups before drawing."""
LOG_SPREAD = 15.0
"""A curve that spans more than this factor is drawn on a logarithmic scale."""


def _canvas(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def _style(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Pale grid, small labels, no frame and no ticks."""
    axes.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    axes.grid(axis=grid, color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=8, color=MUTED)


def _svg(figure: Figure, ground: str = "none") -> str:
    """The figure as SVG text, without the date and with the same element names every time."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", transparent=ground == "none", facecolor=ground, metadata={"Date": None})
    return file.getvalue()


def curve_svg(curve: Curve) -> str:
    """A term's measurements (pale) and their running mean (dark) over the steps."""
    steps, values = _measured(curve)
    figure = _canvas(3.6, 2.1)
    axes = figure.add_subplot()
    logarithmic = bool(len(values)) and values.min() > 0 and values.max() / values.min() > LOG_SPREAD
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() / values.min() < 200 else (1,)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif len(values) and values.min() >= 0:
        axes.set_ylim(0, 1.06 * max(float(values.max()), 1e-12))
    axes.plot(steps, values, color=ACCENT, alpha=0.35, linewidth=1, marker="." if len(values) < 20 else "")
    axes.plot(steps, running_mean(values), color=ACCENT, linewidth=1.8)
    axes.set_xlabel("step (log. scale of values)" if logarithmic else "step")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _style(axes)
    return _svg(figure)


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


@dataclass(frozen=True, eq=False)
class Distribution:
    """Groups of one score.

    Attributes:
        groups: name -> values; NaN is left out.
        threshold: a value to mark, and ``threshold_is`` its name; None marks none.
    """

    title: str
    score: str
    groups: Mapping[str, NDArray[np.floating]]
    threshold: float | None = None
    threshold_is: str = "threshold"


def distributions_svg(plot: Distribution) -> str:
    """The empirical distribution functions: for each group the share at or below each value."""
    figure = _canvas(5.4, 3.7)
    axes = figure.add_subplot()
    styles = ((ACCENT, "-"), (WARM, "-"), (INK, "--"), (VIOLET, ":"), (MUTED, "-."))
    for (name, values), (colour, style) in zip(_known(plot).items(), styles, strict=False):
        ordered = np.sort(values)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axes.step(
            np.append(ordered[:1], ordered), np.append(0, share), where="post", color=colour, ls=style, label=name
        )
    if plot.threshold is not None:
        axes.axvline(plot.threshold, color=ALARM, linewidth=1, label=plot.threshold_is)
    axes.set(xlabel=plot.score, ylabel="share at or below", ylim=(0, 1.02))
    _style(axes)
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=2, labelcolor=INK)
    return _svg(figure)


def distributions_in_words(plot: Distribution) -> str:
    """Median and range of each group: "held-out people: median 0.31, 0.12 to 0.56"."""
    parts = [
        f"{name}: median {number(float(np.median(values)))}, {number(float(values.min()))} to "
        f"{number(float(values.max()))}"
        for name, values in _known(plot).items()
    ]
    parts += [] if plot.threshold is None else [f"{plot.threshold_is}: {number(plot.threshold)}"]
    return "; ".join(parts)


def _known(plot: Distribution) -> dict[str, NDArray[np.floating]]:
    finite = {name: np.asarray(values)[np.isfinite(values)] for name, values in plot.groups.items()}
    return {name: values for name, values in finite.items() if len(values)}


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
    """A forest plot: one line per system with its value and interval, the truth as a dashed line.

    Args:
        measured: systems from top to bottom; a system without a defined value has an empty line.
        truth: the figure of the true pictures; None or NaN where it is not defined.
        lower: whether lower is better; the axis says so.
    """
    figure = _canvas(4.3, 0.55 + 0.23 * len(measured))
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
    _style(axes, grid="x")
    for label, system in zip(axes.get_yticklabels(), measured, strict=True):
        label.set_color(ACCENT if system.marked else INK)
    return _svg(figure)


@dataclass(frozen=True)
class Series:
    """One system's values with their intervals, for each number of people; a single point at 0 is drawn across."""

    name: str
    people: list[int]
    values: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class FewShot:
    """One figure over the number of people trained on; ``constant`` is the value of the best constant answer."""

    label: str
    series: list[Series]
    constant: float | None = None


def few_shot_svg(plots: Sequence[FewShot]) -> str:
    """The plots side by side, on white.

    Raises:
        ValueError: without plots.
    """
    if not plots:
        raise ValueError("few-shot curves need a figure or more; found none")
    figure = _canvas(4.2 * len(plots), 3.4)
    for place, plot in enumerate(plots, 1):
        _draw_few_shot(figure.add_subplot(1, len(plots), place), plot)
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, fontsize=7, frameon=False, loc="outside lower center", ncols=len(names), labelcolor=INK)
    return _svg(figure, ground="white")


def _draw_few_shot(axes: Axes, plot: FewShot) -> None:
    if ticks := sorted({people for series in plot.series for people in series.people if people > 0}):
        axes.set_xscale("log")
        axes.set_xticks(ticks, labels=[str(people) for people in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    for series, colour in zip(plot.series, (ACCENT, WARM, INK, VIOLET), strict=False):
        if series.people == [0]:
            axes.axhspan(series.low[0], series.high[0], color=colour, alpha=0.1, linewidth=0)
            axes.axhline(series.values[0], color=colour, linewidth=1.4, linestyle="--", label=f"{series.name} alone")
            continue
        axes.fill_between(series.people, series.low, series.high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            series.people, series.values, color=colour, linewidth=1.8, marker="o", markersize=4, label=series.name
        )
    if plot.constant is not None:
        axes.axhline(plot.constant, color=MUTED, linewidth=1, linestyle=":", label="best constant answer")
    axes.set_title(plot.label, fontsize=9, color=INK, loc="left")
    axes.set_xlabel("real people trained on")
    _style(axes)
