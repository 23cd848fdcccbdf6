"""Few-shot curves: a figure over the number of people trained on, one small panel a figure."""

import io
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from palsykit.report.curves import ACCENT, INK, LINE, MUTED

COLOURS = (ACCENT, "#b7791f", INK, "#8a5a9e")


@dataclass(frozen=True)
class Series:
    """A system's figure with its interval at each number of people; one point at 0 people is drawn across."""

    name: str
    people: list[int]
    values: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Panel:
    """A figure's curves; ``constant`` is what the best constant answer reaches."""

    label: str
    series: list[Series]
    constant: float | None = None


def few_shot_svg(panels: list[Panel]) -> str:
    """The panels side by side; equal contents give equal text.

    Raises:
        ValueError: without panels.
    """
    if not panels:
        raise ValueError("few-shot curves need a figure or more; found none")
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout="constrained")
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        _draw(axes, panel)
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, fontsize=7, frameon=False, loc="outside lower center", ncols=len(names), labelcolor=INK)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "palsykit"}):
        figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None})
    return file.getvalue()


def _draw(axes: matplotlib.axes.Axes, panel: Panel) -> None:
    ticks = sorted({people for series in panel.series for people in series.people if people > 0})
    if ticks:
        axes.set_xscale("log")
        axes.set_xticks(ticks, labels=[str(people) for people in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    for series, colour in zip(panel.series, COLOURS, strict=False):
        if series.people == [0]:
            axes.axhspan(series.low[0], series.high[0], color=colour, alpha=0.1, linewidth=0)
            axes.axhline(series.values[0], color=colour, linewidth=1.4, linestyle="--", label=f"{series.name} alone")
            continue
        axes.fill_between(series.people, series.low, series.high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            series.people, series.values, color=colour, linewidth=1.8, marker="o", markersize=4, label=series.name
        )
    if panel.constant is not None:
        axes.axhline(panel.constant, color=MUTED, linewidth=1, linestyle=":", label="best constant answer")
    axes.set_title(panel.label, fontsize=9, color=INK, loc="left")
    axes.set_xlabel("real people trained on", fontsize=8, color=MUTED)
    axes.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.spines[:].set_visible(False)
